"""Where sentence pairs come from: text files, TSV, JSONL, a Hugging Face data set, a saved one, the phrasebook -> one Arrow table each.

Sits under data.py, which filters and tokenises them. Each corpus is read once, as a stream, into the cache folder and from then on
memory-mapped, so that it may be larger than memory.
"""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Sequence

import datasets
from datasets.arrow_writer import ArrowWriter

from translate.cache import cache_folder, cached, digest, file_key
from translate.config import CorpusConfig, DataConfig
from translate.errors import UserError
from translate.pairfiles import aligned_lines, jsonl_rows, one_line, tsv_rows
from translate.values import line_range

ROWS = 10_000  # pairs an Arrow batch
TEXTS = datasets.Features({"source": datasets.Value("string"), "target": datasets.Value("string")})


@dataclass
class Corpus:
    """A corpus that was found but not yet read."""

    name: str  # for messages
    key: str  # SHA-256 of all that decides its pairs
    pairs: Callable[[], Iterable[tuple[str, str]]]
    cache: Path

    def load(self) -> datasets.Dataset:
        folder, _ = cached(self.cache, "corpus", self.key, self._write)
        return datasets.Dataset.from_file(str(folder / "pairs.arrow"))

    def _write(self, folder: Path) -> dict:
        pairs, count = iter(self.pairs()), 0
        with ArrowWriter(path=str(folder / "pairs.arrow"), features=TEXTS, writer_batch_size=ROWS) as writer:
            while batch := list(islice(pairs, ROWS)):
                sources, targets = zip(*batch)
                writer.write_batch({"source": sources, "target": targets})
                count += len(batch)
            if not count:
                raise UserError(f"{self.name}: the corpus is empty")
            writer.finalize()
        return {"pairs": count}


def load_corpus(corpus: CorpusConfig, data: DataConfig) -> datasets.Dataset:
    """All pairs of `corpus` in order, unfiltered: string columns source and target, memory-mapped.

    UserError, one line, for whatever is wrong with it: missing or misaligned files, invalid UTF-8, a missing column or split, a hub
    that cannot be reached, no pair at all.
    """
    return find_corpus(corpus, data).load()


def find_corpus(corpus: CorpusConfig, data: DataConfig) -> Corpus:
    """What `load_corpus` would read, with its key; no text is read beyond hashing the files. UserError as there."""
    whole = _find_whole(corpus, data)
    return whole if corpus.lines is None else _lines_of(whole, corpus.lines)


def _lines_of(whole: Corpus, lines: str) -> Corpus:
    """Some of its pairs, and all of them are read: what is wrong further down is wrong with the corpus."""
    first, last = line_range(lines)

    def pairs() -> Iterator[tuple[str, str]]:
        number = 0
        for number, pair in enumerate(whole.pairs(), 1):
            if first <= number and (last is None or number <= last):
                yield pair
        if number < (last or first):
            raise UserError(f"{whole.name} has {number:,} pairs, and lines {lines} are asked for")

    return Corpus(f"{whole.name}, lines {lines}", digest("lines", whole.key, first, last), pairs, whole.cache)


def _find_whole(corpus: CorpusConfig, data: DataConfig) -> Corpus:
    kind, cache = corpus.kind, cache_folder(data)
    if kind == "text" or (kind == "hub" and data.folder and corpus.files):
        files = _text_files(corpus, data)
        return Corpus(", ".join(files), digest("text", *map(file_key, files)), lambda: aligned_lines(*files), cache)
    if kind == "tsv":
        path, places = _file(corpus), _places(corpus)
        return Corpus(path, digest(kind, places, file_key(path)), lambda: tsv_rows(path, places), cache)
    if kind == "jsonl":
        path, keys = _file(corpus), [corpus.source or data.source_language, corpus.target or data.target_language]
        return Corpus(path, digest(kind, keys, file_key(path)), lambda: jsonl_rows(path, keys), cache)
    if kind == "phrasebook":
        return _phrasebook(corpus, data)
    table, key = _from_hub(corpus, data) if kind == "hub" else _saved(corpus)
    columns = [_column(table, corpus.source, data.source_language, corpus), _column(table, corpus.target, data.target_language, corpus)]
    return Corpus(f"{corpus.path} ({corpus.split})", digest(kind, columns, key), lambda: _table_rows(table, columns), cache)


def _text_files(corpus: CorpusConfig, data: DataConfig) -> list[str]:
    if corpus.kind == "text":
        if not corpus.source or not corpus.target:
            raise UserError("a corpus of kind text needs `source` and `target`: two files with a sentence a line")
        return [os.path.expanduser(corpus.source), os.path.expanduser(corpus.target)]
    files = []
    for language in (data.source_language, data.target_language):
        path = os.path.join(os.path.expanduser(data.folder or ""), f"{corpus.files}.{language}")
        found = [path + suffix for suffix in ("", ".gz", ".xz") if os.path.exists(path + suffix)]
        if not found:
            raise UserError(f"data.folder ({data.folder}) has no {corpus.files}.{language} (.gz, .xz) in place of {corpus.path} ({corpus.split})")
        files.append(found[0])
    return files


