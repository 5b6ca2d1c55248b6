"""Weights <-> safetensors files, which contain only tensors and text, no code: those of the model and of its checkpoints."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from translate.errors import UserError
from translate.files.atomic import atomic_file
from translate.model import Model
from translate.values import short_repr


def weights_of(model: Model) -> dict[str, Tensor]:
    """Each parameter once: the tied embedding under its target's name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def load_weights(model: Model, weights: dict[str, Tensor], origin: str | Path) -> None:
    """Copy `weights` into the model. UserError, naming `origin`, for a name or shape that does not fit."""
    _check_shapes(model, weights, origin)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def assign_weights(model: Model, weights: dict[str, Tensor], origin: str | Path) -> None:
    """Give a model on the meta device copies of `weights` as parameters, without gradients. UserError as from `load_weights`.

    Module.to_empty does it too, but imports sympy: most of a second at every start.
    """
    _check_shapes(model, weights, origin)
    types = {name: parameter.dtype for name, parameter in model.named_parameters()}
    for name, tensor in weights.items():
        module, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(module), leaf, torch.nn.Parameter(tensor.to(types[name], copy=True), requires_grad=False))


def _check_shapes(model: Model, weights: dict[str, Tensor], origin: Any) -> None:
    try:
        model.allocate(weights)
    except ValueError as error:
        raise UserError(f"{origin} does not fit the model in the configuration: {error}") from None
    parameters = dict(model.named_parameters())
    for name in [*parameters, *weights]:
        old, new = parameters.get(name), weights.get(name)
        if old is None or new is None or old.shape != new.shape:
            have, want = (None if tensor is None else tuple(tensor.shape) for tensor in (new, old))
            raise UserError(f"{origin} does not fit the model in the configuration: {short_repr(name)} has shape {have}, the model needs {want}")


def write_weights(path: Path, weights: dict[str, Tensor], metadata: dict[str, str] | None = None, before: Path | None = None) -> None:
    """Write a safetensors file atomically; an old one is renamed to `before`, if given.

    UserError if it cannot be written, for example on a full disk; the old file stays.
    """
    with atomic_file(path, before) as temporary:
        try:
            save_file({name: tensor.contiguous().cpu() for name, tensor in weights.items()}, temporary, metadata)
        except (safetensors.SafetensorError, OSError) as error:
            raise UserError(f"{path}: cannot be written: {error}; free some space and run the same command to resume from the last save") from None


def read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors in the file. UserError if it is not a safetensors file, or cannot be read."""
    with _errors_named(path), safetensors.safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata, without reading tensors. UserError as from `read_weights`."""
    with _errors_named(path), safetensors.safe_open(path, "pt") as file:
        metadata: dict[str, str] | None = file.metadata()
        return metadata or {}


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """Hash of the names, types, shapes and values of `weights`, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextlib.contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    if path.exists() and not path.is_file():  # opening a pipe would block forever
        raise UserError(f"{path}: cannot be read: it is not a file")
    try:
        yield
    except safetensors.SafetensorError as error:
        raise UserError(f"{path} is not readable as safetensors ({error}): it is truncated or damaged") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
