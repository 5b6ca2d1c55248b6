"""What `translate file` writes: the translations, the report, and a summary on stderr."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from translate.cli.alignments import to_pharaoh, to_spans
from translate.text.records import JSON_ESCAPES
from translate.translation.doubts import Doubts, doubts, low_confidence, status_of

if TYPE_CHECKING:
    from translate.translation.pieces import Translation

NOT_CALIBRATED = (
    "this model was never measured on its development set: the report has no confidence, and notices few bad translations; "
    "measure it with `translate evaluate --calibrate`"
)
SHOWN = 10  # lines named in a message
SPANS = ("odd_length", "low_score", "uncovered", "low_confidence")  # kinds of doubts that name parts of the source
REASONS = (*SPANS, "new_numbers", "empty")


def write(
    results: Iterable[tuple[Translation, str]], output: TextIO, report: TextIO | None, flush: bool, min_confidence: float = 0.0,
    before: Iterable[str] = (), languages: tuple[str, str] = ("", ""), alignments: TextIO | None = None, calibrated: bool = True,
) -> None:  # fmt: skip
    """Write the text of each result to `output`, what is known of it to `report` and its linked words to `alignments`, then a summary to stderr.

    flush: after each line. min_confidence, languages: see `doubts`. before: lines that an earlier start wrote to `report`; they are counted too.
    calibrated: whether the model's confidence is known.
    """
    summary = Summary(min_confidence, report is not None, calibrated)
    for line in before:
        summary.add(json.loads(line))
    for result, text in results:
        output.write(text)
        if alignments:
            alignments.write(to_spans(result))
        found = doubts(result, min_confidence, languages)
        status = status_of(result, found, copies=report is not None)
        if report:
            values = record(result, status, found)
            report.write(json.dumps(values, ensure_ascii=False).translate(JSON_ESCAPES) + "\n")
            summary.add(values)
        elif status != "translated" or result.passed:
            summary.add(record(result, status, found))
        if flush:
            for stream in filter(None, (output, alignments, report)):
                stream.flush()
    for line in summary.lines():
        print(f"translate: {line}", file=sys.stderr)


class Named:
    """Counts lines, and remembers the first ones."""

    def __init__(self) -> None:
        self.count, self.first = 0, list[int]()

    def add(self, number: int) -> None:
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(number)

    def __str__(self) -> str:
        """Such as `2 lines (3, 8)`."""
        named = ", ".join(map(str, self.first)) + (", ..." if self.count > len(self.first) else "")
        return f"{self.count:,} {'line' if self.count == 1 else 'lines'} ({named})"


class Summary:
    """Counts the lines that the user should know about."""

    def __init__(self, min_confidence: float, reported: bool, calibrated: bool) -> None:
        """reported: there is a report, in which the lines that are counted can be found. calibrated: whether the model's confidence is known."""
        self.min_confidence, self.reported, self.calibrated = min_confidence, reported, calibrated
        self.split, self.cut, self.looped, self.passed, self.suspect, self.unsure = (Named() for _ in range(6))
        self.pieces = 0
        self.seen = False  # whether the model saw any line
        self.reasons, self.passed_as, self.statuses = Counter[str](), Counter[str](), Counter[str]()

    def add(self, values: Mapping[str, Any]) -> None:
        """values: a line of the report."""
        number, status = values["line"], values["status"]
        self.statuses[status] += 1
        self.seen = self.seen or bool(values["pieces"])
        named = {"split": self.split, "cut": self.cut, "looped": self.looped, "passed": self.passed, "low_confidence": self.unsure}
        for name, lines in named.items():
            if values[name]:
                lines.add(number)
        self.pieces += len(values["pieces"]) if values["split"] else 0
        self.passed_as.update({why for _, _, why in values["passed"]})
        if status == "suspect":
            self.suspect.add(number)
            self.reasons.update([f"missing {kind}" for kind in values["missing"]])
            self.reasons.update([name.replace("_", " ") for name in REASONS if values[name]])

    def lines(self) -> Iterator[str]:
        if self.split.count:
            yield f"split {self.split} with a sentence that is too long for the model, into {self.pieces:,} pieces"
        if self.cut.count:
            yield f"cut off {self.cut} at the maximum length of a translation"
        if self.looped.count:
            yield f"translated again, without repeats, because the first output looped: {self.looped}"
        if self.passed.count:
            yield f"not translated, in whole or in part: {self.passed}: {_counts(self.passed_as)}"
        if self.suspect.count:
            yield f"suspect: {self.suspect}: {_counts(self.reasons)}{'' if self.reported else '; --report FILE has details'}"
        if self.unsure.count:
            yield f"confidence below {self.min_confidence:g}, of all or a part: {self.unsure}"
        if self.reported and self.seen and not self.calibrated:
            yield NOT_CALIBRATED
        if self.reported:
            yield f"report: {self.statuses.total():,} lines: {_counts(self.statuses)}"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counter.most_common())


def record(result: Translation, status: str, found: Doubts) -> dict[str, Any]:
    """What the report says about a line; spans are in characters of the source."""
    return {
        "line": result.number,
        "status": status,
        "tokens_in": result.tokens_in,
        "tokens_out": result.tokens_out,
        "score": round(result.score, 6),
        "confidence": rounded(result.confidence),
        "coverage": rounded(result.coverage),
        "pieces": result.spans,
        "split": result.split,
        "cut": result.cut,
        "looped": result.looped,
        "passed": result.passed,
        **{name: found.get(name, []) for name in SPANS},
        "empty": "empty" in found,
        "missing": found.get("missing", {}),
        "new_numbers": found.get("new_numbers", []),
    }


def rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def to_text(result: Translation, form: str, n_best: int, scores: bool, min_confidence: float | None = None) -> str:
    """The output for a line, as in the help of `translate file`. form: text, jsonl or pharaoh."""
    if form == "pharaoh":
        return to_pharaoh(result)
    if form == "jsonl":
        return to_json(result, n_best, min_confidence)
    if n_best > 1:
        return "".join(f"{result.number}\t{score:.4f}\t{text}\n" for text, score in result.alternatives)
    return f"{result.score:.4f}\t{result.text}\n" if scores else f"{result.text}\n"


def to_json(result: Translation, n_best: int, min_confidence: float | None = None) -> str:
    values: dict[str, object] = {
        "line": result.number,
        "source": result.source,
        "translation": result.text,
        "score": round(result.score, 6),
        "confidence": rounded(result.confidence),
        "pieces": result.pieces,
        "cut": result.cut,
    }
    if min_confidence is not None:
        values["low_confidence"] = low_confidence(result, min_confidence)
    if n_best > 1:
        values["alternatives"] = [{"translation": text, "score": round(score, 6)} for text, score in result.alternatives]
    return json.dumps(values, ensure_ascii=False).translate(JSON_ESCAPES) + "\n"
