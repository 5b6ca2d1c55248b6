"""Output files of a long job that may be killed at any moment and resumed: `translate file --resume`.

OUT.part contains a line that describes the job, then the lines done so far. At the end it becomes OUT, atomically.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from typing import Any, TextIO

from translate.errors import UserError
from translate.files.atomic import atomic_text, open_to_continue, remove_temporary_files
from translate.files.lock import exclusive


class ResumableFile:
    """`done`: units, of `lines_each` lines, already written. `keep` opens the file to write the rest; `finish` copies it at the end."""

    def __init__(self, path: str, job: dict[str, Any], lines_each: int) -> None:
        """UserError if the existing file belongs to another job. Writes nothing yet."""
        self.path, self.part, self.lines_each, self.done = path, f"{path}.part", lines_each, 0
        self.stream: TextIO | None = None
        self.header = json.dumps(job) + "\n"
        if not os.path.exists(self.part):
            return
        with open(self.part, "rb") as file:
            header = file.readline()
            if header.endswith(b"\n"):  # else it was killed while writing its first line
                _refuse_other(self.part, header, job)
                self.done = sum(1 for line in file if line.endswith(b"\n")) // lines_each

    def keep(self, units: int) -> TextIO:
        """A stream that continues after the first `units` of `done`, dropping the rest."""
        if self.done:
            with open(self.part, "rb+") as file:
                for _ in range(1 + units * self.lines_each):
                    file.readline()
                file.truncate(file.tell())
        self.stream = io.TextIOWrapper(open_to_continue(self.part, truncate=not self.done), encoding="utf-8", newline="\n")
        if not self.done:
            self.stream.write(self.header)
        return self.stream

    def kept(self) -> Iterator[str]:
        """The lines that `keep` has left, one by one."""
        with open(self.part, encoding="utf-8", newline="\n") as file:
            file.readline()
            yield from file

    def finish(self, whole: TextIO) -> None:
        """Copy everything that the job wrote into `whole`."""
        with open(self.part, encoding="utf-8", newline="\n") as file:
            file.readline()
            while block := file.read(1 << 20):
                whole.write(block)


@contextlib.contextmanager
def resumable_files(paths: list[str], job: dict[str, Any], lines_each: list[int]) -> Iterator[list[ResumableFile]]:
    """The files of one job, with one unit in each per input line. Complete at the end; kept as they are after an error.

    job: plain values. UserError if another process is writing the first file, or one belongs to another job or can't be written.
    """
    with exclusive(f"{paths[0]}.part.lock", f"another process is writing {paths[0]}: wait for it, or use another name with -o"):
        files = [ResumableFile(path, job, count) for path, count in zip(paths, lines_each)]
        for path in paths:
            remove_temporary_files(path)
        try:
            yield files
        finally:
            for file in files:
                if file.stream is not None:
                    file.stream.close()
        with contextlib.ExitStack() as stack:
            for file in files:
                file.finish(stack.enter_context(atomic_text(file.path)))
        for file in files:  # only once all are complete, or the next start would find half a job
            os.unlink(file.part)


def _refuse_other(part: str, header: bytes, job: dict[str, Any]) -> None:
    try:
        old = json.loads(header)
    except ValueError:
        old = None
    if not isinstance(old, dict):
        raise UserError(f"{part} was not written by --resume: move it away")
    for key in [*job, *old]:
        if old.get(key) != job.get(key):
            values = "" if isinstance(job.get(key), list) else f" ({old.get(key)} then, {job.get(key)} now)"
            raise UserError(f"{part} was started with another {key}{values}: repeat that command to resume, or remove the file to start again")
