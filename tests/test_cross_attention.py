"""Cross-attention for alignments: against attention computed by torch's own module, in every precision, and the same from both engines and beside a
search as for given pairs."""

from __future__ import annotations

import numpy
import pytest
import torch
from torch import nn

from tests.test_ctranslate2_engine import LINES
from translate.bundle.bundle import Bundle, write_config, write_model
from translate.config import Config, DataConfig, DecodingConfig, FilterConfig, ModelConfig, TokenizerConfig
from translate.decoding import Options
from translate.errors import UserError
from translate.kernels import for_search
from translate.model import Transformer
from translate.profile import Profile
from translate.tokenizer import BOS, EOS, PAD, train_tokenizer
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.engine import load_engine

CPU = torch.device("cpu")
TEXTS = [line for line in LINES if line.strip()]


def sharp_model(norm: str = "pre", **changes) -> Transformer:
    torch.manual_seed(3)
    config = ModelConfig(width=32, heads=4, feedforward=48, encoder_layers=1, decoder_layers=3, dropout=0.0, max_tokens=20, norm=norm)
    model = Transformer(config, 40, 40).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.mul_(1.5) if parameter.dim() == 2 else parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def by_torch(model: Transformer, source: list[int], target: list[int], layer: int) -> torch.Tensor:
    """(heads, T, S) of one sentence: the layers below by the model itself, which has tests of its own, this one's attention by torch's module."""
    memory = model.encode(torch.tensor([source]))
    states = model.embed(model.target_embedding, torch.tensor([target]), model.positions[: len(target)])
    for below in model.decoder.layers[:layer]:
        states = below(states, memory)
    block, pre = model.decoder.layers[layer], model.config.norm == "pre"
    own, other = block.attention_residual.norm, block.cross_residual.norm
    states = states + block.attention(own(states), is_causal=True) if pre else own(states + block.attention(states, is_causal=True))
    module = nn.MultiheadAttention(model.config.width, model.config.heads, batch_first=True).eval()
    module.in_proj_weight.data.copy_(torch.cat([block.cross.query.weight, block.cross.key_value.weight]))
    module.in_proj_bias.data.copy_(torch.cat([block.cross.query.bias, block.cross.key_value.bias]))
    return module(other(states) if pre else states, memory.states, memory.states, average_attn_weights=False)[1][0].detach()


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_weights_equal_torch_whatever_is_in_the_batch(norm, layer):
    model = sharp_model(norm)
    sources, targets = [[5, 9, 17, 30, EOS], [8, 7, EOS]], [[BOS, 11, 12], [BOS, 33, 4, 21, 6]]
    source = torch.tensor([sources[0], sources[1] + [PAD] * 2])
    target = torch.tensor([targets[0] + [PAD] * 2, targets[1]])
    weights = model.cross_attention(target, model.encode(source), layer)
    assert weights.shape == (2, 4, 5, 5) and float(weights[1, :, :, 3:].abs().max()) == 0
    for row, (one, other) in enumerate(zip(sources, targets)):
        expected = by_torch(model, one, other, layer)
        assert expected.std().item() > 0.05  # far from uniform
        torch.testing.assert_close(weights[row, :, : len(other), : len(one)], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-5), (torch.float16, 5e-3), (torch.bfloat16, 6e-2)])
def test_packed_models_have_the_same_weights(precision, tolerance):
    source, target = torch.tensor([[5, 9, 17, 30, EOS]]), torch.tensor([[BOS, 11, 12, 30]])
    expected = by_torch(sharp_model(), source[0].tolist(), target[0].tolist(), 2)
    packed = for_search(sharp_model(), CPU, precision)
    with torch.no_grad():
        found = packed.cross_attention(target, packed.encode(source), 2)[0].float()
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def test_rows_of_either_step_and_of_a_cut_output():
    steps = numpy.arange(12, dtype=numpy.float64).reshape(4, 3)  # of the begin mark and three tokens
    assert AlignmentHeads(0, (0,), 0).rows(steps, 3).tolist() == steps[:3].tolist()
    assert AlignmentHeads(0, (0,), 1).rows(steps, 3).tolist() == steps[1:].tolist()
    assert AlignmentHeads(0, (0,), 1).rows(steps, 4).tolist() == [*steps[1:].tolist(), steps[3].tolist()]
    assert AlignmentHeads(0, (0,), 0).rows(steps[:1], 0).shape == (0, 3)
    weights = torch.rand(2, 4, 5, 6)
    assert torch.equal(AlignmentHeads(0, (1, 3), 0).mean(weights), (weights[:, 1] + weights[:, 3]) / 2)


@pytest.fixture(scope="module", params=[0, 1], ids=["output step", "input step"])
def run(request, tmp_path_factory):
    """A model whose profile names two heads of the middle layer."""
    folder = tmp_path_factory.mktemp("aligned") / "run"
    folder.mkdir()
    config = Config(
        data=DataConfig(filters=FilterConfig(max_tokens=64)),
        tokenizer=TokenizerConfig(vocabulary=310),
        model=ModelConfig(width=32, heads=4, feedforward=48, encoder_layers=2, decoder_layers=3, max_tokens=64),
        decoding=DecodingConfig(beam=4, max_ratio=1.0, max_extra=6),
    )
    tokenizer = train_tokenizer([(line, line.upper()) for line in TEXTS], config.tokenizer, folder)
    torch.manual_seed(2)
    model = Transformer(config.model, tokenizer.source_size, tokenizer.target_size)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5) if parameter.dim() == 2 else parameter.add_(torch.randn_like(parameter) * 0.1)
    write_config(folder, config, tokenizer)
    profile = Profile(alignment_layer=1, alignment_heads=[1, 3], alignment_shift=request.param)
    write_model(Bundle(folder, config, tokenizer, model, profile=profile), "no data")
    return folder


