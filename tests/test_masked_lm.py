"""The masked language model: what is taken out of a batch, what the model sees, and what counts in its loss."""

from __future__ import annotations

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.config import ModelConfig, check
from translate.data.objectives import OBJECTIVES
from translate.errors import UserError
from translate.model.families import new_model
from translate.model.transformer import Transformer
from translate.tokenizer import EOS, MASK, PAD
from translate.training.loss import loss_sum

masked = OBJECTIVES["masked"]
SIZE = 40
SETTINGS = {"width": 16, "heads": 2, "feedforward": 32, "encoder_layers": 2, "max_tokens": 16, "dropout": 0.0}


def small_model(**settings):
    torch.manual_seed(1)
    return new_model(ModelConfig(family="masked_lm", decoder_layers=0, **{**SETTINGS, **settings}), SIZE, SIZE, True).eval()


def sentences(number: int, length: int, seed: int = 1) -> list[list[int]]:
    ids = numpy.random.default_rng(seed).integers(4, SIZE, (number, length))
    return [[*row, EOS] for row in ids.tolist()]


sides = st.lists(st.integers(4, SIZE - 1), max_size=9).map(lambda ids: [*ids, EOS])


@settings(deadline=None, database=None)
@given(st.lists(st.tuples(sides, sides).filter(lambda pair: len(pair[0]) + len(pair[1]) > 2), min_size=1, max_size=6), st.integers(0, 9))
def test_labels_are_the_tokens_that_were_there_and_nothing_else_changes(pairs, position):
    """At least one token of each text, 15% rounded, and never an end mark or padding; a side that holds nothing but its end is left out."""
    sources, targets = ([list(side) for side in each] for each in zip(*pairs))
    source, target, labels = masked(sources, targets, (1, 0, position))
    if all(len(one) > 1 and len(other) > 1 for one, other in pairs) and not (source.numel() and target.numel()):  # one side of a batch of pairs
        pairs = [(one, [EOS]) if source.numel() else ([EOS], other) for one, other in pairs]
    read = torch.cat([source, target], dim=1)
    assert labels.shape == read.shape
    for row, (one, other) in enumerate(pairs):
        kept = [ids if len(ids) > 1 else [] for ids in (one, other)]
        original = torch.zeros_like(read[row])
        original[: len(kept[0])] = torch.tensor(kept[0], dtype=torch.int64)
        original[source.shape[1] : source.shape[1] + len(kept[1])] = torch.tensor(kept[1], dtype=torch.int64)
        chosen = labels[row] != PAD
        words = sum(len(ids) - 1 for ids in kept if ids)
        assert chosen.sum() == max(1, round(0.15 * words))
        assert torch.equal(labels[row][chosen], original[chosen]) and not {EOS, PAD} & {*labels[row][chosen].tolist()}
        assert torch.equal(read[row][~chosen], original[~chosen])


def test_of_the_chosen_tokens_80_percent_are_masked_10_replaced_and_10_kept():
    ids = sentences(2000, 40)
    source, target, labels = masked(ids, [[EOS]] * len(ids), (1, 2, 3))
    assert target.shape == (2000, 0)
    chosen = labels != PAD
    assert chosen.sum() == 2000 * 6  # 15% of 40
    gap, same = (source[chosen] == MASK).double().mean(), (source[chosen] == labels[chosen]).double().mean()
    assert abs(gap - 0.8) < 0.015  # four standard deviations of 12,000 draws
    assert abs(same - 0.1 - 0.1 / 36) < 0.012  # a random piece of 36 may be the one that was there
    places = chosen.double().mean(dim=0)
    assert places[-1] == 0 and abs(places[:-1] - 0.15).max() < 0.04  # no place is preferred
    replaced = source[chosen & (source != MASK) & (source != labels)]
    counts = torch.bincount(replaced, minlength=SIZE)
    assert counts[:4].sum() == 0 and counts[4:].min() > 0  # no special piece, and all others


def test_half_of_the_batches_of_pairs_are_read_as_pairs_and_the_others_as_either_side():
    shapes = [masked(sentences(3, 9), sentences(3, 7, seed=2), (1, 0, position)) for position in range(400)]
    kinds = [(source.shape[1], target.shape[1]) for source, target, _ in shapes]
    assert {*kinds} == {(10, 8), (10, 0), (0, 8)}
    assert 160 < kinds.count((10, 8)) < 240 and 70 < kinds.count((10, 0)) < 130  # four standard deviations
    mixed = [[4, 5, EOS], [6, 7, EOS]], [[8, 9, EOS], [EOS]]
    assert {masked(*mixed, (1, 0, position))[2].shape for position in range(40)} == {(2, 6)}  # with a text among the pairs, both sides


def test_the_masks_of_a_batch_depend_on_its_key_alone():
    ids, other = sentences(20, 20), sentences(20, 12, seed=2)
    first, again, next_epoch, seed = (masked(ids, other, key) for key in ((1, 0, 3), (1, 0, 3), (1, 1, 3), (2, 0, 3)))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[2], next_epoch[2]) and not torch.equal(first[2], seed[2]) and not torch.equal(next_epoch[2], seed[2])
    assert ids == sentences(20, 20)  # what it was given stays


