"""Search: from a model's next-token logits to hypotheses. It knows a `step` callable, never the model; see `hypothesis.py` for the contract.

In: a `step` callable and its state.
Out: hypotheses.
May import: bounds, config, errors, values.
"""

from __future__ import annotations

from translate.decoding.beam import beam_search
from translate.decoding.diverse import diverse_beam_search
from translate.decoding.greedy import greedy
from translate.decoding.hypothesis import Hypothesis, State, Step, penalty
from translate.decoding.options import LENGTH_PENALTY, FilledOptions, Options
from translate.decoding.sampling import sample, sentence_seed

__all__ = [
    "LENGTH_PENALTY", "FilledOptions", "Hypothesis", "Options", "State", "Step", "beam_search", "diverse_beam_search", "greedy", "penalty", "sample",
    "sentence_seed",
]  # fmt: skip
