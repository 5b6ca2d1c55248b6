"""Translates one field of each record and keeps every other byte: a column of CSV or TSV, a key of JSON lines.

Input lines keep their line ends. Each becomes a `Line`: the text to translate, and how to insert the translations. The number of lines
stays the same, even if cells contain line ends.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from translate.errors import UserError

SEPARATORS = ",;\t|"
HEAD_LINES = 200  # examined to find the separator
JSON_ESCAPES = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}  # some programs treat them as line ends
ENDS = "\r\n"


@dataclass(frozen=True)
class Line:
    """One line of the file. `parts`: the text of the field; even indices are to be translated, odd ones are the white space between."""

    before: str
    parts: tuple[str, ...] = ()
    after: str = ""
    write: Callable[[str], str] = str  # escapes the text for the file

    @property
    def texts(self) -> list[str]:
        return [part for part in self.parts[::2] if part]

    def filled(self, translations: Sequence[str]) -> str:
        """The line with `translations` in place of `texts`; unchanged if there are none."""
        if not self.parts:
            return self.before
        rest = iter(translations)
        return self.before + self.write(self.joined([next(rest) if part else "" for part in self.parts[::2]])) + self.after

    def joined(self, translations: Sequence[str]) -> str:
        """The field's text, given a translation or "" for each even index of `parts`."""
        parts = list(self.parts)
        parts[::2] = translations
        return "".join(parts)


def split_field(text: str) -> tuple[str, ...]:
    """`Line.parts` of a field: its lines, stripped, at even indices (or ""), the white space between at odd ones."""
    parts, gap = [""], ""
    for number, line in enumerate(text.split("\n")):
        gap += "\n" if number else ""
        core = line.strip()
        if core:
            begin = line.index(core)
            parts += [gap + line[:begin], core]
            gap = line[begin + len(core) :]
        else:
            gap += line
    return (*parts, gap, "")


@dataclass(frozen=True)
class Cell:
    """Position of a cell in its line, without its quotes; `closed`: it ends in this line."""

    column: int
    begin: int
    end: int
    quoted: bool
    closed: bool = True


class CsvColumn:
    """One column of a CSV or TSV file, by number from 1 or by its name in the first row."""

    def __init__(self, name: str, column: str, separator: str = "") -> None:
        """name: of the file, for messages. separator: between cells; "" = detected from the first lines. UserError for column 0."""
        if column.isdecimal() and int(column) < 1:
            raise UserError(f"--column is {column}: columns are counted from 1")
        self.name, self.column, self.separator = name, column, separator
        self.missing: list[int] = []  # lines of records without the column

    def parse(self, lines: Iterable[str]) -> Iterator[Line]:
        """UserError for an unknown column and, at the end, for an unclosed quote or if no record has the column."""
        if not self.separator:
            rest = iter(lines)
            head = list(itertools.islice(rest, HEAD_LINES))
            self.separator = find_separator(head, self.name, self.column)
            lines = itertools.chain(head, rest)
        header = not self.column.isdecimal()
        wanted = -1 if header else int(self.column) - 1
        names: list[str] = []
        self.missing, count, number, start = [], 0, 0, 1  # start: line where the current record starts
        opened: int | None = None  # column of a quoted cell that continues on the next line
        for number, line in enumerate(lines, 1):
            body = line.rstrip(ENDS)
            cells = self._cells(body, 1 if number == 1 and line.startswith("\ufeff") else 0, opened)
            start = number if opened is None else start
            opened = cells[-1].column if not cells[-1].closed else None
            if header:
                self._add_names(names, cells, body)
                if opened is None and any(name.strip() for name in names):
                    wanted, header, count = self._index(names), False, 1
                yield Line(line)
                continue
            cell = next((cell for cell in cells if cell.column == wanted), None)
            if cell is None:
                if body.strip() and opened is None and cells[-1].column < wanted:
                    self.missing.append(start)
                yield Line(line)
            else:
                count += 1
                yield self._line(line, cell)
        if opened is not None:
            raise UserError(f"{self.name}, line {start:,}: a quote is never closed")
        if number and not count:
            raise UserError(f"{self.name}: no record has column {self.column}; its separator seems to be {self.separator!r}")

    def _cells(self, body: str, position: int, opened: int | None) -> list[Cell]:
        """The cells of a line, or the parts of them in it. opened: column of a quoted cell that began on an earlier line."""
        cells: list[Cell] = []
        column, inside = (0, False) if opened is None else (opened, True)
        while True:
            begin = position
            if not inside:
                while body[begin : begin + 1] == " ":
                    begin += 1
                inside = body[begin : begin + 1] == '"'
                begin = begin + 1 if inside else position
            if inside:
                end = self._closing(body, begin)
                after = len(body) if end < 0 else end + 1 + len(body[end + 1 :]) - len(body[end + 1 :].lstrip(" "))
                if end < 0 and self.separator != "\t":
                    return [*cells, Cell(column, begin, len(body), True, closed=False)]
                inside = end >= 0 and (after == len(body) or body.startswith(self.separator, after))
                if inside:
                    cells.append(Cell(column, begin, end, True))
                    position = after
                else:  # the quote is part of the text, as in "Ja", sagte er
                    begin = position
            if not inside:
                end = body.find(self.separator, begin)
                position = len(body) if end < 0 else end
                cells.append(Cell(column, begin, position, False))
            inside = False
            if position >= len(body):
                return cells
            column, position = column + 1, position + 1

    @staticmethod
    def _closing(body: str, position: int) -> int:
        """Index of the quote that ends the cell; -1 if it is not in this line. A doubled quote stands for one."""
        while (position := body.find('"', position)) >= 0 and body.startswith('""', position):
            position += 2
        return position

    def _add_names(self, names: list[str], cells: list[Cell], body: str) -> None:
        for cell in cells:
            text = body[cell.begin : cell.end]
            if cell.column < len(names):  # continued from the line before
                names[cell.column] += "\n" + text
            else:
                names.append(text.replace('""', '"') if cell.quoted else text)

    def _index(self, names: list[str]) -> int:
        stripped = [name.strip() for name in names]
        if stripped.count(self.column.strip()) == 1:
            return stripped.index(self.column.strip())
        problem = "no column" if self.column.strip() not in stripped else "more than one column"
        first_row = ", ".join(stripped)
        raise UserError(f"{self.name}: {problem} {self.column!r} in the first row ({first_row[:300]}); --column also takes a number")

    def _line(self, line: str, cell: Cell) -> Line:
        text = line[cell.begin : cell.end]
        separator = self.separator

        def write(translation: str) -> str:
            if cell.quoted:
                return translation.replace('"', '""')
            if separator == "\t":  # no quotes where there were none
                return translation.replace("\t", " ")
            if separator in translation or ('"' in translation and '"' not in text):
                return '"' + translation.replace('"', '""') + '"'
            return translation

        parts = split_field(text.replace('""', '"') if cell.quoted else text)
        return Line(line) if not any(parts[::2]) else Line(line[: cell.begin], parts, line[cell.end :], write)


