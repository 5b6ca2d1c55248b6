"""`translate fill -m RUN TEXT`: the likeliest pieces for each <mask> of a text, by a masked language model."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable

from translate.cli.paths import user_path
from translate.errors import UserError

HELP = "List the likeliest pieces for each <mask> of a text."
EPILOG = """\
examples:
  translate fill -m runs/multi30k_masked_lm "Der <mask> schläft."
  translate fill -m runs/multi30k_masked_lm "Der <mask> schläft." --target "The dog <mask>."
  translate fill -m runs/multi30k_masked_lm --json -i lines.de > filled.jsonl

The model is one of model.family=masked_lm. A <mask> stands for one piece of its tokenizer: ▁ is a space, so a piece that begins with it begins a
word (`translate tokens` shows the pieces of a text). The answer is the text with the likeliest piece in each gap, and a line for each gap: pieces and
their probabilities.

--json prints an object for each text, on a line of its own: source, target (both filled) and gaps, a list for each <mask> of objects with piece and
probability.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("text", nargs="*", metavar="TEXT", help="text in the source language (default: each line of standard input)")
    parser.add_argument(
        "-m", "--model", required=True, type=user_path, metavar="RUN", help="run folder of `translate train`, or a copy of its bundle files"
    )
    parser.add_argument("-i", "--input", nargs="+", type=user_path, metavar="FILE", help="the lines of these files (-: standard input)")
    parser.add_argument("--target", metavar="TEXT", help="the translation of the one TEXT, also with gaps; alone, a text in the target language")
    parser.add_argument("-n", "--top", type=int, default=5, metavar="N", help="pieces for each <mask> (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def run(arguments: argparse.Namespace) -> int:
    from translate.bundle.bundle import load_bundle
    from translate.text.records import JSON_ESCAPES
    from translate.translation.fill import Filler

    if arguments.top < 1:
        raise UserError(f"--top is {arguments.top}: it must be at least 1")
    if arguments.text and arguments.input:
        raise UserError(f"both TEXT and -i {arguments.input[0]} are given: leave one out")
    filler = Filler(load_bundle(arguments.model))
    for number, text in enumerate(texts(arguments), 1):
        try:
            filled = filler.fill(text, arguments.target or "", arguments.top)
        except UserError as error:
            if len(arguments.text) == 1 or arguments.target is not None:
                raise
            raise UserError(f"text {number:,}: {error}") from None
        if arguments.json:
            print(json.dumps(dataclasses.asdict(filled), ensure_ascii=False).translate(JSON_ESCAPES), flush=True)
            continue
        print(*filter(None, (filled.source, filled.target)), sep="\n")
        for gap, guesses in enumerate(filled.gaps, 1):
            print(f"{gap:>3}", *(f"{guess.piece} {guess.probability:.3f}" for guess in guesses), sep="  ", flush=True)
    return 0


def texts(arguments: argparse.Namespace) -> Iterable[str]:
    """The source texts; "" for a target alone."""
    from translate.cli import tokens

    if arguments.target is None:
        return tokens.texts(arguments)
    if arguments.input or len(arguments.text) > 1:
        raise UserError("--target is the translation of one TEXT: give one, or leave --target out")
    return arguments.text or [""]
