"""How far `translate file` is, on stderr: a bar in a terminal, elsewhere a line now and then and one at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO

FIRST, EVERY = 10, 30  # seconds until the first line, and between the others
SHORT = 5  # seconds: a job that takes no longer says nothing at its end


class Progress:
    """Follows the results of one job. `total`: how many are to come, None if unknown; `done`: how many of them were there before."""

    def __init__(self, total: int | None, output: TextIO, done: int = 0) -> None:
        self.total, self.begun_at = total, done
        self.count, self.start = done, time.monotonic()
        self.bar = sys.stderr.isatty() and not output.isatty()
        self.silent = sys.stderr.isatty() and output.isatty()  # the translations themselves show it

    def follow(self, results: Iterable) -> Iterator:
        if self.bar:
            from tqdm import tqdm

            yield from tqdm(results, total=self.total, initial=self.begun_at, unit=" lines", dynamic_ncols=True)
            return
        told = self.start + FIRST - EVERY
        for result in results:
            yield result
            self.count += 1
            if not self.silent and self.count != self.total and (now := time.monotonic()) - told >= EVERY:
                told = now
                print(f"translate: {self._so_far(now)}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """The last line, where there was time to wonder."""
        seconds = time.monotonic() - self.start
        if not self.bar and not self.silent and seconds >= SHORT:
            lines = self.count - self.begun_at
            print(f"translate: {lines:,} {'line' if lines == 1 else 'lines'} in {duration(seconds)}, {rate(lines / seconds)}", file=sys.stderr)

    def _so_far(self, now: float) -> str:
        speed = (self.count - self.begun_at) / max(now - self.start, 1e-9)
        if self.total is None:
            return f"{self.count:,} lines, {rate(speed)}"
        left = duration((self.total - self.count) / speed)
        return f"{self.count:,} of {self.total:,} lines, {rate(speed)}, about {left} left"


def rate(lines: float) -> str:
    return f"{lines:,.0f} lines/s" if lines >= 10 else f"{lines:.2g} lines/s"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