def find_separator(lines: Sequence[str], name: str, column: str) -> str:
    """The separator: a tab in a .tsv; else the one that gives rows of equal length, or a first row that contains the column's name."""
    if re.search(r"\.(?:tsv|tab)(?:\.\w+)?\Z", name.lower()):
        return "\t"

    def rank(separator: str) -> tuple[bool, float, int]:
        reader = CsvColumn(name, "1", separator)
        counts: list[int] = []
        names: list[str] = []
        opened: int | None = None
        for line in lines:
            body = line.rstrip(ENDS).removeprefix("\ufeff")
            cells = reader._cells(body, 0, opened)
            opened = cells[-1].column if not cells[-1].closed else None
            names = names or [body[cell.begin : cell.end].strip() for cell in cells]
            if body.strip() and opened is None:
                counts.append(cells[-1].column + 1)
        usual = max(set(counts), key=counts.count, default=1)
        return column.strip() in names and len(names) > 1, counts.count(usual) / len(counts) if usual > 1 else 0.0, usual

    return max(SEPARATORS, key=rank)


class JsonKey:
    """The text under one key of each JSON object, one object per line; `a.b` for a nested key."""

    def __init__(self, name: str, key: str) -> None:
        self.name, self.key = name, key
        self.missing: list[int] = []
        self.ascii = False  # whether the file uses \u escapes for non-ASCII text, as last seen
        self.decoder = json.JSONDecoder()

    def parse(self, lines: Iterable[str]) -> Iterator[Line]:
        """UserError for a line that is not a JSON object, a lone surrogate, and at the end if no object has text under the key."""
        self.missing, count, example = [], 0, None
        for number, line in enumerate(lines, 1):
            begin = 1 if number == 1 and line.startswith("\ufeff") else 0
            if not line[begin:].strip():
                yield Line(line)
                continue
            row = self._row(line[begin:].strip(), number)
            example = example if example is not None else row
            path = [self.key] if self.key in row else self.key.split(".")
            span = self._span(line, line.index("{", begin), path)
            if span is None or not isinstance(span[2], str):
                self.missing.append(number)
                yield Line(line)
                continue
            count += 1
            yield self._line(line, *span, number)
        if example is not None and not count:
            keys = ", ".join(map(str, example))[:300] or "none"
            raise UserError(f"{self.name}: no object has text under {self.key!r}; the keys of the first are {keys}")

    def _row(self, text: str, number: int) -> dict[str, Any]:
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{self.name}, line {number:,}: not valid JSON: {error}; --key needs one object per line, as written by jq -c") from None
        if not isinstance(row, dict):
            raise UserError(f"{self.name}, line {number:,}: not a JSON object; --key needs one per line; jq -c '.[]' converts a list")
        return row

    def _span(self, line: str, position: int, path: list[str]) -> tuple[int, int, Any] | None:
        """Start, end and value of `path` in the valid JSON object that starts at `position`; the last one if keys are repeated."""
        span = None
        position = _skip_space(line, position + 1)
        while line[position] != "}":
            key, position = self.decoder.raw_decode(line, position)
            begin = _skip_space(line, _skip_space(line, position) + 1)
            value, end = self.decoder.raw_decode(line, begin)
            if key == path[0]:
                if len(path) == 1:
                    span = begin, end, value
                else:
                    span = self._span(line, begin, path[1:]) if isinstance(value, dict) else None
            position = _skip_space(line, end)
            if line[position] == ",":
                position = _skip_space(line, position + 1)
        return span

    def _line(self, line: str, begin: int, end: int, value: str, number: int) -> Line:
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise UserError(
                f"{self.name}, line {number:,}: {self.key!r} has a lone surrogate (\\ud800 to \\udfff), which is not a character"
            ) from None
        if not line.isascii():
            self.ascii = False
        elif re.search(r"\\u[0-9a-fA-F]{4}", line):
            self.ascii = True
        in_ascii = self.ascii

        def write(translation: str) -> str:
            return json.dumps(translation, ensure_ascii=in_ascii).translate(JSON_ESCAPES)

        parts = split_field(value)
        return Line(line) if not any(parts[::2]) else Line(line[:begin], parts, line[end:], write)


def _skip_space(line: str, position: int) -> int:
    """The index after any JSON white space."""
    while line[position] in " \t\r\n":
        position += 1
    return position
