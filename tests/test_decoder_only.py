"""Translation by one stack: against torch's own layers under a mask made pair by pair, the loss against a loop over tokens, and search step by step
against `forward`."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from translate.config import ModelConfig
from translate.data.batches import Batch
from translate.data.objectives import OBJECTIVES
from translate.evaluation.perplexity import likelihoods
from translate.kernels import for_search, for_training
from translate.model.decoder_only import DecoderOnly
from translate.model.families import new_model
from translate.tokenizer import BOS, EOS, PAD
from translate.tokenizer.padding import pad
from translate.training.loss import loss_sum
from translate.training.update import counted_tokens

WIDTH, HEADS, FEEDFORWARD, PIECES = 32, 4, 48, 30
SOURCES = [[5, 6, 7, 8, 9, EOS], [10, 11, EOS], [EOS], [12, 13, 14, 15, EOS]]
TARGETS = [[16, 17, EOS], [18, 19, 20, 21, EOS], [22, EOS], [EOS]]
PREFIXES, NORMS = ("causal", "bidirectional"), ("pre", "post")


def made(prefix: str = "bidirectional", norm: str = "pre", tied: bool = True, **changes) -> DecoderOnly:
    torch.manual_seed(7)
    sizes = {"width": WIDTH, "heads": HEADS, "feedforward": FEEDFORWARD, "decoder_layers": 2, "dropout": 0.0, "max_tokens": 30, **changes}
    model = new_model(ModelConfig(family="decoder_only", norm=norm, prefix=prefix, **sizes), PIECES if tied else 23, PIECES, tied)
    for parameter in model.parameters():  # biases and norms away from 0 and 1, and sharp attention, so that a mix-up would show
        parameter.data.add_(torch.randn_like(parameter) * 0.3) if parameter.dim() == 1 else parameter.data.mul_(1.3)
    return model.eval().requires_grad_(False)


def torchs_layer(layer: nn.Module, norm: str) -> nn.TransformerEncoderLayer:
    theirs = nn.TransformerEncoderLayer(WIDTH, HEADS, FEEDFORWARD, dropout=0.0, batch_first=True, norm_first=norm == "pre")
    theirs.self_attn.in_proj_weight.data, theirs.self_attn.in_proj_bias.data = layer.attention.query_key_value.parameters()
    for ours, other in [
        (layer.attention.output, theirs.self_attn.out_proj), (layer.feedforward.inner, theirs.linear1), (layer.feedforward.outer, theirs.linear2),
        (layer.attention_residual.norm, theirs.norm1), (layer.feedforward_residual.norm, theirs.norm2),
    ]:  # fmt: skip
        other.load_state_dict(ours.state_dict())
    return theirs.requires_grad_(False)


def by_hand(model: DecoderOnly, source: list[int], target: list[int]) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """One pair, BOS in front of its target, by torch's layers: the states before each layer, those at the end (S + T, D), and the mask."""
    S, length = len(source), len(source) + len(target)
    embedded = [model.source_embedding.weight[token] for token in source] + [model.target_embedding.weight[token] for token in target]
    places = [*range(S), *range(len(target))]
    states = [torch.stack(embedded)[None] * math.sqrt(WIDTH) + model.positions[places]]
    hidden = torch.zeros(length, length, dtype=torch.bool)
    for place, seen in itertools.product(range(length), range(length)):
        both_in_source = place < S and seen < S
        hidden[place, seen] = seen > place and not (both_in_source and model.config.prefix == "bidirectional")
    for layer in model.decoder:
        states.append(torchs_layer(layer, model.config.norm)(states[-1], src_mask=hidden))
    return states[:-1], model.decoder_norm(states[-1])[0], hidden


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_equals_a_hand_masked_stack(prefix, norm, tied):
    """Each pair of a batch, with its padding, as that pair alone."""
    model = made(prefix, norm, tied)
    source, target, _ = OBJECTIVES["translation"](SOURCES, TARGETS, (1,))
    features = model.features(source, target)
    assert features.shape == (4, 5, WIDTH)
    for row, (one, other) in enumerate(zip(SOURCES, TARGETS)):
        expected = by_hand(model, one, [BOS, *other[:-1]])[1][len(one) :]
        torch.testing.assert_close(features[row, : len(other)], expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(model(source, target)[row, : len(other)], expected @ model.target_embedding.weight.T, atol=1e-4, rtol=1e-4)


def test_the_two_prefixes_differ_where_they_should():
    """A change of the last source token reaches the states of the first one, or doesn't."""
    for prefix, equal in (("causal", True), ("bidirectional", False)):
        model = made(prefix, loss_on="all")
        states = [model.features(torch.tensor([[5, 6, 7, last]]), torch.tensor([[BOS]]))[0] for last in (8, 9)]
        assert torch.allclose(states[0][:3], states[1][:3], atol=1e-6) == equal
        assert not torch.allclose(states[0][3:], states[1][3:], atol=1e-3)


@pytest.mark.parametrize("loss_on", ["target", "all"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_loss_equals_a_loop_over_tokens(prefix, loss_on):
    model = made(prefix, loss_on=loss_on)
    source, target, labels = OBJECTIVES[model.objective](SOURCES, TARGETS, (1,))
    found = loss_sum(model.features(source, target), model.output_weight, labels, 0.0)[1]
    expected, count = 0.0, 0
    for one, other in zip(SOURCES, TARGETS):
        text = [*one, BOS, *other]
        log_probs = (by_hand(model, one, text[len(one) : -1])[1] @ model.target_embedding.weight.T).log_softmax(dim=1)
        for place, token in enumerate(text[1:]):
            if token != BOS and (loss_on == "all" or place >= len(one)):
                expected, count = expected - log_probs[place, token].item(), count + 1
    assert count == int((labels != PAD).sum()) == (11 + 11 if loss_on == "all" else 11)
    assert float(found) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_measured_loss_and_a_speed_count_the_target_whatever_was_learnt(prefix):
    """The same weights give the same numbers with either objective."""
    model, other = made(prefix), made(prefix, loss_on="all")
    other.load_state_dict(model.state_dict())
    found, same = (likelihoods(each, SOURCES, TARGETS, torch.device("cpu"), torch.float32) for each in (model, other))
    assert found.labels.tolist() == same.labels.tolist() == list(map(len, TARGETS))
    assert found.nats == pytest.approx(same.nats, rel=1e-5) and (found.nats > 0).all()
    for each in (model, other):
        batch = Batch(0, 0, *OBJECTIVES[each.objective](SOURCES, TARGETS, (1,)), tokens=0)
        assert counted_tokens(each, [batch, batch]) == 2 * sum(map(len, TARGETS))


def test_labels_of_both_sides():
    source, target, labels = OBJECTIVES["both_sides"]([[5, 6, EOS], [EOS]], [[7, EOS], [8, 9, EOS]], (1,))
    assert source.tolist() == [[5, 6, EOS], [EOS, PAD, PAD]] and target.tolist() == [[BOS, 7, EOS], [BOS, 8, 9]]
    assert labels.tolist() == [[6, EOS, PAD, 7, EOS, PAD], [PAD, PAD, PAD, 8, 9, EOS]]


lengths = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@settings(deadline=None, max_examples=30)
@given(
    lengths=lengths,
    changes=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2**32)), min_size=1, max_size=12),
    prefix=st.sampled_from(PREFIXES),
    norm=st.sampled_from(NORMS),
    tied=st.booleans(),
    positions=st.sampled_from(["sinusoidal", "learned"]),
)
def test_steps_of_branching_beams_equal_forward(lengths, changes, prefix, norm, tied, positions):
    """R hypotheses a sentence, reordered at random, some sentences leaving and others changing places: each row as its own history alone."""
    model, generator = made(prefix, norm, tied, positions=positions), torch.Generator().manual_seed(len(changes))
    sources = [torch.randint(4, 23, (length,), generator=generator).tolist() for length in lengths]
    state, last = model.start(model.encode(pad(sources))), torch.full((len(sources),), BOS)
    histories = [(source, [BOS]) for source in sources]
    for R, seed in changes:
        logits, state = model.step(last, state)
        for row, (source, target) in enumerate(histories):
            expected = model(torch.tensor([source]), torch.tensor([target]))[0, -1]
            torch.testing.assert_close(logits[row], expected, atol=1e-4, rtol=1e-4)
        generator.manual_seed(seed)
        B = state.sentences
        old, kept = len(histories) // B, max(1, B - int(torch.randint(3, (1,), generator=generator) == 0))
        sentences = torch.randperm(B, generator=generator)[:kept] if kept < B else torch.arange(B)
        # a search that has branched goes on with as many hypotheses of each sentence
        R = max(R, old) if old > 1 else R
        rows = (sentences[:, None] * old + torch.randint(old, (kept, R), generator=generator)).flatten()
        state = state.reorder(rows, sentences)
        last = torch.randint(4, PIECES, (len(rows),), generator=generator)
        histories = [(histories[row][0], [*histories[row][1], int(token)]) for row, token in zip(rows, last)]


