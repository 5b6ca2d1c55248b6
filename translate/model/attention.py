"""Multi-head attention (Vaswani et al. 2017, section 3.2), for self-attention and for cross-attention.

The products are written out, not handed to `scaled_dot_product_attention`: sentences are short, so a batched product with the mask as
its addend is faster on CPUs (and far faster in bf16); on CUDA the fused kernel is used.
"""

from __future__ import annotations

import math
from typing import Optional

import torch
from torch import Tensor, nn


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor]) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V: equation 1.

    query (B, H, T, d); key, value (B, H, S, d); mask broadcastable to (B, H, T, S): boolean, True = may attend, or numbers that are added to
    the scores; None = everywhere.
    Every query must be allowed at least one key. Returns (B, H, T, d).
    """
    if query.is_cuda:
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    scores = (query * (1 / math.sqrt(query.shape[-1]))) @ key.transpose(-1, -2)  # (B, H, T, S)
    if mask is not None:
        scores = scores.masked_fill_(~mask, float("-inf")) if mask.dtype == torch.bool else scores.add_(mask)
    return scores.softmax(dim=-1).to(value.dtype) @ value


class SelfAttention(nn.Module):
    """Queries, keys and values from the same states, by one projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, states: Tensor, mask: Optional[Tensor]) -> Tensor:
        """states (B, T, D), mask broadcastable to (B, H, T, T) -> (B, T, D)."""
        joint = self.project(states)
        if not (self.training or states.is_cuda):
            # a search meets ever new shapes, and for each of them oneDNN would make, and keep, a bf16 kernel
            return self.output(join_heads(attend(*joint.float().unbind(0), mask)).to(states.dtype))
        return self.output(join_heads(attend(*joint.unbind(0), mask)))

    def project(self, states: Tensor) -> Tensor:
        """(B, T, D) -> (3, B, H, T, d): query, key, value."""
        B, T, D = states.shape
        return self.query_key_value(states).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)


class CrossAttention(nn.Module):
    """Queries from the decoder, keys and values from the encoder's output (section 3.2.3, first item)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, states: Tensor, memory: Tensor, mask: Optional[Tensor]) -> Tensor:
        """states (B, T, D), memory (B, S, D), mask broadcastable to (B, H, T, S) -> (B, T, D)."""
        query = split_heads(self.query(states), self.heads)
        return self.output(join_heads(attend(query, *self.remember(memory), mask)))

    def remember(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the encoder's output: (B, S, D) -> two of (B, H, S, d)."""
        B, S, D = memory.shape
        joint = self.key_value(memory).view(B, S, 2, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        return joint.unbind(0)


def split_heads(states: Tensor, heads: int) -> Tensor:
    """(B, T, D) -> (B, H, T, d)."""
    B, T, D = states.shape
    return states.view(B, T, heads, D // heads).transpose(1, 2)


def join_heads(states: Tensor) -> Tensor:
    """(B, H, T, d) -> (B, T, D)."""
    B, H, T, d = states.shape
    return states.transpose(1, 2).reshape(B, T, H * d)


def causal_mask(length: int, device: torch.device) -> Tensor:
    """(T, T): a position may attend to itself and to those before it (section 3.2.3, third item)."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()
