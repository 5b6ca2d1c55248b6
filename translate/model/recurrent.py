"""Where attention came from: a recurrent encoder-decoder that looks back at the source for each word.

Bahdanau, Cho and Bengio 2015, "Neural machine translation by jointly learning to align and translate". Before each word the decoder, in state
s_(i-1), scores the encoder's states h_j of all source tokens (`model.attention`), sums them up into a context c_i by the weights that come out
(equations 5 and 6), and goes on to s_i = f(s_(i-1), y_(i-1), c_i). Theirs is `attention: additive`, `heads: 1`, `cell: gru`, and one layer each.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.model.attention import CrossAttention
from translate.model.attention_window import weights_of_score
from translate.model.layers import Dropout, Memory
from translate.model.model import Model, empty_embedding
from translate.model.recurrent_layers import CELLS, GATES, PARTS, Bidirectional, Cell, RecurrentState, single
from translate.tokenizer import PAD


class Recurrent(Model):
    """Encoder and decoder of `model.cell`. The cell of the decoder's first layer attends; layers above it read its states and contexts, as in Wu et
    al. 2016 ("Google's neural machine translation system", section 3.1), and so need no loop here. States are in fp32 in any precision."""

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        super().__init__(config, source_size, target_size, tied)
        D = config.width
        self.source_embedding = self.target_embedding if tied else empty_embedding(source_size, D)
        self.dropout: nn.Module = Dropout(config.dropout)  # of what goes from layer to layer, not from token to token (Zaremba et al. 2014)
        self.encoder = nn.ModuleList(Bidirectional(config) for _ in range(config.encoder_layers))
        self.first = nn.Linear(D // 2, PARTS[config.cell] * D)
        self.cross = CrossAttention(D, config.heads, weights_of_score(config))
        self.word = nn.Linear(D, GATES[config.cell] * D)
        self.cell = Cell(config)
        self.above = nn.ModuleList(CELLS[config.cell](2 * D, D, batch_first=True) for _ in range(config.decoder_layers - 1))
        self.output = nn.Linear(3 * D, 2 * D)
        self.initialise()

    @staticmethod
    def fewest_parameters(config: ModelConfig) -> int:
        """The matrices of encoder and decoder layers."""
        return GATES[config.cell] * config.width**2 * 3 * (config.encoder_layers + 2 * config.decoder_layers) // 2

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """(B, S), (B, T) -> (B, T, D)."""
        memory = self.encode(source)
        words, _, states, contexts = self.recur(target, memory)
        below = states
        for layer in self.above:
            below, _ = layer(self.dropout(torch.cat([below, contexts], dim=-1)))
        return self.read_out(words, below, contexts)

    def encode(self, source: Tensor) -> Memory:
        """(B, S) -> h_j (B, S, D) and the mask of the padding."""
        self.check_length(source.shape[1])
        tokens = source != PAD
        mask = None if not source.is_cuda and bool(tokens.all()) else tokens[:, None, None, :]
        place, length = torch.arange(source.shape[1], device=source.device), tokens.sum(1, keepdim=True)
        mirror = torch.where(tokens, length - 1 - place, place)
        states = self.embed_words(self.source_embedding, source)
        for number, layer in enumerate(self.encoder):
            states = layer(self.dropout(states) if number else states, mirror)
        return Memory(states, mask)

    def recur(self, target: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Words y_(i-1), states s_(i-1) and s_i, and contexts c_i of all steps: (B, T) -> four times (B, T, D)."""
        self.check_length(target.shape[1])
        words, key_value = self.embed_words(self.target_embedding, target), self.cross.project(memory.states)
        gates, states, contexts = self.word(words), [self.first_state(memory)], []
        for i in range(target.shape[1]):
            contexts.append(self.cross(states[-1][0], key_value, memory.mask, i))
            states.append(self.cell(gates[:, i : i + 1], contexts[-1], states[-1]))
        s = torch.cat([state[0] for state in states], dim=1)  # (B, 1 + T, D)
        return words, s[:, :-1], s[:, 1:], torch.cat(contexts, dim=1)

    def first_state(self, memory: Memory) -> list[Tensor]:
        """s_0 from what the encoder knows when it has read back to the first token (appendix A.2.2)."""
        read_back = memory.states[:, :1, self.config.width // 2 :].contiguous()
        return list(single(self.first(read_back)).tanh().split(self.config.width, dim=-1))

    def read_out(self, words: Tensor, states: Tensor, contexts: Tensor) -> Tensor:
        """A layer of maxout units over y_(i-1), s_i and c_i (appendix A.2.2): (..., D) each -> (..., D)."""
        one, other = self.output(self.dropout(torch.cat([words, states, contexts], dim=-1))).chunk(2, dim=-1)
        return torch.maximum(one, other)

    def cross_attention(self, target: Tensor, memory: Memory, layer: int) -> Tensor:
        """The weights of each step, the same for every `layer`: (B, T) -> (B, H, T, S)."""
        _, states, _, _ = self.recur(target, memory)
        return self.cross.weights(states.contiguous(), self.cross.project(memory.states), memory.mask)

    def start(self, memory: Memory) -> RecurrentState:
        """The state before the first target token, with one hypothesis a sentence."""
        state = self.first_state(memory)
        above = [[torch.zeros_like(each).transpose(0, 1) for each in state] for _ in self.above]
        return RecurrentState(self.cross.project(memory.states), memory.mask, state, above)

    def step_features(self, last: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """`step` without the output layer: (N,) -> (N, D)."""
        self.check_length(state.position + 1)
        words = self.embed_words(self.target_embedding, last.view(state.key_value.shape[1], -1))  # (B, R, D)
        context = self.cross(state.state[0], state.key_value, state.mask, state.position)
        after = self.cell(self.word(words), context, state.state)
        below, above = after[0], list[list[Tensor]]()
        for layer, own in zip(self.above, state.above):
            inputs = torch.cat([below, context], dim=-1).flatten(0, 1)[:, None]  # (N, 1, 2D)
            outputs, own = layer(inputs, own[0] if len(own) == 1 else tuple(own))
            below, above = outputs.view_as(below), [*above, [own] if isinstance(own, Tensor) else list(own)]
        features = self.read_out(words, below, context).flatten(0, 1)
        return features, replace(state, state=after, above=above, position=state.position + 1)

    def embed_words(self, embedding: nn.Embedding, ids: Tensor) -> Tensor:
        """(B, T) -> (B, T, D). The order of the tokens is that of the steps: there are no positions."""
        return self.embedding_dropout(embedding(ids) * math.sqrt(self.config.width))

    def fill_positions(self) -> None:
        """There are none."""

    def initialise(self) -> None:
        """Recurrent matrices are orthogonal (appendix B.1); an LSTM forgets little at first (Jozefowicz et al. 2015)."""
        super().initialise()
        if self.target_embedding.weight.is_meta:
            return
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if "weight_hh" in name or name == "cell.state.weight":
                    for gate in parameter.split(parameter.shape[1]):
                        nn.init.orthogonal_(gate)
                elif self.config.cell == "lstm" and ("bias_hh" in name or name == "cell.state.bias"):
                    parameter.chunk(4)[1].fill_(1.0)
