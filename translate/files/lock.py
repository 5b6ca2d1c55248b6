"""Lock files: one process at a time trains in a run folder, or writes the file of a resumable job."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from filelock import FileLock, Timeout

from translate.errors import UserError


@contextlib.contextmanager
def exclusive(path: str | os.PathLike[str], busy: str) -> Iterator[None]:
    """Hold the lock file `path` during the block, then remove it. The lock is released when the process ends, however it ends.

    UserError(busy) if another process holds it; UserError if it cannot be written.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(busy) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)  # while still locked: a waiting process notices that it was unlinked
        lock.release()
