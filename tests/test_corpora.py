"""Corpora of lines: text, TSV and JSON; parts of them, missing files, and the cache."""

from __future__ import annotations

import dataclasses
import gzip
import json
import lzma
import os
from pathlib import Path

import pytest

from tests.corpus_files import PAIRS, failure, pairs_of, text_corpus, write
from translate.config import CorpusConfig, DataConfig, from_dict
from translate.data.corpora import load_corpus
from translate.data.pairs import load_pairs


def test_text_plain_and_packed(tmp_path, data):
    odd = [("eins\u2028zwei", "one\x85two"), ("", "blank"), ("wind\r", "ows\r"), ("a\tb", '"c"'), ("letzte", "last")]
    expected = [(source.removesuffix("\r"), target.removesuffix("\r")) for source, target in odd]
    corpus = text_corpus(tmp_path, odd)
    assert pairs_of(corpus, data) == load_pairs([corpus], data) == expected
    for opened, suffix in ((gzip.open, ".gz"), (lzma.open, ".xz")):
        for side in (corpus.source, corpus.target):
            with opened(side + suffix, "wb") as file:
                file.write(Path(side).read_bytes())
        assert pairs_of(CorpusConfig(source=corpus.source + suffix, target=corpus.target + suffix), data) == expected


def test_tsv(tmp_path, data):
    path = write(tmp_path / "a.tsv", ['1\t"Hallo"\tHello\tx', "2\t\tWorld\ty"])
    assert pairs_of(CorpusConfig("tsv", path, source="2", target="3"), data) == [('"Hallo"', "Hello"), ("", "World")]
    assert pairs_of(CorpusConfig("tsv", path), data)[0] == ("1", '"Hallo"')
    write(tmp_path / "a.tsv", ["a\tb\tc", "d\te"])
    assert failure(CorpusConfig("tsv", path, source="1", target="3"), data) == f"{path}, line 2: there is no column 3, the line has only 2"
    assert "is 'de': it must be the number of a column, from 1" in failure(CorpusConfig("tsv", path, source="de"), data)
    assert "needs `path`" in failure(CorpusConfig("tsv"), data)


def test_jsonl(tmp_path, data):
    rows = [{"translation": {"de": "Grüße\nan alle", "en": "Greetings\r\nto all"}}, {"translation": {"de": None, "en": "x"}}]
    expected = [("Grüße an alle", "Greetings to all"), ("", "x")]
    path = write(tmp_path / "a.jsonl", map(json.dumps, rows))
    assert pairs_of(CorpusConfig("jsonl", path, source="translation.de", target="translation.en"), data) == expected
    path = write(tmp_path / "b.jsonl", [json.dumps({**row["translation"], "id": 1}) for row in rows] + [""])
    assert pairs_of(CorpusConfig("jsonl", path), data) == expected
    assert pairs_of(CorpusConfig("jsonl", path), dataclasses.replace(data, source_language="en", target_language="de")) == [
        pair[::-1] for pair in expected
    ]

    corpus = CorpusConfig("jsonl", path)
    for line, message in (
        ('{"de": "a"', "line 2: not valid JSON: Expecting"),
        ('{"de": "a", "fr": "b"}', "line 2: there is no 'en', only de, fr: set the corpus's `source` and `target`"),
        ("[1]", "line 2: must be a JSON object, not [1]"),
        ('{"de": 7, "en": "b"}', "line 2: 'de' must be text, not 7"),
        ('{"de": "\\ud800", "en": "b"}', "line 2: 'de' contains a lone surrogate"),
    ):
        write(tmp_path / "b.jsonl", ['{"de": "a", "en": "b"}', line])
        assert f"{path}, {message}" in failure(corpus, data)


def test_phrasebook(data):
    from translate.phrasebook import pairs

    expected = list(pairs("test"))
    assert load_pairs([CorpusConfig("phrasebook", split="test")], data) == [tuple(pair) for pair in expected]
    swapped = dataclasses.replace(data, source_language="en", target_language="de")
    assert load_pairs([CorpusConfig("phrasebook", split="test")], swapped) == [tuple(pair[::-1]) for pair in expected]
    french = dataclasses.replace(data, source_language="fr")
    assert "the phrasebook is German and English, but data.source_language is fr" in failure(CorpusConfig("phrasebook"), french)
    assert "dev" in failure(CorpusConfig("phrasebook", split="dev"), data)


# bad files


