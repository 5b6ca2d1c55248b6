from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest

from translate.config import CorpusConfig, DataConfig, FilterConfig, TokenizerConfig
from translate.data.pairs import training_texts
from translate.data.prepare import prepare
from translate.tokenizer import EOS, Tokenizer, train_tokenizer

GERMAN = [f"Satz {number}: ein Hund läuft {number % 17} Mal durch den Garten." for number in range(300)]
ENGLISH = [f"Sentence {number}: a dog runs {number % 17} times through the garden." for number in range(300)]
PAIRS = list(zip(GERMAN, ENGLISH, strict=True))
DATA = os.environ.get("TRANSLATE_DATA")


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    return train_tokenizer(PAIRS, TokenizerConfig(vocabulary=400), tmp_path_factory.mktemp("spm"))


@pytest.fixture
def data(tmp_path):
    return DataConfig(cache=str(tmp_path / "cache"))


def write(path, lines) -> str:
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return str(path)


def text_corpus(folder, pairs, **settings) -> CorpusConfig:
    folder.mkdir(exist_ok=True)
    source, target = (write(folder / f"train.{language}", [pair[side] for pair in pairs]) for side, language in enumerate(("de", "en")))
    return CorpusConfig(source=source, target=target, **settings)


def test_prepared_rows_are_the_texts_and_ids(tmp_path, data, tokenizer):
    corpora = [text_corpus(tmp_path / "one", PAIRS[:200]), text_corpus(tmp_path / "two", PAIRS[200:], weight=2.5)]
    data.train = corpora
    lines = []
    prepared = prepare(data, tokenizer, lines.append)
    assert (prepared.read, prepared.kept, len(prepared), prepared.weights) == (300, 300, 300, [1.0, 2.5])
    assert prepared.corpus_of.tolist() == [0] * 200 + [1] * 100
    assert prepared.dataset.column_names == ["source", "target", "source_ids", "target_ids"]
    source_ids, target_ids = tokenizer.encode_source(GERMAN), tokenizer.encode_target(ENGLISH)
    assert list(prepared.dataset["source"]) == GERMAN and list(prepared.dataset["target_ids"]) == target_ids
    assert prepared.source_lengths.tolist() == [len(ids) for ids in source_ids] and prepared.source_lengths.dtype == numpy.int32
    assert prepared.target_lengths.tolist() == [len(ids) for ids in target_ids]
    rows = numpy.random.default_rng(1).integers(0, 300, 60)
    assert prepared.ids(rows) == ([source_ids[row] for row in rows], [target_ids[row] for row in rows])
    assert prepared.texts(rows.tolist()) == ([GERMAN[row] for row in rows], [ENGLISH[row] for row in rows])
    assert all(ids[-1] == EOS for ids in prepared.ids([0, 299])[0])
    assert len(lines) == 2 and lines[1].startswith("300 of 300 pairs kept; left out: 0 blank")
    assert list(training_texts(data)) == PAIRS and len(training_texts(data)) == 300


def test_many_rows_are_many_batches_and_threads(tmp_path, data, tokenizer):
    pairs = [(f"{source} {number}", f"{target} {number}") for number in range(80) for source, target in PAIRS]
    data.train, data.workers = [text_corpus(tmp_path, pairs)], 3
    prepared = prepare(data, tokenizer, lambda line: None)
    rows = [0, 9_999, 10_000, 19_999, 20_000, 23_999, 5]
    assert prepared.corpus_of is None and prepared.kept == 24_000
    assert prepared.texts(rows) == tuple(map(list, zip(*[pairs[row] for row in rows], strict=True)))
    assert prepared.ids(rows)[0] == tokenizer.encode_source([pairs[row][0] for row in rows])


