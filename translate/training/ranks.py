"""Several processes that train one model together, as torchrun starts them; a single process is the only rank.

Every rank takes its share of each batch, so that the batches are those of a single process, and DistributedDataParallel (Li et al. 2020) adds up
the gradients. What depends on a clock, a signal or a file is decided by one rank for all; otherwise they would diverge.
"""

from __future__ import annotations

import contextlib
import datetime
import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from translate.data.batches import Batch
from translate.errors import UserError
from translate.tokenizer import PAD

T = TypeVar("T")
# for the first rank, which prepares the corpus, validates and saves; torchrun notices at once when a rank dies
LONGEST_WAIT = datetime.timedelta(hours=24)


@dataclass(frozen=True)
class Ranks:
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes files and logs."""
        return self.rank == 0

    def parallel(self, model: nn.Module) -> nn.Module:
        """`model`, its gradients averaged over the ranks during the backward pass."""
        if self.size == 1:
            return model
        # the table of positions is the same in all; the option's name changed with torch 2.13, which warns of the old one
        names = inspect.signature(nn.parallel.DistributedDataParallel).parameters
        options: dict[str, Any] = {"forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers": False}
        return nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True, **options)

    def no_sync(self, model: nn.Module) -> contextlib.AbstractContextManager[None]:
        """Inside, the gradients of a model from `parallel` are not averaged: each rank adds up its own."""
        return model.no_sync() if isinstance(model, nn.parallel.DistributedDataParallel) else contextlib.nullcontext()

    def share(self, batch: Batch) -> Batch:
        """Every `size`-th sentence of `batch`: sorted by length, so each rank gets about as many tokens. `tokens` stays that of the whole.

        A rank for which none is left gets one without labels: it must take part in the sum of the gradients.
        """
        if self.size == 1:
            return batch
        source, target, labels = (part[self.rank :: self.size] for part in (batch.source, batch.target, batch.labels))
        if not len(source):
            source, target, labels = batch.source[:1], batch.target[:1], torch.full_like(batch.labels[:1], PAD)
        return Batch(batch.epoch, batch.position, source, target, labels, batch.tokens)

    def total(self, value: Tensor) -> Tensor:
        """The sum of all ranks' `value`."""
        if self.size > 1:
            distributed.all_reduce(value := value.clone())
        return value

    def maximum(self, value: int) -> int:
        if self.size == 1:
            return value
        distributed.all_reduce(shared := torch.tensor(value), distributed.ReduceOp.MAX)
        return int(shared)

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        if self.size > 1:
            distributed.all_reduce(torch.zeros(()))

    def from_first(self, make: Callable[[], T]) -> T:
        """Run `make` in the first rank only and return its result in all. An exception there ends the others at once, without messages of theirs."""
        if self.size == 1:
            return make()
        outcome: list[Any] = [False, None]
        try:
            if self.first:
                outcome = [True, make()]
        finally:  # even after an exception, or the others would wait for ever
            distributed.broadcast_object_list(outcome, src=0, device=torch.device("cpu"))
        if not outcome[0]:
            raise SystemExit(2)
        result: T = outcome[1]
        return result

    def after_first(self, make: Callable[[], T]) -> T:
        """Run `make` in the first rank, then in the others, which find the files that it wrote."""
        made: list[T] = []
        self.from_first(lambda: made.append(make()))
        return made[0] if made else make()


@contextlib.contextmanager
def join_ranks(device: torch.device) -> Iterator[Ranks]:
    """The ranks that torchrun started this process with, connected while the block runs."""
    if not distributed.is_available() or not distributed.is_torchelastic_launched():
        yield Ranks()
        return
    if device.type == "cuda":
        if device.index != int(os.environ["LOCAL_RANK"]) and int(os.environ["LOCAL_WORLD_SIZE"]) > 1:
            raise UserError(f"training.device={device} gives every process the same GPU: set training.device=cuda, and each takes its own")
        torch.cuda.set_device(device)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
