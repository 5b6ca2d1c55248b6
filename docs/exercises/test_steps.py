"""Checks for the steps of docs/exercises.md, against the toolkit and against plain numbers: pytest docs/exercises/test_steps.py -k attention"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import my_transformer as mine  # the reader's own file, beside this one
import pytest
import torch
from torch import Tensor, nn

from translate.config import ModelConfig, OptimConfig
from translate.decoding import beam_search
from translate.model import Transformer
from translate.model.attention import attend, causal_mask
from translate.model.layers import EncoderLayer, sinusoids
from translate.training.loss import loss_sum
from translate.training.optim import learning_rate

PAD, BOS, EOS = 0, 1, 2
WIDTH, HEADS, FEEDFORWARD = 16, 4, 24
CONFIG = ModelConfig(width=WIDTH, heads=HEADS, feedforward=FEEDFORWARD, encoder_layers=2, decoder_layers=2, dropout=0.0, norm="post", max_tokens=16)


def close(found: Tensor, expected: Tensor, hint: str) -> None:
    __tracebackhide__ = True  # pytest shows the check that calls this
    assert found.shape == expected.shape, f"the shape is {tuple(found.shape)}, expected {tuple(expected.shape)}"
    values = f"\nyours:    {found.tolist()}\nexpected: {expected.tolist()}" if found.numel() <= 8 else ""
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4, msg=lambda message: f"{hint}{values}\n{message}")


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def copied(theirs: nn.Module, own: nn.Module) -> None:
    """Give the reader's module the weights of the toolkit's, whose projections of one input are joined in one matrix."""
    names = {"attention_residual.norm": "attention_norm", "cross_residual.norm": "cross_norm", "feedforward_residual.norm": "feedforward_norm"}
    names |= {"feedforward.inner": "inner", "feedforward.outer": "outer", "target_embedding": "embedding"}
    weights = {}
    for name, weight in theirs.named_parameters():
        with torch.no_grad():  # biases and norms away from 0 and 1, so that a mix-up shows
            weight.add_(0.2 * draw(*weight.shape, seed=len(name)))
        for old, new in names.items():
            name = name.replace(old, new)
        if "query_key_value" in name:
            weights |= {name.replace("query_key_value", part): rows for part, rows in zip(("query", "key", "value"), weight.chunk(3))}
        elif "key_value" in name:
            weights |= {name.replace("key_value", part): rows for part, rows in zip(("key", "value"), weight.chunk(2))}
        else:
            weights[name] = weight
    own.load_state_dict(weights)


# Step 1


def test_attention_of_the_worked_number():
    output, weights = mine.attention(torch.tensor([[1.0, 0.0]]), torch.eye(2), torch.tensor([[10.0], [20.0]]))
    close(weights, torch.tensor([[0.669762, 0.330238]]), "softmax over the keys of Q K^T / sqrt(d)")
    close(output, torch.tensor([[13.30238]]), "the weights times the values")


def test_attention_equals_the_toolkit():
    query, key, value = draw(2, 3, 5, 8, seed=1), draw(2, 3, 7, 8, seed=2), draw(2, 3, 7, 8, seed=3)
    mask = torch.ones(2, 1, 1, 7, dtype=torch.bool)
    mask[1, ..., 4:] = False
    close(mine.attention(query, key, value)[0], attend(query, key, value), "without a mask")
    output, weights = mine.attention(query, key, value, mask)
    close(output, attend(query, key, value, mask), "with a mask: True means that the query may look at the key")
    assert (weights[1, ..., 4:] == 0).all(), "a masked key must get weight 0: set its score to -inf before the softmax"
    close(weights.sum(-1), torch.ones(2, 3, 5), "the weights of a query must add up to 1")


# Step 2


def test_mask_that_hides_the_future():
    mask = mine.causal_mask(3)
    assert mask.dtype == torch.bool, "masks are boolean"
    assert mask.tolist() == [[True, False, False], [True, True, False], [True, True, True]], "row = the query's position, column = the key's"
    assert torch.equal(mine.causal_mask(7), causal_mask(7, torch.device("cpu")))


def test_mask_that_hides_the_padding():
    mask = mine.padding_mask(torch.tensor([[5, 6, EOS], [7, EOS, PAD]]))
    assert mask.shape == (2, 1, 1, 3), "(B, 1, 1, S), so that it broadcasts over heads and queries"
    assert mask[:, 0, 0].tolist() == [[True, True, True], [True, True, False]], "True = a real token"


# Step 3


def test_positions_of_the_worked_number():
    close(mine.positions(2, 4), torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.841471, 0.540302, 0.0099998, 0.99995]]), "sine in even columns, cosine in odd")


def test_positions_equal_the_toolkit():
    close(mine.positions(50, 32), sinusoids(50, 32), "the exponent is 2i / D: columns 2i and 2i + 1 share one frequency")


# Step 4


def test_multihead_equals_torch():
    own, theirs = mine.MultiHeadAttention(WIDTH, HEADS), nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    weights = {"output.weight": theirs.out_proj.weight, "output.bias": draw(WIDTH)}
    for name, matrix, bias in zip(("query", "key", "value"), theirs.in_proj_weight.chunk(3), draw(3 * WIDTH, seed=2).chunk(3)):
        weights |= {f"{name}.weight": matrix, f"{name}.bias": bias}
    own.load_state_dict(weights)
    with torch.no_grad():
        theirs.in_proj_bias.copy_(draw(3 * WIDTH, seed=2))
        theirs.out_proj.bias.copy_(draw(WIDTH))
    states, memory = draw(2, 5, WIDTH, seed=3), draw(2, 7, WIDTH, seed=4)
    hint = "head h is columns h d to (h + 1) d; the scale is the square root of d = D / H"
    close(own(states, memory), theirs(states, memory, memory, need_weights=False)[0], hint)
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    close(own(states, states, mask), theirs(states, states, states, attn_mask=~mask, need_weights=False)[0], f"with a mask: {hint}")


# Step 5


def test_encoder_layer_equals_the_toolkit():
    theirs, own = EncoderLayer(CONFIG), mine.EncoderLayer(WIDTH, HEADS, FEEDFORWARD, dropout=0.0)
    copied(theirs, own)
    states, mask = draw(2, 6, WIDTH), mine.padding_mask(torch.tensor([[5, 6, 7, 8, 9, EOS], [5, 6, EOS, PAD, PAD, PAD]]))
    close(own(states, mask), theirs(states, mask), "LayerNorm(x + Sublayer(x)), twice; ReLU between the two linear layers")


def test_encoder_layer_drops_out_in_training_only():
    layer, states = mine.EncoderLayer(WIDTH, HEADS, FEEDFORWARD, dropout=0.5), draw(2, 6, WIDTH)
    layer.eval()
    assert torch.equal(layer(states), layer(states))
    layer.train()
    assert not torch.equal(layer(states), layer(states)), "dropout on the output of each sublayer, before it is added (section 5.4)"


# Step 6


def test_decoder_layer_looks_at_the_memory_but_not_at_the_future():
    layer = mine.DecoderLayer(WIDTH, HEADS, FEEDFORWARD, dropout=0.0)
    states, memory, mask = draw(2, 6, WIDTH, seed=1), draw(2, 4, WIDTH, seed=2), torch.ones(2, 1, 1, 4, dtype=torch.bool)
    mask[1, ..., 2:] = False
    output = layer(states, memory, mask)
    later, hidden, seen = states.clone(), memory.clone(), memory.clone()
    later[:, 4:] += 1
    hidden[1, 2:] += 1
    seen[:, 0] += 1
    close(layer(later, memory, mask)[:, :4], output[:, :4], "position 3 must not change when positions 4 and 5 do")
    close(layer(states, hidden, mask), output, "masked positions of the memory must not matter")
    assert not torch.allclose(layer(states, seen, mask), output), "the layer must attend to the memory"


def test_decoder_in_the_whole_model_equals_the_toolkit():
    theirs, own = Transformer(CONFIG, 20, 20).eval(), mine.Transformer(20, WIDTH, HEADS, FEEDFORWARD, layers=2, dropout=0.0).eval()
    copied(theirs, own)
    source = torch.tensor([[5, 6, 7, 8, EOS], [9, 10, EOS, PAD, PAD]])
    target = torch.tensor([[BOS, 11, 12, 13], [BOS, 14, PAD, PAD]])
    hint = "embeddings times sqrt(D) plus positions; encoder, decoder; logits by the embedding matrix itself"
    close(own(source, target), theirs(source, target), hint)


# Step 7


def test_loss_of_the_worked_number():
    logits, labels = torch.tensor([[[0.1, 0.1, 0.1, 0.7]]]).log(), torch.tensor([[3]])
    for smoothing, expected in ((0.0, 0.356675), (0.1, 0.502618)):
        hint = f"smoothing {smoothing}: 1 - smoothing on the label, plus smoothing / V on every piece"
        close(mine.smoothed_loss(logits, labels, smoothing), torch.tensor(expected), hint)


def test_loss_equals_the_toolkit_and_leaves_padding_out():
    hidden, weight = draw(2, 4, 8, seed=1), draw(11, 8, seed=2)
    labels = torch.tensor([[4, 5, 6, EOS], [7, EOS, PAD, PAD]])
    for smoothing in (0.0, 0.1, 0.3):
        expected = loss_sum(hidden, weight, labels, smoothing)[0] / 6
        close(mine.smoothed_loss(hidden @ weight.T, labels, smoothing), expected, "the mean over the 6 labels that are not PAD")


# Step 8


def test_update_begins_with_the_shifted_target():
    labels = torch.tensor([[7, 8, EOS], [9, EOS, PAD]])
    assert mine.shift_right(labels).tolist() == [[BOS, 7, 8], [BOS, 9, EOS]], "the decoder sees the labels one position later, behind BOS"


def test_update_takes_the_rate_of_the_paper():
    settings = OptimConfig(schedule="noam", rate=1.0, warmup=4000)
    for step in (1, 100, 4000, 100_000):
        assert mine.learning_rate(step, 512, 4000) == pytest.approx(learning_rate(settings, 512, step, 0.0)), f"equation 3 at step {step}"


class Bigram(nn.Module):
    """The least model: the next token's logits depend on the last target token alone. It keeps what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(draw(10, 10))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        self.seen, self.trained = target, self.training
        return self.table[target]


