"""Multi-head attention (Vaswani et al. 2017, section 3.2), for self-attention and for cross-attention.

States are rows, (N, D): T of the first sentence, T of the second and so on, then such as only fill up N (see `fill` in transformer.py). All
products but those of the attention itself are then of plain matrices; `shape`, (B, T), says where the sentences lie.

The attention's products are written out, not handed to `scaled_dot_product_attention`: sentences are short, so batched products
are faster on CPUs (and far faster in bf16); on CUDA the fused kernel is used. A step of a search, with its few queries, is better served
by that kernel everywhere (`look` in transformer.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional

import torch
from torch import Tensor, nn

from translate.model.linear import Linear

Shape = tuple[int, int]  # (B, T): sentences, positions of each
PARTS = {1: (3,), 2: (1, 2)}  # what so many projections hold: queries, keys and values in one, or the queries apart


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor]) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V: equation 1.

    query (B, H, T, d); key, value (B, H, S, d); mask broadcastable to (B, H, T, S), True = may attend; None = everywhere.
    Every query must be allowed at least one key. Returns (B, H, T, d).
    """
    if query.is_cuda:
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    scores = (query * (1 / math.sqrt(query.shape[-1]))) @ key.transpose(-1, -2)  # (B, H, T, S)
    if mask is not None:
        scores = scores.masked_fill_(~mask, float("-inf"))
    return scores.softmax(dim=-1).to(value.dtype) @ value


class SelfAttention(nn.Module):
    """Queries, keys and values from the same states, by one projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = Linear(width, 3 * width)
        self.output = Linear(width, width)

    def forward(self, states: Tensor, shape: Shape, mask: Optional[Tensor]) -> Tensor:
        """states (N, D) of `shape` (B, T), mask broadcastable to (B, H, T, T) -> (N, D)."""
        return self.output(multi_head(self.heads, mask, (self.query_key_value(states), shape)))

    def project(self, states: Tensor, shape: Shape) -> Tensor:
        """(N, D) of `shape` (B, T) -> (3, B, H, T, d): query, key, value."""
        return split_heads(self.query_key_value(states), shape, 3, self.heads)


class CrossAttention(nn.Module):
    """Queries from the decoder, keys and values from the encoder's output (section 3.2.3, first item)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = Linear(width, width)
        self.key_value = Linear(width, 2 * width)
        self.output = Linear(width, width)

    def forward(self, states: Tensor, shape: Shape, memory: Tensor, memory_shape: Shape, mask: Optional[Tensor]) -> Tensor:
        """states (N, D) of `shape` (B, T), memory (M, D) of (B, S), mask broadcastable to (B, H, T, S) -> (N, D)."""
        return self.output(multi_head(self.heads, mask, (self.query(states), shape), (self.key_value(memory), memory_shape)))

    def remember(self, memory: Tensor, shape: Shape) -> Tensor:
        """Keys and values of the encoder's output: (M, D) of `shape` (B, S) -> (2, B, H, S, d)."""
        return split_heads(self.key_value(memory), shape, 2, self.heads)


def multi_head(heads: int, mask: Optional[Tensor], *projections: tuple[Tensor, Shape]) -> Tensor:
    """Attention of several heads at once (section 3.2.2), joined: (N, D).

    projections: queries, keys and values side by side (N, 3D), or the queries (N, D) and the keys and values (M, 2D); each with its shape.
    """
    tensors, shapes = zip(*projections)
    precision, on_cpu = tensors[0].dtype, not tensors[0].is_cuda
    if on_cpu and torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return _Attention.apply(heads, mask, shapes, *tensors)
    if on_cpu and not torch.is_grad_enabled():
        # a search meets ever new shapes, and for each of them oneDNN would make, and keep, a bf16 kernel
        tensors = tuple(tensor.float() for tensor in tensors)
    return join_heads(attend(*_parts(heads, tensors, shapes), mask)[None], len(tensors[0])).to(precision)


def _parts(heads: int, projections: Sequence[Tensor], shapes: Sequence[Shape]) -> list[Tensor]:
    """Queries, keys and values, each (B, H, T, d)."""
    counts = PARTS[len(projections)]
    return [part for given in zip(projections, shapes, counts) for part in split_heads(*given, heads)]


def split_heads(states: Tensor, shape: Shape, parts: int, heads: int) -> Tensor:
    """(N, parts * D) of `shape` (B, T) -> (parts, B, H, T, d)."""
    B, T = shape
    if states.shape[0] > B * T:
        states = states[: B * T]
    return states.reshape(B, T, parts, heads, -1).permute(2, 0, 3, 1, 4)


def join_heads(states: Tensor, rows: int) -> Tensor:
    """(parts, B, H, T, d) -> (rows, parts * D), those from B * T on 0."""
    parts, B, H, T, d = states.shape
    states = states.permute(1, 3, 0, 2, 4)
    if rows == B * T:
        return states.reshape(rows, parts * H * d)
    joined = states.new_empty(rows, parts * H * d)
    joined[B * T :] = 0
    joined[: B * T].view(states.shape).copy_(states)
    return joined


class _Attention(torch.autograd.Function):
    """`multi_head` for training on a CPU. There a pass over memory costs as much as a product, and torch's own gradient makes twice the copies."""

    @staticmethod
    def forward(context: Any, heads: int, mask: Optional[Tensor], shapes: Sequence[Shape], *projections: Tensor) -> Tensor:
        # (B * H, T, d): copies, or with one head or one position views of the projections, which must stay as they are
        query, key, value = (part.reshape(-1, *part.shape[2:]) for part in _parts(heads, projections, shapes))
        query = query * (1 / math.sqrt(query.shape[-1]))
        scores = torch.bmm(query, key.transpose(1, 2))  # (B * H, T, S)
        if mask is not None:
            scores.unflatten(0, (-1, heads)).masked_fill_(~mask, float("-inf"))
        weights = torch.softmax(scores, dim=-1, out=torch.empty_like(scores))
        context.heads, context.shapes, context.rows = heads, shapes, [len(projection) for projection in projections]
        context.save_for_backward(query, key, value, weights)
        return join_heads(torch.bmm(weights, value).unflatten(0, (-1, heads))[None], len(projections[0]))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Optional[Tensor], ...]:
        query, key, value, weights = context.saved_tensors
        heads, shapes = context.heads, context.shapes
        found = split_heads(gradient, shapes[0], 1, heads).reshape(query.shape)  # gradients, as all that follow
        scores = torch._softmax_backward_data(torch.bmm(found, value.transpose(1, 2)), weights, -1, weights.dtype)
        rooms = [query.new_empty(parts, len(query), T, query.shape[-1]) for parts, (_, T) in zip(PARTS[len(shapes)], shapes)]
        of_query, of_key, of_value = (part for room in rooms for part in room)
        torch.bmm(scores, key, out=of_query).mul_(1 / math.sqrt(query.shape[-1]))
        torch.bmm(scores.transpose(1, 2), query, out=of_key)
        torch.bmm(weights.transpose(1, 2), found, out=of_value)
        return None, None, None, *(join_heads(room.unflatten(1, (-1, heads)), rows) for room, rows in zip(rooms, context.rows))


def causal_mask(length: int, device: torch.device) -> Tensor:
    """(T, T): a position may attend to itself and to those before it (section 3.2.3, third item)."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()
