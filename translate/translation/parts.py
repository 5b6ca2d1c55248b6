"""What is known of the translation of each piece of a line: confidence, and what is unlike the translations that the model normally makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

import numpy

from translate.decoding import Hypothesis
from translate.profile import Calibration, Profile
from translate.text.tracked import Span
from translate.translation.coverage import coverage, uncovered
from translate.translation.findings import is_odd_length

# Of a model whose development set was not measured. The score: 0.29 per token, in the best translation that was found, is a guess.
LEAST_COVERAGE, LEAST_STRETCH, LEAST_SCORE = 0.4, 0.1, -1.25


class Part(NamedTuple):
    """One source that the model got, a sentence or a part of one, and its translation."""

    span: Span  # in the line
    text: str  # its translation
    tokens_in: int  # without end mark, as tokens_out
    tokens_out: int
    log_probability: float  # of the translation, with its end mark
    confidence: Optional[float]  # expected chrF++ / 100; None if the model is not calibrated
    odd_length: bool  # by the lengths of the training pairs
    low_score: bool  # far below the scores of the development set; where these aren't known, below that of a guess
    coverage: Optional[float] = None  # share of the source that attention covers; None if it was not asked for
    stretch: Optional[float] = None  # the same of the tokens in a row that are covered least, see coverage.py
    uncovered: tuple[Span, ...] = ()  # what it hardly covers, in the line


def make_part(
    span: Span, text: str, source_tokens: int, output: Hypothesis, profile: Profile, whole: bool = True, searched: bool = True,
    weights: numpy.ndarray | None = None, places: Callable[[], Sequence[Span]] | None = None,
) -> Part:  # fmt: skip
    """The part with the best `output` of a piece.

    source_tokens: without end mark. whole: the model got all of the piece. searched: and not sampled, which calibration says nothing about.
    weights: attention as of `Engine.align`, if it was asked for. places: gives the span of each source token in the line.
    """
    tokens, calibration = len(output.ids), profile.calibration
    score = output.log_probability / (tokens + output.complete or 1)
    confidence = None
    if calibration.sentences and searched:
        confidence = calibration.confidence(score) if whole and output.complete else 0.0
    odd = is_odd_length(source_tokens, tokens, profile.lengths)
    low = score < calibration.least_score if calibration.sentences else searched and score < LEAST_SCORE
    part = Part(span, text, source_tokens, tokens, output.log_probability, confidence, odd, low)
    if weights is None:
        return part
    share, worst = coverage(weights)
    return part._replace(coverage=share, stretch=worst, uncovered=_uncovered(weights, share, worst, calibration, span, places))


def _uncovered(
    weights: numpy.ndarray, share: float, worst: float, calibration: Calibration, span: Span, places: Callable[[], Sequence[Span]] | None
) -> tuple[Span, ...]:
    """The spans that are hardly covered, in the line: all of the piece if the places of its tokens are not known, or nothing is covered well."""
    least, least_stretch = (calibration.least_coverage, calibration.least_stretch) if calibration.sentences else (LEAST_COVERAGE, LEAST_STRETCH)
    if worst < least_stretch and places is not None:
        tokens = places()
        return tuple((tokens[begin][0], tokens[end - 1][1]) for begin, end in uncovered(weights, least_stretch))
    return (span,) if share < least or worst < least_stretch else ()


def mean_confidence(parts: Sequence[Part]) -> float | None:
    """The confidence of a line: the mean over its tokens. None for a line that the model did not see."""
    if len(parts) == 1:
        return parts[0].confidence
    return _mean([(part.confidence, part.tokens_out + 1) for part in parts])


def mean_coverage(parts: Sequence[Part]) -> float | None:
    if len(parts) == 1:
        return parts[0].coverage
    return _mean([(part.coverage, part.tokens_in) for part in parts])


def _mean(weighted: list[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in weighted if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def moved(part: Part, offset: int) -> Part:
    """The same part of a text that begins `offset` characters earlier."""
    begin, end = part.span
    return part._replace(span=(begin + offset, end + offset), uncovered=tuple((begin + offset, end + offset) for begin, end in part.uncovered))
