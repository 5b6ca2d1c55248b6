"""The Markov chain: probabilities computed by hand and by a slow dictionary, generation, perplexity."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.config import ModelConfig
from translate.decoding.sampling import sample
from translate.model.families import new_model
from translate.model.ngrams import discounts_of
from translate.tokenizer import BOS, EOS, PAD, UNK

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "I", "like", "apples", "bananas", "you"]
TEXTS = ["I like apples", "I like bananas", "you like bananas"]


def ids_of(text: str) -> list[int]:
    return [*map(WORDS.index, text.split()), EOS]


def chain(texts: list[list[int]], size: int, **settings):
    model = new_model(ModelConfig(family="markov", **settings), size, size, True)
    model.learn(numpy.array([token for ids in texts for token in ids]), numpy.array(list(map(len, texts))))
    return model


def fruit(order: int = 2, smoothing: str = "none"):
    return chain([ids_of(text) for text in TEXTS], len(WORDS), order=order, smoothing=smoothing)


def after(model, *history: int) -> list[float]:
    """Of each next token, by the model: `history` begins with BOS or is a part of a text."""
    longest = model.config.order - 1
    row = [PAD] * longest + list(history)
    return model.logits(torch.tensor([row[len(row) - longest :]]))[0].double().exp().tolist()


def test_plain_counts_of_three_sentences():
    p = after(fruit(), WORDS.index("like"))
    assert p[WORDS.index("bananas")] == pytest.approx(2 / 3)
    assert p[WORDS.index("apples")] == pytest.approx(1 / 3)
    assert sum(p) == pytest.approx(1)
    assert after(fruit(), BOS)[WORDS.index("I")] == pytest.approx(2 / 3)


def test_plain_counts_spread_evenly_where_nothing_followed():
    """Over all others: what may be predicted, without the token itself."""
    p = after(fruit(), UNK)
    others = [EOS, *range(4, len(WORDS))]
    assert [p[token] for token in others] == pytest.approx([1 / len(others)] * len(others))
    assert p[PAD] + p[BOS] + p[UNK] < 1e-30


def test_plain_counts_begin_with_shorter_histories():
    assert after(fruit(order=4), BOS)[WORDS.index("I")] == pytest.approx(2 / 3)
    assert after(fruit(order=4), BOS, 4, 5)[WORDS.index("bananas")] == pytest.approx(1 / 2)


def test_kneser_ney_by_hand():
    """D = 4 / (4 + 2 * 4) = 1/3 for pairs, four of which occur once and four twice; D = 4 / (4 + 2 * 2) = 1/2 for single pieces, four of which come
    after one other and two (like, </s>) after two. So p(apples) = (1 - 1/2) / 8 + (6 * 1/2 / 8) / 7 = 13/112, 7 pieces being possible; and
    p(apples | like) = (1 - 1/3) / 3 + (2 * 1/3 / 3) * 13/112 = 125/504."""
    p = after(fruit(smoothing="kneser_ney"), WORDS.index("like"))
    assert p[WORDS.index("apples")] == pytest.approx(125 / 504)
    assert p[WORDS.index("bananas")] == pytest.approx(293 / 504)
    assert p[WORDS.index("you")] == pytest.approx(13 / 504)
    assert after(fruit(smoothing="kneser_ney"), UNK)[WORDS.index("apples")] == pytest.approx(13 / 112)


def test_three_discounts_by_hand():
    """Of ten counts of 1, four of 2, two of 3 and one of 4: Y = 10 / (10 + 2 * 4) = 5/9."""
    counts = numpy.array([1] * 10 + [2] * 4 + [3] * 2 + [4])
    assert discounts_of(counts) == pytest.approx((1 - 2 * 5 / 9 * 4 / 10, 2 - 3 * 5 / 9 * 2 / 4, 3 - 4 * 5 / 9 * 1 / 2))
    assert discounts_of(numpy.array([2, 2])) == (0.5, 0.5, 0.5)


def test_a_sentence_that_was_never_seen_can_be_generated():
    model = fruit()
    seeds, limits = list(range(200)), torch.full((200,), 10)
    state = model.start(model.encode(torch.zeros((200, 0), dtype=torch.int64)))
    found = sample(model.step, state, limits, BOS, EOS, 1.0, 0, 1.0, seeds, 1.0, (PAD, BOS, UNK))
    texts = {" ".join(WORDS[token] for token in hypothesis.ids) for row in found for hypothesis in row}
    assert texts == {*TEXTS, "you like apples"}


class Slow:
    """Interpolated Kneser-Ney with dictionaries, as the papers write it, recursively and in fractions where they are exact."""

    def __init__(self, texts: list[list[int]], order: int, size: int) -> None:
        self.order, self.size = order, size
        self.counts = [defaultdict(int) for _ in range(order + 1)]
        for ids in texts:
            text = (BOS, *ids)
            for k in range(1, order + 1):
                for place in range(len(text) - k + 1):
                    self.counts[k][text[place : place + k]] += 1
        self.adjusted = [{gram: self.count(gram) for gram in self.counts[k] if gram != (BOS,)} for k in range(order + 1)]
        self.discounts = [(0.0, *discounts_of(numpy.array(list(counts.values())))) for counts in self.adjusted]

    def count(self, gram: tuple[int, ...]) -> int:
        if len(gram) == self.order or gram[0] == BOS:
            return self.counts[len(gram)][gram]
        return len({longer[0] for longer in self.counts[len(gram) + 1] if longer[1:] == gram})

    def p(self, token: int, history: tuple[int, ...]) -> float:
        k = len(history) + 1
        shorter = self.p(token, history[1:]) if history else float(token not in (PAD, BOS)) / (self.size - 2)
        followers = {gram: count for gram, count in self.adjusted[k].items() if gram[:-1] == history}
        if not followers:
            return shorter
        discounts, total = self.discounts[k], sum(followers.values())
        own = followers.get((*history, token), 0)
        left = sum(discounts[min(count, 3)] for count in followers.values())
        return (own - discounts[min(own, 3)]) / total + left / total * shorter


SIZE = 7
SENTENCES = st.lists(st.lists(st.sampled_from([UNK, 4, 5, 6]), max_size=7).map(lambda ids: [*ids, EOS]), min_size=1, max_size=12)


@settings(deadline=None, max_examples=60)
@given(SENTENCES, st.integers(1, 5), st.data())
def test_kneser_ney_is_what_the_papers_say(texts, order, data):
    model, slow = chain(texts, SIZE, order=order), Slow(texts, order, SIZE)
    text = (BOS, *data.draw(SENTENCES)[0][:-1])
    history = text[max(0, len(text) - order + 1) :] if order > 1 else ()
    expected = [slow.p(token, history) for token in range(SIZE)]
    assert after(model, *history) == pytest.approx(expected, abs=1e-6)
    assert sum(expected) == pytest.approx(1)


@settings(deadline=None, max_examples=60)
@given(SENTENCES, st.integers(1, 5), st.sampled_from(["kneser_ney", "none"]), st.data())
def test_each_distribution_adds_up_to_one(texts, order, smoothing, data):
    model = chain(texts, SIZE, order=order, smoothing=smoothing)
    history = [data.draw(st.integers(0, SIZE - 1)) for _ in range(order - 1)]
    p = model.probabilities(torch.tensor([history, history], dtype=torch.int64))
    assert p.sum(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert (p >= 0).all()


@settings(deadline=None, max_examples=40)
@given(SENTENCES, st.integers(1, 5), st.data())
def test_plain_counts_are_shares(texts, order, data):
    """The history of any place of the text itself: what followed it, in all texts."""
    text = (BOS, *data.draw(st.sampled_from(texts)))
    place = data.draw(st.integers(1, len(text) - 1))
    history = text[max(0, place - order + 1) : place]
    length = len(history)
    followers = [
        other[at] for other in ((BOS, *ids) for ids in texts) for at in range(1, len(other)) if other[max(0, at - order + 1) : at] == history
    ]
    assert length == min(order - 1, place)
    expected = [float(Fraction(followers.count(token), len(followers))) for token in range(SIZE)]
    assert after(chain(texts, SIZE, order=order, smoothing="none"), *history) == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(SENTENCES, st.integers(1, 5), st.data())
def test_steps_are_the_whole_text(texts, order, data):
    """Rows that are repeated and sentences that change places keep their own histories; a prompt is read at once."""
    model = chain(texts, SIZE, order=order)
    prompt = data.draw(st.lists(st.sampled_from([4, 5, 6]), max_size=4))
    rest = data.draw(st.lists(st.sampled_from([4, 5, 6]), min_size=1, max_size=4))
    other = [6] * (len(prompt) + 2)
    width = max(len(prompt), len(other))
    memory = model.encode(torch.tensor([other + [PAD] * (width - len(other)), prompt + [PAD] * (width - len(prompt))]))
    state = model.start(memory.select(torch.tensor([1, 0])))
    logits, state = model.step(torch.tensor([BOS, BOS]), state)
    found = [logits[0]]
    state = state.reorder(torch.tensor([0, 0]), torch.tensor([0]))
    for token in rest:
        logits, state = model.step(torch.tensor([4, token]), state)
        found.append(logits[1])
    whole = model(torch.zeros((1, 0), dtype=torch.int64), torch.tensor([[BOS, *prompt, *rest]]))[0, len(prompt) :]
    assert torch.equal(torch.stack(found), whole)


def test_what_never_occurs_has_a_finite_perplexity():
    loss = -math.log(after(fruit(), WORDS.index("like"))[EOS])
    assert 80 < loss < 90
