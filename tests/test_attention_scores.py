"""Attention scores and windows against tables worked out by hand, and in a whole model: cached steps, neighbours, packed search."""

from __future__ import annotations

import copy
import math

import numpy
import pytest
import torch

from tests.conftest import make_untrained
from translate.bundle.bundle import load_bundle
from translate.config import ModelConfig
from translate.decoding import Options
from translate.kernels import for_search
from translate.model.attention import attend
from translate.model.attention_scores import SCORES
from translate.model.attention_window import AttentionWeights, Monotonic, Predicted, weights_of_score
from translate.model.transformer import Transformer
from translate.tokenizer import BOS, PAD
from translate.translation.engine import load_engine

QUERY, KEY = [[1.0, 0.0], [1.0, 2.0]], [[3.0, 1.0], [0.0, 2.0], [-1.0, 1.0]]  # d = 2, T = 2, S = 3
ONE, TWO, THREE, FOUR = (math.tanh(number) for number in (1, 2, 3, 4))
STRENGTHS = [math.log1p(math.exp(0.5 + math.sqrt(2))), math.log1p(math.exp(0.5 - 2 + math.sqrt(2)))]  # w · q = 0.5 and 0.5 - 2
TABLES = {  # parameters of the only head, the table
    "scaled_dot": ({}, [[3 / math.sqrt(2), 0, -1 / math.sqrt(2)], [5 / math.sqrt(2), 4 / math.sqrt(2), 1 / math.sqrt(2)]]),
    "dot": ({}, [[3, 0, -1], [5, 4, 1]]),
    "general": ({"weight": [[1.0, 2.0], [0.0, 1.0]]}, [[5, 4, 1], [7, 8, 3]]),  # W k = (5, 1), (4, 2), (1, 1)
    "additive": ({"vector": [1.0, -1.0]}, [[FOUR - ONE, ONE - TWO, -ONE], [FOUR - THREE, ONE - FOUR, -THREE]]),
    "cosine": (
        {"strength": [0.5, -1.0]},
        [
            [STRENGTHS[0] * 3 / math.sqrt(10), 0, -STRENGTHS[0] / math.sqrt(2)],
            [STRENGTHS[1] * 5 / math.sqrt(50), STRENGTHS[1] * 4 / math.sqrt(20), STRENGTHS[1] / math.sqrt(10)],
        ],
    ),
    "location": ({"weight": [[1.0, 0.0], [0.0, 1.0], [2.0, -1.0], [5.0, 5.0]]}, [[1, 0, 2], [1, 2, 0]]),  # places 0 to 3, of which S are there
}
WINDOWS = [(0, "predicted"), (2, "predicted"), (2, "monotonic")]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(5)


def heads_of_two(heads: int, **settings) -> ModelConfig:
    return ModelConfig(**{"width": 2 * heads, "heads": heads, "max_tokens": 4, **settings})


def set_parameters(module: torch.nn.Module, values: dict) -> torch.nn.Module:
    assert {name for name, _ in module.named_parameters()} == set(values)
    for name, value in values.items():
        getattr(module, name).data = torch.tensor(value)[None]
    return module


@pytest.mark.parametrize("name", SCORES)
def test_a_table_by_hand(name):
    parameters, table = TABLES[name]
    score = set_parameters(SCORES[name](heads_of_two(1)), parameters)
    found = score(torch.tensor(QUERY)[None, None], torch.tensor(KEY)[None, None])
    torch.testing.assert_close(found, torch.tensor(table, dtype=torch.float32)[None, None])


@pytest.mark.parametrize("module", [*SCORES.values(), Predicted], ids=lambda module: module.__name__)
def test_each_head_of_each_sentence_has_a_table_of_its_own(module):
    both, alone = module(heads_of_two(2)), module(heads_of_two(1))
    for parameter in both.parameters():
        torch.nn.init.normal_(parameter)
    query, key = torch.randn(3, 2, 4, 2), torch.randn(3, 2, 3, 2)
    rest = (torch.tensor([3, 1, 2]).view(3, 1, 1, 1), None) if module is Predicted else (key,)
    together = both(query, *rest)
    for head in range(2):
        for mine, theirs in zip(alone.parameters(), both.parameters()):
            mine.data = theirs.data[head : head + 1]
        for row in range(3):
            own = (rest[0][row : row + 1], None) if module is Predicted else (key[row : row + 1, head : head + 1],)
            torch.testing.assert_close(together[row, head], alone(query[row : row + 1, head : head + 1], *own)[0, 0])


