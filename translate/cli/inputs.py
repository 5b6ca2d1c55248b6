"""The inputs of `translate file`: opened, checked and counted."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from translate.errors import UserError
from translate.text.formats import check_format
from translate.text.lines import Input, open_inputs
from translate.text.paragraphs import paragraphs
from translate.text.records import CsvColumn, JsonKey


@dataclass
class Inputs:
    """Input files, read as one text. `field`: the field of each record to translate; None: lines, or paragraphs if they are `wrapped`."""

    parts: list[Input]
    readers: list[Iterator[str]]  # one per part, already open: the file may be deleted meanwhile
    errors: str
    field: CsvColumn | JsonKey | None
    wrapped: bool = False
    total: int | None = None  # lines, or paragraphs and blank lines; None if a part is a stream

    @property
    def keyboard(self) -> bool:
        return any(part.path == "-" for part in self.parts) and sys.stdin.isatty()

    def lines(self) -> Iterator[str]:
        """All lines, once."""
        return itertools.chain.from_iterable(self.readers)

    def paragraphs(self, language: str) -> Iterator[tuple[int, str]]:
        """Number of the first line and text of each paragraph and blank line, once. None goes across files. language: of the text."""
        number = 1
        for reader in self.readers:
            for text, lines in paragraphs(reader, language):
                yield number, text
                number += lines

    def count_texts(self, done: int) -> int:
        """The number of texts in the first `done` records, which are read again, since one may hold several."""
        assert self.field is not None
        records = self.field.parse(self.parts[0].lines(self.errors, ends=True))
        return sum(len(record.texts) or 1 for record in itertools.islice(records, done))


def read_inputs(
    paths: Sequence[str],
    errors: str = "strict",
    column: str | None = None,
    key: str | None = None,
    as_text: bool = False,
    buffer_pipes: bool = True,
    wrapped: bool = False,
) -> Inputs:
    """Open and check the inputs. Errors are raised here, before anything is written; those of a stream while it is read.

    errors: for decoding, as in `read_lines`. column, key: the field to translate. as_text: don't check that the lines look like plain text.
    buffer_pipes: read pipes to their end first. wrapped: count paragraphs. UserError: see `read_lines`, `check_format`, `CsvColumn`, `JsonKey`.
    """
    option = "--column" if column is not None else "--key" if key is not None else ""
    if option and len(paths) > 1:
        raise UserError(f"{option} takes one file at a time, not {len(paths)}")
    parts = open_inputs(paths, buffer_pipes or bool(option))
    field = CsvColumn(parts[0].name, column) if column is not None else JsonKey(parts[0].name, key) if key is not None else None
    inputs = Inputs(parts, [], errors, field, wrapped)
    counts: list[int | None] = []
    for part in parts:
        lines = part.lines(errors, ends=field is not None)
        if field and not part.twice:
            raise UserError(f"{part.name}: {option} reads its input twice, so it takes a file or a pipe")
        if not as_text:
            lines = check_format(lines, part.name, option, ahead=part.twice)
        units = field.parse(lines) if field else paragraphs(lines) if wrapped else lines
        counts.append(sum(1 for _ in units) if part.twice else None)
        inputs.readers.append(part.lines(errors, ends=field is not None) if part.twice else lines)
    if None not in counts:
        inputs.total = sum(filter(None, counts))
    if field and field.missing:
        where = f"{len(field.missing):,} of {inputs.total:,} lines (the first is line {field.missing[0]:,})"
        print(f"translate: warning: {field.name}: {where} have no text there and are left unchanged", file=sys.stderr)
    return inputs
