"""Greedy and beam search against exhaustive enumeration, and a plain beam search on lists, with a table in the model's place."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from tests.table_model import BOS, EOS, assert_same, divisor, enumerate_all, log_probabilities, plain_beam, random_table, start, step
from translate.decoding import Hypothesis, beam_search, greedy, penalty


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize(("seed", "n_best"), [(0, 1), (1, 7), (2, 7), (3, 150)])
def test_a_wide_beam_finds_exactly_the_best_of_all_sequences(alpha, seed, n_best):
    table, limits = random_table(seed, 5, vocabulary=4, length=4), [4, 1, 3, 4, 2]
    found = beam_search(step, start(table), torch.tensor(limits), BOS, EOS, beam=200, length_penalty=alpha, n_best=n_best)
    for sentence, limit in enumerate(limits):
        assert_same(found[sentence], enumerate_all(table[sentence], limit, alpha)[:n_best])


@pytest.mark.parametrize("vocabulary", [3, 5, 7])
@pytest.mark.parametrize(("beam", "n_best"), [(2, 1), (2, 2), (3, 1), (4, 3), (5, 5)])
@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.5])
def test_batched_beam_equals_a_plain_one_on_lists_that_never_stops_early(vocabulary, beam, n_best, alpha):
    table, limits = random_table(vocabulary, 12, vocabulary, length=4), [4, 3, 2, 1, 4, 4, 3, 4, 4, 2, 4, 4]
    found = beam_search(step, start(table), torch.tensor(limits), BOS, EOS, beam, alpha, n_best)
    for sentence, limit in enumerate(limits):
        assert_same(found[sentence], plain_beam(table[sentence], limit, beam, alpha, n_best))


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_a_beam_of_one_is_greedy_search(alpha):
    table, limits = random_table(3, 20, vocabulary=5, length=4), torch.tensor([4, 3, 2, 1, 4] * 4)
    assert beam_search(step, start(table), limits, BOS, EOS, 1, alpha) == greedy(step, start(table), limits, BOS, EOS, alpha)


def test_greedy_takes_the_likeliest_token_until_the_end_mark_or_the_limit():
    table, limits = random_table(5, 20, vocabulary=5, length=4), [4, 3, 2, 1, 4] * 4
    found = greedy(step, start(table), torch.tensor(limits), BOS, EOS, length_penalty=0.7)
    for sentence, limit in enumerate(limits):
        ids, total = [], 0.0
        while len(ids) < limit and EOS not in ids:
            options = log_probabilities(table[sentence], tuple(ids))
            total += max(options)
            ids.append(options.index(max(options)))
        complete = ids[-1] == EOS
        expected = Hypothesis(ids[:-1] if complete else ids, total / divisor(len(ids), 0.7), total, complete)
        assert_same(found[sentence], [expected])
    assert {h.complete for (h,) in found} == {True, False}


def chain(*rows: dict[int, float]) -> Tensor:
    """A table for one sentence, V = 4: the n-th dict gives the next token's probabilities after n tokens, whichever they were."""
    table = torch.full((1, sum(4**n for n in range(len(rows))), 4), float("-inf"))
    begin = 0
    for n, row in enumerate(rows):
        for token, probability in row.items():
            table[0, begin : begin + 4**n, token] = math.log(probability)
        begin += 4**n
    return table


def test_search_goes_on_while_a_longer_hypothesis_can_still_win():
    # the end mark at once: ln 0.5 / 1 = -0.69; three tokens and the end mark: ln 0.5 / (9/6) = -0.46
    table = chain({EOS: 0.5, 3: 0.4999, 0: 0.0001}, {3: 1.0}, {3: 1.0}, {EOS: 1.0}, {EOS: 1.0}, {EOS: 1.0})
    log = []
    ((best,),) = beam_search(step, start(table, log), torch.tensor([6]), BOS, EOS, beam=2, length_penalty=1.0)
    assert best.ids == [3, 3, 3] and best.complete
    assert len(log) == 4  # ... and no further


def test_search_stops_when_no_open_hypothesis_can_win():
    table = chain({EOS: 0.5, 3: 0.4999, 0: 0.0001}, {3: 1.0}, {3: 1.0}, {EOS: 1.0})
    for alpha, steps in [(0.0, 1), (1.0, 4)]:
        log = []
        ((best,),) = beam_search(step, start(table, log), torch.tensor([4]), BOS, EOS, beam=2, length_penalty=alpha)
        assert len(log) == steps
        assert best.ids == ([] if alpha == 0 else [3, 3, 3])


