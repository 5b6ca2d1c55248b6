"""A packed model says what the model said: same states and scores, in fp32 up to rounding, in bf16 nearly so."""

from __future__ import annotations

import copy

import pytest
import torch

from translate.config import ModelConfig
from translate.model import Transformer, pack
from translate.model import packed as module
from translate.tokenizer import BOS, PAD

SOURCE = torch.tensor([[5, 6, 7, 8, 2], [9, 10, 2, PAD, PAD]])
TARGET = torch.tensor([[BOS, 11, 12, 13], [BOS, 14, 15, 16]])


def made(norm: str, tied: bool) -> Transformer:
    torch.manual_seed(3)
    config = ModelConfig(width=32, heads=4, feedforward=48, encoder_layers=2, decoder_layers=2, dropout=0.1, norm=norm, max_tokens=40)
    return Transformer(config, 37 if tied else 23, 37, tied=tied).eval().requires_grad_(False)


def scores(model: Transformer) -> torch.Tensor:
    """(B, T, V), step by step."""
    state, found = model.start(model.encode(SOURCE)), []
    for position in range(TARGET.shape[1]):
        logits, state = model.step(TARGET[:, position], state)
        found.append(logits.float())
    return torch.stack(found, dim=1)


@pytest.mark.parametrize("packable", [True, False])
@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_packed_weights_say_the_same(norm, tied, precision, tolerance, packable, monkeypatch):
    if not packable:  # as on a machine without oneDNN
        monkeypatch.setattr(module, "can_pack", lambda precision: False)
    model = made(norm, tied)
    expected = scores(model)
    full = model.logits(model(SOURCE, TARGET))
    torch.testing.assert_close(expected, full, rtol=1e-5, atol=1e-5)
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    found = scores(pack(copy.deepcopy(model), precision))
    assert (found - expected).norm() < tolerance * expected.norm()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.named_parameters())  # the copy alone was changed


@pytest.mark.skipif(not module.can_pack(torch.float32), reason="needs oneDNN")
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_any_number_of_rows(activation):
    """Those above 64 are filled up on the way in; none is seen on the way out."""
    linear = torch.nn.Linear(16, 24)
    packed = module.PackedLinear(linear.weight, linear.bias, torch.float32, activation)
    for shape in ((1,), (64,), (65,), (13, 5), (3, 7, 11), (1000,), (1025,)):
        x = torch.randn(*shape, 16)
        expected = linear(x).relu() if activation == "relu" else linear(x)
        torch.testing.assert_close(packed(x), expected, rtol=1e-5, atol=1e-5)
