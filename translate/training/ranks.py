"""Several processes that train one model together, as torchrun starts them; a process alone is the first of one.

Every rank takes its share of each batch, so that the batches are those of a process alone, and DistributedDataParallel (Li et al. 2020) adds the
gradients up. What depends on a clock, a signal or a file is decided by one rank for all: else they would drift apart.
"""

from __future__ import annotations

import contextlib
import datetime
import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from translate.data.batches import Batch
from translate.errors import UserError
from translate.tokenizer import PAD

T = TypeVar("T")
# for the first rank, which prepares the corpus, validates and saves; that a rank has died torchrun notices at once
LONGEST_WAIT = datetime.timedelta(hours=24)


@dataclass(frozen=True)
class Ranks:
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes and speaks."""
        return self.rank == 0

    def parallel(self, model: nn.Module) -> nn.Module:
        """`model`, its gradients averaged over the ranks as the backward pass goes along."""
        if self.size == 1:
            return model
        parallel = nn.parallel.DistributedDataParallel
        # the table of positions is the same in all; the option's name changed with torch 2.13, which warns of the old one
        names = inspect.signature(parallel).parameters
        option = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
        return parallel(model, gradient_as_bucket_view=True, **{option: False})

    def apart(self, model: nn.Module) -> contextlib.AbstractContextManager:
        """While it holds, gradients of `parallel`'s model add up in each rank alone."""
        return contextlib.nullcontext() if self.size == 1 else model.no_sync()

    def share(self, batch: Batch) -> Batch:
        """Every `size`-th sentence of `batch`: sorted by length, so each rank gets about as many tokens. `tokens` stays that of the whole.

        Where there is none left for this rank, it gets one without labels: it must take its part in the sum of the gradients.
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

    def greatest(self, value: int) -> int:
        if self.size == 1:
            return value
        distributed.all_reduce(shared := torch.tensor(value), distributed.ReduceOp.MAX)
        return int(shared)

    def wait(self) -> None:
        """Until all ranks are here."""
        if self.size > 1:
            distributed.all_reduce(torch.zeros(()))

    def from_first(self, make: Callable[[], T]) -> T:
        """What `make` returns in the first rank, where alone it runs. An exception there ends the others at once, without a word of their own."""
        if self.size == 1:
            return make()
        outcome: list = [False, None]
        try:
            if self.first:
                outcome = [True, make()]
        finally:  # also with an exception: else the others would wait for it
            distributed.broadcast_object_list(outcome, src=0, device=torch.device("cpu"))
        if not outcome[0]:
            raise SystemExit(2)
        return outcome[1]

    def after_first(self, make: Callable[[], T]) -> T:
        """What `make` returns in every rank; the others run it once it has returned in the first, and find what that wrote."""
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
