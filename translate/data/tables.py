"""Tabular corpora: a Hugging Face hub data set, a folder saved by `datasets`, Parquet files."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import socket
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub.constants
import pyarrow
from pyarrow import parquet

from translate.config import CorpusConfig
from translate.data.cache import digest
from translate.data.corpus import Corpus
from translate.data.rows import ROWS, Pair, one_line
from translate.errors import UserError
from translate.files.digest import file_key
from translate.values import short_repr

LARGE = 1 << 26  # bytes; a larger column of a batch is decoded one text at a time
HUB_TIMEOUT = 5  # seconds
DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, pyarrow.ArrowException)  # raised on reading a damaged file


def hub_corpus(corpus: CorpusConfig, languages: tuple[str, str], cache: Path) -> Corpus:
    """A split of a hub data set, or of a local folder with that layout. UserError if it could not be loaded."""
    if not corpus.path:
        raise UserError("a corpus of kind hub needs `path`: the name of the data set")
    try:
        table = _load(corpus.path, corpus.config, corpus.split, corpus.revision)
    except (ValueError, RuntimeError) as error:  # unknown split or configuration (the message lists the valid ones); a script
        raise UserError(f"data set {corpus.path}: {_on_one_line(error)}") from None
    except (OSError, datasets.exceptions.DatasetsError) as error:  # no network; offline and not cached; unknown name
        files = " and ".join(f"{corpus.files}.{language}" for language in languages)
        hint = f"set data.folder to a folder with {files}" if corpus.files else "use your own files, with a corpus of kind text"
        reason = _on_one_line(error) if _hub_answers() else f"{datasets.config.HF_ENDPOINT} does not answer, and it is not in the local cache"
        raise UserError(f"data set {corpus.path} could not be loaded from the Hugging Face hub: {hint} ({reason})") from None
    # no public API for the fingerprint, which covers the builder's code, settings and file states
    return _table_corpus(table, corpus, languages, cache, table._fingerprint)


def _load(path: str, config: str | None, split: str, revision: str | None) -> datasets.Dataset:
    if os.path.exists(path):  # a local folder, which may change
        with _quiet():
            return datasets.load_dataset(path, config, split=split, revision=revision)
    return _load_from_hub(path, config, split, revision)


@functools.cache
def _load_from_hub(path: str, config: str | None, split: str, revision: str | None) -> datasets.Dataset:
    """Loaded once per process; from the local cache if the hub does not answer."""
    if not datasets.config.HF_HUB_OFFLINE:
        print(f"loading {path} ({split}) from the Hugging Face hub ...", file=sys.stderr, flush=True)
    with _quiet(), contextlib.nullcontext() if _hub_answers() else _offline():
        return datasets.load_dataset(path, config, split=split, revision=revision)


@functools.cache
def _hub_answers() -> bool:
    """Whether the hub can be reached. The hub's own client retries for 23 s before it gives up."""
    if datasets.config.HF_HUB_OFFLINE or urllib.request.getproxies():
        return True  # offline anyway, or behind a proxy with its own timeouts
    url = urllib.parse.urlsplit(datasets.config.HF_ENDPOINT)
    try:
        socket.create_connection((url.hostname, url.port or (80 if url.scheme == "http" else 443)), HUB_TIMEOUT).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    datasets.config.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE = False


def saved_corpus(corpus: CorpusConfig, languages: tuple[str, str], cache: Path) -> Corpus:
    """A folder written by `Dataset.save_to_disk`. UserError if it is damaged or lacks the split."""
    if not corpus.path:
        raise UserError("a corpus of kind saved needs `path`: a folder written by save_to_disk")
    _check_saved(Path(corpus.path))
    try:
        table = datasets.load_from_disk(corpus.path)
    except IndexError:  # raised by `datasets` for a table without rows
        raise UserError(f"{corpus.path}: the corpus is empty") from None
    except DAMAGED as error:
        raise UserError(f"{corpus.path} cannot be read as a folder written by save_to_disk: {_on_one_line(error)}") from None
    if isinstance(table, datasets.DatasetDict):
        if corpus.split not in table:
            raise UserError(f"{corpus.path} has no split {corpus.split!r}, only {', '.join(table)}: set the corpus's `split`")
        table = table[corpus.split]
    return _table_corpus(table, corpus, languages, cache, [file_key(file["filename"], cache) for file in table.cache_files])


def _table_corpus(table: datasets.Dataset, corpus: CorpusConfig, languages: tuple[str, str], cache: Path, content: Any) -> Corpus:
    """content: plain values that identify the content of the table."""
    name = f"{corpus.path} ({corpus.split})"
    columns = _columns(table.features, corpus, languages, name)
    return Corpus(name, digest(corpus.kind, columns, content), lambda skipped: _table_rows(table, columns, name), cache)


