"""Aligned pairs from files of text: two line-aligned ones, TSV, CSV, JSON. Read as streams; used by corpora.py."""

from __future__ import annotations

import csv
import json
import re
import shlex
from itertools import islice
from typing import Any, Iterator, Sequence

import numpy

from translate.errors import UserError
from translate.text.lines import read_lines
from translate.values import short_repr

FEW = 0.01  # of the rows; if more can't be used, the file is not what it was taken for
HOPELESS = 1000  # rows that can't be used at the start of a file: it is not read to its end
DELIMITERS = "\t;,|"
DIALECT = 20  # lines from which it is told
JSON_SPACE = re.compile(r"[ \t\n\r]*")
BLOCK = 1 << 16  # characters of a JSON array read at once
LONGEST = 1 << 24  # characters of one of its elements


class Skipped:
    """Rows that were left out because they lack a column: few are counted, many are an error.

    most: the share of the rows from which on they are many; 1 where it is usual that rows lack a language.
    """

    def __init__(self, name: str, most: float = FEW) -> None:
        self.name, self.most = name, most
        self.rows, self.line, self.reason = 0, 0, ""

    def add(self, line: int, reason: str) -> None:
        """reason: what is wrong with the row of that line; it is told of the first one."""
        if not self.rows:
            self.line, self.reason = line, reason
        self.rows += 1
        if self.rows >= HOPELESS and self.rows > line / 2 and self.most < 1:
            self.check(0)

    def check(self, used: int) -> None:
        """UserError if they are many beside the `used` pairs."""
        if self.rows > self.most * (self.rows + used):
            many = f"; {self.rows:,} of {self.rows + used:,} rows are so" if self.rows > 1 else ""
            raise UserError(f"{self.name}, line {self.line}: {self.reason}{many}")

    def told(self) -> str:
        return f"{self.rows:,} rows left out, the first in line {self.line:,}: {self.reason}" if self.rows else ""


def aligned_lines(source: str, target: str) -> Iterator[tuple[str, str]]:
    """Line by line from two files. UserError at the end if one has more lines, with both counts and where they seem to part."""
    sources, targets = read_lines(source), read_lines(target)
    for line in sources:
        other = next(targets, None)
        if other is None:
            break
        yield line, other
    else:
        if next(targets, None) is None:
            return
    raise UserError(misaligned(source, target))


def text_block(lines: Iterator[str], size: int) -> str:
    """The next lines, each with its end, up to the one with which they are more than `size` characters; "" at the end."""
    block = []
    for line in lines:
        block.append(line + "\n")
        if (size := size - len(line) - 1) < 0:
            break
    return "".join(block)


def misaligned(source: str, target: str) -> str:
    """The message about two files of different length, with the first suspicious line.

    That is the first line that is blank in one file only. Without one it is guessed from the lengths: if the longer file has k lines too
    many, they were lost in one place, and from there on its lines fit those k lines earlier in the other file; the place is the one
    that makes the lengths fit best. If no place fits better than the end, it is the last common line.
    """
    lengths = [numpy.fromiter((len(line.strip()) for line in read_lines(path)), dtype=numpy.int32) for path in (source, target)]
    counts = [len(side) for side in lengths]
    common = min(counts)
    for path, count in zip((source, target), counts):
        returns = sum(line.count("\r") for line in read_lines(path))
        if returns >= count > 0:
            return mac_line_ends(path, returns, count)
    message = f"source has {counts[0]:,} lines, target {counts[1]:,} ({source}, {target}): they must be line-aligned"
    if not common:
        return message
    blank = numpy.flatnonzero((lengths[0][:common] == 0) != (lengths[1][:common] == 0))
    suspicious = int(blank[0]) + 1 if len(blank) else _parting(*sorted(lengths, key=len))
    return f"{message}; first suspicious line: {suspicious:,}"


def mac_line_ends(name: str, returns: int, lines: int) -> str:
    return rf"{name}: {returns:,} carriage returns in {lines:,} lines look like old Mac line ends: convert them first (tr '\r' '\n' < FILE > NEW)"


def _parting(shorter: numpy.ndarray, longer: numpy.ndarray) -> int:
    """The line from which `longer` fits `shorter` better when moved up by the difference; from 1."""
    common, extra = len(shorter), len(longer) - len(shorter)
    logs = [numpy.log1p(side.astype(numpy.float64)) for side in (shorter, longer)]
    shift = numpy.median(logs[1]) - numpy.median(logs[0])  # one language is longer than the other
    straight = numpy.abs(logs[0] - logs[1][:common] + shift)
    moved = numpy.abs(logs[0] - logs[1][extra:] + shift)
    gain = numpy.cumsum((straight - moved)[::-1])[::-1]  # of moving all lines from here on
    best = int(numpy.argmax(gain))
    return best + 1 if gain[best] > 0 else common


def tsv_rows(path: str, columns: Sequence[int], skipped: Skipped) -> Iterator[tuple[str, str]]:
    """Cells of two columns, counted from 0. A tab ends a cell and a line end the row: there are no quotes. Blank lines are passed over."""
    source, target = columns
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split("\t")
        if len(cells) > max(columns):
            yield cells[source], cells[target]
        elif line.strip():
            reason = f"column {max(columns) + 1} is asked for, but the line has {len(cells)}"
            if "|||" in line:
                quoted = shlex.quote(path)
                reason += f", and |||: make tabs of that first (sed 's/ *||| */\\t/g' {quoted} > {quoted}.tsv)"
            skipped.add(number, reason)


