"""The objective of the masked language model: which tokens are taken out of a batch, and what stands there instead.

Devlin et al. 2019, section 3.1: 15% of the tokens of a text are chosen, at least one, and must be predicted. Of these, 80% are masked, 10% replaced
by a random piece, and 10% left as they are, so that the model can trust no token that it reads. Only the chosen ones count in the loss. The end
marks are never chosen. The random piece is one of the batch, so a frequent piece is drawn often; BERT draws all alike.

A pair is one text of two segments, so a gap on one side may be filled from the other (Conneau and Lample 2019). As they alternate between pairs and
texts, each batch of pairs is read whole with a probability of 1/2, and else one side of it: the model also learns to do with one language. A text of
one language is the first or the second segment alone.

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
PAIRS = 0.5  # of the batches of pairs are read as pairs


def masked(sources: Sequence[list[int]], targets: Sequence[list[int]], key: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Source and target with tokens taken out, (B, S) and (B, T), and the labels of both, (B, S + T).

    A side that holds EOS alone is left out. With pairs only, S or T may be 0.
    """
    random = numpy.random.Generator(numpy.random.PCG64([*key, 2]))  # 2: other numbers than those that order the batches
    sides = [[ids if len(ids) > 1 else [] for ids in side] for side in (sources, targets)]
    read, left_out = random.random(), int(random.integers(2))
    if read >= PAIRS and all(map(all, zip(*sides))):
        sides[left_out] = [[] for _ in sources]
    matrices = [pad(side).numpy() for side in sides]
    source, target, labels = take_out(numpy.concatenate(matrices, axis=1), matrices[0].shape[1], random)
    return torch.from_numpy(source), torch.from_numpy(target), torch.from_numpy(labels)


def take_out(original: numpy.ndarray, middle: int, random: numpy.random.Generator) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Ids (B, L) -> what is read up to column `middle`, what is read from there on, and the labels (B, L)."""
    words = (original != PAD) & (original != EOS)
    chosen, fate = choose(words, random), random.random(original.shape)
    read = numpy.where(chosen & (fate < MASKED), MASK, original)
    replaced = chosen & (fate >= MASKED) & (fate < MASKED + RANDOM)
    read[replaced] = random.choice(original[words], int(replaced.sum()))
    return read[:, :middle], read[:, middle:], numpy.where(chosen, original, PAD)


def choose(words: numpy.ndarray, random: numpy.random.Generator) -> numpy.ndarray:
    """SHARE of the True places of each row, rounded, at least one: (B, L) bool -> (B, L) bool."""
    counts = numpy.maximum(1, numpy.rint(SHARE * words.sum(axis=1)))
    order = numpy.where(words, random.random(words.shape), 2.0).argsort(axis=1).argsort(axis=1)  # place of each in a random order
    chosen: numpy.ndarray = words & (order < counts[:, None])
    return chosen
