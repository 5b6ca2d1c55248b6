"""The layers of recurrent.py: an encoder layer that reads in both directions, the decoder's cell, and the state of search.

Bahdanau et al. 2015, "Neural machine translation by jointly learning to align and translate"; section numbers are theirs. GRU: Cho et al. 2014;
LSTM: Hochreiter and Schmidhuber 1997.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

import torch
from torch import Tensor, nn

from translate.config import ModelConfig

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}
GATES = {"gru": 3, "lstm": 4}  # with the candidate
PARTS = {"gru": 1, "lstm": 2}  # of a state: s, and the memory of an LSTM


class Bidirectional(nn.Module):
    """A layer that reads the source in both directions (section 3.2): h_j is what is known of token j from those before it and those after it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.ahead, self.back = (CELLS[config.cell](config.width, config.width // 2, batch_first=True) for _ in range(2))

    def forward(self, states: Tensor, mirror: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, D). mirror (B, S): place j of a sentence read backwards; padding stays on the right, where no token depends on it."""
        states = single(states)
        ahead, _ = self.ahead(states)
        back, _ = self.back(in_order(states, mirror))
        return torch.cat([ahead, in_order(back, mirror)], dim=-1)


class Cell(nn.Module):
    """s_i = f(s_(i-1), y_(i-1), c_i): a GRU (appendix A.1.1; the reset gate behind the product, as in torch) or an LSTM, given the word's gates."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.cell = config.cell
        self.context = nn.Linear(config.width, GATES[config.cell] * config.width, bias=False)
        self.state = nn.Linear(config.width, GATES[config.cell] * config.width)

    def forward(self, word: Tensor, context: Tensor, state: list[Tensor]) -> list[Tensor]:
        """word (B, R, gates * D), context (B, R, D), state: s, and the memory of an LSTM, (B, R, D) each -> the next state."""
        inputs, own = word + self.context(context), self.state(state[0])
        if self.cell == "lstm":
            add, forget, candidate, show = (inputs + own).chunk(4, dim=-1)
            memory = forget.sigmoid() * state[1] + add.sigmoid() * candidate.tanh()
            return [show.sigmoid() * memory.tanh(), memory]
        (reset, keep, candidate), (own_reset, own_keep, own) = inputs.chunk(3, dim=-1), own.chunk(3, dim=-1)
        candidate = (candidate + (reset + own_reset).sigmoid() * own).tanh()
        return [candidate + (keep + own_keep).sigmoid() * (state[0] - candidate)]


@dataclass
class RecurrentState:
    """Search between two steps, with R hypotheses of each of B sentences.

    key_value: (2, B, H, S, d) of the source, mask: (B, 1, 1, S). state: of the cell, (B, R, D) each. above: of the layers above it, (1, B * R, D)
    each. position: number of tokens so far.
    """

    key_value: Tensor
    mask: Optional[Tensor]
    state: list[Tensor]
    above: list[list[Tensor]]
    position: int = 0

    def reorder(self, rows: Tensor, sentences: Tensor) -> RecurrentState:
        """Keep `rows` (N',) and `sentences` (B',) of the present ones: see `State` in decoding/hypothesis.py."""
        state = [each.flatten(0, 1).index_select(0, rows).unflatten(0, (len(sentences), -1)) for each in self.state]
        above = [[each.index_select(1, rows) for each in layer] for layer in self.above]
        if len(sentences) == self.key_value.shape[1]:  # all remain, in their order
            return replace(self, state=state, above=above)
        mask = None if self.mask is None else self.mask.index_select(0, sentences)
        return RecurrentState(self.key_value.index_select(1, sentences), mask, state, above, self.position)


def in_order(states: Tensor, places: Tensor) -> Tensor:
    """The states (B, S, D) of each sentence at `places` (B, S)."""
    return states.gather(1, places[:, :, None].expand_as(states))


def single(states: Tensor) -> Tensor:
    """In fp32 at least: a state that goes on from token to token would lose too much in bf16."""
    return states.to(torch.promote_types(states.dtype, torch.float32))