def test_the_source_is_read_once():
    """After `encode` no step computes a query, key or value of a source token."""
    model, rows = made(), []
    memory = model.encode(pad(SOURCES))
    for layer in model.decoder:
        layer.attention.query_key_value.register_forward_hook(lambda module, inputs, output: rows.append(inputs[0].shape[:2].numel()))
    state = model.start(memory).reorder(torch.arange(4).repeat_interleave(2), torch.arange(4))
    for _ in range(5):
        _, state = model.step(torch.full((8,), 9), state)
    assert rows == [8] * 10


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("layer", [0, 1])
def test_cross_attention_is_the_part_on_the_source_divided_by_its_sum(prefix, norm, layer):
    model = made(prefix, norm)
    target = pad([[BOS, *ids] for ids in TARGETS])
    found = model.cross_attention(target, model.encode(pad(SOURCES)), layer)
    assert found.shape == (4, HEADS, 6, 6)
    torch.testing.assert_close(found.sum(-1), torch.ones(4, HEADS, 6))
    for row, (one, other) in enumerate(zip(SOURCES, TARGETS)):
        S, T = len(one), len(other) + 1
        before, _, hidden = by_hand(model, one, [BOS, *other])
        theirs = torchs_layer(model.decoder[layer], norm)
        states = theirs.norm1(before[layer]) if norm == "pre" else before[layer]
        weights = theirs.self_attn(states, states, states, attn_mask=hidden, average_attn_weights=False)[1][0, :, S:, :S]
        torch.testing.assert_close(found[row, :, :T, :S], weights / weights.sum(-1, keepdim=True), atol=1e-5, rtol=1e-3)
        assert float(found[row, :, :T, S:].abs().sum()) == 0
        assert S == 1 or weights.std() > 0.02  # far from uniform


