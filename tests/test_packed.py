"""A packed model gives the model's own states and scores: in fp32 up to rounding, in fp16 and bf16 nearly so; and so do the plain twins."""

from __future__ import annotations

import copy

import pytest
import torch

from translate.config import DecodingConfig, ModelConfig
from translate.decoding import Options
from translate.device import choose_search_precision, multiplies_fp16_weights
from translate.kernels import for_search, packed
from translate.kernels.packed import Fp16WeightLinear, PackedLinear, RoundedLinear, can_pack, missing_rows, pack
from translate.model import Transformer
from translate.tokenizer import BOS, PAD
from translate.translation.torch_engine import TorchEngine

CPU = torch.device("cpu")
SOURCE = torch.tensor([[5, 6, 7, 8, 2], [9, 10, 2, PAD, PAD]])
TARGET = torch.tensor([[BOS, 11, 12, 13], [BOS, 14, 15, 16]])
TOLERANCE = {torch.float32: 1e-5, torch.float16: 0.001, torch.bfloat16: 0.03}  # of 24, 11 and 8 significant bits


def made(norm: str = "pre", tied: bool = True) -> Transformer:
    torch.manual_seed(3)
    config = ModelConfig(width=32, heads=4, feedforward=48, encoder_layers=2, decoder_layers=2, dropout=0.1, norm=norm, max_tokens=40)
    return Transformer(config, 37 if tied else 23, 37, tied=tied).eval().requires_grad_(False)


@torch.no_grad()
def scores(model) -> torch.Tensor:
    """(B, T, V), step by step."""
    cache, found = model.start(model.encode(SOURCE)), []
    for position in range(TARGET.shape[1]):
        logits, cache = model.step(TARGET[:, position], cache)
        found.append(logits.float())
    return torch.stack(found, dim=1)


needs_fp16 = pytest.mark.skipif(not multiplies_fp16_weights(), reason="needs FBGEMM")
needs_packed = pytest.mark.skipif(not can_pack(torch.float32), reason="needs oneDNN")


@pytest.mark.parametrize("kernels", ["auto", "plain", "lacking"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, pytest.param(torch.float16, marks=needs_fp16)])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_packed_weights_give_the_same_scores(norm, tied, precision, kernels, monkeypatch):
    if kernels == "lacking":  # as on a machine without oneDNN
        monkeypatch.setattr(packed, "can_pack", lambda precision: False)
    else:
        monkeypatch.setenv("TRANSLATE_KERNELS", kernels)
    model = made(norm, tied)
    expected = scores(model)
    torch.testing.assert_close(expected, model(SOURCE, TARGET), rtol=1e-5, atol=1e-5)
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    found = scores(for_search(copy.deepcopy(model).train(), CPU, precision))
    assert (found - expected).norm() < TOLERANCE[precision] * expected.norm()
    assert (precision == torch.float32) or not torch.equal(found, expected)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.named_parameters())  # the copy alone was changed


@needs_packed
def test_the_cache_of_a_packed_model_is_fp32():
    """In bf16 greedy search was a sixth faster, but of 1,000 translations 23 to 31 depended on their batch, with fp32 0 to 2."""
    model = pack(made(), torch.bfloat16)
    cache = model.start(model.encode(SOURCE))
    assert cache.key_value.dtype == cache.memory.dtype == torch.float32


@needs_packed
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_a_packed_product_equals_its_twin_for_any_number_of_rows(activation, precision):
    torch.manual_seed(3)
    linear = torch.nn.Linear(16, 24)
    settings = (linear.weight, linear.bias, precision, torch.float32, activation)
    product, twin = PackedLinear(*settings), RoundedLinear(*settings)
    for shape in ((1,), (64,), (65,), (13, 5), (3, 7, 11), (1000,), (1025,)):
        x = torch.randn(*shape, 16)
        found, expected = product(x), twin(x)
        assert found.dtype == torch.float32 and found.shape == (*shape, 24)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 if precision == torch.float32 else 0.02)


def test_rows_are_padded_to_few_numbers():
    padded = {rows: rows + missing_rows(rows) for rows in range(1, 1025)}
    assert all(rows <= full <= max(rows, rows * 9 / 8) for rows, full in padded.items())
    assert [padded[rows] for rows in (1, 8, 9, 15, 17, 33, 64, 65, 1000)] == [1, 8, 9, 15, 18, 36, 64, 72, 1024]
    assert len({full for full in padded.values() if 512 < full <= 1024}) == 8


@needs_fp16
@pytest.mark.parametrize("activation", ["none", "relu"])
@pytest.mark.parametrize("biased", [True, False])
def test_fp16_weights_are_rounded_and_nothing_else_is(activation, biased):
    """Against torch's own product of the weights rounded to fp16, for any number of rows and any shape."""
    linear = torch.nn.Linear(16, 24, bias=biased)
    product = Fp16WeightLinear(linear.weight, linear.bias, activation)
    twin = RoundedLinear(linear.weight, linear.bias, torch.float16, torch.float32, activation)
    for shape in ((1,), (6,), (13, 5), (3, 7, 11), (1025,)):
        x = torch.randn(*shape, 16)
        expected = torch.nn.functional.linear(x, linear.weight.half().float(), linear.bias)
        expected = expected.relu() if activation == "relu" else expected
        torch.testing.assert_close(product(x), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(twin(x), expected, rtol=1e-5, atol=1e-5)


def test_the_precision_of_search(monkeypatch):
    for bf16, fp16, chosen in (
        (True, True, torch.bfloat16), (True, False, torch.bfloat16), (False, True, torch.float16), (False, False, torch.float32),
    ):  # fmt: skip
        monkeypatch.setattr("translate.device._multiplies_bf16", lambda device, answer=bf16: answer)
        monkeypatch.setattr("translate.device.multiplies_fp16_weights", lambda answer=fp16: answer)
        assert choose_search_precision("auto", CPU) == chosen
        assert choose_search_precision("auto", CPU, single=True) == (torch.float16 if fp16 else chosen)
        assert choose_search_precision("bf16", CPU, single=True) == torch.bfloat16
        assert choose_search_precision("fp32", CPU) == torch.float32
        if fp16:
            assert choose_search_precision("fp16", CPU) == torch.float16
        else:
            with pytest.raises(ValueError, match="precision fp16 needs an x86 CPU"):
                choose_search_precision("fp16", CPU)
    with pytest.raises(ValueError, match="choose auto, fp32, bf16 or fp16"):
        choose_search_precision("fp8", CPU)
    with pytest.raises(ValueError, match="precision fp16 needs an x86 CPU"):
        choose_search_precision("fp16", torch.device("cuda"))


@needs_fp16
@pytest.mark.parametrize("sample", [False, True])
def test_a_single_sentence_is_searched_in_its_own_precision(sample):
    """The numbers are those of an engine of that precision, for one sentence and for two."""
    options = Options(beam=None if sample else 2, sample=sample).fill(DecodingConfig())
    engines = [TorchEngine.owning(made(), CPU, *precisions) for precisions in ((torch.float32, torch.float16), (torch.float32,), (torch.float16,))]
    for sources, expected in (([[5, 6, 2]], 2), ([[5, 6, 2], [7, 2]], 1)):
        found = [engine.search(sources, [5] * len(sources), options, [1] * len(sources)) for engine in engines]
        assert found[0] == found[expected] != found[3 - expected]
