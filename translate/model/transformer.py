"""The encoder-decoder: `decode(encode(source))` for training, `start` and `step` with cached keys and values for search.

Section numbers are those of "Attention is all you need" (Vaswani et al. 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

import torch
from torch import Generator, Tensor, nn

from translate.config import ModelConfig
from translate.model.attention import attend, causal_mask, join_heads
from translate.model.layers import DecoderLayer, EncoderLayer, dropout, sinusoids
from translate.tokenizer import PAD

KeyValue = tuple[Tensor, Tensor]
ROOM = 16  # positions of a sentence at first; doubled when they are used up


@dataclass
class Memory:
    """What the encoder hands on. states (B, S, D); mask (B, 1, 1, S), True = a token, or None where no sentence is padded."""

    states: Tensor
    mask: Optional[Tensor]


@dataclass
class DecoderState:
    """What decoding has computed so far, for N = B * R rows: R hypotheses of each of B sentences. Keys and values exist once a sentence.

    own: for each layer the keys and values, (B, H, room, d), of every position of every hypothesis that was ever open: `used` of the room.
    path: (N, t) which of the `used` each hypothesis consists of; None where it is all of them. So hypotheses branch and end without
        their keys being copied: a row attends to all keys of its sentence, behind a mask.
    cross: for each layer the keys and values of the source, (B, H, S, d).
    """

    own: list[KeyValue]
    used: int
    path: Optional[Tensor]
    cross: list[KeyValue]
    mask: Optional[Tensor]  # (B, 1, 1, S)

    def select(self, rows: Tensor, sentences: Tensor) -> DecoderState:
        """Keep, repeat or reorder: `rows` (N',) of the present rows, `sentences` (B',) of the present sentences, N' = B' * R'."""
        path = self.path
        if path is not None:
            path = path[rows]
        elif len(rows) > len(sentences):  # the first time that hypotheses branch
            path = torch.arange(self.used, device=rows.device).expand(len(rows), -1)
        if len(sentences) == len(self.cross[0][0]):  # all of them remain, in their order
            return DecoderState(self.own, self.used, path, self.cross, self.mask)
        own, cross = ([tuple(part.index_select(0, sentences) for part in pair) for pair in pairs] for pairs in (self.own, self.cross))
        return DecoderState(own, self.used, path, cross, None if self.mask is None else self.mask.index_select(0, sentences))

    def extend(self, R: int) -> tuple[DecoderState, Optional[Tensor]]:
        """Room for R more keys a sentence, the next position of its R rows -> (state, mask (B, 1, R, used) of what each may attend to)."""
        B, H, room, d = self.own[0][0].shape
        own, used, path, mask = self.own, self.used + R, self.path, None
        if used > room:
            larger = (B, H, max(2 * room, used), d)
            own = [tuple(_moved(part, part.new_empty(larger), self.used) for part in pair) for pair in own]
        if path is not None:
            new = torch.arange(self.used, used, device=path.device).repeat(B)[:, None]
            path = torch.cat([path, new], dim=1)
            mask = torch.zeros(B * R, used, dtype=torch.bool, device=path.device).scatter_(1, path, True).view(B, 1, R, used)
        return DecoderState(own, used, path, self.cross, self.mask), mask


def _moved(old: Tensor, new: Tensor, used: int) -> Tensor:
    new[:, :, :used] = old[:, :, :used]
    return new


