"""The signals that stop a run after the current step: from the user, a closing terminal, a cluster that reclaims the machine."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

# SIGUSR1, SIGUSR2: Slurm's --signal, before the time limit; SIGXCPU: the CPU time limit. Windows lacks most of them.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
ALWAYS = ("SIGINT", "SIGTERM")  # the others stay ignored if they are, as SIGHUP is under `nohup`


class Stopped(KeyboardInterrupt):
    """A run was saved and stopped by the signal `number`."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} at step {step:,} and saved; the same command resumes it")
        self.number = number


class Stop:
    """number: the first signal received, 0 if none."""

    def __init__(self) -> None:
        self.number, self.saving = 0, False

    @contextlib.contextmanager
    def defer(self) -> Iterator[None]:
        """Within the block, which saves, no signal ends the process."""
        self.saving = True
        try:
            yield
        finally:
            self.saving = False


@contextlib.contextmanager
def catch_signals(single: bool) -> Iterator[Stop]:
    """Within the block, a signal only sets Stop.number. A second one acts immediately, except during a save, and only in a `single` process:
    torchrun forwards signals that its processes have already got from the terminal. Does nothing outside the main thread, where Python handles
    no signals."""
    stop, old = Stop(), dict[int, Any]()  # the previous handlers
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def mark(number: int, _: object) -> None:
        if stop.number and single and not stop.saving:
            signal.signal(number, old[number])
            signal.raise_signal(number)  # on Windows os.kill would end the process without asking the handler
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
