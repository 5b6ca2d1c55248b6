"""The encoder-decoder: `decode(encode(source))` for training, `start` and `step` with cached keys and values for search.

Section numbers are those of "Attention is all you need" (Vaswani et al. 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Optional

import torch
from torch import Generator, Tensor, nn

from translate.config import ModelConfig
from translate.model.attention import causal_mask, join_heads, split_heads
from translate.model.layers import DecoderLayer, EncoderLayer, Memory, dropout, sinusoids
from translate.model.linear import missing_rows
from translate.tokenizer import PAD

ROOM = 16  # keys of a sentence at first
GRAIN = 64  # see `fill`; in training
STEPS = 8  # there shall be room for at least so many more, whenever there is more


@dataclass
class DecoderState:
    """What decoding has computed so far, for N = B * R rows: R hypotheses of each of B sentences. Keys and values exist once a sentence.

    own: the keys and values (first, second of the 2) of every position of every hypothesis that was open since there was room last, in each of
        L layers: (L, B, room, 2, H, d), `used` of the room. What one position has stands together: a step that wrote it head by head, pages apart,
        took up to half as long again for its attention in greedy search (batches of 64, 1 core, Zen 4).
    path: (N, t) which of the `used` each hypothesis consists of; None where it is all of them. So hypotheses branch and end without
        their keys being copied: a row attends to all keys of its sentence, behind a mask.
    cross: the keys and values of the source, (L, 2, B, H, S, d).
    mask: (B, 1, 1, S) to be added to the scores, 0 or -inf; None where no source is padded.
    """

    own: Tensor
    used: int
    path: Optional[Tensor]
    cross: Tensor
    mask: Optional[Tensor]

    def select(self, rows: Tensor, sentences: Tensor) -> DecoderState:
        """Keep, repeat or reorder: `rows` (N',) of the present rows, `sentences` (B',) of the present sentences, N' = B' * R'.

        Only the keys and values of sentences that change their place are copied.
        """
        path, B, mask = self.path, len(sentences), self.mask
        if path is not None:
            path = path.index_select(0, rows)
        elif len(rows) > B:  # the first time that hypotheses branch
            path = torch.arange(self.used, device=rows.device).expand(len(rows), -1)
        if B == self.cross.shape[2]:  # all of them remain, in their order
            return replace(self, path=path)
        moved = (sentences != torch.arange(B, device=sentences.device)).nonzero().squeeze(1)
        if len(moved):
            self.own[:, moved, : self.used] = self.own[:, sentences[moved], : self.used]
            self.cross[:, :, moved] = self.cross[:, :, sentences[moved]]
            if mask is not None:
                mask[moved] = mask[sentences[moved]]
        return DecoderState(self.own[:, :B], self.used, path, self.cross[:, :, :B], None if mask is None else mask[:B])

    def extend(self, R: int) -> tuple[DecoderState, Optional[Tensor]]:
        """Room for R more keys a sentence, the next position of its R rows -> (state, mask (B, 1, R, used) to be added to the scores)."""
        state = self if self.used + R <= self.own.shape[2] else self.moved(R)
        used, path, mask = state.used + R, state.path, None
        if path is not None:
            B = self.cross.shape[2]
            new = torch.arange(state.used, used, device=path.device).repeat(B)[:, None]
            path = torch.cat([path, new], dim=1)
            mask = state.own.new_full((B * R, used), float("-inf")).scatter_(1, path, 0.0).view(B, 1, R, used)
        return replace(state, used=used, path=path), mask

    def moved(self, R: int) -> DecoderState:
        """In new room. Keys and values that no hypothesis holds any more are left behind."""
        L, B, room = self.own.shape[:3]
        path, live, device = self.path, self.used, self.own.device
        if path is None:
            order = torch.arange(live, device=device).expand(B, live)
        else:
            held = torch.zeros((B, self.used), dtype=torch.bool, device=device).scatter_(1, path.view(B, -1), True)
            live = int(held.sum(1).max())
            order = (~held).sort(dim=1, stable=True).indices[:, :live]  # (B, live), the held ones first, in their order
            path = (held.cumsum(1) - 1).gather(1, path.view(B, -1)).view(path.shape)
        rows = (torch.arange(B, device=device)[:, None] * room + order).flatten()
        own = self.own.new_empty((L, B, max(2 * live, live + STEPS * R), *self.own.shape[3:]))
        for old, new in zip(self.own, own):
            new[:, :live] = old.flatten(0, 1).index_select(0, rows).unflatten(0, (B, live))
        return replace(self, own=own, used=live, path=path)


class Transformer(nn.Module):
    """Encoder and decoder stacks with one embedding matrix for source, target and output (section 3.4).

    With `tied=False` (a tokenizer per language) the source has an embedding of its own; target and output still share theirs.
    """

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        super().__init__()
        self.config = config
        self.target_embedding = embedding_of(target_size, config.width)
        self.source_embedding = self.target_embedding if tied else embedding_of(source_size, config.width)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        # pre-norm leaves the last sum unnormalised
        self.encoder_norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.decoder_norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.output: Optional[nn.Module] = None  # in place of the embedding matrix, see packed.py
        self.search_grain = 0  # see `fill`; in search, 0 = any number of rows will do
        self.register_buffer("positions", None, persistent=False)
        if not self.target_embedding.weight.is_meta:  # there, even the shapes of the sinusoids would bring in computer algebra
            self.fill_positions()
            self._initialise()

    def fill_positions(self) -> None:
        """Compute the sinusoids; called again once a model made without memory (device "meta") has its weights."""
        self.positions = sinusoids(self.config.max_tokens, self.config.width)

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
        """source (B, S), PAD on the right -> what the decoder sees of it."""
        tokens = source != PAD
        mask = None if bool(tokens.all()) else tokens[:, None, None, :]
        states = fill(self.embed(self.source_embedding, source, 0, generator), self.search_grain)
        for layer in self.encoder:
            states = layer(states, source.shape, mask, generator)
        return Memory(self.encoder_norm(states), source.shape, mask)

    def decode(self, target: Tensor, memory: Memory, generator: Optional[Generator] = None) -> Tensor:
        """target (B, T), beginning with BOS, PAD on the right -> (B, T, D). Padding needs no mask: it lies after every real token."""
        causal = causal_mask(target.shape[1], target.device)
        states = fill(self.embed(self.target_embedding, target, 0, generator), self.search_grain)
        for layer in self.decoder:
            states = layer(states, target.shape, memory, causal, generator)
        return self.decoder_norm(states)[: target.numel()].view(*target.shape, -1)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., D) -> (..., V), by the embedding matrix itself."""
        if self.output is not None:
            return self.output(hidden)
        return nn.functional.linear(hidden, self.target_embedding.weight)

    def embed(self, embedding: nn.Embedding, ids: Tensor, first: int, generator: Optional[Generator]) -> Tensor:
        """Embeddings times sqrt(D) plus positions from `first` on (sections 3.4, 3.5): (B, T) -> (B * T, D)."""
        states = embedding(ids) * math.sqrt(self.config.width) + self.positions[first : first + ids.shape[1]]
        # on a CPU what lies between the products is bound by memory: in bf16 half the bytes, a tenth less time
        states = states.to(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else embedding.weight.dtype)
        return dropout(states.flatten(0, 1), self.config.dropout, generator)

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first target token, one row a sentence.

        On a CPU it is fp32. In bf16 greedy search was a sixth faster, but of 1,000 translations 23 to 31 depended on their batch, with fp32 0 to 2.
        """
        cross = torch.stack([layer.cross.remember(memory.states, memory.shape) for layer in self.decoder])
        cross = cross if cross.is_cuda else cross.float()
        L, _, B, H, _, d = cross.shape
        mask = None if memory.mask is None else torch.zeros_like(memory.mask, dtype=cross.dtype).masked_fill_(~memory.mask, float("-inf"))
        return DecoderState(cross.new_empty((L, B, ROOM, 2, H, d)), 0, None, cross, mask)

    def step(self, last: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """One position further: last ids (N,) -> logits (N, V) and the new state. Equal to the last position of `decode`.

        The R rows of a sentence stand where T stands in training: they share its keys. The old state's room is written to.
        """
        N, B = last.shape[0], state.cross.shape[2]
        R = N // B
        position = state.used if state.path is None else state.path.shape[1]
        states = fill(self.embed(self.target_embedding, last[:, None], position, None), self.search_grain)
        rows = states.shape[0]
        state, mask = state.extend(R)
        remembered = state.own[:, :, : state.used].permute(0, 3, 1, 4, 2, 5)  # (L, 2, B, H, used, d), as cross has it
        for layer, own, cross in zip(self.decoder, remembered.unbind(0), state.cross.unbind(0)):

            def attention(x: Tensor, layer: DecoderLayer = layer, own: Tensor = own) -> Tensor:
                joint = layer.attention.project(x, (B, R))  # (3, B, H, R, d)
                own[..., -R:, :] = joint[1:]
                return layer.attention.output(look(joint[0], own, mask, rows))

            def cross_attention(x: Tensor, layer: DecoderLayer = layer, cross: Tensor = cross) -> Tensor:
                query = split_heads(layer.cross.query(x), (B, R), 1, layer.cross.heads)[0]
                return layer.cross.output(look(query, cross, state.mask, rows))

            states = layer.attention_residual(states, attention, None)
            states = layer.cross_residual(states, cross_attention, None)
            states = layer.feedforward_residual(states, layer.feedforward, None)
        return self.logits(self.decoder_norm(states))[:N], state


def embedding_of(size: int, width: int) -> nn.Embedding:
    """(V, D), not filled yet. nn.Embedding itself draws at once, for which torch, on device "meta", first loads a computer algebra system."""
    return nn.Embedding.from_pretrained(torch.empty(size, width), freeze=False)


def look(query: Tensor, key_value: Tensor, mask: Optional[Tensor], rows: int) -> Tensor:
    """query (B, H, R, d) against remembered keys and values (2, B, H, S, d), in their precision -> (rows, D), those from B * R on 0."""
    precision = query.dtype
    if precision != key_value.dtype:  # without the question Tensor.to would take its time where there is nothing to do
        query = query.to(key_value.dtype)
    key, value = key_value.unbind(0)
    found = join_heads(nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)[None], rows)
    return found if found.dtype == precision else found.to(precision)


def fill(states: Tensor, search_grain: int) -> Tensor:
    """(B * T, D) -> (N, D), with zeros below, on a CPU: so that there are few numbers of rows, at most GRAIN between one power of two and the next in
    training and `search_grain` in search, 0 = any; each is more by a share of 1/GRAIN, or 1/search_grain, at most.

    oneDNN makes kernels for each number of rows, 2 to 10 ms for each of a training step's 40 products in bf16, and hardly ever has a batch as many
    rows as another. Filled up, they train 1.2 times as fast (2 cores, Sapphire Rapids).
    """
    grain = GRAIN if torch.is_grad_enabled() else search_grain
    if states.is_cuda or not grain or torch.compiler.is_compiling():
        return states
    missing = missing_rows(states.shape[0], grain)
    return nn.functional.pad(states, (0, 0, 0, missing)) if missing else states
