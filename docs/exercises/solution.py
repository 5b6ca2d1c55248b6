"""One right answer to every step of docs/exercises.md. Try first."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Optional

import torch
from torch import Tensor, nn

PAD, BOS, EOS = 0, 1, 2  # ids of padding, begin mark and end mark


# Step 1
def attention(query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None) -> tuple[Tensor, Tensor]:
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (..., T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-1)
    return weights @ value, weights


# Step 2
def causal_mask(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()


def padding_mask(ids: Tensor) -> Tensor:
    return (ids != PAD)[:, None, None, :]


# Step 3
def positions(length: int, width: int) -> Tensor:
    position = torch.arange(length)[:, None]  # (T, 1)
    even = torch.arange(0, width, 2)  # 2i: (D / 2,)
    angle = position / 10000 ** (even / width)  # (T, D / 2)
    table = torch.empty(length, width)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()
    return table


# Step 4
class MultiHeadAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def split(self, states: Tensor) -> Tensor:
        B, T, D = states.shape
        return states.view(B, T, self.heads, D // self.heads).transpose(1, 2)

    def forward(self, states: Tensor, memory: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        query, key, value = self.split(self.query(states)), self.split(self.key(memory)), self.split(self.value(memory))
        heads, _ = attention(query, key, value, mask)  # (B, H, T, D / H)
        return self.output(heads.transpose(1, 2).flatten(2))


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
        states = self.attention_norm(states + self.dropout(self.attention(states, states, mask)))
        return self.feedforward_norm(states + self.dropout(self.outer(self.inner(states).relu())))


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
        causal = causal_mask(states.shape[1])
        states = self.attention_norm(states + self.dropout(self.attention(states, states, causal)))
        states = self.cross_norm(states + self.dropout(self.cross(states, memory, memory_mask)))
        return self.feedforward_norm(states + self.dropout(self.outer(self.inner(states).relu())))


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

    def embed(self, ids: Tensor) -> Tensor:
        width = self.embedding.embedding_dim
        return self.dropout(self.embedding(ids) * math.sqrt(width) + positions(ids.shape[1], width))

    def encode(self, source: Tensor) -> Tensor:
        states = self.embed(source)
        for layer in self.encoder:
            states = layer(states, padding_mask(source))
        return states

    def decode(self, target: Tensor, memory: Tensor, memory_mask: Tensor) -> Tensor:
        states = self.embed(target)
        for layer in self.decoder:
            states = layer(states, memory, memory_mask)
        return states @ self.embedding.weight.T

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.decode(target, self.encode(source), padding_mask(source))


# Step 7
def smoothed_loss(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    real = labels != PAD
    logs = logits[real].log_softmax(dim=-1)  # (M, V)
    target = torch.full_like(logs, smoothing / logs.shape[-1])
    target.scatter_add_(1, labels[real][:, None], torch.full_like(logs[:, :1], 1 - smoothing))
    return -(target * logs).sum(dim=-1).mean()


# Step 8
def shift_right(labels: Tensor) -> Tensor:
    return torch.cat([torch.full_like(labels[:, :1], BOS), labels[:, :-1]], dim=1)


def learning_rate(step: int, width: int, warmup: int) -> float:
    return width**-0.5 * min(step**-0.5, step * warmup**-1.5)


def training_step(model: nn.Module, optimizer: torch.optim.Optimizer, source: Tensor, labels: Tensor, rate: float, smoothing: float = 0.1) -> float:
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss = smoothed_loss(model(source, shift_right(labels)), labels, smoothing)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# Step 9
def length_penalty(length: int, alpha: float) -> float:
    return ((5 + length) / 6) ** alpha


def beam_search(next_logits: Callable[[Tensor], Tensor], beam: int, alpha: float, limit: int) -> list[tuple[list[int], float]]:
    hypotheses, totals = torch.tensor([[BOS]]), torch.zeros(1)  # the open ones: (R, t) and (R,)
    complete: list[tuple[list[int], float]] = []
    for length in range(1, limit + 1):
        logs = next_logits(hypotheses).log_softmax(dim=-1)  # (R, V)
        every = (totals[:, None] + logs).flatten()  # each continuation of each hypothesis
        best = every.topk(min(2 * beam, len(every)))
        going: list[tuple[list[int], float]] = []
        for rank, (total, place) in enumerate(zip(best.values.tolist(), best.indices.tolist())):
            row, token = divmod(place, logs.shape[1])
            if token == EOS and rank < beam:
                complete.append((hypotheses[row, 1:].tolist(), total / length_penalty(length, alpha)))
            elif token != EOS and len(going) < beam:
                going.append(([*hypotheses[row].tolist(), token], total))
        hypotheses = torch.tensor([ids for ids, _ in going])
        totals = torch.tensor([total for _, total in going])
    if not complete:
        return [(ids[1:], total / length_penalty(limit, alpha)) for ids, total in going]
    return sorted(complete, key=lambda hypothesis: -hypothesis[1])
