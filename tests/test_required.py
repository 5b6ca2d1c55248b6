"""Search with tokens that must come: against the same rule in plain Python over all hypotheses of a small table."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from table_model import BOS, EOS, assert_same, divisor, log_probabilities, plain_beam, random_table, start, step

from translate.decoding import Hypothesis, beam_search, sample

SYMBOLS = (5, 4)  # the required ids of these tests, of 6; 0 to 3 are others
V, LIMIT = 6, 4


def forced(table, history, required, union, limit):
    """The probabilities of the next token under the rule, in plain Python."""
    probabilities = [math.exp(p) for p in log_probabilities(table, history)]
    missing = [token for token in dict.fromkeys(required) if history.count(token) < required.count(token)]
    if missing:
        probabilities[missing[0]] += probabilities[EOS]
        probabilities[EOS] = 0
    needed = sum(max(0, required.count(token) - history.count(token)) for token in set(required))
    for token in range(V):
        if (token in union and token not in missing) or (missing and needed + 1 >= limit - len(history) and token not in missing):
            probabilities[token] = 0
    return [math.log(p / sum(probabilities)) if p else -math.inf for p in probabilities]


def best_by_enumeration(table, required, union, limit, alpha):
    found = []

    def extend(history, total):
        for token, log_probability in enumerate(forced(table, history, required, union, limit)):
            new, length = total + log_probability, len(history) + 1
            if new == -math.inf:
                continue
            if token == EOS:
                found.append(Hypothesis(list(history), new / divisor(length, alpha), new, True))
            elif length == limit:
                found.append(Hypothesis([*history, token], new / divisor(length, alpha), new, False))
            else:
                extend((*history, token), new)

    extend((), 0.0)
    return sorted(found, key=lambda h: (not h.complete, -h.score))


def find(table, limit, beam, required, alpha=0.6, n_best=1):
    limits = torch.full((len(table),), limit)
    return beam_search(step, start(table), limits, BOS, EOS, beam, alpha, n_best, required=required)


@pytest.mark.parametrize("required", [[[5], [4]], [[5, 4], []], [[5, 5], [4, 5]], [[4], [5, 4, 5]]])
@pytest.mark.parametrize("seed", range(4))
def test_an_exhaustive_beam_finds_the_best_of_all(required, seed):
    table = random_table(seed, sentences=2, vocabulary=V, length=LIMIT)
    union = {token for own in required for token in own}
    found = find(table, LIMIT, V**LIMIT, required, n_best=3)
    for sentence, own in enumerate(required):
        assert_same(found[sentence], best_by_enumeration(table[sentence], own, union, LIMIT, 0.6)[:3])


@pytest.mark.parametrize("seed", range(4))
def test_greedy_takes_the_likeliest_under_the_rule(seed):
    table = random_table(seed, sentences=3, vocabulary=V, length=LIMIT)
    required = [[5], [], [4, 5]]
    for sentence, (found,) in enumerate(find(table, LIMIT, 1, required)):
        history, total = (), 0.0
        while len(history) < LIMIT and EOS not in history:
            choices = forced(table[sentence], history, required[sentence], set(SYMBOLS), LIMIT)
            token = max(range(V), key=choices.__getitem__)
            history, total = (*history, token), total + choices[token]
        complete = EOS in history
        assert (found.ids, found.complete) == (list(history[:-1] if complete else history), complete)
        assert found.log_probability == pytest.approx(total, abs=1e-5)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6),
    st.lists(st.lists(st.sampled_from(SYMBOLS), max_size=3), min_size=1, max_size=3),
    st.sampled_from([1, 2, 5]),
    st.integers(5, 6),
)
def test_each_comes_as_often_as_asked_whatever_the_model_says(seed, required, beam, limit):
    table = random_table(seed, len(required), V, limit, scale=6.0)
    table[:, :, EOS] += 4  # a model in a hurry
    union = {token for own in required for token in own}
    for own, hypotheses in zip(required, find(table, limit, beam, required)):
        assert all(hypotheses[0].ids.count(token) == own.count(token) for token in union)
    samples = sample(step, start(table), torch.full((len(table),), limit), BOS, EOS, 1.0, 0, 1.0, list(range(len(table))), required=required)
    for own, (drawn,) in zip(required, samples):
        assert all(drawn.ids.count(token) == own.count(token) for token in union)


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("required", [None, [], [[], []]])
def test_nothing_required_changes_nothing(required, beam):
    table = random_table(7, sentences=2, vocabulary=V, length=LIMIT)
    found = find(table, LIMIT, beam, required)
    for sentence in range(2):
        assert_same(found[sentence], plain_beam(table[sentence], LIMIT, beam, 0.6, 1))


def test_the_rest_follows_in_the_order_of_the_source_where_the_model_only_wants_to_end():
    table = torch.full((1, sum(V**n for n in range(6)), V), -5.0)
    table[:, :, EOS] = 5.0
    for order in ([5, 4, 5], [4, 5]):
        assert find(table, 6, 2, [order])[0][0].ids == sorted(order, key=order.index)


@pytest.mark.parametrize("beam", [1, 3])
def test_other_symbols_never_come_where_one_is_required(beam):
    table = random_table(3, sentences=1, vocabulary=V, length=LIMIT)
    table[:, :, 5] += 9
    found = beam_search(step, start(table), torch.tensor([LIMIT]), BOS, EOS, beam, 0.6, required=[[4]], symbols=SYMBOLS)[0][0]
    assert found.ids.count(4) == 1 and 5 not in found.ids


def test_more_than_fit():
    table = random_table(1, sentences=1, vocabulary=V, length=2)
    hypothesis = find(table, 2, 2, [[5, 5, 4, 4]])[0][0]
    assert not hypothesis.complete
    assert set(hypothesis.ids) <= {5, 4}
