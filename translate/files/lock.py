"""One process at a time: a run folder in training, a file that a resumable job writes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from filelock import FileLock, Timeout

from translate.errors import UserError


@contextlib.contextmanager
def exclusive(path: str | os.PathLike[str], busy: str) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; afterwards it is gone. The lock goes with the process, however that ends.

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
            os.unlink(path)  # while it is held: who waits for it notices that it was unlinked
        lock.release()
