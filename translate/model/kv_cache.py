"""The key-value cache of search: keys and values of the tokens so far, so that each step computes those of the newest token only.

All hypotheses of a sentence share one list of keys. Each knows its ancestors, the places in this list that belong to it, and a mask hides all others
from it. So hypotheses branch and end without copying keys, and B sentences with R hypotheses each are a batch of B rows, (B, R, D).

One sentence, R = 2. Its only hypothesis, the begin mark, is continued by "the" and "a" in step 2, and "the" by "cat" and "dog" in step 3:

    step  in the list of keys      ancestors         hypotheses
    1     <s>                      [0]               <s>
    2     <s> the a                [0 1] [0 2]       <s> the      <s> a
    3     <s> the a cat dog        [0 1 3] [0 1 4]   <s> the cat  <s> the dog

After step 3 no hypothesis uses place 2 ("a"). It is masked out, and dropped when the list is full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor

CAPACITY = 16  # initial number of keys per sentence
STEPS = 8  # a larger cache has room for at least this many more tokens per hypothesis


@dataclass
class LayerCache:
    """What one decoder layer sees in one step, for R new tokens of each sentence.

    key_value: (2, B, H, length, d), the new tokens' places last. mask: (B, 1, R, length) to add to the scores, None = all keys.
    memory: keys and values of the encoder's output, (2, B, H, S, d), and memory_mask (B, 1, 1, S) to add to the scores, None = no padding.
    position: of the new tokens in the target, from 0.
    queries: a list to which the queries of the cross-attention are appended, (B, H, R, d); None if nobody asks for them.
    """

    key_value: Tensor
    mask: Optional[Tensor]
    memory: Tensor
    memory_mask: Optional[Tensor]
    position: int
    queries: Optional[list[Tensor]] = None

    def append(self, key_value: Tensor) -> Tensor:
        """Store the keys and values of the new tokens, (2, B, H, R, d). Returns those of all tokens, (2, B, H, length, d)."""
        self.key_value[..., -key_value.shape[-2] :, :] = key_value
        return self.key_value


class KVCache:
    """The cache of all layers, for B sentences with N = B * R open hypotheses.

    The methods change the cache in place.

    Attributes:
        key_value: (L, B, capacity, 2, H, d), of which the first `length` places are in use. The keys and values of a token are contiguous: with heads
            in different pages, attention took up to 1.5 times as long (greedy, batches of 64, Zen 4).
        ancestors: (N, t) the places of each hypothesis's tokens; None while every hypothesis uses all places, as in greedy search.
        memory: (L, 2, B, H, S, d) keys and values of the encoder's output.
        memory_mask: (B, 1, 1, S) 0, or -inf at padding; None without padding.
        queries: by layer, lists to which each step appends the queries of its cross-attention, (B, H, R, d).
    """

    def __init__(self, memory: Tensor, tokens: Optional[Tensor] = None) -> None:
        """An empty cache. memory (L, 2, B, H, S, d); tokens (B, 1, 1, S), False at padding, None = no padding."""
        L, _, B, H, _, d = memory.shape
        self.key_value = memory.new_empty((L, B, CAPACITY, 2, H, d))
        self.length = 0
        self.ancestors: Optional[Tensor] = None
        self.memory = memory
        self.memory_mask = None if tokens is None else torch.zeros_like(tokens, dtype=memory.dtype).masked_fill_(~tokens, float("-inf"))
        self.queries: dict[int, list[Tensor]] = {}

    @property
    def sentences(self) -> int:
        return self.memory.shape[2]

    @property
    def position(self) -> int:
        """Number of tokens of each hypothesis, which is the position of the next token."""
        return self.length if self.ancestors is None else self.ancestors.shape[1]

    def extend(self, R: int) -> list[LayerCache]:
        """Make room for the next token of R hypotheses of each sentence. Returns what each layer sees."""
        if self.length + R > self.key_value.shape[2]:
            self._compact(R)
        position, mask = self.position, None
        self.length += R
        if self.ancestors is not None:
            B, device = self.sentences, self.ancestors.device
            new = torch.arange(self.length - R, self.length, device=device).repeat(B)[:, None]
            self.ancestors = torch.cat([self.ancestors, new], dim=1)
            mask = self.key_value.new_full((B * R, self.length), float("-inf")).scatter_(1, self.ancestors, 0.0).view(B, 1, R, -1)
        layers = self.key_value[:, :, : self.length].permute(0, 3, 1, 4, 2, 5)  # (L, 2, B, H, length, d)
        return [
            LayerCache(own, mask, memory, self.memory_mask, position, self.queries.get(layer))
            for layer, (own, memory) in enumerate(zip(layers.unbind(0), self.memory.unbind(0)))
        ]

    def reorder(self, rows: Tensor, sentences: Tensor) -> KVCache:
        """Keep, repeat or reorder hypotheses, `rows` (N',) of the present ones, and `sentences` (B',) of the present ones, N' = B' * R'.

        Copies only the keys and values of sentences that change places. Returns this cache.
        """
        B, device = len(sentences), rows.device
        if self.ancestors is not None:
            self.ancestors = self.ancestors.index_select(0, rows)
        elif len(rows) > B:  # hypotheses branch for the first time
            self.ancestors = torch.arange(self.length, device=device).expand(len(rows), -1)
        if B == self.sentences:  # all remain, in their order
            return self
        moved = (sentences != torch.arange(B, device=device)).nonzero().squeeze(1)
        if len(moved):
            origins = sentences[moved]
            self.key_value[:, moved, : self.length] = self.key_value[:, origins, : self.length]
            self.memory[:, :, moved] = self.memory[:, :, origins]
            if self.memory_mask is not None:
                self.memory_mask[moved] = self.memory_mask[origins]
        self.key_value, self.memory = self.key_value[:, :B], self.memory[:, :, :B]
        self.memory_mask = None if self.memory_mask is None else self.memory_mask[:B]
        return self

    def _compact(self, R: int) -> None:
        """Move to a larger cache, without the keys and values that belong to no open hypothesis any more.

        In the example above `held` is [True True False True True]: `order` is [0 1 3 4], and [0 1 3] becomes [0 1 2], [0 1 4] becomes [0 1 3].
        """
        L, B, capacity = self.key_value.shape[:3]
        device, live = self.key_value.device, self.length
        if self.ancestors is None:
            order = torch.arange(live, device=device).expand(B, live)
        else:
            ancestors = self.ancestors.view(B, -1)
            held = torch.zeros((B, self.length), dtype=torch.bool, device=device).scatter_(1, ancestors, True)
            live = int(held.sum(1).max())
            order = (~held).sort(dim=1, stable=True).indices[:, :live]  # (B, live): False sorts before True, so the places held come first
            new_places = held.cumsum(1) - 1  # (B, length): of a place held, how many such lie before it
            self.ancestors = new_places.gather(1, ancestors).view(self.ancestors.shape)
        rows = (torch.arange(B, device=device)[:, None] * capacity + order).flatten()
        larger = self.key_value.new_empty((L, B, max(2 * live, live + STEPS * R), *self.key_value.shape[3:]))
        for old, new in zip(self.key_value, larger):
            new[:, :live] = old.flatten(0, 1).index_select(0, rows).unflatten(0, (B, live))
        self.key_value, self.length = larger, live