def padded(lengths: list[int], S: int) -> torch.Tensor:
    return (torch.arange(S) < torch.tensor(lengths)[:, None])[:, None, None, :]


@pytest.mark.parametrize("added", [False, True])
def test_a_monotonic_window_by_hand(added):
    """D = 1, and a source of three tokens beside one of four: all places of the window have the same score. Search adds its masks."""
    weigh = AttentionWeights(heads_of_two(1, attention="dot", window=1, window_center="monotonic"))
    query, key, mask = torch.zeros(2, 1, 5, 2), torch.zeros(2, 1, 4, 2), padded([3, 4], 4)
    mask = torch.zeros(mask.shape).masked_fill(~mask, -math.inf) if added else mask
    half, third = [1 / 2] * 2, [1 / 3] * 3
    expected = torch.tensor([
        [[*half, 0, 0], [*third, 0], [0, *half, 0], [0, *half, 0], [0, *half, 0]],  # a target longer than the source stays at its end
        [[*half, 0, 0], [*third, 0], [0, *third], [0, 0, *half], [0, 0, *half]],
    ])[:, None]  # fmt: skip
    torch.testing.assert_close(weigh(query, key, mask), expected)
    for position in range(5):
        torch.testing.assert_close(weigh(query[:, :, :2], key, mask, position), expected[:, :, position : position + 1].expand(2, 1, 2, 4))


def test_a_predicted_window_by_hand():
    """D = 2, so the Gaussian is exp(-(s - p)^2 / 2): p = S / 2 while v = 0, and 3 sigmoid(v · tanh(W q)) with others."""
    weigh = AttentionWeights(heads_of_two(1, attention="dot", window=2))
    set_parameters(weigh.center, {"weight": [[0.0, 0.0], [1.0, 0.0]], "vector": [0.0, 0.0]})
    query, key, mask = torch.tensor([[[[1.0, 0.0]]]] * 2), torch.zeros(2, 1, 5, 2), padded([3, 5], 5)
    near, far = math.exp(-(0.5**2) / 2), math.exp(-(1.5**2) / 2)
    torch.testing.assert_close(weigh(query, key, mask)[0, 0, 0], torch.tensor([far / 3, near / 3, near / 3, 0, 0]))  # p = 1.5
    near, far = near / 4, far / 4
    torch.testing.assert_close(weigh(query, key, mask)[1, 0, 0], torch.tensor([0, far, near, near, far]))  # p = 2.5: place 0 is too far
    weigh.center.vector.data[0, 1] = -9.0  # tanh(W q) = (0, tanh 1)
    center = 3 / (1 + math.exp(9 * ONE))
    expected = [math.exp(-((place - center) ** 2) / 2) / 3 for place in range(3)]
    torch.testing.assert_close(weigh(query, key, mask)[0, 0, 0, :3], torch.tensor(expected))


def test_the_scaled_dot_product_is_that_of_the_kernels():
    query, key, value = torch.randn(2, 2, 3, 2), torch.randn(2, 2, 4, 2), torch.randn(2, 2, 4, 2)
    mask = padded([4, 2], 4)
    assert weights_of_score(heads_of_two(2)) is None
    weigh = AttentionWeights(heads_of_two(2))
    torch.testing.assert_close(weigh(query, key, mask) @ value, attend(query, key, value, mask))
    whole = AttentionWeights(heads_of_two(2, window=4, window_center="monotonic"))  # a window that holds all
    torch.testing.assert_close(whole(query, key, mask), weigh(query, key, mask))


def model_with(attention: str, window: int, center: str, **changes) -> Transformer:
    settings = {"width": 16, "heads": 2, "feedforward": 24, "encoder_layers": 1, "decoder_layers": 2, "dropout": 0.0, "max_tokens": 12, **changes}
    return Transformer(ModelConfig(attention=attention, window=window, window_center=center, **settings), 30, 30).eval()


