"""The few likeliest continuations of each sentence against torch's own log-softmax and top-k."""

from __future__ import annotations

import math

import pytest
import torch

from translate.decoding.logits import ban, best_continuations, fast_max, fast_topk, log_probabilities, normalise, replace_undefined


@pytest.mark.parametrize("vocabulary", [1, 7, 10, 24, 64, 200, 1000, 2048])
@pytest.mark.parametrize("count", [1, 2, 10])
@pytest.mark.parametrize("R", [1, 3])
def test_the_likeliest_continuations_are_found_chunk_by_chunk(vocabulary, count, R):
    generator = torch.Generator().manual_seed(vocabulary)
    logits = torch.randn(11 * R, vocabulary, generator=generator) * 5
    logits[::3, 1::5] = -math.inf
    open_totals = -10 * torch.rand(11, R, generator=generator, dtype=torch.float64)
    scores = logits.log_softmax(-1)
    expected = (scores.double().view(11, R, vocabulary) + open_totals[:, :, None]).flatten(1).topk(min(count, R * vocabulary))
    totals, rows, tokens = best_continuations(scores, open_totals, count)
    torch.testing.assert_close(totals, expected.values)
    possible = expected.values > -math.inf
    assert torch.equal((rows * vocabulary + tokens)[possible], expected.indices[possible])


@pytest.mark.parametrize("vocabulary", [1, 10, 64, 1000])
def test_fast_topk_is_topk(vocabulary):
    values = torch.randn(33, vocabulary, generator=torch.Generator().manual_seed(vocabulary))
    found, places = fast_topk(values, 4)
    expected = values.topk(min(4, vocabulary))
    assert torch.equal(found, expected.values) and torch.equal(places, expected.indices)


@pytest.mark.parametrize("vocabulary", [1, 10, 64, 1000])
def test_fast_max_is_max(vocabulary):
    values = torch.randint(0, 3, (33, vocabulary), generator=torch.Generator().manual_seed(vocabulary)).float()  # with many equal ones
    values[3] = -math.inf
    values[5, vocabulary // 2] = math.nan
    found, places = fast_max(values)
    expected = values.max(1)
    assert torch.equal(found.nan_to_num(7), expected.values.nan_to_num(7)) and torch.equal(places, expected.indices)


NONE = torch.tensor([], dtype=torch.int64)


def test_logits_come_in_any_layout_and_precision():
    whole = torch.randn(6, 200, generator=torch.Generator().manual_seed(1)).bfloat16()
    expected = whole[:, :128].float()
    expected[:, [3, 5]] = -math.inf
    torch.testing.assert_close(log_probabilities(whole[:, :128], torch.tensor([3, 5])), expected.log_softmax(-1))


def test_probabilities_neither_overflow_nor_turn_impossible_rows_into_nan():
    scores = torch.tensor([[1000.0, 1000.0], [-1000.0, -1000.0], [0.0, -math.inf], [-math.inf, -math.inf]])
    found = replace_undefined(log_probabilities(scores, NONE), scores).exp()
    assert found.tolist() == [[0.5, 0.5], [0.5, 0.5], [1.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_scores_that_are_not_numbers_are_an_error(wrong, precision):
    scores = torch.tensor([[0.0, 1.0], [wrong, 0.0]], dtype=precision)
    with pytest.raises(ValueError, match="not numbers"):
        replace_undefined(log_probabilities(scores, NONE), scores)


def test_a_row_whose_tokens_are_all_blocked_allows_none():
    scores = torch.randn(4, 3).bfloat16()
    history = torch.tensor([[0, 1, 2], [0, 1, 1], [2, 2, 2], [1, 1, 1]])
    expected = scores.float().masked_fill(torch.nn.functional.one_hot(history, 3).any(1), -math.inf).log_softmax(-1)
    expected[0] = -math.inf
    assert torch.equal(replace_undefined(log_probabilities(scores, NONE, history, 1), scores), expected)


def test_the_scores_of_a_model_in_half_precision_stay():
    """They are copied to float32, and the copy may be overwritten."""
    scores = torch.randn(4, 40).bfloat16()
    before = scores.clone()
    log_probabilities(scores, torch.tensor([3]))
    assert torch.equal(scores, before)
    place = ban(scores, torch.tensor([3]))
    assert normalise(place, in_place=True).data_ptr() == place.data_ptr() != normalise(place, in_place=False).data_ptr()
