"""Lists of ids -> one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import torch
from torch import Tensor

from translate.tokenizer.tokenizer import PAD


def pad(ids: Sequence[Sequence[int]]) -> Tensor:
    """B lists of ids -> (B, longest) int64 on the CPU, PAD on the right."""
    matrix = numpy.full((len(ids), max(map(len, ids))), PAD, dtype=numpy.int64)
    for row, sentence in enumerate(ids):
        matrix[row, : len(sentence)] = sentence
    return torch.from_numpy(matrix)
