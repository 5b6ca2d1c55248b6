"""The training set -> padded batches under a token budget, prepared in the background.

The pairs of an epoch are shuffled and cut into pools; a pool is sorted by length and cut into batches, in random order. With subword
sampling a pool is segmented before it is sorted, so that its lengths are those that the model sees. A batch is a function of (data, seed,
epoch, position): a resumed run gets the same batches as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from translate.data.objectives import OBJECTIVES
from translate.data.prepare import Prepared
from translate.tokenizer import PAD, Tokenizer

POOL = 100_000  # pairs sorted by length together
SAMPLED_POOL = 20_000  # with subword sampling: the first batch waits for their segmentation, a second or two
Ids = list[list[int]]  # of each sentence


@dataclass
class Batch:
    """B sentence pairs, padded with PAD on the right; what source, target and labels hold depends on the objective (data/objectives.py)."""

    epoch: int
    position: int  # start of its pool in the epoch, in pairs, plus its number within the pool
    source: Tensor  # (B, S), EOS at the end of each
    target: Tensor  # (B, T), BOS in front
    labels: Tensor  # in translation (B, T), the target shifted left, EOS at the end of each
    tokens: int  # labels that are not padding

    def pin(self) -> Batch:
        """A copy in page-locked memory, from which `to` copies asynchronously."""
        return Batch(self.epoch, self.position, _pinned(self.source), _pinned(self.target), _pinned(self.labels), self.tokens)

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        pinned = self.pin()
        source, target, labels = (tensor.to(device, non_blocking=True) for tensor in (pinned.source, pinned.target, pinned.labels))
        return Batch(self.epoch, self.position, source, target, labels, self.tokens)


def _pinned(tensor: Tensor) -> Tensor:
    """The tensor itself if already pinned. A rank's share (every n-th row) is not contiguous and is copied first."""
    return tensor.contiguous().pin_memory()


def random_for(*key: int) -> numpy.random.Generator:
    """A random generator seeded with `key` alone."""
    return numpy.random.Generator(numpy.random.PCG64(list(key)))


def seed_of(*key: int) -> int:
    """A 32-bit seed derived from `key` alone."""
    return int.from_bytes(hashlib.sha256(" ".join(map(str, key)).encode()).digest()[:4], "little")


def epoch_rows(corpus_of: numpy.ndarray | None, weights: Sequence[float], size: int, seed: int, epoch: int) -> numpy.ndarray:
    """The rows of one epoch: each corpus `weight` times. The fractional part is a random subset, a new one each epoch.

    corpus_of: (size,) corpus number of each row; None if there is only one corpus.
    """
    if all(weight == 1 for weight in weights):
        return numpy.arange(size)
    chosen = []
    for corpus, weight in enumerate(weights):
        rows = numpy.arange(size) if corpus_of is None else numpy.flatnonzero(corpus_of == corpus)
        passes = int(weight)
        subset = random_for(seed, epoch, corpus, 1).permutation(rows)[: round((weight - passes) * len(rows))]
        chosen += [rows] * passes + [subset]
    return numpy.concatenate(chosen)


def pool_batches(source_lengths: numpy.ndarray, target_lengths: numpy.ndarray, budget: int, *key: int) -> list[numpy.ndarray]:
    """Cut a pool of pairs into batches of at most `budget` tokens on either side, padding included, in a random order seeded by `key`.

    Sorted by target length, then source length: about 3% of the tokens are padding. A pair longer than the budget gets its own batch.
    Returns the indices of each batch's pairs in the pool.
    """
    order = numpy.lexsort((source_lengths, target_lengths))
    batches = [order[start:end] for start, end in _cuts(source_lengths[order].tolist(), target_lengths[order].tolist(), budget)]
    return [batches[number] for number in random_for(*key).permutation(len(batches))]


def _cuts(source: list[int], target: list[int], budget: int) -> Iterator[tuple[int, int]]:
    """Start and end of each batch, by the lengths of sorted pairs."""
    start, longest = 0, 0
    for index in range(len(source)):
        longer = max(longest, source[index], target[index])
        if longer * (index + 1 - start) > budget and index > start:
            yield start, index
            start, longer = index, max(source[index], target[index])
        longest = longer
    if start < len(source):
        yield start, len(source)


@dataclass
class Pool:
    """Pairs sorted and cut into batches together."""

    epoch: int
    start: int  # in the epoch, in pairs
    rows: numpy.ndarray  # of the training set
    batches: list[numpy.ndarray]  # indices into `rows`
    sampled: tuple[Ids, Ids] | None  # ids of each side, with subword sampling


