"""Counts of n-grams, and the probabilities that come of them: Shannon 1948, "A mathematical theory of communication", section 3; Kneser and Ney 1995,
"Improved backing-off for m-gram language modeling"; Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling".

Interpolated modified Kneser-Ney (Chen and Goodman, section 3). For a history h, and h' without its first token,

    p(w | h) = max(a(h w) - D(a(h w)), 0) / sum over x of a(h x) + backoff(h) * p(w | h'),    at last + backoff() / V,

where a is the count at the highest order and, below it, the number of different tokens before the n-gram; what begins a sentence has nothing before
it and keeps its count. Each order has three discounts D: for 1, 2, and 3 or more.

A table is a trie. Level 1 has a node for each of the V pieces, in order. An n-gram is a child of its first n - 1 tokens, and a level is the ascending
list of `parent * V + token`: a node's number is its place there, and the children of one node lie together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy

FALLBACK = 0.5  # the discount of an order whose counts of counts don't give one: a text of a few sentences


@dataclass(frozen=True)
class Level:
    """What one order knows. keys (M,): see above; discounted (M,): the first term of p; backoff: of each node of the level before, as history."""

    keys: numpy.ndarray
    discounted: numpy.ndarray
    backoff: numpy.ndarray


@dataclass(frozen=True)
class Tables:
    """unigram (V,): p without a history. pieces: ids of those that occur. levels: of orders 2, 3 and so on."""

    unigram: numpy.ndarray
    pieces: numpy.ndarray
    levels: list[Level]


@dataclass
class _Grams:
    """The n-grams of one order that occur. suffix: node of each without its first token; opening: begins a sentence."""

    keys: numpy.ndarray
    parents: numpy.ndarray
    counts: numpy.ndarray
    suffix: numpy.ndarray
    opening: numpy.ndarray


def estimate(tokens: numpy.ndarray, lengths: numpy.ndarray, order: int, size: int, special: tuple[int, int], smoothing: str = "kneser_ney") -> Tables:
    """The table of a text.

    tokens: of all sentences one after the other, each from the begin mark to the end mark. lengths: of the sentences. order: n. size: V. special:
    padding and begin mark, which are never predicted. smoothing: "kneser_ney", or "none": n-grams share the count of their history, nothing else gets
    any, and a history that never occurs leaves it to `unigram`, which is then even.
    """
    grams = _count(tokens.astype(numpy.int64), lengths, order, size, special[1])
    predicted = numpy.ones(size)
    predicted[list(special)] = 0
    levels: list[tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]] = []
    for k, own in enumerate(grams, 1):
        adjusted = own.counts
        if k < order:  # Kneser and Ney: not how often, but after how many different tokens
            after = numpy.bincount(grams[k].suffix, minlength=len(own.keys))
            adjusted = numpy.where(own.opening, own.counts, after)
        if k == 1:
            adjusted = adjusted * predicted.astype(numpy.int64)
        nodes = len(grams[k - 2].keys) if k > 1 else 1
        if smoothing == "none":
            levels.append((own.keys, *_shares(own.counts * (adjusted > 0), own.parents, nodes, own.opening | (k == order))))
        else:
            levels.append((own.keys, *_discounted(adjusted, own.parents, nodes)))
    (_, first, rest), *others = levels
    unigram = first + rest[0] * predicted / predicted.sum()
    kept = [Level(keys, discounted.astype("float32"), backoff.astype("float32")) for keys, discounted, backoff in others]
    return Tables(unigram.astype("float32"), numpy.flatnonzero((grams[0].counts > 0) & (predicted > 0)), kept)


def log_probabilities(tables: Tables, tokens: numpy.ndarray, lengths: numpy.ndarray, size: int) -> numpy.ndarray:
    """Of each token after those before it, 0 for the begin marks; arguments as in `estimate`."""
    tokens = tokens.astype(numpy.int64)
    begins = lengths.cumsum() - lengths
    result = tables.unigram[tokens].astype(numpy.float64)
    nodes = tokens
    for level in tables.levels:
        history = numpy.roll(nodes, 1)  # of each place: the node of the tokens before it
        history[begins] = -1
        keys = numpy.where(history < 0, -1, history * size + tokens)
        places = numpy.searchsorted(level.keys, keys)
        there = places < len(level.keys)
        there[there] = level.keys[places[there]] == keys[there]
        seen = history >= 0
        result[seen] *= level.backoff[history[seen]]
        result[there] += level.discounted[places[there]]
        nodes = numpy.where(there, places, -1)
    result[begins] = 1.0
    logarithms: numpy.ndarray = numpy.log(numpy.maximum(result, numpy.finfo(numpy.float32).tiny))
    return logarithms


def _count(tokens: numpy.ndarray, lengths: numpy.ndarray, order: int, size: int, begin: int) -> list[_Grams]:
    """The n-grams of orders 1 to `order` within sentences."""
    everything = numpy.arange(size)
    counts = numpy.bincount(tokens, minlength=size)
    found = [_Grams(everything, numpy.zeros(size, dtype=numpy.int64), counts, numpy.zeros(size, dtype=numpy.int64), everything == begin)]
    left = numpy.repeat(lengths.cumsum(), lengths) - numpy.arange(len(tokens))  # tokens from each place to the end of its sentence
    nodes = tokens  # of the n-gram that begins at each place; of no meaning where the sentence ends before
    for k in range(2, order + 1):
        places = numpy.flatnonzero(left >= k)
        keys, first, inverse, counts = numpy.unique(
            nodes[places] * size + tokens[places + k - 1], return_index=True, return_inverse=True, return_counts=True
        )
        parents = keys // size
        found.append(_Grams(keys, parents, counts, nodes[places[first] + 1], found[-1].opening[parents]))
        nodes = numpy.full(len(tokens), -1)
        nodes[places] = inverse
    return found


def _discounted(adjusted: numpy.ndarray, parents: numpy.ndarray, nodes: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The first term of p for each n-gram, and what each history leaves to shorter ones: all, if nothing followed it."""
    discounts = numpy.array([0.0, *discounts_of(adjusted)])[numpy.minimum(adjusted, 3)]
    total = numpy.bincount(parents, adjusted, nodes)
    left = numpy.bincount(parents, discounts, nodes)
    with numpy.errstate(invalid="ignore"):
        return numpy.nan_to_num((adjusted - discounts) / total[parents]), numpy.where(total > 0, left / total, 1.0)


def discounts_of(counts: numpy.ndarray) -> tuple[float, float, float]:
    """D1, D2 and D3+ of Chen and Goodman's equation 26. Where a count of counts is missing, plain Kneser-Ney's one discount, or `FALLBACK`."""
    n = [int((counts == value).sum()) for value in (1, 2, 3, 4)]
    if not n[0] or not n[1]:
        return (FALLBACK,) * 3
    share = n[0] / (n[0] + 2 * n[1])
    if n[2] and n[3]:
        found = tuple(value - (value + 1) * share * n[value] / n[value - 1] for value in (1, 2, 3))
        if all(0 < discount <= value for value, discount in zip((1, 2, 3), found)):
            return found  # type: ignore[return-value]
    return (share,) * 3


def _shares(counts: numpy.ndarray, parents: numpy.ndarray, nodes: int, used: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Plain counts as shares of their history's, where they are `used`; other histories leave all to shorter ones."""
    counts = counts * used
    total = numpy.bincount(parents, counts, nodes)
    with numpy.errstate(invalid="ignore"):
        return numpy.nan_to_num(counts / total[parents]), numpy.where(total > 0, 0.0, 1.0)
