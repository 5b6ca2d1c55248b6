"""What `translate file` writes: the translations, the report, and a summary on stderr."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from translate.text.records import JSON_ESCAPES
from translate.translation.findings import is_copy, is_odd_length, missing

if TYPE_CHECKING:
    from translate.translation.pieces import Translation


def write(results: Iterable[tuple[Translation, str]], output: TextIO, report: TextIO | None, max_tokens: int, flush: bool) -> None:
    """Write the text of each result to `output` and its status to `report`, then a summary to stderr.

    max_tokens: the model's limit for a source line. flush: after each line.
    """
    summary = Summary()
    for result, text in results:
        output.write(text)
        if report:
            status = status_of(result)
            report.write(to_report(result, status))
            summary.statuses[status] += 1
        if flush:
            output.flush()
            if report:
                report.flush()
        summary.add(result)
    for line in summary.lines(max_tokens):
        print(f"translate: {line}", file=sys.stderr)


class Summary:
    """Counts the lines that the user should know about."""

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

    def lines(self, max_tokens: int) -> Iterator[str]:
        if self.split:
            yield f"split {name_lines(self.split)}, longer than the model's {max_tokens:,} tokens, into {self.pieces:,} pieces"
        if self.cut:
            yield f"cut off {name_lines(self.cut)} at the maximum length of a translation"
        if self.looped:
            yield f"translated again, without repeats, because the first output looped: {name_lines(self.looped)}"
        if self.statuses:
            counts = ", ".join(f"{count:,} {status}" for status, count in self.statuses.most_common())
            yield f"report: {self.statuses.total():,} lines: {counts}"


def status_of(result: Translation) -> str:
    """The status of a line: the first that applies. With `ok` and `split` nothing looks wrong."""
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


def to_text(result: Translation, jsonl: bool, n_best: int, scores: bool) -> str:
    """The output for a line, as in the help of `translate file`."""
    if jsonl:
        return to_json(result, n_best)
    if n_best > 1:
        return "".join(f"{result.number}\t{score:.4f}\t{text}\n" for text, score in result.alternatives)
    return f"{result.score:.4f}\t{result.text}\n" if scores else f"{result.text}\n"


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
    """[3, 8] -> `2 lines (3, 8)`; lists at most ten."""
    named = ", ".join(f"{number}" for number in numbers[:10]) + (", ..." if len(numbers) > 10 else "")
    return f"{len(numbers):,} {'line' if len(numbers) == 1 else 'lines'} ({named})"
