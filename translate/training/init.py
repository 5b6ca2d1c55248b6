"""What a new run starts from instead of random weights: the section `init` of the configuration.

A run's first save has the weights, so the other run is read once, and may be gone when this one is resumed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from translate.bundle.bundle import ModelFolder, model_folder
from translate.bundle.weights import weights_of, weights_sha256
from translate.config import Config
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.model import Model
from translate.tokenizer import SOURCE_FILE, Tokenizer

SAME = ("heads", "norm", "activation", "positions", "scale_embedding")  # settings of an encoder that the shapes of its parameters don't show
ENCODER = ("encoder.", "encoder_norm.", "positions")  # how the names of its parameters begin
SHARED, SOURCE = "target_embedding.weight", "source_embedding.weight"  # SOURCE is there if source and target have an embedding each


def check_init(config: Config, tokenizer: Tokenizer) -> None:
    """UserError if the run in `init.encoder` can't be read, has another source tokenizer, or another kind of encoder. Reads no weights."""
    if config.init.encoder is not None:
        _encoder_folder(config, config.init.encoder, tokenizer)


def initialise(model: Model, config: Config, tokenizer: Tokenizer, log: Callable[[str], None]) -> None:
    """Put the weights that `config.init` names into `model`. UserError as `check_init`, and for a shape that doesn't fit."""
    if config.init.encoder is not None:
        _start_encoder(model, _encoder_folder(config, config.init.encoder, tokenizer), log)


def _encoder_folder(config: Config, path: str, tokenizer: Tokenizer) -> ModelFolder:
    try:
        folder = ModelFolder(model_folder(expand_path(path)))
    except UserError as error:
        raise UserError(f"init.encoder: {error}") from None
    theirs, ours = folder.tokenizer_sha256[SOURCE_FILE], tokenizer.digests()[SOURCE_FILE]
    if theirs != ours:
        raise UserError(f"init.encoder ({path}) was trained with another tokenizer, so its ids mean other pieces: add tokenizer.path={path}")
    for name in SAME:
        has, needs = getattr(folder.config.model, name), getattr(config.model, name)
        if has != needs:
            raise UserError(f"init.encoder ({path}) has model.{name}={has}, this run {needs}: set model.{name}={has}")
    return folder


def _start_encoder(model: Model, folder: ModelFolder, log: Callable[[str], None]) -> None:
    """Copy encoder and source embedding of the model in `folder`."""
    try:
        weights = weights_of(folder.load().model)
    except UserError as error:
        raise UserError(f"init.encoder: {error}") from None
    parameters = weights_of(model)
    theirs, ours = ({name: tensor for name, tensor in each.items() if name.startswith(ENCODER)} for each in (weights, parameters))
    embedding = SOURCE if SOURCE in parameters else SHARED
    theirs[embedding], ours[embedding] = weights.get(SOURCE, weights[SHARED]), parameters[embedding]
    for name in dict.fromkeys([*ours, *theirs]):
        _check_shape(name, theirs.get(name), ours.get(name), folder)
    with torch.no_grad():
        for name, tensor in ours.items():
            tensor.copy_(theirs[name])
    numbers = sum(tensor.numel() for tensor in ours.values())
    log(f"init.encoder: encoder and source embedding, {numbers:,} parameters, are those of {folder.path} (SHA-256 {weights_sha256(weights)[:16]})")


def _check_shape(name: str, theirs: Tensor | None, ours: Tensor | None, folder: ModelFolder) -> None:
    """UserError unless both are there, with the same shape."""
    if theirs is None or ours is None or theirs.shape != ours.shape:
        has, needs = ("none" if tensor is None else f"shape {tuple(tensor.shape)}" for tensor in (theirs, ours))
        raise UserError(
            f"init.encoder ({folder.path}) does not fit: its {name} has {has}, this model's {needs}; "
            "model.width, feedforward and encoder_layers must be as in its config.yaml"
        )
