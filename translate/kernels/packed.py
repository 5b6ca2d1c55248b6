"""A model for search on a CPU: the weights of its products are converted once, and laid out as the library reads them that multiplies.

fp32 and bf16: oneDNN. A plain product on torch's CPU build either arranges its weights anew each time (bf16) or goes to MKL (fp32), which on AMD's
processors with AVX-512 leaves half of the speed unused. Measured for 5 to 320 rows, 256 x 768 to 256 x 8,000: fp32 2 to 5 times, bf16 1.1 to 2
times as fast (2 cores, Zen 5).

fp16: FBGEMM, whose products take fp32 numbers and weights that are kept in fp16 (11 significant bits, where bf16 has 8) and add up in fp32. Half
the bytes, and no kernel to look up, which costs oneDNN some 30 microseconds a product: beside its fp32 ones 4 to 5 times as fast for one row, 1.5
times for 20, 1.1 times for 320 (1 core, Zen 3).

Plain twin: RoundedLinear. Buys 1.3x to 1.5x of an fp32 search in batches, 1.2x of one sentence at a time (1 core, Zen 5). Padding rows to few
numbers buys 1.06x of a greedy bf16 search of 1,000 lines, and 120 MB (the same CPU).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

import torch
from torch import Tensor, nn

from translate.kernels.residual_stream import Cast
from translate.model import KVCache, Memory, Transformer
from translate.model.layers import FeedForward

SIZES = 8  # oneDNN makes a kernel for each number of rows, a fifth of a megabyte, and keeps the last 1,024
ROWS = 64  # of the products that the layout is chosen for; it serves any number
PROJECTIONS = ("query_key_value", "query", "key_value")  # what attention and its cache compute with stays fp32


def missing_rows(rows: int) -> int:
    """By how many rows to pad, for there to be at most SIZES numbers of rows between one power of two and the next."""
    return -rows % max(1, (1 << rows.bit_length()) // (2 * SIZES))


class PackedLinear(nn.Module):
    """x (..., in) -> f(x W^T + b) (..., out) by oneDNN in `precision`, f being "none" or "relu"; the result is in `output`."""

    def __init__(self, weight: Tensor, bias: Optional[Tensor], precision: torch.dtype, output: torch.dtype, activation: str = "none") -> None:
        super().__init__()
        self.precision, self.output, self.activation = precision, output, activation
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(precision), ROWS)
        self.bias = None if bias is None else bias.detach().to(precision)

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != self.precision:  # without the question Tensor.to would take its time where there is nothing to do
            x = x.to(self.precision)
        shape = x.shape
        rows = x.numel() // shape[-1]
        missing = missing_rows(rows) if rows >= 2 * SIZES else 0
        if missing:
            x = nn.functional.pad(x.view(rows, -1), (0, 0, 0, missing))
        product = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.activation, [], "")
        if missing:
            product = product[:rows].view(*shape[:-1], -1)
        return product if product.dtype == self.output else product.to(self.output)


class Fp16WeightLinear(nn.Module):
    """The same by FBGEMM with weights in fp16: x and the result are fp32."""

    def __init__(self, weight: Tensor, bias: Optional[Tensor], activation: str = "none") -> None:
        super().__init__()
        self.relu = activation == "relu"
        self.weight = torch.fbgemm_pack_gemm_matrix_fp16(weight.detach().float().contiguous())
        self.bias = None if bias is None else bias.detach().float()

    def forward(self, x: Tensor) -> Tensor:
        product = torch.fbgemm_linear_fp16_weight_fp32_activation(x, self.weight, self.bias)
        return product.relu_() if self.relu else product


class RoundedLinear(nn.Module):
    """The plain twin of both: a product of torch's own, with weights rounded to `precision`."""

    def __init__(self, weight: Tensor, bias: Optional[Tensor], precision: torch.dtype, output: torch.dtype, activation: str = "none") -> None:
        super().__init__()
        self.relu, self.output = activation == "relu", output
        self.precision = torch.float32 if precision == torch.float16 else precision
        self.weight = weight.detach().to(precision).to(self.precision)
        self.bias = None if bias is None else bias.detach().to(self.precision)

    def forward(self, x: Tensor) -> Tensor:
        product = nn.functional.linear(x.to(self.precision), self.weight, self.bias).to(self.output)
        return product.relu() if self.relu else product


class PackedTransformer(nn.Module):
    """A model whose linear layers are packed, and its output layer, for which the model itself takes the embedding matrix."""

    def __init__(self, model: Transformer, output: nn.Module) -> None:
        super().__init__()
        self.model, self.config, self.output = model, model.config, output

    def encode(self, source: Tensor) -> Memory:
        return self.model.encode(source)

    def start(self, memory: Memory) -> KVCache:
        return self.model.start(memory)

    def step(self, last: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
        features, cache = self.model.step_features(last, cache)
        return self.output(features), cache


def pack(model: Transformer, precision: torch.dtype, kernels: bool = True) -> PackedTransformer:
    """`model` itself, whose products run in `precision` from now on (see above); it can't be trained any more, or saved.

    Without `kernels`, or where the libraries lack them, by the plain twins.
    """
    states = torch.bfloat16 if precision == torch.bfloat16 else torch.float32
    linear = _linear_class(precision, kernels and can_pack(precision))
    output = linear(model.target_embedding.weight, None, states, "none")
    for parent in list(model.modules()):
        if isinstance(parent, FeedForward) and isinstance(parent.inner, nn.Linear):
            parent.inner, parent.activation = linear(parent.inner.weight, parent.inner.bias, states, "relu"), nn.Identity()
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear):
                setattr(parent, name, linear(child.weight, child.bias, torch.float32 if name in PROJECTIONS else states, "none"))
    model.embedding_dropout = Cast(states) if states == torch.bfloat16 else nn.Identity()
    if states == torch.bfloat16:
        for embedding in (model.source_embedding, model.target_embedding):
            embedding.to(states)
    return PackedTransformer(model, output)


def _linear_class(precision: torch.dtype, packed: bool) -> Callable[[Tensor, Optional[Tensor], torch.dtype, str], nn.Module]:
    """What makes a linear layer of (weight, bias, precision of the result, activation)."""
    if not packed:
        return lambda weight, bias, output, activation: RoundedLinear(weight, bias, precision, output, activation)
    if precision == torch.float16:
        return lambda weight, bias, output, activation: Fp16WeightLinear(weight, bias, activation)
    return lambda weight, bias, output, activation: PackedLinear(weight, bias, precision, output, activation)


def can_pack(precision: torch.dtype) -> bool:
    if precision == torch.float16:
        return hasattr(torch, "fbgemm_pack_gemm_matrix_fp16")
    ops = torch.ops.mkldnn
    if not (torch.backends.mkldnn.is_available() and hasattr(ops, "_linear_pointwise") and hasattr(ops, "_reorder_linear_weight")):
        return False
    return precision == torch.float32 or ops._is_mkldnn_bf16_supported()
