"""A file written by a long job that may be killed at any moment and goes on from there: `translate file --resume`.

OUT.part holds a line that says what the job is, then the lines done so far; it becomes OUT, whole, at the end. Sits just above text.py.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any, TextIO

from filelock import FileLock, Timeout

from translate.text import written_whole


class Continued:
    """What is there of `path`: `done` whole units of `lines_each` lines. Call `keep` before writing to `stream`, and `finish` at the end."""

    def __init__(self, path: str, job: dict[str, Any], lines_each: int) -> None:
        """ValueError if what is there belongs to another job."""
        self.path, self.part, self.lines_each = path, f"{path}.part", lines_each
        self.done, self.stream = 0, None
        header = json.dumps(job, ensure_ascii=True, sort_keys=True).encode() + b"\n"
        try:
            with open(self.part, "rb") as file:
                found = file.readline()
                if found.endswith(b"\n"):
                    _refuse_other(self.part, json.loads(found), job)
                    self.done = sum(1 for line in file if line.endswith(b"\n")) // lines_each
                    return
        except FileNotFoundError:
            pass
        except (ValueError, AttributeError) as error:
            if isinstance(error, json.JSONDecodeError) or isinstance(error, AttributeError):
                raise ValueError(f"{self.part} was not written by --resume: move it away") from None
            raise
        with open(self.part, "wb") as file:  # new, or killed before it had its first line
            file.write(header)

    def keep(self, units: int) -> None:
        """Go on after the first `units` of `done`; what follows them is dropped."""
        with open(self.part, "rb+") as file:
            for _ in range(1 + units * self.lines_each):
                file.readline()
            file.truncate(file.tell())
        self.stream: TextIO | None = open(self.part, "a", encoding="utf-8", newline="\n")

    def finish(self) -> None:
        self.close()
        with open(self.part, encoding="utf-8", newline="\n") as file, written_whole(self.path) as whole:
            file.readline()
            while block := file.read(1 << 20):
                whole.write(block)
        os.unlink(self.part)

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()


@contextlib.contextmanager
def continued(paths: list[str], job: dict[str, Any], lines_each: list[int]) -> Iterator[list[Continued]]:
    """The files of one job, one unit of each for a line of input; whole at the end, kept as they are after an error.

    ValueError if another process is at the first of them, or one belongs to another job.
    """
    lock = FileLock(f"{paths[0]}.part.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"another process is writing {paths[0]}: wait for it, or give -o another name") from None
    except OSError as error:
        raise ValueError(f"{paths[0]}: cannot be written: {error.strerror}") from None
    try:
        with contextlib.ExitStack() as stack:
            files = [Continued(path, job, each) for path, each in zip(paths, lines_each)]
            for file in files:
                stack.callback(file.close)
            yield files
            for file in files:
                file.finish()
    finally:
        lock.release()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(lock.lock_file)


def _refuse_other(part: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    for key in [*new, *old]:
        if old.get(key) != new.get(key):
            raise ValueError(
                f"{part} was begun with {key} {old.get(key)}, which is {new.get(key)} now: give the same command to go on, or remove it to begin anew"
            )