def test_each_filter_is_counted(tmp_path, data, tokenizer):
    word = "Hund "
    long = len(tokenizer.encode_source([word * 30])[0])
    bad = [
        ("", "blank"), ("blank", " \u00a0"), ("", ""), ("same", "same"), (" same", "same "), PAIRS[0], PAIRS[0], PAIRS[5],
        (word * 31, word * 32), (word * 30, "a dog"), ("ab", word * 30), ("a", "b c d e f"),
    ]  # fmt: skip
    data.train = [text_corpus(tmp_path, PAIRS[:50] + bad)]
    data.filters = FilterConfig(max_tokens=long, max_ratio=3.0)
    prepared = prepare(data, tokenizer, lambda line: None)
    assert prepared.counts == {"blank": 3, "identical": 2, "duplicate": 3, "over_long": 1, "length_ratio": 2}
    assert prepared.kept == 51 and prepared.texts(range(51)) == tuple(map(list, zip(*PAIRS[:50], bad[-1], strict=True)))

    data.filters = FilterConfig(max_tokens=256, max_ratio=0.0, identical=False, duplicates=False)
    prepared = prepare(data, tokenizer, lambda line: None)
    assert prepared.counts == {"blank": 3, "identical": 0, "duplicate": 0, "over_long": 0, "length_ratio": 0} and prepared.kept == 59


def test_pairs_are_compared_as_the_model_sees_them(tmp_path, data, tokenizer):
    """White space and Unicode forms make no other pair; case and punctuation do."""
    source, target = "Über den Fluß.", "Across the river."
    alike = [(" " + source, target), (source.replace(" ", "\u00a0"), target + "  "), (source.replace("Ü", "U\u0308"), target.replace(" ", "  "))]
    others = [(source.lower(), target), (source, target.upper()), (source, f'"{target}"')]
    blank = [("\u200b", "zero width"), ("Leerzeichen", "\u00a0\u3000")]
    data.train = [text_corpus(tmp_path, [(source, target), *alike, *others, *blank, ("same\u00a0text", " same text")])]
    prepared = prepare(data, tokenizer, lambda line: None)
    assert (prepared.counts["duplicate"], prepared.counts["blank"], prepared.counts["identical"], prepared.kept) == (3, 2, 1, 4)
    assert prepared.texts([0])[0] == [source]


def test_duplicates_are_found_across_corpora_and_batches(tmp_path, data, tokenizer):
    pairs = [(f"{number} a", f"{number} b") for number in range(12_000)]
    data.train = [text_corpus(tmp_path / "one", pairs), text_corpus(tmp_path / "two", pairs[::-1][:100] + [("0 a", "1 b")])]
    prepared = prepare(data, tokenizer, lambda line: None)
    assert prepared.counts["duplicate"] == 100 and prepared.kept == 12_001
    assert prepared.texts([0, 11_999, 12_000])[0] == ["0 a", "11999 a", "0 a"] and prepared.corpus_of.tolist() == [0] * 12_000 + [1]


def test_no_pair_left_is_an_error_with_the_counts(tmp_path, data, tokenizer):
    data.train = [text_corpus(tmp_path, [("", "a"), ("b", "b"), ("c", "d"), ("c", "d")])]
    data.filters = FilterConfig(max_tokens=1)
    with pytest.raises(ValueError, match=r"no pair is left of 4: 1 blank, 1 identical, 1 duplicate, 1 over long; .* data\.filters"):
        prepare(data, tokenizer, lambda line: None)


class Unused(Tokenizer):
    def _encode(self, *arguments):
        raise AssertionError("tokenised again")


def test_the_second_start_neither_reads_nor_tokenises(tmp_path, data, tokenizer, monkeypatch):
    data.train = [text_corpus(tmp_path / "one", PAIRS[:100]), CorpusConfig("tsv", write(tmp_path / "a.tsv", ["a b\tc d"]))]
    first = prepare(data, tokenizer, lambda line: None)
    monkeypatch.setattr("translate.data.corpora.aligned_lines", None)
    monkeypatch.setattr("translate.data.corpora.tsv_rows", None)
    lines = []
    unused = Unused(*tokenizer.models.values(), normalization=tokenizer.normalization)
    second = prepare(dataclasses.replace(data, workers=2, train=[dataclasses.replace(c, weight=3.0) for c in data.train]), unused, lines.append)
    assert second.fingerprint == first.fingerprint and second.texts([3, 100]) == first.texts([3, 100]) and second.weights == [3.0, 3.0]
    assert "tokenised by an earlier run" in lines[0] and len(lines) == 1
    # the files' names and times do not matter, what is in them does
    moved = text_corpus(tmp_path / "moved", PAIRS[:100])
    assert prepare(dataclasses.replace(data, train=[moved, data.train[1]]), unused, lines.append).fingerprint == first.fingerprint


