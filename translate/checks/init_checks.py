"""Checks of a run that starts from another: whether its pieces suit the new text, and what its training text and test sets have to do with the new.

The other run is known by its config.yaml alone, which names its corpora: one that is not there any more can't be compared.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Iterator, Sequence

from translate.checks.finding import Finding
from translate.checks.overlap import overlaps
from translate.config import Config, CorpusConfig, DataConfig, TokenizerConfig
from translate.data.corpora import find_corpus
from translate.data.corpus import Table
from translate.data.pairs import Pairs, load_pairs
from translate.data.rows import Pair
from translate.data.sides import sides_of
from translate.errors import UserError
from translate.tokenizer import UNK, Tokenizer, train_tokenizer

BYTE = re.compile("<0x[0-9A-F]{2}>")  # a piece that stands for a byte
COMPARED = 6_000  # pairs, at most: half of them train pieces, which the others are cut into
PIECES, FEWEST = 8_000, 500  # of that tokenizer: at most, and at least
# Times the tokens of pieces of its own. German and English text of 15 kinds (captions, news, parliament, help, chat, games, interfaces) has 0.96 to
# 1.67 with pieces of everyday sentences (8,000) or of captions (4,000). German news and captions with pieces of English captions have 1.88 and 2.33,
# the other way round 1.91 and 2.06; all capitals 3.0 to 3.5, another alphabet 5.4.
FRAGMENTED = 1.8
BYTES = 0.02  # share of the tokens; in that text 0.9% at most


def check_pieces(config: Config, other: Config, tokenizer: Tokenizer, whose: str, hint: str) -> Iterator[Finding]:
    """How much longer the new text is in the pieces of the other run than in pieces of its own. None for a text that is too small to tell.

    New are the training corpora that the other run hasn't.
    """
    pairs = _new_pairs(config, other)
    half, others = pairs[::2], pairs[1::2]
    own = _trained(half, min(PIECES, tokenizer.target_size)) if half and others else None
    if own is None:
        return
    counts = [_tokens(each, others) for each in (tokenizer, own)]
    times, bytes_ = counts[0][0] / max(1, counts[1][0]), counts[0][1] / max(1, counts[0][0])
    text = f"in the {tokenizer.target_size:,} pieces of {whose} this text has {times:.2f} times the tokens of its own pieces; {bytes_:.1%} are bytes"
    if times > FRAGMENTED or bytes_ > BYTES:
        yield Finding("warning", "vocabulary", text, hint)
    else:
        yield Finding("ok", "vocabulary", text)


def _new_pairs(config: Config, other: Config) -> list[Pair]:
    """COMPARED pairs at most, evenly spread over the corpora."""
    sides, data, theirs = sides_of(config.model), config.data, dataclasses.replace(other.data, cache=config.data.cache)
    known = {_key(corpus, theirs, sides) for corpus in theirs.train}
    tables = [table for corpus in data.train if _key(corpus, data, sides) not in known and (table := _table(corpus, data, sides)) is not None]
    step = max(1, sum(map(len, tables)) // COMPARED)
    return list(Pairs([table.select(range(0, len(table), step)) for table in tables]))[:COMPARED]


def _trained(pairs: Sequence[Pair], pieces: int) -> Tokenizer | None:
    """A tokenizer for both sides, of fewer pieces if the text hasn't so many."""
    while pieces >= FEWEST:
        with tempfile.TemporaryDirectory(prefix="translate-") as folder:
            try:
                return train_tokenizer(pairs, TokenizerConfig(vocabulary=pieces), folder)
            except UserError:
                pieces //= 2
    return None


def _tokens(tokenizer: Tokenizer, pairs: Sequence[Pair]) -> tuple[int, int]:
    """The number of tokens, and how many of them are bytes or unknown."""
    total = unknown = 0
    for side, encode, pieces in ((0, tokenizer.encode_source, tokenizer.source_pieces()), (1, tokenizer.encode_target, tokenizer.target_pieces())):
        unseen = {index for index, piece in enumerate(pieces) if index == UNK or BYTE.fullmatch(piece)}
        for ids in encode([pair[side] for pair in pairs if pair[side]]):
            total += len(ids)
            unknown += sum(number in unseen for number in ids)
    return total, unknown


def check_texts(config: Config, other: Config, whose: str) -> Iterator[Finding]:
    """Test sets that the other run was trained on; and, where one is of that run's text, whether it is mixed in against forgetting."""
    sides, data = sides_of(config.model), config.data
    theirs = dataclasses.replace(other.data, cache=data.cache)
    held_out = {name: pairs for name, corpus in data.test.items() if (pairs := _pairs(corpus, data, sides))}
    ours = {_key(corpus, data, sides) for corpus in data.train}
    trained, missing, mixed = list[Table](), 0, False
    for corpus in theirs.train:
        key = _key(corpus, theirs, sides)
        mixed = mixed or (key is not None and key in ours)
        if key is None or key not in ours:  # what both have is compared as this run's text
            table = _table(corpus, theirs, sides)
            trained += [] if table is None else [table]
            missing += table is None
    if held_out and trained:
        yield from overlaps(held_out, trained, sum(map(len, trained)), f"the training text of {whose}", "its scores are too good: test on other text")
    if missing:
        text = f"{missing} of {len(theirs.train)} training corpora of {whose} can't be read here, so test sets are not compared with it"
        yield Finding("note", "init", text)
    if theirs.train and not mixed:
        yield from _forgetting(held_out, theirs, sides, whose)


def _forgetting(held_out: dict[str, list[Pair]], theirs: DataConfig, sides: str, whose: str) -> Iterator[Finding]:
    """Advice for each test set that is mostly one of the other run's, if its training text is not mixed in."""
    old = {pair for corpus in (*theirs.validation, *theirs.test.values()) for pair in _pairs(corpus, theirs, sides)}
    for name, pairs in held_out.items():
        if sum(pair in old for pair in pairs) * 2 > len(pairs):
            text = f"it is of the text of {whose}, none of which is in data.train: what isn't read again is forgotten"
            yield Finding("note", name, text, "mix some of it in, such as a corpus with weight: 0.1")


def _key(corpus: CorpusConfig, data: DataConfig, sides: str) -> str | None:
    """Equal for corpora of the same content, whichever of their lines are taken; None for one that can't be read here."""
    if _remote(corpus, data):
        return f"{corpus.path} {corpus.config} {corpus.split}"
    try:
        return find_corpus(dataclasses.replace(corpus, lines=None), data, sides).key
    except UserError:
        return None


def _table(corpus: CorpusConfig, data: DataConfig, sides: str) -> Table | None:
    try:
        return None if _remote(corpus, data) else find_corpus(corpus, data, sides).read().table
    except UserError:
        return None


def _pairs(corpus: CorpusConfig, data: DataConfig, sides: str) -> list[Pair]:
    try:
        return [] if _remote(corpus, data) else load_pairs([corpus], data, sides)
    except UserError:  # of this run: data_checks.py reports it
        return []


def _remote(corpus: CorpusConfig, data: DataConfig) -> bool:
    """Nothing is downloaded only to be compared."""
    return corpus.kind == "hub" and not (data.folder and corpus.files)
