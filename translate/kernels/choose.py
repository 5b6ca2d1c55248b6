"""Which kernels to use: `for_training` and `for_search` are called by those who own a model, who then use it like any other."""

from __future__ import annotations

import os

import torch
from torch import nn

from translate.errors import UserError
from translate.kernels.direct_calls import call_directly
from translate.kernels.dropout import ByteDropout
from translate.kernels.packed import PackedTransformer, pack
from translate.kernels.residual_stream import Cast
from translate.model import Transformer
from translate.model.layers import Dropout

VARIABLE = "TRANSLATE_KERNELS"


def use_kernels() -> bool:
    """Whether to use kernels: unless TRANSLATE_KERNELS is "plain". UserError for an unknown value."""
    value = os.environ.get(VARIABLE, "auto")
    if value not in ("auto", "plain"):
        raise UserError(f"{VARIABLE} is {value!r}: choose auto or plain, or unset it")
    return value == "auto"


def for_training(model: Transformer, device: torch.device, precision: torch.dtype) -> None:
    """Put kernels into `model` on a CPU, to train it under autocast to `precision`. Its parameters, and their names, stay."""
    if not use_kernels() or device.type != "cpu":
        return
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is Dropout:
                setattr(parent, name, ByteDropout(child.p))
    if precision == torch.bfloat16:
        model.embedding_dropout = nn.Sequential(Cast(precision), model.embedding_dropout)


def for_search(model: Transformer, device: torch.device, precision: torch.dtype) -> Transformer | PackedTransformer:
    """`model` made ready to search in `precision`; it can't be trained or saved any more."""
    model.eval()
    if device.type == "cpu":
        packed = pack(model, precision, use_kernels())
        if use_kernels():
            call_directly(model)
        return packed
    return model.requires_grad_()  # autocast keeps what it converts only of weights that may have a gradient
