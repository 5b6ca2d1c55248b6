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
    old, heard = {}, []

    def stop(number: int, _: FrameType | None) -> None:
        heard.append(number)
        signal.signal(number, signal.SIG_DFL)
        raise Stopped(128 + number)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # Windows has one of them
            if signal.getsignal(number) == signal.SIG_DFL:
                old[number] = signal.signal(number, stop)
    try:
        yield
    except BaseException:
        if heard:  # a library may have made another exception of it, and a process that got the signal too may be missed
            raise Stopped(128 + heard[0]) from None
        raise
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
