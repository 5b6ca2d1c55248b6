"""The language model: against torch's own layers under a causal mask, and generation step by step, after prompts of any length, against `forward`."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from translate.config import ModelConfig
from translate.data.objectives import OBJECTIVES
from translate.decoding import greedy
from translate.kernels import for_search
from translate.model.families import new_model
from translate.model.language_model import LanguageModel
from translate.tokenizer import BOS, EOS, PAD

WIDTH, HEADS, FEEDFORWARD, PIECES = 32, 4, 48, 30
EMPTY = torch.empty((3, 0), dtype=torch.int64)


def made(norm: str = "pre", layers: int = 2) -> LanguageModel:
    torch.manual_seed(7)
    config = ModelConfig(
        family="language_model", width=WIDTH, heads=HEADS, feedforward=FEEDFORWARD, decoder_layers=layers, dropout=0.0, norm=norm, max_tokens=30
    )
    model = new_model(config, 11, PIECES, tied=False)
    for parameter in model.parameters():  # biases and norms away from 0 and 1, so that a mix-up would show
        if parameter.dim() == 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.3)
    return model.eval().requires_grad_(False)


def texts(lengths: list[int], seed: int = 1) -> torch.Tensor:
    """(B, T) random ids with PAD on the right."""
    ids = torch.randint(4, PIECES, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(seed))
    return ids.masked_fill(torch.arange(max(lengths)) >= torch.tensor(lengths)[:, None], PAD)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_equals_torchs_layers_under_a_causal_mask(norm):
    model, target = made(norm), texts([9, 9, 4])
    states = model.target_embedding.weight[target] * math.sqrt(WIDTH) + model.positions[:9]
    for layer in model.decoder:
        theirs = nn.TransformerEncoderLayer(WIDTH, HEADS, FEEDFORWARD, dropout=0.0, batch_first=True, norm_first=norm == "pre")
        theirs.self_attn.in_proj_weight.data, theirs.self_attn.in_proj_bias.data = layer.attention.query_key_value.parameters()
        for ours, other in [
            (layer.attention.output, theirs.self_attn.out_proj), (layer.feedforward.inner, theirs.linear1), (layer.feedforward.outer, theirs.linear2),
            (layer.attention_residual.norm, theirs.norm1), (layer.feedforward_residual.norm, theirs.norm2),
        ]:  # fmt: skip
            other.load_state_dict(ours.state_dict())
        states = theirs(states, src_mask=nn.Transformer.generate_square_subsequent_mask(9))
    expected = model.decoder_norm(states) @ model.target_embedding.weight.T
    for row, length in enumerate([9, 9, 4]):  # what a model makes of padding is nobody's business
        torch.testing.assert_close(model(EMPTY, target)[row, :length], expected[row, :length], atol=1e-4, rtol=1e-4)


@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    steps=st.integers(1, 22),
    beams=st.integers(1, 3),
    norm=st.sampled_from(["pre", "post"]),
)
def test_steps_after_prompts_equal_forward(lengths, steps, beams, norm):
    """Each text on its own, BOS, prompt and all that followed, through `forward`: no cache, no padding, no other text."""
    model, prompts = made(norm), texts([*lengths, 1])[:-1, : max(lengths)]
    state, B = model.start(model.encode(prompts)), len(lengths)
    if beams > 1:
        state = state.reorder(torch.arange(B).repeat_interleave(beams), torch.arange(B))
    added = texts([steps] * B * beams, seed=2)
    for step in range(steps):
        logits, state = model.step(added[:, step - 1] if step else torch.full((B * beams,), BOS), state)
        for row in range(B * beams):
            text = torch.cat([torch.tensor([BOS]), prompts[row // beams, : lengths[row // beams]], added[row, :step]])[None]
            torch.testing.assert_close(logits[row], model(EMPTY[:1], text)[0, -1], atol=1e-4, rtol=1e-4)


def test_hypotheses_branch_end_and_change_places_after_prompts():
    model, lengths = made(), [5, 0, 2]
    prompts, state = texts(lengths), model.start(model.encode(texts(lengths)))
    histories = [[BOS, *prompt[prompt != PAD].tolist()] for prompt in prompts]
    last, rows, sentences = torch.full((3,), BOS), torch.arange(3), torch.arange(3)
    changes = [
        (torch.tensor([0, 0, 1, 1, 2, 2]), [0, 1, 2]), (torch.tensor([1, 0, 3, 3, 4, 5]), [0, 1, 2]), (torch.tensor([5, 4, 2, 3]), [2, 1]),
        *[(torch.tensor([1, 0, 2, 2]), [0, 1])] * 20, (torch.tensor([3, 2]), [1]), *[(torch.tensor([1, 1]), [0])] * 5,
    ]  # fmt: skip
    for number, (rows, sentences) in enumerate(changes):
        logits, state = model.step(last, state)
        for row, history in enumerate(histories):
            torch.testing.assert_close(logits[row], model(EMPTY[:1], torch.tensor([history]))[0, -1], atol=1e-4, rtol=1e-4)
        if number == 24:  # 30 positions, of which the longest has used 5 + 1 + 24
            break
        state = state.reorder(rows, torch.tensor(sentences))
        last = torch.randint(4, PIECES, (len(rows),), generator=torch.Generator().manual_seed(number))
        histories = [[*histories[row], int(token)] for row, token in zip(rows, last)]


def test_selected_prompts_are_those_prompts():
    model, prompts = made(), texts([5, 1, 3])
    chosen = torch.tensor([2, 2, 0])
    found, _ = model.step(torch.full((3,), BOS), model.start(model.encode(prompts).select(chosen)))
    expected, _ = model.step(torch.full((3,), BOS), model.start(model.encode(prompts[chosen])))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kernels", ["auto", "plain"])
def test_packed_generation(precision, kernels, monkeypatch):
    monkeypatch.setenv("TRANSLATE_KERNELS", kernels)
    model, prompts = made(), texts([4, 0, 6])
    packed = for_search(copy.deepcopy(model), torch.device("cpu"), precision)
    states = [each.start(each.encode(prompts)) for each in (model, packed)]
    for step in range(12):
        last = torch.full((3,), BOS) if step == 0 else texts([3] * 3, seed=step)[:, 0]
        (expected, states[0]), (found, states[1]) = model.step(last, states[0]), packed.step(last, states[1])
        assert (found.float() - expected).norm() < {torch.float32: 1e-5, torch.float16: 0.002, torch.bfloat16: 0.03}[precision] * expected.norm()


def test_a_search_goes_on_from_its_prompt():
    """Greedy search of two prompts together gives what each gives alone, and what repeated calls of `forward` give."""
    model, prompts = made(), texts([4, 1])
    together = greedy(model.step, model.start(model.encode(prompts)), torch.tensor([9, 9]), BOS, EOS)
    for row, length in enumerate([4, 1]):
        text = [BOS, *prompts[row, :length].tolist()]
        while len(text) < length + 10 and text[-1] != EOS:
            text.append(int(model(EMPTY[:1], torch.tensor([text]))[0, -1].argmax()))
        expected = text[length + 1 :]
        assert together[row][0].ids == (expected[:-1] if expected[-1] == EOS else expected)


def test_the_objective_has_a_label_for_each_token_and_no_source():
    source, target, labels = OBJECTIVES["next_token"]([[9, EOS], [8, 7, EOS]], [[5, 6, EOS], [4, EOS]], (1,))
    assert source.shape == (2, 0) and source.dtype == torch.int64
    assert target.tolist() == [[BOS, 5, 6], [BOS, 4, EOS]] and labels.tolist() == [[5, 6, EOS], [4, EOS, PAD]]
    assert made().features(source, target).shape == (2, 3, WIDTH)


def test_lengths_and_sources_that_do_not_fit_are_refused():
    model = made()
    with pytest.raises(ValueError, match=r"has no source, and this one has 2 tokens"):
        model(torch.full((1, 2), 5), torch.full((1, 2), 5))
    with pytest.raises(ValueError, match=r"31 tokens is longer than the model's max_tokens \(30\)"):
        model.encode(texts([30]))
    state = model.start(model.encode(texts([29])))
    _, state = model.step(torch.tensor([BOS]), state)
    with pytest.raises(ValueError, match="31 tokens"):
        model.step(torch.tensor([5]), state)
