"""Batches: every pair once, the budget kept, little padding, and the same batches again from any point."""

from __future__ import annotations

import numpy
import pytest
import torch

from translate.config import CorpusConfig, DataConfig, TokenizerConfig
from translate.data import batches as module
from translate.data.batches import BatchStream, epoch_rows, pool_batches
from translate.data.pairs import training_texts
from translate.data.prepare import prepare
from translate.tokenizer import BOS, EOS, PAD, train_tokenizer
from translate.tokenizer.padding import pad


class Corpus:
    """What BatchStream needs of translate.data.prepare.Prepared, from lists in memory."""

    def __init__(self, size: int = 2000) -> None:
        random = numpy.random.default_rng(3)
        self.target_lengths = random.integers(2, 40, size).astype(numpy.int32)
        self.source_lengths = numpy.maximum(2, self.target_lengths + random.integers(-3, 4, size)).astype(numpy.int32)
        self.corpus_of, self.weights = None, [1.0]

    def ids(self, rows):
        return [
            [[4 + int(row) % 50] * (lengths[row] - 1) + [EOS] for row in rows] for lengths in (self.source_lengths, self.target_lengths)
        ]  # fmt: skip

    def texts(self, rows):
        return tuple([" ".join(["wort"] * int(lengths[row])) for row in rows] for lengths in (self.source_lengths, self.target_lengths))


class Halving:
    """A tokenizer whose sampled segmentation depends on the seed, and whose length can outgrow a limit."""

    def encode_source(self, lines, sampling=0.0, seed=None, epoch=0, part=0):
        return [[55 + (seed + epoch + part + place) % 40] * (2 * len(line.split())) + [EOS] for place, line in enumerate(lines)]

    encode_target = encode_source


def test_an_epoch_holds_every_pair_once_within_the_budget():
    corpus = Corpus()
    batches = pool_batches(corpus.source_lengths, corpus.target_lengths, 500, 1)
    assert sorted(numpy.concatenate(batches).tolist()) == list(range(2000))
    for rows in batches:
        assert len(rows) * max(corpus.source_lengths[rows].max(), corpus.target_lengths[rows].max()) <= 500
    # not needlessly small: two thirds of the budget at the least, but for the last of the pool
    assert numpy.mean([len(rows) * corpus.target_lengths[rows].max() for rows in batches]) > 350


def test_a_pair_longer_than_the_budget_is_a_batch_of_its_own():
    lengths = numpy.array([5, 900, 5, 5])
    batches = pool_batches(lengths, lengths, 100, 1)
    assert sorted(map(sorted, (rows.tolist() for rows in batches))) == [[0, 2, 3], [1]]


def test_little_padding_on_both_sides():
    corpus = Corpus(20_000)
    batches = pool_batches(corpus.source_lengths, corpus.target_lengths, 1500, 1)
    for lengths in (corpus.source_lengths, corpus.target_lengths):
        padded = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
        assert 1 - lengths.sum() / padded < 0.05


def stream_of(corpus, count, epoch=0, position=0, seed=1, budget=500, sampling=0.0, tokenizer=None, **settings):
    with BatchStream(corpus, tokenizer, budget, seed, sampling, **settings) as stream:
        batches = stream.batches_from(epoch, position)
        return [next(batches) for _ in range(count)]


def test_epochs_and_seeds_differ_and_repeat(monkeypatch):
    """Rows are recognised by their ids; a pool has a fourth of them."""
    monkeypatch.setattr(module, "POOL", 500)
    corpus = Corpus()
    sides = (corpus.source_lengths, corpus.target_lengths)
    corpus.ids = lambda rows: [[[4 + int(row)] * (lengths[row] - 1) + [EOS] for row in rows] for lengths in sides]

    def drawn(seed, epoch):
        found = []
        with BatchStream(corpus, None, 500, seed) as stream:
            for batch in stream.batches_from(epoch):
                if batch.epoch > epoch:
                    return found
                found.append(tuple(batch.labels[:, 0].tolist()))

    first, second = drawn(1, 0), drawn(1, 1)
    assert sorted(row for rows in first for row in rows) == sorted(row for rows in second for row in rows) == list(range(4, 2004))
    assert first == drawn(1, 0) != second and first != drawn(2, 0)
    assert set(map(frozenset, first)) != set(map(frozenset, second))  # other neighbours too


def test_weights_repeat_and_thin_out_corpora():
    corpus_of = numpy.array([0] * 100 + [1] * 1000)
    rows = [epoch_rows(corpus_of, [2.5, 0.1], 1100, seed=1, epoch=epoch) for epoch in (0, 1)]
    for chosen in rows:
        counts = numpy.bincount(chosen, minlength=1100)
        assert counts[:100].sum() == 250 and set(counts[:100]) == {2, 3}
        assert counts[100:].sum() == 100 and set(counts[100:]) == {0, 1}
    assert set(rows[0]) != set(rows[1])


