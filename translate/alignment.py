"""Runs of lines that are paired with a neighbour's translation: a lost line shifts all that follow, to the next one that is lost, or to the end.

Used by checks.py. A small lexicon is learnt from the corpus itself (words that come together in pairs, by Dice's coefficient); numbers, names
and punctuation count as words of both sides, and lengths are compared. A line's gain at offset k is how much better its source fits the
target k lines on than its own. In aligned text gains are negative on average, and their greatest sum over a run of lines is small: its tail
falls as N exp(-theta h) with theta the root of E[exp(theta gain)] = 1 (Karlin and Altschul 1990), which gives the threshold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy

WORD = re.compile(r"\d+|[^\W\d_]+|[^\w\s]")
OFFSETS = (1, -1, 2, -2, 3, -3, 4, -4, 5, -5)
LONGEST = 40  # words of a side that are looked at
SEEN = 3  # pairs in which two words must come together
CHANCE = 1e-6  # of a false alarm in text of LINES lines
LINES = 10_000_000
FEWEST = 6  # lines of a run
FEWEST_LINES = 50  # of a corpus that a lexicon can be learnt from


@dataclass(frozen=True)
class Shift:
    """Lines first to last (from 1) of the source belong `offset` lines further on in the target."""

    first: int
    last: int
    offset: int


def shifted(sources: Sequence[str], targets: Sequence[str]) -> list[Shift]:
    """The runs of shifted lines in N contiguous pairs, in their order; none overlaps another."""
    if len(sources) < FEWEST_LINES:
        return []
    words: dict[str, int] = {}
    left, right = (_ids(side, words) for side in (sources, targets))
    fit = _Fit(left, right, len(words))
    size, base = len(sources), fit.of(numpy.arange(len(sources)), numpy.arange(len(sources)))
    found: list[tuple[float, Shift]] = []
    for offset in OFFSETS:
        rows = numpy.arange(max(0, -offset), min(size, size - offset))
        gains = numpy.clip(fit.of(rows, rows + offset) - base[rows], -2.0, 2.0)
        theta = _theta(gains)
        threshold = math.log(LINES * len(OFFSETS) / CHANCE) / theta
        found += [(score, Shift(int(rows[a]) + 1, int(rows[b]) + 1, offset)) for score, a, b in _runs(gains, threshold)]
    chosen: list[Shift] = []
    for _, shift in sorted(found, key=lambda item: -item[0]):
        if all(shift.last < other.first or shift.first > other.last for other in chosen):
            chosen.append(shift)
    return sorted(chosen, key=lambda shift: shift.first)


def _ids(lines: Sequence[str], words: dict[str, int]) -> list[numpy.ndarray]:
    return [
        numpy.array(sorted({words.setdefault(word.casefold(), len(words)) for word in WORD.findall(line)[:LONGEST]}), dtype=numpy.int64)
        for line in lines
    ]


class _Fit:
    def __init__(self, left: list[numpy.ndarray], right: list[numpy.ndarray], words: int) -> None:
        self.words = words
        (self.left, self.left_size, self.left_start), (self.right, self.right_size, self.right_start) = _flat(left), _flat(right)
        rows = numpy.arange(len(left))
        keys, _ = self._products(rows, rows)
        keys, counts = numpy.unique(keys, return_counts=True)
        often = counts >= SEEN
        keys, counts = keys[often], counts[often]
        left_count, right_count = (numpy.bincount(side, minlength=words) for side in (self.left, self.right))
        dice = 2 * counts / (left_count[keys // words] + right_count[keys % words])
        same = numpy.unique(numpy.intersect1d(self.left, self.right))
        rare = same[left_count[same] <= max(3, len(left) // 100)]  # numbers and names: the same word on both sides
        identical = rare * words + rare
        keys, dice = numpy.concatenate([keys, identical]), numpy.concatenate([dice, numpy.full(len(identical), 0.8)])
        order = numpy.lexsort((-dice, keys))
        self.keys, first = numpy.unique(keys[order], return_index=True)
        self.dice = dice[order][first]

    def of(self, rows: numpy.ndarray, others: numpy.ndarray) -> numpy.ndarray:
        """How well source `rows` fit target `others`: mean over the target's words of the best log-association, and of the lengths."""
        score = numpy.zeros(len(rows))
        for start in range(0, len(rows), 4000):
            some, other = rows[start : start + 4000], others[start : start + 4000]
            keys, runs = self._products(some, other)
            a, b = self.left_size[some], self.right_size[other]
            if len(keys) and len(self.keys):
                places = numpy.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
                value = numpy.where(self.keys[places] == keys, self.dice[places], 0.0)
                best = numpy.log1p(20 * numpy.maximum.reduceat(value, runs))
                owner = numpy.repeat(numpy.arange(len(some)), numpy.where(a > 0, b, 0))
                score[start : start + 4000] = numpy.bincount(owner, best, len(some)) / numpy.maximum(b, 1)
            score[start : start + 4000] -= 0.5 * numpy.abs(numpy.log((a + 1) / (b + 1)))
        return score

    def _products(self, rows: numpy.ndarray, others: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Keys of all word pairs of source `rows` and target `others`, a target word's together; where each target word's begin."""
        a, b = self.left_size[rows], self.right_size[others]
        b = numpy.where(a > 0, b, 0)
        inner = numpy.repeat(a, b)  # source words for each target word
        starts = numpy.cumsum(inner) - inner
        within = numpy.arange(b.sum()) - numpy.repeat(numpy.cumsum(b) - b, b)
        target = self.right[numpy.repeat(self.right_start[others], b) + within]
        place = numpy.arange(inner.sum()) - numpy.repeat(starts, inner)
        source = self.left[numpy.repeat(numpy.repeat(self.left_start[rows], b), inner) + place]
        return source * self.words + numpy.repeat(target, inner), starts


def _flat(side: list[numpy.ndarray]) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    sizes = numpy.array([len(ids) for ids in side])
    return numpy.concatenate(side), sizes, numpy.cumsum(sizes) - sizes


def _theta(gains: numpy.ndarray) -> float:
    """The root of E[exp(theta gain)] = 1, between 0.5 and 10; 0.5 where gains are not negative on average."""
    low, high = 0.5, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if numpy.exp(middle * gains).mean() < 1 else (low, middle)
    return low


def _runs(gains: numpy.ndarray, threshold: float) -> list[tuple[float, int, int]]:
    """(sum, first, last) of the runs whose sum exceeds the threshold, by cumulative sums that begin anew at 0."""
    found, total, first, best, last = [], 0.0, 0, 0.0, 0
    for place, gain in enumerate([*gains.tolist(), -math.inf]):
        total += gain
        if total > best:
            best, last = total, place
        if total <= 0 or total < best - threshold:
            if best > threshold and last - first + 1 >= FEWEST:
                found.append((best, first, last))
            total, best, first = 0.0, 0.0, place + 1
    return found
