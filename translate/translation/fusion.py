"""The language model that scores translations in search (`--fuse`): loaded, and compared with the model that translates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from translate.bundle.bundle import ModelFolder, check_command, model_folder
from translate.decoding import Step
from translate.decoding.fusion import FusedState, fused
from translate.device import choose_search_precision
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.kernels import for_search
from translate.kernels.packed import PackedModel
from translate.model import Model
from translate.tokenizer import SOURCE_FILE, TARGET_FILE

MOST = 10.0  # of the weight: far beyond any use


@dataclass(frozen=True)
class Fusion:
    """A model that generates, and the weight of its log-probabilities."""

    model: Model | PackedModel
    weight: float

    def join(self, step: Step[Any], state: Any, rows: int, device: torch.device) -> tuple[Step[Any], Any]:
        """`step` and `state` of a translation model in a search of so many rows -> those of both models."""
        if not self.weight:  # a token that the language model finds impossible stays possible
            return step, state
        nothing = torch.zeros((rows, 0), dtype=torch.int64, device=device)
        return fused(step, self.model.step, self.weight), FusedState(state, self.model.start(self.model.encode(nothing)))


def check_fusion(fuse: str | None, weight: float | None) -> None:
    """UserError unless both are given or neither, and for a weight out of bounds."""
    if fuse is None and weight is None:
        return
    if fuse is None:
        raise UserError(f"fuse-weight ({weight}) has no effect without a language model: name its run folder with fuse")
    if weight is None:
        raise UserError(f"fuse ({fuse}) needs a fuse-weight, such as 0.1: choose the one that is best on a development set")
    if not 0 <= weight <= MOST:
        raise UserError(f"fuse-weight is {weight}: it must be from 0 to {MOST:g}")


def load_fusion(fuse: str, weight: float, translating: ModelFolder, precision: str, device: torch.device) -> Fusion:
    """The language model in a run folder, for a model that translates. UserError if the two have different tokens."""
    folder = ModelFolder(model_folder(expand_path(fuse)))
    check_command(folder.config, "generate", fuse)
    if _target_sha256(folder) != _target_sha256(translating):
        hint = f"train it with tokenizer.path={translating.path}, so that both have the same tokens"
        raise UserError(f"{fuse} has another tokenizer than {translating.path}: {hint}")
    if folder.config.model.max_tokens < (least := translating.config.model.max_tokens):
        raise UserError(f"{fuse} has model.max_tokens={folder.config.model.max_tokens}: it can't score translations of up to {least} tokens")
    return Fusion(for_search(folder.load(device).model, device, choose_search_precision(precision, device)), weight)


def _target_sha256(folder: ModelFolder) -> str:
    """Of the tokenizer of the target side."""
    return folder.tokenizer_sha256.get(TARGET_FILE, folder.tokenizer_sha256[SOURCE_FILE])
