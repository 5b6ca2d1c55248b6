"""Coverage of a source by attention, against matrices whose coverage is known, and what a translation's parts make of it."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from translate.data.profile import length_ratio
from translate.decoding import Hypothesis
from translate.profile import LengthRatio, Profile
from translate.translation.coverage import coverage, covered, uncovered
from translate.translation.findings import is_odd_length
from translate.translation.parts import make_part, mean_coverage


def diagonal(tokens, left_out=()):
    """Each output token looks at one source token; nothing looks at those of `left_out`. The end mark is the last column."""
    return numpy.eye(tokens, tokens + 1, dtype=numpy.float32)[[index for index in range(tokens) if index not in left_out]]


def test_what_is_covered():
    assert coverage(diagonal(8)) == (1.0, 1.0) and uncovered(diagonal(8), 0.1) == []
    assert coverage(diagonal(8, range(2, 6))) == (0.5, 0.0)
    assert uncovered(diagonal(8, range(2, 6)), 0.1) == [(2, 6)]
    assert uncovered(diagonal(20, range(3, 12)), 0.1) == [(3, 12)]
    assert uncovered(diagonal(20, [0, 1, 2, 3, 16, 17, 18, 19]), 0.1) == [(0, 4), (16, 20)]
    assert uncovered(diagonal(8, [2, 5, 7]), 0.1) == []  # single words may well be left out
    assert coverage(diagonal(3, [0, 1, 2])) == (0.0, 0.0) and uncovered(diagonal(3, [0, 1, 2]), 0.1) == [(0, 3)]
    assert coverage(numpy.ones((2, 1))) == (1.0, 1.0) and uncovered(numpy.ones((2, 1)), 0.1) == []


def test_attention_that_is_given_twice_counts_once():
    assert covered(numpy.array([[1.0, 0, 0], [1.0, 0, 0], [0, 0.25, 0.75]])).tolist() == [1.0, 0.25]


@given(arrays(numpy.float32, st.tuples(st.integers(0, 9), st.integers(1, 9)), elements=st.floats(0, 1, width=32)), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_whatever_the_attention(weights, least):
    share, worst = coverage(weights)
    ranges = uncovered(weights, least)
    assert 0 <= worst <= 1.0001 and 0 <= share <= 1.0001
    assert bool(ranges) == (worst < least)
    assert all(0 <= begin < end < weights.shape[1] for begin, end in ranges)
    assert all(end < begin for (_, end), (begin, _) in zip(ranges, ranges[1:]))


def part(weights, places=None):
    output = Hypothesis([7] * len(weights), 0.0, -1.0, True)
    return make_part((10, 90), "x", weights.shape[1] - 1, output, Profile(), weights=weights, places=places)


def test_spans_are_those_of_the_tokens():
    tokens = [(10 + 4 * index, 14 + 4 * index) for index in range(20)]
    found = part(diagonal(20, range(3, 12)), lambda: tokens)
    assert found.uncovered == ((22, 58),) and found.coverage == pytest.approx(11 / 20) and found.stretch == 0
    assert part(diagonal(20, range(3, 12))).uncovered == ((10, 90),)  # where the tokens are is not known
    assert part(diagonal(20)).uncovered == ()
    assert mean_coverage([part(diagonal(10)), part(diagonal(30, range(15)))]) == pytest.approx((10 + 15) / 40)
    assert mean_coverage([]) is None


def test_lengths_of_pairs_that_were_drawn():
    """A ratio of 1.2 with a deviation of 20%: the fit finds both, what lies further than three deviations is odd, and little else."""
    chance = numpy.random.default_rng(1)
    sources = chance.integers(5, 60, 20_000)
    targets = numpy.maximum(1, numpy.round((sources + 1) * 1.2 * numpy.exp(chance.normal(0, 0.2, len(sources)))) - 1).astype(int)
    usual = length_ratio(sources, targets)
    assert usual.deviation(29, 35) == pytest.approx(0, abs=0.1)
    assert usual.deviation(29, 43) == pytest.approx(1, abs=0.1)  # 36 * e**0.2 - 1
    assert [is_odd_length(29, tokens, usual) for tokens in (17, 22, 35, 60, 72)] == [True, False, False, False, True]
    assert numpy.mean([is_odd_length(*pair, usual) for pair in zip(sources.tolist(), targets.tolist())]) < 0.01


def test_few_pairs_say_nothing_about_lengths_and_equal_ones_allow_some_freedom():
    assert length_ratio(numpy.full(99, 7), numpy.full(99, 7)) == LengthRatio()
    usual = length_ratio(numpy.full(500, 7), numpy.full(500, 7))
    assert not is_odd_length(7, 8, usual) and is_odd_length(7, 12, usual)
    assert not is_odd_length(7, 12, LengthRatio()) and is_odd_length(4, 13, LengthRatio())
