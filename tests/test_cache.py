"""What a corpus is known by: its text, not where it lies, when it was written or how it is packed."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path

import datasets
import pytest

from translate.config import CorpusConfig, DataConfig, TokenizerConfig
from translate.data.prepare import prepare
from translate.files import digest as module
from translate.files.digest import file_key
from translate.tokenizer import train_tokenizer

PAIRS = [(f"Satz {number}: ein Hund läuft.", f"Sentence {number}: a dog runs.") for number in range(120)]


def text(folder: Path, pairs=PAIRS, suffix="") -> CorpusConfig:
    folder.mkdir(exist_ok=True)
    files = [folder / f"train.{language}{suffix}" for language in ("de", "en")]
    for side, file in enumerate(files):
        content = "".join(pair[side] + "\n" for pair in pairs).encode()
        file.write_bytes(gzip.compress(content) if suffix == ".gz" else content)
    return CorpusConfig(source=str(files[0]), target=str(files[1]))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return train_tokenizer(PAIRS, TokenizerConfig(vocabulary=320), tmp_path_factory.mktemp("spm"))


def test_the_same_text_is_the_same_training_set_wherever_it_lies(tmp_path, tokenizer):
    kept = text(tmp_path / "a")
    tsv = tmp_path / "a.tsv"
    tsv.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS), encoding="utf-8")
    table = {"de": [source for source, _ in PAIRS], "en": [target for _, target in PAIRS]}
    datasets.Dataset.from_dict(table).save_to_disk(tmp_path / "set")
    renamed = tmp_path / "renamed.txt"
    shutil.copy(kept.source, renamed)
    found = []

    def fingerprint(corpus: CorpusConfig) -> str:
        return prepare(DataConfig(train=[corpus], cache=str(tmp_path / "cache")), tokenizer, found.append).fingerprint

    first = fingerprint(kept)
    for again in (
        text(tmp_path / "b"), text(tmp_path / "c", suffix=".gz"), CorpusConfig("tsv", str(tsv)), CorpusConfig("saved", str(tmp_path / "set")),
        CorpusConfig(source=str(renamed), target=kept.target),
    ):  # fmt: skip
        assert fingerprint(again) == first and "tokenised by an earlier run" in found[-1]
    assert fingerprint(text(tmp_path / "b", [*PAIRS[1:], PAIRS[0]])) != first


def test_a_large_file_is_known_by_its_content_and_read_once(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 10)
    monkeypatch.setattr(module, "SETTLED", 0.05)
    read = []
    monkeypatch.setattr(module, "file_sha256", lambda path, sha=module.file_sha256: read.append(path) or sha(path))
    file, cached = tmp_path / "large.de", tmp_path / "cache"
    file.write_text("a" * 100, encoding="utf-8")
    time.sleep(0.1)
    key = file_key(file, cached)
    assert file_key(file, cached) == file_key(tmp_path / "." / "large.de", cached) == key and len(read) == 1  # the second time remembered
    os.utime(file)
    time.sleep(0.1)
    assert file_key(file, cached) == key and len(read) == 2  # touched: looked at again, and it is the same
    shutil.copy(file, tmp_path / "copy")
    assert file_key(tmp_path / "copy", cached) == key
    # another text of the same size that claims the same time
    state = os.stat(file)
    file.write_text("b" * 100, encoding="utf-8")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file_key(file, cached) != key
    # a file that is still being written is not remembered
    monkeypatch.setattr(module, "SETTLED", 1000)
    file.write_text("c" * 100, encoding="utf-8")
    before = len(read)
    assert file_key(file, cached) == file_key(file, cached) and len(read) == before + 2
    # nor is anything where the cache cannot be written, or is damaged
    assert file_key(file, file / "no") == file_key(file, cached)
    for record in (cached / "hashes").iterdir():
        record.write_text("{", encoding="utf-8")
    assert file_key(tmp_path / "copy", cached) == key
