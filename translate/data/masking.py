"""The objective of the masked language model: which tokens are taken out of a batch, and what stands there instead.

Devlin et al. 2019, section 3.1: 15% of the tokens of a text are chosen, at least one, and must be predicted. Of these, 80% are masked, 10% replaced
by a random piece, and 10% left as they are, so that the model can trust no token that it reads. Only the chosen ones count in the loss. The end
marks are never chosen.

A pair is one text of two segments; a text of one language is the first or the second alone.

<mask> is no piece of the tokenizer. A masked place holds MASK, the id of the start mark, which no text is ever turned into. So any tokenizer will do,
and a translation model that has the same one has the same ids.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import torch
from torch import Tensor

from translate.tokenizer import EOS, MASK, PAD
from translate.tokenizer.padding import pad

SHARE = 0.15  # of the tokens
MASKED, RANDOM = 0.8, 0.1  # of the chosen ones; the rest stay


def masked(sources: Sequence[list[int]], targets: Sequence[list[int]], key: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Source and target with tokens taken out, (B, S) and (B, T), and the labels of both, (B, S + T). A side that holds EOS alone is left out."""
    sides = [pad([ids if len(ids) > 1 else [] for ids in side]).numpy() for side in (sources, targets)]
    original = numpy.concatenate(sides, axis=1)
    random = numpy.random.Generator(numpy.random.PCG64([*key, 2]))  # 2: other numbers than those that order the batches
    words = (original != PAD) & (original != EOS)
    chosen = choose(words, random)
    fate = random.random(original.shape)
    read = numpy.where(chosen & (fate < MASKED), MASK, original)
    replaced = chosen & (fate >= MASKED) & (fate < MASKED + RANDOM)
    read[replaced] = random.choice(original[words], int(replaced.sum()))
    labels = numpy.where(chosen, original, PAD)
    source, target = numpy.split(read, [sides[0].shape[1]], axis=1)
    return torch.from_numpy(source), torch.from_numpy(target), torch.from_numpy(labels)


def choose(words: numpy.ndarray, random: numpy.random.Generator) -> numpy.ndarray:
    """SHARE of the True places of each row, rounded, at least one: (B, L) bool -> (B, L) bool."""
    counts = numpy.maximum(1, numpy.rint(SHARE * words.sum(axis=1)))
    order = numpy.where(words, random.random(words.shape), 2.0).argsort(axis=1).argsort(axis=1)  # place of each in a random order
    chosen: numpy.ndarray = words & (order < counts[:, None])
    return chosen