def test_missing_and_unreadable_files(tmp_path, data):
    corpus = text_corpus(tmp_path, PAIRS[:3])
    assert failure(dataclasses.replace(corpus, target="none.en"), data) == "none.en: cannot be read: No such file or directory"
    assert failure(dataclasses.replace(corpus, target=str(tmp_path)), data) == f"{tmp_path}: cannot be read: Is a directory"
    assert "needs `source` and `target`" in failure(CorpusConfig(source=corpus.source), data)
    Path(corpus.target).write_bytes("one\ntwö\n".encode() + b"thr\xe9e\n")
    assert failure(corpus, data).startswith(f"{corpus.target}, line 3: invalid UTF-8 at byte 4 of the line; this line looks like Windows-1252")
    for kind in ("text", "tsv", "jsonl"):
        empty = write(tmp_path / "empty", [])
        assert "the corpus is empty" in failure(CorpusConfig(kind, empty, *([empty] * 2 if kind == "text" else [])), data)


def test_files_of_different_length(tmp_path, data):
    def message(sources, targets):
        corpus = CorpusConfig(source=write(tmp_path / "a.de", sources), target=write(tmp_path / "a.en", targets))
        head = f"source has {len(sources):,} lines, target {len(targets):,} ({corpus.source}, {corpus.target}): they must be line-aligned"
        found = failure(corpus, data)
        assert found.startswith(head)
        return found.removeprefix(head)

    long = [PAIRS[number % 300] for number in range(1500)]
    sources, targets = (list(side) for side in zip(*long, strict=True))
    # a line that is blank in one file only
    assert message(sources, [*targets[:700], "", *targets[701:-1]]) == "; first suspicious line: 701"
    # none is: sentences of many lengths, where those after a lost line stand beside the wrong ones
    sources = [" ".join(["Wort"] * (1 + 7 * number % 31)) for number in range(1500)]
    targets = [" ".join(["word"] * (1 + 7 * number % 31)) + "." for number in range(1500)]
    assert message(sources, targets[:900] + targets[901:]) == "; first suspicious line: 901"
    assert message(sources[:400] + sources[403:], targets) == "; first suspicious line: 401"
    # nothing to see: the last line of the shorter
    assert message(["a"] * 50, ["a"] * 40) == "; first suspicious line: 40"
    assert message(["a"], []) == ""


# the cache


def corpora_in(cache):
    return len([entry for entry in os.scandir(cache) if entry.is_dir()])


def test_where_the_cache_lies(tmp_path, monkeypatch):
    corpus = text_corpus(tmp_path, PAIRS[:3])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    load_corpus(corpus, DataConfig())
    assert corpora_in(tmp_path / "xdg" / "translate-nmt") == 1
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    load_corpus(corpus, DataConfig())
    load_corpus(corpus, from_dict({"data": {"cache": "~/mine"}}).data)
    assert corpora_in(tmp_path / "home" / ".cache" / "translate-nmt") == corpora_in(tmp_path / "home" / "mine") == 1
    with pytest.raises(ValueError, match=r"the cache folder .*train\.de/x cannot be written .*: set data\.cache"):
        load_corpus(corpus, DataConfig(cache=corpus.source + "/x"))


def test_what_a_killed_run_left_is_removed_in_time(tmp_path, data):
    old, new = (Path(data.cache) / f"building-{name}" for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    load_corpus(text_corpus(tmp_path, PAIRS[:3]), data)
    assert new.exists() and not old.exists()


def test_some_lines_of_a_corpus(tmp_path, data):
    """Two parts of one file share no pair, and what is wrong beyond them is still found."""
    for language in ("de", "en"):
        (tmp_path / f"dev.{language}").write_text("".join(f"{language} {number}\n" for number in range(1, 21)), encoding="utf-8")

    def of(lines):
        return load_pairs([CorpusConfig(source=str(tmp_path / "dev.de"), target=str(tmp_path / "dev.en"), lines=lines)], data)

    assert of("1-8") == [(f"de {number}", f"en {number}") for number in range(1, 9)]
    assert of("1-8") + of("9-20") == of("1-8") + of("9-") == of(None) and of("20-20") == [("de 20", "en 20")]
    for lines in ("9-21", "21-"):
        with pytest.raises(ValueError, match=rf"dev\.en has only 20 pairs: lines {lines} do not exist"):
            of(lines)
    with (tmp_path / "dev.en").open("a", encoding="utf-8") as file:
        file.write("one more\n")
    with pytest.raises(ValueError, match="source has 20 lines, target 21"):
        of("1-8")
