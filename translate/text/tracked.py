"""A text derived from another one, that knows where each of its characters comes from.

Sources are normalised, recased and masked before the search. Alignments and reports are about the user's own text, so every step keeps
the places of its characters there.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

LONG = 3_000  # characters: comparing them one by one takes up to the square of their number
WORD = re.compile(r"\w+|\W")

Span = tuple[int, int]  # begin and end, in characters


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class Tracked:
    """`text`, and the span in the original text of each of its characters: character i comes from begins[i] to ends[i]."""

    text: str
    begins: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str, start: int = 0) -> Tracked:
        """An original text; start: its own place in a longer one."""
        return cls(text, range(start, start + len(text)), range(start + 1, start + len(text) + 1))

    def __len__(self) -> int:
        return len(self.text)

    def __getitem__(self, part: slice) -> Tracked:
        return Tracked(self.text[part], self.begins[part], self.ends[part])

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """The span in the original of the characters from `begin` to `end`; of an empty range, the empty span before its first character."""
        if begin < end:
            return self.begins[begin], self.ends[end - 1]
        place = self.begins[begin] if begin < len(self.begins) else self.ends[-1] if self.ends else 0
        return place, place

    def range(self, begin: int, end: int) -> tuple[int, int]:
        """The characters that come from the original's span from `begin` to `end`: the reverse of `span`. Empty if none does."""
        return bisect_right(self.ends, begin), bisect_left(self.begins, end)

    def replace(self, edits: Iterable[tuple[int, int, str]]) -> Tracked:
        """A copy with each (begin, end, new text) of `edits` applied, which are in order and don't overlap.

        Text of the same length takes the places of the old one, character by character. Otherwise every new character has the whole span
        of what it replaces.
        """
        texts, begins, ends, position = [], list[int](), list[int](), 0
        for begin, end, new in edits:
            if not position <= begin <= end <= len(self.text):
                raise ValueError(f"the edit from {begin} to {end} overlaps another one, or lies outside a text of {len(self.text)} characters")
            texts += [self.text[position:begin], new]
            begins += self.begins[position:begin]
            ends += self.ends[position:begin]
            if len(new) == end - begin:
                begins += self.begins[begin:end]
                ends += self.ends[begin:end]
            else:
                first, last = self.span(begin, end)
                begins += [first] * len(new)
                ends += [last] * len(new)
            position = end
        if not texts:
            return self
        texts.append(self.text[position:])
        return Tracked("".join(texts), [*begins, *self.begins[position:]], [*ends, *self.ends[position:]])


def changes(old: str, new: str) -> Tracked:
    """`new` as a text derived from `old`, by what the two have in common: characters, or words of long texts."""
    if old == new:
        return Tracked.of(new)
    if old.casefold() == new.casefold() and len(old) == len(new):
        return Tracked(new, range(len(new)), range(1, len(new) + 1))
    if max(len(old), len(new)) <= LONG:
        steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        return Tracked.of(old).replace((begin, end, new[first:last]) for kind, begin, end, first, last in steps if kind != "equal")
    words = WORD.findall(old), WORD.findall(new)
    places, others = ([0, *accumulate(map(len, parts))] for parts in words)
    steps = difflib.SequenceMatcher(None, *words).get_opcodes()
    return Tracked.of(old).replace(
        (places[begin], places[end], new[others[first] : others[last]]) for kind, begin, end, first, last in steps if kind != "equal"
    )