def _check_saved(folder: Path) -> None:
    """UserError if it refers to files outside the folder, or contains a pipe or a device, which may never end."""
    _check_regular(folder)
    for path in [*folder.rglob("state.json"), *folder.glob("dataset_dict.json")]:
        try:
            values = json.loads(path.read_bytes())
            names = values["splits"] if path.name == "dataset_dict.json" else [file["filename"] for file in values["_data_files"]]
        except DAMAGED as error:
            raise UserError(f"{path} cannot be read as written by save_to_disk: {_on_one_line(error)}") from None
        for name in names:
            if not isinstance(name, str) or Path(name).name != name:
                raise UserError(f"{path} names {short_repr(name)}, which is not in that folder")


def _check_regular(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UserError(f"{path} is a pipe or a device: use regular files")


def parquet_corpus(corpus: CorpusConfig, languages: tuple[str, str], cache: Path) -> Corpus:
    """One Parquet file, or all those in a folder, sorted by name. UserError if there is none, or one is damaged."""
    files = _parquet_files(corpus)
    columns = _columns(datasets.Features.from_arrow_schema(parquet.read_schema(files[0])), corpus, languages, str(files[0]))
    key = digest("parquet", [columns], [file_key(file, cache) for file in files])
    return Corpus(", ".join(map(str, files)), key, lambda skipped: _parquet_rows(files, columns), cache)


def _parquet_files(corpus: CorpusConfig) -> list[Path]:
    path = Path(corpus.path)
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    _check_regular(path)
    if not corpus.path or not files:
        raise UserError(f"a corpus of kind parquet needs `path`: a Parquet file, or a folder with some ({corpus.path or 'none was given'})")
    for file in files:
        try:
            parquet.ParquetFile(file).close()
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"{file}: cannot be read as Parquet: {_on_one_line(error)}") from None
    return files


def _parquet_rows(files: Sequence[Path], columns: Sequence[str]) -> Iterator[Pair]:
    for file in files:
        with parquet.ParquetFile(file) as opened:
            tops = [column if column in opened.schema_arrow.names else column.split(".")[0] for column in columns]
            try:
                for batch in opened.iter_batches(ROWS, columns=sorted(set(tops))):
                    batch.validate(full=True)
                    yield from zip(*(_texts(batch.column(top), top, column, file) for column, top in zip(columns, tops)))
            except (OSError, KeyError, pyarrow.ArrowException) as error:
                raise UserError(f"{file}: cannot be read: {_on_one_line(error)}") from None


def _texts(cells: pyarrow.Array, top: str, column: str, name: object) -> Iterator[str]:
    """One side of a batch of rows: `column`, which may be nested in the column `top`."""
    small = cells.nbytes < LARGE and "dictionary" not in str(cells.type)  # a dictionary may repeat a long text in a few bytes
    for value in cells.to_pylist() if small else (cell.as_py() for cell in cells):
        for key in column[len(top) + 1 :].split(".") if column != top else []:
            value = None if value is None else value[key]
        if value is not None and not isinstance(value, str):
            raise UserError(f"{name}: column {column} must contain strings, not {short_repr(value)}")
        yield one_line(value)


def _columns(features: datasets.Features, corpus: CorpusConfig, languages: tuple[str, str], name: str) -> list[str]:
    """The columns of source and target; by default those named after the languages, at the top or in `translation`."""
    types = dict(_column_types(features))
    columns = []
    for configured, language in zip((corpus.source, corpus.target), languages):
        candidates = [configured] if configured else [language, f"translation.{language}"]
        column = next((column for column in candidates if column in types), None)
        if column is None:
            raise UserError(f"{name} has no column {configured or language}, only {', '.join(types)}: set the corpus's `source` and `target`")
        if types[column] not in ("string", "large_string"):
            raise UserError(f"column {column} of {name} has type {types[column]}: it must be string")
        columns.append(column)
    return columns


def _column_types(features: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, str]]:
    """The columns of a table with their types; nested ones as `column.key`."""
    for name, feature in features.items():
        if isinstance(feature, datasets.Translation):
            yield from ((f"{at}{name}.{language}", "string") for language in feature.languages)
        elif isinstance(feature, dict):
            yield from _column_types(feature, f"{at}{name}.")
        else:
            yield at + name, getattr(feature, "dtype", type(feature).__name__)


def _table_rows(table: datasets.Dataset, columns: Sequence[str], name: str) -> Iterator[Pair]:
    if not len(table):
        return
    tops = [column if column in table.column_names else column.split(".")[0] for column in columns]
    table = table.select_columns(sorted(set(tops)))
    try:
        for batch in table.data.to_batches():  # offsets beyond the end of the file would crash the process
            batch.validate(full=True)
    except pyarrow.ArrowException as error:
        raise UserError(f"{name} is damaged: {_on_one_line(error)}") from None
    for batch in table.with_format("arrow").iter(batch_size=ROWS):
        yield from zip(*(_texts(batch[top], top, column, name) for column, top in zip(columns, tops)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences progress bars and log messages of `datasets` and the hub; errors are raised anyway."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

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


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
