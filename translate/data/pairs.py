"""The texts of corpora, unfiltered: streamed for the tokenizer and the checks, in memory for validation and test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import datasets
import numpy

from translate.config import CorpusConfig, DataConfig
from translate.data.corpora import load_corpus
from translate.data.rows import ROWS, Pair
from translate.data.sides import PAIRS


class Pairs:
    """All (source, target) texts of some corpora, in order, read from disk on demand."""

    def __init__(self, tables: Sequence[datasets.Dataset]) -> None:
        self.tables = tables

    def __len__(self) -> int:
        return sum(map(len, self.tables))

    def __iter__(self) -> Iterator[Pair]:
        for _, sources, targets in self.batches():
            yield from zip(sources, targets)

    def batches(self) -> Iterator[tuple[int, list[str], list[str]]]:
        """Up to `ROWS` pairs at a time: corpus number, sources, targets."""
        for corpus, table in enumerate(self.tables):
            for batch in table.with_format("arrow").iter(batch_size=ROWS):
                yield corpus, batch["source"].to_pylist(), batch["target"].to_pylist()


def training_texts(data: DataConfig, sides: str = PAIRS) -> Pairs:
    """The training corpora, for the tokenizer. UserError as `load_corpus`."""
    return Pairs([load_corpus(corpus, data, sides) for corpus in data.train])


def load_pairs(corpora: Sequence[CorpusConfig], data: DataConfig, sides: str = PAIRS) -> list[Pair]:
    """(source, target) texts for validation and test, in memory, blank lines included. UserError as `load_corpus`."""
    return list(Pairs([load_corpus(corpus, data, sides) for corpus in corpora]))


def save_sample(pairs: Pairs, limit: int, folder: Path) -> CorpusConfig:
    """Write `pairs`, or at most `limit` of them in evenly spaced blocks, to `folder`. Returns a corpus config that reads it."""
    table = datasets.concatenate_datasets(pairs.tables) if len(pairs.tables) > 1 else pairs.tables[0]
    if len(table) > limit:
        size = min(ROWS, limit)
        starts = numpy.linspace(0, len(table) - size, limit // size).astype(int)
        table = table.select(numpy.concatenate([numpy.arange(start, start + size) for start in starts]))
    datasets.disable_progress_bars()
    try:
        table.save_to_disk(str(folder))
    finally:
        datasets.enable_progress_bars()
    return CorpusConfig(kind="saved", path=str(folder), source="source", target="target")
