"""What a path refers to: a file, or a stream such as /dev/stdout; and writing to it, with errors that name the path."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from translate.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12


def expand_path(path: str | os.PathLike[str]) -> str:
    """A user's `path` with `~` and `~user` expanded. Only for the outer interfaces: all other code takes paths literally.

    UserError if it is empty or contains a null byte.
    """
    text = os.path.expanduser(os.fspath(path))
    if not text or "\0" in text:
        raise UserError(f"{text!r} is not a path: give the name of a file or folder")
    return text


def user_cache() -> Path:
    """The user's cache folder, unless a recipe sets another."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "translate-nmt"


def descriptor(path: str) -> int | None:
    """N if `path` is this process's /dev/fd/N, also through links such as /dev/stdout; 1 for "-"; else None."""
    if path == "-":
        return 1
    own = {os.path.realpath(folder) for folder in ("/dev/fd", f"/proc/{os.getpid()}/fd", "/proc/thread-self/fd")}
    for _ in range(40):  # the kernel's limit on links
        folder, name = os.path.split(os.path.abspath(path))
        folder = os.path.realpath(folder)
        if folder in own and re.fullmatch("[0-9]{1,9}", name):
            return int(name)
        path = os.path.join(folder, name)
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None


def is_stream(path: str) -> bool:
    """Whether `path` is a descriptor, a pipe or a device rather than a file or folder."""
    if descriptor(path) is not None:
        return True
    with contextlib.suppress(OSError):
        mode = os.stat(path).st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return False


def open_stream(user_path: str) -> int:
    with name_write_errors(user_path):
        number = descriptor(user_path)
        return os.open(user_path, os.O_WRONLY) if number is None else os.dup(number)


@contextlib.contextmanager
def buffered(descriptor: int, user_path: str) -> Iterator[io.BufferedWriter[RawOutput]]:
    raw = RawOutput(descriptor, user_path)
    with io.BufferedWriter(raw) as stream:
        try:
            yield stream
        except BaseException:
            raw.discarding = True  # closing flushes the buffer, which would block forever on a pipe that nobody reads
            raise


class RawOutput(io.RawIOBase):
    """Writes bytes to a descriptor, and closes it. Errors name the path that the user gave."""

    def __init__(self, descriptor: int, user_path: str) -> None:
        self._descriptor, self._user_path, self.discarding = descriptor, user_path, False

    def write(self, data: Buffer, /) -> int:
        if self.discarding:
            return memoryview(data).nbytes
        with name_write_errors(self._user_path):
            return os.write(self._descriptor, data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def close(self) -> None:
        if not self.closed:
            super().close()
            with name_write_errors(self._user_path):
                os.close(self._descriptor)


@contextlib.contextmanager
def name_write_errors(user_path: str) -> Iterator[None]:
    """Turns an OSError into a one-line UserError."""
    try:
        yield
    except BrokenPipeError:  # the reader closed the pipe: not an error
        raise
    except OSError as error:
        raise UserError(f"{user_path}: cannot be written: {error.strerror or error}") from None
