"""The recurrent family against plain loops over the tokens of one sentence, made of torch's own cells; and what must not change anything."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from translate.config import ModelConfig
from translate.kernels import for_search, for_training
from translate.model.families import new_model
from translate.model.layers import set_dropout_generator
from translate.model.recurrent import Recurrent
from translate.tokenizer import BOS, PAD

WIDTH, LENGTHS = 16, [9, 6, 2]
BAHDANAU = {"attention": "additive", "heads": 1, "encoder_layers": 1, "decoder_layers": 1}
MODELS = {
    "Bahdanau": BAHDANAU,
    "two layers": {},
    "LSTM": {"cell": "lstm", "attention": "general"},
    "one LSTM": {"cell": "lstm", "encoder_layers": 1, "decoder_layers": 1, "heads": 1, "attention": "dot"},
    "three layers, local": {"encoder_layers": 3, "decoder_layers": 3, "attention": "cosine", "window": 2},
    "local, monotonic": {"attention": "location", "window": 1, "window_center": "monotonic"},
}


def model_of(tied: bool = True, **settings) -> Recurrent:
    torch.manual_seed(5)
    defaults = {"width": WIDTH, "heads": 2, "encoder_layers": 2, "decoder_layers": 2, "dropout": 0.0, "max_tokens": 12}
    model = new_model(ModelConfig(family="recurrent", **{**defaults, **settings}), 25 if not tied else 30, 30, tied)
    for parameter in model.parameters():
        if parameter.dim() == 1:  # away from 0, so that a mix-up would show
            parameter.data.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(6)
    source, target = torch.randint(4, 25, (3, 9)), torch.randint(4, 30, (3, 7))
    target[:, 0] = BOS
    for row, length in enumerate(LENGTHS):
        source[row, length:] = PAD
    return source, target


def cell_of(lstm: bool, layer: nn.RNNBase) -> nn.RNNCellBase:
    """torch's cell for one token, with the weights of a layer."""
    cell = (nn.LSTMCell if lstm else nn.GRUCell)(layer.input_size, layer.hidden_size)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(cell, name, getattr(layer, f"{name}_l0"))
    return cell


def decoder_cell(model: Recurrent, lstm: bool) -> nn.RNNCellBase:
    """That of the first layer: it reads the word and the context, side by side."""
    cell = (nn.LSTMCell if lstm else nn.GRUCell)(2 * WIDTH, WIDTH)
    cell.weight_ih.data = torch.cat([model.word.weight, model.cell.context.weight], dim=1)
    cell.bias_ih.data, cell.weight_hh.data, cell.bias_hh.data = model.word.bias, model.cell.state.weight, model.cell.state.bias
    return cell


