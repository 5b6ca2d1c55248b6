"""How much of a source the attention of its translation covers. What no output token looks at has probably been left out.

The weights are those of `Engine.align`: row t is the attention of output token t, column s that to source token s, the end mark last.
"""

from __future__ import annotations

import numpy

STRETCH = 4  # tokens in a row


def covered(weights: numpy.ndarray) -> numpy.ndarray:
    """The share of each source token that the output covers, 0 to 1: the attention it gets from all output tokens, at most 1.

    (T, S) -> (S - 1,), without the end mark.
    """
    shares: numpy.ndarray = numpy.minimum(weights[:, :-1].sum(axis=0), 1.0)
    return shares


def stretches(shares: numpy.ndarray) -> numpy.ndarray:
    """The mean share of STRETCH tokens in a row, for each place where they may begin; of all tokens if there are fewer."""
    width = min(STRETCH, len(shares))
    sums = numpy.concatenate([[0.0], numpy.cumsum(shares)])
    means: numpy.ndarray = (sums[width:] - sums[:-width]) / width
    return means


def coverage(weights: numpy.ndarray) -> tuple[float, float]:
    """The mean share of all source tokens, and that of the stretch which is covered least. (1, 1) for a source without tokens."""
    shares = covered(weights)
    if not len(shares):
        return 1.0, 1.0
    return float(shares.mean()), float(stretches(shares).min())


def uncovered(weights: numpy.ndarray, least: float) -> list[tuple[int, int]]:
    """First and last + 1 of the source tokens in stretches whose mean share is below `least`, stretches that touch as one."""
    shares, ranges = covered(weights), list[tuple[int, int]]()
    if not len(shares):
        return ranges
    width = min(STRETCH, len(shares))
    for begin in numpy.flatnonzero(stretches(shares) < least).tolist():
        if ranges and begin <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], begin + width
        else:
            ranges.append((begin, begin + width))
    return ranges
