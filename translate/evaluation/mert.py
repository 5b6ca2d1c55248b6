"""Weights that maximise the BLEU of n-best lists: minimum error rate training ("Minimum error rate training in statistical machine translation",
Och 2003).

Along a direction in the space of weights, the score of each hypothesis is a line. The best hypotheses of a sentence form the upper envelope of its
lines, so corpus BLEU changes only where two of them cross. All these places are found, and BLEU is computed in each interval between them: the
search along a direction is exact. Directions are the axes and a few random ones, starting points zero and several random ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

STARTS, DIRECTIONS = 20, 4  # random starting points, and random directions tried from each point besides the axes
LEAST_GAIN = 1e-6  # BLEU
NARROW = 1e-9  # an interval that is not to be relied on
Array = numpy.ndarray


class Lists:
    """The n-best lists of L sentences, of at most K hypotheses with F features each."""

    def __init__(self, scores: Sequence[Array], features: Sequence[Array], statistics: Sequence[Array]) -> None:
        """Of each sentence with K hypotheses: scores (K,), whose weight is 1, features (K, F), sacreBLEU's statistics (K, 10)."""
        most = max(map(len, scores))

        def padded(tables: Sequence[Array]) -> Array:
            """With the first hypothesis repeated, which changes nothing."""
            return numpy.stack([numpy.concatenate([table, table[:1].repeat(most - len(table), axis=0)]) for table in tables]).astype(float)

        self.scores, self.features, self.statistics = padded(scores), padded(features), padded(statistics)

    def select(self, sentences: Array) -> Lists:
        """Those sentences where (L,) is True."""
        return Lists(*(list(table[sentences]) for table in (self.scores, self.features, self.statistics)))

    def chosen(self, weights: Array) -> Array:
        """The statistics of the best hypotheses with these weights, of equal ones the first: (L, 10)."""
        best = (self.scores + self.features @ weights).argmax(1)
        statistics: Array = self.statistics[numpy.arange(len(best)), best]
        return statistics

    def bleu(self, weights: Array) -> float:
        return float(bleu_of(self.chosen(weights).sum(0)[None])[0])


def bleu_of(sums: Array) -> Array:
    """sacreBLEU's corpus BLEU, 0 to 100, of each row of summed statistics (n, 10): (n,)."""
    length, reference, correct, total = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:]
    smoothing = 2.0 ** (correct == 0).cumsum(1)  # method `exp` of Chen and Cherry 2014
    with numpy.errstate(divide="ignore", invalid="ignore"):
        precisions = numpy.where(correct == 0, 1 / (smoothing * total), correct / total)
        brevity = numpy.where(length < reference, numpy.exp(1 - reference / length), 1.0)
        values = 100 * brevity * numpy.exp(numpy.log(precisions).mean(1))
    none = (total == 0).any(1) | (correct == 0).all(1)
    found: Array = numpy.where(none, 0.0, values)
    return found


def tune(lists: Lists, least: Array, most: Array, seed: int = 1) -> Array:
    """The weights (F,) between `least` and `most` (F,) with the highest BLEU that was found; that of zero weights at least."""
    generator = numpy.random.default_rng(seed)
    best, best_bleu = numpy.zeros(len(least)), lists.bleu(numpy.zeros(len(least)))
    starts = [best, *numpy.clip(generator.uniform(-1, 1, (STARTS, len(least))), least, most)]
    for start in starts:
        weights, bleu = _climb(lists, start, least, most, generator)
        if bleu > best_bleu + LEAST_GAIN:
            best, best_bleu = weights, bleu
    return best


def _climb(lists: Lists, weights: Array, least: Array, most: Array, generator: numpy.random.Generator) -> tuple[Array, float]:
    """The weights where no direction leads any higher, and their BLEU."""
    bleu, improved = lists.bleu(weights), True
    while improved:
        improved = False
        for direction in [*numpy.eye(len(weights)), *generator.normal(size=(DIRECTIONS if len(weights) > 1 else 0, len(weights)))]:
            moved = numpy.clip(weights + line_search(lists, weights, direction, least, most) * direction, least, most)
            if (found := lists.bleu(moved)) > bleu + LEAST_GAIN:
                weights, bleu, improved = moved, found, True
    return weights, bleu


def line_search(lists: Lists, weights: Array, direction: Array, least: Array, most: Array) -> float:
    """The step along `direction` with the highest BLEU, in the middle of its interval; of intervals with the same BLEU, of the widest."""
    with numpy.errstate(divide="ignore", invalid="ignore"):
        ends = numpy.sort(numpy.stack([(least - weights) / direction, (most - weights) / direction])[:, direction != 0], axis=0)
    low, high = float(ends[0].max()), float(ends[1].min())
    if not low < high:
        return 0.0
    places, changes, first = _envelopes(lists.scores + lists.features @ weights, lists.features @ direction, lists.statistics, low, high)
    order = places.argsort(kind="stable")
    sums = first + numpy.concatenate([numpy.zeros((1, len(first))), changes[order].cumsum(0)])
    bounds = numpy.concatenate([[low], places[order], [high]])
    widths = numpy.diff(bounds)
    bleu = numpy.where(widths > NARROW, bleu_of(sums), -1.0)
    chosen = int(numpy.lexsort((widths, bleu.round(9)))[-1])
    return float(bounds[chosen] + widths[chosen] / 2)


def _envelopes(heights: Array, slopes: Array, statistics: Array, low: float, high: float) -> tuple[Array, Array, Array]:
    """The best hypotheses between two places on a line, for all sentences at once. heights, slopes: of the lines (L, K), at place 0.

    Returns the P places between `low` and `high` where the best one of some sentence changes, (P,), how the summed statistics change there, (P, 10),
    and these sums at `low`, (10,).
    """
    rows = numpy.arange(len(heights))
    at_low = heights + low * slopes
    top = at_low.max(1, keepdims=True)
    current = numpy.where(at_low == top, slopes, -numpy.inf).argmax(1)  # of equal ones the steepest, which is best from there on
    first = statistics[rows, current].sum(0)
    places: list[Array] = []
    changes: list[Array] = []
    while len(rows):
        height, slope = (table[rows, current][:, None] for table in (heights, slopes))
        steeper = slopes[rows] > slope
        with numpy.errstate(divide="ignore", invalid="ignore"):
            crossing = numpy.where(steeper, (height - heights[rows]) / (slopes[rows] - slope), numpy.inf)
        nearest = crossing.min(1)
        following = numpy.where(crossing == nearest[:, None], slopes[rows], -numpy.inf).argmax(1)
        go_on = nearest < high
        rows, old, current, nearest = rows[go_on], current[go_on], following[go_on], nearest[go_on]
        places.append(numpy.maximum(nearest, low))
        changes.append(statistics[rows, current] - statistics[rows, old])
    return numpy.concatenate(places), numpy.concatenate(changes), first
