"""Corpora that are tables: a Hugging Face data set, a saved one, Parquet files. Each as a table, a key of what is in it and its texts.

Used by corpora.py.
"""

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
from pathlib import Path
from typing import Any, Iterator, Sequence

import datasets
import huggingface_hub
import pyarrow
from pyarrow import parquet

from translate.config import CorpusConfig, DataConfig
from translate.data.pairfiles import one_line
from translate.errors import UserError
from translate.files.digest import file_key
from translate.files.paths import expand_path
from translate.values import short_repr

ROWS = 10_000  # rows read at once
MUCH = 1 << 26  # bytes of a column of them: its texts are made one by one
HUB_SECONDS = 5  # that the hub has to answer
DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, pyarrow.ArrowException)  # of readers made for sound files


def hub_table(corpus: CorpusConfig, data: DataConfig) -> tuple[datasets.Dataset, Any]:
    if not corpus.path:
        raise UserError("a corpus of kind hub needs `path`: the name of the data set")
    try:
        table = _loaded(expand_path(corpus.path), corpus.config, corpus.split, corpus.revision)
    except (ValueError, RuntimeError) as error:  # an unknown split or configuration (the message lists those there are); a set that is a script
        raise UserError(f"data set {corpus.path}: {_in_a_line(error)}") from None
    except (OSError, datasets.exceptions.DatasetsError) as error:  # no network; offline and not in the cache; no such name
        files = f"{corpus.files}.{data.source_language} and {corpus.files}.{data.target_language}"
        hint = f"set data.folder to a folder with {files}" if corpus.files else "use files of your own, with a corpus of kind text"
        reason = _in_a_line(error) if _answers() else f"{datasets.config.HF_ENDPOINT} does not answer, and its local cache has not this set"
        raise UserError(f"data set {corpus.path} could not be loaded from the Hugging Face hub: {hint} ({reason})") from None
    return table, table._fingerprint  # of the builder: its code, its settings and the state of its files


def _loaded(path: str, config: str | None, split: str, revision: str | None) -> datasets.Dataset:
    if os.path.exists(path):  # files with the layout of the hub; they may change
        with _quiet():
            return datasets.load_dataset(path, config, split=split, revision=revision)
    return _asked(path, config, split, revision)


@functools.cache
def _asked(path: str, config: str | None, split: str, revision: str | None) -> datasets.Dataset:
    """From the hub, once a process; from its local cache at once where the hub doesn't answer."""
    if not datasets.config.HF_HUB_OFFLINE:
        print(f"asking the Hugging Face hub for {path} ({split}) ...", file=sys.stderr, flush=True)
    with _quiet(), contextlib.nullcontext() if _answers() else _offline():
        return datasets.load_dataset(path, config, split=split, revision=revision)


@functools.cache
def _answers() -> bool:
    """Whether the hub can be reached. Asked first, as its own client tries again and again: 23 s until it gives up."""
    if datasets.config.HF_HUB_OFFLINE or urllib.request.getproxies():
        return True  # nothing to ask; or a proxy is asked, which has time limits of its own
    place = urllib.parse.urlsplit(datasets.config.HF_ENDPOINT)
    try:
        socket.create_connection((place.hostname, place.port or (80 if place.scheme == "http" else 443)), HUB_SECONDS).close()
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


def saved_table(corpus: CorpusConfig, cache: Path) -> tuple[datasets.Dataset, Any]:
    if not corpus.path:
        raise UserError("a corpus of kind saved needs `path`: a folder written by save_to_disk")
    _check_saved(Path(expand_path(corpus.path)))
    try:
        table = datasets.load_from_disk(expand_path(corpus.path))
    except IndexError:  # `datasets` fails so where there is no row
        raise UserError(f"{corpus.path}: the corpus is empty") from None
    except DAMAGED as error:
        raise UserError(f"{corpus.path} cannot be read as a folder written by save_to_disk: {_in_a_line(error)}") from None
    if isinstance(table, datasets.DatasetDict):
        if corpus.split not in table:
            raise UserError(f"{corpus.path} has no split {corpus.split!r}, only {', '.join(table)}: set the corpus's `split`")
        table = table[corpus.split]
    return table, [file_key(file["filename"], cache) for file in table.cache_files]