def test_the_weight_of_a_single_corpus_counts_too():
    assert numpy.bincount(epoch_rows(None, [2.0], 10, seed=1, epoch=0)).tolist() == [2] * 10
    rows = [epoch_rows(None, [0.5], 10, seed=1, epoch=epoch) for epoch in (0, 1)]
    assert all(len(set(chosen)) == 5 for chosen in rows) and set(rows[0]) != set(rows[1])


def test_padding_and_the_shifted_target():
    assert pad([[5, 6, EOS], [7, EOS]]).tolist() == [[5, 6, EOS], [7, EOS, PAD]]
    with BatchStream(Corpus(50), None, budget=100, seed=1) as stream:
        batch = next(stream.batches_from())
    assert (batch.target[:, 0] == BOS).all()
    assert torch.equal(batch.target[:, 1:], batch.labels[:, :-1])
    assert batch.tokens == int((batch.labels != PAD).sum())
    assert all(row[row != PAD][-1] == EOS for row in batch.labels)


@pytest.mark.parametrize("sampling", [0.0, 0.1])
def test_the_stream_goes_on_anywhere(sampling, monkeypatch):
    for name in ("POOL", "SAMPLED_POOL"):
        monkeypatch.setattr(module, name, 120)
    settings = {"tokenizer": Halving(), "budget": 400, "seed": 7, "sampling": sampling}
    whole = stream_of(Corpus(300), 90, **settings)
    assert whole[-1].epoch >= 1 and len({batch.position // 120 for batch in whole}) == 3
    for place in range(90 - 3):
        after = (whole[place - 1].epoch, whole[place - 1].position + 1) if place else (0, 0)  # what training saves
        for again, once in zip(stream_of(Corpus(300), 3, *after, **settings), whole[place:]):
            assert (again.epoch, again.position) == (once.epoch, once.position)
            assert torch.equal(again.source, once.source) and torch.equal(again.labels, once.labels)


def test_a_sampled_sentence_past_the_limit_keeps_its_usual_segmentation():
    batches = stream_of(Corpus(300), 30, tokenizer=Halving(), budget=400, seed=7, sampling=0.1, longest=45)
    assert max(batch.source.shape[1] for batch in batches) <= 45
    assert any((batch.source > 54).any() for batch in batches)  # ids that only the sampler makes
    assert any(((batch.source > EOS) & (batch.source < 55)).any() for batch in batches)


@pytest.fixture(scope="module")
def phrases(tmp_path_factory):
    """A real tokenizer and training set: 3,000 phrasebook pairs."""
    from translate.phrasebook import pairs

    folder = tmp_path_factory.mktemp("phrases")
    for side, language in enumerate(("de", "en")):
        (folder / language).write_text("".join(pair[side] + "\n" for pair in pairs("train")[:3000]), encoding="utf-8")
    data = DataConfig(train=[CorpusConfig(source=str(folder / "de"), target=str(folder / "en"))], cache=str(folder / "cache"))
    tokenizer = train_tokenizer(training_texts(data), TokenizerConfig(vocabulary=900), folder)
    return prepare(data, tokenizer, lambda line: None), tokenizer


def test_sampled_batches_keep_the_budget_and_have_little_padding(phrases):
    data, tokenizer = phrases
    for strength in (0.1, 0.4):
        batches = stream_of(data, 250, tokenizer=tokenizer, budget=600, sampling=strength, longest=128)
        assert batches[-1].epoch >= 1
        sizes = [max(batch.source.numel(), batch.labels.numel()) for batch in batches]
        assert max(sizes) <= 600 and numpy.mean(sizes) > 550
        assert sum(batch.tokens for batch in batches) > 0.95 * sum(batch.labels.numel() for batch in batches)
    usual = stream_of(data, 250, tokenizer=tokenizer, budget=600)
    assert sum(map(len, (batch.labels for batch in usual))) > 1.1 * sum(map(len, (batch.labels for batch in batches)))  # for they are longer


def test_a_word_is_segmented_in_other_ways_in_the_next_epoch(phrases):
    """Each (epoch, seed) draws from a word's segmentations anew: their number grows with the epochs."""
    _, tokenizer = phrases
    word, seen = ["Entschuldigungsschreiben"], []
    for seed, epoch in ((1, 0), (1, 1), (1, 2), (2, 0)):
        seen.append({tuple(tokenizer.encode_source(word, 0.3, seed, epoch, part)[0]) for part in range(400)})
    assert all(len(each) <= 64 for each in seen)
    assert len(set.union(*seen)) > 1.4 * max(map(len, seen)) and len({frozenset(each) for each in seen}) == 4
    # a function of seed, epoch and part alone, whatever was asked before
    assert tokenizer.encode_source(word, 0.3, 1, 0, 7) == tokenizer.encode_source(word, 0.3, 1, 0, 7)
    first = tokenizer.encode_source(word * 50, 0.3, 1, 1)
    tokenizer.encode_source(word * 50, 0.3, 9, 4)
    assert tokenizer.encode_source(word * 50, 0.3, 1, 1) == first


def test_an_error_in_the_background_reaches_the_caller():
    corpus = Corpus(50)
    corpus.ids = lambda rows: [][1]
    with BatchStream(corpus, None, budget=100, seed=1) as stream, pytest.raises(IndexError):
        next(stream.batches_from())