def test_any_change_is_another_fingerprint(tmp_path, data, tokenizer):
    data.train = [text_corpus(tmp_path, PAIRS[:100]), CorpusConfig("tsv", write(tmp_path / "a.tsv", ["a b\tc d\te f"]))]
    quiet = [].append
    seen = {prepare(data, tokenizer, quiet).fingerprint}
    corpus = data.train[0]
    Path(corpus.source).write_bytes(Path(corpus.source).read_bytes().replace(b"Satz 7:", b"Satz 8:", 1))
    changed = prepare(data, tokenizer, quiet)
    assert changed.texts([7])[0][0].startswith("Satz 8:")
    seen.add(changed.fingerprint)
    other = train_tokenizer(PAIRS, TokenizerConfig(vocabulary=390), tmp_path / "spm")
    seen.add(prepare(data, other, quiet).fingerprint)
    seen.add(prepare(dataclasses.replace(data, filters=FilterConfig(max_tokens=99)), tokenizer, quiet).fingerprint)
    seen.add(prepare(dataclasses.replace(data, train=data.train[::-1]), tokenizer, quiet).fingerprint)
    seen.add(prepare(dataclasses.replace(data, train=[corpus, dataclasses.replace(data.train[1], target="3")]), tokenizer, quiet).fingerprint)
    assert len(seen) == 6


@pytest.mark.parametrize("name", ["pairs.arrow", "source_lengths", "info.json"])
def test_a_damaged_cache_is_made_anew(tmp_path, data, tokenizer, name):
    data.train = [text_corpus(tmp_path, PAIRS[:100])]
    expected = prepare(data, tokenizer, lambda line: None).texts([5, 50])
    damaged = list(Path(data.cache).glob(f"*/{name}"))
    assert damaged
    for file in damaged:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    again = prepare(data, tokenizer, lambda line: None)
    assert again.texts([5, 50]) == expected and again.source_lengths.sum() > 0
    assert not [file for file in os.listdir(data.cache) if file.startswith("building")]
    prepare(data, Unused(*tokenizer.models.values(), normalization=tokenizer.normalization), lambda line: None)


def test_runs_at_once_share_the_cache(tmp_path, data, tokenizer):
    data.train = [text_corpus(tmp_path, PAIRS)]
    with ThreadPoolExecutor(4) as pool:
        prepared = list(pool.map(lambda _: prepare(data, tokenizer, lambda line: None), range(4)))
    assert len({each.fingerprint for each in prepared}) == 1 and all(each.texts([7]) == ([GERMAN[7]], [ENGLISH[7]]) for each in prepared)
    assert len([entry for entry in os.scandir(data.cache) if entry.is_dir()]) == 2  # the texts and their ids, once


@pytest.mark.skipif(not DATA, reason="needs TRANSLATE_DATA")
def test_multi30k(data, tmp_path):
    data.folder = os.path.join(DATA, "multi30k")
    data.train = [CorpusConfig("hub", "bentrevett/multi30k", files="train")]
    pairs = training_texts(data)
    tokenizer = train_tokenizer(pairs, TokenizerConfig(), tmp_path)
    prepared = prepare(data, tokenizer, lambda line: None)
    with open(os.path.join(data.folder, "train.de"), encoding="utf-8", newline="\n") as german:
        lines = german.read().split("\n")[:-1]
    assert len(pairs) == prepared.read == len(lines) == 29_000 and [source for source, _ in pairs] == [line.removesuffix("\r") for line in lines]
    assert prepared.kept == 29_000 - sum(prepared.counts.values()) > 28_900
