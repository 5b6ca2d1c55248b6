"""The caller's lines: each one checked to be text, and read ahead in windows, so that lines of similar length can share a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral
from typing import Any

from translate.errors import UserError
from translate.values import short_repr

WINDOW_LINES = 2048  # read ahead
WINDOW_CHARACTERS = 1_000_000  # fewer lines, if they are long
FIRST_WINDOW = 128  # lines, so that the first output comes soon; each further window is twice as large


def texts(lines: Iterable[str], first: int = 0, name: str = "lines") -> Iterator[str]:
    """`lines` as plain str; the first is number `first` (from 0) of the input. name: what a message calls them.

    UserError at once where `lines` is not a sequence of lines, such as one string or a table; for an element that is not text, when it is reached.
    """
    if isinstance(lines, (str, bytes, bytearray)):
        raise UserError(f"{name} is one string, {_quoted(lines)}: give a list of lines, such as [line]")
    if isinstance(lines, Mapping) or getattr(lines, "ndim", 1) != 1:  # iterating would give its keys, or the names of its columns
        raise UserError(f"{name} is of type {type(lines).__name__}: give a list of lines, or one column of text")
    try:
        elements = iter(lines)
    except TypeError:
        raise UserError(f"{name} is {_quoted(lines)}: give a list of lines") from None
    prefix = "line" if name == "lines" else f"{name}: line"
    return (_text(element, f"{prefix} {number}") for number, element in enumerate(elements, first + 1))


def _text(element: Any, name: str) -> str:
    if not isinstance(element, str):
        hint = "; decode bytes first" if isinstance(element, (bytes, bytearray)) else ""
        raise UserError(f"{name} is {_quoted(element)}: text is needed{hint}")
    try:
        element.encode()
    except UnicodeEncodeError as error:
        code, place = ord(element[error.start]), error.start + 1
        raise UserError(f"{name} has a lone surrogate, U+{code:04X}, at character {place}: not valid Unicode; decode the text again") from None
    return str.__str__(element)  # the text of a subclass too, such as numpy's


def _quoted(value: Any) -> str:
    return " ".join(short_repr(value).split())  # arrays and tables are shown on several lines


def windows(lines: Iterable[str], window: int, done: int) -> Iterator[tuple[int, list[str]]]:
    """Each window: the number of its first line (from 0) and its lines; without those that lie within the first `done` lines.

    UserError as from `texts`. One that is raised while lines are read, here or in the caller's iterator, comes after the lines before it.
    """
    if not isinstance(window, Integral) or isinstance(window, bool) or window < 1:
        raise UserError(f"window is {_quoted(window)}: it must be at least 1, a whole number")
    return _windows(texts(lines), window, done)


def _windows(lines: Iterator[str], window: int, done: int) -> Iterator[tuple[int, list[str]]]:
    first, size = 0, min(window, FIRST_WINDOW)
    mistake: UserError | None = None
    while mistake is None:
        ahead: list[str] = []
        characters = 0
        try:
            while len(ahead) < size and characters < WINDOW_CHARACTERS and (line := next(lines, None)) is not None:
                ahead.append(line)
                characters += len(line)
        except UserError as error:
            mistake = error
        if not ahead:
            break
        if first + len(ahead) > done:
            yield first, ahead
        first += len(ahead)
        size = min(window, 2 * size)
    if mistake is not None:
        raise mistake
