"""The training corpora -> the training set: filtered and tokenised once, cached, memory-mapped."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy
import pyarrow
from datasets.arrow_writer import ArrowWriter

from translate.config import DataConfig, FilterConfig
from translate.data.cache import cache_folder, cached, digest
from translate.data.corpora import find_corpus
from translate.data.corpus import TEXTS, CachedCorpus
from translate.data.domain import Batch, key_of, most_alike, sample_of
from translate.data.filters import COMPARING, FILTERS, Duplicates, filter_lengths, filter_texts
from translate.data.join import join_pairs
from translate.data.pairs import Pairs
from translate.data.placeholders import VERSION, Placeholders
from translate.data.sides import PAIRS, TARGET, unit
from translate.device import advise_random_access
from translate.errors import UserError
from translate.text.placeholders import SYMBOLS
from translate.tokenizer import Tokenizer

SMALL = 20_000  # pairs; fewer are tokenised on one thread


@dataclass
class Prepared:
    """A training set: N examples from pairs that passed the filters, in corpus order; a pair each, but for joined ones."""

    dataset: datasets.Dataset  # columns source, target (text) and source_ids, target_ids (EOS at the end), memory-mapped
    source_lengths: numpy.ndarray  # (N,) int32, memory-mapped
    target_lengths: numpy.ndarray
    corpus_of: numpy.ndarray | None  # (N,) corpus number of each, memory-mapped; None if there is only one corpus
    weights: list[float]  # passes over each corpus in an epoch
    counts: dict[str, int]  # pairs that each filter dropped, and rows without a pair (short_row)
    fingerprint: str  # hash of everything that determines the training set
    read: int  # pairs before the filters
    kept: int  # and after
    joined: int  # examples of several pairs

    def __post_init__(self) -> None:
        # rows are read from the mapped file directly: `datasets` and pyarrow's `take` touch far more than the few rows of a batch
        self._batches = self.dataset.data.table.to_batches()
        self._starts = numpy.cumsum([0] + [len(batch) for batch in self._batches])
        buffers = [buffer for batch in self._batches for column in batch.columns for buffer in column.buffers() if buffer is not None]
        first = min(buffer.address for buffer in buffers)
        advise_random_access(first, max(buffer.address + buffer.size for buffer in buffers) - first)

    def __len__(self) -> int:
        return len(self.source_lengths)

    def ids(self, rows: Sequence[int] | numpy.ndarray) -> tuple[list[list[int]], list[list[int]]]:
        """Source and target ids of some rows, each with EOS at its end."""
        return self._values(rows, "source_ids"), self._values(rows, "target_ids")

    def texts(self, rows: Sequence[int] | numpy.ndarray) -> tuple[list[str], list[str]]:
        """Source and target texts of some rows."""
        return self._values(rows, "source"), self._values(rows, "target")

    def _values(self, rows: Sequence[int] | numpy.ndarray, column: str) -> list[Any]:
        rows = numpy.asarray(rows)
        numbers = numpy.searchsorted(self._starts, rows, side="right") - 1
        indices = rows - self._starts[numbers]
        return [self._batches[number].column(column)[index].as_py() for number, index in zip(numbers.tolist(), indices.tolist())]


def prepare(data: DataConfig, tokenizer: Tokenizer, log: Callable[[str], None] | None = None, sides: str = PAIRS) -> Prepared:
    """The training corpora, filtered and tokenised; from the cache if an earlier run had the same corpora, tokenizer and filters.

    log: called with progress and the number of pairs each filter dropped; prints to stderr by default. sides: what the model reads (sides.py).
    UserError as `load_corpus`, and if no pair is left.
    """
    log = log or (lambda line: print(line, file=sys.stderr, flush=True))
    located = [find_corpus(corpus, data, sides) for corpus in data.train]
    names = [corpus.name for corpus in located]
    corpora = [corpus.read() for corpus in located]
    if data.placeholders and not _teaches_placeholders(data, tokenizer):
        log(f"data.placeholders ({data.placeholders:g}) has no effect: the tokenizer has no pieces {SYMBOLS[0]} to {SYMBOLS[-1]}")
    fingerprint = _fingerprint(corpora, tokenizer, data, sides)
    tokenised_now = False

    def build(folder: Path) -> dict[str, Any]:
        nonlocal tokenised_now
        tokenised_now = True
        pairs = Pairs([corpus.table for corpus in corpora])
        log(f"tokenising {len(pairs):,} {unit(sides)} of {'; '.join(names)}")
        return _build(folder, pairs, tokenizer, data, sides)

    folder, facts = cached(cache_folder(data), "tokenised", fingerprint, build)
    kept, joined, skipped = facts["kept"], facts.get("joined", 0), sum(corpus.skipped for corpus in corpora)
    counts = {**({"short_row": skipped} if skipped else {}), **facts["counts"]}
    for name, corpus in zip(names, corpora):
        if corpus.skipped_summary:
            log(f"{name}: {corpus.skipped_summary}")
    reused = "" if tokenised_now else ", tokenised by an earlier run"
    log(f"{kept:,} of {facts['read'] + skipped:,} {unit(sides)} kept{reused}; left out: {_listed(counts)}")
    if joined:
        log(f"{joined:,} of {facts['examples']:,} training examples are two to four {unit(sides)} joined")
    examples = facts.get("examples", kept)
    return Prepared(
        dataset=datasets.Dataset.from_file(str(folder / "pairs.arrow")),
        source_lengths=numpy.memmap(folder / "source_lengths", numpy.int32, "r", shape=(examples,)),
        target_lengths=numpy.memmap(folder / "target_lengths", numpy.int32, "r", shape=(examples,)),
        corpus_of=numpy.memmap(folder / "corpus_of", _corpus_type(len(corpora)), "r", shape=(examples,)) if len(corpora) > 1 else None,
        weights=[corpus.weight for corpus in data.train],
        counts=counts, fingerprint=fingerprint, read=facts["read"] + skipped, kept=kept, joined=joined,
    )  # fmt: skip


def fingerprint_of(data: DataConfig, tokenizer: Tokenizer, sides: str = PAIRS) -> str:
    """The fingerprint that `prepare` would give the training set. UserError as `load_corpus`."""
    return _fingerprint([find_corpus(corpus, data, sides).read() for corpus in data.train], tokenizer, data, sides)


def _fingerprint(corpora: Sequence[CachedCorpus], tokenizer: Tokenizer, data: DataConfig, sides: str) -> str:
    languages = (data.source_language, data.target_language)
    changes: list[Any] = [["join", data.join]] if data.join else []
    changes += [["sides", sides]] if sides != PAIRS else []
    changes += [["placeholders", VERSION, data.placeholders, *languages]] if _teaches_placeholders(data, tokenizer) else []
    changes += [["normalization", tokenizer.normalization]] if tokenizer.normalization == "nfc" else []
    changes += [key_of(data.filters)] if data.filters.domain else []
    filters = {name: value for name, value in dataclasses.asdict(data.filters).items() if not name.startswith("domain")}
    return digest([corpus.sha256 for corpus in corpora], tokenizer.digests(), filters, *changes)


def _teaches_placeholders(data: DataConfig, tokenizer: Tokenizer) -> bool:
    return data.placeholders > 0 and tokenizer.symbol_ids(SYMBOLS) is not None


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())


def _corpus_type(corpora: int) -> numpy.dtype:
    """The dtype of `Prepared.corpus_of`."""
    return numpy.dtype(numpy.min_scalar_type(corpora))


def lengths_of(source_ids: list[list[int]], target_ids: list[list[int]]) -> numpy.ndarray:
    """(2, N) ids of each side."""
    return numpy.array([list(map(len, source_ids)), list(map(len, target_ids))], dtype=numpy.int32)


def in_domain(
    batches: Iterator[Batch], tokenizer: Tokenizer, filters: FilterConfig, sides: str, folder: Path, counts: dict[str, int]
) -> Iterator[Batch]:
    """The pairs that are most like the text of data.filters.domain; counts the others."""
    if sides == TARGET:
        filters = dataclasses.replace(filters, domain_side="target")
    is_source, texts, before = filters.domain_side == "source", sample_of(filters), 0

    def counted() -> Iterator[Batch]:
        nonlocal before
        for corpus, columns in batches:
            before += len(columns[0])
            yield corpus, columns

    sample = (tokenizer.encode_source if is_source else tokenizer.encode_target)(texts)
    size, after = tokenizer.source_size if is_source else tokenizer.target_size, 0
    for corpus, columns in most_alike(counted(), sample, size, tuple(tokenizer.symbol_ids(SYMBOLS) or ()), filters, folder):
        after += len(columns[0])
        if columns[0]:
            yield corpus, columns
    counts["domain"] = before - after


def _build(folder: Path, pairs: Pairs, tokenizer: Tokenizer, data: DataConfig, sides: str) -> dict[str, Any]:
    """Write pairs.arrow, source_lengths, target_lengths and corpus_of to `folder`; return the numbers of pairs."""
    filters, counts = data.filters, dict.fromkeys([name for name in FILTERS if sides != TARGET or name not in COMPARING], 0)
    threads = (data.workers or os.cpu_count() or 1) if len(pairs) >= SMALL else 1
    duplicates = Duplicates(pairs, tokenizer, folder / "hashes") if filters.duplicates else None
    languages = (data.source_language, data.target_language)
    placeholders = Placeholders(data.placeholders, pairs, len(pairs), *languages) if _teaches_placeholders(data, tokenizer) else None
    id_type = "uint16" if max(tokenizer.source_size, tokenizer.target_size) <= 2**16 else "int32"
    ids = datasets.List(datasets.Value(id_type))
    features = datasets.Features({**TEXTS, "source_ids": ids, "target_ids": ids})
    arrow_ids = pyarrow.list_(pyarrow.type_for_alias(id_type))
    kept = joined = examples = 0

    def encode(sources: list[str], targets: list[str]) -> tuple[list[list[int]], list[list[int]]]:
        return tokenizer.encode_source(sources, threads=threads), tokenizer.encode_target(targets, threads=threads)

    def passing() -> Iterator[Batch]:
        """The pairs that pass all other filters."""
        for corpus, sources, targets in pairs.batches():
            normalized = tokenizer.normalized_source(sources), tokenizer.normalized_target(targets)
            first = duplicates.first(*normalized) if duplicates else [True] * len(sources)
            indices = filter_texts(*normalized, first, filters, counts, sides)
            sources, targets = [sources[index] for index in indices], [targets[index] for index in indices]
            if placeholders:
                sources, targets = placeholders.apply(sources, targets)
            source_ids, target_ids = encode(sources, targets)
            rows = filter_lengths(lengths_of(source_ids, target_ids), filters, counts)
            if len(rows):
                yield corpus, [[side[row] for row in rows] for side in (sources, targets, source_ids, target_ids)]

    with (
        ArrowWriter(path=str(folder / "pairs.arrow"), features=features) as writer,
        open(folder / "source_lengths", "wb") as source_lengths,
        open(folder / "target_lengths", "wb") as target_lengths,
        open(folder / "corpus_of", "wb") as corpus_of,
    ):
        for corpus, columns in in_domain(passing(), tokenizer, filters, sides, folder, counts) if filters.domain else passing():
            kept += len(columns[0])
            if data.join:
                columns, more = join_pairs(columns, data.join, filters, encode, corpus, kept)
                joined += more
            lengths = lengths_of(*columns[2:])
            examples += lengths.shape[1]
            arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, (pyarrow.string(), pyarrow.string(), arrow_ids, arrow_ids))]
            writer.write_table(pyarrow.table(arrays, names=list(features)))
            source_lengths.write(lengths[0].tobytes())
            target_lengths.write(lengths[1].tobytes())
            corpus_of.write(numpy.full(lengths.shape[1], corpus, dtype=_corpus_type(len(pairs.tables))).tobytes())
        if not kept:
            dropped = _listed({name: count for name, count in counts.items() if count})
            raise UserError(f"no {unit(sides)[:-1]} is left of {len(pairs):,}: {dropped}; check the corpus, or relax data.filters")
        writer.finalize()
    if duplicates:
        os.unlink(folder / "hashes")
    return {"read": len(pairs), "kept": kept, "joined": joined, "examples": examples, "counts": counts}
