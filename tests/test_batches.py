"""Batches: every pair once, the budget kept, little padding, and the same batches again from any point."""

from __future__ import annotations

import numpy
import pytest
import torch

from translate.batches import BatchStream, epoch_batches, epoch_rows, pad
from translate.tokenizer import BOS, EOS, PAD


class Corpus:
    """What BatchStream needs of translate.data.Prepared, from lists in memory."""

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

    def encode_source(self, lines, sampling=0.0, seed=None):
        return [[5 + seed % 90] * (2 * len(line.split())) + [EOS] for line in lines]

    encode_target = encode_source


def test_an_epoch_holds_every_pair_once_within_the_budget():
    corpus = Corpus()
    batches = epoch_batches(numpy.arange(2000), corpus.source_lengths, corpus.target_lengths, 500, seed=1, epoch=0)
    assert sorted(numpy.concatenate(batches).tolist()) == list(range(2000))
    for rows in batches:
        assert len(rows) * max(corpus.source_lengths[rows].max(), corpus.target_lengths[rows].max()) <= 500
    # not needlessly small: two thirds of the budget at the least, but for the last of the pool
    assert numpy.mean([len(rows) * corpus.target_lengths[rows].max() for rows in batches]) > 350


def test_a_pair_longer_than_the_budget_is_a_batch_of_its_own():
    lengths = numpy.array([5, 900, 5, 5])
    batches = epoch_batches(numpy.arange(4), lengths, lengths, 100, seed=1, epoch=0)
    assert sorted(map(sorted, (rows.tolist() for rows in batches))) == [[0, 2, 3], [1]]


def test_little_padding_on_both_sides():
    corpus = Corpus(20_000)
    batches = epoch_batches(numpy.arange(20_000), corpus.source_lengths, corpus.target_lengths, 1500, seed=1, epoch=0)
    for lengths in (corpus.source_lengths, corpus.target_lengths):
        padded = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
        assert 1 - lengths.sum() / padded < 0.05


def test_epochs_and_seeds_differ_and_repeat():
    corpus = Corpus()

    def drawn(seed, epoch):
        return [rows.tolist() for rows in epoch_batches(numpy.arange(2000), corpus.source_lengths, corpus.target_lengths, 500, seed, epoch)]

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1) and drawn(1, 0) != drawn(2, 0)
    assert set(map(frozenset, drawn(1, 0))) != set(map(frozenset, drawn(1, 1)))  # other neighbours too


def test_weights_repeat_and_thin_out_corpora():
    corpus_of = numpy.array([0] * 100 + [1] * 1000)
    rows = [epoch_rows(corpus_of, [2.5, 0.1], 1100, seed=1, epoch=epoch) for epoch in (0, 1)]
    for chosen in rows:
        counts = numpy.bincount(chosen, minlength=1100)
        assert counts[:100].sum() == 250 and set(counts[:100]) == {2, 3}
        assert counts[100:].sum() == 100 and set(counts[100:]) == {0, 1}
    assert set(rows[0]) != set(rows[1])


def test_padding_and_the_shifted_target():
    assert pad([[5, 6, EOS], [7, EOS]]).tolist() == [[5, 6, EOS], [7, EOS, PAD]]
    with BatchStream(Corpus(50), None, budget=100, seed=1) as stream:
        batch = next(stream.batches_from())
    assert (batch.target[:, 0] == BOS).all()
    assert torch.equal(batch.target[:, 1:], batch.labels[:, :-1])
    assert batch.tokens == int((batch.labels != PAD).sum())
    assert all(row[row != PAD][-1] == EOS for row in batch.labels)


@pytest.mark.parametrize("sampling", [0.0, 0.1])
def test_the_stream_goes_on_anywhere(sampling):
    def first(count, epoch=0, position=0):
        with BatchStream(Corpus(300), Halving(), budget=400, seed=7, sampling=sampling) as stream:
            batches = stream.batches_from(epoch, position)
            return [next(batches) for _ in range(count)]

    whole = first(60)
    assert whole[-1].epoch >= 1
    for place in (1, 20, 45):
        rest = first(3, whole[place].epoch, whole[place].position)
        for again, once in zip(rest, whole[place:]):
            assert (again.epoch, again.position) == (once.epoch, once.position)
            assert torch.equal(again.source, once.source) and torch.equal(again.labels, once.labels)


def test_a_sampled_sentence_past_the_limit_keeps_its_usual_segmentation():
    with BatchStream(Corpus(300), Halving(), budget=400, seed=7, sampling=0.1, longest=45) as stream:
        batches = stream.batches_from()
        batches = [next(batches) for _ in range(30)]
    assert max(batch.source.shape[1] for batch in batches) <= 45
    assert any((batch.source > 54).any() for batch in batches)  # ids that only the sampler makes


def test_an_error_in_the_background_reaches_the_caller():
    corpus = Corpus(50)
    corpus.ids = lambda rows: [][1]
    with BatchStream(corpus, None, budget=100, seed=1) as stream, pytest.raises(IndexError):
        next(stream.batches_from())
