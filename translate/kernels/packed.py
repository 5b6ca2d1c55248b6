"""A model for search on a CPU, with weights converted once and packed in the layout of the matrix-product library.

fp32 and bf16: oneDNN. A plain product in torch's CPU build either packs its weights again each time (bf16) or uses MKL (fp32), which runs at
half speed on AMD CPUs with AVX-512. For 5 to 320 rows, 256 x 768 to 256 x 8,000, fp32 is 2 to 5 times and bf16 1.1 to 2 times as fast
(2 cores, Zen 5).

fp16: FBGEMM, with fp32 inputs, weights stored in fp16 (11 significant bits; bf16 has 8) and fp32 accumulation. Half the bytes, and no kernel
lookup, which costs oneDNN some 30 microseconds per product. Compared with oneDNN's fp32: 4 to 5 times as fast for one row, 1.5 times for 20,
1.1 times for 320 (1 core, Zen 3).

It leaves in fp32 nn.GRU and nn.LSTM (of recurrent models the encoder, which runs once, and decoder layers above the first), and the parameters
of attention scores.

Plain twin: RoundedLinear. An fp32 search is 1.3x to 1.5x as fast in batches, 1.2x for one sentence at a time (1 core, Zen 5). Padding to
a few numbers of rows makes a greedy bf16 search of 1,000 lines 1.06x as fast and saves 120 MB (same CPU).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import torch
from torch import Tensor, nn

from translate.model import Model
from translate.model.layers import FeedForward

SIZES = 8  # oneDNN compiles a kernel of 0.2 MB for each number of rows, and caches the last 1,024
ROWS = 64  # number of rows to optimise the layout for; it works with any
PROJECTIONS = ("query_key_value", "query", "key_value")  # their outputs stay fp32 for attention and the KV cache


def missing_rows(rows: int) -> int:
    """Rows of padding, so that at most SIZES different numbers of rows occur between two powers of two."""
    return -rows % max(1, (1 << rows.bit_length()) // (2 * SIZES))


class PackedLinear(nn.Module):
    """x (..., in) -> f(x W^T + b) (..., out) by oneDNN in `precision`, where f is "none" or "relu"; the result has dtype `output`."""

    def __init__(self, weight: Tensor, bias: Optional[Tensor], precision: torch.dtype, output: torch.dtype, activation: str = "none") -> None:
        super().__init__()
        self.precision, self.output, self.activation = precision, output, activation
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(precision), ROWS)
        self.bias = None if bias is None else bias.detach().to(precision)

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != self.precision:  # calling Tensor.to costs time even if there is nothing to do
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
    """The same by FBGEMM with fp16 weights: x and the result are fp32."""

    def __init__(self, weight: Tensor, bias: Optional[Tensor], activation: str = "none") -> None:
        super().__init__()
        self.relu = activation == "relu"
        self.weight = torch.fbgemm_pack_gemm_matrix_fp16(weight.detach().float().contiguous())
        self.bias = None if bias is None else bias.detach().float()

    def forward(self, x: Tensor) -> Tensor:
        product = torch.fbgemm_linear_fp16_weight_fp32_activation(x, self.weight, self.bias)
        return product.relu_() if self.relu else product


class RoundedLinear(nn.Module):
    """The plain twin of both: torch's linear with weights rounded to `precision`."""

    def __init__(self, weight: Tensor, bias: Optional[Tensor], precision: torch.dtype, output: torch.dtype, activation: str = "none") -> None:
        super().__init__()
        self.relu, self.output = activation == "relu", output
        self.precision = torch.float32 if precision == torch.float16 else precision
        self.weight = weight.detach().to(precision).to(self.precision)
        self.bias = None if bias is None else bias.detach().to(self.precision)

    def forward(self, x: Tensor) -> Tensor:
        product = nn.functional.linear(x.to(self.precision), self.weight, self.bias).to(self.output)
        return product.relu() if self.relu else product


class Cast(nn.Module):
    """Placed after the embeddings: everything that follows is in `precision`."""

    def __init__(self, precision: torch.dtype) -> None:
        super().__init__()
        self.precision = precision

    def forward(self, states: Tensor) -> Tensor:
        return states.to(self.precision)


class PackedModel(nn.Module):
    """A model with packed linear layers, and a packed output layer instead of the embedding matrix."""

    def __init__(self, model: Model, output: nn.Module) -> None:
        super().__init__()
        self.model, self.config, self.output = model, model.config, output

    def encode(self, source: Tensor) -> Any:
        return self.model.encode(source)

    def cross_attention(self, target: Tensor, memory: Any, layer: int) -> Tensor:
        return self.model.cross_attention(target, memory, layer)

    def start(self, memory: Any) -> Any:
        return self.model.start(memory)

    def step(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
        features, state = self.model.step_features(last, state)
        return self.output(features), state


def pack(model: Model, precision: torch.dtype, kernels: bool = True) -> PackedModel:
    """Modifies `model` to run products in `precision` (see above); it can no longer be trained or saved.

    Uses the plain twins without `kernels`, or if the libraries are missing.
    """
    states = torch.bfloat16 if precision == torch.bfloat16 else torch.float32
    linear = _linear_class(precision, kernels and can_pack(precision))
    output = linear(model.output_weight, None, states, "none")
    for parent in list(model.modules()):
        if isinstance(parent, FeedForward) and isinstance(parent.inner, nn.Linear):
            fused = "relu" if isinstance(parent.activation, nn.ReLU) else "none"  # others are computed on their own
            parent.inner = linear(parent.inner.weight, parent.inner.bias, states, fused)
            parent.activation = nn.Identity() if fused == "relu" else parent.activation
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear):
                setattr(parent, name, linear(child.weight, child.bias, torch.float32 if name in PROJECTIONS else states, "none"))
    model.embedding_dropout = Cast(states) if states == torch.bfloat16 else nn.Identity()
    if states == torch.bfloat16:
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                module.to(states)
    return PackedModel(model, output)


def _linear_class(precision: torch.dtype, packed: bool) -> Callable[[Tensor, Optional[Tensor], torch.dtype, str], nn.Module]:
    """A constructor of linear layers from (weight, bias, dtype of the result, activation)."""
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
