"""data.filters.domain: which pairs are kept, against a slow computation; the counts, the cache, mistakes."""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import one_line
from tests.test_markov import SENTENCES, SIZE, Slow
from translate.cli.main import main
from translate.config import Config, CorpusConfig, DataConfig, FilterConfig, ModelConfig, TokenizerConfig, TrainingConfig, check_budget
from translate.data.domain import choose, differences, flat
from translate.data.placeholders import with_symbols
from translate.data.prepare import fingerprint_of, prepare
from translate.data.sides import TARGET
from translate.errors import UserError
from translate.model.ngrams import estimate, log_probabilities
from translate.tokenizer import BOS, PAD, train_tokenizer

ANIMALS = ["Ein Hund", "Eine Katze", "Ein Pferd", "Ein Vogel"], ["läuft", "schläft", "frisst", "springt"], ["im Park", "am Strand", "im Schnee"]
LAW = ["Der Rat", "Die Kommission", "Das Parlament"], ["beschließt", "billigt", "verwirft"], ["die Verordnung", "den Haushalt", "das Gesetz"]


def sentences(words, count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [f"{' '.join(rng.choice(part) for part in words)} {number}." for number in range(seed, seed + count)]


@pytest.fixture
def mix(tmp_path) -> tuple[DataConfig, Path]:
    """60 sentences about animals among 240 about law, in two corpora; the targets are the sources in capitals."""
    texts = sentences(LAW, 240, 100) + sentences(ANIMALS, 60, 500)
    random.Random(1).shuffle(texts)
    corpora = []
    for name, part in (("a", texts[:200]), ("b", texts[200:])):
        (tmp_path / f"{name}.de").write_text("".join(f"{text}\n" for text in part), encoding="utf-8")
        (tmp_path / f"{name}.en").write_text("".join(f"{text.upper()}\n" for text in part), encoding="utf-8")
        corpora.append(CorpusConfig(source=str(tmp_path / f"{name}.de"), target=str(tmp_path / f"{name}.en")))
    (tmp_path / "sample").write_text("\n\n".join(sentences(ANIMALS, 30, 900)) + "\n", encoding="utf-8")
    filters = FilterConfig(domain=str(tmp_path / "sample"), domain_share=0.2)
    return DataConfig(train=corpora, filters=filters, cache=str(tmp_path / "cache")), tmp_path


def tokenizer_of(folder: Path):
    texts = sentences(LAW, 240, 100) + sentences(ANIMALS, 60, 500)
    (folder / "tokenizer").mkdir()
    return train_tokenizer([(text, text.upper()) for text in texts], TokenizerConfig(vocabulary=360), folder / "tokenizer")


def kept(prepared) -> list[str]:
    return prepared.texts(range(len(prepared)))[0]


def test_the_pairs_like_the_sample_are_kept(mix):
    data, folder = mix
    tokenizer, said = tokenizer_of(folder), []
    prepared = prepare(data, tokenizer, said.append)
    everything = prepare(dataclasses.replace(data, filters=FilterConfig()), tokenizer, said.append)
    assert (prepared.kept, prepared.counts["domain"], "domain" in everything.counts) == (60, 240, False)
    assert kept(prepared) == [text for text in kept(everything) if any(text.startswith(animal) for animal in ANIMALS[0])]
    assert all(target == source.upper() for source, target in zip(*prepared.texts(range(60))))
    assert "240 domain" in said[1]
    corpora = dict(zip(kept(everything), everything.corpus_of))
    assert [corpora[text] for text in kept(prepared)] == list(prepared.corpus_of)


def test_other_filters_come_first_and_the_share_is_of_what_they_leave(mix):
    data, folder = mix
    with open(folder / "a.de", "a", encoding="utf-8") as source, open(folder / "a.en", "a", encoding="utf-8") as target:
        source.write("\n" * 50)
        target.write("\n" * 50)
    prepared = prepare(data, tokenizer_of(folder), lambda _: None)
    assert (prepared.counts["blank"], prepared.kept) == (50, 60)


def test_the_sample_may_be_in_the_targets_language_and_a_model_of_one_language_reads_nothing_else(mix):
    data, folder = mix
    tokenizer = tokenizer_of(folder)
    (folder / "sample").write_text("\n".join(text.upper() for text in sentences(ANIMALS, 30, 900)), encoding="utf-8")
    by_target = dataclasses.replace(data, filters=dataclasses.replace(data.filters, domain_side="target"))
    alone = prepare(data, tokenizer, lambda _: None, TARGET)
    for targets in (prepare(by_target, tokenizer, lambda _: None).texts(range(60))[1], alone.texts(range(60))[1]):
        assert all(any(text.startswith(animal.upper()) for animal in ANIMALS[0]) for text in targets)


def test_examples_are_joined_and_symbols_put_from_what_is_kept(mix):
    """Symbols don't count against a pair: the models would know them from the corpus alone."""
    data, folder = mix
    texts = [(text, text.upper()) for text in sentences(LAW, 240, 100) + sentences(ANIMALS, 60, 500)]
    data = dataclasses.replace(data, placeholders=1.0)
    (folder / "tokenizer").mkdir()
    tokenizer = train_tokenizer(texts, with_symbols(TokenizerConfig(vocabulary=360), data), folder / "tokenizer")
    prepared = prepare(data, tokenizer, lambda _: None)
    animals = [text for text in kept(prepared) if any(word in text for part in ANIMALS[1:] for word in part)]
    assert prepared.kept == 60 and len(animals) >= 50
    joined = prepare(dataclasses.replace(data, join=1.0, placeholders=0.0), tokenizer, lambda _: None)
    assert joined.kept == 60 and len(joined) < 40


def test_the_cache_knows_the_sample_by_its_text(mix):
    data, folder = mix
    tokenizer = tokenizer_of(folder)
    first = fingerprint_of(data, tokenizer)
    (folder / "moved").write_text((folder / "sample").read_text(encoding="utf-8"), encoding="utf-8")
    assert fingerprint_of(with_filters(data, domain=str(folder / "moved")), tokenizer) == first
    (folder / "moved").write_text("Ein Hund läuft.\n", encoding="utf-8")
    others = [{"domain": str(folder / "moved")}, {"domain_share": 0.3}, {"domain_side": "target"}, {"domain": None, "domain_share": 0.2}]
    assert len({first, *(fingerprint_of(with_filters(data, **change), tokenizer) for change in others)}) == 5


def with_filters(data: DataConfig, **changes) -> DataConfig:
    return dataclasses.replace(data, filters=dataclasses.replace(data.filters, **changes))


def test_mistakes(mix):
    data, folder = mix
    (folder / "blank").write_text("\n \n", encoding="utf-8")
    tokenizer = tokenizer_of(folder)
    with pytest.raises(UserError, match="data.filters.domain .*has no text"):
        prepare(with_filters(data, domain=str(folder / "blank")), tokenizer, lambda _: None)
    with pytest.raises(UserError, match="missing: cannot be read"):
        prepare(with_filters(data, domain=str(folder / "missing")), tokenizer, lambda _: None)
    once = TrainingConfig(steps=1)
    for changes, family in (
        ({"domain_share": 0.5}, "encoder_decoder"), ({"domain_side": "target"}, "encoder_decoder"),
        ({"domain": "x"}, "masked_lm"), ({"domain": "x", "domain_side": "target"}, "language_model"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=f"data.filters.{list(changes)[-1]}.*no effect"):
            check_budget(
                Config(data=DataConfig(train=[CorpusConfig()], filters=FilterConfig(**changes)), model=ModelConfig(family=family), training=once)
            )


def test_a_missing_sample_is_named_before_the_run_exists(tmp_path, capsys):
    assert main(["train", "recipe=quickstart", f"run={tmp_path}/run", f"data.filters.domain={tmp_path}/missing"]) == 2
    one_line(capsys, "missing: cannot be read")
    assert not (tmp_path / "run" / "config.yaml").exists()


@settings(deadline=None, max_examples=40)
@given(SENTENCES, SENTENCES, st.integers(1, 4))
def test_fast_log_probabilities_are_the_slow_ones(texts, others, order):
    tokens, lengths = flat(texts)
    tables, slow = estimate(tokens, lengths, order, SIZE, (PAD, BOS)), Slow(texts, order, SIZE)
    tokens, lengths = flat(others)
    found = numpy.exp(log_probabilities(tables, tokens, lengths, SIZE))
    expected = []
    for ids in others:
        text = (BOS, *ids)
        expected += [1.0, *(slow.p(text[place], text[max(0, place - order + 1) : place]) for place in range(1, len(text)))]
    assert found == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(SENTENCES, SENTENCES)
def test_scores_are_differences_of_cross_entropies(texts, sample):
    """A sentence is never scored by a model of the corpus that was made of it, where there are two sentences or more."""
    scores, slow = differences(flat(texts), flat(sample), SIZE, 2), Slow(sample, 2, SIZE)
    drawn = numpy.random.Generator(numpy.random.PCG64(1)).permutation(len(texts))[: 2 * len(sample)].tolist()
    halves = [sorted(drawn[::2]), sorted(drawn[1::2]) or drawn]
    models = [Slow([texts[row] for row in half], 2, SIZE) for half in halves]
    for row, ids in enumerate(texts):
        assert scores[row] == pytest.approx(nats(slow, ids) - nats(models[row in halves[0]], ids), abs=1e-4)


def nats(model: Slow, ids: list[int]) -> float:
    """Per piece, by pairs."""
    return -sum(math.log(model.p(token, (before,))) for before, token in zip([BOS, *ids], ids)) / len(ids)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.floats(0.01, 1.0))
def test_a_share_is_chosen_and_of_equals_the_earlier(scores, share):
    chosen = choose(numpy.array(scores, dtype=float), share)
    assert chosen.sum() == max(1, round(share * len(scores)))
    ranks = sorted(range(len(scores)), key=lambda row: (scores[row], row))
    assert Counter(numpy.flatnonzero(chosen).tolist()) == Counter(ranks[: chosen.sum()])
