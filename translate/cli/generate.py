"""`translate generate`: texts that a model makes up, from nothing or from a prompt."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from itertools import islice

from translate.cli.paths import user_path
from translate.errors import UserError

HELP = "Let a language model make up text, from nothing or from a prompt."
EPILOG = """\
examples:
  translate generate -m runs/multi30k_language_model
  translate generate -m runs/multi30k_language_model --prompt "A man in a" -n 5
  translate generate -m runs/multi30k_language_model --top-k 1                    always the most likely token
  translate generate -m runs/multi30k_language_model -i beginnings.en --json > texts.jsonl

The model is one that doesn't translate: model.family=language_model or markov. Each text is one sentence: it begins with the prompt, and ends with
the end mark or after --tokens. The same seed gives the same texts, whatever else is generated with them.

--json prints an object for each text, on a line of its own: prompt, text (with the prompt), log_probability (natural logarithm, of the tokens after
the prompt), tokens (after the prompt, end mark included), complete (false: cut off).
"""
WINDOW = 256  # prompts at a time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "-m", "--model", required=True, type=user_path, metavar="RUN", help="run folder of `translate train`, or a copy of its bundle files"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="how the text begins (default: with anything)")
    parser.add_argument("-i", "--input", nargs="+", type=user_path, metavar="FILE", help="a prompt on each line of these files (-: standard input)")
    parser.add_argument("-n", "--samples", type=int, default=1, metavar="N", help="texts for each prompt (default: %(default)s)")
    parser.add_argument("--tokens", type=int, metavar="N", help="tokens after the prompt, at most (default: 100)")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    drawing = parser.add_argument_group("sampling")
    drawing.add_argument("--temperature", type=float, default=1.0, metavar="T", help="below 1: closer to the most likely (default: 1)")
    drawing.add_argument("--top-k", type=int, default=0, metavar="K", help="draw from the K most likely tokens (default: 0, all)")
    drawing.add_argument("--top-p", type=float, default=1.0, metavar="P", help="draw from the most likely tokens that share P (default: 1, all)")
    drawing.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same texts (default: 1)")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    machine.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="default: auto, the fastest on this machine")


def run(arguments: argparse.Namespace) -> int:
    from translate.text.records import JSON_ESCAPES
    from translate.translation.generation import TOKENS, Generator, drawing

    if arguments.prompt is not None and arguments.input:
        raise UserError(f"both --prompt and -i {arguments.input[0]} are given: leave one out")
    options = drawing(arguments.samples, arguments.temperature, arguments.top_k, arguments.top_p, arguments.seed)
    generator = Generator.load(arguments.model, arguments.device, arguments.precision)
    lines, first = prompts(arguments), 0
    while window := list(islice(lines, WINDOW)):
        for prompt, texts in zip(window, generator.generate(window, arguments.tokens if arguments.tokens is not None else TOKENS, options, first)):
            for text in texts:
                as_json = {"prompt": prompt, **dataclasses.asdict(text)}
                print(json.dumps(as_json, ensure_ascii=False).translate(JSON_ESCAPES) if arguments.json else text.text, flush=True)
        first += len(window)
    return 0


def prompts(arguments: argparse.Namespace) -> Iterator[str]:
    """The prompt of the command line, or the lines of the files; without either one empty prompt."""
    from translate.cli.inputs import read_inputs

    if not arguments.input:
        return iter([arguments.prompt or ""])
    inputs = read_inputs(arguments.input, as_text=True)
    if inputs.keyboard:
        print("translate: reading prompts from the keyboard; end with Ctrl-D", file=sys.stderr)
    return inputs.lines()