SOURCE, TARGET = (torch.randint(4, 30, (3, length), generator=torch.Generator().manual_seed(length)) for length in (9, 7))
TARGET[:, 0] = BOS
LENGTHS = [9, 6, 2]
for row, length in enumerate(LENGTHS):
    SOURCE[row, length:] = PAD


@pytest.mark.parametrize("attention", SCORES)
@pytest.mark.parametrize(("window", "center"), WINDOWS)
def test_steps_equal_the_full_forward_whoever_is_in_the_batch(attention, window, center):
    model = model_with(attention, window, center)
    expected = model(SOURCE, TARGET)
    with torch.no_grad():
        cache = model.start(model.encode(SOURCE)).reorder(torch.arange(3).repeat_interleave(2), torch.arange(3))  # two hypotheses each
        for position in range(TARGET.shape[1]):
            logits, cache = model.step(TARGET[:, position].repeat_interleave(2), cache)
            torch.testing.assert_close(logits, expected[:, position].repeat_interleave(2, 0), atol=1e-5, rtol=1e-5)
    for row, length in enumerate(LENGTHS):
        alone = model(SOURCE[row : row + 1, :length], TARGET[row : row + 1])
        torch.testing.assert_close(expected[row : row + 1], alone, atol=1e-5, rtol=1e-5)
    expected.logsumexp(-1).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.norm() > 0 for parameter in model.parameters())


@pytest.mark.parametrize("attention", SCORES)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_packed_models_attend_alike(attention, precision):
    model = model_with(attention, 3, "predicted")
    packed = for_search(copy.deepcopy(model), torch.device("cpu"), precision)
    with torch.no_grad():
        expected, memory = model.cross_attention(TARGET, model.encode(SOURCE), 1), packed.encode(SOURCE)
        found, cache = packed.cross_attention(TARGET, memory, 1), packed.start(memory)
        torch.testing.assert_close(found.float(), expected, atol=0.06 if precision == torch.bfloat16 else 1e-5, rtol=0)
        logits = [packed.step(TARGET[:, position], cache)[0].float() for position in range(TARGET.shape[1])]
    error = (torch.stack(logits, dim=1) - model(SOURCE, TARGET)).norm() / model(SOURCE, TARGET).norm()
    assert error < (0.03 if precision == torch.bfloat16 else 1e-5)


def test_the_window_is_where_the_weights_are():
    model = model_with("general", 2, "monotonic")
    weights = model.cross_attention(TARGET, model.encode(SOURCE), 0)
    for row, length in enumerate(LENGTHS):
        for t in range(TARGET.shape[1]):
            inside = [abs(place - min(t, length - 1)) <= 2 and place < length for place in range(SOURCE.shape[1])]
            assert (weights[row, :, t] > 0).tolist() == [inside] * 2
    assert Monotonic(heads_of_two(1))(torch.zeros(1, 1, 2, 2), torch.tensor([[[[9]]]]), 4).flatten().tolist() == [4, 4]


@pytest.mark.parametrize("settings", [{"attention": "additive"}, {"window": 2}, {"attention": "cosine", "window": 2, "window_center": "monotonic"}])
@pytest.mark.parametrize("beam", [1, 2])
def test_alignments_are_read_from_these_weights_also_beside_a_search(settings, beam, tmp_path):
    make_untrained(tmp_path, **settings)
    engine, tokenizer, config, _ = load_engine(str(tmp_path), "cpu", "fp32", "torch", "default")
    sources = tokenizer.encode_source(["Der Hund schläft.", "Guten Morgen!", "😀"])
    found = engine.search(sources, [9] * 3, Options(beam=beam).fill(config.decoding), [], 0, True)
    for source, (hypothesis, *_) in zip(sources, found):
        (expected,) = engine.align([source], [hypothesis.ids])
        assert hypothesis.attention.shape == (len(hypothesis.ids), len(source)) and expected.std() > 0
        numpy.testing.assert_allclose(hypothesis.attention, expected, atol=1e-5)
        model = load_bundle(tmp_path).model
        with torch.no_grad():
            weights = model.cross_attention(torch.tensor([[BOS, *hypothesis.ids[:-1]]]), model.encode(torch.tensor([source])), 0)
        numpy.testing.assert_allclose(expected, weights.mean(dim=1)[0].numpy(), atol=1e-5)
