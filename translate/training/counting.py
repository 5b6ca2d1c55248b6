"""One step of a model that learns by counting: all training sentences at once, in the place of update.py's step of Adam."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy
import pyarrow
import torch

from translate.data.batches import Batch
from translate.data.prepare import Prepared
from translate.model import Model
from translate.training.update import Update


class Counter:
    """What run.py needs of an Updater. The step doesn't depend on batches or a rate, and can be done again after an interruption."""

    def __init__(self, model: Model, data: Prepared) -> None:
        self.model, self.data = model, data
        self.optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters())  # of no use, but checkpoints save its state, which is empty

    def plan(self, texts: str, limits: str) -> str:
        """What will be done, for the log."""
        return f"counting n-grams of up to {self.model.config.order} pieces in {texts}"

    def update(self, batches: list[Batch], step: int, rate: float, log: Callable[[str], None]) -> Update:
        """Count all sentences."""
        tokens, lengths = target_tokens(self.data)
        self.model.learn(tokens, lengths)
        for entry in self.model.facts()["ngrams"]:
            log(f"order {entry['order']}: {entry['seen']:,} n-grams occur, of {short(entry['possible'])} that are possible")
        return Update(torch.zeros(()), len(tokens), len(tokens), 0.0, True)

    def averaged(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()


def target_tokens(data: Prepared) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The ids of all target sides, one after the other, EOS at the end of each; and their lengths."""
    column = data.dataset.data.column("target_ids")
    tokens = [chunk.flatten().to_numpy() for chunk in column.chunks]
    lengths = [pyarrow.compute.list_value_length(chunk).to_numpy() for chunk in column.chunks]
    return numpy.concatenate(tokens), numpy.concatenate(lengths).astype(numpy.int64)


def short(number: int) -> str:
    """A number of any size."""
    return f"{number:,}" if number < 10**9 else f"{number:.1e}"
