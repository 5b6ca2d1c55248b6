"""The encoder-decoder: `model(source, target)` for training, `encode`, `start` and `step` for search.

Section numbers are those of "Attention is all you need" (Vaswani et al. 2017).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.model.kv_cache import KVCache
from translate.model.layers import DecoderLayer, EncoderLayer, Memory, final_norm
from translate.model.model import Model, empty_embedding
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


class Transformer(Model):
    """Encoder and decoder stacks with one embedding matrix for source, target and output (section 3.4).

    With `tied=False` (a tokenizer per language) the source has an embedding of its own; target and output still share theirs.
    """

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        super().__init__(config, source_size, target_size, tied)
        self.source_embedding = self.target_embedding if tied else empty_embedding(source_size, config.width)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        # pre-norm leaves the last sum unnormalised
        self.encoder_norm = final_norm(config)
        self.decoder_norm = final_norm(config)
        self.initialise()

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
        return self.to_features(self.decoder_norm(self.decoder(states, memory)))

    def cross_attention(self, target: Tensor, memory: Memory, layer: int) -> Tensor:
        """Weights of the cross-attention in decoder layer `layer`, from 0, while `decode` reads `target`: (B, T) -> (B, H, T, S).

        Row t is of the step that reads target token t, and has seen no later one.
        """
        self.check_length(target.shape[1])
        states = self.embed(self.target_embedding, target, self.positions[: target.shape[1]])
        for below in self.decoder.layers[:layer]:
            states = below(states, memory)
        return self.decoder.layers[layer].cross_attention(states, memory)

    def start(self, memory: Memory) -> KVCache:
        """The cache before the first target token, with one hypothesis a sentence."""
        return KVCache(torch.stack([layer.cross.project(memory.states) for layer in self.decoder.layers]), memory.mask)

    def step_features(self, last: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
        """`step` without the output layer: (N,) -> (N, D).

        The R hypotheses of a sentence take the place that T positions have in training. With B = 2 and R = 3, the last tokens `a1 a2 a3 b1 b2 b3`
        become two rows, `a1 a2 a3` and `b1 b2 b3`; all six are at the same position, and the cache's mask keeps a1, a2 and a3 from seeing each other.
        """
        position = cache.position
        self.check_length(position + 1)
        states = self.embed(self.target_embedding, last.view(cache.sentences, -1), self.positions[position])  # (B, R, D)
        return self.to_features(self.decoder_norm(self.decoder.step(states, cache))).flatten(0, 1), cache
