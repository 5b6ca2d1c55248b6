"""The few likeliest tokens of each row against torch's own log-softmax and top-k."""

from __future__ import annotations

import math

import pytest
import torch

from translate.decoding.logits import ban, best_tokens, log_normalizer


@pytest.mark.parametrize("vocabulary", [1, 7, 10, 24, 64, 200, 1000, 2048])
@pytest.mark.parametrize("count", [1, 2, 10])
def test_the_likeliest_tokens_are_found_chunk_by_chunk(vocabulary, count):
    logits = torch.randn(33, vocabulary, generator=torch.Generator().manual_seed(vocabulary)) * 5
    logits[::3, 1::5] = -math.inf
    expected = logits.log_softmax(-1).topk(min(count, vocabulary))
    values, ids = best_tokens(logits.clone(), count)
    possible = expected.values > -math.inf
    torch.testing.assert_close(values, expected.values)
    assert torch.equal(ids[possible], expected.indices[possible])


def test_logits_come_in_any_layout_and_precision():
    whole = torch.randn(6, 200, generator=torch.Generator().manual_seed(1)).bfloat16()
    expected = whole[:, :128].float()
    expected[:, [3, 5]] = -math.inf
    values, ids = best_tokens(ban(whole[:, :128], [3, 5]), 4)
    torch.testing.assert_close(values, expected.log_softmax(-1).topk(4).values)
    torch.testing.assert_close(values, expected.log_softmax(-1).gather(1, ids))


def test_the_normalizer_neither_overflows_nor_turns_impossible_rows_into_nan():
    logits = torch.tensor([[1000.0, 1000.0], [-1000.0, -1000.0], [0.0, -math.inf], [-math.inf, -math.inf]])
    found = log_normalizer(logits.clone(), logits.amax(-1, keepdim=True)).squeeze(1)
    assert found[:3].tolist() == pytest.approx([1000 + math.log(2), -1000 + math.log(2), 0.0])
    assert (logits[3] - found[3]).isneginf().all()
