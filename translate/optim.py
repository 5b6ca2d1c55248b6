"""Adam and the learning-rate schedules (Vaswani et al. 2017, section 5.3)."""

from __future__ import annotations

import math

import torch
from torch import nn

from translate.config import OptimConfig


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """Adam, fused into one pass over the weights; decoupled weight decay on matrices only (Loshchilov and Hutter 2019)."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    others = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True)


def learning_rate(config: OptimConfig, width: int, step: int, progress: float) -> float:
    """The rate of step `step` (from 1). `progress` is the share of the budget that is used up, 0 to 1.

    Linear and cosine fall to 0 with the budget, be it steps or minutes; the other two go by the step alone.
    """
    warmup = max(config.warmup, 1)
    if config.schedule == "noam":  # equation 3
        return config.rate * width**-0.5 * min(step**-0.5, step * warmup**-1.5)
    ramp = min(1.0, step / warmup)
    if config.schedule == "inverse_sqrt":
        return config.rate * min(ramp, math.sqrt(warmup / step))
    if config.schedule == "linear":
        return config.rate * ramp * (1 - progress)
    return config.rate * ramp * 0.5 * (1 + math.cos(math.pi * progress))