def test_update_is_one_step_down_the_gradient():
    model, table = Bigram().eval(), draw(10, 10).requires_grad_()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    source, labels = torch.tensor([[5, EOS]]), torch.tensor([[7, 8, EOS]])
    for rate in (0.5, 0.25):
        found = mine.training_step(model, optimizer, source, labels, rate, smoothing=0.1)
        loss = nn.functional.cross_entropy(table[[BOS, 7, 8]], labels[0], label_smoothing=0.1)
        (gradient,) = torch.autograd.grad(loss, table)
        table = (table - rate * gradient).detach().requires_grad_()
        assert model.seen.tolist() == [[BOS, 7, 8]], "the decoder's input is the labels shifted right"
        assert model.trained, "dropout is on after model.train() only"
        assert found == pytest.approx(loss.item(), abs=1e-5), "training_step returns the loss as a number"
        close(model.table.detach(), table.detach(), "set the rate in optimizer.param_groups; zero the gradient of the step before; backward; step")


# Step 9


def test_beam_length_penalty():
    assert mine.length_penalty(7, 1.0) == pytest.approx(2.0)
    assert mine.length_penalty(4, 0.6) == pytest.approx(1.2754, abs=1e-4)


def branching(prefixes: Tensor) -> Tensor:
    """Token 3 is the likelier beginning (0.6), 4 the better one: it ends with 0.9, 3 with 0.4."""
    rows = {(): [0, 0, 0, 0.6, 0.4], (3,): [0, 0, 0.4, 0.3, 0.3], (4,): [0, 0, 0.9, 0.05, 0.05]}
    return torch.tensor([rows.get(tuple(ids[1:]), [0, 0, 1, 0, 0]) for ids in prefixes.tolist()]).clamp(min=1e-9).log()