def _check_saved(folder: Path) -> None:
    """UserError where files of a saved set lie outside its folder, or one is a pipe or a device, which might have no end."""
    _check_regular(folder)
    for path in [*folder.rglob("state.json"), *folder.glob("dataset_dict.json")]:
        try:
            values = json.loads(path.read_bytes())
            names = values["splits"] if path.name == "dataset_dict.json" else [file["filename"] for file in values["_data_files"]]
        except DAMAGED as error:
            raise UserError(f"{path} cannot be read as written by save_to_disk: {_in_a_line(error)}") from None
        for name in names:
            if not isinstance(name, str) or Path(name).name != name:
                raise UserError(f"{path} names {short_repr(name)}, which is not in its folder")


def _check_regular(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UserError(f"{path}: it is a pipe or a device: files are needed")


def parquet_files(corpus: CorpusConfig) -> list[Path]:
    """One file, or all .parquet files of a folder, in the order of their names. UserError if there is none, or one is damaged."""
    path = Path(expand_path(corpus.path))
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    _check_regular(path)
    if not corpus.path or not files:
        raise UserError(f"a corpus of kind parquet needs `path`: a Parquet file, or a folder with some ({corpus.path or 'none was given'})")
    for file in files:
        try:
            parquet.ParquetFile(file).close()
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"{file}: cannot be read as Parquet: {_in_a_line(error)}") from None
    return files


def parquet_columns(files: Sequence[Path], corpus: CorpusConfig, data: DataConfig) -> list[str]:
    features = datasets.Features.from_arrow_schema(parquet.read_schema(files[0]))
    given = ((corpus.source, data.source_language), (corpus.target, data.target_language))
    return [column_of(features, *side, str(files[0])) for side in given]


def parquet_rows(files: Sequence[Path], columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    for file in files:
        with parquet.ParquetFile(file) as opened:
            tops = [column if column in opened.schema_arrow.names else column.split(".")[0] for column in columns]
            try:
                for batch in opened.iter_batches(ROWS, columns=sorted(set(tops))):
                    batch.validate(full=True)
                    yield from zip(*(_texts(batch.column(top), top, column, file) for column, top in zip(columns, tops)))
            except (OSError, KeyError, pyarrow.ArrowException) as error:
                raise UserError(f"{file}: cannot be read: {_in_a_line(error)}") from None


def _texts(cells: pyarrow.Array, top: str, column: str, name: object) -> Iterator[str]:
    """One side of a batch of rows, of `column`, which may be within the column `top`."""
    few = cells.nbytes < MUCH and "dictionary" not in str(cells.type)  # of which a few bytes may name the same long text again and again
    for value in cells.to_pylist() if few else (cell.as_py() for cell in cells):
        for key in column[len(top) + 1 :].split(".") if column != top else []:
            value = None if value is None else value[key]
        if value is not None and not isinstance(value, str):
            raise UserError(f"{name}: column {column} must hold strings, not {short_repr(value)}")
        yield one_line(value)


def column_of(features: datasets.Features, given: str, language: str, name: str) -> str:
    """The column of one side; without a name that of its language, at the top or in `translation`."""
    names = dict(_names(features))
    for column in [given] if given else [language, f"translation.{language}"]:
        if column in names:
            if names[column] not in ("string", "large_string"):
                raise UserError(f"column {column} of {name} holds {names[column]}: it must hold strings")
            return column
    raise UserError(f"{name} has no column {given or language}, only {', '.join(names)}: set the corpus's `source` and `target`")


def _names(features: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Columns of a table with their types, those within a column as `column.key`."""
    for name, feature in features.items():
        if isinstance(feature, datasets.Translation):
            yield from ((f"{at}{name}.{language}", "string") for language in feature.languages)
        elif isinstance(feature, dict):
            yield from _names(feature, f"{at}{name}.")
        else:
            yield at + name, getattr(feature, "dtype", type(feature).__name__)


def table_rows(table: datasets.Dataset, columns: Sequence[str], name: str) -> Iterator[tuple[str, str]]:
    if not len(table):
        return
    tops = [column if column in table.column_names else column.split(".")[0] for column in columns]
    table = table.select_columns(sorted(set(tops)))
    try:
        for batch in table.data.to_batches():  # offsets that lead out of the file would end the process
            batch.validate(full=True)
    except pyarrow.ArrowException as error:
        raise UserError(f"{name} is damaged: {_in_a_line(error)}") from None
    for batch in table.with_format("arrow").iter(batch_size=ROWS):
        yield from zip(*(_texts(batch[top], top, column, name) for column, top in zip(columns, tops)))


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
