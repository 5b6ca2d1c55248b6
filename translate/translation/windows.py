"""Checks that the caller's lines are text, and reads them in windows, so that lines of similar length can share a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral
from typing import Any

from translate.errors import UserError
from translate.values import short_repr

WINDOW_LINES = 2048  # read ahead
WINDOW_CHARACTERS = 1_000_000  # a window of long lines ends here
FIRST_WINDOW = 128  # lines, for early output
GROWTH = 4  # each window is so many times as large as the one before: what few lines of each are searched for again costs it a small batch


def texts(lines: Iterable[str], first: int = 0, name: str = "lines") -> Iterator[str]:
    """`lines` as plain str. first: number of the first one in the input, from 0. name: used in messages.

    UserError at once if `lines` is not a sequence of lines, such as a single string or a table; for an element that is not text, when reached.
    """
    if isinstance(lines, (str, bytes, bytearray)):
        raise UserError(f"{name} is one string, {_quoted(lines)}: give a list of lines, such as [line]")
    if isinstance(lines, Mapping) or getattr(lines, "ndim", 1) != 1:  # iterating would give keys or column names
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
        raise UserError(f"{name} is {_quoted(element)}: it must be text{hint}")
    try:
        element.encode()
    except UnicodeEncodeError as error:
        code, place = ord(element[error.start]), error.start + 1
        raise UserError(f"{name} has a lone surrogate, U+{code:04X}, at character {place}: not valid Unicode; decode the text again") from None
    return str.__str__(element)  # also for subclasses, such as numpy's


def _quoted(value: Any) -> str:
    return " ".join(short_repr(value).split())  # the repr of arrays and tables has several lines


def windows(lines: Iterable[str], window: int, done: int = 0, smallest: int = FIRST_WINDOW) -> Iterator[tuple[int, list[str]]]:
    """The number of the first line (from 0) and the lines of each window, except windows within the first `done` lines.

    They grow from `smallest` to `window` lines.

    UserError as from `texts`. If raised while reading lines, also by the caller's iterator, it comes after the lines before it.
    """
    if not isinstance(window, Integral) or isinstance(window, bool) or window < 1:
        raise UserError(f"window is {_quoted(window)}: it must be a whole number, at least 1")
    return _windows(texts(lines), window, done, min(window, smallest))


def _windows(lines: Iterator[str], window: int, done: int, size: int) -> Iterator[tuple[int, list[str]]]:
    first = 0
    input_error: UserError | None = None
    while input_error is None:
        ahead: list[str] = []
        characters = 0
        try:
            while len(ahead) < size and characters < WINDOW_CHARACTERS and (line := next(lines, None)) is not None:
                ahead.append(line)
                characters += len(line)
        except UserError as error:
            input_error = error
        if not ahead:
            break
        if first + len(ahead) > done:
            yield first, ahead
        first += len(ahead)
        size = min(window, GROWTH * size)
    if input_error is not None:
        raise input_error
