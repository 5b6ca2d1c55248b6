"""Encoder and decoder layers (Vaswani et al. 2017, section 3.1), feed-forward (3.3), positions (3.5), dropout (5.4).

`norm="post"` is the paper's LayerNorm(x + Sublayer(x)); `norm="pre"` is x + Sublayer(LayerNorm(x)) (Xiong et al. 2020), which trains at higher
rates and with hardly any warm-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

import torch
from torch import Generator, Tensor, nn

from translate.config import ModelConfig
from translate.model.attention import CrossAttention, SelfAttention
from translate.model.attention_window import weights_of_score
from translate.model.kv_cache import LayerCache


class Dropout(nn.Dropout):
    """nn.Dropout that can also draw from its own generator: see `set_dropout_generator`."""

    generator: Optional[Generator] = None  # None: torch's default one

    def forward(self, input: Tensor) -> Tensor:
        if self.generator is None or not self.training or self.p == 0:
            return super().forward(input)
        kept = torch.empty_like(input).bernoulli_(1 - self.p, generator=self.generator)
        return input * kept.div_(1 - self.p)


def set_dropout_generator(model: nn.Module, generator: Optional[Generator]) -> None:
    """Let all dropout of `model` draw from `generator`, so that its masks depend on nothing else in the process."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.generator = generator


class Residual(nn.Module):
    """The connection around a sublayer: residual, dropout and layer normalisation, in the order that `norm` says."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.pre = config.norm == "pre"
        self.norm = nn.LayerNorm(config.width)
        self.dropout = Dropout(config.dropout)

    def forward(self, states: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        if self.pre:
            return states + self.dropout(sublayer(self.norm(states)))
        return self.norm(states + self.dropout(sublayer(states)))


def final_norm(config: ModelConfig) -> nn.Module:
    """What comes after a stack's last layer: with `norm="pre"` nothing else has normalised its output."""
    return nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": lambda: nn.ReLU(inplace=True), "silu": nn.SiLU, "gelu": nn.GELU}


class FeedForward(nn.Module):
    """max(0, x W1 + b1) W2 + b2: equation 2, or with another activation."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.inner: nn.Module = nn.Linear(config.width, config.feedforward)
        self.activation: nn.Module = ACTIVATIONS[config.activation]()
        self.outer = nn.Linear(config.feedforward, config.width)

    def forward(self, states: Tensor) -> Tensor:
        return self.outer(self.activation(self.inner(states)))


class EncoderLayer(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.attention_residual = Residual(config)
        self.feedforward = FeedForward(config)
        self.feedforward_residual = Residual(config)

    def forward(self, states: Tensor, mask: Optional[Tensor]) -> Tensor:
        """states (B, S, D), mask broadcastable to (B, H, S, S) -> (B, S, D)."""
        states = self.attention_residual(states, lambda x: self.attention(x, mask))
        return self.feedforward_residual(states, self.feedforward)


@dataclass
class Memory:
    """The encoder's output: states (B, S, D), mask (B, 1, 1, S), False at padding, None without padding."""

    states: Tensor
    mask: Optional[Tensor]

    def select(self, sentences: Tensor) -> Memory:
        """These sentences, in this order; a sentence may occur several times."""
        return Memory(self.states.index_select(0, sentences), None if self.mask is None else self.mask.index_select(0, sentences))


class DecoderLayer(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.attention_residual = Residual(config)
        self.cross = CrossAttention(config.width, config.heads, weights_of_score(config))
        self.cross_residual = Residual(config)
        self.feedforward = FeedForward(config)
        self.feedforward_residual = Residual(config)

    def forward(self, states: Tensor, memory: Memory) -> Tensor:
        """states (B, T, D) -> (B, T, D)."""
        states = self.attention_residual(states, lambda x: self.attention(x, is_causal=True))
        # here the memory is used once; a search uses it at every step, so `Transformer.start` projects it, once for all steps
        states = self.cross_residual(states, lambda x: self.cross(x, self.cross.project(memory.states), memory.mask))
        return self.feedforward_residual(states, self.feedforward)

    def cross_attention(self, states: Tensor, memory: Memory) -> Tensor:
        """The weights of the cross-attention in `forward`: (B, T, D) -> (B, H, T, S)."""
        states = self.attention_residual(states, lambda x: self.attention(x, is_causal=True))
        read: list[Tensor] = []

        def read_weights(x: Tensor) -> Tensor:  # as a sublayer, it gets the states that the sublayer gets, with either `norm`
            read.append(self.cross.weights(x, self.cross.project(memory.states), memory.mask))
            return x

        self.cross_residual(states, read_weights)
        return read[0]

    def step(self, states: Tensor, cache: LayerCache) -> Tensor:
        """The same for the newest token of each hypothesis: (B, R, D) -> (B, R, D)."""
        states = self.attention_residual(states, lambda x: self.attention(x, cache.mask, cache=cache))
        states = self.cross_residual(states, lambda x: self.cross(x, cache.memory, cache.memory_mask, cache.position, cache.queries))
        return self.feedforward_residual(states, self.feedforward)


def sinusoids(length: int, width: int) -> Tensor:
    """PE(pos, 2i) = sin(pos / 10000^(2i/D)), PE(pos, 2i+1) = cos(...): section 3.5. Returns (length, D)."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    even = torch.arange(0, width, 2, dtype=torch.float64)  # 2i
    angle = position / 10000 ** (even / width)  # (length, D / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).view(length, width).float()