class Transformer(nn.Module):
    """Encoder and decoder stacks with one embedding matrix for source, target and output (section 3.4).

    With `tied=False` (a tokenizer per language) the source has an embedding of its own; target and output still share theirs.
    """

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        super().__init__()
        self.config = config
        self.target_embedding = nn.Embedding(target_size, config.width)
        self.source_embedding = self.target_embedding if tied else nn.Embedding(source_size, config.width)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        # pre-norm leaves the last sum unnormalised
        self.encoder_norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.decoder_norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.register_buffer("positions", torch.empty(config.max_tokens, config.width), persistent=False)
        self.fill_positions()
        self._initialise()

    def fill_positions(self) -> None:
        """Compute the sinusoids; called again once a model made without memory (device "meta") has some."""
        self.positions.copy_(sinusoids(self.config.max_tokens, self.config.width))

    def _initialise(self) -> None:
        """Glorot's uniform for products, each of a joint projection on its own; embeddings so that sqrt(D) times them has variance 1."""
        for name, parameter in self.named_parameters():
            if "embedding" in name:
                nn.init.normal_(parameter, std=self.config.width**-0.5)
            elif parameter.dim() == 2:
                for part in parameter.split(self.config.width) if "key_value" in name else [parameter]:
                    nn.init.xavier_uniform_(part)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, source: Tensor, target: Tensor, generator: Optional[Generator] = None) -> Tensor:
        """source (B, S), target (B, T) shifted right -> hidden states (B, T, D); `logits` turns these into scores."""
        return self.decode(target, self.encode(source, generator), generator)

    def encode(self, source: Tensor, generator: Optional[Generator] = None) -> Memory:
        """source (B, S), PAD on the right -> Memory of (B, S, D)."""
        tokens = source != PAD
        mask = None if bool(tokens.all()) else tokens[:, None, None, :]
        states = self.embed(self.source_embedding, source, 0, generator)
        for layer in self.encoder:
            states = layer(states, mask, generator)
        return Memory(self.encoder_norm(states), mask)

    def decode(self, target: Tensor, memory: Memory, generator: Optional[Generator] = None) -> Tensor:
        """target (B, T), beginning with BOS, PAD on the right -> (B, T, D). Padding needs no mask: it lies after every real token."""
        causal = causal_mask(target.shape[1], target.device)
        states = self.embed(self.target_embedding, target, 0, generator)
        for layer in self.decoder:
            states = layer(states, memory.states, causal, memory.mask, generator)
        return self.decoder_norm(states)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., D) -> (..., V), by the embedding matrix itself."""
        return nn.functional.linear(hidden, self.target_embedding.weight)

    def embed(self, embedding: nn.Embedding, ids: Tensor, first: int, generator: Optional[Generator]) -> Tensor:
        """Embeddings times sqrt(D) plus positions from `first` on (sections 3.4, 3.5): (B, T) -> (B, T, D)."""
        states = embedding(ids) * math.sqrt(self.config.width) + self.positions[first : first + ids.shape[1]]
        if torch.is_autocast_enabled("cpu"):  # what lies between the products is bound by memory there: half the bytes, a tenth less time
            states = states.to(torch.get_autocast_dtype("cpu"))
        return dropout(states, self.config.dropout, generator)

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first target token, one row a sentence."""
        cross = [layer.cross.remember(memory.states) for layer in self.decoder]
        B, H, _, d = cross[0][0].shape
        own = [tuple(part.new_empty(B, H, ROOM, d) for part in pair) for pair in cross]
        return DecoderState(own, 0, None, cross, memory.mask)

    def step(self, last: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """One position further: last ids (N,) -> logits (N, V) and the new state. Equal to the last position of `decode`.

        The R rows of a sentence stand where T stands in training: they share its keys. The old state's room is written to.
        """
        B = len(state.cross[0][0])
        R = len(last) // B
        position = state.used if state.path is None else state.path.shape[1]
        states = self.embed(self.target_embedding, last[:, None], position, None).view(B, R, -1)
        state, mask = state.extend(R)
        for layer, own, cross in zip(self.decoder, state.own, state.cross):

            def attention(x: Tensor, layer: DecoderLayer = layer, own: KeyValue = own) -> Tensor:
                query, *new = layer.attention.project(x)  # (B, H, R, d)
                for part, values in zip(own, new):
                    part[:, :, state.used - R : state.used] = values
                key, value = (part[:, :, : state.used] for part in own)
                return layer.attention.output(join_heads(attend(query, key, value, mask)))

            def look(x: Tensor, layer: DecoderLayer = layer, cross: KeyValue = cross) -> Tensor:
                return layer.cross.look(x, *cross, state.mask)

            states = layer.attention_residual(states, attention, None)
            states = layer.cross_residual(states, look, None)
            states = layer.feedforward_residual(states, layer.feedforward, None)
        return self.logits(self.decoder_norm(states).view(len(last), -1)), state
