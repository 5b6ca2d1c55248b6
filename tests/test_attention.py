"""Attention by hand, and its weights, masks and gradient against torch's own kernel."""

from __future__ import annotations

import math

import pytest
import torch

from translate.model.attention import attend, causal_mask


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(5)


def test_attention_of_one_query_by_hand():
    query, key, value = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[1.0, 5.0], [0.0, 7.0]]]]), torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    first = math.exp(1 / math.sqrt(2)) / (math.exp(1 / math.sqrt(2)) + 1)
    expected = torch.tensor([[[[first * 1 + (1 - first) * 3, first * 2 + (1 - first) * 4]]]])
    torch.testing.assert_close(attend(query, key, value), expected)
    output, weights = attend(query, key, value, need_weights=True)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(weights, torch.tensor([[[[first, 1 - first]]]]))


@pytest.mark.parametrize("kind", ["none", "padding", "added", "causal"])
@pytest.mark.parametrize("length", [1, 5])
def test_value_and_gradient_equal_those_of_torch(kind, length):
    query = torch.randn(3, 2, length, 4, dtype=torch.float64, requires_grad=True)
    S = length if kind == "causal" else 4
    key, value = (torch.randn(3, 2, S, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    real = (torch.arange(S) < torch.tensor([S, 2, 1])[:, None])[:, None, None, :]
    mask = {"padding": real, "added": torch.zeros(real.shape, dtype=torch.float64).masked_fill(~real, -math.inf)}.get(kind)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=kind == "causal")
    output, weights = attend(query, key, value, mask, kind == "causal", need_weights=True)
    for found in (output, attend(query, key, value, mask, kind == "causal"), weights @ value):
        torch.testing.assert_close(found, expected)
    with torch.no_grad():
        torch.testing.assert_close(attend(query, key, value, mask, kind == "causal"), expected)
    allowed = {"padding": real, "added": real, "causal": causal_mask(length, real.device)}.get(kind, torch.ones((), dtype=torch.bool))
    assert torch.equal(weights > 0, allowed.expand_as(weights))
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, length, dtype=torch.float64))
    incoming = torch.randn_like(expected)
    gradients = [torch.autograd.grad((found * incoming).sum(), (query, key, value)) for found in (output, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("grad", [True, False])
def test_a_mask_beside_is_causal_is_refused(grad):
    query = torch.randn(1, 1, 3, 4)
    with torch.set_grad_enabled(grad), pytest.raises(ValueError, match="mask and is_causal"):
        attend(query, query, query, causal_mask(3, query.device), is_causal=True)
