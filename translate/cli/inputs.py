"""What `translate file` reads: its inputs, opened, checked to be what they should be, and counted."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from translate.errors import UserError
from translate.text.formats import check_format
from translate.text.lines import Input, open_inputs
from translate.text.records import CsvColumn, JsonKey


@dataclass
class Inputs:
    """Read as one text. `field`: what is translated of each record; None where lines are translated whole."""

    parts: list[Input]
    readers: list[Iterator[str]]  # of each part, opened already: it may be removed meanwhile
    errors: str
    field: CsvColumn | JsonKey | None
    total: int | None = None  # lines; None where a part is read while it comes

    @property
    def keyboard(self) -> bool:
        return any(part.path == "-" for part in self.parts) and sys.stdin.isatty()

    def lines(self) -> Iterator[str]:
        """All lines, once."""
        return itertools.chain.from_iterable(self.readers)

    def count_texts(self, done: int) -> int:
        """How many texts there are in the first `done` lines. Those of a field are read and counted, as a line may have several."""
        if self.field is None:
            return done
        records = self.field.parse(self.parts[0].lines(self.errors, ends=True))
        return sum(len(record.texts) or 1 for record in itertools.islice(records, done))


def read_inputs(
    paths: Sequence[str], errors: str = "strict", column: str | None = None, key: str | None = None, as_text: bool = False, hold: bool = True
) -> Inputs:
    """Whatever is wrong with the inputs is raised here, before anything is written; of what can be read once only, while it is read.

    errors: of decoding, as `read_lines` takes it. column, key: the field to translate. as_text: lines are sentences, whatever they look like.
    hold: read pipes to their end first. UserError: see `read_lines`, `check_format`, `CsvColumn` and `JsonKey`.
    """
    option = "--column" if column is not None else "--key" if key is not None else ""
    if option and len(paths) > 1:
        raise UserError(f"{option} takes one file at a time, not {len(paths)}")
    parts = open_inputs(paths, hold or bool(option))
    field = CsvColumn(parts[0].name, column) if column is not None else JsonKey(parts[0].name, key) if key is not None else None
    inputs = Inputs(parts, [], errors, field)
    counts: list[int | None] = []
    for part in parts:
        lines = part.lines(errors, ends=field is not None)
        if field and not part.twice:
            raise UserError(f"{part.name}: {option} reads its input twice, so it takes a file or a pipe")
        if not as_text:
            lines = check_format(lines, part.name, option, ahead=part.twice)
        counts.append(sum(1 for _ in (field.parse(lines) if field else lines)) if part.twice else None)
        inputs.readers.append(part.lines(errors, ends=field is not None) if part.twice else lines)
    if None not in counts:
        inputs.total = sum(filter(None, counts))
    if field and field.missing:
        where = f"{len(field.missing):,} of {inputs.total:,} lines (the first is line {field.missing[0]:,})"
        print(f"translate: warning: {field.name}: {where} have no text there and stay as they are", file=sys.stderr)
    return inputs
