"""The corpora that a recipe names: finds their files and picks the reader for each kind.

The readers: aligned.py, delimited.py, jsonpairs.py, xmlpairs.py, tables.py and the phrasebook.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets

from translate import phrasebook
from translate.config import CorpusConfig, DataConfig, line_range
from translate.data.aligned import aligned_lines
from translate.data.cache import cache_folder, digest
from translate.data.corpus import Corpus
from translate.data.delimited import csv_rows, tsv_rows
from translate.data.jsonpairs import json_rows
from translate.data.locate import locate
from translate.data.rows import Pair, Skipped
from translate.data.sides import EITHER, PAIRS, TARGET
from translate.data.tables import hub_corpus, parquet_corpus, saved_corpus
from translate.data.xmlpairs import sgm_pairs, tmx_pairs, wmt_pairs
from translate.errors import UserError
from translate.files.digest import COMPRESSED, file_key
from translate.text.lines import read_lines


def load_corpus(corpus: CorpusConfig, data: DataConfig, sides: str = PAIRS) -> datasets.Dataset:
    """All pairs of `corpus` in order, unfiltered: string columns source and target, memory-mapped. sides: which of them are read (sides.py).

    UserError for missing or misaligned files, invalid UTF-8, a missing column or split, a hub that can't be reached, or no pairs at all.
    """
    return find_corpus(corpus, data, sides).read().table


def find_corpus(corpus: CorpusConfig, data: DataConfig, sides: str = PAIRS) -> Corpus:
    """The corpus and its cache key. Files are hashed but not parsed. UserError as `load_corpus`."""
    whole = _find_whole(corpus, data, cache_folder(data), sides)
    if sides == TARGET and whole.unit == "pairs":
        whole = _only_target(whole)
    return whole if corpus.lines is None else _only_lines(whole, corpus.lines)


def _is_one_text(corpus: CorpusConfig, sides: str) -> bool:
    """Whether one file is read, as pairs with an empty side: the target's, or, for a model that reads either side, that of the only one."""
    return corpus.kind == "text" and (sides == TARGET or (sides == EITHER and not (corpus.source and corpus.target)))


def _only_target(whole: Corpus) -> Corpus:
    """The target side of pairs."""
    key = digest("target", whole.key)
    return replace(whole, key=key, unit="sentences", pairs=lambda skipped: (("", target) for _, target in whole.pairs(skipped)))


def _only_lines(whole: Corpus, lines: str) -> Corpus:
    """Some of the pairs. The rest are read too, so that errors further down are reported."""
    first, last = line_range(lines)

    def pairs(skipped: Skipped) -> Iterator[Pair]:
        number = 0
        for number, pair in enumerate(whole.pairs(skipped), 1):
            if first <= number and (last is None or number <= last):
                yield pair
        if number < (last or first):
            raise UserError(f"{whole.name} has only {number:,} {whole.unit}: lines {lines} do not exist")

    return replace(whole, name=f"{whole.name}, lines {lines}", key=digest("lines", whole.key, first, last), pairs=pairs)


def _find_whole(corpus: CorpusConfig, data: DataConfig, cache: Path, sides: str) -> Corpus:
    kind, languages = corpus.kind, (data.source_language, data.target_language)

    def of_files(files: list[str], pairs: Callable[[Skipped], Iterable[Pair]], *settings: Any) -> Corpus:
        return Corpus(", ".join(files), digest(kind, settings, [file_key(file, cache) for file in files]), pairs, cache, kind in ("tmx", "wmt"))

    if kind == "phrasebook":
        return _phrasebook_corpus(corpus.split, languages, cache)

    def of_text(file: str, place: int) -> Corpus:
        pairs = (lambda skipped: (("", line) for line in read_lines(file))) if place else (lambda skipped: ((line, "") for line in read_lines(file)))
        return replace(of_files([file], pairs, ("source", TARGET)[place]), unit="sentences")

    if kind == "hub" and data.folder and corpus.files:
        files = [_file_in_folder(corpus, data.folder, language) for language in languages[sides == TARGET :]]
        return of_files(files, lambda skipped: aligned_lines(*files)) if len(files) > 1 else of_text(files[0], 1)
    if kind == "hub":
        return hub_corpus(corpus, languages, cache)
    if kind == "saved":
        return saved_corpus(corpus, languages, cache)
    if kind == "parquet":
        return parquet_corpus(corpus, languages, cache)
    if _is_one_text(corpus, sides):
        if not corpus.target and (sides == TARGET or not corpus.source):
            raise UserError("a corpus of kind text needs `target`, a file; with `source` it is the translation of that file, line by line")
        return of_text(locate(corpus.target or corpus.source, kind), int(bool(corpus.target)))
    if kind == "text" or (kind == "wmt" and not corpus.path):
        if not corpus.source or not corpus.target:
            more = " (text of one language is for model.family=language_model, markov and masked_lm)" if corpus.target and kind == "text" else ""
            raise UserError(f"a corpus of kind {kind} needs `source` and `target`: two files with the same sentences in the same order{more}")
        files = [locate(corpus.source, kind), locate(corpus.target, kind)]
        return of_files(files, lambda skipped: sgm_pairs(*files) if kind == "wmt" else aligned_lines(*files))
    if not corpus.path:
        raise UserError(f"a corpus of kind {kind} needs `path`: one file")
    path = locate(corpus.path, kind)
    if kind == "tsv":
        columns = _column_indices(corpus)
        return of_files([path], lambda skipped: tsv_rows(path, columns, skipped), columns)
    if kind == "tmx":
        return of_files([path], lambda skipped: tmx_pairs(path, languages, skipped), languages)
    if kind == "wmt":
        return of_files([path], lambda skipped: wmt_pairs(path, languages, corpus.config, skipped), languages, corpus.config)
    names = [corpus.source or languages[0], corpus.target or languages[1]]
    rows = csv_rows if kind == "csv" else json_rows
    return of_files([path], lambda skipped: rows(path, names, skipped), names)


def _file_in_folder(corpus: CorpusConfig, folder: str, language: str) -> str:
    """The file in data.folder that replaces one side of a hub data set."""
    path = locate(os.path.join(folder, f"{corpus.files}.{language}"), "text")
    if not os.path.exists(path):
        extensions = ", ".join(COMPRESSED)
        raise UserError(f"data.folder ({folder}) has no {corpus.files}.{language} ({extensions}) in place of {corpus.path} ({corpus.split})")
    return path


def _column_indices(corpus: CorpusConfig) -> list[int]:
    """The configured columns of a TSV file, counted from 0."""
    for side, column in (("source", corpus.source), ("target", corpus.target)):
        if column and (not column.isdecimal() or int(column) < 1):
            raise UserError(
                f"`{side}` of the TSV corpus {corpus.path} is {column!r}: it must be the number of a column, from 1 (kind: csv takes names)"
            )
    return [int(corpus.source or 1) - 1, int(corpus.target or 2) - 1]


def _phrasebook_corpus(split: str, languages: tuple[str, str], cache: Path) -> Corpus:
    if sorted(languages) != ["de", "en"]:
        raise UserError(f"the phrasebook is German and English, but data.source_language is {languages[0]} and data.target_language {languages[1]}")
    reverse = languages[0] == "en"
    key = digest("phrasebook", split, reverse, phrasebook.VERSION)
    return Corpus(f"phrasebook ({split})", key, lambda skipped: (pair[::-1] if reverse else pair for pair in phrasebook.pairs(split)), cache)
