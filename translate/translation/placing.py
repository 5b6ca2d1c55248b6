"""Puts what was taken out of a source (items.py) into its translation: where links of words (alignment.py) say that its neighbours meet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from translate.text.placeholders import SYMBOL
from translate.text.tracked import Span
from translate.translation.alignment import Link
from translate.translation.gaps import Gaps
from translate.translation.items import Taken
from translate.translation.stand_ins import StandIn

OPENING = "([{„“»«‚‘¿¡\"'"
TEXT = re.compile(r"⟦\d⟧|([\w⟦⟧](?:[^⟦⟧]*\w)?)")  # a symbol, or words from the first to the last letter or digit


def place_items(output: str, links: Sequence[Link], taken: Sequence[Taken], source: str) -> str:
    """`output` with all that was taken, each once, and nothing else changed but spaces beside them.

    links: words of `source`, the text without the items, and of `output` that belong together.
    """
    gaps, replaced = Gaps(source, output, links), _stand_in_spans(output, links, taken)
    tree, parts = _Tree(gaps, taken, replaced), dict[int, list[int]]()  # in the output, at the end of a word: the items there
    for index, place in tree.places.items():
        parts.setdefault(len(output[:place].rstrip(" ")), []).append(index)
    edits = [(begin, end, [index]) for index, (begin, end) in replaced.items()]
    edits += [(place, -1, sorted(which, key=tree.order)) for place, which in parts.items()]
    for begin, end, indices in sorted(edits, reverse=True):  # from right to left; a replacement before what is put in front of it
        if end < 0:
            output = _put(output, begin, taken, indices)
        else:
            output = output[:begin] + taken[indices[0]].text + output[end:]
    return output


class _Tree:
    """What was taken, each with its place in the output, and the pair that it stands in."""

    def __init__(self, gaps: Gaps, taken: Sequence[Taken], replaced: Mapping[int, Span]) -> None:
        """replaced: what needs no place."""
        self.places: dict[int, int] = {}
        self.parents: dict[int, int] = {}  # the first half of the innermost pair around it, -1 for none
        self.closings = {item.opening: index for index, item in enumerate(taken) if item.role == "closing"}
        self.openings = {closing: opening for opening, closing in self.closings.items()}
        parent = -1
        for index, item in enumerate(taken):
            if index in self.openings:
                parent = self.parents[self.openings[index]]
                continue
            self.parents[index] = parent
            around = (self.places[parent], self.places[self.closings[parent]]) if parent >= 0 else None
            if index in self.closings:
                closing, parent = self.closings[index], index
                self.places[index], self.places[closing] = gaps.around(item.place, taken[closing].place, around)
            elif index not in replaced:
                self.places[index] = gaps.best(item.place, around)
        self._untangle()

    def _untangle(self) -> None:
        """Let a pair that begins within another one end with it at the latest, as where one was only guessed."""
        ends: list[int] = []
        for opening in sorted(self.closings, key=lambda index: (self.places[index], -self.places[self.closings[index]])):
            closing = self.closings[opening]
            while ends and ends[-1] <= self.places[opening]:
                ends.pop()
            if ends:
                self.places[closing] = min(self.places[closing], ends[-1])
            ends.append(self.places[closing])

    def order(self, index: int) -> tuple[int, int, int, int]:
        """Where an item belongs among those at its place, so that each pair keeps what it holds: first what ends here, last what begins here."""
        place = self.places[index]
        if index in self.openings and self.places[self.openings[index]] < place:
            return 0, -self.places[self.openings[index]], 1, -self.openings[index]
        if index in self.closings and self.places[self.closings[index]] > place:
            return 2, -self.places[self.closings[index]], 0, index
        parent = self.parents[self.openings.get(index, index)]
        while parent >= 0 and self.places[parent] == self.places[self.closings[parent]] == place:
            parent = self.parents[parent]
        if parent >= 0 and self.places[self.closings[parent]] == place:
            return 0, -self.places[parent], 0, index
        if parent >= 0 and self.places[parent] == place:
            return 2, -self.places[self.closings[parent]], 1, index
        return 1, 0, 0, index


def leaves_stand_ins(output: str, taken: Sequence[Taken]) -> bool:
    """Whether `output` has more words than there are stand-ins for them, so that one would stay."""
    counts = Counter(item.stand_in for item in taken if item.stand_in)
    return any(len(_named(output, stand_in)) > count for stand_in, count in counts.items())


def _named(output: str, stand_in: StandIn) -> list[Span]:
    """Where `output` has one of the known translations of a stand-in."""
    words = "|".join(map(re.escape, sorted(stand_in.translations, key=len, reverse=True)))
    return [match.span() for match in re.finditer(rf"(?<![\w.,])(?:{words})(?!\w|[.,]\d)", output, re.IGNORECASE)] if words else []


def _stand_in_spans(output: str, links: Sequence[Link], taken: Sequence[Taken]) -> dict[int, Span]:
    """Where the translations of stand-ins are: the words that are known to be, as many as there are stand-ins; else what is linked."""
    found: dict[int, Span] = {}
    groups: dict[StandIn, list[int]] = {}
    for index, item in enumerate(taken):
        if item.stand_in:
            groups.setdefault(item.stand_in, []).append(index)
    named: dict[StandIn, list[Span]] = {}
    for stand_in, indices in groups.items():
        named[stand_in] = _named(output, stand_in)
        if len(named[stand_in]) == len(indices):
            found |= dict(zip(indices, named[stand_in]))
    outputs: dict[Span, list[Span]] = {}
    for one, other in links:
        outputs.setdefault(one, []).append(other)
    for index in sorted({index for indices in groups.values() for index in indices} - set(found)):
        own, begin = taken[index].stand_in, taken[index].place
        assert own
        linked = [other for other in outputs.get((begin, begin + len(own.word)), ()) if output[other[0]].isalnum()]
        for span in [span for span in linked if span in named[own]] or linked:
            if all(span[1] <= first or last <= span[0] for first, last in found.values()):
                found[index] = span
                break
    return found


def tail(text: str) -> str:
    """Symbols, marks and spaces at the end of `text`."""
    return text[max((match.end() for match in TEXT.finditer(text) if match[1]), default=0) :]


def move_last(source: str, output: str, links: Sequence[Link]) -> str:
    """`output` with the symbols at its end, that don't end `source`, where their neighbours' translations meet.

    A search that must put symbols, and has no place for them, puts them at the end (decoding/required.py). source: as the model got it.
    """
    closing = tail(source)
    moved = [symbol for symbol in SYMBOL.findall(tail(output)) if symbol in source and symbol not in closing]
    if not moved:
        return output
    rest = output
    for symbol in moved:
        begin = rest.rindex(symbol)
        before, after = rest[:begin].rstrip(" "), rest[begin + len(symbol) :]
        rest = f"{before} {after}" if before and SYMBOL.match(after) else before + after
    taken = [Taken(symbol, source.index(symbol), "", False, False) for symbol in sorted(moved, key=source.index)]
    return place_items(rest, [link for link in links if link[1][1] <= len(rest)], taken, source)


def _put(text: str, place: int, taken: Sequence[Taken], indices: Sequence[int]) -> str:
    """`text` with items at `place`, where no space precedes, and spaces beside them as their neighbours need."""
    before, after = text[:place], text[place:].lstrip(" ")
    space = text[place : len(text) - len(after)]
    first, last = taken[indices[0]], taken[indices[-1]]
    if first.kind == "dash":  # which a comma has taken the place of
        before, after = before.rstrip(",;:"), after.lstrip(",;:").lstrip(" ")
        space = " "
    put = first.text
    for index, following in zip(indices, indices[1:]):
        one, other = taken[index], taken[following]
        touch = (other.joined and following == index + 1) or one.role == "opening" or other.role == "closing"
        put += other.text if touch else _between(put, other.text, " ") + other.text
    left = right = space
    if first.role == "opening" and not first.close_before:
        left = " " if before and before[-1] not in OPENING + " " else ""
    elif first.close_before or not before or before[-1] == first.before:
        left = ""
    elif not space and (before[-1].isalnum() or before[-1] not in OPENING):
        left = " "
    if last.close_after or not after or after[0] == last.after:
        right = ""
    elif not space and (after[0].isalnum() or after[0] in "([{„“«‚<" or (last.after == " " and after[0] in "\"'-–—")):
        right = " "
    return f"{before}{left and _between(before, put, left)}{put}{right and _between(put, after, right)}{after}"


def _between(text: str, next_text: str, space: str) -> str:
    """The space between two texts, with a comma between two numbers: 800 and 600 are not 800 600."""
    return f",{space}" if text[-1].isdecimal() and next_text[0].isdecimal() else space
