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
NEAR = (1, -1, 2, -2, 3, -3, 4, -4, 5, -5)  # offsets looked at in all lines
FAR = tuple(sign * size for size in range(6, 101) for sign in (1, -1))  # and those looked at where lines fit badly
WINDOW = 9  # lines over which that is judged
SUSPECTS = 1000  # lines at most that are looked at for far offsets; what is found there is then looked for everywhere
LONGEST = 40  # words of a side that are looked at
SEEN = 3  # pairs in which two words must come together
CHANCE = 1e-6  # of a false alarm in text of LINES lines
LINES = 10_000_000
LARGEST = 2.0  # gain of a line, up or down
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

    def gains_at(offset: int, rows: numpy.ndarray) -> numpy.ndarray:
        return numpy.clip(fit.of(rows, rows + offset) - base[rows], -LARGEST, LARGEST)

    def search(offset: int, rows: numpy.ndarray, gains: numpy.ndarray, theta: float) -> list[Shift]:
        threshold = math.log(LINES * (len(NEAR) + len(FAR)) / CHANCE) / theta
        return [Shift(int(rows[a]) + 1, int(rows[b]) + 1, offset) for a, b in _runs(gains, threshold)]

    found: list[Shift] = []
    theta, suspects = 10.0, numpy.arange(0)
    for offset in NEAR:
        rows = numpy.arange(max(0, -offset), min(size, size - offset))
        gains = gains_at(offset, rows)
        found += search(offset, rows, gains, _theta(gains))
        if offset == NEAR[-1]:
            theta, suspects = _theta(gains), _badly_fitting(base, base[rows] + gains)
    for offset in FAR:
        rows = suspects[(suspects + offset >= 0) & (suspects + offset < size)]
        gains = numpy.full(size, -LARGEST)
        gains[rows] = gains_at(offset, rows)
        if search(offset, numpy.arange(size), gains, theta):
            rows = numpy.arange(max(0, -offset), min(size, size - offset))
            found += search(offset, rows, gains_at(offset, rows), theta)
    chosen: list[Shift] = []
    for run in _together(found):
        offsets = sorted({shift.offset for shift in run})
        rows = numpy.arange(min(shift.first for shift in run) - 1, max(shift.last for shift in run))
        gains = numpy.full((len(offsets), len(rows)), -LARGEST)
        for place, offset in enumerate(offsets):
            inside = (rows + offset >= 0) & (rows + offset < size)
            gains[place, inside] = gains_at(offset, rows[inside])
        chosen += [Shift(int(rows[a]) + 1, int(rows[b]) + 1, offsets[place]) for place, a, b in _segments(gains, 3 / theta)]
    return chosen


def _together(shifts: list[Shift]) -> list[list[Shift]]:
    """The shifts that touch or overlap one another, in groups, in their order."""
    groups: list[list[Shift]] = []
    for shift in sorted(shifts, key=lambda shift: shift.first):
        if groups and shift.first <= max(other.last for other in groups[-1]) + 1:
            groups[-1].append(shift)
        else:
            groups.append([shift])
    return groups


def _segments(gains: numpy.ndarray, cost: float) -> list[tuple[int, int, int]]:
    """(row, first, last): of K rows of gains (K, n) the one to follow at each place, so that the sum is greatest; a change costs `cost`.

    Segments shorter than `FEWEST` are left out, and what is so left between two of one row.
    """
    total, before = gains[:, 0], numpy.zeros(gains.shape, dtype=int)
    for place in range(1, gains.shape[1]):
        best = int(total.argmax())
        before[:, place] = numpy.where(total >= total[best] - cost, numpy.arange(len(gains)), best)
        total = numpy.maximum(total, total[best] - cost) + gains[:, place]
    path = [int(total.argmax())]
    for place in range(gains.shape[1] - 1, 0, -1):
        path.append(int(before[path[-1], place]))
    path.reverse()
    changes = [0, *(place for place in range(1, len(path)) if path[place] != path[place - 1]), len(path)]
    segments: list[tuple[int, int, int]] = []
    for first, end in zip(changes, changes[1:]):
        if segments and segments[-1][0] == path[first] and first - segments[-1][2] <= FEWEST:
            segments[-1] = (path[first], segments[-1][1], end - 1)
        elif end - first >= FEWEST:
            segments.append((path[first], first, end - 1))
    return segments


def _badly_fitting(own: numpy.ndarray, others: numpy.ndarray) -> numpy.ndarray:
    """The places, `SUSPECTS` at most, where lines fit their `own` targets hardly better than lines fit the targets of `others`."""
    around = numpy.convolve(own, numpy.ones(WINDOW), "same") / numpy.convolve(numpy.ones(len(own)), numpy.ones(WINDOW), "same")
    low = numpy.median(others) + 0.3 * (numpy.median(own) - numpy.median(others))
    near = numpy.convolve(around < low, numpy.ones(WINDOW), "same") > 0
    return near.nonzero()[0][:SUSPECTS]


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


def _runs(gains: numpy.ndarray, threshold: float) -> list[tuple[int, int]]:
    """(first, last) of the runs whose sum exceeds the threshold, by cumulative sums that begin anew at 0."""
    found, total, first, best, last = [], 0.0, 0, 0.0, 0
    for place, gain in enumerate([*gains.tolist(), -math.inf]):
        total += gain
        if total > best:
            best, last = total, place
        if total <= 0 or total < best - threshold:
            if best > threshold and last - first + 1 >= FEWEST:
                found.append((first, last))
            total, best, first = 0.0, 0.0, place + 1
    return found
