"""Sentence pairs -> padded batches under a token budget, prepared in the background.

Which pairs stand in which batch is a function of (lengths, seed, epoch); what a batch holds, subword sampling included, is a function of
(data, seed, epoch, position). So a resumed run sees the very batches that an uninterrupted one would have seen.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Iterator, Optional, Sequence

import numpy
import torch
from torch import Tensor

from translate.data import Prepared
from translate.tokenizer import BOS, PAD, Tokenizer

POOL = 100_000  # pairs that are shuffled, then sorted by length together


@dataclass
class Batch:
    """source (B, S) and labels (B, T) end in EOS, target (B, T) is the labels shifted right behind BOS; PAD fills the right."""

    epoch: int
    position: int  # of this batch in its epoch
    source: Tensor
    target: Tensor
    labels: Tensor
    tokens: int  # labels that are not padding

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        tensors = (tensor.pin_memory().to(device, non_blocking=True) for tensor in (self.source, self.target, self.labels))
        return Batch(self.epoch, self.position, *tensors, self.tokens)


def random_for(*key: int) -> numpy.random.Generator:
    """A generator that depends on nothing but `key`."""
    return numpy.random.Generator(numpy.random.PCG64(list(key)))


def seed_of(*key: int) -> int:
    """32 bits that depend on nothing but `key`."""
    return int.from_bytes(hashlib.sha256(" ".join(map(str, key)).encode()).digest()[:4], "little")


def epoch_rows(corpus_of: Optional[numpy.ndarray], weights: Sequence[float], size: int, seed: int, epoch: int) -> numpy.ndarray:
    """The rows of one epoch: each corpus `weight` times, and of a fraction another random part each epoch."""
    if corpus_of is None or all(weight == 1 for weight in weights):
        return numpy.arange(size)
    chosen = []
    for corpus, weight in enumerate(weights):
        rows = numpy.flatnonzero(corpus_of == corpus)
        whole = int(weight)
        part = random_for(seed, epoch, corpus, 1).permutation(rows)[: round((weight - whole) * len(rows))]
        chosen += [rows] * whole + [part]
    return numpy.concatenate(chosen)


def epoch_batches(
    rows: numpy.ndarray, source_lengths: numpy.ndarray, target_lengths: numpy.ndarray, budget: int, seed: int, epoch: int
) -> list[numpy.ndarray]:
    """Cut `rows` into batches whose padded size is at most `budget` tokens on either side, in random order.

    Rows are shuffled in pools, and each pool is sorted by target length, then source length, so both sides need little padding
    (about 3%) while chance still says who shares a batch. A pair longer than the budget is a batch of its own.
    """
    random = random_for(seed, epoch)
    rows = random.permutation(rows)
    batches: list[numpy.ndarray] = []
    for start in range(0, len(rows), POOL):
        pool = rows[start : start + POOL]
        pool = pool[numpy.lexsort((source_lengths[pool], target_lengths[pool]))]
        batches += [pool[first:last] for first, last in _cuts(source_lengths[pool].tolist(), target_lengths[pool].tolist(), budget)]
    return [batches[place] for place in random.permutation(len(batches))]


def _cuts(source: list[int], target: list[int], budget: int) -> Iterator[tuple[int, int]]:
    first, longest = 0, 0
    for place in range(len(source)):
        widest = max(longest, source[place], target[place])
        if widest * (place + 1 - first) > budget and place > first:
            yield first, place
            first, widest = place, max(source[place], target[place])
        longest = widest
    if first < len(source):
        yield first, len(source)


def pad(ids: Sequence[Sequence[int]]) -> Tensor:
    """Lists of ids -> (B, longest), PAD on the right."""
    longest = max(map(len, ids))
    matrix = numpy.full((len(ids), longest), PAD, dtype=numpy.int64)
    for place, sentence in enumerate(ids):
        matrix[place, : len(sentence)] = sentence
    return torch.from_numpy(matrix)


class BatchStream:
    """Endless batches from (epoch, position) on; the next few are made by a background thread while the model works.

    Raises what preparing a batch raised. `close` it, or use it as a context manager, to stop the thread.
    """

    def __init__(self, data: Prepared, tokenizer: Tokenizer, budget: int, seed: int, sampling: float = 0.0, longest: int = 0, ahead: int = 4) -> None:
        self.data, self.tokenizer, self.budget, self.seed, self.sampling, self.longest = data, tokenizer, budget, seed, sampling, longest
        self.ahead = ahead
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="batches")

    def batches_from(self, epoch: int = 0, position: int = 0) -> Iterator[Batch]:
        waiting = deque()
        coming = self._places(epoch, position)
        while True:
            while len(waiting) < self.ahead:
                waiting.append(self.worker.submit(self._make, *next(coming)))
            yield waiting.popleft().result()

    def _places(self, epoch: int, position: int) -> Iterator[tuple[int, int, numpy.ndarray]]:
        for epoch in itertools.count(epoch):
            rows = epoch_rows(self.data.corpus_of, self.data.weights, len(self.data.source_lengths), self.seed, epoch)
            batches = epoch_batches(rows, self.data.source_lengths, self.data.target_lengths, self.budget, self.seed, epoch)
            for position in range(position, len(batches)):
                yield epoch, position, batches[position]
            position = 0

    def _make(self, epoch: int, position: int, rows: numpy.ndarray) -> Batch:
        if self.sampling:
            source, target = self._sample(epoch, position, rows)
        else:
            source, target = self.data.ids(rows)
        labels = pad(target)
        shifted = torch.cat([torch.full((len(labels), 1), BOS), labels[:, :-1]], dim=1)
        return Batch(epoch, position, pad(source), shifted, labels, sum(map(len, target)))

    def _sample(self, epoch: int, position: int, rows: numpy.ndarray) -> tuple[list[list[int]], list[list[int]]]:
        """Another segmentation of each side; one that grew past the model's maximum gives way to the usual one."""
        seed = seed_of(self.seed, epoch, position)
        sources, targets = self.data.texts(rows)
        source = self.tokenizer.encode_source(sources, sampling=self.sampling, seed=seed)
        target = self.tokenizer.encode_target(targets, sampling=self.sampling, seed=seed ^ 1)
        if self.longest and max(map(len, itertools.chain(source, target))) > self.longest:
            usual_source, usual_target = self.data.ids(rows)
            source = [new if len(new) <= self.longest else usual for new, usual in zip(source, usual_source)]
            target = [new if len(new) <= self.longest else usual for new, usual in zip(target, usual_target)]
        return source, target

    def close(self) -> None:
        self.worker.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
