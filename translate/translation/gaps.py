"""Where in a translation something belongs that stood between two words of its source."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

import numpy

from translate.text.placeholders import SYMBOL
from translate.text.tracked import Span
from translate.text.words import word_spans
from translate.translation.alignment import Link

ENDS = ".!?…:;\"'“”’»«)]"
NEXT = 1.1  # what follows an item tells its place a little better than what precedes: a number or a name stands before its noun
WHOLE = re.compile(rf"{SYMBOL.pattern}|&#?\w+;")
FAR = 100  # words; what is farther away tells nothing
BEGIN = 0.5  # and what doesn't begin the source hardly ever begins the translation


class Gaps:
    """The places between the words of an output, and how well each fits a place in the source."""

    def __init__(self, source: str, output: str, links: Sequence[Link]) -> None:
        self.source, self.output = source, output
        self.source_words, words = _words(source), _words(output)
        self.source_begins, self.source_ends = [begin for begin, _ in self.source_words], [end for _, end in self.source_words]
        ends = [end for _, end in words]
        self.gaps = sorted({0, *ends})
        self.places = numpy.array(self.gaps)
        ranks = {span: rank for rank, span in enumerate(self.source_words)}
        inside = sorted((ranks[one], other) for one, other in links if one in ranks and source[one[0]].isalnum() and output[other[0]].isalnum())
        self.inside_ranks = numpy.array([rank for rank, _ in inside], dtype=numpy.int64)
        self.inside_words = numpy.array([bisect.bisect_right(ends, other[0]) for _, other in inside], dtype=numpy.int64)
        self.linked = numpy.minimum(numpy.bincount(self.inside_words, minlength=len(words)), 1)
        letters = [rank for rank, begin in enumerate(self.source_begins) if source[begin].isalnum()]
        self.letters = (letters[0], letters[-1]) if letters else (0, -1)
        places = [place for place, character in enumerate(source) if character.isalnum()]
        self.first_letter, self.last_letter = (places[0], places[-1]) if places else (len(source), -1)
        marks = [(ranks[one], other) for one, other in (*_marks(source, output), *_symbols(source, output)) if one in ranks]
        linked = sorted(inside + marks)
        begins = {begin: gap for gap, (begin, _) in zip([0, *ends], words)}  # the gap before each word
        self.link_ranks = numpy.array([rank for rank, _ in linked], dtype=numpy.int64)
        self.lasts = numpy.array([end for _, (_, end) in linked], dtype=numpy.int64)
        self.firsts = numpy.array([begins.get(begin, begin) for _, (begin, _) in linked], dtype=numpy.int64)

    def best(self, place: int, among: Span | None = None) -> int:
        """The gap for `place` in the source: there as few words as possible change sides, near ones counting most. among: the first and the last."""
        if among is not None:
            return self._nearest(place, bisect.bisect_left(self.gaps, among[0]), bisect.bisect_right(self.gaps, among[1]))
        if place <= self.first_letter:
            opening = re.match(r"[^\w\s]*", self.output) if self.source[:place].strip() else None
            return opening.end() if opening else 0
        if place > self.last_letter:
            text, after = self.output.rstrip(), self.source[place:]
            return len(text.rstrip(ENDS + ("," if after.lstrip()[0] == "," else ""))) if after.strip() else len(text)
        return self._nearest(place, 0, len(self.gaps))

    def _nearest(self, place: int, begin: int, end: int) -> int:
        """The best of the gaps from number `begin` up to `end`."""
        at = bisect.bisect_right(self.source_ends, place)
        links = slice(*numpy.searchsorted(self.link_ranks, (at - FAR, at + FAR))) if len(self.gaps) > 2 * FAR else slice(None)
        ranks, lasts, firsts = self.link_ranks[links], self.lasts[links], self.firsts[links]
        precedes = ranks < at
        distances = numpy.where(precedes, at - ranks, ranks - at + 1)
        weights = numpy.where(precedes, 1.0, NEXT) / distances**2
        sides = numpy.where(precedes, lasts, firsts)
        if len(self.gaps) > 2 * FAR and len(sides):  # no other place is as good as one of these
            near = numpy.searchsorted(self.places, (sides.min(), sides.max()))
            begin, end = max(begin, int(near[0]) - 1), min(end, int(near[1]) + 2)
        costs = self._costs(self.places[begin : max(end, begin + 1)], precedes, weights, sides)
        costs[0] += 0 if begin else BEGIN
        return self.gaps[begin + int(numpy.argmin(costs.round(12)))]  # the first of equal ones

    def _costs(self, places: numpy.ndarray, precedes: numpy.ndarray, weights: numpy.ndarray, sides: numpy.ndarray) -> numpy.ndarray:
        """Of each of the gaps `places`: the weights of the words on the wrong side of it, and 1e-4 times their distances.

        By running sums, in time proportional to links and gaps: a line may have thousands of both.
        """

        def up_to(values: numpy.ndarray, first: numpy.ndarray) -> numpy.ndarray:
            """The sum of the `values` whose first gap is this one or an earlier one."""
            return numpy.cumsum(numpy.bincount(first, values, len(places) + 1))[:-1]

        first = numpy.searchsorted(places, sides)  # the first gap at or behind each word's side
        behind = numpy.searchsorted(places, sides, "right")
        preceding, following = weights * precedes, weights * ~precedes
        costs: numpy.ndarray = preceding.sum() - up_to(preceding, first) + up_to(following, behind)
        distances = places * (2 * up_to(weights, first) - weights.sum()) + (weights * sides).sum() - 2 * up_to(weights * sides, first)
        costs += 1e-4 * distances
        return costs

    def around(self, begin: int, end: int, among: Span | None = None) -> Span:
        """The gaps before and after the words that stand between two places of the source. among: from the first to the last, as for `best`.

        Of all stretches of the output the one that has the most words linked with those, less the ones that are linked with others only: what
        went astray alone moves no end. Stretches of two pairs overlap only where one is within the other. Where nothing is linked, as many words
        as in the source, but none beyond a comma.
        """
        low, high = bisect.bisect_left(self.source_begins, begin), bisect.bisect_right(self.source_ends, end)
        inside = self.inside_words[slice(*numpy.searchsorted(self.inside_ranks, (low, high)))]
        if low <= self.letters[0] and high > self.letters[1]:
            first, last = self.best(begin), self.best(end)
            return min(first, last), last
        if not len(inside):
            return self._unlinked(begin, high - low, among)
        begin, end = int(inside.min()), int(inside.max()) + 1
        scores = -self.linked[begin:end]
        scores[inside - begin] = 1
        sums = numpy.concatenate([[0], numpy.cumsum(scores)])
        least = numpy.minimum.accumulate(sums)
        stop = int(numpy.argmax(sums - least))  # the first, and so the shortest, of equal ones
        start = int(numpy.flatnonzero(sums[:stop] == least[stop])[-1])
        return self.gaps[begin + start], self.gaps[begin + stop]

    def _unlinked(self, begin: int, count: int, among: Span | None) -> Span:
        """The gaps around `count` words where those are likeliest that begin at a place of the source and are linked with none."""
        low, high = (bisect.bisect_left(self.gaps, among[0]), bisect.bisect_right(self.gaps, among[1]) - 1) if among else (0, len(self.gaps) - 1)
        first = last = bisect.bisect_left(self.gaps, self.best(begin, among))
        while last < high and last - first < count and self._is_word(last):
            last += 1
        while first > low and last - first < count and self._is_word(first - 1):
            first -= 1
        return self.gaps[first], self.gaps[last]

    def _is_word(self, number: int) -> bool:
        """Whether it is a word, and no mark, that stands behind gap `number`."""
        return self.output[self.gaps[number] : self.gaps[number + 1]].strip()[:1].isalnum()


def _words(text: str) -> list[Span]:
    """Words and marks, a symbol or an entity as one."""
    symbols = [match.span() for match in WHOLE.finditer(text)]
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