@pytest.mark.parametrize(("times", "length", "wins"), [(1.4, 4, True), (1.6, 4, False), (1.6, 8, False)])
def test_search_looks_three_tokens_ahead_and_no_further(times, length, wins):
    # the end mark at once has ln 0.5 / 1; that times `times` over (5 + 4) / 6 = 1.5 is better or not, over (5 + 8) / 6 it always is
    other = 0.5**times
    table = chain({EOS: 0.5, 3: other, 0: 0.5 - other}, *[{3: 1.0}] * (length - 2), {EOS: 1.0})
    log = []
    ((best,),) = beam_search(step, start(table, log), torch.tensor([length]), BOS, EOS, beam=2, length_penalty=1.0)
    assert best.ids == ([3] * (length - 1) if wins else [])
    assert len(log) == (length if wins else 1)


def test_search_stops_once_twice_as_many_as_the_beam_have_ended():
    # with alpha 2 each further token makes a better score, for ever
    table = chain(*[{EOS: 0.3, 3: 0.7}] * 8)
    log = []
    ((best,),) = beam_search(step, start(table, log), torch.tensor([8]), BOS, EOS, beam=2, length_penalty=2.0)
    assert best.ids == [3, 3, 3] and best.complete
    assert len(log) == 4


def test_several_are_waited_for_where_several_are_asked_for():
    table = chain({EOS: 0.9, 3: 0.1}, {EOS: 0.9, 3: 0.1}, {EOS: 0.9, 3: 0.1})
    log = []
    (found,) = beam_search(step, start(table, log), torch.tensor([3]), BOS, EOS, beam=2, length_penalty=0.0, n_best=2)
    assert [h.ids for h in found] == [[], [3]]
    assert len(log) == 2


def test_hypotheses_cut_at_the_limit_come_after_the_complete_ones_and_say_so():
    table = chain({3: 0.6, 0: 0.4}, {3: 0.9, EOS: 0.1})
    (found,) = beam_search(step, start(table), torch.tensor([2]), BOS, EOS, beam=4, length_penalty=1.0, n_best=3)
    assert [(h.ids, h.complete) for h in found] == [([3], True), ([0], True), ([3, 3], False)]
    assert found[2].score > found[0].score
    assert found[2].log_probability == pytest.approx(math.log(0.54))
    assert found[2].score == pytest.approx(math.log(0.54) / (7 / 6))


def test_the_end_mark_first_is_an_empty_hypothesis():
    table = chain({EOS: 0.9, 3: 0.1}, {EOS: 1.0})
    for found in (greedy(step, start(table), torch.tensor([2]), BOS, EOS), beam_search(step, start(table), torch.tensor([2]), BOS, EOS, 5, 0.0)):
        assert_same(found[0], [Hypothesis([], math.log(0.9), math.log(0.9), True)])


@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_sentence_does_not_depend_on_its_neighbours(beam, alpha):
    table = random_table(11, 16, vocabulary=6, length=4)
    limits = torch.tensor([4, 1, 3, 2] * 4)
    together = beam_search(step, start(table), limits, BOS, EOS, beam, alpha, n_best=beam)
    for sentence in range(16):
        one = slice(sentence, sentence + 1)
        (alone,) = beam_search(step, start(table[one]), limits[one], BOS, EOS, beam, alpha, n_best=beam)
        assert_same(together[sentence], alone)


