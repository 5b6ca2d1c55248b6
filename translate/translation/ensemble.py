"""Several models that translate together (`-m A -m B`): each next token has the mean of the probabilities that they give it.

Models of different seeds make different mistakes (Sutskever et al. 2014, section 3.6). Families may differ: each has a state of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from translate.bundle.bundle import ModelFolder, check_command, model_folder
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.kernels.packed import PackedModel
from translate.model import Model


@dataclass
class Memories:
    """What each model's encoder made of the sources."""

    parts: list[Any]

    def select(self, sentences: Tensor) -> Memories:
        return Memories([part.select(sentences) for part in self.parts])


@dataclass
class States:
    """The states of a search in each model."""

    parts: list[Any]

    def reorder(self, rows: Tensor, sentences: Tensor) -> States:
        """See `State` in decoding/hypothesis.py."""
        return States([part.reorder(rows, sentences) for part in self.parts])


class Ensemble(nn.Module):
    """The interface of search that a single model has. Which word came from which is read in the first model."""

    def __init__(self, models: Sequence[Model | PackedModel]) -> None:
        super().__init__()
        self.models, self.config = nn.ModuleList(models), models[0].config
        self.each: list[Any] = list(models)

    def encode(self, source: Tensor) -> Memories:
        return Memories([model.encode(source) for model in self.each])

    def start(self, memory: Memories) -> States:
        return States([model.start(part) for model, part in zip(self.each, memory.parts)])

    def step(self, last: Tensor, state: States) -> tuple[Tensor, States]:
        """(N,) -> the logarithms of the mean probabilities, (N, V), and the states."""
        steps = [model.step(last, part) for model, part in zip(self.each, state.parts)]
        log_probs = torch.stack([scores.float().log_softmax(-1) for scores, _ in steps])
        return log_probs.logsumexp(0).sub_(math.log(len(steps))), States([part for _, part in steps])

    def cross_attention(self, target: Tensor, memory: Memories, layer: int) -> Tensor:
        attention: Tensor = self.each[0].cross_attention(target, memory.parts[0], layer)
        return attention


def load_others(folders: Sequence[str], first: ModelFolder, device: torch.device) -> list[Model]:
    """Further models for an ensemble with `first`. UserError for one that doesn't translate, has another tokenizer, or is given twice."""
    found, models = [first.path.resolve()], list[Model]()
    for name in folders:
        folder = ModelFolder(model_folder(expand_path(name)))
        check_command(folder.config, "file", name)
        if folder.path.resolve() in found:
            raise UserError(f"{name} is given twice: an ensemble needs different models")
        found.append(folder.path.resolve())
        if folder.tokenizer_sha256 != first.tokenizer_sha256:
            hint = f"train it with tokenizer.path={first.path}, so that all have the same tokens"
            raise UserError(f"{name} has another tokenizer than {first.path}: {hint}")
        models.append(folder.load(device).model)
    return models
