"""Sampling: frequencies against the table's probabilities, exact cuts, and seeds that know no neighbours."""

from __future__ import annotations

import collections
import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from translate.decoding import greedy, sample, sentence_seed
from translate.decoding.sampling import pick

BOS, EOS = 1, 2


@dataclass
class RowState:
    """A model whose logits depend on the sentence and on the last token only."""

    table: Tensor  # (B, V, V)

    def reorder(self, rows: Tensor, sentences: Tensor) -> RowState:
        assert torch.equal(rows, sentences)
        return RowState(self.table[sentences])


def step(last: Tensor, state: RowState) -> tuple[Tensor, RowState]:
    return state.table[torch.arange(len(last)), last], state


def draw(table: Tensor, limit: int, seeds, temperature=1.0, top_k=0, top_p=1.0, banned=()):
    limits = torch.full((len(table),), limit)
    found = sample(step, RowState(table), limits, BOS, EOS, temperature, top_k, top_p, seeds, banned=banned)
    return [hypothesis for (hypothesis,) in found]


def table_of(*probabilities: float) -> Tensor:
    """(V, V): the same distribution after every token."""
    return torch.tensor(probabilities).log().expand(len(probabilities), -1)


def chi_square(counts: list[int], probabilities: list[float]) -> float:
    total = sum(counts)
    return sum((count - total * p) ** 2 / (total * p) for count, p in zip(counts, probabilities, strict=True))


def test_one_token_is_drawn_as_often_as_the_model_says():
    probabilities = [0.05, 0.1, 0.2, 0.25, 0.3, 0.1]
    drawn = draw(table_of(*probabilities).expand(20000, -1, -1), 1, [sentence_seed(7, i) for i in range(20000)])
    counts = collections.Counter(h.ids[0] if h.ids else EOS for h in drawn)
    assert chi_square([counts[i] for i in range(6)], probabilities) < 20.5  # p = 0.001 with 5 degrees of freedom


def test_whole_sequences_are_drawn_as_often_as_the_model_says():
    table = torch.randn(4, 4, generator=torch.Generator().manual_seed(2))
    after = table.double().log_softmax(-1).tolist()
    expected = {(): math.exp(after[BOS][EOS])}
    for first in (0, 1, 3):
        expected |= {(first, *([] if second == EOS else [second])): math.exp(after[BOS][first] + after[first][second]) for second in range(4)}
    assert sum(expected.values()) == pytest.approx(1)

    drawn = draw(table.expand(20000, -1, -1), 2, [sentence_seed(3, i) for i in range(20000)])
    counts = collections.Counter(tuple(h.ids) for h in drawn)
    assert counts.keys() == expected.keys()
    assert chi_square([counts[ids] for ids in expected], list(expected.values())) < 32.9  # p = 0.001 with 12 degrees of freedom
    for h in drawn[:200]:
        assert h.log_probability == pytest.approx(math.log(expected[tuple(h.ids)]), abs=1e-5)
        assert h.complete == (len(h.ids) < 2)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_sharpens_or_flattens_the_distribution_but_not_the_reported_probability(temperature):
    probabilities = [0.05, 0.15, 0.2, 0.6]
    powers = [p ** (1 / temperature) for p in probabilities]
    drawn = draw(table_of(*probabilities).expand(20000, -1, -1), 1, range(20000), temperature=temperature)
    counts = collections.Counter(h.ids[0] if h.ids else EOS for h in drawn)
    assert chi_square([counts[i] for i in range(4)], [p / sum(powers) for p in powers]) < 16.3  # p = 0.001 with 3 degrees of freedom
    assert {round(math.exp(h.log_probability), 4) for h in drawn} == set(probabilities)


def test_a_very_low_temperature_is_greedy_search():
    table = torch.randn(50, 8, 8, generator=torch.Generator().manual_seed(4)) * 3
    cold = draw(table, 6, range(50), temperature=1e-3)
    best = greedy(step, RowState(table), torch.full((50,), 6), BOS, EOS)
    assert [h.ids for h in cold] == [h.ids for (h,) in best]


EVEN = torch.linspace(0, 1, 100001, dtype=torch.float64)[:-1]  # draws spread evenly over [0, 1)


def shares(probabilities: list[float], top_k: int, top_p: float) -> list[float]:
    """How often each token is picked, over even draws."""
    ids = pick(torch.tensor(probabilities).log().repeat(len(EVEN), 1), EVEN, top_k, top_p)
    return (torch.bincount(ids, minlength=len(probabilities)) / len(EVEN)).tolist()


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [
        (0, 1.0, [0, 1, 2, 3, 4]),
        (1, 1.0, [3]),
        (2, 1.0, [3, 1]),
        (5, 1.0, [0, 1, 2, 3, 4]),
        (99, 1.0, [0, 1, 2, 3, 4]),
        (0, 0.39, [3]),
        (0, 0.41, [3, 1]),  # 0.4 is not enough: the token that crosses 0.41 is in
        (0, 0.69, [3, 1]),
        (0, 0.71, [3, 1, 4]),
        (0, 0.84, [3, 1, 4]),
        (0, 0.86, [3, 1, 4, 2]),
        (0, 0.999, [0, 1, 2, 3, 4]),
        (0, 1e-9, [3]),
        (0, 1e-300, [3]),
        (2, 0.56, [3]),  # top-p takes its share of what top-k left: 0.4 / 0.7 = 0.571
        (2, 0.58, [3, 1]),
    ],
)
def test_cuts_keep_exactly_the_likeliest_and_their_proportions(top_k, top_p, kept):
    probabilities = [0.05, 0.3, 0.1, 0.4, 0.15]
    mass = sum(probabilities[i] for i in kept)
    expected = [p / mass if i in kept else 0.0 for i, p in enumerate(probabilities)]
    found = shares(probabilities, top_k, top_p)
    assert found == pytest.approx(expected, abs=2e-5)
    assert [share > 0 for share in found] == [i in kept for i in range(5)]


