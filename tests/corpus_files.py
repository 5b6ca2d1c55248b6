"""Pairs, files with them, and what the tests of corpora ask: which pairs were read, or which error it was."""

from __future__ import annotations

import os

import pytest

from translate.config import CorpusConfig
from translate.data.corpora import load_corpus

PAIRS = [(f"Satz {number}: ein Hund läuft.", f"Sentence {number}: a dog runs.") for number in range(300)]


def write(path, lines) -> str:
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return str(path)


def text_corpus(folder, pairs, name="train", **settings) -> CorpusConfig:
    folder.mkdir(exist_ok=True)
    sides = [write(folder / f"{name}.{language}", [pair[side] for pair in pairs]) for side, language in enumerate(("de", "en"))]
    return CorpusConfig(source=sides[0], target=sides[1], **settings)


def pairs_of(corpus, data) -> list[tuple[str, str]]:
    table = load_corpus(corpus, data)
    assert table.column_names == ["source", "target"] and table._indices is None
    return list(zip(table["source"], table["target"], strict=True))


def failure(corpus, data) -> str:
    with pytest.raises(ValueError) as error:
        load_corpus(corpus, data)
    message = str(error.value)
    assert "\n" not in message
    # nothing half-made stays behind
    assert not os.path.isdir(data.cache) or not [name for name in os.listdir(data.cache) if name.startswith("building")]
    return message


def table_pairs(table) -> list[tuple[str, str]]:
    return list(zip(table["source"], table["target"], strict=True))


def error_of(read, *arguments, **more) -> str:
    """The message of an error: one line."""
    with pytest.raises(ValueError) as error:
        read(*arguments, **more)
    assert "\n" not in str(error.value)
    return str(error.value)
