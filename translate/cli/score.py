"""`translate score`: files in, a table (or JSON) of scores on stdout, warnings on stderr. What is computed stands in scoring.py."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from translate.cli.paths import user_path
from translate.errors import UserError

if TYPE_CHECKING:
    from translate.scoring import Score

HELP = "Score a translation against one or more references: BLEU, chrF++ and TER, each with its sacreBLEU signature."
EXAMPLES = """\
examples:
  translate score reference.en -i output.en
  translate score first.en second.en -i output.en        two reference translations of the same text
  translate file -m runs/quickstart input.de | translate score reference.en
  translate score reference.en -i output.en --metrics bleu chrf --bootstrap 0 --format json

Give detokenised, cased text as it is: sacreBLEU's tokenisation is part of the score, and the values are those of the `sacrebleu` command.
TER counts edits: lower is better, and case does not count, as its signature says. The 95% interval comes from bootstrap resampling: the
resamples' mean and half the interval's width.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `translate score`."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "references", nargs="+", type=user_path, metavar="REFERENCE", help="reference translation, a line for each line scored; plain, .gz or .xz"
    )
    parser.add_argument("-i", "--input", default="-", type=user_path, metavar="HYPOTHESIS", help="the translation to score (default: standard input)")
    parser.add_argument(
        "--metrics", nargs="+", choices=("bleu", "chrf", "ter"), default=["bleu", "chrf", "ter"], help="which, and in which order (default: all)"
    )
    parser.add_argument(
        "--bootstrap", type=int, default=1000, metavar="N", help="resamples for the 95%% confidence interval; 0 for none (default: %(default)s)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Scores and prints. UserError for files that are empty or not line-aligned."""
    from translate.scoring import score, warnings
    from translate.text import read_lines

    if [arguments.input, *arguments.references].count("-") > 1:
        raise UserError("standard input can be read once only: give the hypothesis with -i or the reference as a file")
    references = [list(read_lines(path)) for path in arguments.references]
    if arguments.input == "-" and sys.stdin.isatty():
        print("translate: reading the translation from standard input; -i FILE reads a file", file=sys.stderr)
    hypotheses = list(read_lines(arguments.input))
    check_aligned(shown(arguments.input), hypotheses, arguments.references, references)

    found = warnings(hypotheses, references)
    if names_look_swapped(arguments.input, arguments.references):
        found.append(f"are hypothesis ({arguments.input}) and reference ({', '.join(arguments.references)}) swapped? The reference comes first")
    for warning in found:
        print(f"translate: warning: {warning}", file=sys.stderr)

    scores = score(hypotheses, references, metrics=arguments.metrics, bootstrap=arguments.bootstrap)
    if arguments.format == "json":
        answer = {
            "hypothesis": arguments.input,
            "references": arguments.references,
            "lines": len(hypotheses),
            "scores": [as_json(result) for result in scores],
            "warnings": found,
        }
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        print(table(scores))
    return 0


def check_aligned(hypothesis: str, hypotheses: Sequence[str], names: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """UserError unless all files have the same number of lines, and more than none. `hypothesis`, `names`: what to call them."""
    for name, lines in [*zip(names, references, strict=True), (hypothesis, hypotheses)]:
        if not lines:
            raise UserError(f"{shown(name)} is empty: there is nothing to score")
    for name, lines in zip(names, references, strict=True):
        if len(lines) != len(hypotheses):
            raise UserError(
                f"{hypothesis} has {len(hypotheses):,} lines, {shown(name)} {len(lines):,}: hypothesis and reference must be line-aligned"
            )


def names_look_swapped(hypothesis: str, references: Sequence[str]) -> bool:
    """Whether the file after -i is called a reference and the ones before it are not (`translate score output.en -i ref.en`)."""
    reference = re.compile(r"(?:^|[^a-z])ref(?:s|erences?)?(?:[^a-z]|$)", re.IGNORECASE)
    return bool(reference.search(os.path.basename(hypothesis))) and not any(reference.search(os.path.basename(path)) for path in references)


def table(scores: Sequence[Score]) -> str:
    """An aligned table, a line a metric: name, value, interval where there is one, signature."""
    rows = [("metric", "score", "95% interval", "signature")]
    rows += [(result.name, f"{result.value:.2f}", interval(result), result.signature) for result in scores]
    name, value, bounds, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    if all(result.low is None for result in scores):
        return "\n".join(f"{row[0]:{name}}  {row[1]:>{value}}  {row[3]}" for row in rows)
    return "\n".join(f"{row[0]:{name}}  {row[1]:>{value}}  {row[2]:>{bounds}}  {row[3]}" for row in rows)


def interval(result: Score) -> str:
    """sacreBLEU's way to write it: the resamples' mean, and half the interval's width."""
    if result.low is None or result.high is None:
        return "-"
    return f"{(result.low + result.high) / 2:.2f} ± {(result.high - result.low) / 2:.2f}"


def as_json(result: Score) -> dict[str, object]:
    """The score as plain values, unrounded. `interval` is null where no bootstrap was asked for."""
    bounds = None if result.low is None or result.high is None else {"level": 0.95, "low": result.low, "high": result.high}
    return {"name": result.name, "value": result.value, "interval": bounds, "signature": result.signature}


def shown(path: str) -> str:
    """What to call a file in a message."""
    return "standard input" if path == "-" else path
