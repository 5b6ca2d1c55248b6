"""Encoder and decoder layers (Vaswani et al. 2017, section 3.1), feed-forward (3.3), positions (3.5), dropout (5.4).

`norm="post"` is the paper's LayerNorm(x + Sublayer(x)); `norm="pre"` is x + Sublayer(LayerNorm(x)) (Xiong et al. 2020), which trains
at higher rates and with hardly any warm-up. Dropout draws from the generator that is passed in; without one there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Optional

import torch
from torch import Generator, Tensor, nn

from translate.config import ModelConfig
from translate.model.attention import CrossAttention, SelfAttention, Shape
from translate.model.linear import Linear


def dropout_mask(like: Tensor, rate: float, generator: Generator) -> Tensor:
    """Factors 0 and 1 / (1 - rate), of the shape of `like`.

    torch's own dropout draws a random number per element, one after the other on a CPU; a byte each, eight from one draw, is enough.
    The rate is therefore a multiple of 1/256, and the factor is that of the rounded rate, so the expectation is exact.
    """
    dropped = round(rate * 256)
    draws = torch.empty((like.numel() + 7) // 8, dtype=torch.int64, device=like.device)
    # from-to form: plain random_() leaves the sign bit out
    draws.random_(-(2**63), 2**63 - 1, generator=generator)
    draws = draws.view(torch.uint8)[: like.numel()].view(like.shape)
    kept = torch.ge(draws, dropped, out=torch.empty_like(draws))  # as bytes: to compare and to convert booleans takes eight times as long
    return kept.to(like.dtype).mul_(256 / (256 - dropped))


def dropout(states: Tensor, rate: float, generator: Optional[Generator]) -> Tensor:
    return states if generator is None or rate == 0 else states * dropout_mask(states, rate, generator)


class Residual(nn.Module):
    """The connection around a sublayer: residual, dropout and layer normalisation, in the order that `norm` says."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.rate = config.dropout
        self.pre = config.norm == "pre"
        self.norm = nn.LayerNorm(config.width)

    def forward(self, states: Tensor, sublayer: Callable[[Tensor], Tensor], generator: Optional[Generator]) -> Tensor:
        output = sublayer(self.norm(states) if self.pre else states)
        if generator is None or self.rate == 0:
            states = states + output
        else:
            states = torch.addcmul(states, output, dropout_mask(output, self.rate, generator))
        return states if self.pre else self.norm(states)


class FeedForward(nn.Module):
    """max(0, x W1 + b1) W2 + b2: equation 2."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.inner = Linear(config.width, config.feedforward, relu=True)
        self.outer = Linear(config.feedforward, config.width)

    def forward(self, states: Tensor) -> Tensor:
        return self.outer(self.inner(states))


class EncoderLayer(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.attention_residual = Residual(config)
        self.feedforward = FeedForward(config)
        self.feedforward_residual = Residual(config)

    def forward(self, states: Tensor, shape: Shape, mask: Optional[Tensor], generator: Optional[Generator] = None) -> Tensor:
        """states (N, D) of `shape` (B, S), mask broadcastable to (B, H, S, S) -> (N, D)."""
        states = self.attention_residual(states, lambda x: self.attention(x, shape, mask), generator)
        return self.feedforward_residual(states, self.feedforward, generator)


@dataclass
class Memory:
    """What the encoder hands on. states (N, D) of `shape` (B, S); mask (B, 1, 1, S), True = a token, or None where no sentence is padded."""

    states: Tensor
    shape: Shape
    mask: Optional[Tensor]


class DecoderLayer(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.attention_residual = Residual(config)
        self.cross = CrossAttention(config.width, config.heads)
        self.cross_residual = Residual(config)
        self.feedforward = FeedForward(config)
        self.feedforward_residual = Residual(config)

    def forward(self, states: Tensor, shape: Shape, memory: Memory, causal: Tensor, generator: Optional[Generator] = None) -> Tensor:
        """states (N, D) of `shape` (B, T), causal (T, T) -> (N, D)."""
        states = self.attention_residual(states, lambda x: self.attention(x, shape, causal), generator)
        states = self.cross_residual(states, lambda x: self.cross(x, shape, memory.states, memory.shape, memory.mask), generator)
        return self.feedforward_residual(states, self.feedforward, generator)


def sinusoids(length: int, width: int) -> Tensor:
    """PE(pos, 2i) = sin(pos / 10000^(2i/D)), PE(pos, 2i+1) = cos(...): section 3.5. Returns (length, D)."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    angle = position * torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10000.0) / width))
    return torch.stack([angle.sin(), angle.cos()], dim=-1).view(length, width).float()
