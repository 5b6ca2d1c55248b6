"""The logs of a training run: train.log and stderr for people, metrics.jsonl for programs, a progress bar on a terminal.

`RunLog` writes; `Meter` measures loss and speed.
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
from tqdm import tqdm

from translate.errors import UserError
from translate.training.update import Update

SAMPLES, SAMPLE_HEAD = "samples.txt", "# step "  # translations of the development set, at each validation


class Meter:
    """Loss and speed of the steps since the last log line, without the time of validations."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.reset()

    def reset(self) -> None:
        self.likelihood = torch.zeros((), device=self.device)  # stays on the device, to avoid a synchronization at each step
        self.labels, self.tokens, self.began = 0, 0, time.perf_counter()

    def add(self, update: Update) -> None:
        """Add a step."""
        self.likelihood += update.likelihood
        self.labels += update.tokens
        self.tokens += update.counted

    def pause(self, seconds: float) -> None:
        """Exclude these from the speed."""
        self.began += seconds

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(time.perf_counter() - self.began, 1e-9)


class RunLog:
    """The log of a run; a context manager. A `silent` one writes nothing."""

    def __init__(self, folder: Path, tensorboard: bool = False, silent: bool = False) -> None:
        self.silent, self.folder = silent, folder
        self.text = open(os.devnull if silent else folder / "train.log", "a", encoding="utf-8")
        self.metrics = open(os.devnull if silent else folder / "metrics.jsonl", "a+", encoding="utf-8")
        self.bar: tqdm[Any] | None = None
        self.topics: set[str] = set()  # of `once`
        self.board = _tensorboard(folder) if tensorboard and not silent else None

    def info(self, message: str) -> None:
        """One line, to stderr and train.log."""
        if self.silent:
            return
        line = f"{time.strftime('%H:%M:%S')} {message}"
        with contextlib.suppress(OSError):  # a closed terminal or pipe doesn't end the run
            tqdm.write(line, file=sys.stderr)
        self.text.write(line + "\n")
        self.text.flush()

    def once(self, topic: str, message: str) -> None:
        """`info`, but only for the first message of a topic."""
        if topic not in self.topics:
            self.topics.add(topic)
            self.info(message)

    def record(self, step: int, **values: Any) -> None:
        """One line of metrics.jsonl, and TensorBoard's scalars."""
        self.metrics.write(json.dumps({"step": step, **values}) + "\n")
        self.metrics.flush()
        for name, value in values.items():
            if self.board and isinstance(value, (int, float)):
                self.board.add_scalar(name, value, step)

    def cut_after(self, step: int) -> None:
        """Remove entries after `step`, where a resumed run begins, and incomplete lines from metrics.jsonl, samples.txt and TensorBoard."""
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
        """Draw the bar at `share` (0 to 1) of the budget; if stderr is not a terminal, log the status."""
        if self.bar is None:
            bar_format = "{percentage:3.0f}%|{bar}| {elapsed}, {remaining} left, {desc}"
            self.bar = tqdm(total=1.0, initial=share, bar_format=bar_format, file=sys.stderr, disable=None, dynamic_ncols=True, mininterval=0.5)
        if self.bar.disable:
            self.info(f"{share:4.0%} {status}")
        self.bar.set_description_str(status, refresh=False)
        self.bar.update(share - self.bar.n)

    def close(self) -> None:
        for output in (self.bar, self.board, self.metrics, self.text):
            if output is not None:
                output.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _step_of(line: str) -> float:
    """The step of a line of metrics.jsonl; infinity if the line is damaged."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


def _cut_samples(path: Path, step: int) -> None:
    """Remove the samples after `step`; each block begins with `# step N`."""
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
