"""Bootstrap intervals and paired tests from sacreBLEU's statistics of each line.

Draws, sums and formulas are those of `sacrebleu.significance`, so the values are equal. sacreBLEU holds all resamples in memory, 5 GB for 50,000
lines; here they are drawn in blocks.

Bootstrap: Koehn 2004; approximate randomisation: Riezler and Maxwell 2005.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence

import numpy

from translate.errors import UserError
from translate.evaluation.metrics import Metric

SEED = "SACREBLEU_SEED"  # environment variable
BLOCK = 1 << 22  # draws in memory at once, 16 bytes each; at least one resample
WORD = 32  # numpy draws booleans from words of 32 bits: blocks of a multiple of that give the same draws as one call
Tables = Sequence[Sequence[numpy.ndarray]]  # of each system, for each metric: statistics (lines, k)
Values = numpy.ndarray  # of one metric on the resamples; as computed by sacreBLEU, float32 or float64


def seed() -> tuple[int | None, str]:
    """The seed of all resampling, and its text in signatures: 12345, or SACREBLEU_SEED; None, a random one, if that is "none"."""
    text = os.environ.get(SEED, "12345").strip().lower()
    if text == "none":
        return None, text
    if not text.isdecimal():
        raise UserError(f"the environment variable {SEED} is {os.environ[SEED]!r}: it must be a number from 0, or none")
    return int(text), text


def bootstrap_values(metrics: Sequence[Metric], systems: Tables, samples: int) -> list[list[Values]]:
    """For each system each metric's values on `samples` bootstrap resamples of the lines, the same resamples for all."""
    columns = numpy.hstack([numpy.hstack(system) for system in systems])
    sums = numpy.concatenate([counts @ columns for counts in _draws(len(columns), samples)]).astype("float32")  # as in sacreBLEU
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


def _values(metrics: Sequence[Metric], systems: Tables, sums: numpy.ndarray) -> list[list[Values]]:
    """For each system each metric's values. sums: (resamples, columns), the columns of all systems and metrics side by side."""
    result: list[list[Values]] = []
    start = 0
    for system in systems:
        result.append([])
        for metric, table in zip(metrics, system):
            end = start + table.shape[1]
            result[-1].append(metric.values(sums[:, start:end]))
            start = end
    return result


def interval(values: Values) -> tuple[float, float]:
    """The 95% interval as sacreBLEU reports it: the mean, plus and minus half the distance between the quantiles."""
    ordered = sorted(map(float, values))
    cut = len(ordered) // 40
    mean, half = statistics.mean(ordered), (ordered[len(ordered) - cut - 1] - ordered[cut]) / 2
    return mean - half, mean + half


def paired_bootstrap(first: Values, other: Values, difference: float) -> float:
    """p of the hypothesis that two systems are equally good. difference: of their scores on the test set itself."""
    differences = numpy.abs(other - first)
    return _p_value(differences - differences.mean(), abs(difference))


def paired_randomisation(metrics: Sequence[Metric], systems: Tables, differences: Sequence[Sequence[float]], trials: int) -> list[list[float]]:
    """p of each system but the first against the first, for each metric: how often they differ as much after random swaps of their lines.

    differences: of the scores on the test set itself, for each system but the first and each metric.
    """
    first, others = numpy.hstack(systems[0]), [numpy.hstack(system) for system in systems[1:]]
    lines = len(first)
    generator = numpy.random.default_rng(seed()[0])
    block = max(1, BLOCK // (WORD * lines)) * WORD
    found: list[list[list[Values]]] = [[[] for _ in metrics] for _ in others]
    for start in range(0, trials, block):
        keep = generator.integers(2, size=(min(block, trials - start), lines), dtype=bool)
        kept, swapped = keep.astype(float), (~keep).astype(float)
        for number, other in enumerate(others):
            sides = [kept @ first + swapped @ other, swapped @ first + kept @ other]
            one, two = (_values(metrics, [systems[0]], side)[0] for side in sides)
            for metric_values, left, right in zip(found[number], one, two):
                metric_values.append(numpy.abs(left - right))
    return [[_p_value(numpy.concatenate(values), abs(own)) for values, own in zip(*pair)] for pair in zip(found, differences)]


def _p_value(values: Values, difference: float) -> float:
    return (int(numpy.sum(values > difference)) + 1) / (len(values) + 1)
