"""What `translate file` reads: files, pipes and standard input; how many lines come, and whether they are plain text."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from translate.errors import UserError
from translate.text.formats import HEAD_CHARACTERS, HEAD_LINES, JSON, JSONL, Format, kind_by_name, kind_by_text, refusal
from translate.text.lines import STANDARD_INPUT, is_pipe, read_lines, spool_pipe
from translate.text.records import CsvColumn, JsonKey, find_separator

FIRST_LINES = 20  # of a pipe that is translated as it comes


@dataclass
class Input:
    """One INPUT of the command line. `stream`: what can be read again from `begin`; without one, the file of that name."""

    path: str
    stream: BinaryIO | None
    begin: int

    @property
    def name(self) -> str:
        return STANDARD_INPUT if self.path == "-" else self.path

    @property
    def again(self) -> bool:
        """Whether it can be read twice."""
        return self.stream is not None or os.path.isfile(self.path)

    def lines(self, errors: str, ends: bool = False) -> Iterator[str]:
        if self.stream:
            self.stream.seek(self.begin)
        return read_lines(self.path, errors, self.stream, ends)


def open_inputs(arguments: argparse.Namespace) -> list[Input]:
    """UserError for standard input twice. Pipes are held, so that invalid UTF-8 is told first, unless --window or --errors replace says no."""
    paths = arguments.input or ["-"]
    for path in paths:
        if paths.count(path) > 1 and (path == "-" or is_pipe(path)):
            raise UserError(f"{'standard input (-)' if path == '-' else path} is given twice: it can be read once only")
    field = arguments.column is not None or arguments.key is not None
    if field and len(paths) > 1:
        raise UserError(f"{'--column' if arguments.column is not None else '--key'} takes one file at a time, not {len(paths)}")
    hold = field or not (arguments.window or arguments.errors == "replace")
    inputs = []
    for path in paths:
        stream = spool_pipe(path) if hold else None
        if path == "-" and stream is None and sys.stdin.buffer.seekable() and not sys.stdin.isatty():  # `< file`
            stream = sys.stdin.buffer
        inputs.append(Input(path, stream, stream.tell() if stream else 0))
    if field and not inputs[0].again:
        raise UserError(f"{inputs[0].name}: a field of records is translated from a file or a pipe, which are read twice")
    return inputs


def field_of(one: Input, arguments: argparse.Namespace) -> CsvColumn | JsonKey | None:
    """What finds the field of each record that is to be translated; None where lines are translated whole."""
    if arguments.key is not None:
        return JsonKey(one.name, arguments.key)
    if arguments.column is None:
        return None
    if arguments.column.isdecimal() and int(arguments.column) < 1:
        raise UserError(f"--column is {arguments.column}: columns are counted from 1")
    head = list(itertools.islice(one.lines(arguments.errors, ends=True), HEAD_LINES))
    return CsvColumn(one.name, arguments.column, find_separator(head, one.path, arguments.column))


def count_lines(inputs: list[Input], arguments: argparse.Namespace, field: CsvColumn | JsonKey | None) -> int | None:
    """How many lines are to come; None where one comes from a pipe that is not held. What is not plain text, or has no such field, and invalid
    UTF-8 raise here, before anything is written; what can't be read twice is left to `judged`."""
    counts: list[int | None] = []
    for one in inputs:
        judge_name(one, arguments)
        if not one.again:
            counts.append(None)
            continue
        lines = one.lines(arguments.errors, ends=field is not None)
        head = list(itertools.islice(lines, HEAD_LINES))
        judge(one, head, arguments)
        every = itertools.chain(head, lines)
        counts.append(sum(1 for _ in (field.lines(every) if field else every)))
        if one.stream:
            one.stream.seek(one.begin)
    if field and field.lacking:
        place = f"{len(field.lacking):,} of {counts[0]:,} lines (the first is line {field.lacking[0]:,})"
        print(f"translate: warning: {inputs[0].name}: {place} have no text to translate there and stay as they are", file=sys.stderr)
    return None if None in counts else sum(count for count in counts if count is not None)


def judge_name(one: Input, arguments: argparse.Namespace) -> None:
    found = kind_by_name(one.path)
    if found and arguments.format_in != "text" and not _is_meant(found, arguments):
        raise UserError(refusal(one.name, found, "by its name"))


def judge(one: Input, head: list[str], arguments: argparse.Namespace) -> None:
    """UserError where the first lines of `one` are not those of plain text, or of the records that --column or --key means."""
    named = kind_by_name(one.path)
    if arguments.format_in == "text" or (named and _is_meant(named, arguments)):
        return
    characters = itertools.accumulate(len(line) for line in head)
    short = [line.rstrip("\r\n") for line, so_far in zip(head, characters) if so_far <= HEAD_CHARACTERS]
    found = kind_by_text(short or [line[:HEAD_CHARACTERS] for line in head[:1]])
    if found and not _is_meant(found[0], arguments):
        raise UserError(refusal(one.name, found[0], f"see line {found[1]}"))


def _is_meant(found: Format, arguments: argparse.Namespace) -> bool:
    """Whether --column or --key is for a file of this format; a single JSON line looks like any JSON."""
    if arguments.key is not None:
        return found in (JSONL, JSON)
    return arguments.column is not None and found.field == "--column"


def judged(lines: Iterator[str], one: Input, arguments: argparse.Namespace) -> Iterator[str]:
    """The lines of what can't be read twice; its first ones are looked at as they come."""
    head: list[str] = []
    for line in lines:
        if len(head) < FIRST_LINES:
            head.append(line)
            judge(one, head, arguments)
        yield line
