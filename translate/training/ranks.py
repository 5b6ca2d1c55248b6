"""Data-parallel training by several processes, started by torchrun; a single process is the only rank.

Each rank takes its share of every batch, so the batches are those of a single process, and DistributedDataParallel (Li et al. 2020) averages the
gradients. One rank decides for all what depends on a clock, a signal or a file; otherwise the ranks would diverge.
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import importlib
import inspect
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from translate.data.batches import Batch
from translate.errors import UserError
from translate.tokenizer import PAD

T = TypeVar("T")
# while the first rank prepares the corpus, validates and saves; torchrun itself notices when a rank dies
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
        # the only buffer, the positions, is the same in all ranks; torch 2.13 renamed the option and warns about the old name
        names = inspect.signature(nn.parallel.DistributedDataParallel).parameters
        options: dict[str, Any] = {"forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers": False}
        return nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True, **options)

    def no_sync(self, model: nn.Module) -> contextlib.AbstractContextManager[None]:
        """Context in which the gradients of a model from `parallel` are not averaged: each rank accumulates its own."""
        return model.no_sync() if isinstance(model, nn.parallel.DistributedDataParallel) else contextlib.nullcontext()

    def share(self, batch: Batch) -> Batch:
        """Every `size`-th sentence of `batch`. Batches are sorted by length, so the ranks get about equally many tokens. `tokens` stays the total.

        A rank without a sentence gets one without labels, since every rank must take part in averaging the gradients.
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
        """Wait until all ranks get here."""
        if self.size > 1:
            distributed.all_reduce(torch.zeros(()))

    def from_first(self, make: Callable[[], T]) -> T:
        """Run `make` only in the first rank and return its result in all. If it raises, the other ranks exit without a message."""
        if self.size == 1:
            return make()
        outcome: list[Any] = [False, None]
        try:
            if self.first:
                outcome = [True, make()]
        finally:  # also after an exception: the others would wait forever
            distributed.broadcast_object_list(outcome, src=0, device=torch.device("cpu"))
        if not outcome[0]:
            raise SystemExit(2)
        result: T = outcome[1]
        return result

    def after_first(self, make: Callable[[], T]) -> T:
        """Run `make` in the first rank, then in the others, which find the files it wrote."""
        results: list[T] = []
        self.from_first(lambda: results.append(make()))
        return results[0] if results else make()


@contextlib.contextmanager
def join_ranks(device: torch.device) -> Iterator[Ranks]:
    """Context in which this process is connected to the ranks that torchrun started.

    At its end gloo's threads have ended too, if the caller keeps nothing that was made within it. One that lived on might release its last tensor
    while the interpreter shuts down, and that aborts the process ("terminate called without an active exception").
    """
    if not distributed.is_available() or not distributed.is_torchelastic_launched():
        yield Ranks()
        return
    if device.type == "cuda":
        if device.index != int(os.environ["LOCAL_RANK"]) and int(os.environ["LOCAL_WORLD_SIZE"]) > 1:
            raise UserError(f"training.device={device} gives every process the same GPU: set training.device=cuda, and each takes its own")
        torch.cuda.set_device(device)
    # DistributedDataParallel imports it, and the group that exists by then is a default of its functions' arguments, which keeps it forever
    importlib.import_module("torch.distributed.nn")
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # of the functions that made what holds the group, such as DistributedDataParallel
        raise
    finally:
        gc.collect()
        distributed.destroy_process_group()
