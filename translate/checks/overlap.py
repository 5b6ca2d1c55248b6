"""Sentences of the validation and test sets that are also in the training data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

from translate.checks.finding import EXAMPLES, Finding
from translate.data.corpus import Table
from translate.data.pairs import Pairs
from translate.data.rows import ROWS, Pair

# zero-width spaces, soft hyphens and quotes: removed before comparing
QUOTES = re.compile("[\"'`\u00b4\u201e\u201c\u201d\u201a\u2018\u2019\u00ab\u00bb\u2039\u203a\u00ad\u200b-\u200f\u2060\ufeff]+")
END_MARKS = " .!?\u2026\u3002\uff01\uff1f"
MANY = 0.01  # share of the sentences of one language
EMPTY = ("", ("", ""))  # keys of a text and of a pair
Item = TypeVar("Item", bound=Hashable)  # a text or a pair


def overlaps(
    held_out: dict[str, list[Pair]], tables: Sequence[Table], limit: int, text: str = "training", hint: str = "remove them from the training data"
) -> Iterator[Finding]:
    """A finding per held-out set: how many of its sources, targets and pairs are among the first `limit` training pairs, which are read once.

    text: what the tables are, for messages; hint: what to do about pairs that are in both.
    """
    pairs = [pair for pairs in held_out.values() for pair in pairs]
    sources = _Seen((source for source, _ in pairs), near_key)
    targets = _Seen((target for _, target in pairs), near_key)
    both = _Seen(pairs, _near_pair)
    for _, source_texts, target_texts in islice(Pairs(tables).batches(), -(-limit // ROWS)):
        near_sources, near_targets = list(map(near_key, source_texts)), list(map(near_key, target_texts))
        sources.mark(source_texts, near_sources)
        targets.mark(target_texts, near_targets)
        both.mark(zip(source_texts, target_texts), zip(near_sources, near_targets))
    size = sum(map(len, tables))
    texts = all(pairs_or_sentences(pairs) == "sentences" for pairs in held_out.values())
    where = text if limit >= size else f"the first {limit:,} of {size:,} training {'sentences' if texts else 'pairs'}"
    for name, pairs in held_out.items():
        if pairs_or_sentences(pairs) == "sentences":
            side = 0 if any(source for source, _ in pairs) else 1
            yield _of_texts(name, [pair[side] for pair in pairs], (sources, targets)[side], where, hint)
            continue
        lines = [sources.lines([source for source, _ in pairs]), targets.lines([target for _, target in pairs]), both.lines(pairs)]
        exact, near = [numbers for numbers, _ in lines], [numbers for _, numbers in lines]
        found = "{:,} sources, {:,} targets and {:,} pairs".format(*map(len, exact)) + f" of {len(pairs):,} are also in {where}{_where(exact)}"
        if any(near):
            found += "; ignoring white space, case, quotes and end marks, {:,}, {:,} and {:,} more".format(*map(len, near)) + _where(near)
        if exact[2] or near[2]:
            yield Finding("warning", name, found, hint)
        else:
            yield Finding("note" if any(exact) or any(near) else "ok", name, found)


def _of_texts(name: str, texts: list[str], seen: _Seen[str], where: str, hint: str) -> Finding:
    """The finding for a set of one language."""
    exact, near = seen.lines(texts)
    text = f"{len(exact):,} of {len(texts):,} sentences are also in {where}"
    if near:
        text += f"; ignoring white space, case, quotes and end marks, {len(near):,} more"
    if first := exact or near:
        listed = ", ".join(map(str, first[:EXAMPLES])) + (", ..." if len(first) > EXAMPLES else "")
        severity = "warning" if len(exact) + len(near) > MANY * len(texts) else "note"  # some sentences are said again and again
        return Finding(severity, name, f"{text} (line {listed})", hint)
    return Finding("ok", name, text)


def pairs_or_sentences(pairs: Sequence[Pair]) -> str:
    """What a set consists of: in text of one language, one side is always empty."""
    return "pairs" if any(source and target for source, target in pairs) else "sentences"


def near_key(text: str) -> str:
    """Equal for texts that differ only in white space, case, quotes or end marks."""
    return " ".join(QUOTES.sub("", unicodedata.normalize("NFKC", text).casefold()).split()).rstrip(END_MARKS)


def _near_pair(pair: Pair) -> Pair:
    return near_key(pair[0]), near_key(pair[1])


class _Seen(Generic[Item]):
    """Which texts, or pairs, occur in the training data: exactly, or with the same key."""

    def __init__(self, items: Iterable[Item], key: Callable[[Item], Item]) -> None:
        self.key = key
        self.exact = dict.fromkeys(items, False)
        self.near = dict.fromkeys(map(key, self.exact), False)

    def mark(self, items: Iterable[Item], keys: Iterable[Item]) -> None:
        """Note that the training data has these items, with these keys."""
        for item in self.exact.keys() & set(items):
            self.exact[item] = True
        for key in self.near.keys() & set(keys):
            self.near[key] = True

    def lines(self, items: Sequence[Item]) -> tuple[list[int], list[int]]:
        """Numbers, from 1, of the items that were seen exactly, and of the others that were seen with the same key."""
        exact = [number for number, item in enumerate(items, 1) if self.exact[item]]
        others = [(number, self.key(item)) for number, item in enumerate(items, 1) if not self.exact[item]]
        return exact, [number for number, key in others if key not in EMPTY and self.near[key]]


def _where(lines: Sequence[list[int]]) -> str:
    """The first lines of the pairs, or of the sources if there are no pairs."""
    numbers = lines[2] or lines[0]
    if not numbers:
        return ""
    listed = ", ".join(map(str, numbers[:EXAMPLES])) + (", ..." if len(numbers) > EXAMPLES else "")
    return f" ({'pairs' if lines[2] else 'sources'}: line {listed})"
