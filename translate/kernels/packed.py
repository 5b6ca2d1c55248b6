"""A model for inference on a CPU: the weights of its products converted once, and laid out as the library reads them that multiplies.

fp32 and bf16: oneDNN. A plain product on torch's CPU build either arranges its weights anew each time (bf16) or goes to MKL (fp32), which on AMD's
processors with AVX-512 leaves half of the speed unused. Measured for 5 to 320 rows, 256 x 768 to 256 x 8,000: fp32 2 to 5 times, bf16 1.1 to 2
times as fast (2 cores, Zen 5).

fp16: FBGEMM, whose products take fp32 numbers and weights that are kept in fp16 (11 significant bits, where bf16 has 8) and add up in fp32. Half
the bytes, and no kernel to look up, which costs oneDNN some 30 microseconds a product: beside its fp32 ones 4 to 5 times as fast for one row, 1.5
times for 20, 1.1 times for 320 (1 core, Zen 3).
"""

from __future__ import annotations

from functools import partial
from typing import Optional

import torch
from torch import Tensor, nn

from translate.model.layers import FeedForward, Residual
from translate.model.transformer import Transformer

ROWS = 64  # of the products that the layout is chosen for; it serves any number
# oneDNN makes a kernel for each number of rows, a fifth of a megabyte, and keeps the last 1,024. The model therefore fills rows up, so that there
# are at most so many numbers between one power of two and the next (`fill` in transformer.py). Without it a small model took twice the memory, ever
# more as kernels came and went, and a third more time in greedy search.
SEARCH_GRAIN = 8


class PackedLinear(nn.Module):
    """x (..., in) -> f(x W^T + b) (..., out), f being "none" or "relu". What torch.compile makes of a linear layer whose weights are frozen."""

    def __init__(self, weight: Tensor, bias: Optional[Tensor], precision: torch.dtype, activation: str = "none") -> None:
        super().__init__()
        self.activation = activation
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(precision), ROWS)
        self.bias = None if bias is None else bias.detach().to(precision)

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.activation, [], "")


class Fp16WeightLinear(nn.Module):
    """The same product with weights in fp16: x and f(x W^T + b) are fp32."""

    def __init__(self, weight: Tensor, bias: Optional[Tensor], activation: str = "none") -> None:
        super().__init__()
        self.relu = activation == "relu"
        self.weight = torch.fbgemm_pack_gemm_matrix_fp16(weight.detach().float().contiguous())
        self.bias = None if bias is None else bias.detach().float()

    def forward(self, x: Tensor) -> Tensor:
        product = torch.fbgemm_linear_fp16_weight_fp32_activation(x, self.weight, self.bias)
        return product.relu_() if self.relu else product


CALLED = (PackedLinear, Fp16WeightLinear, FeedForward, Residual)  # whose attributes nobody asks for


def pack(model: Transformer, precision: torch.dtype) -> Transformer:
    """`model` itself, whose products run in `precision` from now on (see above); it can't be trained any more, or saved."""
    if not can_pack(precision):
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                module.to(precision)
        return model

    def packed(weight: Tensor, bias: Optional[Tensor], activation: str = "none") -> nn.Module:
        if precision == torch.float16:
            return Fp16WeightLinear(weight, bias, activation)
        return PackedLinear(weight, bias, precision, activation)

    model.output = packed(model.target_embedding.weight, None)
    model.search_grain = 0 if precision == torch.float16 else SEARCH_GRAIN
    if precision == torch.bfloat16:
        for embedding in (model.source_embedding, model.target_embedding):
            embedding.to(precision)
    for parent in list(model.modules()):
        if isinstance(parent, FeedForward):
            parent.inner = packed(parent.inner.weight, parent.inner.bias, "relu")
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear):
                setattr(parent, name, packed(child.weight, child.bias))
    shorten_calls(model)
    return model


def shorten_calls(model: Transformer) -> None:
    """Let modules find and call their parts without what nn.Module does at every turn for parameters and hooks.

    A step of a search consists of some 200 small operations, and what Python does around them is felt: without it a greedy search was 1.27
    times as fast for one sentence, 1.07 times in batches of 64 (1 core, Zen 3, fp16).
    """
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.LayerNorm):
                weight, bias = child.weight.detach(), child.bias.detach()
                vars(parent)[name] = partial(torch.layer_norm, normalized_shape=child.normalized_shape, weight=weight, bias=bias, eps=child.eps)
            else:
                vars(parent)[name] = child.forward if isinstance(child, CALLED) else child


def can_pack(precision: torch.dtype) -> bool:
    if precision == torch.float16:
        return True  # no other product takes such weights
    ops = torch.ops.mkldnn
    if not (torch.backends.mkldnn.is_available() and hasattr(ops, "_linear_pointwise") and hasattr(ops, "_reorder_linear_weight")):
        return False
    return precision == torch.float32 or ops._is_mkldnn_bf16_supported()
