"""The encoder-decoder: `model(source, target)` for training, `encode`, `start` and `step` for search.

Section numbers are those of "Attention is all you need" (Vaswani et al. 2017).
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.model.kv_cache import KVCache
from translate.model.layers import DecoderLayer, Dropout, EncoderLayer, Memory, sinusoids
from translate.tokenizer import PAD


class Encoder(nn.ModuleList):
    """A stack of encoder layers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(EncoderLayer(config) for _ in range(config.encoder_layers))

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        for layer in self:
            states = layer(states, mask)
        return states


class Decoder(nn.ModuleList):
    """A stack of decoder layers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(DecoderLayer(config) for _ in range(config.decoder_layers))

    @property
    def layers(self) -> list[DecoderLayer]:
        return cast("list[DecoderLayer]", list(self))

    def forward(self, states: Tensor, memory: Memory) -> Tensor:
        for layer in self:
            states = layer(states, memory)
        return states

    def step(self, states: Tensor, cache: KVCache) -> Tensor:
        """The same for the newest token of each hypothesis: (B, R, D) -> (B, R, D)."""
        for layer, layer_cache in zip(self.layers, cache.extend(states.shape[1])):
            states = layer.step(states, layer_cache)
        return states


class Transformer(nn.Module):
    """Encoder and decoder stacks with one embedding matrix for source, target and output (section 3.4).

    With `tied=False` (a tokenizer per language) the source has an embedding of its own; target and output still share theirs.

    To load a bundle, the model is built without memory, on device "meta", and then given its weights and `fill_positions`. On that device nothing
    may be computed or drawn: torch would first import SymPy, a computer algebra system, which takes up to a second.
    """

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        super().__init__()
        self.config = config
        self.target_embedding = empty_embedding(target_size, config.width)
        self.source_embedding = self.target_embedding if tied else empty_embedding(source_size, config.width)
        self.embedding_dropout: nn.Module = Dropout(config.dropout)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        # pre-norm leaves the last sum unnormalised
        self.encoder_norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.decoder_norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.register_buffer("positions", None, persistent=False)  # moves with the model, but is not saved
        self.positions: Tensor  # (max_tokens, D), from `fill_positions`
        if not self.target_embedding.weight.is_meta:
            self.fill_positions()
            self._initialise()

    def fill_positions(self) -> None:
        """Compute the sinusoids; for a model built on device "meta", after its weights have been set."""
        self.positions = sinusoids(self.config.max_tokens, self.config.width)

    def _initialise(self) -> None:
        """Glorot's uniform for products, each of a joint projection on its own; embeddings so that sqrt(D) times them has variance 1."""
        for name, parameter in self.named_parameters():
            if "embedding" in name:
                nn.init.normal_(parameter, std=self.config.width**-0.5)
            elif "key_value.weight" in name:  # of several projections, (D, D) each, in one matrix
                for projection in parameter.split(self.config.width):
                    nn.init.xavier_uniform_(projection)
            elif parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """source (B, S) and target (B, T), which begins with BOS, both with PAD on the right -> logits (B, T, V) of each next token."""
        return self.logits(self.features(source, target))

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """The states that `logits` turns into scores: (B, S), (B, T) -> (B, T, D)."""
        return self.decode(target, self.encode(source))

    def encode(self, source: Tensor) -> Memory:
        """(B, S) -> (B, S, D) and the mask of its padding."""
        tokens = source != PAD
        # to ask a GPU whether there is padding would be to wait for it
        mask = None if not source.is_cuda and bool(tokens.all()) else tokens[:, None, None, :]
        self.check_length(source.shape[1])
        states = self.embed(self.source_embedding, source, self.positions[: source.shape[1]])
        return Memory(self.encoder_norm(self.encoder(states, mask)), mask)

    def decode(self, target: Tensor, memory: Memory) -> Tensor:
        """(B, T) -> (B, T, D). Padding needs no mask: it lies after every real token."""
        self.check_length(target.shape[1])
        states = self.embed(self.target_embedding, target, self.positions[: target.shape[1]])
        return self.decoder_norm(self.decoder(states, memory))

    def cross_attention(self, target: Tensor, memory: Memory, layer: int) -> Tensor:
        """Weights of the cross-attention in decoder layer `layer`, from 0, while `decode` reads `target`: (B, T) -> (B, H, T, S).

        Row t is of the step that reads target token t, and has seen no later one.
        """
        self.check_length(target.shape[1])
        states = self.embed(self.target_embedding, target, self.positions[: target.shape[1]])
        for below in self.decoder.layers[:layer]:
            states = below(states, memory)
        return self.decoder.layers[layer].cross_attention(states, memory)

    def logits(self, features: Tensor) -> Tensor:
        """(..., D) -> (..., V), by the embedding matrix itself."""
        return nn.functional.linear(features, self.target_embedding.weight)

    def embed(self, embedding: nn.Embedding, ids: Tensor, positions: Tensor) -> Tensor:
        """Embeddings times sqrt(D) plus positions (sections 3.4, 3.5): ids (B, T), positions (T, D) or (D,) -> (B, T, D)."""
        return self.embedding_dropout(embedding(ids) * math.sqrt(self.config.width) + positions)

    def check_length(self, length: int) -> None:
        """ValueError for more tokens than there are positions."""
        if length > self.config.max_tokens:
            raise ValueError(f"a sentence of {length:,} tokens is longer than the model's max_tokens ({self.config.max_tokens:,})")

    def start(self, memory: Memory) -> KVCache:
        """The cache before the first target token, with one hypothesis a sentence."""
        return KVCache(torch.stack([layer.cross.project(memory.states) for layer in self.decoder.layers]), memory.mask)

    def step(self, last: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
        """One position further: the last tokens (N,) of the N = B * R hypotheses -> logits (N, V) and the cache, which has changed.

        Equal to the last position of `forward`.
        """
        features, cache = self.step_features(last, cache)
        return self.logits(features), cache

    def step_features(self, last: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
        """`step` without the output layer: (N,) -> (N, D).

        The R hypotheses of a sentence take the place that T positions have in training. With B = 2 and R = 3, the last tokens `a1 a2 a3 b1 b2 b3`
        become two rows, `a1 a2 a3` and `b1 b2 b3`; all six are at the same position, and the cache's mask keeps a1, a2 and a3 from seeing each other.
        """
        position = cache.position
        self.check_length(position + 1)
        states = self.embed(self.target_embedding, last.view(cache.sentences, -1), self.positions[position])  # (B, R, D)
        return self.decoder_norm(self.decoder.step(states, cache)).flatten(0, 1), cache


def empty_embedding(size: int, width: int) -> nn.Embedding:
    """(V, D), uninitialised: the constructor of nn.Embedding draws random numbers, also on device "meta"."""
    return nn.Embedding.from_pretrained(torch.empty(size, width), freeze=False)