def test_selected_sources_are_those_sources():
    model, chosen = made(), torch.tensor([3, 0, 0])
    target = torch.tensor([[BOS, 9]] * 3)
    some, alone = model.encode(pad(SOURCES)).select(chosen), model.encode(pad([SOURCES[index] for index in chosen]))
    torch.testing.assert_close(model.cross_attention(target, some, 1), model.cross_attention(target, alone, 1))
    torch.testing.assert_close(model.step(target[:, 0], model.start(some))[0], model.step(target[:, 0], model.start(alone))[0])


TOLERANCE = {torch.float32: 1e-5, torch.float16: 0.002, torch.bfloat16: 0.03}


@pytest.mark.parametrize("precision", list(TOLERANCE))
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("kernels", ["auto", "plain"])
def test_packed_search(kernels, prefix, tied, precision, monkeypatch):
    """States, scores and attention of a packed model, and of its plain twin."""
    monkeypatch.setenv("TRANSLATE_KERNELS", kernels)
    model = made(prefix, tied=tied, dropout=0.1)
    packed = for_search(copy.deepcopy(model).train(), torch.device("cpu"), precision)
    source, target = pad(SOURCES), pad([[BOS, *ids] for ids in TARGETS])
    memories = [each.encode(source) for each in (model, packed)]
    assert memories[1].key_value.dtype == torch.float32
    states = [each.start(memory) for each, memory in zip((model, packed), memories)]
    with torch.no_grad():
        for position in range(6):
            (expected, states[0]), (found, states[1]) = (each.step(target[:, position], state) for each, state in zip((model, packed), states))
            assert (found.float() - expected).norm() < TOLERANCE[precision] * expected.norm()
            assert precision == torch.float32 or not torch.equal(found, expected)
        expected, found = (each.cross_attention(target, memory, 1) for each, memory in zip((model, packed), memories))
        assert (found.float() - expected).norm() < 2 * TOLERANCE[precision] * expected.norm()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("loss_on", ["target", "all"])
def test_kernels_of_training_keep_values_and_gradients(loss_on, precision):
    plain = made(loss_on=loss_on).train().requires_grad_()
    model = copy.deepcopy(plain)
    for_training(model, torch.device("cpu"))
    assert list(model.state_dict()) == list(plain.state_dict())
    source, target, labels = OBJECTIVES[plain.objective](SOURCES, TARGETS, (1,))

    def gradients(model, bf16):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            features = model.features(source, target)
            loss = loss_sum(features, model.output_weight, labels, 0.1)[0]
        loss.backward()
        return features.float(), torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    for found, expected, tolerance in zip(gradients(model, precision == torch.bfloat16), gradients(plain, False), (0.015, 0.08)):
        assert (found - expected).norm() <= (tolerance if precision == torch.bfloat16 else 1e-6) * expected.norm()


def test_embeddings_and_output_are_one_matrix_with_one_tokenizer():
    tied, untied = made(), made(tied=False)
    assert tied.source_embedding.weight is tied.target_embedding.weight
    assert untied.source_embedding.weight.shape == (23, WIDTH) and untied.target_embedding.weight.shape == (PIECES, WIDTH)


def test_longest_source_and_target_and_beyond():
    model, longest = made(), 30
    short, long = torch.full((1, 3), 5), torch.full((1, longest + 1), 5)
    message = rf"{longest + 1} tokens is longer than the model's max_tokens \({longest}\)"
    for source, target in [(long, short), (short, long)]:
        with pytest.raises(ValueError, match=message):
            model(source, target)
    with pytest.raises(ValueError, match=message):
        model.encode(long)
    whole, state = long[:, 1:], model.start(model.encode(long[:, 1:]))
    for position in range(longest):
        logits, state = model.step(whole[:, position], state)
    torch.testing.assert_close(logits, model(whole, torch.tensor([[BOS, *whole[0, 1:].tolist()]]))[:, -1], atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match=message):
        model.step(long[:, 0], state)