@pytest.mark.parametrize("top_p", [0.5, 0.9, 0.99])
def test_top_p_on_a_large_vocabulary_with_peaked_and_flat_rows(top_p):
    scales = torch.tensor([0.01, 0.5, 1.0, 2.0, 4.0, 8.0])
    table = torch.randn(6, 1000, generator=torch.Generator().manual_seed(3)) * scales[:, None]
    draws = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1]
    for row in table:
        ranked, order = row.double().softmax(-1).sort(descending=True)
        size = next(n for n in range(1, 1001) if ranked[:n].sum() >= top_p)
        ids = pick(row.repeat(1000, 1), draws, 0, top_p)
        expected = (ranked[:size] / ranked[:size].sum()).cumsum(0)
        places = torch.searchsorted(expected, draws, right=True).clamp(max=size - 1)
        # float32 gives some neighbours in a flat row the same weight: a rank may be off by a few, in it only
        off = (order.argsort()[ids] - places).abs()
        assert off.max() <= 5 and (off > 0).sum() <= 20
    together = pick(table.repeat(50, 1), draws[:300], 0, top_p)
    alone = torch.cat([pick(table[i % 6][None].clone(), draws[i : i + 1], 0, top_p) for i in range(300)])
    assert torch.equal(together, alone)


def test_cuts_reach_the_tokens_drawn():
    table = torch.randn(8, 8, generator=torch.Generator().manual_seed(6)).expand(2000, -1, -1)
    after_bos = table[0, BOS].softmax(-1)
    ranking = after_bos.argsort(descending=True).tolist()
    for settings, kept in [({"top_k": 3}, ranking[:3]), ({"top_p": float(after_bos[ranking[:4]].sum()) - 0.01}, ranking[:4])]:
        drawn = draw(table, 1, range(2000), **settings)
        assert {h.ids[0] if h.ids else EOS for h in drawn} == set(kept)


def test_impossible_tokens_are_never_drawn_whatever_the_draw():
    ends = torch.tensor([0.0, 1 - 2**-53, 0.5, 1 - 2**-24])
    logits = torch.tensor([-math.inf, 0.3, -math.inf, 1.1, -math.inf]).expand(4, -1)
    for top_k, top_p in [(0, 1.0), (4, 1.0), (0, 0.99), (4, 0.99)]:
        assert set(pick(logits.clone(), ends.double(), top_k, top_p).tolist()) == {1, 3}


def test_banned_tokens_are_never_drawn():
    drawn = draw(table_of(0.4, 0.4, 0.1, 0.1).repeat(500, 1, 1), 4, range(500), banned=[0, 1])
    assert {token for h in drawn for token in h.ids} == {3}


def test_the_same_seed_gives_the_same_draw_and_another_another():
    table = torch.randn(30, 9, 9, generator=torch.Generator().manual_seed(8))
    first, again, other = (draw(table, 12, [sentence_seed(seed, i) for i in range(30)]) for seed in (1, 1, 2))
    assert first == again
    assert sum(a.ids != b.ids for a, b in zip(first, other, strict=True)) > 20


@pytest.mark.parametrize("settings", [{}, {"top_k": 4}, {"top_p": 0.8}, {"top_k": 5, "top_p": 0.7, "temperature": 1.3}])
def test_a_sentence_does_not_depend_on_its_neighbours(settings):
    table = torch.randn(24, 9, 9, generator=torch.Generator().manual_seed(8))
    seeds = [sentence_seed(5, i) for i in range(24)]
    together = draw(table, 12, seeds, **settings)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1)).tolist()
    shuffled = draw(table[order], 12, [seeds[i] for i in order], **settings)
    for place, i in enumerate(order):
        (alone,) = draw(table[i : i + 1], 12, seeds[i : i + 1], **settings)
        assert together[i].ids == shuffled[place].ids == alone.ids
        assert together[i].log_probability == pytest.approx(alone.log_probability, abs=1e-5)


def test_neighbouring_seeds_are_unrelated_and_no_two_sentences_share_one():
    seeds = [sentence_seed(seed, index) for seed in (0, 1, 2**32, 2**70) for index in (0, 1, 2**32, 2**39)]
    assert len(set(seeds)) == 16
    # equal models, consecutive sentences: the pairs of first tokens are spread evenly over the 4 x 4 possibilities
    drawn = draw(torch.zeros(16001, 5, 5), 1, [sentence_seed(1, i) for i in range(16001)], banned=[EOS])
    pairs = collections.Counter((a.ids[0], b.ids[0]) for a, b in zip(drawn[:-1], drawn[1:], strict=True))
    assert len(pairs) == 16
    assert chi_square(list(pairs.values()), [1 / 16] * 16) < 37.7  # p = 0.001 with 15 degrees of freedom


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"seeds": [1]}, "1 seeds for 2 sentences"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        draw(table_of(0.5, 0.2, 0.3).expand(2, -1, -1), 3, **({"seeds": [1, 2]} | settings))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("settings", [{}, {"top_k": 2}, {"top_p": 0.5}])
def test_a_broken_model_is_an_error_not_a_translation(value, settings):
    with pytest.raises(ValueError, match="not numbers|probability 0"):
        draw(torch.full((2, 4, 4), value), 3, [1, 2], **settings)