def run(cell: nn.RNNCellBase, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    state, states = None, []
    for each in inputs:
        state = cell(each, state)
        states.append(state[0] if isinstance(state, tuple) else state)
    return states


def by_loops(model: Recurrent, source: list[int], target: list[int], score) -> tuple[torch.Tensor, torch.Tensor]:
    """Bahdanau et al. 2015 with one head, token by token: logits (T, V) and weights (T, S)."""
    lstm = model.config.cell == "lstm"
    states = [model.source_embedding.weight[token] * math.sqrt(WIDTH) for token in source]
    for layer in model.encoder:
        ahead, back = run(cell_of(lstm, layer.ahead), states), run(cell_of(lstm, layer.back), states[::-1])[::-1]
        states = [torch.cat(pair) for pair in zip(ahead, back)]
    first = torch.tanh(model.first(states[0][WIDTH // 2 :]))
    state, cell, above = (tuple(first.split(WIDTH)) if lstm else first), decoder_cell(model, lstm), [None] * len(model.above)
    logits, weights = [], []
    for token in target:
        word, s = model.target_embedding.weight[token] * math.sqrt(WIDTH), state[0] if lstm else state
        keys, values = zip(*(model.cross.key_value(h).split(WIDTH) for h in states))
        energies = [score(model.cross.query(s), key) for key in keys]
        total = sum(torch.exp(energy) for energy in energies)
        alphas = [torch.exp(energy) / total for energy in energies]  # equation 6
        context = model.cross.output(sum(alpha * value for alpha, value in zip(alphas, values)))  # equation 5
        state = cell(torch.cat([word, context]), state)
        top = state[0] if lstm else state
        for number, layer in enumerate(model.above):
            above[number] = cell_of(lstm, layer)(torch.cat([top, context]), above[number])
            top = above[number][0] if lstm else above[number]
        units = model.output(torch.cat([word, top, context]))
        maxout = torch.stack([torch.maximum(units[unit], units[unit + WIDTH]) for unit in range(WIDTH)])
        logits.append(model.target_embedding.weight @ maxout)
        weights.append(torch.stack(alphas))
    return torch.stack(logits), torch.stack(weights)


SCORES = {
    "additive": lambda model: lambda query, key: (model.cross.weigh.score.vector[0] * torch.tanh(query + key)).sum(),
    "scaled_dot": lambda model: lambda query, key: (query * key).sum() / math.sqrt(WIDTH),
    "dot": lambda model: lambda query, key: (query * key).sum(),
}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("cell", "attention"), [("gru", "additive"), ("gru", "scaled_dot"), ("lstm", "additive"), ("lstm", "dot")])
def test_a_batch_equals_loops_over_one_sentence(cell, attention, layers, tied):
    model = model_of(tied, cell=cell, attention=attention, heads=1, encoder_layers=layers, decoder_layers=layers)
    source, target = batch()
    with torch.no_grad():
        logits, weights = model(source, target), model.cross_attention(target, model.encode(source), layers - 1)
        for row, length in enumerate(LENGTHS):
            expected = by_loops(model, source[row, :length].tolist(), target[row].tolist(), SCORES[attention](model))
            torch.testing.assert_close(logits[row], expected[0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(weights[row, 0, :, :length], expected[1], atol=1e-5, rtol=1e-5)
            assert not weights[row, :, :, length:].any() and weights[row].std() > 0.001


@pytest.mark.parametrize("name", MODELS)
def test_beams_of_steps_equal_the_full_forward(name):
    """Three hypotheses a sentence, reordered, and one sentence leaving: every row equals the full forward over its own history."""
    model, (source, target) = model_of(**MODELS[name]), batch()
    with torch.no_grad():
        state = model.start(model.encode(source)).reorder(torch.arange(3).repeat_interleave(3), torch.arange(3))
        histories = target[:, :1].repeat_interleave(3, 0)
        for keep in [torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8]), torch.tensor([2, 0, 0, 5, 4, 3, 7, 7, 8]), torch.tensor([8, 6, 6, 1, 0, 2])]:
            _, state = model.step(histories[:, -1], state)
            sentences = torch.tensor(list(dict.fromkeys((keep // 3).tolist())))
            state, histories, source = state.reorder(keep, sentences), histories[keep], source[sentences]
            histories = torch.cat([histories, torch.randint(4, 30, (len(keep), 1))], dim=1)
            logits, _ = model.step(histories[:, -1], copy.deepcopy(state))
            torch.testing.assert_close(logits, model(source.repeat_interleave(3, 0), histories)[:, -1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_neither_neighbours_nor_the_future_change_anything(name):
    model, (source, target) = model_of(**MODELS[name]), batch()
    together, changed = model(source, target), target.clone()
    for row, length in enumerate(LENGTHS):
        alone = model(source[row : row + 1, :length], target[row : row + 1, :5])
        torch.testing.assert_close(together[row : row + 1, :5], alone, atol=1e-5, rtol=1e-5)
    changed[:, 4:] = torch.randint(4, 30, (3, 3))
    after = model(source, changed)
    assert torch.equal(after[:, :4], together[:, :4]) and not torch.allclose(after[:, 4:], together[:, 4:])
    selected = model.encode(source).select(torch.tensor([2, 0, 2]))
    torch.testing.assert_close(
        model.cross_attention(target[[2, 0, 2]], selected, 0), model.cross_attention(target, model.encode(source), 0)[[2, 0, 2]]
    )


@pytest.mark.parametrize("name", ["two layers", "LSTM"])
@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-5), (torch.float16, 0.003), (torch.bfloat16, 0.03)])
@pytest.mark.parametrize("kernels", ["auto", "plain"])
def test_packed_search_stays_close(name, precision, tolerance, kernels, monkeypatch):
    monkeypatch.setenv("TRANSLATE_KERNELS", kernels)
    model, (source, target) = model_of(**MODELS[name]), batch()
    source, target = source.repeat(7, 1), target.repeat(7, 1)  # enough rows for kernels to pad them
    packed = for_search(copy.deepcopy(model), torch.device("cpu"), precision)
    with torch.no_grad():
        expected = model(source, target)
        state, logits = packed.start(packed.encode(source)), []
        for position in range(target.shape[1]):
            found, state = packed.step(target[:, position], state)
            logits.append(found.float())
        assert all(each.dtype == torch.float32 for each in state.state), "states are not rounded"
        error = (torch.stack(logits, dim=1) - expected).norm() / expected.norm()
        assert error < tolerance and (precision == torch.float32 or error > 1e-6)
        packed.cross_attention(target, packed.encode(source), 0)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kernels", ["auto", "plain"])
def test_training_draws_dropout_from_its_generator_alone(name, kernels, monkeypatch):
    monkeypatch.setenv("TRANSLATE_KERNELS", kernels)
    model, (source, target) = model_of(dropout=0.4, **MODELS[name]).train(), batch()
    for_training(model, torch.device("cpu"))
    generator = torch.Generator()
    set_dropout_generator(model, generator)

    def gradient(seed: int, other: int) -> torch.Tensor:
        generator.manual_seed(seed)
        torch.manual_seed(other)
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features = model.features(source, target)
        features.float().logsumexp(-1).sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    one, same, another = gradient(1, 1), gradient(1, 2), gradient(2, 1)
    assert torch.equal(one, same) and not torch.allclose(one, another)
    model.eval()
    assert torch.equal(model(source, target), model(source, target))


def test_a_sentence_longer_than_max_tokens_is_refused():
    model = model_of()
    short, long = torch.full((1, 3), 5), torch.full((1, 13), 5)
    for source, target in [(long, short), (short, long)]:
        with pytest.raises(ValueError, match=r"13 tokens is longer than the model's max_tokens \(12\)"):
            model(source, target)
    state = model.start(model.encode(short))
    with pytest.raises(ValueError, match="13 tokens"):
        for _ in range(13):
            _, state = model.step(short[:, 0], state)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("layers", [(1, 1), (3, 1), (1, 4)])
def test_a_lower_bound_of_the_parameters(cell, layers):
    config = ModelConfig(family="recurrent", cell=cell, width=64, encoder_layers=layers[0], decoder_layers=layers[1])
    with torch.device("meta"):
        counted = sum(parameter.numel() for parameter in new_model(config, 10, 10, True).parameters())
    assert 0.5 * counted < Recurrent.fewest_parameters(config) <= counted
