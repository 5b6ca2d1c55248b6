"""Aligned pairs from files of text: two line-aligned ones, a TSV, a JSONL. Read as streams; used by corpora.py."""

from __future__ import annotations

import json
from typing import Any, Iterator, Sequence

import numpy

from translate.errors import UserError
from translate.text import read_lines
from translate.values import shown


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


def misaligned(source: str, target: str) -> str:
    """The message about two files of different length, with the first suspicious line.

    That is the first line that is blank in one file only. Without one it is guessed from the lengths: if the longer file has k lines too
    many, they were lost in one place, and from there on its lines fit those k lines earlier in the other file; the place is the one
    that makes the lengths fit best. If no place fits better than the end, it is the last common line.
    """
    lengths = [numpy.fromiter((len(line.strip()) for line in read_lines(path)), dtype=numpy.int32) for path in (source, target)]
    counts = [len(side) for side in lengths]
    common = min(counts)
    message = f"source has {counts[0]:,} lines, target {counts[1]:,} ({source}, {target}): they must be line-aligned"
    if not common:
        return message
    blank = numpy.flatnonzero((lengths[0][:common] == 0) != (lengths[1][:common] == 0))
    suspicious = int(blank[0]) + 1 if len(blank) else _parting(*sorted(lengths, key=len))
    return f"{message}; first suspicious line: {suspicious:,}"


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


def tsv_rows(path: str, columns: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Cells of two columns, counted from 0. A tab ends a cell and a line end the row: there are no quotes."""
    source, target = columns
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split("\t")
        if len(cells) <= max(columns):
            raise UserError(f"{path}, line {number}: column {max(columns) + 1} is asked for, but the line has {len(cells)}")
        yield cells[source], cells[target]


def jsonl_rows(path: str, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Texts of two keys, `translation.de` for one within another. Blank lines are passed over."""
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # the latter from brackets without end
            raise UserError(f"{path}, line {number}: no valid JSON: {error}") from None
        source, target = (_text_at(row, column, f"{path}, line {number}") for column in columns)
        yield source, target


def _text_at(row: Any, column: str, place: str) -> str:
    if not isinstance(row, dict):
        raise UserError(f"{place}: must be a JSON object, not {shown(row)}")
    value: Any = row
    for key in [column] if column in row else column.split("."):
        if not isinstance(value, dict) or key not in value:
            raise UserError(
                f"{place}: there is no {column!r}, only {', '.join(row)[:200] or 'an empty object'}: set the corpus's `source` and `target`"
            )
        value = value[key]
    if value is not None and not isinstance(value, str):
        raise UserError(f"{place}: {column!r} must be text, not {shown(value)}")
    try:
        one_line(value).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{place}: {column!r} has half a surrogate pair (\\ud800 to \\udfff), which is no character") from None
    return one_line(value)


def one_line(text: str | None) -> str:
    """A cell may hold line ends, a sentence may not; a missing one is blank."""
    return "" if text is None else text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