@pytest.mark.parametrize("beam", [1, 3])
def test_sentences_leave_the_batch_as_soon_as_they_have_ended(beam):
    table = chain({3: 1.0}, {3: 1.0}, {3: 1.0}, {3: 1.0}).expand(5, -1, -1)
    log = []
    beam_search(step, start(table, log), torch.tensor([2, 4, 1, 1, 3]), BOS, EOS, beam, 1.0)
    assert log == [5, 3, 2, 1]


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_banned_tokens_are_never_chosen_and_the_rest_share_their_probability(beam):
    table = random_table(13, 8, vocabulary=5, length=3)
    table[:, :, :2] += 20  # what is banned is what the model likes best
    without = table.clone()
    without[:, :, :2] = float("-inf")
    limits = torch.full((8,), 3)
    found = beam_search(step, start(table.clone()), limits, BOS, EOS, beam, 0.6, n_best=beam, banned=[0, 1])
    expected = beam_search(step, start(without), limits, BOS, EOS, beam, 0.6, n_best=beam)
    for ours, truth in zip(found, expected, strict=True):
        assert_same(ours, truth)
        assert not {0, 1} & {token for h in ours for token in h.ids}


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("beam", [1, 2, 5])
def test_no_n_gram_comes_twice_where_it_may_not(beam, n):
    """Against the same search in a table that holds -inf for each token which would end a repeated n-gram."""
    vocabulary, length = 4, 5
    table = random_table(17, 6, vocabulary, length)
    without = table.clone()
    numbers = {(): 0}
    for size in range(length):
        for history in itertools.product(range(vocabulary), repeat=size):
            number = numbers[history]
            grams = {history[place : place + n] for place in range(size - n + 1)}
            for token in range(vocabulary):
                numbers[(*history, token)] = number * vocabulary + token + 1
                if size >= n and (*history[size - n + 1 :], token) in grams:
                    without[:, number, token] = float("-inf")
    limits = torch.full((6,), length)
    found = beam_search(step, start(table.clone()), limits, BOS, EOS, beam, 0.6, n_best=beam, no_repeat=n)
    expected = beam_search(step, start(without), limits, BOS, EOS, beam, 0.6, n_best=beam)
    plain = beam_search(step, start(table.clone()), limits, BOS, EOS, beam, 0.6, n_best=beam)
    for ours, truth in zip(found, expected, strict=True):
        assert_same(ours, truth)
        for hypothesis in ours:
            grams = [tuple(hypothesis.ids[place : place + n]) for place in range(len(hypothesis.ids) - n + 1)]
            assert len(set(grams)) == len(grams)
    assert n == 3 or found != plain


def test_impossible_tokens_never_make_a_hypothesis():
    (found,) = beam_search(step, start(chain({3: 1.0}, {EOS: 1.0})), torch.tensor([2]), BOS, EOS, beam=8, length_penalty=1.0, n_best=8)
    assert_same(found, [Hypothesis([3], 0.0, 0.0, True)])


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_a_vocabulary_of_the_end_mark_alone(beam):
    (found,) = beam_search(lambda last, state: (torch.zeros(len(last), 1), state), None, torch.tensor([9]), BOS, 0, beam, 1.0)
    assert_same(found, [Hypothesis([], 0.0, 0.0, True)])


def test_equal_scores_give_the_same_answer_every_time():
    table = torch.zeros(3, sum(6**n for n in range(3)), 6)
    runs = [beam_search(step, start(table), torch.tensor([3, 3, 3]), BOS, EOS, 4, 1.0, n_best=4) for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]
    assert runs[0][0] == runs[0][1] == runs[0][2]


def test_half_precision_logits_are_summed_in_full_precision():
    table = random_table(17, 4, vocabulary=5, length=3).bfloat16()
    limits = torch.full((4,), 3)
    found = beam_search(step, start(table), limits, BOS, EOS, 3, 1.0, n_best=3)
    for ours, truth in zip(found, beam_search(step, start(table.float()), limits, BOS, EOS, 3, 1.0, n_best=3), strict=True):
        assert_same(ours, truth)


def test_no_sentences():
    nothing = torch.zeros(0, dtype=torch.long)
    assert beam_search(step, start(random_table(1, 0, 4, 1)), nothing, BOS, EOS, 5, 1.0) == []
    assert greedy(step, start(random_table(1, 0, 4, 1)), nothing, BOS, EOS) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_lengths": torch.tensor([3, 0])}, "length limit of a sentence is 0"),
        ({"beam": 0}, "beam is 0"),
        ({"n_best": 0}, "n_best is 0"),
        ({"n_best": 4}, r"n_best is 4: it must be from 1 to the beam \(3\)"),
        ({"length_penalty": -0.5}, "length_penalty is -0.5"),
        ({"length_penalty": math.nan}, "length_penalty is nan"),
    ],
)
def test_settings_out_of_range_are_named(changes, message):
    settings = {"max_lengths": torch.tensor([3, 3]), "beam": 3, "n_best": 1, "length_penalty": 1.0} | changes
    with pytest.raises(ValueError, match=message):
        beam_search(step, start(random_table(1, 2, 4, 3)), bos=BOS, eos=EOS, **settings)


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize(("value", "message"), [(math.nan, "not numbers"), (math.inf, "not numbers"), (-math.inf, "probability 0")])
def test_a_broken_model_is_an_error_not_a_translation(beam, value, message):
    table = random_table(1, 2, 4, 3)
    table[1, 0] = value
    with pytest.raises(ValueError, match=message):
        beam_search(step, start(table), torch.tensor([3, 3]), BOS, EOS, beam, 1.0)


def test_the_length_penalty_is_that_of_the_paper():
    assert (penalty(1, 0.6), penalty(7, 1.0)) == (1.0, 2.0)
    assert penalty(13, 0.5) == pytest.approx(math.sqrt(3))
