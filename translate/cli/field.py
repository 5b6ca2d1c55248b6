"""Between a file of records and a translator of texts: one field of each record goes out, its translation comes back to its place."""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from translate.text.records import Line

if TYPE_CHECKING:
    from translate.translation.pieces import Translation


class Assembly:
    """Takes the texts out of `lines` and puts their translations back, while both go on.

    lines: all of the file. done: how many of them are written already; texts_done: how many texts those held.
    """

    def __init__(self, lines: Iterable[Line], done: int, texts_done: int) -> None:
        self.lines, self.done, self.texts_done = lines, done, texts_done
        self.waiting: deque[tuple[int, Line, int]] = deque()

    def texts(self) -> Iterator[str]:
        """For the translator: the texts of each line, a blank one for a line that has none."""
        for number, line in enumerate(self.lines, 1):
            texts = line.texts or [""]
            if number > self.done:
                self.waiting.append((number, line, len(texts)))
            yield from texts

    def assembled(self, results: Iterable[Translation]) -> Iterator[tuple[Translation, str]]:
        """What became of each line after those `done`, as one result, and the line with the translation in its place."""
        new = (result for result in results if result.number > self.texts_done)
        for first in new:
            number, line, count = self.waiting.popleft()
            group = [first, *itertools.islice(new, count - 1)]
            yield _joined(group, line, number), line.filled([result.text for result in group])


def _joined(group: list[Translation], line: Line, number: int) -> Translation:
    """One result of the lines of a field; `spans` are places in the whole field, and it counts as in pieces only where one of its lines is."""
    if len(group) == 1:
        return dataclasses.replace(group[0], number=number)
    offsets, place = [], 0
    for at, part in enumerate(line.parts):
        if at % 2 == 0 and part:
            offsets.append(place)
        place += len(part)
    translations = iter(group)
    text = line.joined([next(translations).text if part else "" for part in line.parts[::2]])
    score = sum(result.score for result in group)
    return dataclasses.replace(
        group[0], source="".join(line.parts), text=text, score=score, alternatives=[(text, score)],
        pieces=1 if all(result.pieces == 1 for result in group) else sum(result.pieces for result in group),
        cut=any(result.cut for result in group),
        number=number,
        spans=tuple((begin + offset, end + offset) for offset, result in zip(offsets, group) for begin, end in result.spans),
        tokens_in=sum(result.tokens_in for result in group),
        tokens_out=sum(result.tokens_out for result in group),
        looped=any(result.looped for result in group),
    )  # fmt: skip
