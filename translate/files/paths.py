"""What a path names: a file, or a stream such as /dev/stdout; and bytes written to it with errors that name it."""

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
    from typing_extensions import Buffer  # the standard library has it from Python 3.12 on


def expand_path(path: str | os.PathLike[str]) -> str:
    """A user's `path` with `~` and `~user` expanded. For the place where it enters: all else in this package takes paths as they are.

    UserError where it is empty or has a zero byte.
    """
    text = os.path.expanduser(os.fspath(path))
    if not text or "\0" in text:
        raise UserError(f"{text!r} is not a path: give the name of a file or folder")
    return text


def user_cache() -> Path:
    """Where this user's caches lie, unless a recipe says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "translate-nmt"


def descriptor(path: str) -> int | None:
    """N where `path` is /dev/fd/N of this process, also by way of links such as /dev/stdout; 1 for "-". None for all else."""
    if path == "-":
        return 1
    own = {os.path.realpath(folder) for folder in ("/dev/fd", f"/proc/{os.getpid()}/fd", "/proc/thread-self/fd")}
    for _ in range(40):  # links, as the kernel counts them
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
    """Whether what is written to `path` is gone at once: a descriptor, a pipe, a device."""
    if descriptor(path) is not None:
        return True
    with contextlib.suppress(OSError):
        mode = os.stat(path).st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return False


def open_stream(given: str) -> int:
    with name_write_errors(given):
        number = descriptor(given)
        return os.open(given, os.O_WRONLY) if number is None else os.dup(number)


@contextlib.contextmanager
def buffered(descriptor: int, given: str) -> Iterator[io.BufferedWriter[RawOutput]]:
    raw = RawOutput(descriptor, given)
    with io.BufferedWriter(raw) as stream:
        try:
            yield stream
        except BaseException:
            raw.discarding = True  # closing writes what is in the buffer: to a pipe that nobody reads it would wait for ever
            raise


class RawOutput(io.RawIOBase):
    """Bytes to a descriptor, which it closes; an error of the system names what was written."""

    def __init__(self, descriptor: int, given: str) -> None:
        self._descriptor, self._given, self.discarding = descriptor, given, False

    def write(self, data: Buffer, /) -> int:
        if self.discarding:
            return memoryview(data).nbytes
        with name_write_errors(self._given):
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
            with name_write_errors(self._given):
                os.close(self._descriptor)


@contextlib.contextmanager
def name_write_errors(given: str) -> Iterator[None]:
    """What the system says becomes one line for the user."""
    try:
        yield
    except BrokenPipeError:  # the reader has left, which is no mistake
        raise
    except OSError as error:
        raise UserError(f"{given}: cannot be written: {error.strerror or error}") from None
