"""Filters that drop pairs from the training set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy

from translate.config import FilterConfig
from translate.data.pairs import Pairs
from translate.data.sides import PAIRS
from translate.tokenizer import Tokenizer

COMPARING = ("identical", "length_ratio")  # those that compare the two sides
FILTERS = ("blank", "identical", "duplicate", "over_long", "length_ratio")  # in this order; a pair is counted under the first that drops it


def filter_texts(
    sources: list[str], targets: list[str], first: Sequence[bool], filters: FilterConfig, counts: dict[str, int], sides: str = PAIRS
) -> list[int]:
    """Indices of the pairs to keep, from their normalised texts. first: whether each pair is the first with its texts.

    sides: whether a pair needs both of them (sides.py). What compares two sides doesn't concern a pair that has one.
    """
    kept, needs = [], all if sides == PAIRS else any
    for index, (source, target, new) in enumerate(zip(sources, targets, first)):
        if not needs((source, target)):
            counts["blank"] += 1
        elif filters.identical and source == target:
            counts["identical"] += 1
        elif not new:
            counts["duplicate"] += 1
        else:
            kept.append(index)
    return kept


def filter_lengths(lengths: numpy.ndarray, filters: FilterConfig, counts: dict[str, int]) -> numpy.ndarray:
    """Rows to keep. lengths: (2, N) ids of each side."""
    over_long, ratio = _over_long(lengths, filters), _unequal(lengths, filters)
    counts["over_long"] += int(over_long.sum())
    if "length_ratio" in counts:
        counts["length_ratio"] += int((ratio & ~over_long).sum())
    return numpy.flatnonzero(~(over_long | ratio))


def fits(lengths: numpy.ndarray, filters: FilterConfig) -> numpy.ndarray:
    """Which pairs the filters of lengths keep, (N,) bool. lengths: (2, N) ids of each side."""
    kept: numpy.ndarray = ~(_over_long(lengths, filters) | _unequal(lengths, filters))
    return kept


def _over_long(lengths: numpy.ndarray, filters: FilterConfig) -> numpy.ndarray:
    over: numpy.ndarray = lengths.max(axis=0) > filters.max_tokens
    return over


def _unequal(lengths: numpy.ndarray, filters: FilterConfig) -> numpy.ndarray:
    shorter, longer = lengths.min(axis=0), lengths.max(axis=0)
    unequal: numpy.ndarray = (longer > filters.max_ratio * shorter) & (longer >= filters.min_ratio_tokens) & (filters.max_ratio > 0)
    unequal &= shorter > 1  # 1: the end mark alone, of a side that isn't there
    return unequal


class Duplicates:
    """Finds pairs whose normalised texts repeat those of an earlier pair, by 8-byte hashes in a memory-mapped file."""

    def __init__(self, pairs: Pairs, tokenizer: Tokenizer, path: Path) -> None:
        hashes = numpy.memmap(path, numpy.uint64, "w+", shape=(max(1, len(pairs)),))
        start = 0
        for _, sources, targets in pairs.batches():
            hashes[start : start + len(sources)] = _hashes(tokenizer.normalized_source(sources), tokenizer.normalized_target(targets))
            start += len(sources)
        hashes.sort()
        self.values = numpy.unique(hashes[1:][hashes[1:] == hashes[:-1]])  # the few that occur more than once
        self.seen = numpy.zeros(len(self.values), dtype=bool)

    def first(self, sources: list[str], targets: list[str]) -> list[bool]:
        """For each pair of the next batch, whether it is the first with its texts."""
        if not len(self.values):
            return [True] * len(sources)
        hashes = _hashes(sources, targets)
        indices = numpy.searchsorted(self.values, hashes).clip(max=len(self.values) - 1)
        first = [True] * len(sources)
        for row in numpy.flatnonzero(self.values[indices] == hashes).tolist():
            first[row] = not self.seen[indices[row]]
            self.seen[indices[row]] = True
        return first


def _hashes(sources: list[str], targets: list[str]) -> numpy.ndarray:
    joined = (f"{source}\n{target}".encode() for source, target in zip(sources, targets))
    return numpy.frombuffer(b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in joined), dtype=numpy.uint64)
