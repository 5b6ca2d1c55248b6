"""What all families of models have in common: embeddings, positions, the output layer, and the interface of training and search."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy
import torch
from torch import Tensor, nn

from translate.config import ModelConfig, used_settings
from translate.model.layers import Dropout, sinusoids


class Model(nn.Module):
    """One model of `model.family`. A family in a file of its own adds its stacks, and the methods below that it has.

    Training calls `features`, search `encode`, `start` and `step`. So does everything else: nothing asks for the family by its name.

    To load a bundle, the model is built without memory, on device "meta", and then given its weights and `fill_positions`. On that device nothing
    may be computed or drawn: torch would first import SymPy, a computer algebra system, which takes up to a second.

    Attributes:
        translates: whether it turns a source into a target. One that doesn't is validated and evaluated by its loss alone.
        learns_by_counting: whether it has no gradient, and learns from all sentences at once by `learn`.
        objective: what its batches hold, a name in data/objectives.py.
        command: what uses it on the command line: file, which translates; generate, for one with `start` and `step` that doesn't translate; or fill.
    """

    translates: ClassVar[bool] = True
    command: ClassVar[str] = "file"
    learns_by_counting: ClassVar[bool] = False
    objective: str = "translation"

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        """source_size, target_size: numbers of pieces. tied: source and target have the same tokenizer, and so one embedding."""
        super().__init__()
        self.config = config
        self.target_embedding = empty_embedding(target_size, config.width)
        self.embedding_dropout: nn.Module = Dropout(config.dropout)
        self.output_bias = nn.Parameter(torch.empty(target_size)) if config.output_bias else None
        self.positions: Tensor  # (max_tokens, D), of source and target
        if config.positions == "learned":
            self.positions = nn.Parameter(torch.empty(config.max_tokens, config.width))
        else:
            self.register_buffer("positions", None, persistent=False)  # moves with the model, but is not saved: see `fill_positions`

    @staticmethod
    def fewest_parameters(config: ModelConfig) -> int:
        """A lower bound that is computed without building the model, to refuse settings that don't fit a bundle's weights.

        Here, of a Transformer: the matrices of the feed-forward layers.
        """
        used = used_settings(config, config.family)
        layers: int = used.get("encoder_layers", 0) + used.get("decoder_layers", 0)
        return layers * config.width * config.feedforward * 2

    def learn(self, tokens: numpy.ndarray, lengths: numpy.ndarray) -> None:
        """Of a model that learns by counting: learn from all sentences, their ids one after the other."""
        raise NotImplementedError

    def allocate(self, weights: dict[str, Tensor]) -> None:
        """Make room for `weights`, before they are loaded, where sizes depend on the training data and not on the configuration alone.

        ValueError, saying what is wrong, for values that the model couldn't be used with.
        """

    def facts(self) -> dict[str, Any]:
        """What report.json tells of it besides the number of parameters."""
        return {}

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """The states that `logits` turns into scores, one for each label of a batch: (B, S), (B, T) -> (B, T, D)."""
        raise NotImplementedError

    def encode(self, source: Tensor) -> Any:
        """What search has to know of the source (B, S): a memory with `select(sentences)`, which `start` and `cross_attention` take."""
        raise NotImplementedError

    def start(self, memory: Any) -> Any:
        """The state of search before the first target token, with one hypothesis a sentence: see `State` in decoding/hypothesis.py."""
        raise NotImplementedError

    def step_features(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
        """`step` without the output layer: (N,) -> (N, D)."""
        raise NotImplementedError

    def cross_attention(self, target: Tensor, memory: Any, layer: int) -> Tensor:
        """How much each step that reads `target` takes from each source token, in `layer`, from 0: (B, T) -> (B, H, T, S)."""
        raise NotImplementedError

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """source (B, S) and target (B, T), which begins with BOS, both with PAD on the right -> logits (B, T, V) of each next token."""
        return self.logits(self.features(source, target))

    def step(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One position further: the last tokens (N,) of the N = B * R hypotheses -> logits (N, V) and the state, which has changed.

        Equal to the last position of `forward`.
        """
        features, state = self.step_features(last, state)
        return self.logits(features), state

    @property
    def output_weight(self) -> Tensor:
        """(V, D): the embedding matrix itself (section 3.4). With `output_bias` (V, D + 1): the bias is a column more."""
        if self.output_bias is None:
            return self.target_embedding.weight
        return torch.cat([self.target_embedding.weight, self.output_bias[:, None]], dim=1)

    def to_features(self, states: Tensor) -> Tensor:
        """The decoder's output (..., D) as `logits` takes it: with `output_bias` (..., D + 1), the last place 1."""
        return states if self.output_bias is None else nn.functional.pad(states, (0, 1), value=1.0)

    def logits(self, features: Tensor) -> Tensor:
        """(..., D) -> (..., V)."""
        if self.output_bias is None:
            return nn.functional.linear(features, self.target_embedding.weight)
        return nn.functional.linear(features[..., :-1], self.target_embedding.weight, self.output_bias)

    def embed(self, embedding: nn.Embedding, ids: Tensor, positions: Tensor) -> Tensor:
        """Embeddings times sqrt(D) plus positions (sections 3.4, 3.5): ids (B, T), positions (T, D) or (D,) -> (B, T, D)."""
        scale = math.sqrt(self.config.width) if self.config.scale_embedding else 1.0
        return self.embedding_dropout(embedding(ids) * scale + positions)

    def check_length(self, length: int) -> None:
        """ValueError for more tokens than there are positions."""
        if length > self.config.max_tokens:
            raise ValueError(f"a sentence of {length:,} tokens is longer than the model's max_tokens ({self.config.max_tokens:,})")

    def fill_positions(self) -> None:
        """Compute the sinusoids; for a model built on device "meta", after its weights have been set. Learned positions are among these."""
        if self.config.positions == "sinusoidal":
            self.positions = sinusoids(self.config.max_tokens, self.config.width)

    def initialise(self) -> None:
        """Positions, and random weights: Glorot's uniform for products, each of a joint projection on its own; embeddings so that sqrt(D) times
        them has variance 1; learned positions of deviation 0.1 (Gehring et al. 2017, "Convolutional sequence to sequence learning", section 3.5).
        The last call of a constructor; does nothing on device "meta"."""
        if self.target_embedding.weight.is_meta:
            return
        self.fill_positions()
        for name, parameter in self.named_parameters():
            if "embedding" in name:
                nn.init.normal_(parameter, std=self.config.width**-0.5)
            elif "key_value.weight" in name:  # of several projections, (D, D) each, in one matrix
                for projection in parameter.split(self.config.width):
                    nn.init.xavier_uniform_(projection)
            elif name == "positions":
                nn.init.normal_(parameter, std=0.1)
            elif parameter.dim() == 3:  # a matrix for each head
                for matrix in parameter:
                    nn.init.xavier_uniform_(matrix)
            elif parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)


def empty_embedding(size: int, width: int) -> nn.Embedding:
    """(V, D), uninitialised: the constructor of nn.Embedding draws random numbers, also on device "meta"."""
    return nn.Embedding.from_pretrained(torch.empty(size, width), freeze=False)
