"""Shared by the corpus readers: counting skipped rows, and making texts fit on one line."""

from __future__ import annotations

from collections.abc import Iterator

from translate.errors import UserError

Pair = tuple[str, str]  # source, target
ROWS = 10_000  # rows of a table read or written at once
LIMIT = 0.01  # share of rows that may be skipped; with more, the file is probably of another kind
GIVE_UP = 1000  # stop reading after this many unusable rows at the start of a file


class Skipped:
    """Counts rows skipped because they lack a column; too many are an error.

    limit: the share of rows that may be skipped; 1 for files in which rows often lack a language.
    """

    def __init__(self, name: str, limit: float = LIMIT) -> None:
        self.name, self.limit = name, limit
        self.rows, self.line, self.reason = 0, 0, ""  # line and reason of the first one

    def add(self, line: int, reason: str) -> None:
        """Count the row at `line`. UserError if nearly all rows so far were unusable."""
        if not self.rows:
            self.line, self.reason = line, reason
        self.rows += 1
        if self.rows >= GIVE_UP and self.rows > line / 2 and self.limit < 1:
            self.check(0)

    def check(self, used: int) -> None:
        """UserError if more than `limit` of all rows were skipped. used: rows that gave a pair."""
        if self.rows > self.limit * (self.rows + used):
            share = f"; {self.rows:,} of {self.rows + used:,} rows are unusable" if self.rows > 1 else ""
            raise UserError(f"{self.name}, line {self.line}: {self.reason}{share}")

    def summary(self) -> str:
        """One line for the log, or "" if no row was skipped."""
        return f"{self.rows:,} rows left out, the first in line {self.line:,}: {self.reason}" if self.rows else ""


def one_line(text: str | None) -> str:
    """A cell with line ends replaced by spaces; "" for a missing cell."""
    return "" if text is None else text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


def text_block(lines: Iterator[str], size: int) -> str:
    """The next lines, joined, until they exceed `size` characters; "" at the end."""
    block = []
    for line in lines:
        block.append(line + "\n")
        if (size := size - len(line) - 1) < 0:
            break
    return "".join(block)


def mac_line_ends(name: str, returns: int, lines: int) -> str:
    return rf"{name}: {returns:,} carriage returns in {lines:,} lines look like old Mac line ends: convert them first (tr '\r' '\n' < FILE > NEW)"
