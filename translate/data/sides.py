"""Which sides of its corpora a model reads: both, the target alone, or whichever are there.

A text of one language is kept as a pair with an empty side, in corpora, training sets and held-out sets alike: the source is empty, or, for models
that read either side, the target may be.
"""

from __future__ import annotations

from translate.config import ModelConfig
from translate.model.families import FAMILIES

PAIRS, TARGET, EITHER = "pairs", "target", "either"
OF_OBJECTIVE = {"translation": PAIRS, "both_sides": PAIRS, "next_token": TARGET, "masked": EITHER}


def sides_of(model: ModelConfig) -> str:
    """PAIRS, TARGET or EITHER, from what the family learns."""
    return OF_OBJECTIVE[FAMILIES[model.family].objective]


def unit(sides: str) -> str:
    """What a training set consists of, for messages."""
    return "sentences" if sides == TARGET else "pairs"
