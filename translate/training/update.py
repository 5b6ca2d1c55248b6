"""One update of the weights: from the batches of a step to a step of Adam (Vaswani et al. 2017, sections 5.3 and 5.4).

Below training.py, which says when; it knows neither files nor clocks. A step that memory does not hold is done again in smaller parts.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from translate.config import Config
from translate.data.batches import Batch, seed_of
from translate.device import autocast, compiled, is_out_of_memory
from translate.errors import UserError
from translate.kernels import for_training
from translate.model import Transformer
from translate.model.layers import set_dropout_generator
from translate.training.loss import loss_sum
from translate.training.optim import make_optimizer
from translate.training.ranks import Ranks


@dataclass(frozen=True)
class Update:
    """likelihood: negative log-likelihood of the labels of this rank, summed, in nats. finite: False where the weights were left as they were."""

    likelihood: Tensor
    tokens: int  # labels, of all ranks
    norm: float  # of the gradient
    finite: bool


class Features(nn.Module):
    """`model.features` as the forward pass of a module, as DistributedDataParallel and torch.compile need it."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.model.features(source, target)


class Updater:
    """A model in training and its optimizer."""

    def __init__(self, model: Transformer, config: Config, device: torch.device, precision: torch.dtype, ranks: Ranks) -> None:
        self.model, self.config, self.device, self.precision, self.ranks = model, config, device, precision, ranks
        self.optimizer = make_optimizer(model, config.optim)
        if not config.training.compile:  # which makes kernels of its own
            for_training(model, device, precision)
        self.generator = torch.Generator(device)
        set_dropout_generator(model, self.generator)
        self.parallel = ranks.parallel(Features(model))
        self.forward = compiled(self.parallel) if config.training.compile else self.parallel

    def update(self, batches: list[Batch], step: int, rate: float, say: Callable[[str], None]) -> Update:
        """Step number `step` (from 0). The loss is the mean over all target tokens of the batches, of all ranks."""
        self.model.train()
        tokens = sum(batch.tokens for batch in batches)
        likelihood = self._gradient([self.ranks.share(batch) for batch in batches], tokens, step, say)
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optim.clip or math.inf))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if math.isfinite(norm):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return Update(likelihood, tokens, norm, math.isfinite(norm))

    def _gradient(self, batches: list[Batch], tokens: int, step: int, say: Callable[[str], None]) -> Tensor:
        """Backward through `batches`. Out of memory: all of them again, the one that failed in two."""
        while True:
            # dropout is that of the step, however often the run was stopped before
            self.generator.manual_seed(seed_of(self.config.training.seed, step, self.ranks.rank))
            likelihood = torch.zeros((), device=self.device)
            for place, batch in enumerate(batches):
                try:
                    likelihood += self._backward(batch.to(self.device), tokens, last=place == len(batches) - 1)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    break  # outside of the handler nothing holds on to what the step had computed
            else:
                return likelihood
            self.optimizer.zero_grad(set_to_none=True)
            sentences, longest = batch.source.shape[0], max(batch.source.shape[1], batch.labels.shape[1])
            # ranks that wait for each other must run through the same number of batches
            if sentences == 1 or self.ranks.size > 1:
                raise UserError(
                    f"out of memory at step {step + 1:,}, in a batch of {sentences:,} sentences of up to {longest:,} tokens: "
                    "lower training.batch_tokens and raise training.accumulate, or lower data.filters.max_tokens"
                )
            say(f"step {step + 1:,}: out of memory with {sentences:,} sentences of up to {longest:,} tokens; again in two parts")
            batches = [*batches[:place], *halves(batch), *batches[place + 1 :]]

    def _backward(self, batch: Batch, tokens: int, last: bool) -> Tensor:
        """Add the gradient of one batch; the ranks share theirs with the `last`. Returns its negative log-likelihood."""
        settings = self.config.optim
        with contextlib.nullcontext() if last else self.ranks.no_sync(self.parallel):
            with autocast(self.device, self.precision):
                copies = 2 if settings.r_drop else 1
                features = self.forward(batch.source.repeat(copies, 1), batch.target.repeat(copies, 1))
                weight = self.model.target_embedding.weight
                smoothed, likelihood = loss_sum(features, weight, batch.labels, settings.label_smoothing, settings.r_drop)
            (smoothed * (self.ranks.size / tokens)).backward()  # the gradients of the ranks are averaged
        return likelihood


def halves(batch: Batch) -> list[Batch]:
    """The first and the second half of its sentences; each keeps the padding and `tokens` of the whole."""
    middle = -(-len(batch.source) // 2)
    return [
        Batch(batch.epoch, batch.position, batch.source[part], batch.target[part], batch.labels[part], batch.tokens)
        for part in (slice(middle), slice(middle, None))
    ]
