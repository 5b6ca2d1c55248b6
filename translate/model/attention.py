"""Multi-head attention (Vaswani et al. 2017, section 3.2), for self-attention and for cross-attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, Optional, Protocol, overload

import torch
from torch import Tensor, nn

COLUMNS = 16  # a softmax on a CPU over fewer takes up to ten times as long as over these


def attention_weights(query: Tensor, key: Tensor, mask: Optional[Tensor] = None) -> Tensor:
    """softmax(Q K^T / sqrt(d)), the weights of equation 1: how much each query takes from each key.

    Args:
        query: (B, H, T, d).
        key: (B, H, S, d).
        mask: broadcastable to (B, H, T, S), True = may attend; None = everywhere. Every query must be allowed at least one key. Only the cache of
            search uses the other form, numbers that are added to the scores: 0 or -inf.

    Returns:
        (B, H, T, S), in fp32 at least; the weights of a query add up to 1.
    """
    return softmax(query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]), mask)


def softmax(scores: Tensor, mask: Optional[Tensor]) -> Tensor:
    """Scores (B, H, T, S), which it may overwrite, made into weights; mask and result as in `attention_weights`."""
    if mask is not None:
        scores = scores.masked_fill_(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    S = scores.shape[-1]
    scores = nn.functional.pad(scores, (0, max(0, COLUMNS - S)), value=float("-inf"))
    return scores.softmax(dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32))[..., :S]


@overload
def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None, is_causal: bool = False, *, need_weights: Literal[False] = False
) -> Tensor: ...
@overload
def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None, is_causal: bool = False, *, need_weights: Literal[True]
) -> tuple[Tensor, Tensor]: ...
def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None, is_causal: bool = False, *, need_weights: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """softmax(Q K^T / sqrt(d)) V: equation 1.

    Args:
        query, key, mask: as in `attention_weights`.
        value: (B, H, S, d).
        is_causal: instead of a mask: position t may attend to positions up to t (section 3.2.3, third item).
        need_weights: return the weights too.

    Returns:
        A tensor (B, H, T, d), or a pair of that and the weights (B, H, T, S).

    Raises:
        ValueError: both `mask` and `is_causal` are given.
    """
    if is_causal and mask is not None:
        raise ValueError("mask and is_causal are both given: leave one out")
    # torch's kernel computes the same, but sentences are short: training on a CPU is faster with the two products written out (bf16: 1.5 times,
    # Zen 5). Whether gradients are recorded tells training from search.
    training_on_cpu = torch.is_grad_enabled() and not query.is_cuda
    if not need_weights and not training_on_cpu:
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=is_causal)
    weights = attention_weights(query, key, causal_mask(query.shape[-2], query.device) if is_causal else mask)
    output = weights.to(value.dtype) @ value
    return (output, weights) if need_weights else output


class KeysValues(Protocol):
    """Keys and values of earlier positions, such as `LayerCache` in kv_cache.py."""

    def append(self, key_value: Tensor) -> Tensor:
        """Store those of T new positions, (2, B, H, T, d). Returns all, (2, B, H, length, d)."""
        ...


class SelfAttention(nn.Module):
    """Queries, keys and values from the same states, by one projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, states: Tensor, mask: Optional[Tensor] = None, is_causal: bool = False, cache: Optional[KeysValues] = None) -> Tensor:
        """states (B, T, D), mask broadcastable to (B, H, T, T) -> (B, T, D). With a cache, also over the keys and values of earlier positions."""
        projected = split_heads(self.query_key_value(states), 3, self.heads)  # (3, B, H, T, d)
        query, key, value = projected if cache is None else (projected[0], *cache.append(projected[1:]))
        return self.output(merge_heads(attend(query, key, value, mask, is_causal)))


class CrossAttention(nn.Module):
    """Queries from the decoder, keys and values from the encoder's output (section 3.2.3, first item).

    weigh: other weights than those of the scaled dot product, from attention_window.py.
    """

    def __init__(self, width: int, heads: int, weigh: Optional[Callable[..., Tensor]] = None) -> None:
        super().__init__()
        self.heads, self.weigh = heads, weigh
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def project(self, memory: Tensor) -> Tensor:
        """Keys and values of the encoder's output: (B, S, D) -> (2, B, H, S, d)."""
        return split_heads(self.key_value(memory), 2, self.heads)

    def forward(
        self, states: Tensor, key_value: Tensor, mask: Optional[Tensor], position: Optional[int] = None, queries: Optional[list[Tensor]] = None
    ) -> Tensor:
        """(B, T, D) -> (B, T, D).

        Args:
            states: (B, T, D).
            key_value: (2, B, H, S, d), from `project`.
            mask: broadcastable to (B, H, T, S).
            position: of all queries in the target, from 0, as in search; None: query t is at position t.
            queries: a list to which the queries are appended, (B, H, T, d); with the keys they tell the weights.
        """
        query = split_heads(self.query(states), 1, self.heads).squeeze(0)
        key, value = key_value
        if queries is not None:
            queries.append(query)
        if self.weigh is None:
            return self.output(merge_heads(attend(query, key, value, mask)))
        return self.output(merge_heads(self.weigh(query, key, mask, position).to(value.dtype) @ value))

    def weights(self, states: Tensor, key_value: Tensor, mask: Optional[Tensor]) -> Tensor:
        """How much each query takes from each source token, (B, H, T, S); arguments as in `forward`, query t at position t."""
        query = split_heads(self.query(states), 1, self.heads).squeeze(0)
        return attention_weights(query, key_value[0], mask) if self.weigh is None else self.weigh(query, key_value[0], mask)


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
