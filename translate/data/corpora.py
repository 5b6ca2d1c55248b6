"""Where sentence pairs come from: text files, tables, translation memories, a Hugging Face data set, the phrasebook -> one Arrow table each.

Sits under data.py, which filters and tokenises them; pairfiles.py, xmlpairs.py and tables.py read the kinds of files. Each corpus is read once,
as a stream, into the cache folder and from then on memory-mapped, so that it may be larger than memory.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

import datasets
from datasets.arrow_writer import ArrowWriter

from translate.config import CorpusConfig, DataConfig, line_range
from translate.data.cache import cache_folder, cached, digest
from translate.data.pairfiles import Skipped, aligned_lines, csv_rows, json_rows, mac_line_ends, tsv_rows
from translate.data.pipes import held
from translate.data.tables import ROWS, column_of, hub_table, parquet_columns, parquet_files, parquet_rows, saved_table, table_rows
from translate.data.xmlpairs import sgm_pairs, tmx_pairs, wmt_pairs
from translate.errors import UserError
from translate.files.digest import file_key
from translate.files.paths import expand_path
from translate.text.lines import COMPRESSED
from translate.tokenizer import LONGEST_LINE

TEXTS = datasets.Features({"source": datasets.Value("string"), "target": datasets.Value("string")})
CHARACTERS = 1 << 24  # of the pairs written at once
UNTAR = "unpack it first (tar xf FILE)"
NOT_LINES = {  # endings of files that are not lines of text, and what to do
    ".zip": "unpack it first (unzip -p FILE > TEXT)", ".7z": "unpack it first", ".tar": UNTAR, ".tgz": UNTAR, ".tar.gz": UNTAR, ".tar.xz": UNTAR,
    ".tmx": "use kind: tmx with `path`", ".tmx.gz": "use kind: tmx with `path`", ".parquet": "use kind: parquet with `path`",
    ".docx": "save it as plain text", ".xlsx": "save it as CSV and use kind: csv with `path`", ".sgm": "use kind: wmt", ".sgml": "use kind: wmt",
}  # fmt: skip


@dataclass
class Read:
    """A corpus in the cache. sha256: of its texts, the same wherever they lie and in whichever kind of file; skipped: rows left out;
    long, first_long: pairs with a side that is longer than the tokenizer trains on, and the number of the first (from 1)."""

    table: datasets.Dataset
    sha256: str
    skipped: int
    told: str  # of the rows left out, for the log; or nothing
    long: int
    first_long: int


@dataclass
class Corpus:
    """A corpus that was found but not yet read."""

    name: str  # for messages
    key: str  # SHA-256 of all that decides its pairs
    pairs: Callable[[Skipped], Iterable[tuple[str, str]]]
    cache: Path
    sparse: bool = False  # rows that lack a language are usual in it

    def read(self) -> Read:
        folder, facts = cached(self.cache, "corpus", self.key, self._write)
        return Read(datasets.Dataset.from_file(str(folder / "pairs.arrow")), **facts)

    def _write(self, folder: Path) -> dict:
        skipped = Skipped(self.name, *([1.0] if self.sparse else []))
        pairs, count, returns, long, first_long, sha = iter(self.pairs(skipped)), 0, 0, 0, 0, hashlib.sha256()
        with ArrowWriter(path=str(folder / "pairs.arrow"), features=TEXTS, writer_batch_size=ROWS) as writer:
            while batch := _some(pairs):
                sources, targets = zip(*batch)
                writer.write_batch({"source": sources, "target": targets})
                text = "".join(f"{source}\n{target}\n" for source, target in batch)  # no text has a line end
                sha.update(text.encode())
                returns += text.count("\r")
                for number, pair in enumerate(batch, count + 1):
                    if any(len(side) > LONGEST_LINE // 4 and len(side.encode()) > LONGEST_LINE for side in pair):
                        long, first_long = long + 1, first_long or number
                count += len(batch)
            skipped.check(count)
            if returns >= count > 0:
                raise UserError(mac_line_ends(self.name, returns, count))
            if not count:
                raise UserError(f"{self.name}: the corpus is empty{f' ({skipped.told()})' if skipped.rows else ''}")
            writer.finalize()
        return {"sha256": sha.hexdigest(), "skipped": skipped.rows, "told": skipped.told(), "long": long, "first_long": first_long}


def _some(pairs: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    """The next `ROWS` pairs, or fewer that are long: any number of lines of megabytes would not fit in memory."""
    batch, size = [], 0
    for pair in islice(pairs, ROWS):
        batch.append(pair)
        size += len(pair[0]) + len(pair[1])
        if size > CHARACTERS:
            break
    return batch


def load_corpus(corpus: CorpusConfig, data: DataConfig) -> datasets.Dataset:
    """All pairs of `corpus` in order, unfiltered: string columns source and target, memory-mapped.

    UserError, one line, for whatever is wrong with it: missing or misaligned files, invalid UTF-8, a missing column or split, a hub
    that cannot be reached, no pair at all.
    """
    return find_corpus(corpus, data).read().table


def find_corpus(corpus: CorpusConfig, data: DataConfig) -> Corpus:
    """What `load_corpus` would read, with its key; no text is read beyond hashing the files. UserError as there."""
    whole = _find_whole(corpus, data)
    return whole if corpus.lines is None else _lines_of(whole, corpus.lines)


def _lines_of(whole: Corpus, lines: str) -> Corpus:
    """Some of its pairs, and all of them are read: what is wrong further down is wrong with the corpus."""
    first, last = line_range(lines)

    def pairs(skipped: Skipped) -> Iterator[tuple[str, str]]:
        number = 0
        for number, pair in enumerate(whole.pairs(skipped), 1):
            if first <= number and (last is None or number <= last):
                yield pair
        if number < (last or first):
            raise UserError(f"{whole.name} has {number:,} pairs, and lines {lines} are asked for")

    return Corpus(f"{whole.name}, lines {lines}", digest("lines", whole.key, first, last), pairs, whole.cache, whole.sparse)


def _find_whole(corpus: CorpusConfig, data: DataConfig) -> Corpus:
    kind, cache = corpus.kind, cache_folder(data)
    languages = [data.source_language, data.target_language]
    keys = [corpus.source or languages[0], corpus.target or languages[1]]

    def of_files(files: list[str], pairs: Callable[[Skipped], Iterable[tuple[str, str]]], *settings: Any) -> Corpus:
        return Corpus(", ".join(files), digest(kind, settings, [file_key(file, cache) for file in files]), pairs, cache, kind in ("tmx", "wmt"))

    if kind == "phrasebook":
        return _phrasebook(corpus, data)
    if kind in ("hub", "saved") and not (kind == "hub" and data.folder and corpus.files):
        table, key = hub_table(corpus, data) if kind == "hub" else saved_table(corpus, cache)
        name = f"{corpus.path} ({corpus.split})"
        columns = [column_of(table.features, *side, name) for side in zip((corpus.source, corpus.target), languages)]
        return Corpus(name, digest(kind, columns, key), lambda skipped: table_rows(table, columns, name), cache)
    if kind == "parquet":
        parquets = parquet_files(corpus)
        columns = parquet_columns(parquets, corpus, data)
        return of_files(list(map(str, parquets)), lambda skipped: parquet_rows(parquets, columns), columns)
    if kind in ("text", "hub") or (kind == "wmt" and not corpus.path):
        files = _text_files(corpus, data)
        return of_files(files, lambda skipped: sgm_pairs(*files) if kind == "wmt" else aligned_lines(*files))
    path = _file(corpus)
    if kind == "tsv":
        places = _places(corpus)
        return of_files([path], lambda skipped: tsv_rows(path, places, skipped), places)
    if kind == "tmx":
        return of_files([path], lambda skipped: tmx_pairs(path, languages, skipped), languages)
    if kind == "wmt":
        return of_files([path], lambda skipped: wmt_pairs(path, languages, corpus.config, skipped), languages, corpus.config)
    rows = csv_rows if kind == "csv" else json_rows
    return of_files([path], lambda skipped: rows(path, keys, skipped), keys)


def _text_files(corpus: CorpusConfig, data: DataConfig) -> list[str]:
    if corpus.kind != "hub":
        if not corpus.source or not corpus.target:
            raise UserError(f"a corpus of kind {corpus.kind} needs `source` and `target`: two files with the same sentences in the same order")
        return [_found(corpus.source, corpus.kind), _found(corpus.target, corpus.kind)]
    files = []
    for language in (data.source_language, data.target_language):
        path = os.path.join(expand_path(data.folder) if data.folder else "", f"{corpus.files}.{language}")
        files.append(_found(path, "text"))
        if not os.path.exists(files[-1]):
            packed = ", ".join(COMPRESSED)
            raise UserError(f"data.folder ({data.folder}) has no {corpus.files}.{language} ({packed}) in place of {corpus.path} ({corpus.split})")
    return files


def _found(path: str, kind: str) -> str:
    """The file, or the packed one of that name; of a pipe what came through it."""
    path = expand_path(path)
    hint = next((hint for suffix, hint in NOT_LINES.items() if path.lower().endswith(suffix)), None)
    if hint and kind in ("text", "tsv", "jsonl", "csv"):
        raise UserError(f"{path} does not hold lines of text: {hint.replace('FILE', shlex.quote(path))}")
    if not os.path.exists(path):
        path = next((path + suffix for suffix in COMPRESSED if os.path.exists(path + suffix)), path)
    return held(path)


def _file(corpus: CorpusConfig) -> str:
    if not corpus.path:
        raise UserError(f"a corpus of kind {corpus.kind} needs `path`: one file")
    return _found(corpus.path, corpus.kind)


def _places(corpus: CorpusConfig) -> list[int]:
    for side, given in (("source", corpus.source), ("target", corpus.target)):
        if given and (not given.isdecimal() or int(given) < 1):
            raise UserError(
                f"`{side}` of the TSV corpus {corpus.path} is {given!r}: it must be the number of a column, from 1 (kind: csv takes names)"
            )
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
    return Corpus(name, key, lambda skipped: (pair if german_first else pair[::-1] for pair in phrasebook.pairs(corpus.split)), cache_folder(data))