def test_beam_of_two_finds_what_greedy_search_misses():
    (ids, score), *_ = mine.beam_search(branching, beam=1, alpha=0.0, limit=4)
    assert (ids, score) == ([3], pytest.approx(math.log(0.24), abs=1e-4)), "a beam of 1 is greedy search"
    (ids, score), *_ = mine.beam_search(branching, beam=2, alpha=0.0, limit=4)
    assert (ids, score) == ([4], pytest.approx(math.log(0.36), abs=1e-4)), "keep the two best continuations of all hypotheses together"


def growing(prefixes: Tensor) -> Tensor:
    """The empty sentence has probability 0.3, three times token 3 has 0.7 x 0.8 x 0.8 x 0.6 = 0.2688."""
    rows = [[0.3, 0.7], [0.2, 0.8], [0.2, 0.8], [0.6, 0.4]]
    step = rows[prefixes.shape[1] - 1]
    return torch.tensor([1e-9, 1e-9, *step]).log().expand(len(prefixes), -1)


def test_beam_length_penalty_decides():
    best = mine.beam_search(growing, beam=2, alpha=0.0, limit=4)[0]
    assert best == ([], pytest.approx(math.log(0.3), abs=1e-4)), "alpha 0 ranks by log-probability"
    best = mine.beam_search(growing, beam=2, alpha=1.0, limit=4)[0]
    assert best == ([3, 3, 3], pytest.approx(math.log(0.2688) / 1.5, abs=1e-4)), "divide by ((5 + 4) / 6) ** 1: the end mark counts"


