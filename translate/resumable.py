"""Files of a long job that may be killed at any moment and goes on from there: `translate file --resume`.

OUT.part holds a line that says what the job is, then the lines done so far; it becomes OUT, whole, at the end. Sits above text.py and lock.py.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any, TextIO

from translate.errors import UserError
from translate.lock import alone
from translate.text import written_whole


class ResumableFile:
    """`done`: how many units, of `lines_each` lines, are there. Call `keep` before writing to `stream`, `finish` at the end."""

    stream: TextIO

    def __init__(self, path: str, job: dict[str, Any], lines_each: int) -> None:
        """UserError if what is there belongs to another job. Nothing is written yet."""
        self.path, self.part, self.lines_each, self.done = path, f"{path}.part", lines_each, 0
        self.header = json.dumps(job) + "\n"
        if not os.path.exists(self.part):
            return
        with open(self.part, "rb") as file:
            header = file.readline()
            if header.endswith(b"\n"):  # else it was killed before it had its first line
                _refuse_other(self.part, header, job)
                self.done = sum(1 for line in file if line.endswith(b"\n")) // lines_each

    def keep(self, units: int) -> None:
        """Go on after the first `units` of `done`; what follows them is dropped."""
        if not self.done:
            self.stream = open(self.part, "w", encoding="utf-8", newline="\n")
            self.stream.write(self.header)
            return
        with open(self.part, "rb+") as file:
            for _ in range(1 + units * self.lines_each):
                file.readline()
            file.truncate(file.tell())
        self.stream = open(self.part, "a", encoding="utf-8", newline="\n")

    def finish(self) -> None:
        self.stream.close()
        with open(self.part, encoding="utf-8", newline="\n") as file, written_whole(self.path) as whole:
            file.readline()
            while block := file.read(1 << 20):
                whole.write(block)
        os.unlink(self.part)


@contextlib.contextmanager
def resumable_files(paths: list[str], job: dict[str, Any], lines_each: list[int]) -> Iterator[list[ResumableFile]]:
    """The files of one job, one unit of each for a line of input; whole at the end, kept as far as they are after an error.

    job: plain values. UserError if another process writes the first of them, or one belongs to another job.
    """
    with alone(f"{paths[0]}.part.lock", f"another process is writing {paths[0]}: wait for it, or give -o another name"):
        files = [ResumableFile(path, job, each) for path, each in zip(paths, lines_each)]
        try:
            yield files
        except BaseException:
            for file in files:
                if hasattr(file, "stream"):
                    file.stream.close()
            raise
        for file in files:
            file.finish()


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
            raise UserError(f"{part} was begun with another {key}{values}: give the same command to go on, or remove it to begin anew")
