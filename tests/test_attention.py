"""Attention by hand, and the gradient that training on a CPU computes of it, against finite differences and torch's own differentiation."""

from __future__ import annotations

import math

import pytest
import torch

from translate.model.attention import PARTS, attend, causal_mask, multi_head


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(5)


def test_attention_of_one_query_by_hand():
    query, key, value = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[1.0, 5.0], [0.0, 7.0]]]]), torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    first = math.exp(1 / math.sqrt(2)) / (math.exp(1 / math.sqrt(2)) + 1)
    expected = torch.tensor([[[[first * 1 + (1 - first) * 3, first * 2 + (1 - first) * 4]]]])
    torch.testing.assert_close(attend(query, key, value, None), expected)


@pytest.mark.parametrize("kind", ["self", "causal", "cross"])
@pytest.mark.parametrize(("heads", "length"), [(2, 5), (1, 5), (2, 1)])
def test_gradient_of_the_attention(kind, heads, length):
    """Written out, it equals that of finite differences, and in every row and weight that of torch's own differentiation of `attend`."""
    shapes = [(3, length), (3, 4)][: 2 if kind == "cross" else 1]
    B, S = shapes[-1]
    real = (torch.arange(S) < torch.tensor([S, 2, 1])[:, None])[:, None, None, :]
    mask = causal_mask(length, real.device) if kind == "causal" else real
    # two rows more than the sentences have
    given = [torch.randn(B * T + 2, parts * 4, dtype=torch.float64, requires_grad=True) for (_, T), parts in zip(shapes, PARTS[len(shapes)])]

    def found(*tensors: torch.Tensor) -> torch.Tensor:
        return multi_head(heads, mask, *zip(tensors, shapes))

    def expected(*tensors: torch.Tensor) -> torch.Tensor:
        parts = [tensor[: B * T].view(B, T, -1, heads, 4 // heads).permute(2, 0, 3, 1, 4) for tensor, (_, T) in zip(tensors, shapes)]
        return attend(*torch.cat(parts) if len(parts) == 1 else [*parts[0], *parts[1]], mask).transpose(1, 2).reshape(B * shapes[0][1], 4)

    assert torch.autograd.gradcheck(found, given)
    ours, theirs = found(*given), expected(*given)
    assert torch.equal(ours[len(theirs) :], torch.zeros(2, 4, dtype=torch.float64))
    torch.testing.assert_close(ours[: len(theirs)], theirs)
    weights = torch.randn_like(ours)
    theirs = torch.autograd.grad((theirs * weights[: len(theirs)]).sum(), given)
    torch.testing.assert_close(torch.autograd.grad((ours * weights).sum(), given), theirs)
