"""A linear layer whose training in bf16 on a CPU makes no pass over memory but those of its three products: oneDNN adds the bias, and cuts off what
is below 0, while it writes the result."""

from __future__ import annotations

import functools
from typing import Any, Optional

import torch
from torch import Tensor, nn


def missing_rows(rows: int, numbers: int) -> int:
    """By how many rows to fill up so many, for there to be at most `numbers` sizes between one power of two and the next.

    oneDNN makes, and keeps, a kernel for each number of rows.
    """
    return -rows % max(1, (1 << rows.bit_length()) // (2 * numbers))


class Linear(nn.Linear):
    """x (N, in) -> x W^T + b (N, out), or with `relu` max(0, x W^T + b)."""

    def __init__(self, inputs: int, outputs: int, relu: bool = False) -> None:
        super().__init__(inputs, outputs)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.bfloat16 and torch.is_grad_enabled() and not (x.is_cuda or torch.compiler.is_compiling()) and _available():
            return _Linear.apply(x, self.weight, self.bias, self.relu)
        product = super().forward(x)
        return product.relu() if self.relu else product


@functools.cache
def _available() -> bool:
    ops = torch.ops.mkldnn
    return torch.backends.mkldnn.is_available() and hasattr(ops, "_linear_pointwise") and ops._is_mkldnn_bf16_supported()


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor, relu: bool) -> Tensor:
        matrix = weight.to(x.dtype)
        product = torch.ops.mkldnn._linear_pointwise(x, matrix, bias.to(x.dtype), "relu" if relu else "none", [], "")
        context.relu = relu
        context.save_for_backward(x, matrix, *[product] * relu)
        return product

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Optional[Tensor], ...]:
        x, matrix, *product = context.saved_tensors
        if product:
            gradient = torch.ops.aten.threshold_backward(gradient, product[0], 0)
        return gradient @ matrix, (gradient.T @ x).float(), gradient.sum(0).float(), None
