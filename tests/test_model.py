"""The model against independent truth: torch's own attention and layers with copied weights, the paper's parameter counts, cached decoding
against the full forward pass, and what must not change anything (future tokens, padding)."""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from translate.config import ModelConfig
from translate.model import Memory, Transformer
from translate.model.attention import CrossAttention, SelfAttention, causal_mask
from translate.model.layers import DecoderLayer, EncoderLayer, sinusoids
from translate.tokenizer import BOS, PAD

WIDTH, HEADS, FEEDFORWARD = 32, 4, 48
CONF = Path(__file__).parent.parent / "conf" / "model"


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(5)


def config(**changes) -> ModelConfig:
    small = ModelConfig(width=WIDTH, heads=HEADS, feedforward=FEEDFORWARD, encoder_layers=2, decoder_layers=2, dropout=0.0, max_tokens=40)
    return dataclasses.replace(small, **changes)


def copy_self(theirs: nn.MultiheadAttention, ours: SelfAttention) -> None:
    ours.query_key_value.weight.data.copy_(theirs.in_proj_weight)
    ours.query_key_value.bias.data.copy_(theirs.in_proj_bias)
    ours.output.load_state_dict(theirs.out_proj.state_dict())


def copy_cross(theirs: nn.MultiheadAttention, ours: CrossAttention) -> None:
    ours.query.weight.data.copy_(theirs.in_proj_weight[:WIDTH])
    ours.query.bias.data.copy_(theirs.in_proj_bias[:WIDTH])
    ours.key_value.weight.data.copy_(theirs.in_proj_weight[WIDTH:])
    ours.key_value.bias.data.copy_(theirs.in_proj_bias[WIDTH:])
    ours.output.load_state_dict(theirs.out_proj.state_dict())


def copy_rest(theirs: nn.Module, ours: nn.Module, residuals: list) -> None:
    ours.feedforward.inner.load_state_dict(theirs.linear1.state_dict())
    ours.feedforward.outer.load_state_dict(theirs.linear2.state_dict())
    for number, residual in enumerate(residuals, 1):
        residual.norm.load_state_dict(getattr(theirs, f"norm{number}").state_dict())


def shaken(module: nn.Module) -> nn.Module:
    """Biases and norms away from 0 and 1, so that a mix-up would show."""
    for parameter in module.parameters():
        if parameter.dim() == 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.3)
    return module


def padding(lengths: list[int], longest: int) -> torch.Tensor:
    return torch.arange(longest) < torch.tensor(lengths)[:, None]


def test_self_attention_equals_torch():
    theirs = shaken(nn.MultiheadAttention(WIDTH, HEADS, batch_first=True))
    ours = SelfAttention(WIDTH, HEADS)
    copy_self(theirs, ours)
    states, real = torch.randn(3, 7, WIDTH), padding([7, 4, 1], 7)
    expected = theirs(states, states, states, key_padding_mask=~real, need_weights=False)[0]
    torch.testing.assert_close(ours(states, real[:, None, None, :]), expected, atol=1e-5, rtol=1e-5)
    causal = theirs(states, states, states, attn_mask=~causal_mask(7, states.device), need_weights=False)[0]
    torch.testing.assert_close(ours(states, causal_mask(7, states.device)), causal, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours(states, is_causal=True), causal, atol=1e-5, rtol=1e-5)


