"""What may be wrong with the translation of a line, and its status in the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from translate.translation.findings import differences, is_copy

if TYPE_CHECKING:
    from translate.text.tracked import Span
    from translate.translation.pieces import Translation

Doubts: TypeAlias = "dict[str, Any]"  # by name, only those that there are: spans in the source, or what is missing


def doubts(result: Translation, min_confidence: float = 0.0, languages: tuple[str, str] = ("", "")) -> Doubts:
    """Why the translation may be wrong; empty if nothing looks so. Hints, not verdicts: see `findings`.

    missing: what the source has and the translation lacks. new_numbers: those that only the translation has. odd_length,
    low_score, uncovered, low_confidence: spans of the source, see `Part`; the last are those of a confidence
    below `min_confidence`. empty: True if nothing came out. languages: of source and translation, by which numbers are read.
    """
    found: Doubts = {}
    if not result.parts:
        return found
    for part in result.parts:
        if part.odd_length:
            found.setdefault("odd_length", []).append(part.span)
        if part.low_score:
            found.setdefault("low_score", []).append(part.span)
        if part.uncovered:
            found.setdefault("uncovered", []).extend(part.uncovered)
    if min_confidence and (unsure := low_confidence(result, min_confidence)):
        found["low_confidence"] = unsure
    lost, new = differences(result.source, result.text, languages)
    if lost:
        found["missing"] = lost
    if new:
        found["new_numbers"] = new
    if not result.text.strip():
        found["empty"] = True
    return found


def low_confidence(result: Translation, least: float) -> list[Span]:
    """The spans of the pieces whose confidence is below `least`: a single one makes a line worth a look, however long it is."""
    return [part.span for part in result.parts if part.confidence is not None and part.confidence < least]


def status_of(result: Translation, found: Doubts, copies: bool = True) -> str:
    """The first that applies of blank, passed, truncated, looped, copied, suspect, split, translated.

    With `split` and `translated` nothing looks wrong.

    found: its `doubts`. copies: look for copies, which takes as long as all the rest.
    """
    if not result.parts:
        return "passed" if result.passed else "blank"
    if result.cut:
        return "truncated"
    if result.looped:
        return "looped"
    if copies and any(is_copy(result.source[part.span[0] : part.span[1]], part.text) for part in result.parts):
        return "copied"
    if found:
        return "suspect"
    return "split" if result.split else "translated"
