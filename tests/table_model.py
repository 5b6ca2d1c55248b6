"""A model that is a table, small enough to enumerate, and searches over it in plain Python: the truth that decoding is tested against."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from translate.decoding import Hypothesis

BOS, EOS = 1, 2


@dataclass
class TableState:
    """A model that is a table: logits for every sentence and every history. A state must not be used after step or reorder."""

    table: Tensor  # (sentences in all, histories, V)
    sentences: Tensor  # (B,)
    histories: Tensor | None  # (N,) each history as a number; None before the first step
    log: list  # the number of sentences at each step
    dead: bool = False

    def reorder(self, rows: Tensor, sentences: Tensor) -> TableState:
        assert not self.dead
        self.dead = True
        width = len(self.histories) // len(self.sentences)
        # rows stay with their sentence, the same number for each
        assert torch.equal(rows.view(len(sentences), -1) // width, sentences[:, None].expand(-1, len(rows) // len(sentences)))
        return TableState(self.table, self.sentences[sentences], self.histories[rows], self.log)


def step(last: Tensor, state: TableState) -> tuple[Tensor, TableState]:
    assert not state.dead
    state.dead = True
    vocabulary = state.table.shape[2]
    if state.histories is None:
        assert (last == BOS).all()
        histories = torch.zeros_like(last)
    else:
        histories = state.histories * vocabulary + last + 1
    state.log.append(len(state.sentences))
    width = len(last) // len(state.sentences)
    logits = state.table[state.sentences.repeat_interleave(width), histories]
    return logits, TableState(state.table, state.sentences, histories, state.log)


def start(table: Tensor, log: list | None = None) -> TableState:
    return TableState(table, torch.arange(len(table)), None, [] if log is None else log)


def random_table(seed: int, sentences: int, vocabulary: int, length: int, scale: float = 2.0) -> Tensor:
    histories = sum(vocabulary**n for n in range(length))
    return torch.randn(sentences, histories, vocabulary, generator=torch.Generator().manual_seed(seed)) * scale


def log_probabilities(table: Tensor, history: tuple[int, ...]) -> list[float]:
    """Of every next token of one sentence, in plain Python; (histories, V) in."""
    number = 0
    for token in history:
        number = number * table.shape[1] + token + 1
    logits = table[number].tolist()
    largest = max(logits)
    normalizer = largest + math.log(sum(math.exp(x - largest) for x in logits))
    return [x - normalizer for x in logits]


def divisor(length: int, alpha: float) -> float:
    return ((5 + length) / 6) ** alpha


def enumerate_all(table: Tensor, limit: int, alpha: float) -> list[Hypothesis]:
    """Every sequence up to `limit` tokens, best first: complete ones, then those cut at the limit."""
    found = []

    def extend(history: tuple[int, ...], total: float) -> None:
        for token, log_probability in enumerate(log_probabilities(table, history)):
            ids, length = [*history, token], len(history) + 1
            new = total + log_probability
            if token == EOS:
                found.append(Hypothesis(list(history), new / divisor(length, alpha), new, True))
            elif length == limit:
                found.append(Hypothesis(ids, new / divisor(length, alpha), new, False))
            else:
                extend(tuple(ids), new)

    extend((), 0.0)
    return sorted(found, key=lambda h: (not h.complete, -h.score))


def plain_beam(table: Tensor, limit: int, beam: int, alpha: float, n_best: int) -> list[Hypothesis]:
    """Beam search on lists, without batching and without early stopping."""
    going, complete = [((), 0.0)], []
    for length in range(1, limit + 1):
        options = [((*h, token), total + p) for h, total in going for token, p in enumerate(log_probabilities(table, h))]
        options = sorted(options, key=lambda option: -option[1])[: 2 * beam]
        complete += [Hypothesis(list(h[:-1]), p / divisor(length, alpha), p, True) for h, p in options[:beam] if h[-1] == EOS]
        going = [(h, p) for h, p in options if h[-1] != EOS][:beam]
    cut = [Hypothesis(list(h), p / divisor(limit, alpha), p, False) for h, p in going]
    return (sorted(complete, key=lambda h: -h.score) + cut)[:n_best]


def assert_same(found: list[Hypothesis], expected: list[Hypothesis]) -> None:
    assert [(h.ids, h.complete) for h in found] == [(h.ids, h.complete) for h in expected]
    for ours, truth in zip(found, expected, strict=True):
        assert ours.score == pytest.approx(truth.score, abs=1e-5)
        assert ours.log_probability == pytest.approx(truth.log_probability, abs=1e-5)
