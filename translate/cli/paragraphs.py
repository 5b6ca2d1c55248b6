"""Numbers the translations of paragraphs by their first lines."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from translate.translation.pieces import Translation


class Numbered:
    """Takes the texts out of `paragraphs` and gives their translations the numbers of their lines; both are streams.

    paragraphs: number of the first line, and text. done: paragraphs whose translations are already written.
    """

    def __init__(self, paragraphs: Iterable[tuple[int, str]], done: int) -> None:
        self.paragraphs, self.done = paragraphs, done
        self.waiting: deque[int] = deque()

    def texts(self) -> Iterator[str]:
        for index, (number, text) in enumerate(self.paragraphs):
            if index >= self.done:
                self.waiting.append(number)
            yield text

    def numbered(self, results: Iterable[Translation]) -> Iterator[Translation]:
        """The results after the first `done` paragraphs."""
        return (dataclasses.replace(result, number=self.waiting.popleft()) for result in results if result.number > self.done)
