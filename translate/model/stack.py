"""The stack of models without an encoder, self-attention and feed-forward alone, and the prefix that search goes on from.

A prefix is read in one pass before the first step; its keys and values are kept, and each step sees them together with those of its own tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Optional, cast

import torch
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.model.attention import KeysValues, SelfAttention, attention_weights, split_heads
from translate.model.kv_cache import CAPACITY, KVCache, LayerCache
from translate.model.layers import FeedForward, Residual


class StackAttention(SelfAttention):
    """Self-attention that also tells its weights."""

    def weights(self, states: Tensor, key: Tensor, mask: Optional[Tensor]) -> Tensor:
        """How much each query takes from each of `key` (B, H, S, d), of these alone: states (B, T, D) -> (B, H, T, S)."""
        return attention_weights(split_heads(self.query_key_value(states), 3, self.heads)[0], key, mask)


class StackLayer(nn.Module):
    """An encoder layer's sublayers, with a cache; a mask makes it causal."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = StackAttention(config.width, config.heads)
        self.attention_residual = Residual(config)
        self.feedforward = FeedForward(config)
        self.feedforward_residual = Residual(config)

    def forward(self, states: Tensor, mask: Optional[Tensor], is_causal: bool, seen: Optional[KeysValues]) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        states = self.attention_residual(states, lambda x: self.attention(x, mask, is_causal, seen))
        return self.feedforward_residual(states, self.feedforward)

    def weights(self, states: Tensor, key: Tensor, mask: Optional[Tensor]) -> Tensor:
        """The weights of the attention in `forward` on `key` (B, H, S, d), as if there were no other: (B, T, D) -> (B, H, T, S)."""
        read: list[Tensor] = []

        def read_weights(x: Tensor) -> Tensor:  # as a sublayer, it gets the states that the sublayer gets, with either `norm`
            read.append(self.attention.weights(x, key, mask))
            return x

        self.attention_residual(states, read_weights)
        return read[0]


class Stack(nn.ModuleList):
    """`decoder_layers` layers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(StackLayer(config) for _ in range(config.decoder_layers))

    @property
    def layers(self) -> list[StackLayer]:
        return cast("list[StackLayer]", list(self))

    def forward(self, states: Tensor, mask: Optional[Tensor] = None, is_causal: bool = False, seen: Optional[Sequence[KeysValues]] = None) -> Tensor:
        """(B, T, D) -> (B, T, D). seen: for each layer, keys and values that are there already; `mask` covers them and the T new ones."""
        for layer, earlier in zip(self.layers, seen or repeat(None)):
            states = layer(states, mask, is_causal, earlier)
        return states

    def read(self, states: Tensor, mask: Optional[Tensor]) -> Tensor:
        """The keys and values (L, 2, B, H, S, d) of a prefix (B, S, D)."""
        seen = [Appended() for _ in self]
        self(states, mask, seen=seen)
        return torch.stack([layer.key_value for layer in seen])

    def step(self, states: Tensor, cache: PrefixCache) -> Tensor:
        """The newest token of each hypothesis: (B, R, D) -> (B, R, D)."""
        layers = cache.extend(states.shape[1])
        return self(states, layers[0].mask, seen=layers)


class Appended:
    """Keys and values of one layer, (2, B, H, length, d), each call's behind those before."""

    def __init__(self, *earlier: Tensor) -> None:
        self.parts = list(earlier)

    def append(self, key_value: Tensor) -> Tensor:
        self.parts.append(key_value)
        return self.key_value

    @property
    def key_value(self) -> Tensor:
        return torch.cat(self.parts, dim=-2) if len(self.parts) > 1 else self.parts[0]


@dataclass
class Prefix:
    """What search goes on from, of B sentences.

    key_value: (L, 2, B, H, S, d). tokens: (B, 1, 1, S), False at padding, None = no padding. begin: (B,), the position of the first token after it.
    first: (B,), what the first step reads, whatever search gives it.
    """

    key_value: Tensor
    tokens: Optional[Tensor]
    begin: Tensor
    first: Tensor

    def select(self, sentences: Tensor) -> Prefix:
        """These sentences, in this order; a sentence may occur several times."""
        tokens = None if self.tokens is None else self.tokens.index_select(0, sentences)
        return Prefix(self.key_value.index_select(2, sentences), tokens, self.begin[sentences], self.first[sentences])


class PrefixCache:
    """The state of search after a prefix: a key-value cache whose places 0 to S - 1 hold the prefix, which every hypothesis has among its ancestors.

    There is no memory besides; the cache's `memory_mask` hides the prefix's padding.
    """

    def __init__(self, prefix: Prefix) -> None:
        """Copies the prefix."""
        L, _, B, H, S, d = prefix.key_value.shape
        self.cache = KVCache(prefix.key_value[..., :0, :], prefix.tokens)
        self.cache.key_value = prefix.key_value.new_empty((L, B, S + CAPACITY, 2, H, d))
        self.cache.key_value[:, :, :S] = prefix.key_value.permute(0, 2, 4, 1, 3, 5)
        self.cache.length = self.prefix = S
        self.begin, self.first = prefix.begin, prefix.first

    @property
    def sentences(self) -> int:
        return self.cache.sentences

    @property
    def steps(self) -> int:
        """Number of tokens of each hypothesis after the prefix."""
        return self.cache.position - self.prefix

    def ids(self, last: Tensor) -> Tensor:
        """The tokens (B, R) that this step reads, from search's (N,)."""
        ids = last.view(self.sentences, -1)
        return ids if self.steps else self.first[:, None].expand_as(ids)

    def next_positions(self, positions: Tensor) -> Tensor:
        """The row of `positions` (length, D) for each sentence's next tokens, (B, 1, D)."""
        return positions[self.begin + self.steps][:, None]

    def extend(self, R: int) -> list[LayerCache]:
        """`KVCache.extend`, with the prefix's padding masked out."""
        layers, padding = self.cache.extend(R), self.cache.memory_mask
        if padding is None:
            return layers
        mask = layers[0].mask  # a new tensor at each step
        if mask is None:
            mask = padding.new_zeros((self.sentences, 1, 1, self.cache.length))
        mask[..., : self.prefix] += padding
        return [replace(layer, mask=mask) for layer in layers]

    def reorder(self, rows: Tensor, sentences: Tensor) -> PrefixCache:
        """`KVCache.reorder`. Returns this cache."""
        if len(sentences) < self.sentences:
            self.begin, self.first = self.begin[sentences], self.first[sentences]
        self.cache.reorder(rows, sentences)
        return self


def padding_mask(tokens: Tensor) -> Optional[Tensor]:
    """(B, S), False at padding -> (B, 1, 1, S), None without padding. On a GPU never None: to ask would be to wait for it."""
    return None if not tokens.is_cuda and bool(tokens.all()) else tokens[:, None, None, :]
