"""Adam and the learning-rate schedules (Vaswani et al. 2017, section 5.3)."""

from __future__ import annotations

import math

import torch
from torch import nn

from translate.checks.finding import Finding
from translate.config import Config, OptimConfig

RATES = (3e-5, 2e-2)  # learning rates at their peak, for models of any size
MARIAN = 3e-4  # of the models that `translate import` reads (Junczys-Dowmunt et al. 2018), which don't say
TRAINED = 1.0  # times the rate that weights were trained with: above it the loss rises first
USUAL = 0.25  # of that rate, for hints


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """Adam, fused into one pass over the weights; decoupled weight decay on matrices only (Loshchilov and Hutter 2019)."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices, others = [parameter for parameter in trained if parameter.dim() >= 2], [parameter for parameter in trained if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True)


def learning_rate(config: OptimConfig, width: int, step: int, progress: float) -> float:
    """The rate of step `step` (from 1). `progress` is the share of the budget that is used up, 0 to 1.

    Linear and cosine fall to 0 at the end of the budget, in steps or minutes; the other two depend only on the step.
    """
    warmup = max(config.warmup, 1)
    if config.schedule == "noam":  # equation 3
        return float(config.rate * width**-0.5 * min(step**-0.5, step * warmup**-1.5))
    ramp = min(1.0, step / warmup)
    if config.schedule == "inverse_sqrt":
        return config.rate * min(ramp, math.sqrt(warmup / step))
    if config.schedule == "linear":
        return config.rate * ramp * (1 - progress)
    return config.rate * ramp * 0.5 * (1 + math.cos(math.pi * progress))


def check_schedule(config: Config, steps: int) -> Finding:
    """Whether the warm-up is a small enough part of `steps`, and the peak learning rate is usual for a Transformer."""
    warmup, share = config.optim.warmup, config.optim.warmup / max(1, steps)
    peak = learning_rate(config.optim, config.model.width, max(1, min(warmup, steps)), 0.0)
    if share > 0.5:
        rising = f"the learning rate rises during {'most' if share < 1 else 'all'} of it"
        text = f"optim.warmup is {warmup:,} steps and the training about {steps:,}: {rising}"
        return Finding("warning", "schedule", text, f"set optim.warmup={max(1, steps // 10)}, or train for longer")
    text = f"the learning rate rises to {peak:.2g} in the first {warmup:,} of {steps:,} steps (optim.warmup)"
    if not RATES[0] <= peak <= RATES[1]:
        hint = "set optim.rate" + (", which is a factor in schedule noam (1 is the paper's)" if config.optim.schedule == "noam" else "")
        return Finding("warning", "schedule", f"{text}: {RATES[0]:g} to {RATES[1]:g} is usual", hint)
    return Finding("ok", "schedule", text)


def check_start_rate(config: Config, other: Config, whose: str) -> Finding:
    """Whether the peak rate is low enough for weights that the run with the settings `other` has trained. whose: them, in words."""
    own, theirs = peak_rate(config), peak_rate(other) if other.data.train else MARIAN
    text = f"the learning rate rises to {own:.2g}, the weights of {whose} were trained with {theirs:.2g}"
    if own > TRAINED * theirs * 1.01:
        hint = f"optim.rate={config.optim.rate * USUAL * theirs / own:.2g} is {USUAL:g} of it"
        return Finding("warning", "rate", f"{text}: above that the loss rises first, and what they know is lost", hint)
    return Finding("ok", "rate", text)


def peak_rate(config: Config) -> float:
    """The greatest learning rate of the schedule, after its warm-up."""
    return learning_rate(config.optim, config.model.width, max(1, config.optim.warmup), 0.0)
