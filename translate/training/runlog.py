"""What a training run tells: train.log and stderr for people, metrics.jsonl for programs, a progress bar where there is a terminal.

`RunLog` writes; `Meter` keeps the clock, and what was counted since the last line.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from translate.errors import UserError

SAMPLES, SAMPLE_HEAD = "samples.txt", "# step "  # of the development set, at each validation


class Meter:
    """Seconds of a run over all its starts; loss and tokens of the steps since the last line of the log."""

    def __init__(self, before: float = 0.0) -> None:
        """before: seconds of the earlier starts."""
        self.before, self.started = before, time.perf_counter()
        self.overtime_told = False

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.started

    def forget(self, tokens: int, device: torch.device) -> None:
        """Begin to count here, at `tokens` in all."""
        self.unlogged = torch.zeros((), device=device)
        self.told_tokens, self.told_seconds = tokens, self.seconds

    def add(self, likelihood: Tensor) -> None:
        self.unlogged += likelihood

    def pause(self, seconds: float) -> None:
        """Leave these, of a validation, out of the speed."""
        self.told_seconds += seconds

    def speed(self, tokens: int) -> float:
        """Tokens a second since the last line, at `tokens` in all."""
        return (tokens - self.told_tokens) / max(self.seconds - self.told_seconds, 1e-9)


class RunLog:
    """The log of one run folder; a context manager. A `silent` one takes everything and tells nothing."""

    def __init__(self, folder: Path, tensorboard: bool = False, silent: bool = False) -> None:
        self.silent, self.folder = silent, folder
        self.text = open(os.devnull if silent else folder / "train.log", "a", encoding="utf-8")
        self.metrics = open(os.devnull if silent else folder / "metrics.jsonl", "a+", encoding="utf-8")
        self.bar = None
        self.board = _tensorboard(folder) if tensorboard and not silent else None

    def say(self, message: str) -> None:
        """One line, to stderr and train.log."""
        if self.silent:
            return
        line = f"{time.strftime('%H:%M:%S')} {message}"
        with contextlib.suppress(OSError):  # a terminal that was closed, a pipe that nobody reads: the run outlives it
            tqdm.write(line, file=sys.stderr)
        self.text.write(line + "\n")
        self.text.flush()

    def record(self, step: int, **values: Any) -> None:
        """One line of metrics.jsonl, and TensorBoard's scalars."""
        self.metrics.write(json.dumps({"step": step, **values}) + "\n")
        self.metrics.flush()
        for name, value in values.items():
            if self.board and isinstance(value, (int, float)):
                self.board.add_scalar(name, value, step)

    def forget_after(self, step: int) -> None:
        """Drop what metrics.jsonl, samples.txt and TensorBoard hold past `step`, where a resumed run begins, and a line that was not finished."""
        if self.silent:
            return
        self.metrics.seek(0)
        kept = [line for line in self.metrics if line.endswith("\n") and _step_of(line) <= step]
        self.metrics.truncate(0)
        self.metrics.write("".join(kept))
        self.metrics.flush()
        _cut_samples(self.folder / SAMPLES, step)
        if self.board:
            self.board.close()
            self.board = _tensorboard(self.folder, purge_step=step + 1)

    def progress(self, share: float, status: str) -> None:
        """Draw the bar at `share` (0 to 1) of the budget; where stderr is no terminal, `say` the status."""
        if self.bar is None:
            form = "{percentage:3.0f}%|{bar}| {elapsed}, {remaining} left, {desc}"
            self.bar = tqdm(total=1.0, initial=share, bar_format=form, file=sys.stderr, disable=None, dynamic_ncols=True, mininterval=0.5)
        if self.bar.disable:
            self.say(f"{share:4.0%} {status}")
        self.bar.set_description_str(status, refresh=False)
        self.bar.update(share - self.bar.n)

    def close(self) -> None:
        for part in (self.bar, self.board, self.metrics, self.text):
            if part is not None:
                part.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _step_of(line: str) -> float:
    """Of a line of metrics.jsonl; infinite if it is damaged."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf


def _cut_samples(path: Path, step: int) -> None:
    """Samples are blocks that begin with `# step N`."""
    if not path.exists():
        return
    with open(path, "rb+") as file:
        while line := file.readline():
            number = line.removeprefix(SAMPLE_HEAD.encode()).strip()
            if line.startswith(SAMPLE_HEAD.encode()) and number.isdigit() and int(number) > step:
                file.truncate(file.tell() - len(line))
                return


def _tensorboard(folder: Path, **options: Any) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError("training.tensorboard=true needs TensorBoard: pip install 'translate-nmt[tensorboard]'") from None
    return SummaryWriter(str(folder / "tensorboard"), **options)
