"""Which cross-attention shows what a word was translated from, and at which step of the decoder.

At the step that puts a word out, attention is on what is to be translated next: the word itself, in all decoders measured here. At the step after it,
whose *input* is the word, the decoder knows which word it is, and middle layers of a deep one may look back at what it came from (Chen et al. 2020,
"Accurate word alignment induction from neural machine translation", shift-att). What suits a model is found out when its training ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy
from torch import Tensor

from translate.config import ModelConfig
from translate.errors import UserError
from translate.profile import Profile


@dataclass(frozen=True)
class AlignmentHeads:
    """A decoder layer, from 0, and those of its heads whose attention is averaged; shift: steps to wait after the one that puts the word out."""

    layer: int
    heads: tuple[int, ...]
    shift: int  # 0 or 1

    @classmethod
    def of(cls, profile: Profile, config: ModelConfig) -> AlignmentHeads:
        """What a model's profile says, else the default for its number of layers. UserError if the model has no such layer or heads."""
        if not profile.alignment_heads:
            return cls.default(config)
        heads = tuple(sorted(set(profile.alignment_heads)))
        if profile.alignment_layer >= config.decoder_layers or not 0 <= heads[0] <= heads[-1] < config.heads:
            raise UserError(
                f"the profile names heads {list(heads)} of decoder layer {profile.alignment_layer}, the model has {config.heads} heads in each of "
                f"{config.decoder_layers} layers: they are from different models"
            )
        return cls(profile.alignment_layer, heads, profile.alignment_shift)

    @classmethod
    def default(cls, config: ModelConfig) -> AlignmentHeads:
        """For a model that was not measured: the last layer, or the last but one of more than two, at the step that puts the word out."""
        return cls(max(config.decoder_layers - 2, min(config.decoder_layers - 1, 1)), tuple(range(config.heads)), 0)

    def mean(self, weights: Tensor) -> Tensor:
        """(B, H, T, S) of the layer -> (B, T, S) in float32."""
        chosen = weights if self.heads == tuple(range(weights.shape[1])) else weights[:, list(self.heads)]
        return chosen.float().mean(dim=1)

    def rows(self, steps: numpy.ndarray, length: int) -> numpy.ndarray:
        """Of the attention at all steps, the first one being that which puts token 0 out, the rows that tell of tokens 0 to length - 1: (length, S).

        The last token of an output that was cut off may never have been an input; the step that put it out stands in.
        """
        chosen = steps[self.shift : self.shift + length]
        if len(chosen) < length:
            chosen = numpy.concatenate([chosen, steps[-1:]])
        return numpy.ascontiguousarray(chosen, dtype=numpy.float32)
