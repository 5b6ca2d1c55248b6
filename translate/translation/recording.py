"""Cross-attention read while a greedy search runs: a second pass through the decoder would take a fifth of its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from translate.decoding import Hypothesis
from translate.model import KVCache
from translate.model.attention import attention_weights
from translate.translation.alignment_heads import AlignmentHeads


class Recording:
    """The state of a search, and what the cross-attention that `alignment` names was asked at each step."""

    def __init__(self, cache: KVCache, alignment: AlignmentHeads) -> None:
        self.cache, self.alignment = cache, alignment
        self.queries = cache.queries.setdefault(alignment.layer, [])  # of each step, of the sentences still open: (N, H, 1, d)
        self.open = torch.arange(cache.sentences, device=cache.memory.device)  # their places in the batch
        self.rows: list[Tensor] = []  # those of each step
        self.keys = cache.memory[alignment.layer, 0].clone()  # (B, H, S, d), which the cache moves about
        self.mask = None if cache.memory_mask is None else cache.memory_mask.clone()

    def reorder(self, rows: Tensor, sentences: Tensor) -> Recording:
        """See `State` in decoding/hypothesis.py."""
        self.cache, self.open = self.cache.reorder(rows, sentences), self.open[sentences]
        return self

    def attach(self, found: list[list[Hypothesis]], sources: list[list[int]]) -> list[list[Hypothesis]]:
        """The hypotheses, one of each source, with their attention as `Engine.align` gives it."""
        queries, rows = torch.cat(self.queries)[:, :, 0], torch.cat(self.rows)
        steps = torch.arange(len(self.rows)).repeat_interleave(torch.tensor([len(open_rows) for open_rows in self.rows])).to(rows.device)
        every = queries.new_zeros(len(sources), len(self.rows), *queries.shape[1:]).index_put_((rows, steps), queries)  # (B, T, H, d)
        whole = self.alignment.mean(attention_weights(every.transpose(1, 2), self.keys, self.mask)).cpu().numpy()  # (B, T, S)
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