def engine_of(run, name: str = "torch"):
    engine, tokenizer, config, _ = load_engine(str(run), "cpu", "fp32" if name == "torch" else "auto", name, "default")
    return engine, tokenizer.encode_source(TEXTS), config.decoding


@pytest.mark.parametrize("name", ["torch", "ctranslate2"])
@pytest.mark.parametrize("beam", [1, 4])
@pytest.mark.parametrize("limit", [30, 3])
def test_beside_a_search_as_for_given_pairs(run, name, beam, limit):
    if name == "ctranslate2":
        pytest.importorskip("ctranslate2")
    engine, sources, decoding = engine_of(run, name)
    options = Options(beam=beam, n_best=min(beam, 2)).fill(decoding)
    limits = [limit + place % 3 for place in range(len(sources))]  # so that those which are cut off don't all end together
    plain, found = (engine.search(sources, limits, options, [], 0, align) for align in (False, True))
    assert plain == found and all(hypothesis.attention is None for hypotheses in plain for hypothesis in hypotheses)
    reference = engine_of(run)[0]
    for source, hypotheses in zip(sources, found):
        for hypothesis in hypotheses:
            assert hypothesis.attention.shape == (len(hypothesis.ids), len(source)) and hypothesis.attention.dtype == numpy.float32
            numpy.testing.assert_allclose(hypothesis.attention.sum(axis=1), 1, atol=1e-5)
            expected = reference.align([source], [hypothesis.ids])[0]
            rows = slice(None) if hypothesis.complete or not reference.alignment.shift else slice(-1)  # a cut one may lack the step after it
            numpy.testing.assert_allclose(hypothesis.attention[rows], expected[rows], atol=1e-4)
    for source, limit, [best, *_] in zip(sources, limits, found):
        [[alone, *_]] = engine.search([source], [limit], options, [], 0, True)
        assert alone.ids == best.ids
        numpy.testing.assert_allclose(alone.attention, best.attention, atol=1e-5)


def test_greedy_search_needs_no_second_pass(trained, monkeypatch):
    """With a model whose outputs end, at different steps; some are cut off."""
    engine, tokenizer, config, _ = load_engine(str(trained), "cpu", "fp32", "torch", "default")
    sources = tokenizer.encode_source(["Der Hund schläft.", "Guten Morgen!", "Die Katze läuft.", "Hund", "Der Hund schläft. Die Katze läuft."])
    monkeypatch.setattr(engine.model, "cross_attention", None)
    found = [engine.search(sources, limits, Options(beam=1).fill(config.decoding), [], 0, True) for limits in ([30] * 5, [30, 2, 3, 30, 30])]
    monkeypatch.undo()
    assert len({len(hypothesis.ids) for (hypothesis,) in found[0] if hypothesis.complete}) > 1
    assert not all(hypothesis.complete for (hypothesis,) in found[1])
    for source, (hypothesis,) in zip(sources * 2, found[0] + found[1]):
        numpy.testing.assert_allclose(hypothesis.attention, engine.align([source], [hypothesis.ids])[0], atol=1e-5)


def test_both_engines_read_the_heads_of_the_profile(run):
    pytest.importorskip("ctranslate2")
    (one, sources, _), (other, _, _) = engine_of(run), engine_of(run, "ctranslate2")
    assert one.alignment == other.alignment and one.alignment.heads == (1, 3)
    outputs = [ids[:-1] for ids in reversed(sources)]
    for mine, theirs in zip(one.align(sources, outputs), other.align(sources, outputs)):
        numpy.testing.assert_allclose(mine, theirs, atol=1e-5)
    one.alignment = AlignmentHeads(2, (0, 1, 2, 3), one.alignment.shift)
    assert max(abs(a - b).max() for a, b in zip(one.align(sources, outputs), other.align(sources, outputs))) > 0.02
    assert one.align([], []) == other.align([], []) == []


def test_neither_neighbours_nor_samples_nor_copies_matter(run):
    engine, sources, decoding = engine_of(run)
    outputs = [ids[:-1] for ids in sources] + [[]] + [ids[:-1] * 2 for ids in sources]
    pairs = [*sources, sources[0], *sources]
    together = engine.align(pairs, outputs)
    for source, output, matrix in zip(pairs, outputs, together):
        numpy.testing.assert_allclose(engine.align([source], [output])[0], matrix, atol=1e-5)
    samples = engine.search(sources, [9] * len(sources), Options(sample=True, n_best=3).fill(decoding), list(range(3 * len(sources))), 0, True)
    for source, hypotheses in zip(sources, samples):
        for hypothesis in hypotheses:
            rows = len(hypothesis.ids) - (not hypothesis.complete)
            numpy.testing.assert_allclose(hypothesis.attention[:rows], engine.align([source], [hypothesis.ids])[0][:rows], atol=1e-5)


def test_a_profile_of_another_model_is_refused():
    config = ModelConfig(width=32, heads=4, decoder_layers=2)
    assert AlignmentHeads.of(Profile(), config) == AlignmentHeads(1, (0, 1, 2, 3), 0)
    for layers, layer in ((1, 0), (2, 1), (3, 1), (6, 4)):
        assert AlignmentHeads.of(Profile(), ModelConfig(width=32, heads=2, decoder_layers=layers)) == AlignmentHeads(layer, (0, 1), 0)
    assert AlignmentHeads.of(Profile(alignment_layer=1, alignment_heads=[3, 1]), config) == AlignmentHeads(1, (1, 3), 0)
    for profile in (Profile(alignment_layer=2, alignment_heads=[0]), Profile(alignment_heads=[4]), Profile(alignment_heads=[-1])):
        with pytest.raises(UserError, match="from different models"):
            AlignmentHeads.of(profile, config)
