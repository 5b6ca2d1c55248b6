"""Training pairs with placeholder symbols at the same places of both sides, so that a model learns to pass symbols on.

A symbol stands for what is to be kept, as in text/placeholders.py. A pair gets one to three: for what both sides have alike, such as an address
or a number, in place of words that belong together, beside or around such words, at the beginning or at the end.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import numpy

from translate.config import DataConfig, TokenizerConfig
from translate.data.lexicon import Lexicon
from translate.data.rows import Pair
from translate.text.number_formats import find_numbers, write_number
from translate.text.placeholders import SYMBOLS
from translate.text.protected import find_items
from translate.text.tracked import Span

VERSION = 2  # part of cache keys: raise it whenever other symbols are put, or at other places
SEED = 1
SAMPLE = 50_000  # pairs, evenly spaced, that the lexicon is learnt from, at most
NUMBERS = 0.5  # share of the numbers that both sides have
IN_ORDER = 0.7  # share of the pairs with symbols whose source has them in order from the first, as `mask` gives them
CLOSING = re.compile(r"[\s.!?…:;\"“”»«')]*$")  # what ends a sentence, after its last word
Place: TypeAlias = "list[tuple[Span, Span]]"  # spans of source and target; each becomes one symbol, an empty one is where it is put in


def with_symbols(tokenizer: TokenizerConfig, data: DataConfig) -> TokenizerConfig:
    """`tokenizer` with the symbols among those that it never splits, if `data` is to have any."""
    if not data.placeholders or tokenizer.path:
        return tokenizer
    return dataclasses.replace(tokenizer, symbols=list(dict.fromkeys([*tokenizer.symbols, *SYMBOLS])))


class Placeholders:
    """Puts symbols into a `share` of the pairs that it is given; the same pairs in the same order give the same result.

    pairs, count: all pairs, to learn from, and how many there are.
    """

    def __init__(self, share: float, pairs: Iterable[Pair], count: int, source_language: str, target_language: str) -> None:
        self.share, self.languages = share, (source_language, target_language)
        self.lexicon = Lexicon(islice(pairs, 0, None, max(1, count // SAMPLE)))
        self.batches = 0

    def apply(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[list[str], list[str]]:
        """The next batch of pairs, some of them with symbols."""
        chosen = numpy.random.default_rng([SEED, self.batches]).random(len(sources)) < self.share
        pairs = list(zip(sources, targets))
        for row in numpy.flatnonzero(chosen).tolist():
            pairs[row] = self.teach(*pairs[row], random.Random(f"{SEED} {self.batches} {row}"))
        self.batches += 1
        return [source for source, _ in pairs], [target for _, target in pairs]

    def teach(self, source: str, target: str, chance: random.Random) -> Pair:
        """The pair with symbols in one to three places; a place around words has two symbols."""
        if any(symbol in text for symbol in SYMBOLS for text in (source, target)):
            return source, target
        in_order = chance.random() < IN_ORDER
        symbols = list(SYMBOLS) if in_order else chance.sample(SYMBOLS, len(SYMBOLS))
        wanted = chance.choice((1, 1, 2, 3))
        taken: Place = []
        for place in self._places(source, target, chance):
            if all(_is_apart(span, other) for span in place for other in taken):
                taken += place
                wanted -= 1
                if not wanted:
                    break
        if in_order:
            taken.sort()
        source_edits, target_edits = ([(pair[side], symbol) for pair, symbol in zip(taken, symbols)] for side in (0, 1))
        return _put(source, source_edits), _put(target, target_edits)

    def _places(self, source: str, target: str, chance: random.Random) -> Iterator[Place]:
        """Where symbols may stand, the surest first; then at random."""
        yield from ([pair] for pair in self._alike(source, target, chance))
        links = self.lexicon.links(source, target)
        ends = [CLOSING.search(text) for text in (source, target)]
        before, after = ([match.start() if match else 0 for match in ends], [len(source.rstrip()), len(target.rstrip())])
        for _ in range(8):
            kind = chance.random()
            if kind < 0.12:
                yield [((0, 0), (0, 0))]
            elif kind < 0.24:
                places = before if kind < 0.19 else after
                yield [((places[0], places[0]), (places[1], places[1]))]
            elif links:
                one, other = chance.choice(links)
                if kind < 0.6:
                    yield [(one, other)]
                elif kind < 0.8:
                    yield [((one[0], one[0]), (other[0], other[0])), ((one[1], one[1]), (other[1], other[1]))]
                else:
                    side = chance.choice((0, 0, 1))
                    yield [((one[side], one[side]), (other[side], other[side]))]

    def _alike(self, source: str, target: str, chance: random.Random) -> Iterator[tuple[Span, Span]]:
        """What both sides have once: items, and some of the numbers."""
        items = [{text[item.begin : item.end]: (item.begin, item.end) for item in find_items(text)} for text in (source, target)]
        for text, span in items[0].items():
            if text in items[1] and source.count(text) == target.count(text) == 1:
                yield span, items[1][text]
        numbers = {source[begin:end]: (begin, end) for begin, end in find_numbers(source)}
        found = {target[begin:end]: (begin, end) for begin, end in find_numbers(target)}
        for text, span in numbers.items():
            written = write_number(text, *self.languages)
            if written in found and source.count(text) == target.count(written) == 1 and chance.random() < NUMBERS:
                yield span, found[written]


def _is_apart(pair: tuple[Span, Span], other: tuple[Span, Span]) -> bool:
    """Whether two spans do not touch, on either side."""
    return all(one[1] < two[0] or two[1] < one[0] for one, two in zip(pair, other))


def _put(text: str, edits: Sequence[tuple[Span, str]]) -> str:
    """`text` with each symbol in place of its span, and a space between it and a word."""
    for (begin, end), symbol in sorted(edits, reverse=True):
        before, after = text[:begin], text[end:]
        left = " " if before and (before[-1].isalnum() or begin == end and before[-1] not in " (\"'„“«[") else ""
        right = " " if after and after[0].isalnum() else ""
        text = f"{before}{left}{symbol}{right}{after}"
    return text
