"""SIGTERM and SIGHUP end a command as an exception does, so that no temporary file, lock or worker is left behind."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stopped(SystemExit):
    """By the signal whose number is in `code`, plus 128 as a shell reports it."""


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """While the block runs, these signals raise `Stopped` in it; a second one ends the process at once.

    One that is ignored stays so, as under nohup, and one that the calling program has a handler for. Outside the main thread nothing changes.
    """
    old = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # Windows has one of them
            if signal.getsignal(number) == signal.SIG_DFL:
                old[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise Stopped(128 + number)
