"""Pairs from the columns of TSV and CSV files, read as streams."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice

from translate.data.rows import Pair, Skipped, mac_line_ends, one_line, text_block
from translate.errors import UserError
from translate.text.lines import read_lines

DELIMITERS = "\t;,|"
SNIFFED = 20  # lines read to guess the delimiter
BLOCK = 1 << 16  # at most this many characters of them


def tsv_rows(path: str, columns: Sequence[int], skipped: Skipped) -> Iterator[Pair]:
    """Cells of two columns, counted from 0. Cells are split at tabs and rows at line ends; quotes are literal. Blank lines are skipped."""
    source, target = columns
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split("\t")
        if len(cells) > max(columns):
            yield cells[source], cells[target]
        elif line.strip():
            reason = f"there is no column {max(columns) + 1}, the line has only {len(cells)}"
            if "|||" in line:
                quoted = shlex.quote(path)
                reason += f", and contains |||: replace that with tabs first (sed 's/ *||| */\\t/g' {quoted} > {quoted}.tsv)"
            skipped.add(number, reason)


def csv_rows(path: str, columns: Sequence[str], skipped: Skipped) -> Iterator[Pair]:
    """Cells of two columns, by their names in the header row, or by numbers from 1 if there is no header.

    The delimiter is guessed from the first rows. A cell in double quotes may contain it, and line ends.
    """
    head = text_block(islice(read_lines(path), SNIFFED), BLOCK).split("\n")[:-1]
    if returns := "".join(head).count("\r"):
        raise UserError(mac_line_ends(path, returns, len(head)))
    delimiter = _delimiter(head)
    reader = csv.reader((line + "\n" for line in read_lines(path)), delimiter=delimiter, strict=True)
    try:
        if all(column.isdecimal() for column in columns):
            indices = [int(column) - 1 for column in columns]
        else:
            indices = _header_indices(path, [cell.strip().casefold() for cell in next(reader, [])], columns)
        for cells in reader:
            if len(cells) > max(indices):
                yield one_line(cells[indices[0]]), one_line(cells[indices[1]])
            elif any(map(str.strip, cells)):
                skipped.add(reader.line_num, f"there is no column {max(indices) + 1}, the row has only {len(cells)} (delimiter {delimiter!r})")
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not valid CSV: {error}") from None


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that splits all lines into the same number of cells, and the most; else the most frequent one in the first line."""
    cells = {}
    for delimiter in DELIMITERS:
        try:
            rows = list(csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True))
        except csv.Error:
            rows = []
        sizes = {len(row) for row in rows[: max(1, len(rows) - 1)] if row}  # the last row may be incomplete
        cells[delimiter] = sizes.pop() if len(sizes) == 1 else 1
    best = max(DELIMITERS, key=cells.__getitem__)
    return best if cells[best] > 1 else max(DELIMITERS, key="".join(lines[:1]).count)


def _header_indices(path: str, header: Sequence[str], columns: Sequence[str]) -> list[int]:
    for column in columns:
        if column.casefold() not in header:
            known = ", ".join(header)[:200]
            hint = "set the corpus's `source` and `target` (names, or numbers)"
            raise UserError(f"{path}: the first row has no column {column!r}, only {known}: {hint}")
    return [header.index(column.casefold()) for column in columns]