def test_the_loss_counts_the_masked_places_alone():
    """Against the mean over the labels, by hand from the logits of each place."""
    model = small_model()
    both = next(key for key in range(9) if masked(sentences(3, 9), sentences(3, 7, seed=2), (1, 0, key))[2].shape[1] == 18)
    source, target, labels = masked(sentences(3, 9), sentences(3, 7, seed=2), (1, 0, both))
    with torch.no_grad():
        features = model.features(source, target)
        likelihood = loss_sum(features, model.output_weight, labels, 0.0)[1]
        expected = 0.0
        for row, place in (labels != PAD).nonzero().tolist():
            scores = [float(features[row, place] @ model.target_embedding.weight[piece]) for piece in range(SIZE)]
            expected += numpy.log(numpy.exp(scores).sum()) - scores[labels[row, place]]
    assert float(likelihood) == pytest.approx(expected, rel=1e-5)
    assert (labels != PAD).sum() == 6


def test_a_source_goes_through_the_encoder_of_a_translation_model():
    """With the same weights, both models have the same states of a source, bit for bit."""
    model = small_model()
    other = Transformer(ModelConfig(**SETTINGS, decoder_layers=1), SIZE, SIZE).eval()
    names = dict(other.named_parameters())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name != "segment_embedding":
                names[name].copy_(parameter)
        source = torch.tensor([[5, 6, 7, EOS], [8, EOS, PAD, PAD]])
        assert torch.equal(model.features(source, source[:, :0]), other.encode(source).states)


def test_segments_change_the_states_and_positions_restart():
    model = small_model()
    ids, empty = torch.tensor([[5, 6, 7, EOS]]), torch.empty(1, 0, dtype=torch.int64)
    with torch.no_grad():
        first, second, both = model.features(ids, empty), model.features(empty, ids), model.features(ids, ids)
        assert not torch.allclose(first, second)
        assert not torch.allclose(both[:, :4], both[:, 4:])
        model.segment_embedding.zero_()  # with nothing left that tells them apart, equal texts have equal states
        assert torch.allclose(model.features(ids, ids)[:, :4], model.features(ids, ids)[:, 4:], atol=1e-6)
        assert torch.equal(model.features(empty, ids), first)


def test_padding_and_a_side_that_others_have_change_no_state():
    model = small_model()
    source, target = torch.tensor([[5, 6, EOS, PAD], [7, 8, 9, EOS]]), torch.tensor([[PAD] * 3, [4, 5, EOS]])
    with torch.no_grad():
        states = model.features(source, target)
        assert torch.allclose(states[0, :3], model.features(source[:1, :3], target[:1, :0])[0], atol=1e-6)
        assert torch.allclose(states[1], model.features(source[1:], target[1:])[0], atol=1e-6)


def test_each_side_may_be_as_long_as_there_are_positions():
    model, ids = small_model(), torch.full((1, 16), 5)
    with torch.no_grad():
        assert model.features(ids, ids).shape == (1, 32, 16)
    with pytest.raises(ValueError, match="17 tokens is longer than the model's max_tokens"):
        model.features(ids[:, :1], torch.full((1, 17), 5))


def test_a_tokenizer_for_each_language_is_refused():
    from translate.config import Config, TokenizerConfig

    with pytest.raises(UserError, match="tokenizer.joint is false: model.family=masked_lm"):
        check(Config(model=ModelConfig(family="masked_lm"), tokenizer=TokenizerConfig(joint=False)))


def test_text_of_either_language_and_pairs_are_read_together(tmp_path, corpus_folder):
    """From files to batches: a source alone is the first segment, a target alone the second."""
    from tests.conftest import tiny_config
    from translate.config import CorpusConfig
    from translate.data.batches import BatchStream
    from translate.data.pairs import training_texts
    from translate.data.prepare import prepare
    from translate.data.sides import sides_of
    from translate.tokenizer import train_tokenizer

    config = tiny_config(tmp_path / "run", corpus_folder)
    config.model.family = "masked_lm"
    german, english = (str(corpus_folder / f"train.{language}") for language in ("de", "en"))
    sides = sides_of(config.model)
    shapes = {}
    for name, corpus in {"source": {"source": german}, "target": {"target": english}, "pairs": {"source": german, "target": english}}.items():
        config.data.train = [CorpusConfig(**corpus)]
        tokenizer = train_tokenizer(lambda: training_texts(config.data, sides), config.tokenizer, tmp_path / name)
        prepared = prepare(config.data, tokenizer, print, sides)
        assert prepared.kept >= 1499  # one English sentence is there twice
        with BatchStream(prepared, tokenizer, 400, 1, objective="masked") as stream:
            batches = [batch for batch, _ in zip(stream.batches_from(), range(20))]
        assert all(batch.tokens == (batch.labels != PAD).sum() > 0 for batch in batches)
        shapes[name] = {(batch.source.shape[1] > 0, batch.target.shape[1] > 0) for batch in batches}
    assert shapes == {"source": {(True, False)}, "target": {(False, True)}, "pairs": {(True, True), (True, False), (False, True)}}