def _file(corpus: CorpusConfig) -> str:
    if not corpus.path:
        raise UserError(f"a corpus of kind {corpus.kind} needs `path`: one file")
    return os.path.expanduser(corpus.path)


def _places(corpus: CorpusConfig) -> list[int]:
    for side, given in (("source", corpus.source), ("target", corpus.target)):
        if given and (not given.isdecimal() or int(given) < 1):
            raise UserError(f"`{side}` of the TSV corpus {corpus.path} is {given!r}: it must be the number of a column, from 1")
    return [int(corpus.source or 1) - 1, int(corpus.target or 2) - 1]


def _phrasebook(corpus: CorpusConfig, data: DataConfig) -> Corpus:
    from translate import phrasebook

    languages = (data.source_language, data.target_language)
    if sorted(languages) != ["de", "en"]:
        raise UserError(f"the phrasebook is German and English, but data.source_language is {languages[0]} and data.target_language {languages[1]}")
    german_first = languages[0] == "de"
    files = sorted(file for file in Path(phrasebook.__file__).parent.rglob("*") if file.is_file() and file.suffix != ".pyc")
    key = digest("phrasebook", corpus.split, german_first, [[file.name, *file_key(file)] for file in files])
    name = f"phrasebook ({corpus.split})"
    return Corpus(name, key, lambda: (pair if german_first else pair[::-1] for pair in phrasebook.pairs(corpus.split)), cache_folder(data))


def _from_hub(corpus: CorpusConfig, data: DataConfig) -> tuple[datasets.Dataset, Any]:
    if not corpus.path:
        raise UserError("a corpus of kind hub needs `path`: the name of the data set")
    try:
        with _quiet():
            table = datasets.load_dataset(os.path.expanduser(corpus.path), corpus.config, split=corpus.split, revision=corpus.revision)
    except (ValueError, RuntimeError) as error:  # an unknown split or configuration (the message lists those there are); a set that is a script
        raise UserError(f"data set {corpus.path}: {_in_a_line(error)}") from None
    except (OSError, datasets.exceptions.DatasetsError) as error:  # no network; offline and not in the cache; no such name
        files = f"{corpus.files}.{data.source_language} and {corpus.files}.{data.target_language}"
        way_out = f"set data.folder to a folder with {files}" if corpus.files else "have it as files and use a corpus of kind text"
        raise UserError(f"data set {corpus.path} cannot be had from the Hugging Face hub: {way_out} ({_in_a_line(error)})") from None
    return table, table._fingerprint  # of the builder: its code, its settings and the state of its files


def _saved(corpus: CorpusConfig) -> tuple[datasets.Dataset, Any]:
    if not corpus.path:
        raise UserError("a corpus of kind saved needs `path`: a folder written by save_to_disk")
    try:
        table = datasets.load_from_disk(os.path.expanduser(corpus.path))
    except (OSError, ValueError) as error:
        raise UserError(f"{corpus.path} cannot be read as a folder written by save_to_disk: {_in_a_line(error)}") from None
    if isinstance(table, datasets.DatasetDict):
        if corpus.split not in table:
            raise UserError(f"{corpus.path} has no split {corpus.split!r}, only {', '.join(table)}: set the corpus's `split`")
        table = table[corpus.split]
    return table, [file_key(file["filename"]) for file in table.cache_files]


def _column(table: datasets.Dataset, given: str, language: str, corpus: CorpusConfig) -> str:
    """The column of one side; without a name that of its language, at the top or in `translation`."""
    names = dict(_names(table.features))
    for name in [given] if given else [language, f"translation.{language}"]:
        if name in names:
            if names[name] not in ("string", "large_string"):
                raise UserError(f"column {name} of {corpus.path} holds {names[name]}: it must hold strings")
            return name
    known = ", ".join(names)
    raise UserError(f"{corpus.path} ({corpus.split}) has no column {given or language}, only {known}: set the corpus's `source` and `target`")


def _names(features: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Columns of a table with their types, those within a column as `column.key`."""
    for name, feature in features.items():
        if isinstance(feature, datasets.Translation):
            yield from ((f"{at}{name}.{language}", "string") for language in feature.languages)
        elif isinstance(feature, dict):
            yield from _names(feature, f"{at}{name}.")
        else:
            yield at + name, getattr(feature, "dtype", type(feature).__name__)


def _table_rows(table: datasets.Dataset, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    tops = [column if column in table.column_names else column.split(".")[0] for column in columns]
    for batch in table.select_columns(sorted(set(tops))).with_format("arrow").iter(batch_size=ROWS):
        sides = []
        for column, top in zip(columns, tops):
            values = batch[top].to_pylist()
            for key in column[len(top) + 1 :].split(".") if column != top else []:
                values = [None if value is None else value[key] for value in values]
            sides.append(map(one_line, values))
        yield from zip(*sides)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """`datasets` and the hub without progress bars and remarks: what goes wrong comes as an exception."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    bars, hub_bars = datasets.are_progress_bars_disabled(), are_progress_bars_disabled()
    datasets.disable_progress_bars()
    disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()
        if not hub_bars:
            enable_progress_bars()


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
