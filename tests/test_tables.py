"""Corpora that are tables: saved by `datasets`, from the hub or a folder in its place."""

from __future__ import annotations

import dataclasses
import gzip
import os
import subprocess
import sys

import datasets
import pytest

from tests.corpus_files import PAIRS, failure, pairs_of, text_corpus
from translate.config import CorpusConfig, DataConfig
from translate.data.pairs import load_pairs


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    return DataConfig(cache=str(tmp_path / "cache"))


MULTI30K = {"train": PAIRS[:5], "validation": PAIRS[5:7], "test": PAIRS[7:10]}


def flat() -> datasets.DatasetDict:
    """The columns of bentrevett/multi30k: English first."""
    sides = {name: {"en": [pair[1] for pair in pairs], "de": [pair[0] for pair in pairs]} for name, pairs in MULTI30K.items()}
    return datasets.DatasetDict({name: datasets.Dataset.from_dict(columns) for name, columns in sides.items()})


def nested() -> datasets.DatasetDict:
    """The columns of wmt14 and iwslt: one, `translation`."""
    features = datasets.Features({"translation": datasets.Translation(languages=["de", "en"])})
    sides = {name: {"translation": [{"de": source, "en": target} for source, target in pairs]} for name, pairs in MULTI30K.items()}
    return datasets.DatasetDict({name: datasets.Dataset.from_dict(columns, features=features) for name, columns in sides.items()})


@pytest.mark.parametrize("layout, columns", [(flat, ("de", "en")), (nested, ("translation.de", "translation.en"))])
def test_saved(tmp_path, data, layout, columns, capfd):
    layout().save_to_disk(tmp_path / "set")
    for names in (columns, ("", "")):  # without names: those of the languages
        for split, pairs in MULTI30K.items():
            assert pairs_of(CorpusConfig("saved", str(tmp_path / "set"), *names, split=split), data) == pairs
    swapped = dataclasses.replace(data, source_language="en", target_language="de")
    assert pairs_of(CorpusConfig("saved", str(tmp_path / "set")), swapped) == [pair[::-1] for pair in MULTI30K["train"]]
    assert pairs_of(CorpusConfig("saved", str(tmp_path / "set" / "test")), data) == MULTI30K["test"]  # one split by itself
    assert "has no split 'dev', only train, validation, test" in failure(CorpusConfig("saved", str(tmp_path / "set"), split="dev"), data)
    known = ", ".join(sorted(columns, reverse=layout is flat))
    assert f"(train) has no column fr, only {known}: set" in failure(CorpusConfig("saved", str(tmp_path / "set"), source="fr"), data)
    assert "cannot be read as a folder written by save_to_disk" in failure(CorpusConfig("saved", str(tmp_path)), data)
    capfd.readouterr()
    pairs_of(CorpusConfig("saved", str(tmp_path / "set"), split="test"), data)
    assert capfd.readouterr() == ("", "")


def test_a_column_that_holds_no_text(tmp_path, data):
    datasets.Dataset.from_dict({"de": [1, 2], "en": ["a", "b"]}).save_to_disk(tmp_path / "set")
    assert (
        "column de of" in (message := failure(CorpusConfig("saved", str(tmp_path / "set")), data)) and "has type int64: it must be string" in message
    )


@pytest.mark.parametrize("layout", [flat, nested])
@pytest.mark.parametrize("written", ["to_parquet", "to_json"])
def test_hub(tmp_path, data, layout, written, capfd):
    """A folder of files with the hub's layout goes the way of a hub name: through load_dataset."""
    (tmp_path / "set").mkdir()
    for split, table in layout().items():
        getattr(table, written)(tmp_path / "set" / f"{split}.{'parquet' if written == 'to_parquet' else 'jsonl'}")
    capfd.readouterr()
    for split, pairs in MULTI30K.items():
        assert pairs_of(CorpusConfig("hub", str(tmp_path / "set"), split=split), data) == pairs
    assert capfd.readouterr() == ("", "")  # no progress bar, no remark
    message = failure(CorpusConfig("hub", str(tmp_path / "set"), split="dev"), data)
    assert "dev" in message and "train" in message and "validation" in message
    assert "no column fr" in failure(CorpusConfig("hub", str(tmp_path / "set"), target="fr"), data)


def test_folder_in_place_of_the_hub(tmp_path, data):
    text_corpus(tmp_path / "files", PAIRS[:4], name="train")
    corpus = CorpusConfig("hub", "somebody/multi30k", files="train")
    data.folder = str(tmp_path / "files")
    assert pairs_of(corpus, data) == PAIRS[:4]
    for language in ("de", "en"):
        with gzip.open(tmp_path / "files" / f"val.{language}.gz", "wt", encoding="utf-8") as file:
            file.write({"de": "ja\n", "en": "yes\n"}[language])
    assert load_pairs([dataclasses.replace(corpus, files="val"), corpus], data) == [("ja", "yes"), *PAIRS[:4]]
    assert failure(dataclasses.replace(corpus, files="test"), data).endswith(
        "has no test.de (.gz, .xz, .bz2, .zst) in place of somebody/multi30k (train)"
    )


@pytest.mark.parametrize("setting", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_a_hub_that_cannot_be_reached(tmp_path, setting):
    """Its own process, as `datasets` reads the offline switch when it is imported. It is announced before it is asked, and given up soon."""
    code = (
        "import sys, time\nfrom translate.config import *\nfrom translate.data.corpora import load_corpus\nbegan = time.monotonic()\n"
        "for split in ('train', 'validation', 'test'):\n"
        "    try:\n        load_corpus(CorpusConfig('hub', 'bentrevett/multi30k', files='train', split=split), DataConfig(cache=sys.argv[1]))\n"
        "    except ValueError as error:\n        print(error)\n"
        "assert time.monotonic() - began < 10"
    )
    environment = {**os.environ, **setting, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith(
        "data set bentrevett/multi30k could not be loaded from the Hugging Face hub: set data.folder to a folder with train.de and train.en ("
    )
    assert done.stdout.count("\n") == 3
    asked = done.stderr.splitlines()
    if "HF_ENDPOINT" in setting:
        assert asked[0] == "loading bentrevett/multi30k (train) from the Hugging Face hub ..." and len(asked) == 3
        assert "http://127.0.0.1:9 does not answer" in done.stdout
    else:
        assert not asked


@pytest.mark.parametrize("kind", ["saved", "hub"])
def test_a_changed_table_is_read_again(tmp_path, data, kind):
    def save(text):
        table = datasets.Dataset.from_dict({"de": [text], "en": ["x"]})
        if kind == "saved":
            table.save_to_disk(tmp_path / "set")
        else:
            (tmp_path / "set").mkdir(exist_ok=True)
            table.to_parquet(tmp_path / "set" / "train.parquet")

    save("a")
    assert pairs_of(CorpusConfig(kind, str(tmp_path / "set")), data) == [("a", "x")]
    save("b")
    assert pairs_of(CorpusConfig(kind, str(tmp_path / "set")), data) == [("b", "x")]
