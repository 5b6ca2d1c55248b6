"""Which cross-attention tells what a word was translated from, and how to read it.

The attention of most heads of one middle layer does, if read one step late: at the step whose *input* is the word, the decoder knows it and looks at
what it came from (Chen et al. 2020, "Accurate word alignment induction from neural machine translation").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy
from torch import Tensor

from translate.config import ModelConfig


@dataclass(frozen=True)
class AlignmentHeads:
    """A decoder layer, from 0, and those of its heads whose attention is averaged."""

    layer: int
    heads: tuple[int, ...]

    @classmethod
    def default(cls, config: ModelConfig) -> AlignmentHeads:
        """For a model that was not measured: all heads of the middle layer, the lower one of two."""
        return cls((config.decoder_layers - 1) // 2, tuple(range(config.heads)))

    def mean(self, weights: Tensor) -> Tensor:
        """(B, H, T, S) of the layer -> (B, T, S) in float32."""
        chosen = weights if self.heads == tuple(range(weights.shape[1])) else weights[:, list(self.heads)]
        return chosen.float().mean(dim=1)


def shifted(steps: numpy.ndarray, length: int) -> numpy.ndarray:
    """Rows of the steps whose outputs are tokens 0, 1, ... -> (length, S) rows of the steps whose inputs are these tokens.

    The last token of an output that was cut off was never an input; the step that put it out stands in.
    """
    rows = numpy.minimum(numpy.arange(1, length + 1), len(steps) - 1)
    return numpy.ascontiguousarray(steps[rows], dtype=numpy.float32)
