"""Turns SIGTERM and SIGHUP into an exception, so that no temporary file, lock or worker is left behind."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any


class Stopped(SystemExit):
    """`code`: 128 + the number of the signal, as a shell reports it."""

    code: int


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """Within the block, these signals raise `Stopped`; a second one ends the process immediately.

    A signal that is ignored, as under nohup, or that the calling program handles is left alone. Outside the main thread this does nothing.
    """
    old: dict[int, Any] = {}
    received: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)
        raise Stopped(128 + number)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # Windows has no SIGHUP
            if signal.getsignal(number) == signal.SIG_DFL:
                old[number] = signal.signal(number, stop)
    try:
        yield
    except BaseException:
        if received:  # a library may have turned it into another exception
            raise Stopped(128 + received[0]) from None
        raise
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