def test_cross_attention_equals_torch():
    theirs = shaken(nn.MultiheadAttention(WIDTH, HEADS, batch_first=True))
    ours = CrossAttention(WIDTH, HEADS)
    copy_cross(theirs, ours)
    states, memory, real = torch.randn(2, 5, WIDTH), torch.randn(2, 9, WIDTH), padding([9, 3], 9)
    expected = theirs(states, memory, memory, key_padding_mask=~real, need_weights=False)[0]
    found = ours(states, ours.project(memory), real[:, None, None, :])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_encoder_layer_equals_torch(norm):
    theirs = shaken(nn.TransformerEncoderLayer(WIDTH, HEADS, FEEDFORWARD, dropout=0.0, batch_first=True, norm_first=norm == "pre"))
    ours = EncoderLayer(config(norm=norm))
    copy_self(theirs.self_attn, ours.attention)
    copy_rest(theirs, ours, [ours.attention_residual, ours.feedforward_residual])
    states, real = torch.randn(3, 6, WIDTH), padding([6, 5, 2], 6)
    expected = theirs(states, src_key_padding_mask=~real)
    found = ours(states, real[:, None, None, :])
    torch.testing.assert_close(found[real], expected[real], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_decoder_layer_equals_torch(norm):
    theirs = shaken(nn.TransformerDecoderLayer(WIDTH, HEADS, FEEDFORWARD, dropout=0.0, batch_first=True, norm_first=norm == "pre"))
    ours = DecoderLayer(config(norm=norm))
    copy_self(theirs.self_attn, ours.attention)
    copy_cross(theirs.multihead_attn, ours.cross)
    copy_rest(theirs, ours, [ours.attention_residual, ours.cross_residual, ours.feedforward_residual])
    states, memory, real = torch.randn(2, 5, WIDTH), torch.randn(2, 8, WIDTH), padding([8, 4], 8)
    expected = theirs(states, memory, tgt_mask=~causal_mask(5, states.device), memory_key_padding_mask=~real)
    found = ours(states, Memory(memory, real[:, None, None, :]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_sinusoids_by_the_formula():
    table = sinusoids(50, 16)
    for position, pair in [(0, 0), (1, 0), (7, 3), (49, 7)]:
        angle = position / 10000 ** (2 * pair / 16)
        assert table[position, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-6)
        assert table[position, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


@pytest.mark.parametrize(("name", "millions"), [("base", 65.0), ("big", 213.0)])
def test_parameters_of_the_paper(name, millions):
    """Vaswani et al. 2017, table 3, give 65 and 213 million with about 37,000 shared pieces; and the exact number, counted by hand."""
    settings = ModelConfig(**yaml.safe_load((CONF / f"{name}.yaml").read_text()))
    pieces, D, F, L = 37_000, settings.width, settings.feedforward, settings.encoder_layers
    with torch.device("meta"):
        model = Transformer(settings, pieces, pieces)
    counted = sum(parameter.numel() for parameter in model.parameters())
    attention, feedforward, norm = 4 * (D * D + D), 2 * D * F + D + F, 2 * D
    assert settings.encoder_layers == settings.decoder_layers == 6 and settings.norm == "post"
    assert (D, F, settings.heads) == {"base": (512, 2048, 8), "big": (1024, 4096, 16)}[name]
    assert counted == pieces * D + L * (attention + feedforward + 2 * norm) + L * (2 * attention + feedforward + 3 * norm)
    assert counted / 1e6 == pytest.approx(millions, rel=0.04)


def model_and_input(norm: str = "pre") -> tuple[Transformer, torch.Tensor, torch.Tensor]:
    model = shaken(Transformer(config(norm=norm), 30, 30)).requires_grad_(False)
    source, target = torch.randint(4, 30, (3, 9)), torch.randint(4, 30, (3, 7))
    target[:, 0] = BOS
    for row, length in enumerate([9, 6, 2]):
        source[row, length:] = PAD
    return model, source, target


def test_embeddings_are_one_matrix():
    tied, untied = Transformer(config(), 30, 30), Transformer(config(), 25, 30, tied=False)
    assert tied.source_embedding.weight is tied.target_embedding.weight
    assert untied.source_embedding.weight.shape == (25, WIDTH) and untied.target_embedding.weight.shape == (30, WIDTH)
    features = torch.randn(2, WIDTH)
    torch.testing.assert_close(tied.logits(features), features @ tied.target_embedding.weight.T)


def test_a_sentence_longer_than_max_tokens_is_refused():
    model, _, _ = model_and_input()
    longest = model.config.max_tokens
    short, long = torch.full((1, 3), 5), torch.full((1, longest + 1), 5)
    for source, target in [(long, short), (short, long)]:
        with pytest.raises(ValueError, match=rf"{longest + 1} tokens is longer than the model's max_tokens \({longest}\)"):
            model(source, target)
    cache = model.start(model.encode(short))
    with pytest.raises(ValueError, match=f"{longest + 1} tokens"):
        for _ in range(longest + 1):
            _, cache = model.step(short[:, 0], cache)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_future_changes_nothing(norm):
    model, source, target = model_and_input(norm)
    before = model(source, target)
    changed = target.clone()
    changed[:, 4:] = torch.randint(4, 30, (3, 3))
    after = model(source, changed)
    torch.testing.assert_close(after[:, :4], before[:, :4], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(after[:, 4:], before[:, 4:])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_padding_changes_nothing(norm):
    model, source, target = model_and_input(norm)
    together = model(source, target)
    for row, length in enumerate([9, 6, 2]):
        alone = model(source[row : row + 1, :length], target[row : row + 1, :5])
        torch.testing.assert_close(together[row : row + 1, :5], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_cached_steps_equal_the_full_forward(norm):
    model, source, target = model_and_input(norm)
    expected = model(source, target)
    cache = model.start(model.encode(source))
    for position in range(target.shape[1]):
        logits, cache = model.step(target[:, position], cache)
        torch.testing.assert_close(logits, expected[:, position], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_bf16_stays_close_to_fp32_forward_and_backward(norm):
    model, source, target = model_and_input(norm)
    model.requires_grad_()

    def run(enabled):
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            features = model.features(source, target)
        (features.float() * weights).sum().backward()
        return features.float(), torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    weights = torch.randn(*target.shape, WIDTH)
    # a bf16 number has 8 significant bits; the gradient has gone through all layers twice
    for found, expected, tolerance in zip(run(True), run(False), (0.015, 0.08)):
        assert 0 < (found - expected).norm() < tolerance * expected.norm()


def test_selecting_beams_equals_decoding_each_hypothesis():
    """Three beams a sentence, reordered, and one sentence leaving: every row equals the full forward over its own history."""
    model, source, target = model_and_input()
    cache = model.start(model.encode(source)).reorder(torch.arange(3).repeat_interleave(3), torch.arange(3))
    histories = target[:, :1].repeat_interleave(3, 0)
    for keep in [torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8]), torch.tensor([2, 0, 0, 5, 4, 3, 7, 7, 8]), torch.tensor([1, 0, 2, 8, 6, 6])]:
        _, cache = model.step(histories[:, -1], cache)
        sentences = torch.unique(keep // 3)
        cache, histories, source = cache.reorder(keep, sentences), histories[keep], source[sentences]
        histories = torch.cat([histories, torch.randint(4, 30, (len(keep), 1))], dim=1)
        logits, _ = model.step(histories[:, -1], copy.deepcopy(cache))  # which it changes
        full = model(source.repeat_interleave(3, 0), histories)[:, -1]
        torch.testing.assert_close(logits, full, atol=1e-5, rtol=1e-5)


def test_dropout_is_that_of_training_mode_alone():
    _, source, target = model_and_input()
    model = Transformer(config(dropout=0.4), 30, 30)
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(model(source, target))
    assert torch.equal(runs[0], runs[1]) and not torch.allclose(runs[0], runs[2])
    model.eval()
    assert torch.equal(model(source, target), model(source, target))
    without = Transformer(config(dropout=0.0), 30, 30)
    without.load_state_dict(model.state_dict())
    torch.testing.assert_close(without(source, target), model(source, target))


def test_names_of_the_weights_stay():
    """Bundles hold them."""
    names = set(Transformer(config(encoder_layers=1, decoder_layers=1), 30, 30, tied=False).state_dict())
    attention, feedforward = ("attention.query_key_value", "attention.output"), ("feedforward.inner", "feedforward.outer")
    cross = ("cross.query", "cross.key_value", "cross.output")
    modules = {
        "encoder.0.": (*attention, *feedforward, "attention_residual.norm", "feedforward_residual.norm"),
        "decoder.0.": (*attention, *cross, *feedforward, "attention_residual.norm", "cross_residual.norm", "feedforward_residual.norm"),
        "": ("encoder_norm", "decoder_norm"),
    }
    expected = {f"{place}{module}.{leaf}" for place, those in modules.items() for module in those for leaf in ("weight", "bias")}
    expected |= {"target_embedding.weight", "source_embedding.weight"}
    assert names == expected
