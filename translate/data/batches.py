"""Sentence pairs -> padded batches under a token budget, prepared in the background.

The pairs of an epoch are shuffled and cut into pools, a pool is sorted by length and cut into batches, and its batches come in random order.
With subword sampling a whole pool is segmented anew first, so the lengths are those that the model sees. What a batch holds is a function
of (data, seed, epoch, position): a resumed run sees the very batches that an uninterrupted one would have seen.
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

from translate.data.prepare import Prepared
from translate.tokenizer import BOS, Tokenizer
from translate.tokenizer.padding import pad

POOL = 100_000  # pairs that are sorted by length together
SAMPLED_POOL = 20_000  # with subword sampling: segmenting them takes a second or two, which a start waits for


@dataclass
class Batch:
    """source (B, S) and labels (B, T) end in EOS, target (B, T) is the labels shifted right behind BOS; PAD fills the right."""

    epoch: int
    position: int  # where its pool begins in the epoch, in pairs, plus its number in the pool
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


def pool_batches(source_lengths: numpy.ndarray, target_lengths: numpy.ndarray, budget: int, *key: int) -> list[numpy.ndarray]:
    """Cut a pool of pairs into batches whose padded size is at most `budget` tokens on either side, in an order that depends on `key`.

    Sorted by target length, then source length, so both sides need little padding (about 3%) while chance, which made the pool, still says
    who shares a batch. A pair longer than the budget is a batch of its own. Answers with places in the pool.
    """
    places = numpy.lexsort((source_lengths, target_lengths))
    batches = [places[first:last] for first, last in _cuts(source_lengths[places].tolist(), target_lengths[places].tolist(), budget)]
    return [batches[number] for number in random_for(*key).permutation(len(batches))]


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


@dataclass
class Pool:
    """Pairs that were cut into batches together. rows: of the training set; sampled: their ids of each side, where they were segmented anew."""

    epoch: int
    start: int  # in the epoch, in pairs
    rows: numpy.ndarray
    batches: list[numpy.ndarray]  # places in `rows`
    sampled: Optional[tuple[list, list]]


class BatchStream:
    """Endless batches from (epoch, position) on; the next few are made by a background thread while the model works, the next pool by another.

    Raises what preparing a batch raised. `close` it, or use it as a context manager, to stop the threads.
    """

    def __init__(self, data: Prepared, tokenizer: Tokenizer, budget: int, seed: int, sampling: float = 0.0, longest: int = 0, ahead: int = 4) -> None:
        self.data, self.tokenizer, self.budget, self.seed, self.sampling = data, tokenizer, budget, seed, sampling
        self.longest = min(budget, longest or budget)  # tokens that a sampled segmentation may have
        self.ahead = ahead
        self.size = SAMPLED_POOL if sampling else POOL
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self.pooler = ThreadPoolExecutor(1, thread_name_prefix="pools")

    def batches_from(self, epoch: int = 0, position: int = 0) -> Iterator[Batch]:
        waiting = deque()
        coming = self._places(epoch, position)
        while True:
            while len(waiting) < self.ahead:
                waiting.append(self.worker.submit(self._make, *next(coming)))
            yield waiting.popleft().result()

    def _places(self, epoch: int, position: int) -> Iterator[tuple[Pool, int]]:
        """The pool and number of each batch to come. A pool has no more batches than pairs, so that a position tells both."""
        coming = self._parts(epoch, position // self.size)
        next_pool = self.pooler.submit(self._pool, *next(coming))
        number = position % self.size
        while True:
            pool, next_pool = next_pool.result(), self.pooler.submit(self._pool, *next(coming))
            for number in range(number, len(pool.batches)):
                yield pool, number
            number = 0

    def _parts(self, epoch: int, part: int) -> Iterator[tuple[int, int, numpy.ndarray]]:
        """Epoch, number and rows of each pool to come."""
        for epoch in itertools.count(epoch):
            rows = epoch_rows(self.data.corpus_of, self.data.weights, len(self.data.source_lengths), self.seed, epoch)
            rows = random_for(self.seed, epoch).permutation(rows)
            for part in range(part, -(-len(rows) // self.size)):
                yield epoch, part, rows[part * self.size : (part + 1) * self.size]
            part = 0

    def _pool(self, epoch: int, part: int, rows: numpy.ndarray) -> Pool:
        sampled, lengths = None, (self.data.source_lengths[rows], self.data.target_lengths[rows])
        if self.sampling:
            sampled = self._sample(epoch, part, rows)
            lengths = tuple(numpy.fromiter(map(len, side), dtype=numpy.int32, count=len(side)) for side in sampled)
        batches = pool_batches(*lengths, self.budget, self.seed, epoch, part)
        return Pool(epoch, part * self.size, rows, batches, sampled)

    def _make(self, pool: Pool, number: int) -> Batch:
        places = pool.batches[number]
        if pool.sampled:
            source, target = ([side[place] for place in places.tolist()] for side in pool.sampled)
        else:
            source, target = self.data.ids(pool.rows[places])
        labels = pad(target)
        shifted = torch.cat([torch.full((len(labels), 1), BOS), labels[:, :-1]], dim=1)
        return Batch(pool.epoch, pool.start + number, pad(source), shifted, labels, sum(map(len, target)))

    def _sample(self, epoch: int, part: int, rows: numpy.ndarray) -> tuple[list[list[int]], list[list[int]]]:
        """Another segmentation of each side; one that grew past the model's maximum, or the budget, gives way to the usual one."""
        sources, targets = self.data.texts(rows)
        source = self.tokenizer.encode_source(sources, self.sampling, self.seed, epoch, 2 * part)
        target = self.tokenizer.encode_target(targets, self.sampling, self.seed, epoch, 2 * part + 1)
        if grown := [place for place in range(len(rows)) if max(len(source[place]), len(target[place])) > self.longest]:
            for place, usual_source, usual_target in zip(grown, *self.data.ids(rows[grown])):
                source[place] = source[place] if len(source[place]) <= self.longest else usual_source
                target[place] = target[place] if len(target[place]) <= self.longest else usual_target
        return source, target

    def close(self) -> None:
        for pool in (self.pooler, self.worker):
            pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
