"""Bootstrap intervals and paired significance tests from sacreBLEU's per-line statistics.

Draws, sums and formulas match `sacrebleu.significance`, so the values are equal. sacreBLEU holds all resamples in memory, 5 GB for 50,000
lines; here they are drawn in blocks.

Bootstrap: Koehn 2004; approximate randomisation: Riezler and Maxwell 2005.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterator, Sequence

import numpy

from translate.errors import UserError
from translate.evaluation.metrics import Metric

SEED = "SACREBLEU_SEED"  # environment variable
BLOCK = 1 << 22  # draws in memory at once, 16 bytes each (but at least one resample)
WORD = 32  # numpy draws booleans from 32-bit words: blocks of a multiple of 32 give the same draws as a single call
Tables = Sequence[Sequence[numpy.ndarray]]  # [system][metric]: statistics (lines, k)
Values = numpy.ndarray  # of one metric on the resamples; float32 or float64, as in sacreBLEU


def seed() -> tuple[int | None, str]:
    """The seed of all resampling and its text in signatures: SACREBLEU_SEED, by default 12345. None (random) if that is "none"."""
    text = os.environ.get(SEED, "12345").strip().lower()
    if text == "none":
        return None, text
    if not text.isdecimal():
        raise UserError(f"the environment variable {SEED} is {os.environ[SEED]!r}: it must be a number from 0, or none")
    return int(text), text


def bootstrap_values(metrics: Sequence[Metric], systems: Tables, samples: int) -> list[list[Values]]:
    """[system][metric]: values on `samples` bootstrap resamples of the lines, the same resamples for all."""
    columns = numpy.hstack([numpy.hstack(system) for system in systems])
    return _values(metrics, systems, resampled_sums(columns, samples).astype("float32"))  # as in sacreBLEU


def resampled_sums(columns: numpy.ndarray, samples: int) -> numpy.ndarray:
    """The sums of the columns on each bootstrap resample of the lines: (lines, k) -> (samples, k)."""
    return numpy.concatenate([counts @ columns for counts in _draws(len(columns), samples)])


def _draws(lines: int, samples: int) -> Iterator[numpy.ndarray]:
    """Counts of each line in each resample, a block of resamples at a time: (resamples, lines)."""
    generator = numpy.random.default_rng(seed()[0])
    block = max(1, BLOCK // lines)
    for start in range(0, samples, block):
        drawn = generator.choice(lines, size=(min(block, samples - start), lines), replace=True)
        counts = numpy.empty(drawn.shape)
        for row, indices in enumerate(drawn):
            counts[row] = numpy.bincount(indices, minlength=lines)
        yield counts


def _values(metrics: Sequence[Metric], systems: Tables, sums: numpy.ndarray) -> list[list[Values]]:
    """[system][metric]: values. sums: (resamples, columns), all systems and metrics side by side."""
    result: list[list[Values]] = []
    start = 0
    for system in systems:
        result.append([])
        for metric, table in zip(metrics, system):
            end = start + table.shape[1]
            result[-1].append(metric.values(sums[:, start:end]))
            start = end
    return result


def interval(values: Values, highest: float = math.inf) -> tuple[float, float]:
    """The 95% interval as sacreBLEU reports it: the mean plus or minus half the distance between the quantiles.

    Unlike sacreBLEU's, it stays between 0 and the `highest` score possible, even if the mean is close to one of them.
    """
    ordered = sorted(map(float, values))
    cut = len(ordered) // 40
    mean, half = statistics.mean(ordered), (ordered[len(ordered) - cut - 1] - ordered[cut]) / 2
    return max(mean - half, 0.0), min(mean + half, highest)


def paired_bootstrap(first: Values, other: Values, difference: float) -> float:
    """p-value under the null hypothesis that both systems are equally good. difference: of their scores on the test set."""
    differences = numpy.abs(other - first)
    return _p_value(differences - differences.mean(), abs(difference))


def paired_randomisation(metrics: Sequence[Metric], systems: Tables, differences: Sequence[Sequence[float]], trials: int) -> list[list[float]]:
    """[system][metric]: p-value of each other system against the first: how often they differ as much after random swaps of lines.

    differences: [system][metric], of the scores on the test set.
    """
    first, others = numpy.hstack(systems[0]), [numpy.hstack(system) for system in systems[1:]]
    lines = len(first)
    generator = numpy.random.default_rng(seed()[0])
    block = max(1, BLOCK // (WORD * lines)) * WORD
    sampled: list[list[list[Values]]] = [[[] for _ in metrics] for _ in others]
    for start in range(0, trials, block):
        keep = generator.integers(2, size=(min(block, trials - start), lines), dtype=bool)
        kept, swapped = keep.astype(float), (~keep).astype(float)
        for number, other in enumerate(others):
            sides = [kept @ first + swapped @ other, swapped @ first + kept @ other]
            first_values, other_values = (_values(metrics, [systems[0]], side)[0] for side in sides)
            for metric_values, left, right in zip(sampled[number], first_values, other_values):
                metric_values.append(numpy.abs(left - right))
    return [[_p_value(numpy.concatenate(values), abs(difference)) for values, difference in zip(*pair)] for pair in zip(sampled, differences)]


def _p_value(values: Values, difference: float) -> float:
    return (int(numpy.sum(values > difference)) + 1) / (len(values) + 1)
