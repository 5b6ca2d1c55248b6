"""Linear layers in bf16 against the same in fp64, and the numbers of rows that their kernels are made for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from translate.model.linear import Linear, missing_rows


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(5)


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="oneDNN has no bf16 products for this CPU")
@pytest.mark.parametrize("relu", [False, True])
def test_linear_layers_in_bf16_equal_those_in_fp64(relu):
    layer = Linear(24, 40, relu)
    nn.init.normal_(layer.bias)
    x, weights = torch.randn(50, 24).bfloat16().requires_grad_(), torch.randn(50, 40).bfloat16()
    wanted = [tensor.detach().double().requires_grad_() for tensor in (x, layer.weight, layer.bias)]
    expected = nn.functional.linear(*wanted)
    expected = expected.relu() if relu else expected
    (expected * weights).sum().backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(x)
    (found * weights).sum().backward()
    assert found.dtype == torch.bfloat16 and layer.weight.grad.dtype == layer.bias.grad.dtype == torch.float32
    pairs = [(found, expected), *((ours.grad, theirs.grad) for ours, theirs in zip((x, layer.weight, layer.bias), wanted))]
    for ours, theirs in pairs:
        assert (ours.double() - theirs).norm() < 0.01 * theirs.norm()  # a bf16 number has 8 significant bits
    assert (found.min() >= 0) == relu


def test_rows_are_filled_up_to_few_numbers():
    filled = {rows: rows + missing_rows(rows, 8) for rows in range(1, 1025)}
    assert all(rows <= full <= max(rows, rows * 9 / 8) for rows, full in filled.items())
    assert [filled[rows] for rows in (1, 8, 9, 15, 17, 33, 64, 65, 1000)] == [1, 8, 9, 15, 18, 36, 64, 72, 1024]
    assert len({full for full in filled.values() if 512 < full <= 1024}) == 8
