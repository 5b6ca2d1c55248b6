"""The signals that stop a run after the current step: from users, a terminal that closes, a cluster that takes its machine back."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

# SIGUSR1, SIGUSR2: Slurm's --signal, before the time limit; SIGXCPU: a limit of CPU time. Windows lacks most of them.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
ALWAYS = ("SIGINT", "SIGTERM")  # the others are left alone where they are ignored, as `nohup` does with SIGHUP


class Stopped(KeyboardInterrupt):
    """A run was stopped by the signal `number`, after it had been saved."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} at step {step:,} and saved; the same command goes on from here")
        self.number = number


class Stop:
    """number: of the first signal, 0 so far."""

    def __init__(self) -> None:
        self.number, self.saving = 0, False

    @contextlib.contextmanager
    def defer(self) -> Iterator[None]:
        """While the block runs, a save, no signal ends the process."""
        self.saving = True
        try:
            yield
        finally:
            self.saving = False


@contextlib.contextmanager
def catch_signals(single: bool) -> Iterator[Stop]:
    """While the block runs, a signal only sets Stop.number. A second one acts at once, except during a save, and only in a `single` process:
    torchrun forwards signals that its processes have already got from the terminal. Outside the main thread Python has no signals, and nothing
    changes."""
    stop, old = Stop(), dict[int, Any]()  # the handlers that were there
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def mark(number: int, _: object) -> None:
        if stop.number and single and not stop.saving:
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
