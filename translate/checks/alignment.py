"""Finds runs of lines that are paired with a neighbour's translation: a lost line shifts all that follow, up to the next lost line.

The gain of a line at offset k is how much better its source fits the target k lines later than its own target (line_fit.py). In aligned text
the mean gain is negative, so a run of lines with a high sum of gains is shifted. The threshold: the probability that N aligned lines have a run
with a sum above h is about N exp(-theta h), where theta > 0 is the root of E[exp(theta gain)] = 1 (Karlin and Altschul 1990, "Methods for
assessing the statistical significance of molecular sequence features by using general scoring schemes"). Where runs of several offsets overlap,
a Viterbi search chooses the offset of each line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy

from translate.checks.line_fit import LineFit

NEAR = (1, -1, 2, -2, 3, -3, 4, -4, 5, -5)  # offsets tried for all lines
FAR = tuple(sign * size for size in range(6, 101) for sign in (1, -1))  # tried for lines that fit badly; if one is significant, for all lines
WINDOW = 9  # lines over which a bad fit is judged
SUSPECTS = 1000  # lines, at most, that are tried with FAR
FALSE_ALARM = 1e-6  # probability in a text of LINES lines
LINES = 10_000_000
MAX_GAIN = 2.0  # absolute value for one line
MIN_RUN = 6  # lines
MIN_LINES = 50  # needed to learn a lexicon
Gains = Callable[[int, numpy.ndarray], numpy.ndarray]  # offset and rows -> gain of each


@dataclass(frozen=True)
class Shift:
    """Source lines first to last (from 1) belong to the target lines `offset` lines later."""

    first: int
    last: int
    offset: int


def find_shifts(sources: Sequence[str], targets: Sequence[str]) -> list[Shift]:
    """The runs of shifted lines in N contiguous pairs, in order, without overlaps; none if N < `MIN_LINES`."""
    size = len(sources)
    if size < MIN_LINES:
        return []
    lines = LineFit(sources, targets)
    aligned = lines.fit(numpy.arange(size), numpy.arange(size))

    def gains(offset: int, rows: numpy.ndarray) -> numpy.ndarray:
        difference: numpy.ndarray = lines.fit(rows, rows + offset) - aligned[rows]
        return difference.clip(-MAX_GAIN, MAX_GAIN)

    shifts: list[Shift] = []
    theta = 0.0
    for offset in NEAR:
        rows = _rows_inside(size, offset)
        row_gains = gains(offset, rows)
        theta = _theta(row_gains)
        shifts += _significant(offset, rows, row_gains, theta)
    # theta and the fit of unrelated lines are taken from the last offset
    suspects = _badly_fitting(aligned, aligned[rows] + row_gains)
    for offset in FAR:
        rows = suspects[(suspects + offset >= 0) & (suspects + offset < size)]
        row_gains = numpy.full(size, -MAX_GAIN)
        row_gains[rows] = gains(offset, rows)
        if _significant(offset, numpy.arange(size), row_gains, theta):
            rows = _rows_inside(size, offset)
            shifts += _significant(offset, rows, gains(offset, rows), theta)
    return [shift for group in _overlapping(shifts) for shift in _resolve(group, gains, size, theta)]


def _rows_inside(size: int, offset: int) -> numpy.ndarray:
    """The lines that have a target at that offset."""
    return numpy.arange(max(0, -offset), min(size, size - offset))


def _theta(gains: numpy.ndarray) -> float:
    """The root of E[exp(theta gain)] = 1, between 0.5 and 10, by bisection; 0.5 if the mean gain is not negative."""
    low, high = 0.5, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if numpy.exp(middle * gains).mean() < 1 else (low, middle)
    return low


def _significant(offset: int, rows: numpy.ndarray, gains: numpy.ndarray, theta: float) -> list[Shift]:
    """The runs of `rows` whose sum of gains is too high to be chance."""
    threshold = math.log(LINES * (len(NEAR) + len(FAR)) / FALSE_ALARM) / theta
    return [Shift(int(rows[first]) + 1, int(rows[last]) + 1, offset) for first, last in _runs(gains, threshold)]


def _runs(gains: numpy.ndarray, threshold: float) -> list[tuple[int, int]]:
    """(first, last) of the runs whose sum exceeds the threshold: cumulative sums that restart at 0, as in CUSUM (Page 1954)."""
    runs, total, first, best, last = [], 0.0, 0, 0.0, 0
    for index, gain in enumerate([*gains.tolist(), -math.inf]):
        total += gain
        if total > best:
            best, last = total, index
        if total <= 0 or total < best - threshold:
            if best > threshold and last - first + 1 >= MIN_RUN:
                runs.append((first, last))
            total, best, first = 0.0, 0.0, index + 1
    return runs


def _badly_fitting(aligned: numpy.ndarray, unrelated: numpy.ndarray) -> numpy.ndarray:
    """The first `SUSPECTS` lines around which lines fit their targets hardly better than unrelated lines do."""
    window = numpy.ones(WINDOW)
    mean = numpy.convolve(aligned, window, "same") / numpy.convolve(numpy.ones(len(aligned)), window, "same")
    low = numpy.median(unrelated) + 0.3 * (numpy.median(aligned) - numpy.median(unrelated))
    suspicious: numpy.ndarray = numpy.convolve(mean < low, window, "same") > 0
    return suspicious.nonzero()[0][:SUSPECTS]


def _overlapping(shifts: list[Shift]) -> list[list[Shift]]:
    """Shifts grouped by whether they touch or overlap."""
    groups: list[list[Shift]] = []
    for shift in sorted(shifts, key=lambda shift: shift.first):
        if groups and shift.first <= max(other.last for other in groups[-1]) + 1:
            groups[-1].append(shift)
        else:
            groups.append([shift])
    return groups


def _resolve(group: list[Shift], gains: Gains, size: int, theta: float) -> list[Shift]:
    """Shifts without overlaps: each line gets the offset that fits it and its neighbours best."""
    offsets = sorted({shift.offset for shift in group})
    rows = numpy.arange(min(shift.first for shift in group) - 1, max(shift.last for shift in group))
    table = numpy.full((len(offsets), len(rows)), -MAX_GAIN)
    for number, offset in enumerate(offsets):
        inside = (rows + offset >= 0) & (rows + offset < size)
        table[number, inside] = gains(offset, rows[inside])
    return [Shift(int(rows[first]) + 1, int(rows[last]) + 1, offsets[number]) for number, first, last in _segments(table, 3 / theta)]


def _segments(gains: numpy.ndarray, cost: float) -> list[tuple[int, int, int]]:
    """(k, first, last) of the segments of the best path through K rows of gains (K, n), by Viterbi; changing the row costs `cost`.

    Segments shorter than `MIN_RUN` are dropped; a gap that this leaves between two segments of one row is closed.
    """
    total, previous = gains[:, 0], numpy.zeros(gains.shape, dtype=int)
    for index in range(1, gains.shape[1]):
        best = int(total.argmax())
        previous[:, index] = numpy.where(total >= total[best] - cost, numpy.arange(len(gains)), best)
        total = numpy.maximum(total, total[best] - cost) + gains[:, index]
    path = [int(total.argmax())]
    for index in range(gains.shape[1] - 1, 0, -1):
        path.append(int(previous[path[-1], index]))
    path.reverse()
    changes = [0, *(index for index in range(1, len(path)) if path[index] != path[index - 1]), len(path)]
    segments: list[tuple[int, int, int]] = []
    for first, end in zip(changes, changes[1:]):
        if segments and segments[-1][0] == path[first] and first - segments[-1][2] <= MIN_RUN:
            segments[-1] = (path[first], segments[-1][1], end - 1)
        elif end - first >= MIN_RUN:
            segments.append((path[first], first, end - 1))
    return segments
