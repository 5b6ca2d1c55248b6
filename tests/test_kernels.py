"""The seam: what training and search get with and without kernels, and each kernel against its plain twin."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from translate.config import ModelConfig
from translate.errors import UserError
from translate.kernels import for_training, use_kernels
from translate.kernels.direct_calls import call_directly
from translate.kernels.dropout import ByteDropout, dropout_mask
from translate.model import Transformer
from translate.model.layers import set_dropout_generator
from translate.tokenizer import BOS, PAD

CPU = torch.device("cpu")
SOURCE = torch.tensor([[5, 6, 7, 8, 2], [9, 10, 2, PAD, PAD]])
TARGET = torch.tensor([[BOS, 11, 12, 13], [BOS, 14, 15, 16]])


def made(dropout: float, norm: str = "pre") -> Transformer:
    torch.manual_seed(3)
    return Transformer(
        ModelConfig(width=32, heads=4, feedforward=48, encoder_layers=2, decoder_layers=2, dropout=dropout, norm=norm, max_tokens=40), 37, 37
    )


def gradients(model: Transformer, precision: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
        features = model.features(SOURCE, TARGET)
    (features.float() * torch.linspace(-1, 1, 32)).sum().backward()
    return features.float(), torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def test_plain_runs_without_kernels(monkeypatch):
    for value, kernels in ((None, True), ("auto", True), ("plain", False)):
        monkeypatch.setenv("TRANSLATE_KERNELS", value) if value else monkeypatch.delenv("TRANSLATE_KERNELS", raising=False)
        model = made(0.1)
        for_training(model, CPU)
        assert use_kernels() == kernels
        assert any(type(module).__module__.startswith("translate.kernels") for module in model.modules()) == kernels
    monkeypatch.setenv("TRANSLATE_KERNELS", "fast")
    with pytest.raises(UserError, match="TRANSLATE_KERNELS is 'fast': choose auto or plain"):
        use_kernels()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_model_in_training_keeps_its_weights_values_and_gradients(norm, precision):
    plain = made(0.0, norm)
    model = copy.deepcopy(plain)
    for_training(model, CPU)
    assert list(model.state_dict()) == list(plain.state_dict())
    for found, expected, tolerance in zip(gradients(model, precision), gradients(plain, torch.float32), (0.015, 0.08)):
        assert (found - expected).norm() <= (tolerance if precision == torch.bfloat16 else 1e-6) * expected.norm()


def test_dropout_rate_and_expectation():
    torch.manual_seed(1)
    mask = dropout_mask(torch.empty(1000, 1001), 0.3)
    dropped = (mask == 0).double().mean().item()
    assert abs(dropped - round(0.3 * 256) / 256) < 0.002  # four standard deviations of a million draws
    assert mask.double().mean().item() == pytest.approx(1.0, abs=0.004)
    assert len(mask.unique()) == 2
    # neighbours, and bytes of one draw, are independent
    kept = (mask > 0).double().flatten()
    for distance in (1, 3, 8, 1001):
        assert abs(torch.corrcoef(torch.stack([kept[:-distance], kept[distance:]]))[0, 1].item()) < 0.005


def test_dropout_by_bytes_does_what_torch_does():
    """A value that is kept, and its gradient, are multiplied by the same factor; without training there is no dropout."""
    for layer, rate in ((nn.Dropout(0.25), 0.25), (ByteDropout(0.25), 0.25), (ByteDropout(0.3), 77 / 256)):
        x = torch.ones(400, 400, requires_grad=True)
        found = layer(x * 1)  # which it overwrites
        found.sum().backward()
        assert torch.equal(found, x.grad)
        assert sorted(found.unique().tolist()) == pytest.approx([0, 1 / (1 - rate)])
        assert (found == 0).double().mean().item() == pytest.approx(rate, abs=0.006)
        assert layer.eval()(x) is x or torch.equal(layer(x), x)
    states = torch.ones(3)
    assert torch.equal(ByteDropout(0.0)(states), states)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_direct_calls_change_nothing(norm):
    plain = made(0.1, norm).eval()
    model = copy.deepcopy(plain)
    call_directly(model)
    caches = [each.start(each.encode(SOURCE)) for each in (plain, model)]
    for position in range(TARGET.shape[1]):
        (expected, caches[0]), (found, caches[1]) = (each.step(TARGET[:, position], cache) for each, cache in zip((plain, model), caches))
        assert torch.equal(found, expected)
    assert torch.equal(model(SOURCE, TARGET), plain(SOURCE, TARGET))


@pytest.mark.parametrize("kernels", [False, True])
def test_dropout_draws_from_a_generator_of_its_own(kernels, monkeypatch):
    """Whatever else in the process draws random numbers: that is what exact resume and training in a thread rest on."""
    monkeypatch.setenv("TRANSLATE_KERNELS", "auto" if kernels else "plain")
    model = made(0.3).train()
    for_training(model, CPU)
    generator = torch.Generator()
    set_dropout_generator(model, generator)
    features, state = [], torch.get_rng_state()
    for seed in (1, 2, 1):
        generator.manual_seed(seed)
        features.append(model.features(SOURCE, TARGET))
        assert torch.equal(torch.get_rng_state(), state)
        torch.rand(3)
        state = torch.get_rng_state()
    assert torch.equal(features[0], features[2]) and not torch.equal(features[0], features[1])
    set_dropout_generator(model, None)
    torch.manual_seed(1)
    model.features(SOURCE, TARGET)
    assert not torch.equal(torch.get_rng_state(), state)
