"""The signals that stop a run after the step under way: of users, of a terminal that closes, of a cluster that takes its machine back."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

# SIGUSR1, SIGUSR2: Slurm's --signal, before the time limit; SIGXCPU: a limit of CPU time. Windows lacks most of them.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
ALWAYS = ("SIGINT", "SIGTERM")  # the others stay ignored where they were: `nohup` does so with SIGHUP


class Stopped(KeyboardInterrupt):
    """A run was stopped by the signal `number`, after it had been saved."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} at step {step:,} and saved; the same command goes on from here")
        self.number = number


class Stop:
    """number: of the first signal that came, 0 while none has."""

    def __init__(self) -> None:
        self.number, self.saving = 0, False

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """While the block runs, a save, no signal ends the process."""
        self.saving = True
        try:
            yield
        finally:
            self.saving = False


@contextlib.contextmanager
def marking_signals(alone: bool) -> Iterator[Stop]:
    """While the block runs, signals only set a mark. A second one acts at once, but not during a save and not unless the process is `alone`:
    torchrun hands on what every process of a terminal has got already. Python handles signals in the main thread: in another nothing changes."""
    stop, old = Stop(), dict[int, Any]()  # the handlers that were there
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def mark(number: int, _: object) -> None:
        if stop.number and alone and not stop.saving:
            signal.signal(number, old[number])
            os.kill(os.getpid(), number)
        stop.number = stop.number or number

    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and (name in ALWAYS or signal.getsignal(number) != signal.SIG_IGN):
            old[number] = signal.signal(number, mark)
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
