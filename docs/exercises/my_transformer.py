"""Your Transformer. docs/exercises.md says what to write at each step; replace each `raise NotImplementedError`.

The constructors are given: the checks copy weights into the attributes named there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

import torch
from torch import Tensor, nn

PAD, BOS, EOS = 0, 1, 2  # ids of padding, begin mark and end mark


# Step 1
def attention(query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None) -> tuple[Tensor, Tensor]:
    """query (..., T, d), key and value (..., S, d), mask broadcastable to (..., T, S) -> output (..., T, d), weights (..., T, S)."""
    raise NotImplementedError


# Step 2
def causal_mask(length: int) -> Tensor:
    """(T, T), True where a query (row) may look at a key (column)."""
    raise NotImplementedError


def padding_mask(ids: Tensor) -> Tensor:
    """ids (B, S) -> (B, 1, 1, S), True for a real token."""
    raise NotImplementedError


# Step 3
def positions(length: int, width: int) -> Tensor:
    """(T, D)"""
    raise NotImplementedError


# Step 4
class MultiHeadAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, states: Tensor, memory: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        """Queries from states (B, T, D), keys and values from memory (B, S, D) -> (B, T, D)."""
        raise NotImplementedError


# Step 5
class EncoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.attention_norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, feedforward)
        self.outer = nn.Linear(feedforward, width)
        self.feedforward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        """(B, S, D) -> (B, S, D)"""
        raise NotImplementedError


# Step 6
class DecoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.attention_norm = nn.LayerNorm(width)
        self.cross = MultiHeadAttention(width, heads)
        self.cross_norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, feedforward)
        self.outer = nn.Linear(feedforward, width)
        self.feedforward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, memory: Tensor, memory_mask: Optional[Tensor] = None) -> Tensor:
        """states (B, T, D), memory (B, S, D) -> (B, T, D)"""
        raise NotImplementedError


class Transformer(nn.Module):
    def __init__(self, vocabulary: int, width: int, heads: int, feedforward: int, layers: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.encoder = nn.ModuleList(EncoderLayer(width, heads, feedforward, dropout) for _ in range(layers))
        self.decoder = nn.ModuleList(DecoderLayer(width, heads, feedforward, dropout) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)

    def encode(self, source: Tensor) -> Tensor:
        """source (B, S) -> memory (B, S, D)"""
        raise NotImplementedError

    def decode(self, target: Tensor, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """target (B, T), memory (B, S, D) -> logits (B, T, V)"""
        raise NotImplementedError

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """source (B, S), target (B, T) -> logits (B, T, V)"""
        return self.decode(target, self.encode(source), padding_mask(source))


# Step 7
def smoothed_loss(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """logits (B, T, V), labels (B, T) -> the mean over the labels that are not PAD, in nats."""
    raise NotImplementedError


# Step 8
def shift_right(labels: Tensor) -> Tensor:
    """labels (B, T) -> the decoder's input (B, T)"""
    raise NotImplementedError


def learning_rate(step: int, width: int, warmup: int) -> float:
    """Of step `step`, from 1."""
    raise NotImplementedError


def training_step(model: nn.Module, optimizer: torch.optim.Optimizer, source: Tensor, labels: Tensor, rate: float, smoothing: float = 0.1) -> float:
    """One update of the weights; returns the loss. source (B, S), labels (B, T)."""
    raise NotImplementedError


# Step 9
def length_penalty(length: int, alpha: float) -> float:
    raise NotImplementedError


def beam_search(next_logits: Callable[[Tensor], Tensor], beam: int, alpha: float, limit: int) -> list[tuple[list[int], float]]:
    """next_logits: prefixes (R, t), each beginning with BOS -> logits (R, V). Returns (ids, score) of each complete hypothesis, best score first."""
    raise NotImplementedError
