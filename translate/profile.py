"""What the training text and the development set say about a model, besides its weights: normal lengths, word forms, confidence.

Found out in training, sealed in the manifest of the bundle, used in translation. A model of bundle format 1 or 2 has an empty profile.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Dict, List

from translate.bounds import bounded, check_bounds
from translate.errors import UserError
from translate.values import build

MOST_ENTRIES = 200_000  # of a table


@dataclass
class Profile:
    """All fields are optional: 0, or an empty table, means unknown."""

    # 99.9% of the training sources have at most this many tokens, end mark included
    longest_source: int = bounded(0, least=0, most=1 << 24)
    # usual form, away from sentence starts, of source words that are not written in lower case: mann -> Mann
    cases: Dict[str, str] = field(default_factory=dict)
    # which cross-attention tells what a word was translated from (translation/alignment_heads.py); no heads = unknown
    alignment_layer: int = bounded(0, least=0, most=1000)
    alignment_heads: List[int] = field(default_factory=list)
    alignment_shift: int = bounded(0, least=0, most=1)


def read_profile(values: Any, origin: str) -> Profile:
    """The profile in a manifest. UserError for one that this toolkit did not write; a bundle may come from anywhere."""
    try:
        profile = build(values, Profile)
        check_bounds(profile)
    except UserError as error:
        raise UserError(f"the profile in {origin} is damaged: {error}") from None
    for name, value in dataclasses.asdict(profile).items():
        if isinstance(value, (dict, list)) and len(value) > MOST_ENTRIES:
            raise UserError(f"the profile in {origin} is damaged: {name} has {len(value):,} entries, more than {MOST_ENTRIES:,}")
    return profile
