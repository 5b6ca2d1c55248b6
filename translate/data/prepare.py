"""Pairs -> the training set: filtered, tokenised once, cached, memory-mapped.

corpora.py reads what the recipe names; batches.py draws from what `prepare` returns.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Sequence

import datasets
import numpy
import pyarrow
from datasets.arrow_writer import ArrowWriter

from translate.config import CorpusConfig, DataConfig, FilterConfig
from translate.data.cache import cache_folder, cached, digest
from translate.data.corpora import TEXTS, find_corpus, load_corpus
from translate.data.tables import ROWS
from translate.device import advise_random_access
from translate.errors import UserError
from translate.tokenizer import Tokenizer

SMALL = 20_000  # pairs; fewer are tokenised by one thread
FILTERS = ("blank", "identical", "duplicate", "over_long", "length_ratio")  # in the order they are applied: a pair counts under the first


class Pairs:
    """All (source, target) texts of some corpora, one after the other and unfiltered, read from disk as they are asked for."""

    def __init__(self, tables: Sequence[datasets.Dataset]) -> None:
        self.tables = tables

    def __len__(self) -> int:
        return sum(map(len, self.tables))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for _, sources, targets in self.batches():
            yield from zip(sources, targets)

    def batches(self) -> Iterator[tuple[int, list[str], list[str]]]:
        """Some thousand pairs at a time: number of the corpus, sources, targets."""
        for corpus, table in enumerate(self.tables):
            for batch in table.with_format("arrow").iter(batch_size=ROWS):
                yield corpus, batch["source"].to_pylist(), batch["target"].to_pylist()


def training_texts(data: DataConfig) -> Pairs:
    """The training corpora as they are, for the tokenizer. UserError as `load_corpus`."""
    return Pairs([load_corpus(corpus, data) for corpus in data.train])


def load_pairs(corpora: Sequence[CorpusConfig], data: DataConfig) -> list[tuple[str, str]]:
    """(source, target) texts for validation and test, in memory: nothing is filtered, blank lines stay. UserError as `load_corpus`."""
    return list(Pairs([load_corpus(corpus, data) for corpus in corpora]))


def save_sample(pairs: Pairs, most: int, folder: Path) -> CorpusConfig:
    """All of `pairs`, or `most` of them in blocks spread evenly, in `folder` as `Dataset.save_to_disk` leaves them -> the corpus that they are."""
    table = datasets.concatenate_datasets(pairs.tables) if len(pairs.tables) > 1 else pairs.tables[0]
    if len(table) > most:
        size = min(ROWS, most)
        starts = numpy.linspace(0, len(table) - size, most // size).astype(int)
        table = table.select(numpy.concatenate([numpy.arange(start, start + size) for start in starts]))
    datasets.disable_progress_bars()
    try:
        table.save_to_disk(str(folder))
    finally:
        datasets.enable_progress_bars()
    return CorpusConfig(kind="saved", path=str(folder), source="source", target="target")


@dataclass
class Prepared:
    """A training set: N pairs that passed the filters, in the order of the corpora.

    dataset: columns source, target (text) and source_ids, target_ids (EOS at the end), memory-mapped
    source_lengths, target_lengths: (N,) int32, ids of each side, memory-mapped
    corpus_of: (N,) number of the corpus of each pair, or None if there is one only; weights: passes over each corpus in an epoch
    read, kept: pairs before and after the filters; counts: pairs each filter took, and rows that had no pair in them (short_row)
    """

    dataset: datasets.Dataset
    source_lengths: numpy.ndarray
    target_lengths: numpy.ndarray
    corpus_of: numpy.ndarray | None
    weights: list[float]
    counts: dict[str, int]
    fingerprint: str
    read: int
    kept: int

    def __post_init__(self) -> None:
        # straight from the mapped file: `datasets` and pyarrow's own `take` copy or search more than the few rows of a batch
        self._batches = self.dataset.data.table.to_batches()
        self._starts = numpy.cumsum([0] + [len(batch) for batch in self._batches])
        buffers = [buffer for batch in self._batches for column in batch.columns for buffer in column.buffers() if buffer is not None]
        first = min(buffer.address for buffer in buffers)
        advise_random_access(first, max(buffer.address + buffer.size for buffer in buffers) - first)

    def __len__(self) -> int:
        return self.kept

    def ids(self, rows: Sequence[int]) -> tuple[list[list[int]], list[list[int]]]:
        """Source and target ids of some rows, each with EOS at its end."""
        return self._values(rows, "source_ids"), self._values(rows, "target_ids")

    def texts(self, rows: Sequence[int]) -> tuple[list[str], list[str]]:
        """Source and target texts of some rows."""
        return self._values(rows, "source"), self._values(rows, "target")

    def _values(self, rows: Sequence[int], column: str) -> list:
        rows = numpy.asarray(rows)
        numbers = numpy.searchsorted(self._starts, rows, side="right") - 1
        places = rows - self._starts[numbers]
        return [self._batches[number].column(column)[place].as_py() for number, place in zip(numbers.tolist(), places.tolist())]


def prepare(data: DataConfig, tokenizer: Tokenizer, log: Callable[[str], None] | None = None) -> Prepared:
    """The training corpora filtered and tokenised, from the cache if they, the tokenizer and the filters are those of an earlier run.

    log: is given a line on what is done and how many pairs each filter took; by default they go to stderr.
    UserError as `load_corpus`, and if no pair is left.
    """
    log = log or (lambda line: print(line, file=sys.stderr, flush=True))
    corpora = [find_corpus(corpus, data) for corpus in data.train]
    names = [corpus.name for corpus in corpora]
    read = [corpus.read() for corpus in corpora]
    fingerprint = fingerprint_of(data, tokenizer)
    fresh = []

    def build(folder: Path) -> dict:
        fresh.append(True)
        pairs = Pairs([each.table for each in read])
        log(f"tokenising {len(pairs):,} pairs of {'; '.join(names)}")
        return _build(folder, pairs, tokenizer, data)

    folder, facts = cached(cache_folder(data), "tokenised", fingerprint, build)
    kept, skipped = facts["kept"], sum(each.skipped for each in read)
    counts = {**({"short_row": skipped} if skipped else {}), **facts["counts"]}
    for name, each in zip(names, read):
        if each.told:
            log(f"{name}: {each.told}")
    taken = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    log(f"{kept:,} of {facts['read'] + skipped:,} pairs kept{'' if fresh else ', tokenised by an earlier run'}; left out: {taken}")
    return Prepared(
        dataset=datasets.Dataset.from_file(str(folder / "pairs.arrow")),
        source_lengths=numpy.memmap(folder / "source_lengths", numpy.int32, "r", shape=(kept,)),
        target_lengths=numpy.memmap(folder / "target_lengths", numpy.int32, "r", shape=(kept,)),
        corpus_of=numpy.memmap(folder / "corpus_of", _small_type(len(corpora)), "r", shape=(kept,)) if len(corpora) > 1 else None,
        weights=[corpus.weight for corpus in data.train],
        counts=counts, fingerprint=fingerprint, read=facts["read"] + skipped, kept=kept,
    )  # fmt: skip


def fingerprint_of(data: DataConfig, tokenizer: Tokenizer) -> str:
    """Of all that decides the training set: what the corpora hold, wherever they lie, the tokenizer and the filters. UserError as `find_corpus`."""
    texts = [find_corpus(corpus, data).read().sha256 for corpus in data.train]
    return digest(texts, tokenizer.digests(), dataclasses.asdict(data.filters))


def _small_type(corpora: int) -> numpy.dtype:
    return numpy.dtype(numpy.min_scalar_type(corpora))


def _build(folder: Path, pairs: Pairs, tokenizer: Tokenizer, data: DataConfig) -> dict:
    """Write pairs.arrow, source_lengths, target_lengths and corpus_of to `folder`."""
    filters, counts = data.filters, dict.fromkeys(FILTERS, 0)
    threads = (data.workers or os.cpu_count() or 1) if len(pairs) >= SMALL else 1
    repeated = _Repeated(pairs, tokenizer, folder / "hashes") if filters.duplicates else None
    index = pyarrow.list_(pyarrow.uint16() if max(tokenizer.source_size, tokenizer.target_size) <= 2**16 else pyarrow.int32())
    number = datasets.Value("uint16" if index.value_type == pyarrow.uint16() else "int32")
    features = datasets.Features({**TEXTS, "source_ids": datasets.List(number), "target_ids": datasets.List(number)})
    kept = 0
    with (
        ArrowWriter(path=str(folder / "pairs.arrow"), features=features) as writer,
        open(folder / "source_lengths", "wb") as source_lengths,
        open(folder / "target_lengths", "wb") as target_lengths,
        open(folder / "corpus_of", "wb") as corpus_of,
    ):
        for corpus, sources, targets in pairs.batches():
            seen = tokenizer.normalized_source(sources), tokenizer.normalized_target(targets)
            new = repeated.first(*seen) if repeated else [True] * len(sources)
            places = _filter_texts(*seen, new, filters, counts)
            sources, targets = [sources[place] for place in places], [targets[place] for place in places]
            source_ids, target_ids = tokenizer.encode_source(sources, threads=threads), tokenizer.encode_target(targets, threads=threads)
            lengths = numpy.array([list(map(len, source_ids)), list(map(len, target_ids))], dtype=numpy.int32)
            rows = _filter_lengths(lengths, filters, counts)
            if not len(rows):
                continue
            columns = [[side[row] for row in rows] for side in (sources, targets, source_ids, target_ids)]
            arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, (pyarrow.string(), pyarrow.string(), index, index))]
            writer.write_table(pyarrow.table(arrays, names=list(features)))
            source_lengths.write(lengths[0, rows].tobytes())
            target_lengths.write(lengths[1, rows].tobytes())
            corpus_of.write(numpy.full(len(rows), corpus, dtype=_small_type(len(pairs.tables))).tobytes())
            kept += len(rows)
        if not kept:
            taken = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)
            raise UserError(f"no pair is left of {len(pairs):,}: {taken}; check the corpus, or relax data.filters")
        writer.finalize()
    if repeated:
        os.unlink(folder / "hashes")
    return {"read": len(pairs), "kept": kept, "counts": counts}


def _filter_texts(sources: list[str], targets: list[str], new: Sequence[bool], filters: FilterConfig, counts: dict[str, int]) -> list[int]:
    """Places of the pairs to keep, by their normalised texts."""
    kept = []
    for place, (source, target, first) in enumerate(zip(sources, targets, new)):
        if not source or not target:
            counts["blank"] += 1
        elif filters.identical and source == target:
            counts["identical"] += 1
        elif not first:
            counts["duplicate"] += 1
        else:
            kept.append(place)
    return kept


def _filter_lengths(lengths: numpy.ndarray, filters: FilterConfig, counts: dict[str, int]) -> numpy.ndarray:
    """Rows to keep, by the ids of each side, (2, N)."""
    shorter, longer = lengths.min(axis=0), lengths.max(axis=0)
    over_long = (longer > filters.max_tokens) & (filters.max_tokens > 0)
    ratio = (longer > filters.max_ratio * shorter) & (longer >= filters.min_ratio_tokens) & (filters.max_ratio > 0)
    counts["over_long"] += int(over_long.sum())
    counts["length_ratio"] += int((ratio & ~over_long).sum())
    return numpy.flatnonzero(~(over_long | ratio))


class _Repeated:
    """Which pairs repeat an earlier one as the model sees them, by a hash of 8 bytes of the normalised texts.

    The hashes are not kept in memory: they lie in a mapped file.
    """

    def __init__(self, pairs: Pairs, tokenizer: Tokenizer, path: Path) -> None:
        hashes = numpy.memmap(path, numpy.uint64, "w+", shape=(max(1, len(pairs)),))
        at = 0
        for _, sources, targets in pairs.batches():
            hashes[at : at + len(sources)] = _hashes(tokenizer.normalized_source(sources), tokenizer.normalized_target(targets))
            at += len(sources)
        hashes.sort()
        self.values = numpy.unique(hashes[1:][hashes[1:] == hashes[:-1]])  # those that come more than once: few
        self.seen = numpy.zeros(len(self.values), dtype=bool)

    def first(self, sources: list[str], targets: list[str]) -> list[bool]:
        """For each pair of the next batch whether it is the first of its kind."""
        if not len(self.values):
            return [True] * len(sources)
        hashes = _hashes(sources, targets)
        places = numpy.searchsorted(self.values, hashes).clip(max=len(self.values) - 1)
        answer = [True] * len(sources)
        for row in numpy.flatnonzero(self.values[places] == hashes).tolist():
            answer[row] = not self.seen[places[row]]
            self.seen[places[row]] = True
        return answer


def _hashes(sources: list[str], targets: list[str]) -> numpy.ndarray:
    joined = (f"{source}\n{target}".encode() for source, target in zip(sources, targets))
    return numpy.frombuffer(b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in joined), dtype=numpy.uint64)
