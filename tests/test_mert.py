"""Minimum error rate training: BLEU as sacreBLEU's, searches along a direction and for all weights against trying everything."""

from __future__ import annotations

import itertools

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.evaluation.mert import Lists, bleu_of, line_search, tune
from translate.evaluation.metrics import Metric

WORDS = st.lists(st.sampled_from("a b c d e .".split()), max_size=9).map(" ".join)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_bleu_is_sacrebleus(pairs):
    metric = Metric("bleu")
    outputs, references = map(list, zip(*pairs))
    statistics = metric.statistics(outputs, [references])
    assert bleu_of(numpy.array(statistics, dtype=float).sum(0)[None])[0] == pytest.approx(metric.corpus_score(statistics)[1], abs=1e-9)


def some_lists(seed: int, sentences: int, most: int, features: int) -> Lists:
    """n-best lists of random scores; each hypothesis is its reference with some words exchanged."""
    generator = numpy.random.default_rng(seed)
    references = [" ".join(generator.choice(list("abcdefgh"), 8)) for _ in range(sentences)]
    scores, values, statistics = [], [], []
    for reference in references:
        count = int(generator.integers(1, most + 1))
        outputs = [" ".join(word if generator.random() < 0.7 else "x" for word in reference.split()) for _ in range(count)]
        statistics.append(numpy.array(Metric("bleu").statistics(outputs, [[reference] * count]), dtype=float))
        scores.append(generator.normal(size=count).round(1))  # rounded: some are equal
        values.append(generator.normal(size=(count, features)).round(1))
    return Lists(scores, values, statistics)


@pytest.mark.parametrize("seed", range(8))
def test_the_search_along_a_direction_is_exact(seed):
    lists, least, most = some_lists(seed, 12, 5, 2), numpy.array([-2.0, 0.0]), numpy.array([3.0, 3.0])
    generator = numpy.random.default_rng(seed)
    weights, direction = generator.uniform(least, most), generator.normal(size=2)
    step = line_search(lists, weights, direction, least, most)
    found = weights + step * direction
    assert (found >= least - 1e-9).all() and (found <= most + 1e-9).all()
    tried = [weights + place * direction for place in numpy.linspace(-8, 8, 4001)]
    best = max(lists.bleu(each) for each in tried if (each >= least).all() and (each <= most).all())
    assert lists.bleu(found) >= best - 1e-9


@pytest.mark.parametrize("features", [1, 2, 3])
def test_tuning_reaches_the_best_of_all_weights(features):
    lists, least, most = some_lists(40 + features, 6, 4, features), numpy.full(features, -1.0), numpy.full(features, 1.0)
    grid = itertools.product(numpy.linspace(-1, 1, {1: 2001, 2: 121, 3: 31}[features]), repeat=features)
    best = max(lists.bleu(numpy.array(each)) for each in grid)
    weights = tune(lists, least, most)
    assert lists.bleu(weights) >= best - 1e-9 > lists.bleu(numpy.zeros(features)) + 1
    assert (tune(lists, least, most) == weights).all()


def test_weights_keep_their_bounds_and_nothing_to_gain_leaves_them_at_zero():
    """One sentence whose good hypothesis wins with a negative weight alone."""
    statistics = numpy.array(Metric("bleu").statistics(["a b c d", "a b c e"], [["a b c d"] * 2]), dtype=float)
    lists = Lists([numpy.array([0.0, 1.0])], [numpy.array([[0.0], [1.0]])], [statistics])
    assert tune(lists, numpy.array([0.0]), numpy.array([10.0])) == [0]
    assert tune(lists, numpy.array([-10.0]), numpy.array([10.0])) < -1
    assert lists.bleu(tune(lists, numpy.array([-10.0]), numpy.array([10.0]))) == pytest.approx(100)
