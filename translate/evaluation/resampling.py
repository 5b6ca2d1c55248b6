"""Bootstrap intervals and paired tests from sacreBLEU's statistics of each line, in blocks: memory does not grow with the number of resamples.

Draws, sums and formulas are those of `sacrebleu.significance`, so the values are the same; sacreBLEU holds all resamples in memory at once, which
for 50,000 lines is 5 GB. Sits under scoring.py; a "metric" is an object of sacreBLEU's.

Bootstrap: Koehn 2004; approximate randomisation: Riezler and Maxwell 2005.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import numpy

from translate.errors import UserError

SEED = "SACREBLEU_SEED"  # environment variable
BLOCK = 1 << 22  # draws held at once, 16 bytes each; of one resample at least
WORD = 32  # numpy draws booleans out of words of so many bits: blocks of a multiple give the draws of one call

# values of one metric on resamples: as sacreBLEU computes them, float32 or float64
Values = numpy.ndarray


def seed() -> tuple[int | None, str]:
    """The seed of all resampling, and as signatures show it: 12345, or SACREBLEU_SEED; None, for another one each time, where that is "none"."""
    text = os.environ.get(SEED, "12345").strip().lower()
    if text == "none":
        return None, text
    if not text.isdecimal():
        raise UserError(f"the environment variable {SEED} is {os.environ[SEED]!r}: it must be a number from 0, or none")
    return int(text), text


def bootstrap_values(metrics: Sequence[Any], systems: Sequence[Sequence[numpy.ndarray]], samples: int) -> list[list[Values]]:
    """Of each system each metric's values on `samples` bootstrap resamples of the lines, the same resamples for all.

    systems: for each the statistics of each metric, (lines, k).
    """
    columns = numpy.hstack([numpy.hstack(system) for system in systems])
    sums = numpy.concatenate([counts @ columns for counts in _draws(len(columns), samples)]).astype("float32")  # as sacreBLEU adds up
    return _values(metrics, systems, sums)


def _draws(lines: int, samples: int) -> Iterator[numpy.ndarray]:
    """How often each line is in each resample, a block of resamples at a time: (resamples, lines)."""
    generator = numpy.random.default_rng(seed()[0])
    block = max(1, BLOCK // lines)
    for start in range(0, samples, block):
        drawn = generator.choice(lines, size=(min(block, samples - start), lines), replace=True)
        counts = numpy.empty(drawn.shape)
        for row, indices in enumerate(drawn):
            counts[row] = numpy.bincount(indices, minlength=lines)
        yield counts


def _values(metrics: Sequence[Any], systems: Sequence[Sequence[numpy.ndarray]], sums: numpy.ndarray) -> list[list[Values]]:
    """The metrics of sums whose columns are those of all systems side by side."""
    result, place = [], 0
    for system in systems:
        result.append([])
        for metric, table in zip(metrics, system):
            own = sums[:, place : place + table.shape[1]]
            result[-1].append(numpy.array([metric._compute_score_from_stats(row).score for row in own]))
            place += table.shape[1]
    return result


def interval(values: Values) -> tuple[float, float]:
    """The 95% interval as sacreBLEU reports it: the mean, and half the distance of the bounds to either side of it."""
    ordered = sorted(map(float, values))
    cut = len(ordered) // 40
    mean, half = statistics.mean(ordered), (ordered[len(ordered) - cut - 1] - ordered[cut]) / 2
    return mean - half, mean + half


def paired_bootstrap(first: Values, other: Values, difference: float) -> float:
    """p of the hypothesis that two systems are equally good, from their values on the same resamples and the difference on the test set itself."""
    differences = numpy.abs(other - first)
    return _p_value(differences - differences.mean(), abs(difference))


def paired_randomisation(
    metrics: Sequence[Any], systems: Sequence[Sequence[numpy.ndarray]], differences: Sequence[Sequence[float]], trials: int
) -> list[list[float]]:
    """p of each system but the first against the first, for each metric: how often two systems whose lines are swapped by chance differ as much.

    differences: of the values on the test set itself, for each system but the first and each metric.
    """
    first, others = numpy.hstack(systems[0]), [numpy.hstack(system) for system in systems[1:]]
    lines = len(first)
    generator = numpy.random.default_rng(seed()[0])
    block = max(1, BLOCK // (WORD * lines)) * WORD
    found: list[list[list[Values]]] = [[[] for _ in metrics] for _ in others]
    for start in range(0, trials, block):
        keep = generator.integers(2, size=(min(block, trials - start), lines), dtype=bool)
        kept, swapped = keep.astype(float), (~keep).astype(float)
        for place, other in enumerate(others):
            sides = [kept @ first + swapped @ other, swapped @ first + kept @ other]
            one, two = (_values(metrics, [systems[0]], side)[0] for side in sides)
            for number in range(len(metrics)):
                found[place][number].append(numpy.abs(one[number] - two[number]))
    return [[_p_value(numpy.concatenate(values), abs(own)) for values, own in zip(*pair)] for pair in zip(found, differences)]


def _p_value(values: Values, difference: float) -> float:
    return (int(numpy.sum(values > difference)) + 1) / (len(values) + 1)
