"""Corpora read from a pipe, such as <(zstdcat FILE). A pipe can be read only once, so it is copied to a temporary file."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import stat
import tempfile

from translate.errors import UserError
from translate.files.digest import COMPRESSED

_BUFFERED: dict[tuple[int, int], str] = {}  # device and inode of a pipe -> temporary file, deleted when the process ends


def buffered_pipe(path: str) -> str:
    """If `path` is a pipe, the path of a file with its content; otherwise `path`.

    Reads the pipe to its end. UserError if the disk is full, or for a device, which may never end.
    """
    try:
        state = os.stat(path)
    except OSError:  # the caller reports it when opening the file
        return path
    if stat.S_ISCHR(state.st_mode) or stat.S_ISBLK(state.st_mode):
        raise UserError(f"{path} is a device: give a file or a pipe")
    if not stat.S_ISFIFO(state.st_mode):
        return path
    key = (state.st_dev, state.st_ino)
    if key not in _BUFFERED:
        suffix = next((suffix for suffix in COMPRESSED if path.endswith(suffix)), "")
        try:
            with open(path, "rb") as pipe, tempfile.NamedTemporaryFile("wb", prefix="translate-pipe-", suffix=suffix, delete=False) as file:
                atexit.register(_remove, file.name, os.getpid())
                shutil.copyfileobj(pipe, file)
        except OSError as error:
            raise UserError(
                f"{path}: could not be copied to {tempfile.gettempdir()}: {error.strerror or error}; set TMPDIR to a folder with enough space"
            ) from None
        _BUFFERED[key] = file.name
    return _BUFFERED[key]


def _remove(name: str, process: int) -> None:
    if os.getpid() == process:  # not in a fork
        with contextlib.suppress(OSError):
            os.unlink(name)
