"""Run folder <-> (config, tokenizer, weights): config.yaml, spm.model and model.safetensors are the model; copy them anywhere.

The bundle holds plain values only: it names no path that loading follows, no device and no Python class, and reading it runs no code.
config.yaml holds the tokenizer's SHA-256; the metadata of model.safetensors hold the manifest, so that it changes with the weights in one
step: format, package version, SHA-256 of tokenizer and weights, the settings that decide a translation, fingerprint of the training data.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import safetensors
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from translate.bundle.seal import CONFIG_SIZE, FORMAT, SEALED, TOKENIZER_SIZE, content_of, digest_of, file_of, plain_json, plain_yaml
from translate.config import Config, check, from_dict
from translate.errors import UserError
from translate.files.atomic import atomic_file, atomic_text
from translate.files.paths import expand_path
from translate.model import Transformer
from translate.tokenizer import SOURCE_FILE, TARGET_FILE, Tokenizer
from translate.values import flatten, short_repr

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
EXPORTED = "model.bin"  # CTranslate2's


@dataclass
class Bundle:
    folder: Path
    config: Config
    tokenizer: Tokenizer
    model: Transformer
    data: str = ""  # fingerprint of the training data


def build_model(config: Config, tokenizer: Tokenizer) -> Transformer:
    return Transformer(config.model, tokenizer.source_size, tokenizer.target_size, tied=tokenizer.joint)


def package_version() -> str:
    try:
        return importlib.metadata.version("translate-nmt")
    except importlib.metadata.PackageNotFoundError:  # used from a checkout that is not installed
        return "unknown"


def model_folder(path: str | os.PathLike[str]) -> Path:
    """The run folder that a user's `path` means: itself, or that of the bundle's file that it names."""
    folder = Path(expand_path(path))
    return folder.parent if folder.name in (CONFIG, WEIGHTS, EXPORTED, SOURCE_FILE, TARGET_FILE) and folder.is_file() else folder


def model_files(path: str | os.PathLike[str]) -> list[Path]:
    """The files in the run folder that decide what a translation is."""
    return [file for name in (CONFIG, WEIGHTS, EXPORTED) if (file := model_folder(path) / name).is_file()]


def write_config(folder: Path, config: Config, tokenizer: Tokenizer) -> None:
    """config.yaml: the settings, the format, the package's version and the tokenizer's SHA-256. The folder itself is not named in it."""
    values = {"format": FORMAT, "version": package_version(), "tokenizer_sha256": tokenizer.digests(), **dataclasses.asdict(config)}
    for name in ("run", "resume", "verify_resume"):  # not of the model
        del values[name]
    with atomic_text(folder / CONFIG) as file:
        yaml.safe_dump(values, file, sort_keys=False, allow_unicode=True, width=150, explicit_end=True)


def read_config(folder: str | Path) -> tuple[Config, dict[str, Any]]:
    """The settings of a run folder, and `format` and `tokenizer_sha256` of its config.yaml.

    UserError if it is no run folder, is damaged, or was made by a newer format.
    """
    folder = model_folder(folder)
    path = folder / CONFIG
    if folder.is_file():
        raise UserError(f"{folder} is a file: give the run folder that `translate train` wrote")
    if not path.exists() and not path.is_symlink():
        raise UserError(f"{folder} is not a model: it has no {CONFIG}; give the run folder that `translate train` wrote")
    content = content_of(folder, CONFIG, CONFIG_SIZE)
    values = plain_yaml(content, path)
    if not isinstance(values, dict) or "format" not in values:
        raise UserError(f"{path} has no `format` entry: it was not written by this toolkit")
    number, version, digests = values.pop("format"), values.pop("version", None), values.pop("tokenizer_sha256", None)
    check_format(number, version, path)
    if number >= SEALED and not content.rstrip().endswith(b"\n..."):  # what is lost would otherwise be taken for a default
        raise UserError(f"{path} is cut off: its last line must be `...`, the end of a YAML document; copy it again")
    known = isinstance(digests, dict) and all(isinstance(digest, str) for digest in digests.values())
    if not known or not {SOURCE_FILE} <= set(digests) <= {SOURCE_FILE, TARGET_FILE}:
        raise UserError(f"{path} has no `tokenizer_sha256`: it is damaged, or not this toolkit's")
    try:
        return check(from_dict({"run": str(folder), **values})), {"format": number, "tokenizer_sha256": digests}
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def check_format(number: Any, version: Any, origin: Any) -> None:
    """UserError unless `number` is a format that this version reads."""
    if type(number) is not int or not 1 <= number <= FORMAT:
        raise UserError(
            f"{origin} has format {short_repr(number)}, this version reads 1 to {FORMAT}: install the version that wrote it, {short_repr(version)}"
        )


def load_tokenizer(folder: str | Path) -> tuple[Config, Tokenizer, dict[str, Any]]:
    """`read_config` and the tokenizer of a run folder. UserError if one is missing, or it is another than the model was trained with."""
    folder = model_folder(folder)
    config, sealed = read_config(folder)
    models = []
    for name in (SOURCE_FILE, TARGET_FILE):
        digest = sealed["tokenizer_sha256"].get(name)
        if digest is not None:
            model = content_of(folder, name, TOKENIZER_SIZE)
            found = hashlib.sha256(model).hexdigest()
            if found != digest:  # before anything parses it
                raise UserError(f"{folder / name} is another tokenizer than the model's: SHA-256 {found}, {CONFIG} says {short_repr(digest)}")
            models.append(model)
    try:
        return config, Tokenizer(*models), sealed
    except UserError as error:
        raise UserError(f"{folder}: {error}") from None


def load_bundle(folder: str | Path, device: Optional[torch.device] = None) -> Bundle:
    """The model of a run folder, ready to translate. UserError says which file is missing, foreign, damaged or does not fit.

    No memory is taken beyond the files' own size before all shapes are known to fit.
    """
    folder = model_folder(folder)
    config, tokenizer, sealed = load_tokenizer(folder)
    if not (folder / WEIGHTS).exists() and (folder / EXPORTED).exists():
        raise UserError(f"{folder} is a model for CTranslate2: add --engine ctranslate2, or give the run folder that it was exported from")
    if not (folder / WEIGHTS).exists() and not (folder / WEIGHTS).is_symlink():
        raise UserError(f"{folder} has no {WEIGHTS} yet: its training has not finished; run the same `translate train` command again to go on")
    path = file_of(folder, WEIGHTS)
    weights, manifest = read_weights(path), read_metadata(path).get("manifest")
    if manifest is not None:
        manifest = plain_json(manifest, f"the manifest of {path}")
        check_manifest(manifest, config, sealed, path)
        if manifest.get("weights_sha256") != digest_of(weights):
            raise UserError(f"{path} is damaged: its weights have another SHA-256 than its manifest says; copy it again")
    elif sealed["format"] >= SEALED:
        raise UserError(f"{path} has no manifest, and {CONFIG} is of format {sealed['format']}, which has one: it is another model's, or damaged")
    settings, parameters = config.model, sum(tensor.numel() for tensor in weights.values())
    # the products of the feed-forward layers alone: a model that needs more is not even laid out
    if (settings.encoder_layers + settings.decoder_layers) * settings.width * settings.feedforward * 2 > parameters:
        raise UserError(f"{path} does not fit the model in {CONFIG}: it has {parameters:,} parameters, which are too few")
    with torch.device("meta"):
        model = build_model(config, tokenizer)
    check_shapes(model, weights, path)
    take_weights(model, weights)
    model.fill_positions()
    model.to(device or torch.device("cpu"))
    return Bundle(folder, config, tokenizer, model.eval(), (manifest or {}).get("data_fingerprint", ""))


def manifest_of(config: Config, tokenizer: Tokenizer, data: str) -> dict[str, Any]:
    """The manifest without what is said of the weights. data: fingerprint of the training data."""
    decoding = {
        key: value for key, value in dataclasses.asdict(config.decoding).items() if value is not None
    }  # what is still to be chosen may change
    settings = {"model": dataclasses.asdict(config.model), "decoding": decoding}
    sealed = {"format": FORMAT, "version": package_version(), "tokenizer_sha256": tokenizer.digests()}
    return {**sealed, "data_fingerprint": data, "settings": settings}


def check_manifest(manifest: dict[str, Any], config: Config, sealed: dict[str, Any], path: Path) -> None:
    """UserError unless tokenizer and settings are those that the manifest at `path` was written with, and its format is known."""
    check_format(manifest.get("format"), manifest.get("version"), f"the manifest of {path}")
    if manifest.get("tokenizer_sha256") != sealed["tokenizer_sha256"]:
        raise UserError(f"{path} was written with another tokenizer than {CONFIG} names: the files are of two models")
    if not isinstance(manifest.get("data_fingerprint"), str) or not isinstance(manifest.get("settings"), dict) or not manifest["settings"]:
        raise UserError(f"the manifest of {path} is damaged, or not this toolkit's")
    values = flatten(dataclasses.asdict(config))
    for key, value in flatten(manifest["settings"]).items():  # a setting that came later is not in it
        if key not in values or values[key] != value:
            raise UserError(
                f"{path} was written with {key} {short_repr(value)}, {CONFIG} says {short_repr(values.get(key))}: restore it; "
                "beam, length penalty and batch can be given when you translate"
            )


def write_model(bundle: Bundle, data: str) -> None:
    """model.safetensors: the weights, and the manifest in its metadata. data: fingerprint of the training data."""
    weights = weights_of(bundle.model)
    manifest = {**manifest_of(bundle.config, bundle.tokenizer, data), "weights_sha256": digest_of(weights)}
    write_weights(bundle.folder / WEIGHTS, weights, {"manifest": json.dumps(manifest)})


def weights_of(model: Transformer) -> dict[str, Tensor]:
    """Each parameter once: the tied embedding under its target's name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def check_shapes(model: Transformer, weights: dict[str, Tensor], origin: Any) -> None:
    """UserError for a name or a shape that does not fit."""
    parameters = dict(model.named_parameters())
    for name in [*parameters, *weights]:
        old, new = parameters.get(name), weights.get(name)
        if old is None or new is None or old.shape != new.shape:
            have, want = (None if tensor is None else tuple(tensor.shape) for tensor in (new, old))
            raise UserError(f"{origin} does not fit the model in {CONFIG}: {short_repr(name)} has shape {have}, the model needs {want}")