def test_beam_that_ends_nowhere_returns_what_it_has():
    endless = lambda prefixes: torch.tensor([0, 0, -math.inf, 5, 0]).expand(len(prefixes), -1)  # noqa: E731
    ids, _ = mine.beam_search(endless, beam=2, alpha=1.0, limit=3)[0]
    assert ids == [3, 3, 3], "no hypothesis has ended at the limit: return the open ones, the best first, without BOS"


@dataclass
class Table:
    """A model as the toolkit's search sees it: the hypotheses so far are the state."""

    logits: Tensor  # (histories, V)
    prefixes: Tensor  # (R, t)

    def reorder(self, rows: Tensor, sentences: Tensor) -> Table:
        return Table(self.logits, self.prefixes[rows])

    def step(self, last: Tensor, state: Table) -> tuple[Tensor, Table]:
        prefixes = torch.cat([state.prefixes, last[:, None]], dim=1)
        return lookup(self.logits, prefixes), Table(self.logits, prefixes)


def lookup(logits: Tensor, prefixes: Tensor) -> Tensor:
    """The next token's logits after each prefix: another row of the table for every history."""
    number = torch.zeros(len(prefixes), dtype=torch.long)
    for column in prefixes[:, 1:].unbind(1):
        number = number * logits.shape[1] + column + 1
    return logits[number].clone()


def test_beam_search_equals_the_toolkit():
    for seed in range(12):
        logits = 2 * draw(1 + 5 + 25 + 125, 5, seed=seed)
        table = Table(logits, torch.empty((1, 0), dtype=torch.long))
        for beam, alpha in ((1, 0.0), (2, 0.0), (2, 1.0), (3, 0.6), (4, 1.0)):
            (theirs,) = beam_search(table.step, table, torch.tensor([4]), BOS, EOS, beam, alpha, n_best=beam)
            expected = [(h.ids, pytest.approx(h.score, abs=1e-4)) for h in theirs if h.complete]
            found = mine.beam_search(partial(lookup, logits), beam, alpha, limit=4)
            if not expected:  # both have only what the limit cut
                expected, found = [(h.ids, pytest.approx(h.score, abs=1e-4)) for h in theirs[:1]], found[:1]
            assert expected and found[: len(expected)] == expected, f"beam {beam}, alpha {alpha}: {found} where the toolkit finds {theirs}"
