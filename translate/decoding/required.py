"""Tokens that a hypothesis must hold as often as asked, and no more often: symbols that stand for what must not get lost.

While one is missing, a hypothesis can't end: the end mark's probability goes to the first one missing. So a model that knows where symbols belong
puts them there, and one that forgets them puts them at the end. A milder way than a grid of beams by constraints met (Hokamp and Liu 2017, Post
and Vilar 2018), which symbols that the model has learnt to pass on don't need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor


class Required:
    """The ids that each of B sentences must hold. U = these and all other symbols, none of which a sentence may hold more often than it must."""

    def __init__(self, ids: Sequence[Sequence[int]], eos: int, device: torch.device, symbols: Sequence[int] = ()) -> None:
        """ids: for each sentence, in the order in which they are put where the model has no place for them; repeated as often as needed.

        symbols: ids that a sentence may hold only if it must.
        """
        union = list(dict.fromkeys([*symbols, *(number for own in ids for number in own)]))
        counts = [Counter(own) for own in ids]
        self.eos = eos
        self.ids = torch.tensor(union, dtype=torch.int64, device=device)  # (U,)
        self.counts = torch.tensor([[count[number] for number in union] for count in counts], device=device).view(len(ids), len(union))  # (B, U)
        ranks = [[list(own).index(number) if number in own else len(own) for number in union] for own in ids]
        self.ranks = torch.tensor(ranks, device=device).view(len(ids), len(union))  # (B, U)

    def force(self, scores: Tensor, tokens: Tensor, sentences: Tensor, left: Tensor) -> Tensor:
        """`scores` (N, V) of the next token, so changed that the required ones come; may be overwritten.

        tokens: (N, T) those of each row so far. sentences: (N,) which of the B sentences each row belongs to. left: (N,) how many tokens it may
        still have, end mark included: where only the missing ones and the end mark fit, nothing else may come.
        """
        logits = scores.float()
        missing = self.counts[sentences] - (tokens[:, :, None] == self.ids).sum(1)  # (N, U)
        open_ids = missing > 0
        symbols = logits[:, self.ids].masked_fill(~open_ids, float("-inf"))
        unfinished = open_ids.any(1)
        first = self.ranks[sentences].masked_fill(~open_ids, self.ranks.max() + 1).argmin(1, keepdim=True)  # (N, 1)
        end = logits[:, self.eos].masked_fill(~unfinished, float("-inf"))
        symbols = symbols.scatter(1, first, torch.logaddexp(symbols.gather(1, first), end[:, None]))
        logits[:, self.eos] = logits[:, self.eos].masked_fill(unfinished, float("-inf"))
        hurry = unfinished & (missing.clamp(min=0).sum(1) + 1 >= left)
        if hurry.any():
            logits[hurry] = float("-inf")
            symbols[hurry] = symbols[hurry].masked_fill(~open_ids[hurry], float("-inf"))
        logits[:, self.ids] = symbols
        return logits
