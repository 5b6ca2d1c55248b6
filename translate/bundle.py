"""Run folder <-> (config, tokenizer, weights): config.yaml, spm.model and model.safetensors are the model; copy them anywhere.

The bundle holds plain values only: it names no path, device or Python class, and reading it runs no code.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import safetensors
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from translate.config import FORMAT, Config, check, from_dict
from translate.model import Transformer
from translate.text import written_whole
from translate.tokenizer import Tokenizer

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
EXPORTED = "model.bin"  # CTranslate2's


@dataclass
class Bundle:
    folder: Path
    config: Config
    tokenizer: Tokenizer
    model: Transformer


def build_model(config: Config, tokenizer: Tokenizer) -> Transformer:
    return Transformer(config.model, tokenizer.source_size, tokenizer.target_size, tied=tokenizer.joint)


def package_version() -> str:
    try:
        return importlib.metadata.version("translate-nmt")
    except importlib.metadata.PackageNotFoundError:  # used from a checkout that is not installed
        return "unknown"


def write_config(folder: Path, config: Config, tokenizer: Tokenizer) -> None:
    """config.yaml: the settings, the format, the package's version and the tokenizer's SHA-256. The folder itself is not named in it."""
    values = {"format": FORMAT, "version": package_version(), "tokenizer_sha256": tokenizer.digests(), **dataclasses.asdict(config)}
    for name in ("run", "resume", "verify_resume"):  # not of the model
        del values[name]
    with written_whole(folder / CONFIG) as file:
        yaml.safe_dump(values, file, sort_keys=False, allow_unicode=True, width=150)


def read_config(folder: str | Path) -> tuple[Config, dict[str, str]]:
    """The settings of a run folder and the SHA-256 of its tokenizer's files. ValueError if it is none or was made by a newer format."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise ValueError(f"{folder} is no model: it has no {CONFIG}; give the run folder that `translate train` wrote")
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not readable as YAML ({str(error).splitlines()[0]}): it is damaged, or not this toolkit's") from None
    if not isinstance(values, dict) or "format" not in values:
        raise ValueError(f"{path} has no `format` entry: it was not written by this toolkit")
    if values.pop("format") != FORMAT:
        raise ValueError(f"{path} has another format than this version reads ({FORMAT}): install the version that wrote it, {values.get('version')}")
    values.pop("version", None)
    digests = values.pop("tokenizer_sha256", None)
    if not isinstance(digests, dict):
        raise ValueError(f"{path} has no `tokenizer_sha256`: it is damaged, or not this toolkit's")
    try:
        return check(from_dict({"run": str(folder), **values})), digests
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_tokenizer(folder: Path) -> tuple[Config, Tokenizer]:
    """Settings and tokenizer of a run folder. ValueError if one is missing, or the tokenizer is not the one that the model was trained with."""
    config, digests = read_config(folder)
    tokenizer = Tokenizer.load(folder)
    for name, digest in tokenizer.digests().items():
        if digest != digests.get(name):
            raise ValueError(f"{folder / name} is another tokenizer than the model's: SHA-256 {digest}, {CONFIG} says {digests.get(name)}")
    return config, tokenizer


def load_bundle(folder: str | Path, device: Optional[torch.device] = None) -> Bundle:
    """The model of a run folder, ready to translate. ValueError says which file is missing, foreign or does not fit."""
    folder = Path(folder)
    config, tokenizer = load_tokenizer(folder)
    path = folder / WEIGHTS
    if not path.is_file() and (folder / EXPORTED).exists():
        raise ValueError(f"{folder} is a model for CTranslate2: add --engine ctranslate2, or give the run folder that it was exported from")
    if not path.is_file():
        raise ValueError(f"{folder} has no {WEIGHTS} yet: its training has not finished; run the same `translate train` command again to go on")
    with torch.device("meta"):
        model = build_model(config, tokenizer)
    model.to_empty(device=device or torch.device("cpu"))
    model.fill_positions()
    put_weights(model, read_weights(path), path)
    model.requires_grad_(False)
    return Bundle(folder, config, tokenizer, model.eval())


def weights_of(model: Transformer) -> dict[str, Tensor]:
    """Each parameter once: the tied embedding under its target's name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def put_weights(model: Transformer, weights: dict[str, Tensor], origin: Any) -> None:
    """Copy `weights` into the model. ValueError for a name or a shape that does not fit."""
    parameters = dict(model.named_parameters())
    for name in [*parameters, *weights]:
        old, new = parameters.get(name), weights.get(name)
        if old is None or new is None or old.shape != new.shape:
            have, want = (None if tensor is None else tuple(tensor.shape) for tensor in (new, old))
            raise ValueError(f"{origin} does not fit the model in {CONFIG}: {name} has shape {have}, the model needs {want}")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def write_weights(path: Path, weights: dict[str, Tensor], metadata: Optional[dict[str, str]] = None) -> None:
    """A safetensors file, whole or not at all. ValueError where it cannot be written, such as on a full disk: what was there stands."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file({name: tensor.contiguous().cpu() for name, tensor in weights.items()}, temporary, metadata)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be written ({error}); the run goes on from the save before once there is room") from None
    finally:
        temporary.unlink(missing_ok=True)


def read_weights(path: Path) -> dict[str, Tensor]:
    try:
        with safetensors.safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not readable as safetensors ({error}): it is cut off or damaged") from None


def read_metadata(path: Path) -> dict[str, str]:
    try:
        with safetensors.safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not readable as safetensors ({error}): it is cut off or damaged") from None
