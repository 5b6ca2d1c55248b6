"""The training pairs that are most like a sample of text: Moore and Lewis 2010, "Intelligent selection of language model training data".

Two n-gram models, one of the sample and one of as many training sentences, chosen at random, score each sentence. The lower the cross-entropy under
the first, less that under the second, the more it is like the sample rather than like the corpus. A sentence that the second model was made of
would look too much like the corpus: such sentences are scored by a third model, of others.

The models count pieces of the run's tokenizer, not words: the pairs are in pieces already, and no piece of a small sample's vocabulary is unknown, so
that names and compounds are compared by their parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy
import pyarrow

from translate.config import FilterConfig
from translate.data.cache import digest
from translate.data.locate import locate
from translate.errors import UserError
from translate.model.ngrams import Tables, estimate, log_probabilities
from translate.text.lines import read_lines
from translate.tokenizer import BOS, PAD

VERSION = 1  # part of cache keys: raise it whenever other pairs are chosen
SEED = 1
ORDER = 1  # longer n-grams find less: see docs/data.md
ROWS = 100_000  # sentences scored at once
Ids: TypeAlias = "list[list[int]]"
Batch: TypeAlias = "tuple[int, list[list[Any]]]"  # number of a corpus, and columns: source and target texts, source and target ids


def sample_of(filters: FilterConfig) -> list[str]:
    """The lines of data.filters.domain that aren't blank; none without it. UserError for a file that can't be read, or has none."""
    if not filters.domain:
        return []
    lines = [line for line in read_lines(locate(filters.domain, "text")) if line.strip()]
    if not lines:
        raise UserError(f"data.filters.domain ({filters.domain}) has no text: give a file with sentences like those to translate, one a line")
    return lines


def key_of(filters: FilterConfig) -> list[Any]:
    """What the choice depends on, besides the pairs, for cache keys; nothing without a sample."""
    return ["domain", VERSION, digest(sample_of(filters)), filters.domain_share, filters.domain_side] if filters.domain else []


def most_alike(batches: Iterable[Batch], sample: Ids, size: int, ignored: tuple[int, ...], filters: FilterConfig, folder: Path) -> Iterator[Batch]:
    """`filters.domain_share` of the pairs in `batches`, in their order.

    sample: ids of the text to be like, EOS at the end of each. size: number of pieces. ignored: ids that don't count. folder: for files on the way.
    """
    column = 2 if filters.domain_side == "source" else 3
    corpora, sizes = [], []
    with open(folder / "tokens", "wb") as tokens, open(folder / "lengths", "wb") as lengths, pyarrow.OSFile(str(folder / "passing"), "wb") as file:
        writer = None
        for corpus, columns in batches:
            table = pyarrow.table(columns, names=["source", "target", "source_ids", "target_ids"])
            writer = writer or pyarrow.ipc.new_stream(file, table.schema)
            writer.write_table(table)
            _write(columns[column], ignored, tokens, lengths)
            corpora.append(corpus)
            sizes.append(len(columns[0]))
        if writer is None:
            return
        writer.close()
    texts = numpy.memmap(folder / "tokens", numpy.int32, "r"), numpy.fromfile(folder / "lengths", numpy.int64)
    chosen = choose(differences(texts, flat(sample, ignored), size), filters.domain_share)
    del texts  # closes the file
    with pyarrow.memory_map(str(folder / "passing")) as file:
        stream, begin = pyarrow.ipc.open_stream(file), 0
        for corpus, count in zip(corpora, sizes):
            columns = [[] for _ in range(4)]
            while len(columns[0]) < count:  # a table may have been written in parts
                for whole, part in zip(columns, stream.read_next_batch().to_pydict().values()):
                    whole += part
            rows = numpy.flatnonzero(chosen[begin : begin + count]).tolist()
            begin += count
            yield corpus, [[side[row] for row in rows] for side in columns]
    for name in ("tokens", "lengths", "passing"):
        (folder / name).unlink()


Texts: TypeAlias = "tuple[numpy.ndarray, numpy.ndarray]"  # ids of all sentences, one after the other, each from BOS to EOS; lengths of the sentences


def flat(ids: Ids, ignored: tuple[int, ...] = ()) -> Texts:
    rows = [[BOS, *(number for number in row if number not in ignored)] for row in ids]
    lengths = numpy.array(list(map(len, rows)), dtype=numpy.int64)
    return numpy.fromiter((number for row in rows for number in row), numpy.int32, int(lengths.sum())), lengths


def _write(ids: Ids, ignored: tuple[int, ...], tokens: Any, lengths: Any) -> None:
    for file, array in zip((tokens, lengths), flat(ids, ignored)):
        file.write(array.tobytes())


def choose(scores: numpy.ndarray, share: float) -> numpy.ndarray:
    """Which of N sentences belong to the `share` with the lowest scores, at least one; of equal ones the earlier: (N,) bool."""
    chosen = numpy.zeros(len(scores), dtype=bool)
    chosen[numpy.argsort(scores, kind="stable")[: max(1, round(share * len(scores)))]] = True
    return chosen


def differences(texts: Texts, sample: Texts, size: int, order: int = ORDER) -> numpy.ndarray:
    """Of each of N sentences, its cross-entropy under a model of the sample less that under one of the corpus, in nats per piece."""
    tokens, lengths = texts
    ends, count = lengths.cumsum(), len(lengths)
    drawn = numpy.random.Generator(numpy.random.PCG64(SEED)).permutation(count)[: 2 * len(sample[1])]
    halves = [numpy.sort(drawn[::2]), numpy.sort(drawn[1::2])] if len(drawn) > 1 else [drawn, drawn]

    def model(rows: numpy.ndarray) -> Tables:
        parts = [tokens[ends[row] - lengths[row] : ends[row]] for row in rows.tolist()]
        return estimate(numpy.concatenate(parts), lengths[rows], order, size, (PAD, BOS))

    def nats(tables: Tables, rows: numpy.ndarray) -> numpy.ndarray:
        return _per_piece(tables, size, tokens, lengths, ends, rows)

    everything = numpy.arange(count)
    like_corpus = nats(model(halves[0]), everything)
    like_corpus[halves[0]] = nats(model(halves[1]), halves[0])
    difference: numpy.ndarray = nats(estimate(*sample, order, size, (PAD, BOS)), everything) - like_corpus
    return difference


def _per_piece(tables: Tables, size: int, tokens: numpy.ndarray, lengths: numpy.ndarray, ends: numpy.ndarray, rows: numpy.ndarray) -> numpy.ndarray:
    """Cross-entropy of some sentences, in nats per piece, EOS among them."""
    found = [numpy.zeros(0)]
    for first in range(0, len(rows), ROWS):
        some = rows[first : first + ROWS]
        if some[-1] - some[0] == len(some) - 1:  # all of them, one after the other
            part = tokens[ends[some[0]] - lengths[some[0]] : ends[some[-1]]]
        else:
            part = numpy.concatenate([tokens[ends[row] - lengths[row] : ends[row]] for row in some.tolist()])
        starts = lengths[some].cumsum() - lengths[some]
        found.append(-numpy.add.reduceat(log_probabilities(tables, part, lengths[some], size), starts) / (lengths[some] - 1))
    return numpy.concatenate(found)
