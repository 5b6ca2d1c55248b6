"""What the readers of corpus files share: the count of rows that are left out, and texts of one line."""

from __future__ import annotations

from collections.abc import Iterator

from translate.errors import UserError

Pair = tuple[str, str]  # source, target
ROWS = 10_000  # rows of a table read or written at once
LIMIT = 0.01  # share of rows that may be left out; with more, the file is probably of another kind
GIVE_UP = 1000  # unusable rows at the start of a file after which the rest is not read


class Skipped:
    """Rows that were left out because they lack a column: a few are counted, many are an error.

    limit: the share of rows that may be left out; 1 for files in which rows often lack a language.
    """

    def __init__(self, name: str, limit: float = LIMIT) -> None:
        self.name, self.limit = name, limit
        self.rows, self.line, self.reason = 0, 0, ""  # line and reason are those of the first one

    def add(self, line: int, reason: str) -> None:
        """Count the row in `line`. UserError if it is hopeless to read on."""
        if not self.rows:
            self.line, self.reason = line, reason
        self.rows += 1
        if self.rows >= GIVE_UP and self.rows > line / 2 and self.limit < 1:
            self.check(0)

    def check(self, used: int) -> None:
        """UserError if more than `limit` of all rows were left out. used: rows that gave a pair."""
        if self.rows > self.limit * (self.rows + used):
            share = f"; {self.rows:,} of {self.rows + used:,} rows are unusable" if self.rows > 1 else ""
            raise UserError(f"{self.name}, line {self.line}: {self.reason}{share}")

    def summary(self) -> str:
        """One line for the log, or "" if no row was left out."""
        return f"{self.rows:,} rows left out, the first in line {self.line:,}: {self.reason}" if self.rows else ""


def one_line(text: str | None) -> str:
    """A cell with its line ends replaced by spaces; a missing cell is blank."""
    return "" if text is None else text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


def text_block(lines: Iterator[str], size: int) -> str:
    """The next lines, joined, until they are more than `size` characters; "" at the end."""
    block = []
    for line in lines:
        block.append(line + "\n")
        if (size := size - len(line) - 1) < 0:
            break
    return "".join(block)


def mac_line_ends(name: str, returns: int, lines: int) -> str:
    return rf"{name}: {returns:,} carriage returns in {lines:,} lines look like old Mac line ends: convert them first (tr '\r' '\n' < FILE > NEW)"
