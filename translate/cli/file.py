"""`translate file`: lines of text in, their translations out, one line each; in constant memory, however long the input."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from translate.translator import Translation

HELP = "Translate text files, or standard input to standard output: N lines in, N lines out."
EPILOG = """\
examples:
  echo "Guten Morgen." | translate file -m runs/quickstart
  translate file -m runs/quickstart input.de -o output.en
  translate file -m runs/quickstart --beam 1 --scores news.de.gz > news.en
  translate file -m runs/quickstart --format jsonl --n-best 5 input.de -o output.jsonl

Output, a line for each line of input, also for a blank one:
  (nothing else)   TRANSLATION
  --scores         SCORE <tab> TRANSLATION
  --n-best N       N lines for each line of input, best first: LINE NUMBER <tab> SCORE <tab> TRANSLATION
  --format jsonl   a JSON object: line, source, translation, score, pieces, cut, alternatives
SCORE is the natural logarithm of the probability, divided by the length penalty. A line longer than the model takes is split at sentence or
clause ends, and its pieces' translations are joined with a space (their scores are added); how many is said on stderr.

-o appears when everything is translated, or not at all. Without it, lines are written as they are done: an error in the input, such as
invalid UTF-8 in line 5,000, may come after the lines before it.
"""
# A JSON text may hold these as they are, but some programs end a line at them.
JSON_ESCAPES = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("input", nargs="*", metavar="INPUT", help="text files, one sentence a line (.gz and .xz too; - or none: standard input)")
    parser.add_argument("-m", "--model", required=True, metavar="RUN", help="run folder of `translate train`, or a copy of its bundle files")
    parser.add_argument("-o", "--output", metavar="OUT", help="file to write, whole or not at all (.gz and .xz too; default: standard output)")
    parser.add_argument("--format", choices=("text", "jsonl"), default="text", help="default: text")
    parser.add_argument("--scores", action="store_true", help="put the score before each translation")
    search = parser.add_argument_group("search (default: as the model's recipe says)")
    search.add_argument("--beam", type=int, metavar="N", help="hypotheses kept open; 1 is greedy and fastest")
    search.add_argument("--length-penalty", type=float, metavar="ALPHA", help="above 0 favours longer output (GNMT's alpha)")
    search.add_argument("--n-best", type=int, default=1, metavar="N", help="alternatives of each line, at most --beam; with --sample, N samples")
    drawing = parser.add_argument_group("sampling")
    drawing.add_argument("--sample", action="store_true", help="draw translations at random in place of searching the best")
    drawing.add_argument("--temperature", type=float, default=1.0, metavar="T", help="below 1: closer to the likeliest (default: 1)")
    drawing.add_argument("--top-k", type=int, default=0, metavar="K", help="draw among the K likeliest tokens (default: 0, all)")
    drawing.add_argument("--top-p", type=float, default=1.0, metavar="P", help="draw among the likeliest tokens that share P (default: 1, all)")
    drawing.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same samples (default: 1)")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--batch-tokens", type=int, metavar="N", help="source tokens a batch, times the beam: lower it if memory runs out")
    machine.add_argument("--window", type=int, metavar="N", help="lines read ahead of the output (default: 2048; at a keyboard 1)")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    machine.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="default: auto")
    machine.add_argument("--engine", choices=("torch", "ctranslate2"), default="torch", help="what runs the model (default: torch)")
    machine.add_argument(
        "--compute-type", default="default", metavar="TYPE", help="of ctranslate2: int8, float32, ... (default: as the weights were exported)"
    )


def run(arguments: argparse.Namespace) -> int:
    from translate.text import read_lines, written_whole

    inputs = arguments.input or ["-"]
    refuse_own_input(inputs, arguments.output)
    readers = [read_lines(path) for path in inputs]  # opens them all: what cannot be read or written is told before the model is loaded
    with written_whole(arguments.output) if arguments.output else contextlib.nullcontext(sys.stdout) as output:
        write_translations((line for reader in readers for line in reader), inputs, output, arguments)
    return 0


def refuse_own_input(inputs: list[str], output: str | None) -> None:
    """ValueError where `output` is one of `inputs`, whatever the two are called."""
    for path in inputs:
        if output and path != "-" and os.path.exists(output) and os.path.exists(path) and os.path.samefile(path, output):
            raise ValueError(f"{output} is an input as well as the output: give -o another name")


def write_translations(lines: Iterator[str], inputs: list[str], output: TextIO, arguments: argparse.Namespace) -> None:
    keyboard = "-" in inputs and sys.stdin.isatty()
    from translate.decoding import Options  # brings torch
    from translate.translator import WINDOW_LINES, Translator

    options = Options(
        arguments.beam, arguments.length_penalty, arguments.batch_tokens, arguments.n_best,
        arguments.sample, arguments.temperature, arguments.top_k, arguments.top_p, arguments.seed,
    )  # fmt: skip
    translator = Translator.load(arguments.model, arguments.device, arguments.precision, arguments.engine, arguments.compute_type)
    results = translator.translate_stream(lines, options, arguments.window or (1 if keyboard else WINDOW_LINES))
    if keyboard:
        print("translate: reading lines from the keyboard; end with Ctrl-D", file=sys.stderr)
    split, pieces, cut = [], 0, []
    for number, result in enumerate(with_progress(results, inputs, output), 1):
        if arguments.format == "jsonl":
            output.write(to_json(number, result, arguments.n_best))
        else:
            output.write(to_text(number, result, arguments.n_best, arguments.scores))
        if output is sys.stdout:
            output.flush()  # whoever reads the pipe has each line as soon as there is one
        if result.pieces > 1:
            split.append(number)
            pieces += result.pieces
        if result.cut:
            cut.append(number)
    if split:
        limit = f"{translator.max_tokens:,} tokens"
        print(f"translate: split {name_lines(split)}, longer than the model's {limit}, into {pieces:,} pieces", file=sys.stderr)
    if cut:
        print(f"translate: cut off {name_lines(cut)} at the greatest length that a translation may have", file=sys.stderr)


def to_text(number: int, result: Translation, n_best: int, scores: bool) -> str:
    if n_best > 1:
        return "".join(f"{number}\t{score:.4f}\t{text}\n" for text, score in result.alternatives)
    return f"{result.score:.4f}\t{result.text}\n" if scores else f"{result.text}\n"


def to_json(number: int, result: Translation, n_best: int) -> str:
    values: dict[str, object] = {
        "line": number,
        "source": result.source,
        "translation": result.text,
        "score": round(result.score, 6),
        "pieces": result.pieces,
        "cut": result.cut,
    }
    if n_best > 1:
        values["alternatives"] = [{"translation": text, "score": round(score, 6)} for text, score in result.alternatives]
    return json.dumps(values, ensure_ascii=False).translate(JSON_ESCAPES) + "\n"


def name_lines(numbers: list[int]) -> str:
    """[3, 8] -> `2 lines (3, 8)`; of many, the first ten."""
    named = ", ".join(f"{number}" for number in numbers[:10]) + (", ..." if len(numbers) > 10 else "")
    return f"{len(numbers):,} {'line' if len(numbers) == 1 else 'lines'} ({named})"


def with_progress(results: Iterator[Translation], inputs: list[str], output: TextIO) -> Iterable[Translation]:
    """`results`, with a progress bar on stderr if that is a terminal and nothing else is typed or written there."""
    if not sys.stderr.isatty() or (output is sys.stdout and sys.stdout.isatty()):
        return results
    from tqdm import tqdm

    from translate.text import read_lines

    total = None
    if all(os.path.isfile(path) for path in inputs):
        total = sum(1 for path in inputs for _ in read_lines(path))
    return tqdm(results, total=total, unit=" lines", dynamic_ncols=True)