def load_weights(model: Transformer, weights: dict[str, Tensor], origin: Any) -> None:
    """Copy `weights` into the model. UserError for a name or a shape that does not fit."""
    check_shapes(model, weights, origin)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def take_weights(model: Transformer, weights: dict[str, Tensor]) -> None:
    """Copies of `weights`, which fit, become the parameters of a model made without memory; they ask for no gradient.

    Module.to_empty does it too, but loads a computer algebra system for it: most of a second at every start.
    """
    for name, tensor in weights.items():
        module, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(module), leaf, torch.nn.Parameter(tensor.to(torch.float32, copy=True), requires_grad=False))


def write_weights(path: Path, weights: dict[str, Tensor], metadata: Optional[dict[str, str]] = None, before: Optional[Path] = None) -> None:
    """A safetensors file, whole or not at all; what was there is renamed to `before`, if that is given.

    UserError where it cannot be written, such as on a full disk: what was there stands.
    """
    with atomic_file(path, before) as temporary:
        try:
            save_file({name: tensor.contiguous().cpu() for name, tensor in weights.items()}, temporary, metadata)
        except (safetensors.SafetensorError, OSError) as error:
            raise UserError(f"{path}: cannot be written: {error}; the run goes on from the save before once there is room") from None


def read_weights(path: Path) -> dict[str, Tensor]:
    with _reading(path), safetensors.safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def read_metadata(path: Path) -> dict[str, str]:
    with _reading(path), safetensors.safe_open(path, "pt") as file:
        return file.metadata() or {}


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UserError(f"{path}: cannot be read: it is not a file")
    try:
        yield
    except safetensors.SafetensorError as error:
        raise UserError(f"{path} is not readable as safetensors ({error}): it is cut off or damaged") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