def csv_rows(path: str, columns: Sequence[str], skipped: Skipped) -> Iterator[tuple[str, str]]:
    """Cells of two columns, by the names of the first row, or by numbers from 1 where there is no such row.

    The delimiter is told from the first rows. A cell in double quotes may hold it, and line ends.
    """
    head = text_block(islice(read_lines(path), DIALECT), BLOCK).split("\n")[:-1]
    if returns := "".join(head).count("\r"):
        raise UserError(mac_line_ends(path, returns, len(head)))
    delimiter = _delimiter(head)
    reader = csv.reader((line + "\n" for line in read_lines(path)), delimiter=delimiter, strict=True)
    try:
        if all(column.isdecimal() for column in columns):
            places = [int(column) - 1 for column in columns]
        else:
            places = _header_places(path, [cell.strip().casefold() for cell in next(reader, [])], columns)
        for cells in reader:
            if len(cells) > max(places):
                yield one_line(cells[places[0]]), one_line(cells[places[1]])
            elif any(map(str.strip, cells)):
                skipped.add(reader.line_num, f"column {max(places) + 1} is asked for, but the row has {len(cells)}, cut at {delimiter!r}")
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not valid CSV: {error}") from None


def _delimiter(lines: Sequence[str]) -> str:
    """That which cuts all of these lines into the same number of cells, and into most; or else the one that the first has most of."""
    cells = {}
    for delimiter in DELIMITERS:
        try:
            rows = list(csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True))
        except csv.Error:
            rows = []
        sizes = {len(row) for row in rows[: max(1, len(rows) - 1)] if row}  # the last may be cut off
        cells[delimiter] = sizes.pop() if len(sizes) == 1 else 1
    best = max(DELIMITERS, key=cells.__getitem__)
    return best if cells[best] > 1 else max(DELIMITERS, key="".join(lines[:1]).count)


def _header_places(path: str, header: Sequence[str], columns: Sequence[str]) -> list[int]:
    for column in columns:
        if column.casefold() not in header:
            known = ", ".join(header)[:200]
            hint = "set the corpus's `source` and `target` (names, or numbers)"
            raise UserError(f"{path}: the first row has no column {column!r}, only {known}: {hint}")
    return [header.index(column.casefold()) for column in columns]


def json_rows(path: str, columns: Sequence[str], skipped: Skipped) -> Iterator[tuple[str, str]]:
    """Texts of two keys, `translation.de` for one within another, of JSON objects: one a line, or all in one array.

    A key that is not there is also looked for in `translation`. Blank lines are passed over.
    """
    first = next((line for line in read_lines(path) if line.strip()), "")
    values = _array if first.lstrip().startswith("[") else _values
    for number, row in values(path, enumerate(read_lines(path), 1)):
        place = f"{path}, line {number:,}"
        if not isinstance(row, dict):
            raise UserError(f"{place}: must be a JSON object, not {short_repr(row)}")
        missing = next((column for column in columns if _at(row, column) is row), None)
        if missing is None:
            source, target = (_text_of(_at(row, column), column, place) for column in columns)
            yield source, target
        else:
            known = ", ".join(row)[:200] or "an empty object"
            skipped.add(number, f"there is no {missing!r}, only {known}: set the corpus's `source` and `target`")


def _values(path: str, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Any]]:
    for number, line in lines:
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:  # the latter from brackets without end
                raise UserError(f"{path}, line {number:,}: not valid JSON: {error}") from None


def _array(path: str, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Any]]:
    """The elements of a JSON array, each with the line where it begins."""
    text = _Json(path, lines)
    text.expect("[")
    if text.next() != "]":
        while True:
            text.next()
            yield text.line, text.value()
            if text.next() == "]":
                break
            text.expect(",")
    text.expect("]")
    if text.next():
        raise text.error("something stands behind the array")


class _Json:
    """JSON text read bit by bit: no more than one element and a block of lines is held. line: of the place reached."""

    def __init__(self, path: str, lines: Iterator[tuple[int, str]]) -> None:
        self.path, self.lines, self.decoder = path, lines, json.JSONDecoder()
        self.text, self.at, self.line = "", 0, 1

    def more(self) -> bool:
        """Read another block; whether there was one. It doubles what is held: an element that goes on is read again from its beginning."""
        held = self.text[self.at :]
        block = text_block((line for _, line in self.lines), max(BLOCK, len(held)))
        self.text, self.at = held + block, 0
        return bool(block)

    def go(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end

    def next(self) -> str:
        """The next character that is not white space, without taking it; "" at the end."""
        while True:
            self.go(JSON_SPACE.match(self.text, self.at).end())
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]

    def expect(self, character: str) -> None:
        if self.next() != character:
            raise self.error(f"{character!r} was expected, not {short_repr(self.next()) if self.next() else 'the end'}")
        self.go(self.at + 1)

    def value(self) -> Any:
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except RecursionError as error:  # from brackets without end
                raise self.error(str(error)) from None
            except ValueError as error:
                if len(self.text) - self.at > LONGEST or not self.more():
                    raise self.error(getattr(error, "msg", str(error))) from None
                continue
            self.go(end)
            return value

    def error(self, what: str) -> UserError:
        return UserError(f"{self.path}, line {self.line:,}: not valid JSON: {what}")


def _at(row: dict, column: str) -> Any:
    """The value of a key, or of one within another; `row` itself where there is none."""
    for keys in ([column] if column in row else column.split("."), ["translation", column]):
        value: Any = row
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                break
            value = value[key]
        else:
            return value
    return row


def _text_of(value: Any, column: str, place: str) -> str:
    if value is not None and not isinstance(value, str):
        raise UserError(f"{place}: {column!r} must be text, not {short_repr(value)}")
    try:
        one_line(value).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{place}: {column!r} has half a surrogate pair (\\ud800 to \\udfff), which is no character") from None
    return one_line(value)


def one_line(text: str | None) -> str:
    """A cell may hold line ends, a sentence may not; a missing one is blank."""
    return "" if text is None else text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
