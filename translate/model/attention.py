"""Multi-head attention (Vaswani et al. 2017, section 3.2), for self-attention and for cross-attention."""

from __future__ import annotations

import math
from typing import Literal, Optional, overload

import torch
from torch import Tensor, nn

from translate.model.kv_cache import LayerCache


@overload
def attend(query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None, is_causal: bool = False) -> Tensor: ...


@overload
def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None, is_causal: bool = False, *, need_weights: Literal[True]
) -> tuple[Tensor, Tensor]: ...


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None, is_causal: bool = False, *, need_weights: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """softmax(Q K^T / sqrt(d)) V: equation 1.

    Args:
        query: (B, H, T, d).
        key, value: (B, H, S, d).
        mask: broadcastable to (B, H, T, S), True = may attend, or numbers to add to the scores; None = everywhere. Every query must be allowed
            at least one key.
        is_causal: in place of a mask: position t may attend to positions up to t (section 3.2.3, third item).
        need_weights: return the weights too.

    Returns:
        (B, H, T, d), or that and the weights (B, H, T, S).
    """
    # Training on a CPU is faster with the products written out: sentences are short (bf16: 1.5 times, Zen 5).
    if not need_weights and (query.is_cuda or not torch.is_grad_enabled()):
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=is_causal)
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)  # (B, H, T, S)
    if is_causal:
        mask = causal_mask(query.shape[-2], query.device)
    if mask is not None:
        scores = scores.masked_fill_(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    weights = scores.softmax(dim=-1)
    output = weights.to(value.dtype) @ value
    return (output, weights) if need_weights else output


class SelfAttention(nn.Module):
    """Queries, keys and values from the same states, by one projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, states: Tensor, mask: Optional[Tensor] = None, is_causal: bool = False, cache: Optional[LayerCache] = None) -> Tensor:
        """states (B, T, D), mask broadcastable to (B, H, T, T) -> (B, T, D). With a cache, also over the keys and values of earlier positions."""
        projected = split_heads(self.query_key_value(states), 3, self.heads)  # (3, B, H, T, d)
        query, key, value = projected if cache is None else (projected[0], *cache.append(projected[1:]))
        return self.output(merge_heads(attend(query, key, value, mask, is_causal)))


class CrossAttention(nn.Module):
    """Queries from the decoder, keys and values from the encoder's output (section 3.2.3, first item)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def project(self, memory: Tensor) -> Tensor:
        """Keys and values of the encoder's output: (B, S, D) -> (2, B, H, S, d)."""
        return split_heads(self.key_value(memory), 2, self.heads)

    def forward(self, states: Tensor, key_value: Tensor, mask: Optional[Tensor]) -> Tensor:
        """states (B, T, D), key_value (2, B, H, S, d) from `project`, mask broadcastable to (B, H, T, S) -> (B, T, D)."""
        query = split_heads(self.query(states), 1, self.heads).squeeze(0)
        key, value = key_value
        return self.output(merge_heads(attend(query, key, value, mask)))


def split_heads(states: Tensor, parts: int, heads: int) -> Tensor:
    """(B, T, parts * D) -> (parts, B, H, T, d)."""
    B, T, _ = states.shape
    return states.view(B, T, parts, heads, -1).permute(2, 0, 3, 1, 4)


def merge_heads(states: Tensor) -> Tensor:
    """(B, H, T, d) -> (B, T, D)."""
    return states.transpose(1, 2).flatten(2)


def causal_mask(length: int, device: torch.device) -> Tensor:
    """(T, T): a position may attend to itself and to those before it."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()
