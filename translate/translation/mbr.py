"""Minimum Bayes risk: of many translations that the model draws, the one that is most like all of them.

Eikema and Aziz 2022, "Sampling-based approximations to minimum Bayes risk decoding for neural machine translation", section 3: unbiased samples y_1
to y_N are candidates and pseudo-references alike, and the candidate h with the highest expected utility

    1/N sum_i u(h, y_i)

is the translation. The utility is chrF (Popovic 2015), as sacreBLEU computes it for a sentence with its defaults. The most probable translation may
be an odd one, such as an empty line: that one has little in common with the rest of the distribution, and loses here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from translate.decoding import Hypothesis

ORDER = 6  # the longest n-grams, in characters; white space is left out
BETA = 2  # recall counts so many times as much as precision
CELLS = 1 << 22  # of a matrix at a time: 16 MiB


def by_expected_utility(samples: Sequence[Hypothesis], texts: Sequence[str], n_best: int) -> list[tuple[Hypothesis, str, float]]:
    """The `n_best` different texts (fewer if there are fewer) with their expected utility, 0 to 100, best first; of equal ones, the first drawn.

    texts: of the samples. One drawn several times counts as often. Its hypothesis is the likeliest that has this text.
    """
    places: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        places.setdefault(text, []).append(place)
    weights = numpy.array([len(same) for same in places.values()]) / len(texts)
    utilities = (chrf_matrix(list(places)) * weights).sum(axis=1).tolist()
    likeliest = [max((samples[place] for place in same), key=lambda sample: sample.log_probability) for same in places.values()]
    ranked = sorted(zip(likeliest, places, utilities), key=lambda candidate: -candidate[2])  # stable
    return ranked[:n_best]


def chrf_matrix(texts: Sequence[str]) -> numpy.ndarray:
    """chrF, 0 to 100, of each of N texts (row) with each as its reference (column): (N, N) in float64.

    Equal to `sacrebleu.metrics.CHRF().sentence_score`. Precision and recall are means over the orders that both texts have.
    """
    stripped = ["".join(text.split()) for text in texts]
    lengths = numpy.array([len(text) for text in stripped], dtype=numpy.int64)
    count = len(texts)
    precision, recall, orders = (numpy.zeros((count, count)) for _ in range(3))
    characters = numpy.frombuffer("".join(stripped).encode("utf-32-le", "surrogatepass"), numpy.uint32).astype(numpy.int64)
    rows = numpy.repeat(numpy.arange(count), lengths)
    left = numpy.cumsum(lengths)[rows] - numpy.arange(len(characters))  # characters from each on, to the end of its text
    starts = numpy.arange(len(characters))
    grams = numpy.zeros_like(starts)  # of the characters from each start on: the n-gram as a number
    for order in range(1, min(ORDER, int(lengths.max(initial=0))) + 1):
        fit = left[starts] >= order
        starts, grams = starts[fit], grams[fit]
        grams = numpy.unique(grams * (1 << 21) + characters[starts + order - 1], return_inverse=True)[1]  # Unicode has 21 bits
        totals = numpy.maximum(lengths - order + 1, 0).astype(numpy.float64)
        matches = overlaps(grams, rows[starts], count)
        both = (totals[:, None] > 0) & (totals > 0)
        shares = matches / numpy.maximum(totals, 1)  # (N, N) of the reference's n-grams
        recall += shares
        precision += shares.T
        orders += both
    precision, recall = precision / numpy.maximum(orders, 1), recall / numpy.maximum(orders, 1)
    weighted = BETA**2 * precision + recall
    scores: numpy.ndarray = 100 * (1 + BETA**2) * precision * recall / numpy.where(weighted > 0, weighted, 1)
    return scores


def overlaps(grams: numpy.ndarray, rows: numpy.ndarray, count: int) -> numpy.ndarray:
    """How many n-grams each two of `count` texts share, each counted as often as both have it: (N, N), symmetric.

    grams, rows: (K,) each n-gram, and the text that has it there. The lesser of two counts a, b is the sum over k of (a >= k)(b >= k), so all pairs
    take one matrix product for each k. An n-gram of a single text matters on the diagonal only. The sums are whole numbers, exact in float32.
    """
    found, counts = numpy.unique(grams * count + rows, return_counts=True)
    grams, rows = numpy.divmod(found, count)
    shared = numpy.zeros((count, count))
    numpy.fill_diagonal(shared, numpy.bincount(rows, counts, minlength=count))
    least = 1
    while True:
        several = numpy.bincount(grams)[grams] > 1
        grams, rows, counts = grams[several], rows[several], counts[several]
        if not len(grams):
            return shared
        columns = numpy.unique(grams, return_inverse=True)[1]
        width = max(1, CELLS // count)
        for first in range(0, int(columns[-1]) + 1, width):
            some = (columns >= first) & (columns < first + width)
            has = numpy.zeros((count, min(width, int(columns[-1]) + 1 - first)), dtype=numpy.float32)
            has[rows[some], columns[some] - first] = 1
            product = has @ has.T
            numpy.fill_diagonal(product, 0)  # it is known
            shared += product
        least += 1
        more = counts >= least
        grams, rows, counts = grams[more], rows[more], counts[more]
