"""Where in a translation something belongs that stood between two words of its source."""

from __future__ import annotations

import re
from collections.abc import Sequence

from translate.text.placeholders import SYMBOL
from translate.text.words import word_spans

Span = tuple[int, int]
Link = tuple[Span, Span]  # of words of source and output

ENDS = ".!?…:;\"'“”’»«)]"
NEXT = 1.1  # what follows an item tells its place a little better than what precedes: a number or a name stands before its noun
BEGIN = 0.5  # and what doesn't begin the source hardly ever begins the translation


class Gaps:
    """The places between the words of an output, and how well each fits a place in the source."""

    def __init__(self, source: str, output: str, links: Sequence[Link]) -> None:
        self.source, self.output = source, output
        self.source_words = _words(source)
        self.ranks = {span: rank for rank, span in enumerate(self.source_words)}
        words = _words(output)
        self.gaps = sorted({0, *(end for _, end in words)})
        self.inside = [(one, other) for one, other in links if one in self.ranks and source[one[0]].isalnum() and output[other[0]].isalnum()]
        self.links = self.inside + [link for link in (*_marks(source, output), *_symbols(source, output)) if link[0] in self.ranks]
        begins = {begin: gap for gap, (begin, _) in zip([0, *(end for _, end in words)], words)}
        self.before = {other: begins.get(other[0], other[0]) for _, other in self.links}  # the gap before each linked word

    def best(self, place: int) -> int:
        """The gap for `place` in the source: there as few words as possible change sides, near ones counting most."""
        before, after = self.source[:place], self.source[place:]
        if not any(map(str.isalnum, before)):
            opening = re.match(r"[^\w\s]*", self.output) if before.strip() else None
            return opening.end() if opening else 0
        if not any(map(str.isalnum, after)):
            text = self.output.rstrip()
            return len(text.rstrip(ENDS + ("," if after.lstrip()[0] == "," else ""))) if after.strip() else len(text)
        at = sum(end <= place for _, end in self.source_words)
        costs = dict.fromkeys(self.gaps, 0.0)
        costs[0] = BEGIN
        for one, other in self.links:
            precedes = self.ranks[one] < at
            distance = at - self.ranks[one] if precedes else self.ranks[one] - at + 1
            weight = (1.0 if precedes else NEXT) / distance**2
            side = other[1] if precedes else self.before[other]
            for gap in self.gaps:
                wrong = gap < side if precedes else gap > side
                costs[gap] += weight * (wrong + 1e-4 * abs(gap - side))  # and of equal ones the nearest
        return min(self.gaps, key=costs.__getitem__)

    def around(self, begin: int, end: int) -> Span:
        """The gaps before and after the words that stand between two places of the source."""
        found = [other for one, other in self.inside if begin <= one[0] and one[1] <= end]
        words = [word for word in self.source_words if self.source[word[0]].isalnum()]
        whole = all(begin <= word[0] and word[1] <= end for word in words)
        if whole or not found:
            first, last = self.best(begin), self.best(end)
            return min(first, last), last
        return min(self.before[other] for other in found), max(last for _, last in found)


def _words(text: str) -> list[Span]:
    """Words and marks, a symbol as one."""
    symbols = [match.span() for match in SYMBOL.finditer(text)]
    if not symbols:
        return word_spans(text)
    inside = {place for begin, end in symbols for place in range(begin, end)}
    return sorted([*(span for span in word_spans(text) if span[0] not in inside), *symbols])


def _symbols(source: str, output: str) -> list[Link]:
    """Links of symbols that stand once in both."""
    places = [{match[0]: match.span() for match in SYMBOL.finditer(text)} for text in (source, output)]
    return [(span, places[1][symbol]) for symbol, span in places[0].items() if source.count(symbol) == output.count(symbol) == 1]


def _marks(source: str, output: str) -> list[Link]:
    """Links of punctuation marks that stand equally often in both."""
    links: list[Link] = []
    for mark in ",.;:!?":
        places = [[match.start() for match in re.finditer(re.escape(mark) + r"(?!\w)", text)] for text in (source, output)]
        if len(places[0]) == len(places[1]):
            links += [((one, one + 1), (other, other + 1)) for one, other in zip(*places)]
    return links
