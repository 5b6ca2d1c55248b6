"""A packed model says what the model said: same states and scores, in fp32 up to rounding, in fp16 and bf16 nearly so."""

from __future__ import annotations

import copy

import pytest
import torch

from translate.config import ModelConfig
from translate.device import choose_search_precision, multiplies_fp16_weights
from translate.kernels import packed as module
from translate.kernels.packed import pack
from translate.model import Transformer, transformer
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


needs_fp16 = pytest.mark.skipif(not multiplies_fp16_weights(), reason="needs FBGEMM")


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
    linear = torch.nn.Linear(16, 24)
    packed = module.PackedLinear(linear.weight, linear.bias, torch.float32, activation)
    for shape in ((1,), (64,), (65,), (13, 5), (3, 7, 11), (1000,), (1025,)):
        x = torch.randn(*shape, 16)
        expected = linear(x).relu() if activation == "relu" else linear(x)
        torch.testing.assert_close(packed(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not module.can_pack(torch.float32), reason="needs oneDNN")
@torch.no_grad()
def test_rows_filled_up_for_the_search_change_no_score(monkeypatch):
    """Eleven sentences of nine tokens are 99 rows, filled up to 104, then 11, or 55 with five hypotheses each, filled up to 56."""
    model = made("pre", True)
    source = torch.randint(4, 37, (11, 9))
    source[3, 5:] = PAD
    rows = torch.arange(11).repeat_interleave(5)
    sizes, fill = [], transformer.fill
    monkeypatch.setattr(transformer, "fill", lambda states, grain: sizes.append(len(filled := fill(states, grain))) or filled)

    def found(model: Transformer) -> torch.Tensor:
        state = model.start(model.encode(source))
        first, state = model.step(torch.full((11,), BOS), state)
        second, _ = model.step(torch.arange(55) % 30 + 4, state.select(rows, torch.arange(11)))
        assert first.shape == (11, 37) and second.shape == (55, 37)
        return torch.cat([first, second])

    expected, told = found(model), sizes.copy()
    packed = found(pack(copy.deepcopy(model), torch.float32))
    assert (told, sizes[len(told) :]) == ([99, 11, 55], [104, 11, 56])
    torch.testing.assert_close(packed, expected, rtol=1e-5, atol=1e-5)


@needs_fp16
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_weights_in_fp16_say_nearly_the_same(norm, tied):
    """An fp16 number has 11 significant bits; what is multiplied with them and added up stays fp32."""
    model = made(norm, tied)
    expected = scores(model)
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    found = scores(pack(copy.deepcopy(model), torch.float16))
    assert found.dtype == torch.float32
    assert 0 < (found - expected).norm() < 0.001 * expected.norm()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.named_parameters())


@needs_fp16
@pytest.mark.parametrize("activation", ["none", "relu"])
@pytest.mark.parametrize("biased", [True, False])
def test_fp16_weights_are_rounded_and_nothing_else_is(activation, biased):
    """Against torch's own product of the weights rounded to fp16, for any number of rows and any shape."""
    linear = torch.nn.Linear(16, 24, bias=biased)
    product = module.Fp16WeightLinear(linear.weight, linear.bias, activation)
    for shape in ((1,), (6,), (13, 5), (3, 7, 11), (1025,)):
        x = torch.randn(*shape, 16)
        expected = torch.nn.functional.linear(x, linear.weight.half().float(), linear.bias)
        torch.testing.assert_close(product(x), expected.relu() if activation == "relu" else expected, rtol=1e-5, atol=1e-5)


def test_the_precision_of_search(monkeypatch):
    cpu = torch.device("cpu")
    for bf16, fp16, chosen in (
        (True, True, torch.bfloat16), (True, False, torch.bfloat16), (False, True, torch.float16), (False, False, torch.float32),
    ):  # fmt: skip
        monkeypatch.setattr("translate.device._multiplies_bf16", lambda device, answer=bf16: answer)
        monkeypatch.setattr("translate.device.multiplies_fp16_weights", lambda answer=fp16: answer)
        assert choose_search_precision("auto", cpu) == chosen
        assert choose_search_precision("fp32", cpu) == torch.float32
        if fp16:
            assert choose_search_precision("fp16", cpu) == torch.float16
        else:
            with pytest.raises(ValueError, match="precision fp16 is for x86 CPUs"):
                choose_search_precision("fp16", cpu)
    with pytest.raises(ValueError, match="choose auto, fp32, bf16 or fp16"):
        choose_search_precision("fp8", cpu)
    with pytest.raises(ValueError, match="precision fp16 is for x86 CPUs"):
        choose_search_precision("fp16", torch.device("cuda"))
