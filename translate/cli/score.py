"""`translate score`: files in, a table (or JSON) of scores on stdout, warnings on stderr."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from translate.cli.paths import user_path
from translate.errors import UserError

if TYPE_CHECKING:
    from translate.evaluation.scoring import Score

HELP = "Score a translation against one or more references: BLEU, chrF++ and TER, each with its sacreBLEU signature."
EXAMPLES = """\
examples:
  translate score reference.en -i output.en
  translate score first.en second.en -i output.en        two reference translations of the same text
  translate score reference.en -i a.en b.en c.en         three systems: is b or c better than a?
  translate file -m runs/quickstart input.de | translate score reference.en
  translate score reference.en -i output.en --metrics bleu,chrf --bootstrap 0 --format json

Give detokenised, cased text: sacreBLEU tokenises it itself, and the values are those of the `sacrebleu` command.
TER counts edits: lower is better, and it ignores case, as its signature says. The 95% interval comes from bootstrap resampling. With
several systems, each is compared with the first: p is the chance of such a difference between two systems that are equally good.
"""
METRICS = ("bleu", "chrf", "ter")
TOKENIZERS = ("13a", "zh", "ja-mecab", "ko-mecab", "intl", "char", "flores101", "flores200", "none")
BOOTSTRAP = 1000
SIGNIFICANT = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `translate score`."""
    parser.epilog = EXAMPLES
    parser.usage = "translate score REFERENCE [REFERENCE ...] [-i HYPOTHESIS [HYPOTHESIS ...]] [OPTION ...]"  # the order matters
    parser.add_argument(
        "references",
        nargs="*",
        type=user_path,
        metavar="REFERENCE",
        help="reference translation, line-aligned with the hypothesis (also .gz, .xz, .bz2, .zst)",
    )
    parser.add_argument(
        "-i", "--input", nargs="+", type=user_path, default=["-"], metavar="HYPOTHESIS",
        help="the translation to score (default: standard input); with several, each is compared with the first",
    )  # fmt: skip
    add_scoring(parser)
    parser.add_argument("--bootstrap", type=int, metavar="N", help=f"resamples for the 95%% confidence interval; 0 for none (default: {BOOTSTRAP})")
    parser.add_argument(
        "--paired",
        choices=("bs", "ar"),
        help="significance test for several systems: paired bootstrap (default), or approximate randomisation with 10,000 trials",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result (default: %(default)s)")


def add_scoring(parser: argparse.ArgumentParser | argparse._ArgumentGroup, language: str = "13a") -> None:
    """The scoring options, shared with `translate evaluate`. language: the default tokenizer, for the help."""
    parser.add_argument(
        "--metrics", nargs="+", metavar="{" + ",".join(METRICS) + "}", help="which metrics, and in which order: bleu,chrf or bleu chrf (default: all)"
    )
    parser.add_argument("--tokenize", choices=TOKENIZERS, help=f"sacreBLEU's tokenizer for BLEU (default: {language})")
    parser.add_argument("--lowercase", action="store_true", help="ignore case in BLEU and chrF++")


def metric_names(words: Sequence[str] | None) -> tuple[str, ...] | None:
    """The names in `--metrics bleu,chrf` or `--metrics bleu chrf`. UserError for an unknown one, or one given twice."""
    if words is None:
        return None
    names = tuple(name.strip().lower() for word in words for name in word.split(",") if name.strip())
    for index, name in enumerate(names):
        if name not in METRICS:
            raise UserError(f"unknown metric {name!r}: --metrics takes {', '.join(METRICS)}")
        if name in names[:index]:
            raise UserError(f"--metrics names {name} twice")
    if not names:
        raise UserError(f"--metrics is empty: it takes {', '.join(METRICS)}")
    return names


def check_effects(arguments: argparse.Namespace, names: Sequence[str] | None) -> None:
    """UserError for an option that none of the metrics uses."""
    if arguments.tokenize and names and "bleu" not in names:
        raise UserError("--tokenize has no effect: it is for BLEU, which --metrics leaves out")
    if arguments.lowercase and names == ("ter",):
        raise UserError("--lowercase has no effect: TER ignores case anyway")


def run(arguments: argparse.Namespace) -> int:
    """UserError for files that are empty or not line-aligned."""
    from translate.evaluation.scoring import compare, default_metrics, long_lines

    names, bootstrap, randomise = check(arguments)
    references, systems = read(arguments)
    warnings = list(dict.fromkeys(warning for path, lines in systems.items() for warning in warnings_of(path, lines, references, arguments)))
    warnings += same_systems(systems)
    if names is None:
        names, left_out = default_metrics(list(systems.values()), references)
        warnings += [f"TER is left out: {left_out}"] if left_out else []
    for warning in warnings:
        log(f"warning: {warning}")
    if arguments.metrics and "ter" in names and (long := [line for lines in systems.values() for line in long_lines(lines, references)]):
        log(f"TER of line {long[0][0]:,} ({long[0][1]:,} words) takes a while: up to 20 s for 1,000 words")
    scores = compare(list(systems.values()), references, names, bootstrap, randomise, arguments.tokenize or "13a", arguments.lowercase, log)
    results, test = dict(zip(systems, scores)), "ar" if randomise else "bs" if bootstrap else None
    if arguments.format == "json":
        print(json.dumps(json_report(arguments, results, test, len(references[0]), warnings), ensure_ascii=False, indent=2))
    elif len(results) == 1:
        print(table(scores[0]))
    else:
        print(comparison(results, test))
    return 0


def check(arguments: argparse.Namespace) -> tuple[tuple[str, ...] | None, int, bool]:
    """The metrics, the number of bootstrap samples, and whether to test by randomisation. UserError for options that conflict or have no effect."""
    if not arguments.references:
        raise UserError("no REFERENCE is given; it comes before -i: translate score reference.en -i output.en")
    if [*arguments.input, *arguments.references].count("-") > 1:
        raise UserError("standard input can be read only once: give the hypothesis (with -i) or the reference as a file")
    for index, path in enumerate(arguments.input):
        if path in arguments.input[:index]:
            raise UserError(f"{path} is given twice as a hypothesis")
    if arguments.paired and len(arguments.input) == 1:
        raise UserError("--paired compares systems: give several hypotheses, -i a.en b.en")
    if arguments.paired == "ar" and arguments.bootstrap is not None:
        raise UserError("--bootstrap has no effect with --paired ar: leave out one of the two")
    if arguments.paired == "bs" and arguments.bootstrap == 0:
        raise UserError("--paired bs needs bootstrap samples: leave out --bootstrap 0")
    names = metric_names(arguments.metrics)
    check_effects(arguments, names)
    randomise = arguments.paired == "ar"
    bootstrap = BOOTSTRAP if arguments.bootstrap is None else arguments.bootstrap
    return names, 0 if randomise else bootstrap, randomise


def read(arguments: argparse.Namespace) -> tuple[list[list[str]], dict[str, list[str]]]:
    """The references, and each system's lines by file name."""
    from translate.text.lines import read_lines
    from translate.text.quality import text_warnings

    references = [list(read_lines(path)) for path in arguments.references]
    if "-" in arguments.input and sys.stdin.isatty():
        print("translate: reading the translation from standard input; -i FILE reads a file", file=sys.stderr)
    systems = {path: list(read_lines(path)) for path in arguments.input}
    for path, lines in systems.items():
        if any(len(texts) != len(lines) for texts in references):  # probably the reason
            for name, texts in [*zip(arguments.references, references), (path, lines)]:
                for warning in text_warnings(display_name(name), texts):
                    log(f"warning: {warning}")
        check_aligned(display_name(path), lines, arguments.references, references)
    return references, systems


def warnings_of(path: str, lines: Sequence[str], references: Sequence[Sequence[str]], arguments: argparse.Namespace) -> list[str]:
    """Reasons to doubt the scores of one system. With several systems, each is called by its file name."""
    from translate.evaluation.score_warnings import tokenizer_warnings, warnings

    reasons = [
        text if len(arguments.input) == 1 else text.replace("the hypothesis", display_name(path))
        for text in warnings(lines, references, not arguments.lowercase)
    ]
    if "bleu" in (metric_names(arguments.metrics) or METRICS):
        reasons += tokenizer_warnings(references, arguments.tokenize or "13a")
    if names_look_swapped(path, arguments.references):
        reasons.append(f"are hypothesis ({path}) and reference ({', '.join(arguments.references)}) swapped? The reference comes first")
    return reasons


def same_systems(systems: Mapping[str, Sequence[str]]) -> list[str]:
    first, *others = systems
    return [
        f"{display_name(first)} and {display_name(other)} are equal in every line: p says nothing"
        for other in others
        if systems[other] == systems[first]
    ]


def log(text: str) -> None:
    print(f"translate: {text}", file=sys.stderr, flush=True)


def check_aligned(hypothesis: str, hypotheses: Sequence[str], names: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """UserError unless all files have the same number of lines, at least one. hypothesis, names: of the files, for messages."""
    for name, lines in [*zip(names, references, strict=True), (hypothesis, hypotheses)]:
        if not lines:
            raise UserError(f"{display_name(name)} is empty: there is nothing to score")
    for name, lines in zip(names, references, strict=True):
        if len(lines) != len(hypotheses):
            raise UserError(
                f"{hypothesis} has {len(hypotheses):,} lines, {display_name(name)} {len(lines):,}: hypothesis and reference must be line-aligned"
            )


def names_look_swapped(hypothesis: str, references: Sequence[str]) -> bool:
    """Whether the file after -i is named like a reference and the others are not (`translate score output.en -i ref.en`)."""
    reference = re.compile(r"(?:^|[^a-z])ref(?:s|erences?)?(?:[^a-z]|$)", re.IGNORECASE)
    return bool(reference.search(os.path.basename(hypothesis))) and not any(reference.search(os.path.basename(path)) for path in references)


def table(scores: Sequence[Score]) -> str:
    """An aligned table, a line per metric: name, value, interval if there is one, signature."""
    rows = [("metric", "score", "95% interval", "signature")]
    rows += [(result.name, f"{result.value:.2f}", interval(result), result.signature) for result in scores]
    name, value, bounds, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    if all(result.low is None for result in scores):
        return "\n".join(f"{row[0]:{name}}  {row[1]:>{value}}  {row[3]}" for row in rows)
    return "\n".join(f"{row[0]:{name}}  {row[1]:>{value}}  {row[2]:>{bounds}}  {row[3]}" for row in rows)


def comparison(systems: Mapping[str, Sequence[Score]], test: str | None) -> str:
    """An aligned table, a line per system: each metric with its interval and p; below it the test and the signatures."""
    scores = next(iter(systems.values()))
    heads = ["system", *(head for result in scores for head in (result.name, "95% interval", "p"))]
    rows = [heads]
    for path, results in systems.items():
        rows.append([display_name(path), *(cell for result in results for cell in (f"{result.value:.2f}", interval(result), chance(result)))])
    columns = [column for column in zip(*rows, strict=True) if set(column[1:]) != {"-"}]
    widths = [max(map(len, column)) for column in columns]
    lines = [f"{row[0]:{widths[0]}}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:])) for row in zip(*columns)]
    lines += [""] + [f"{result.name}  {result.signature}" for result in scores]
    if test:
        name = {"bs": "paired bootstrap resampling", "ar": "paired approximate randomisation"}[test]
        lines += ["", f"p: {name} against {display_name(next(iter(systems)))}; * = below {SIGNIFICANT}"]
    return "\n".join(line.rstrip() for line in lines)


def interval(result: Score) -> str:
    """Lower and upper bound, as `translate evaluate` writes them."""
    return "-" if result.low is None or result.high is None else f"[{result.low:.2f}, {result.high:.2f}]"


def chance(result: Score) -> str:
    return "-" if result.p_value is None else f"{result.p_value:.4f}{'*' if result.p_value < SIGNIFICANT else ' '}"


def json_report(
    arguments: argparse.Namespace, systems: Mapping[str, Sequence[Score]], test: str | None, lines: int, warnings: list[str]
) -> dict[str, object]:
    """The results as plain values: the scores of one system, or a list of systems, each compared with the first."""
    about: dict[str, object] = {"references": arguments.references, "lines": lines}
    if len(systems) == 1:
        ((path, scores),) = systems.items()
        return {"hypothesis": path, **about, "scores": [as_json(result) for result in scores], "warnings": warnings}
    listed = [
        {"hypothesis": path, "scores": [{**as_json(result), "p_value": result.p_value} for result in scores]} for path, scores in systems.items()
    ]
    return {**about, "paired": test, "systems": listed, "warnings": warnings}


def as_json(result: Score) -> dict[str, object]:
    """The score as plain values, unrounded. `interval` is null without bootstrap."""
    bounds = None if result.low is None or result.high is None else {"level": 0.95, "low": result.low, "high": result.high}
    return {"name": result.name, "value": result.value, "interval": bounds, "signature": result.signature}


def display_name(path: str) -> str:
    """The name of a file in messages."""
    return "standard input" if path == "-" else path
