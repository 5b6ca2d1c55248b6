"""Shallow fusion: two models score each next token together ("On using monolingual corpora in neural machine translation", Gulcehre et al. 2015,
section 4.1).

    score(y) = log p(y | source, tokens so far) + weight * log p_LM(y | tokens so far)

The search normalises scores over all tokens, here as ever, so the score of a hypothesis is a log-probability still: that of the product of the two
distributions, the second one to the power of `weight`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from translate.decoding.hypothesis import State, Step

A = TypeVar("A", bound=State)
B = TypeVar("B", bound=State)


@dataclass
class FusedState(Generic[A, B]):
    """The states of both models, of the same hypotheses."""

    first: A
    other: B

    def reorder(self, rows: Tensor, sentences: Tensor) -> FusedState[A, B]:
        return FusedState(self.first.reorder(rows, sentences), self.other.reorder(rows, sentences))


def fused(step: Step[A], other: Step[B], weight: float) -> Step[FusedState[A, B]]:
    """A step of both models. They must have the same tokens."""

    def both(last: Tensor, state: FusedState[A, B]) -> tuple[Tensor, FusedState[A, B]]:
        scores, first = step(last, state.first)
        others, second = other(last, state.other)
        return scores.float().log_softmax(-1).add_(others.float().log_softmax(-1), alpha=weight), FusedState(first, second)

    return both
