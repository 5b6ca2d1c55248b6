"""One corpus of sentence pairs: streamed once into an Arrow table in the cache, then memory-mapped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import datasets
from datasets.arrow_writer import ArrowWriter

from translate.data.cache import cached
from translate.data.rows import LIMIT, ROWS, Pair, Skipped, mac_line_ends
from translate.errors import UserError
from translate.tokenizer import LONGEST_LINE

Table: TypeAlias = datasets.Dataset
TEXTS = datasets.Features({"source": datasets.Value("string"), "target": datasets.Value("string")})
CHARACTERS = 1 << 24  # of pairs written at once


@dataclass
class CachedCorpus:
    """A corpus in the cache."""

    table: Table  # string columns source and target, memory-mapped
    sha256: str  # of its texts, whatever their location and file format
    skipped: int  # rows left out
    skipped_summary: str  # which ones, for the log; "" if none
    long: int  # pairs with a side too long for tokenizer training
    first_long: int  # number of the first of them, from 1


@dataclass
class Corpus:
    """A corpus located but not yet read."""

    name: str  # for messages
    key: str  # SHA-256 of everything that determines its pairs
    pairs: Callable[[Skipped], Iterable[Pair]]
    cache: Path
    sparse: bool = False  # rows often lack a language
    unit: str = "pairs"  # what it consists of, for messages

    def read(self) -> CachedCorpus:
        """Load it from the cache, filling the cache from its files first if needed. UserError for anything wrong with them."""
        folder, facts = cached(self.cache, "corpus", self.key, self._write)
        table = datasets.Dataset.from_file(str(folder / "pairs.arrow"))
        return CachedCorpus(table, facts["sha256"], facts["skipped"], facts["told"], facts["long"], facts["first_long"])

    def _write(self, folder: Path) -> dict[str, Any]:
        skipped = Skipped(self.name, 1.0 if self.sparse else LIMIT)
        pairs, count, returns, long, first_long, sha = iter(self.pairs(skipped)), 0, 0, 0, 0, hashlib.sha256()
        with ArrowWriter(path=str(folder / "pairs.arrow"), features=TEXTS, writer_batch_size=ROWS) as writer:
            while batch := _next_batch(pairs):
                sources, targets = zip(*batch)
                writer.write_batch({"source": sources, "target": targets})
                text = "".join(f"{source}\n{target}\n" for source, target in batch)  # no text contains a line end
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
                raise UserError(f"{self.name}: the corpus is empty{f' ({skipped.summary()})' if skipped.rows else ''}")
            writer.finalize()
        return {"sha256": sha.hexdigest(), "skipped": skipped.rows, "told": skipped.summary(), "long": long, "first_long": first_long}


def _next_batch(pairs: Iterator[Pair]) -> list[Pair]:
    """The next `ROWS` pairs, or fewer if they are long, to bound the memory."""
    batch, size = [], 0
    for pair in islice(pairs, ROWS):
        batch.append(pair)
        size += len(pair[0]) + len(pair[1])
        if size > CHARACTERS:
            break
    return batch
