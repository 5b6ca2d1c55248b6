"""One update of the weights: from the batches of a step to a step of Adam (Vaswani et al. 2017, sections 5.3 and 5.4).

Called by run.py. A step that runs out of memory is repeated in smaller parts.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from translate.config import Config
from translate.data.batches import Batch, seed_of
from translate.data.objectives import target_part
from translate.device import autocast, compiled, is_out_of_memory
from translate.errors import UserError
from translate.kernels import for_training
from translate.model import Model
from translate.model.layers import set_dropout_generator
from translate.tokenizer import PAD
from translate.training.checkpoints import EMA
from translate.training.init import freeze
from translate.training.loss import loss_sum
from translate.training.optim import make_optimizer
from translate.training.ranks import Ranks


@dataclass(frozen=True)
class Update:
    """likelihood: summed negative log-likelihood of this rank's labels, in nats. finite: False if the step was skipped."""

    likelihood: Tensor
    tokens: int  # labels, of all ranks
    counted: int  # of these, those that speed and report count: see `counted_tokens`
    norm: float  # of the gradient
    finite: bool


class Features(nn.Module):
    """`model.features` as a module's forward pass, for DistributedDataParallel and torch.compile."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.model.features(source, target)


class Updater:
    """A model in training and its optimizer."""

    def __init__(self, model: Model, config: Config, device: torch.device, precision: torch.dtype, ranks: Ranks) -> None:
        self.model, self.config, self.device, self.precision, self.ranks = model, config, device, precision, ranks
        freeze(model, config.init.freeze)
        self.optimizer = make_optimizer(model, config.optim)
        if not config.training.compile:  # torch.compile makes its own kernels
            for_training(model, device)
        self.generator = torch.Generator(device)
        set_dropout_generator(model, self.generator)
        self.parallel = ranks.parallel(Features(model))
        self.forward = compiled(self.parallel) if config.training.compile else self.parallel

    def plan(self, texts: str, limits: str) -> str:
        """What will be done, for the log. texts: what there is to learn from; limits: for how long."""
        parameters, training = sum(parameter.numel() for parameter in self.model.parameters()), self.config.training
        most = f"up to {training.batch_tokens * training.accumulate:,} target tokens a step"
        return f"training {parameters:,} parameters on {texts}, {most}, for {limits}"

    def update(self, batches: list[Batch], step: int, rate: float, log: Callable[[str], None]) -> Update:
        """Do step number `step` (from 0). The loss is the mean over all target tokens of the batches, of all ranks."""
        self.model.train()
        tokens = sum(batch.tokens for batch in batches)
        likelihood = self._gradient([self.ranks.share(batch) for batch in batches], tokens, step, log)
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optim.clip or math.inf))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if math.isfinite(norm):
            self.optimizer.step()
            if self.config.training.ema:
                self._average()
        self.optimizer.zero_grad(set_to_none=True)
        return Update(likelihood, tokens, counted_tokens(self.model, batches), norm, math.isfinite(norm))

    @torch.no_grad()
    def _average(self) -> None:
        """Move the average of each weight towards the weight (Polyak and Juditsky 1992). It is kept, and saved, beside Adam's moments.

        The first averages look back less far: otherwise they would be those of the initial weights.
        """
        states = self.optimizer.state
        for parameter, state in states.items():
            state.setdefault(EMA, parameter.detach().clone())
        steps = max(float(state["step"]) for state in states.values())
        decay = min(self.config.training.ema, (1 + steps) / (10 + steps))
        torch._foreach_lerp_([state[EMA] for state in states.values()], list(states), 1 - decay)

    @contextlib.contextmanager
    @torch.no_grad()
    def averaged(self) -> Iterator[None]:
        """Within it, the model has the averages as its weights, if there are any."""
        weights = {parameter: parameter.detach().clone() for parameter in self.model.parameters() if EMA in self.optimizer.state.get(parameter, {})}
        for parameter in weights:
            parameter.copy_(self.optimizer.state[parameter][EMA])
        try:
            yield
        finally:
            for parameter, own in weights.items():
                parameter.copy_(own)

    def _gradient(self, batches: list[Batch], tokens: int, step: int, log: Callable[[str], None]) -> Tensor:
        """Backward pass of `batches`. If one runs out of memory, start over with that one in two halves."""
        while True:
            # the dropout of a step doesn't depend on earlier interruptions of the run
            self.generator.manual_seed(seed_of(self.config.training.seed, step, self.ranks.rank))
            likelihood = torch.zeros((), device=self.device)
            for index, batch in enumerate(batches):
                try:
                    likelihood += self._backward(batch.to(self.device), tokens, last=index == len(batches) - 1)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    break  # outside the handler, the step's tensors are freed
            else:
                return likelihood
            self.optimizer.zero_grad(set_to_none=True)
            sentences, longest = batch.source.shape[0], max(batch.source.shape[1], batch.labels.shape[1])
            # all ranks must run the same number of batches, since they wait for each other
            if sentences == 1 or self.ranks.size > 1:
                raise UserError(
                    f"out of memory at step {step + 1:,}, in a batch of {sentences:,} sentences of up to {longest:,} tokens: "
                    "lower training.batch_tokens and raise training.accumulate, or lower data.filters.max_tokens"
                )
            log(f"step {step + 1:,}: out of memory with {sentences:,} sentences of up to {longest:,} tokens; retrying in two parts")
            batches = [*batches[:index], *halves(batch), *batches[index + 1 :]]

    def _backward(self, batch: Batch, tokens: int, last: bool) -> Tensor:
        """Add the gradient of one batch; the `last` one averages those of the ranks. Returns the batch's negative log-likelihood."""
        settings = self.config.optim
        with contextlib.nullcontext() if last else self.ranks.no_sync(self.parallel):
            with autocast(self.device, self.precision):
                copies = 2 if settings.r_drop else 1
                features = self.forward(batch.source.repeat(copies, 1), batch.target.repeat(copies, 1))
                weight = self.model.output_weight
                smoothed, likelihood = loss_sum(features, weight, batch.labels, settings.label_smoothing, settings.r_drop)
            (smoothed * (self.ranks.size / tokens)).backward()  # DistributedDataParallel averages, this needs the sum
        return likelihood


def counted_tokens(model: Model, batches: Iterable[Batch]) -> int:
    """The tokens that a speed counts: of a model that translates the target's, also with a loss on the source, so that families compare."""
    labels = [target_part(batch.labels, batch.target) if model.translates else batch.labels for batch in batches]
    return sum(int((part != PAD).sum()) for part in labels)


def halves(batch: Batch) -> list[Batch]:
    """The first and the second half of the sentences, with the padding and `tokens` of the whole batch."""
    middle = -(-len(batch.source) // 2)
    return [
        Batch(batch.epoch, batch.position, batch.source[half], batch.target[half], batch.labels[half], batch.tokens)
        for half in (slice(middle), slice(middle, None))
    ]
