"""Cross-attention read while a greedy search runs: a second pass through the decoder would take a fifth of its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from translate.decoding import Hypothesis
from translate.model import KVCache
from translate.translation.alignment_heads import AlignmentHeads


class Recording:
    """The state of a search, and what the cross-attention that `alignment` names was at each step."""

    def __init__(self, cache: KVCache, alignment: AlignmentHeads) -> None:
        self.cache, self.alignment = cache, alignment
        self.weights = cache.attention.setdefault(alignment.layer, [])  # of each step, of the sentences still open: (N, H, 1, S)
        self.open = torch.arange(cache.sentences, device=cache.memory.device)  # their places in the batch
        self.rows: list[Tensor] = []  # those of each step

    def reorder(self, rows: Tensor, sentences: Tensor) -> Recording:
        """See `State` in decoding/hypothesis.py."""
        self.cache, self.open = self.cache.reorder(rows, sentences), self.open[sentences]
        return self

    def attach(self, found: list[list[Hypothesis]], sources: list[list[int]]) -> list[list[Hypothesis]]:
        """The hypotheses, one of each source, with their attention as `Engine.align` gives it."""
        steps = torch.arange(len(self.rows)).repeat_interleave(torch.tensor([len(rows) for rows in self.rows]))
        weights = self.alignment.mean(torch.cat(self.weights))[:, 0].cpu()
        whole = torch.zeros(len(sources), len(self.rows), weights.shape[1]).index_put_((torch.cat(self.rows).cpu(), steps), weights).numpy()
        results = []
        for (hypothesis,), source, matrix in zip(found, sources, whole, strict=True):
            length = len(hypothesis.ids)
            attention = self.alignment.rows(matrix[: length + hypothesis.complete, : len(source)], length)
            results.append([replace(hypothesis, attention=attention)])
        return results


def recorded(step: Callable[[Tensor, Any], tuple[Tensor, Any]]) -> Callable[[Tensor, Recording], tuple[Tensor, Recording]]:
    """`step` for a state that is a `Recording`."""

    def step_and_record(last: Tensor, recording: Recording) -> tuple[Tensor, Recording]:
        recording.rows.append(recording.open)
        scores, recording.cache = step(last, recording.cache)
        return scores, recording

    return step_and_record
