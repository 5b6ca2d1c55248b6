"""Translates one field of each record of a file: takes it out, and puts the translation in its place."""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from translate.text.records import Line
from translate.translation.parts import mean_confidence, mean_coverage, moved

if TYPE_CHECKING:
    from translate.translation.alignment import Link
    from translate.translation.pieces import Translation


class Assembly:
    """Takes the texts out of `lines` and puts their translations back; both are streams.

    lines: the whole file. done: lines that are already written. texts_done: texts in those lines.
    """

    def __init__(self, lines: Iterable[Line], done: int, texts_done: int) -> None:
        self.lines, self.done, self.texts_done = lines, done, texts_done
        self.waiting: deque[tuple[int, Line, int]] = deque()

    def texts(self) -> Iterator[str]:
        """The texts to translate; an empty one for a line without text."""
        for number, line in enumerate(self.lines, 1):
            texts = line.texts or [""]
            if number > self.done:
                self.waiting.append((number, line, len(texts)))
            yield from texts

    def assembled(self, results: Iterable[Translation]) -> Iterator[tuple[Translation, str]]:
        """For each line after the first `done`: its result, and the line with the translation filled in."""
        new = (result for result in results if result.number > self.texts_done)
        for first in new:
            number, line, count = self.waiting.popleft()
            group = [first, *itertools.islice(new, count - 1)]
            yield _joined(group, line, number), line.filled([result.text for result in group])


def _joined(group: list[Translation], line: Line, number: int) -> Translation:
    """One result for the lines of a field. `spans` refer to the whole field; `pieces` is above 1 only if one of the lines was split."""
    if len(group) == 1:
        return dataclasses.replace(group[0], number=number)
    offsets, position = [], 0
    for index, part in enumerate(line.parts):
        if index % 2 == 0 and part:
            offsets.append(position)
        position += len(part)
    translations = iter(group)
    text = line.joined([next(translations).text if part else "" for part in line.parts[::2]])
    score, parts = sum(result.score for result in group), [moved(part, offset) for offset, result in zip(offsets, group) for part in result.parts]
    return dataclasses.replace(
        group[0], source="".join(line.parts), text=text, score=score, alternatives=[(text, score)],
        pieces=1 if all(result.pieces == 1 for result in group) else sum(result.pieces for result in group),
        cut=any(result.cut for result in group),
        number=number,
        spans=tuple(part.span for part in parts),
        tokens_in=sum(result.tokens_in for result in group),
        tokens_out=sum(result.tokens_out for result in group),
        looped=any(result.looped for result in group),
        split=any(result.split for result in group),
        passed=tuple((begin + offset, end + offset, why) for offset, result in zip(offsets, group) for begin, end, why in result.passed),
        alignment=None if group[0].alignment is None else tuple(_moved_links(group, line)),
        confidence=mean_confidence(parts),
        coverage=mean_coverage(parts),
        parts=tuple(parts),
    )  # fmt: skip


def _moved_links(group: list[Translation], line: Line) -> Iterator[Link]:
    """The linked words of the lines of a field, with their places in the whole field and in its translation."""
    source = output = 0
    translations = iter(group)
    for index, part in enumerate(line.parts):
        text = part
        if index % 2 == 0 and part:
            result = next(translations)
            text = result.text
            for (begin, end), (first, last) in result.alignment or ():
                yield (begin + source, end + source), (first + output, last + output)
        source, output = source + len(part), output + len(text)
