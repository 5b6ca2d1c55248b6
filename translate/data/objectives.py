"""What a model learns from a batch of pairs: which ids it reads, and which it must predict.

An objective takes the ids of B sources and targets, each with EOS at its end, and a key for whatever it draws at random. It returns three tensors,
padded with PAD on the right: the source that the model reads (B, S), the target that it reads (B, T), and the labels. `model.features(source,
target)` has one state for each label. A place without a label holds PAD there, and counts neither in the loss nor in the number of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from translate.data.masking import masked
from translate.tokenizer import BOS, PAD
from translate.tokenizer.padding import pad

Ids = Sequence[list[int]]
Objective = Callable[[Ids, Ids, tuple[int, ...]], tuple[Tensor, Tensor, Tensor]]


def translation(sources: Ids, targets: Ids, key: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Each target token from the source and the target before it."""
    labels = pad(targets)
    return pad(sources), shifted(labels), labels


def both_sides(sources: Ids, targets: Ids, key: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Each token of source and target from those before it, as if a source and its target were one text.

    Labels are (B, S + T): at each place of the source the source token after it, none at its last, which the target's begin mark always follows; then
    those of `translation`. A source's first token, before which there is nothing, isn't predicted.
    """
    source, target, labels = translation(sources, targets, key)
    following = torch.cat([source[:, 1:], source.new_full((len(source), 1), PAD)], dim=1)
    return source, target, torch.cat([following, labels], dim=1)


def target_part(labels: Tensor, target: Tensor) -> Tensor:
    """The labels (B, T) of the target tokens alone, in `translation` and in `both_sides`. target: (B, T), T at least 1."""
    return labels[:, -target.shape[1] :]


def next_token(sources: Ids, targets: Ids, key: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Each target token from the target before it; no source, (B, 0)."""
    labels = pad(targets)
    return labels.new_empty((len(labels), 0)), shifted(labels), labels


def shifted(labels: Tensor) -> Tensor:
    """What a decoder reads to predict `labels` (B, T): BOS, then all but the last."""
    return torch.cat([labels.new_full((len(labels), 1), BOS), labels[:, :-1]], dim=1)


OBJECTIVES: dict[str, Objective] = {
    "translation": translation,
    "both_sides": both_sides,
    "next_token": next_token,
    "masked": masked,
}
