"""Modules that call their submodules directly, without nn.Module's overhead for attribute lookup and hooks.

Plain twin: the model itself. A search step consists of some 200 small operations, so the Python overhead counts.
Greedy search is 1.13x as fast for one sentence at a time, 1.02x to 1.03x in batches of 64 (fp32, 1 core, Zen 5).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from translate.model import Model
from translate.model.attention import CrossAttention
from translate.model.stack import StackAttention


def call_directly(model: Model) -> None:
    """Store each submodule as a plain attribute, which Python finds before nn.Module's lookup: its `forward`, if it is only called."""
    for parent in model.modules():
        for name, child in parent.named_children():
            vars(parent)[name] = _call_of(child)


def _call_of(module: nn.Module) -> Callable[..., Tensor] | nn.Module:
    if isinstance(module, nn.LayerNorm):
        weight, bias = module.weight.detach(), module.bias.detach()
        return partial(torch.layer_norm, normalized_shape=module.normalized_shape, weight=weight, bias=bias, eps=module.eps)
    if isinstance(module, (nn.Dropout, nn.Identity)):
        return _identity
    if isinstance(module, (nn.ModuleList, nn.Embedding, CrossAttention, StackAttention)):  # used other than by calling
        return module
    return module.forward


def _identity(states: Tensor) -> Tensor:
    return states
