"""What the training text and the development set say about a model, besides its weights: normal lengths, word forms, confidence.

Found out in training, sealed in the manifest of the bundle, used in translation. A model of bundle format 1 or 2 has an empty profile.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List

from translate.bounds import bounded, check_bounds
from translate.errors import UserError
from translate.values import build, short_repr

MOST_ENTRIES = 200_000  # of a table
MOST_KNOTS = 1_000  # of a calibration
LEAST_DEVIATION = 0.1  # of the logarithm of a length ratio: 10%


@dataclass
class LengthRatio:
    """How long translations are in training: ln((target tokens + 1) / (source tokens + 1)), end marks not counted.

    For a source of s tokens its mean is intercept + slope ln(s + 1), its variance base + per_source / (s + 1). Lengths that are further from the
    mean than `least` or `most` standard deviations are odd.
    """

    intercept: float = bounded(0.0, least=-100, most=100)
    slope: float = bounded(0.0, least=-100, most=100)
    base: float = bounded(0.0, least=-1e4, most=1e4)
    per_source: float = bounded(0.0, least=-1e4, most=1e4)
    least: float = bounded(0.0, least=-1e4, most=0)
    most: float = bounded(0.0, least=0, most=1e4)  # 0: all this is unknown

    def deviation(self, source_tokens: int, target_tokens: int) -> float:
        """In standard deviations: below 0 is shorter than usual."""
        length = source_tokens + 1
        mean = self.intercept + self.slope * math.log(length)
        variance = max(self.base + self.per_source / length, LEAST_DEVIATION**2)
        return (math.log((target_tokens + 1) / length) - mean) / math.sqrt(variance)


@dataclass
class Calibration:
    """What the scores of the development set's translations are worth, and what is normal for them. A score is the log-probability per token."""

    sentences: int = bounded(0, least=0, most=1 << 40)  # measured; 0: all this is unknown
    # what a translation of each score is worth: its expected chrF++ / 100; both ascend
    scores: List[float] = field(default_factory=list)
    worth: List[float] = field(default_factory=list)
    least_score: float = bounded(0.0, most=0)
    least_coverage: float = bounded(0.0, least=0, most=1)  # see translation/coverage.py
    least_stretch: float = bounded(0.0, least=0, most=1)

    def confidence(self, score: float) -> float:
        """The expected chrF++ / 100 of a translation, by linear interpolation between `scores`."""
        place = bisect.bisect_right(self.scores, score)
        if place in (0, len(self.scores)):
            return self.worth[max(place - 1, 0)]
        left, right = self.scores[place - 1 : place + 1]
        low, high = self.worth[place - 1 : place + 1]
        return low + (high - low) * (score - left) / (right - left)

    def check(self) -> None:
        """UserError for tables that a measurement cannot give."""
        for name, values in (("scores", self.scores), ("worth", self.worth)):
            if len(values) != len(self.scores) or len(values) > MOST_KNOTS or bool(values) != bool(self.sentences):
                raise UserError(f"calibration.{name} has {len(values):,} values, scores {len(self.scores):,}, of {self.sentences:,} sentences")
            if any(left > right for left, right in zip(values, values[1:])):
                raise UserError(f"calibration.{name} do not ascend")
        if len(set(self.scores)) < len(self.scores) or (self.worth and not 0 <= self.worth[0] <= self.worth[-1] <= 1):
            raise UserError("calibration has scores given twice, or a worth that is not between 0 and 1")


@dataclass
class Profile:
    """All fields are optional: 0, or an empty table, means unknown."""

    # 99.9% of the training sources have at most this many tokens, end mark included
    longest_source: int = bounded(0, least=0, most=1 << 24)
    # usual form, away from sentence starts, of source words that are not written in lower case: mann -> Mann
    cases: Dict[str, str] = field(default_factory=dict)
    # which cross-attention shows what a word was translated from (translation/alignment_heads.py); no heads = unknown
    alignment_layer: int = bounded(0, least=0, most=1000)
    alignment_heads: List[int] = field(default_factory=list)
    alignment_shift: int = bounded(0, least=0, most=1)
    lengths: LengthRatio = field(default_factory=LengthRatio)
    # the language of nearly all the training text (text/language.py); "und" if it is mixed, "" if not measured
    source_language: str = ""
    target_language: str = ""
    calibration: Calibration = field(default_factory=Calibration)


def read_profile(values: Any, origin: str) -> Profile:
    """The profile in a manifest. UserError for one that this toolkit did not write; a bundle may come from anywhere."""
    try:
        profile = build(values, Profile)
        check_bounds(profile)
        profile.calibration.check()
        for name in ("source_language", "target_language"):
            if not re.fullmatch("([a-z]{2,3})?", code := getattr(profile, name)):
                raise UserError(f"{name} is {short_repr(code)}: it must be a code of two or three letters")
    except UserError as error:
        raise UserError(f"the profile in {origin} is damaged: {error}") from None
    for name, value in dataclasses.asdict(profile).items():
        if isinstance(value, (dict, list)) and len(value) > MOST_ENTRIES:
            raise UserError(f"the profile in {origin} is damaged: {name} has {len(value):,} entries, more than {MOST_ENTRIES:,}")
    return profile
