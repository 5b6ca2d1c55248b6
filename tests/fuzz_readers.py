"""Corpora and texts that tests/fuzz.py damages, and what their readers may make of them."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import random
from bz2 import compress as pack_bz2
from pathlib import Path
from typing import Callable, Iterator

from tests.fuzz_cases import LINES, Case, put

NUMBERED = [f"{number * number} {line}" for number in range(100) for line in LINES]


def tsv(folder: Path) -> Case:
    return pairs(folder / "a.tsv", "\n".join(f"{line}\t{line}" for line in LINES * 5))


def jsonl(folder: Path) -> Case:
    rows = [{"translation": {"de": line, "en": line}, "score": 0.5} for line in LINES * 5]
    return pairs(folder / "a.jsonl", "\n".join(json.dumps(row, ensure_ascii=number % 2 > 0) for number, row in enumerate(rows)))


def array(folder: Path) -> Case:
    return pairs(folder / "a.jsonl", json.dumps([{"de": line, "en": line} for line in LINES * 5], indent=1))


def quoted(folder: Path) -> Case:
    lines = [line for line in LINES * 5 if "\0" not in line]  # Python 3.10's csv refuses NUL
    return pairs(folder / "a.csv", "\n".join(["de;en", *(f'"{line}";"{line}"' for line in lines)]))


def tmx(folder: Path) -> Case:
    unit = '<tu><tuv xml:lang="de"><seg>ä &amp; <ph>b</ph></seg></tuv><tuv xml:lang="en"><seg>a</seg></tuv></tu>\n'
    return pairs(folder / "a.tmx", f'<?xml version="1.0"?><!DOCTYPE tmx [<!ELEMENT x ANY>]><tmx><body>{unit * 9}</body></tmx>')


def pairs(path: Path, text: str) -> Case:
    """A corpus file of the kind that its ending says."""
    from translate.config import CorpusConfig, DataConfig
    from translate.data.corpora import find_corpus
    from translate.data.rows import Skipped

    corpus = CorpusConfig(kind=path.suffix[1:], path=str(path))
    return reader(path, lambda _: find_corpus(corpus, DataConfig(cache=str(path.parent))).pairs(Skipped("corpus")), text.encode())


def gz(folder: Path) -> Case:
    from translate.text.lines import read_lines

    return reader(folder / "a.gz", read_lines, gzip.compress("\n".join(NUMBERED).encode(), mtime=0), NUMBERED)


def xz(folder: Path) -> Case:
    from translate.text.lines import read_lines

    return reader(folder / "a.xz", read_lines, lzma.compress("\n".join(NUMBERED).encode()), NUMBERED)


def bz2(folder: Path) -> Case:
    from translate.text.lines import read_lines

    return reader(folder / "a.bz2", read_lines, pack_bz2("\n".join(NUMBERED).encode()), NUMBERED)


def zst(folder: Path) -> Case:
    """Without a checksum in it, as the `zstd` library writes by default."""
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the other ones reserve more than a case may take
    import pyarrow

    from translate.text.lines import read_lines

    return reader(folder / "a.zst", read_lines, pyarrow.Codec("zstd").compress("\n".join(NUMBERED).encode(), asbytes=True))


def column(folder: Path) -> Case:
    """A column of a CSV: refused, or as many lines, which are the same bytes where each text is its own translation."""
    from translate.text.records import CsvColumn

    def lines(rows: list[str]) -> list:
        return list(CsvColumn("a", "2").parse(rows))

    text = "".join(f'{number};"{line} ""{number}""\n{line}";{line}\r\n' for number, line in enumerate(LINES * 3))
    return unchanged(folder / "a.csv", lines, text.encode())


def key(folder: Path) -> Case:
    """A key of JSON lines, likewise."""
    from translate.text.records import JsonKey

    rows = [{"n": 1.5, "t": {"de": f"{line}\n{line}", "x": [line, None]}} for line in LINES * 3]
    text = "\n".join(json.dumps(row, ensure_ascii=number % 2 > 0) for number, row in enumerate(rows))
    return unchanged(folder / "a.jsonl", lambda lines: list(JsonKey("a", "t.de").parse(lines)), text.encode())


def unchanged(path: Path, read: Callable[[list[str]], list], data: bytes) -> Case:
    from translate.text.lines import read_lines

    def case(rng: random.Random) -> str:
        put(path, data, rng)
        before = list(read_lines(path, ends=True))
        after = read(before)
        filled = [line.filled(line.texts) for line in after]
        different = [(old, new) for old, new in zip(before, filled) if old != new]
        if path.suffix == ".jsonl":  # \\u00e4 may come back as ä
            different = [(old, new) for old, new in different if json.loads(old.removeprefix("\ufeff")) != json.loads(new.removeprefix("\ufeff"))]
        if len(before) != len(after) or different:
            raise AssertionError(f"{len(before)} lines in, {len(after)} out; {different[:1]}")
        return "read"

    return case


def reader(path: Path, read: Callable[[Path], Iterator], data: bytes, expected: list[str] | None = None) -> Case:
    """Read to its end; what has a checksum must be as `expected`."""

    def case(rng: random.Random) -> str:
        put(path, data, rng)
        rows = list(read(path))
        if expected and rows != expected:
            raise AssertionError(f"read, and {len(rows)} lines are not the {len(expected)} that were written")
        return "same output" if expected else "read"

    return case