class BatchStream:
    """Endless batches from (epoch, position) on. One background thread prepares the next few batches, another the next pool.

    sampling: strength of subword sampling, 0 for none. longest: most tokens of a sampled segmentation. pin: put batches in page-locked memory,
    for a GPU. objective: a name in data/objectives.py. An error in a thread is raised to the consumer. Use as a context manager, or `close`, to
    stop the threads.
    """

    def __init__(
        self, data: Prepared, tokenizer: Tokenizer, budget: int, seed: int, sampling: float = 0.0, longest: int = 0, ahead: int = 4,
        pin: bool = False, objective: str = "translation",
    ) -> None:  # fmt: skip
        self.data, self.tokenizer, self.budget, self.seed, self.sampling = data, tokenizer, budget, seed, sampling
        self.objective = OBJECTIVES[objective]
        self.longest = min(budget, longest or budget)
        self.ahead, self.pin = ahead, pin
        self.pool_size = SAMPLED_POOL if sampling else POOL
        self.batch_thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self.pool_thread = ThreadPoolExecutor(1, thread_name_prefix="pools")

    def batches_from(self, epoch: int = 0, position: int = 0) -> Iterator[Batch]:
        queue: deque[Future[Batch]] = deque()
        numbers = self._batch_numbers(epoch, position)
        while True:
            while len(queue) < self.ahead:
                queue.append(self.batch_thread.submit(self._make_batch, *next(numbers)))
            yield queue.popleft().result()

    def _batch_numbers(self, epoch: int, position: int) -> Iterator[tuple[Pool, int]]:
        """Pool and number within it of each batch. A pool has no more batches than pairs, so a position determines both."""
        rows = self._pool_rows(epoch, position // self.pool_size)
        next_pool = self.pool_thread.submit(self._make_pool, *next(rows))
        first = position % self.pool_size
        while True:
            pool, next_pool = next_pool.result(), self.pool_thread.submit(self._make_pool, *next(rows))
            for number in range(first, len(pool.batches)):
                yield pool, number
            first = 0

    def _pool_rows(self, first_epoch: int, first: int) -> Iterator[tuple[int, int, numpy.ndarray]]:
        """Epoch, number within the epoch, and rows of each pool."""
        for epoch in itertools.count(first_epoch):
            rows = epoch_rows(self.data.corpus_of, self.data.weights, len(self.data.source_lengths), self.seed, epoch)
            rows = random_for(self.seed, epoch).permutation(rows)
            for number in range(first, -(-len(rows) // self.pool_size)):
                yield epoch, number, rows[number * self.pool_size : (number + 1) * self.pool_size]
            first = 0

    def _make_pool(self, epoch: int, number: int, rows: numpy.ndarray) -> Pool:
        sampled = self._sample(epoch, number, rows) if self.sampling else None
        if sampled:
            source_lengths, target_lengths = (numpy.fromiter(map(len, side), dtype=numpy.int32, count=len(side)) for side in sampled)
        else:
            source_lengths, target_lengths = self.data.source_lengths[rows], self.data.target_lengths[rows]
        batches = pool_batches(source_lengths, target_lengths, self.budget, self.seed, epoch, number)
        return Pool(epoch, number * self.pool_size, rows, batches, sampled)

    def _make_batch(self, pool: Pool, number: int) -> Batch:
        indices = pool.batches[number]
        if pool.sampled:
            source, target = ([side[index] for index in indices.tolist()] for side in pool.sampled)
        else:
            source, target = self.data.ids(pool.rows[indices])
        tensors = self.objective(source, target, (self.seed, pool.epoch, pool.start + number))
        batch = Batch(pool.epoch, pool.start + number, *tensors, tokens=int((tensors[2] != PAD).sum()))
        return batch.pin() if self.pin else batch

    def _sample(self, epoch: int, number: int, rows: numpy.ndarray) -> tuple[Ids, Ids]:
        """A random segmentation of each side; the best one if the random one is longer than `longest`."""
        sources, targets = self.data.texts(rows)
        source = self.tokenizer.encode_source(sources, self.sampling, self.seed, epoch, 2 * number)
        target = self.tokenizer.encode_target(targets, self.sampling, self.seed, epoch, 2 * number + 1)
        if too_long := [index for index in range(len(rows)) if max(len(source[index]), len(target[index])) > self.longest]:
            for index, best_source, best_target in zip(too_long, *self.data.ids(rows[too_long])):
                source[index] = source[index] if len(source[index]) <= self.longest else best_source
                target[index] = target[index] if len(target[index]) <= self.longest else best_target
        return source, target

    def close(self) -> None:
        for thread in (self.pool_thread, self.batch_thread):
            thread.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
