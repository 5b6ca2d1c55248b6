"""The progress of `translate file` on stderr: a bar in a terminal, otherwise a line every 30 seconds and one at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

FIRST, EVERY = 10, 30  # seconds until the first line, and between the others
SHORT = 5  # seconds: a shorter job logs no line at its end

Result = TypeVar("Result")


def with_progress(results: Iterable[Result], total: int | None, output: TextIO, done: int = 0) -> Iterator[Result]:
    """Yield `results`, one per line, and show progress. total: all lines, None if unknown. done: lines finished before these."""
    if not sys.stderr.isatty():
        return _with_lines(results, total, done)
    if output.isatty():  # the translations themselves show the progress
        return iter(results)
    from tqdm import tqdm

    bar: Iterator[Result] = iter(tqdm(results, total=total, initial=done, unit=" lines", dynamic_ncols=True))
    return bar


def _with_lines(results: Iterable[Result], total: int | None, done: int) -> Iterator[Result]:
    start = time.monotonic()
    last, count = start + FIRST - EVERY, done
    for count, result in enumerate(results, done + 1):
        yield result
        if count != total and (now := time.monotonic()) - last >= EVERY:
            last = now
            print(f"translate: {so_far(count, total, (count - done) / max(now - start, 1e-9))}", file=sys.stderr, flush=True)
    if (seconds := time.monotonic() - start) >= SHORT:
        lines = count - done
        print(f"translate: {lines:,} {'line' if lines == 1 else 'lines'} in {duration(seconds)}, {rate(lines / seconds)}", file=sys.stderr)


def so_far(count: int, total: int | None, speed: float) -> str:
    """speed: lines a second."""
    if total is None:
        return f"{count:,} lines, {rate(speed)}"
    return f"{count:,} of {total:,} lines, {rate(speed)}, about {duration((total - count) / speed)} left"


def rate(lines: float) -> str:
    return f"{lines:,.0f} lines/s" if lines >= 10 else f"{lines:.2g} lines/s"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
