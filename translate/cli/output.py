"""What `translate file` writes: a line, or several, for each line of input; the report; and at the end what is worth telling, on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from translate.text.records import JSON_ESCAPES
from translate.translation.findings import is_copy, is_odd_length, missing

if TYPE_CHECKING:
    from translate.translation.pieces import Translation


class Summary:
    """What is worth telling about the lines, gathered while they are written."""

    def __init__(self) -> None:
        self.split: list[int] = []
        self.cut: list[int] = []
        self.looped: list[int] = []
        self.pieces = 0
        self.statuses: Counter[str] = Counter()

    def add(self, result: Translation) -> None:
        if result.pieces > 1:
            self.split.append(result.number)
            self.pieces += result.pieces
        if result.cut:
            self.cut.append(result.number)
        if result.looped:
            self.looped.append(result.number)

    def tell(self, max_tokens: int) -> None:
        if self.split:
            limit = f"longer than the model's {max_tokens:,} tokens"
            print(f"translate: split {name_lines(self.split)}, {limit}, into {self.pieces:,} pieces", file=sys.stderr)
        if self.cut:
            print(f"translate: cut off {name_lines(self.cut)} at the greatest length that a translation may have", file=sys.stderr)
        if self.looped:
            print(f"translate: translated again, without repeats, what came out in a loop: {name_lines(self.looped)}", file=sys.stderr)
        if self.statuses:
            counts = ", ".join(f"{count:,} {status}" for status, count in self.statuses.most_common())
            print(f"translate: report: {self.statuses.total():,} lines: {counts}", file=sys.stderr)


def write(results: Iterable[tuple[Translation, str]], output: TextIO, report: TextIO | None, at_once: bool) -> Summary:
    """The text of each result to `output`, what became of it to `report`; `at_once` without waiting for the next."""
    summary = Summary()
    for result, text in results:
        output.write(text)
        if report:
            status = status_of(result)
            report.write(to_report(result, status))
            summary.statuses[status] += 1
        if at_once:
            output.flush()
            if report:
                report.flush()
        summary.add(result)
    return summary


def status_of(result: Translation) -> str:
    """What became of a line, the first that holds: `ok` and `split` are those at which nothing looks wrong."""
    if not result.pieces:
        return "blank"
    if result.cut:
        return "truncated"
    if result.looped:
        return "looped"
    if is_copy(result.source, result.text):
        return "copied"
    if not result.text.strip() or is_odd_length(result.tokens_in, result.tokens_out) or missing(result.source, result.text):
        return "suspect"
    return "split" if result.pieces > 1 else "ok"


def to_report(result: Translation, status: str) -> str:
    values = {
        "line": result.number,
        "status": status,
        "tokens_in": result.tokens_in,
        "tokens_out": result.tokens_out,
        "score": round(result.score, 6),
        "pieces": result.spans,
        "odd_length": is_odd_length(result.tokens_in, result.tokens_out),
        "missing": missing(result.source, result.text),
    }
    return json.dumps(values, ensure_ascii=False).translate(JSON_ESCAPES) + "\n"


def to_text(result: Translation, arguments: argparse.Namespace) -> str:
    """What is written for a line: see the help of `translate file`."""
    if arguments.format == "jsonl":
        return to_json(result, arguments.n_best)
    if arguments.n_best > 1:
        return "".join(f"{result.number}\t{score:.4f}\t{text}\n" for text, score in result.alternatives)
    return f"{result.score:.4f}\t{result.text}\n" if arguments.scores else f"{result.text}\n"


def to_json(result: Translation, n_best: int) -> str:
    values: dict[str, object] = {
        "line": result.number,
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
