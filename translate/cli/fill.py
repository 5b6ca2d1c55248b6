"""`translate fill -m RUN TEXT`: the likeliest pieces for each <mask> of a text, by a masked language model."""

from __future__ import annotations

import argparse
import dataclasses
import json

from translate.cli.paths import user_path
from translate.errors import UserError

HELP = "List the likeliest pieces for each <mask> of a text."
EPILOG = """\
examples:
  translate fill -m runs/multi30k_masked_lm "Der <mask> schläft."
  translate fill -m runs/multi30k_masked_lm "Der <mask> schläft." --target "The dog <mask>."
  translate fill -m runs/multi30k_masked_lm --json < lines.de

The model is one of model.family=masked_lm. A <mask> stands for one piece of the tokenizer; a piece that begins with ▁ begins a word. The first
line of the answer is the text, with the likeliest piece in each gap. Without TEXT and --target, each line of stdin is a text.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("text", nargs="?", metavar="TEXT", help="in the source language, with <mask> in it (default: the lines of stdin)")
    parser.add_argument("-m", "--model", required=True, type=user_path, metavar="RUN", help="run folder of `translate train`")
    parser.add_argument("--target", metavar="TEXT", help="the same in the target language, with or without <mask>; alone: a text in that language")
    parser.add_argument("-n", "--top", type=int, default=5, metavar="N", help="pieces for each <mask> (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object for each text, on a line")


def run(arguments: argparse.Namespace) -> int:
    from translate.bundle.bundle import load_bundle
    from translate.text.lines import read_lines
    from translate.translation.fill import Filler

    if arguments.top < 1:
        raise UserError(f"--top is {arguments.top}: it must be at least 1")
    filler = Filler(load_bundle(arguments.model))
    given = arguments.text is not None or arguments.target is not None
    for source in [arguments.text or ""] if given else read_lines("-"):
        target = arguments.target or ""
        filled = filler.fill(source, target, arguments.top)
        if arguments.json:
            print(json.dumps(dataclasses.asdict(filled), ensure_ascii=False), flush=True)
            continue
        print(*filter(None, (filled.source, filled.target)), sep="\n")
        for number, guesses in enumerate(filled.gaps, 1):
            print(f"{number}:", *(f"{guess.piece} {guess.probability:.3f}" for guess in guesses), sep="  ")
    return 0
