"""A Markov chain over pieces: Shannon 1948, "A mathematical theory of communication", section 3; Kneser and Ney 1995, "Improved backing-off for
m-gram language modeling"; Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling".

The state is the last n - 1 tokens, and all that the model knows is a table of what follows them. It has no gradient: it learns by counting, and
ngrams.py has the mathematics. Search, sampling and perplexity go through the same methods as a neural language model's; the `features` of a place
are its history, and `logits` looks it up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy
import torch
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.model.model import Model
from translate.model.ngram_tables import check_level
from translate.model.ngrams import estimate
from translate.tokenizer import BOS, PAD

LEAST = torch.finfo(torch.float32).tiny  # stands for a probability of 0, so that perplexity remains a number


@dataclass
class History:
    """The last n - 1 tokens of each text, (N, n - 1), PAD where there are fewer; memory and state of search. fresh: the first step reads no token."""

    tokens: Tensor
    fresh: bool = True

    def select(self, sentences: Tensor) -> History:
        return History(self.tokens[sentences], self.fresh)

    def reorder(self, rows: Tensor, sentences: Tensor) -> History:
        return History(self.tokens[rows], self.fresh)


class Markov(Model):
    """Tables as parameters without gradients: their sizes depend on the text, so a new model has empty ones."""

    translates: ClassVar[bool] = False
    learns_by_counting: ClassVar[bool] = True
    objective = "next_token"
    command: ClassVar[str] = "generate"

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        nn.Module.__init__(self)
        self.config, self.size = config, target_size
        self.unigram = _table(torch.zeros(target_size))
        self.pieces = _table(torch.zeros(0, dtype=torch.int64))  # that occur
        for k in range(2, config.order + 1):
            self._set(k, torch.zeros(0, dtype=torch.int64), torch.zeros(0), torch.zeros(target_size if k == 2 else 0))

    @staticmethod
    def fewest_parameters(config: ModelConfig) -> int:
        return 0

    def learn(self, tokens: numpy.ndarray, lengths: numpy.ndarray) -> None:
        """Count the n-grams of all sentences. tokens: their ids, one sentence after the other, EOS at the end of each; lengths: of the sentences."""
        tokens = numpy.insert(tokens.astype(numpy.int64), lengths.cumsum() - lengths, BOS)
        tables = estimate(tokens, lengths + 1, self.config.order, self.size, (PAD, BOS), self.config.smoothing)
        self.unigram, self.pieces = (_table(torch.from_numpy(table).to(self.unigram.device)) for table in (tables.unigram, tables.pieces))
        for k, level in enumerate(tables.levels, 2):
            self._set(k, *(torch.from_numpy(table).to(self.unigram.device) for table in (level.keys, level.discounted, level.backoff)))

    def allocate(self, weights: dict[str, Tensor]) -> None:
        """See `Model.allocate`. A search looks up where to look next: that it stays within the tables is checked here, once."""
        nodes, nothing = 1, torch.empty(0, 0)  # nodes of the level before
        for k in range(1, self.config.order + 1):
            names = [f"keys_{k}", f"discounted_{k}", f"backoff_{k}"] if k > 1 else ["pieces", "unigram"]
            tables = [weights.get(name, nothing) for name in names]
            check_level(names, tables, [len(tables[0]), nodes] if k > 1 else [self.size], nodes * self.size)
            for name, table in zip(names, tables):
                setattr(self, name, _table(torch.empty(table.shape, dtype=getattr(self, name).dtype, device=self.unigram.device)))
            nodes = len(tables[0]) if k > 1 else self.size

    def facts(self) -> dict[str, Any]:
        """Of each order: how many n-grams the text has, and how many are possible."""
        tables = [self.pieces, *(self._level(k)[0] for k in range(2, self.config.order + 1))]
        return {"ngrams": [{"order": k, "seen": len(table), "possible": self.size**k} for k, table in enumerate(tables, 1)]}

    def _set(self, k: int, keys: Tensor, discounted: Tensor, backoff: Tensor) -> None:
        for name, tensor in (("keys", keys), ("discounted", discounted), ("backoff", backoff)):
            setattr(self, f"{name}_{k}", _table(tensor))

    def _level(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
        return getattr(self, f"keys_{k}"), getattr(self, f"discounted_{k}"), getattr(self, f"backoff_{k}")

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """The history of each place: (B, 0), (B, T) -> (B, T, n - 1)."""
        if self.config.order == 1:
            return target.new_empty((*target.shape, 0))
        return nn.functional.pad(target, (self.config.order - 2, 0), value=PAD).unfold(1, self.config.order - 1, 1)

    def encode(self, prompt: Tensor) -> History:
        """Read the beginnings of B texts, (B, S) without BOS, with PAD on the right; S may be 0."""
        text = torch.cat([prompt.new_full((len(prompt), 1), BOS), prompt], dim=1)
        last = (prompt != PAD).sum(1)
        return History(self.features(prompt, text)[torch.arange(len(text), device=text.device), last])

    def start(self, memory: History) -> History:
        return History(memory.tokens)

    def step_features(self, last: Tensor, state: History) -> tuple[Tensor, History]:
        """The first step gets BOS, which the history has already."""
        tokens = state.tokens if state.fresh else torch.cat([state.tokens, last[:, None]], dim=1)[:, 1:]
        return tokens, History(tokens, fresh=False)

    def logits(self, features: Tensor) -> Tensor:
        """Log-probabilities of each next token: histories (..., n - 1) -> (..., V)."""
        return self.probabilities(features.flatten(0, -2)).clamp_(min=LEAST).log_().view(*features.shape[:-1], -1)

    def probabilities(self, histories: Tensor) -> Tensor:
        """The equation in ngrams.py, from the shortest history to the longest: (N, n - 1) -> (N, V). Each row adds up to 1."""
        N, longest = histories.shape
        result = self.unigram.repeat(N, 1)
        if self.config.smoothing == "none" and longest:  # what nothing followed spreads evenly over the others
            result.scatter_(1, histories[:, -1:], 0.0).div_(result.sum(dim=1, keepdim=True))
        for k in range(2, longest + 2):
            keys, discounted, backoff = self._level(k)
            if not len(backoff):  # no text is that long
                break
            nodes = self.nodes(histories[:, longest - k + 1 :])  # (N,)
            begin = torch.searchsorted(keys, nodes * self.size)
            followers = torch.searchsorted(keys, (nodes + 1) * self.size) - begin  # (N,): none of node -1
            result *= torch.where(nodes < 0, 1.0, backoff[nodes])[:, None]
            rows = torch.arange(N, device=keys.device).repeat_interleave(followers)
            entries = torch.arange(len(rows), device=keys.device) + (begin - followers.cumsum(0) + followers)[rows]
            result[rows, keys[entries] % self.size] += discounted[entries]
        return result

    def nodes(self, grams: Tensor) -> Tensor:
        """The nodes of n-grams, (N, k) -> (N,); -1 for one that never occurs."""
        nodes = grams[:, 0]
        for k in range(2, grams.shape[1] + 1):
            keys = self._level(k)[0]
            wanted = torch.where(nodes < 0, -1, nodes * self.size + grams[:, k - 1])
            nodes = torch.searchsorted(keys, wanted)
            there = nodes < len(keys)
            there[there.clone()] = keys[nodes[there]] == wanted[there]
            nodes = torch.where(there, nodes, -1)
        return nodes

    def fill_positions(self) -> None:
        """There are none."""


def _table(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values, requires_grad=False)
