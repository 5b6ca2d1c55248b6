"""Pairs from JSON, one object per line or one array of objects, read as a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from translate.data.rows import Pair, Skipped, one_line, text_block
from translate.errors import UserError
from translate.text.lines import read_lines
from translate.values import short_repr

NOT_SPACE = re.compile(r"[^ \t\n\r]")
BLOCK = 1 << 16  # characters of an array read at once
LONGEST = 1 << 24  # characters of one of its elements


def json_rows(path: str, columns: Sequence[str], skipped: Skipped) -> Iterator[Pair]:
    """Texts under two keys (`translation.de` is nested) of JSON objects: one per line, or all in one array.

    A missing key is also looked up in `translation`. Blank lines are skipped.
    """
    first = next((line for line in read_lines(path) if line.strip()), "")
    values = _array(path) if first.lstrip().startswith("[") else _values(path)
    for number, row in values:
        where = f"{path}, line {number:,}"
        if not isinstance(row, dict):
            raise UserError(f"{where}: must be a JSON object, not {short_repr(row)}")
        missing = next((column for column in columns if _lookup(row, column) is row), None)
        if missing is None:
            source, target = (_text(_lookup(row, column), column, where) for column in columns)
            yield source, target
        else:
            known = ", ".join(row)[:200] or "an empty object"
            skipped.add(number, f"there is no {missing!r}, only {known}: set the corpus's `source` and `target`")


def _values(path: str) -> Iterator[tuple[int, Any]]:
    """The value of each line, with its number."""
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:  # RecursionError: thousands of open brackets
                raise UserError(f"{path}, line {number:,}: not valid JSON: {error}") from None


def _array(path: str) -> Iterator[tuple[int, Any]]:
    """The elements of a JSON array, each with the line it starts on."""
    reader = _ArrayReader(path)
    reader.expect("[")
    if reader.peek() != "]":
        while True:
            reader.peek()
            yield reader.line, reader.value()
            if reader.peek() == "]":
                break
            reader.expect(",")
    reader.expect("]")
    if reader.peek():
        raise reader.error("extra text after the array")


class _ArrayReader:
    """Reads JSON text in blocks of lines; holds at most one element and one block. line: number of the current line."""

    def __init__(self, path: str) -> None:
        self.path, self.lines, self.decoder = path, read_lines(path), json.JSONDecoder()
        self.text, self.position, self.line = "", 0, 1

    def read_more(self) -> bool:
        """Append another block, or return False at the end.

        Doubles the text in memory: an unfinished element is parsed again from its start, and doubling keeps the total cost linear.
        """
        rest = self.text[self.position :]
        block = text_block(self.lines, max(BLOCK, len(rest)))
        self.text, self.position = rest + block, 0
        return bool(block)

    def advance(self, end: int) -> None:
        self.line += self.text.count("\n", self.position, end)
        self.position = end

    def peek(self) -> str:
        """The next non-space character, without consuming it; "" at the end."""
        while True:
            match = NOT_SPACE.search(self.text, self.position)
            self.advance(match.start() if match else len(self.text))
            if match or not self.read_more():
                return self.text[self.position : self.position + 1]

    def expect(self, character: str) -> None:
        actual = self.peek()
        if actual != character:
            raise self.error(f"expected {character!r}, got {short_repr(actual) if actual else 'the end'}")
        self.advance(self.position + 1)

    def value(self) -> Any:
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.position)
            except RecursionError as error:  # thousands of open brackets
                raise self.error(str(error)) from None
            except ValueError as error:
                if len(self.text) - self.position > LONGEST or not self.read_more():
                    raise self.error(getattr(error, "msg", str(error))) from None
                continue
            self.advance(end)
            return value

    def error(self, what: str) -> UserError:
        return UserError(f"{self.path}, line {self.line:,}: not valid JSON: {what}")


def _lookup(row: dict[str, Any], column: str) -> Any:
    """The value of a key, which may be nested; `row` itself if it is missing."""
    for keys in ([column] if column in row else column.split("."), ["translation", column]):
        value: Any = row
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                break
            value = value[key]
        else:
            return value
    return row


def _text(value: Any, column: str, where: str) -> str:
    if value is not None and not isinstance(value, str):
        raise UserError(f"{where}: {column!r} must be text, not {short_repr(value)}")
    text = one_line(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{where}: {column!r} contains a lone surrogate (\\ud800 to \\udfff), which is not a character") from None
    return text
