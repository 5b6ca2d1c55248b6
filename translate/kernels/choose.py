"""Which kernels to use. The owner of a model calls `for_training` or `for_search`, and then uses the model as usual."""

from __future__ import annotations

import os

import torch

from translate.errors import UserError
from translate.kernels.direct_calls import call_directly
from translate.kernels.dropout import ByteDropout
from translate.kernels.packed import PackedModel, pack
from translate.model import Model
from translate.model.layers import Dropout

VARIABLE = "TRANSLATE_KERNELS"


def use_kernels() -> bool:
    """Whether to use kernels: unless TRANSLATE_KERNELS is "plain". UserError for an unknown value."""
    value = os.environ.get(VARIABLE, "auto")
    if value not in ("auto", "plain"):
        raise UserError(f"{VARIABLE} is {value!r}: choose auto or plain, or unset it")
    return value == "auto"


def for_training(model: Model, device: torch.device) -> None:
    """On a CPU, put kernels into `model` for training. Parameters and their names stay the same."""
    if not use_kernels() or device.type != "cpu":
        return
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is Dropout:
                setattr(parent, name, ByteDropout(child.p))


def for_search(model: Model, device: torch.device, precision: torch.dtype) -> Model | PackedModel:
    """`model`, prepared for search in `precision`; it can no longer be trained or saved."""
    model.eval()
    if model.learns_by_counting:  # a table, without products
        return model
    if device.type == "cpu":
        packed = pack(model, precision, use_kernels())
        if use_kernels():
            call_directly(model)
        return packed
    return model.requires_grad_()  # autocast caches converted weights only if they require gradients
