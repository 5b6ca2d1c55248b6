"""A corpus that comes through a pipe, such as <(zstdcat FILE): it can be read once only, so it is held in a temporary file for this process."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import stat
import tempfile

from translate.errors import UserError
from translate.text.lines import COMPRESSED

_HELD: dict[tuple[int, int], str] = {}  # names of the temporary files by device and inode of the pipe; they go when the process ends


def held(path: str) -> str:
    """The path of what came through the pipe at `path`; of anything else `path` itself.

    Waits for the pipe's end. UserError where there is no room, and for a device: it may have no end.
    """
    try:
        state = os.stat(path)
    except OSError:  # whoever opens it says what is wrong
        return path
    if stat.S_ISCHR(state.st_mode) or stat.S_ISBLK(state.st_mode):
        raise UserError(f"{path}: it is a device: give a file, or a pipe")
    if not stat.S_ISFIFO(state.st_mode):
        return path
    key = (state.st_dev, state.st_ino)
    if key not in _HELD:
        suffix = next((suffix for suffix in COMPRESSED if path.endswith(suffix)), "")
        try:
            with open(path, "rb") as pipe, tempfile.NamedTemporaryFile("wb", prefix="translate-pipe-", suffix=suffix, delete=False) as file:
                atexit.register(_remove, file.name, os.getpid())
                shutil.copyfileobj(pipe, file)
        except OSError as error:
            raise UserError(
                f"{path}: cannot be held in {tempfile.gettempdir()}: {error.strerror or error}; set TMPDIR to a folder with room"
            ) from None
        _HELD[key] = file.name
    return _HELD[key]


def _remove(name: str, process: int) -> None:
    if os.getpid() == process:  # not in a copy of the process
        with contextlib.suppress(OSError):
            os.unlink(name)
