"""What a training run tells: train.log and stderr for people, metrics.jsonl for programs, a progress bar where there is a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from translate.errors import UserError


class RunLog:
    """The log of one run folder; a context manager. A `silent` one takes everything and tells nothing."""

    def __init__(self, folder: Path, tensorboard: bool = False, silent: bool = False) -> None:
        self.silent = silent
        self.text = open(os.devnull if silent else folder / "train.log", "a", encoding="utf-8")
        self.metrics = open(os.devnull if silent else folder / "metrics.jsonl", "a+", encoding="utf-8")
        self.bar = None
        self.board = _tensorboard(folder) if tensorboard and not silent else None

    def say(self, message: str) -> None:
        """One line, to stderr and train.log."""
        if self.silent:
            return
        line = f"{time.strftime('%H:%M:%S')} {message}"
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
        """Drop the lines of metrics.jsonl past `step`, where a resumed run begins; and a last line that was not finished."""
        if self.silent:
            return
        self.metrics.seek(0)
        kept = [line for line in self.metrics if line.endswith("\n") and json.loads(line)["step"] <= step]
        self.metrics.truncate(0)
        self.metrics.write("".join(kept))
        self.metrics.flush()

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


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError("training.tensorboard=true needs TensorBoard: pip install 'translate-nmt[tensorboard]'") from None
    return SummaryWriter(str(folder / "tensorboard"))
