"""Shared by all searches: the interface to the model, the result and the length penalty.

    step(last_ids, state) -> (logits, state)

`last_ids` (N,) are the most recent tokens (at first the begin mark) of N = B sentences x R rows each, grouped by sentence. `logits` (N, V) are the
model's scores before normalisation. The search overwrites them, so `step` must not return a tensor that it still needs. The model may update the
state in place, so a state that was passed in must not be used again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional, Protocol, TypeVar

import numpy
import torch
from torch import Tensor

S = TypeVar("S", bound="State")
Number = TypeVar("Number", float, Tensor)


class State(Protocol):
    """The decoder's memory between steps: N = B x R rows of B sentences."""

    def reorder(self: S, rows: Tensor, sentences: Tensor) -> S:
        """Keep `sentences` (B',) and `rows` (N',), both indices into the present ones.

        Rows may be repeated; they stay grouped by sentence, N' / B' for each. Sentences may change places, and the fewer move the cheaper it is. The
        old state must not be used again.
        """
        ...


Step = Callable[[Tensor, S], tuple[Tensor, S]]


@dataclass(frozen=True)
class Hypothesis:
    ids: list[int]  # without begin and end mark
    score: float  # log-probability / length penalty: what hypotheses are ranked by
    log_probability: float  # natural logarithm, of all tokens including the end mark
    complete: bool  # False: cut at the length limit before the end mark
    attention: Optional[numpy.ndarray] = field(default=None, compare=False)  # (T, S), where asked for: see `Engine.align` in translation/engine.py


def penalty(length: Number, alpha: float) -> Number:
    """lp(Y) = ((5 + |Y|) / 6) ** alpha of Wu et al. 2016, equation 14; |Y| counts the end mark."""
    divisor: Number = ((5 + length) / 6) ** alpha
    return divisor


def check_limits(max_lengths: Tensor, alpha: float) -> None:
    if (max_lengths < 1).any():
        raise ValueError(f"the length limit of a sentence is {int(max_lengths.min())}: it must be at least 1, the end mark")
    if not alpha >= 0:
        raise ValueError(f"length_penalty is {alpha}: it must be at least 0")


def sentences_to_keep(ended: Tensor) -> Tensor:
    """Indices (B',) of the sentences that have not `ended` (B,). Only the last ones move, to fill the gaps: [0 1 2 3 4] without 1 is [0 4 2 3]."""
    unfinished = ~ended
    keep = torch.arange(int(unfinished.sum()), device=ended.device)
    keep[ended[: len(keep)]] = unfinished[len(keep) :].nonzero().squeeze(1) + len(keep)
    return keep
