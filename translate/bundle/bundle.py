"""Run folder <-> (config, tokenizer, weights): config.yaml, spm.model and model.safetensors are the model, and can be copied anywhere.

A bundle contains plain values only: no paths to follow, no devices, no Python classes, and reading it runs no code. config.yaml has the
tokenizer's SHA-256. The manifest is in the metadata of model.safetensors, so that it changes atomically with the weights: format, package
version, SHA-256 of tokenizer and weights, the settings that affect translation, fingerprint of the training data, and the profile with its hash.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml

from translate.bundle.seal import (
    CONFIG_SIZE,
    FORMAT,
    MANIFEST_SIZE,
    PROFILED,
    SEALED,
    TOKENIZER_SIZE,
    checked_path,
    parse_json,
    parse_yaml,
    read_bytes,
)
from translate.bundle.weights import assign_weights, read_metadata, read_weights, weights_of, weights_sha256, write_weights
from translate.config import Config, check, from_dict
from translate.errors import UserError
from translate.files.atomic import atomic_text
from translate.files.digest import file_sha256
from translate.files.paths import expand_path
from translate.model import Model
from translate.model.families import FAMILIES, new_model
from translate.profile import Profile, read_profile
from translate.tokenizer import SOURCE_FILE, TARGET_FILE, Tokenizer
from translate.values import flatten, short_repr, to_values

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
EXPORTED, MANIFEST = "model.bin", "manifest.json"  # of a model for CTranslate2


@dataclass
class Bundle:
    folder: Path
    config: Config
    tokenizer: Tokenizer
    model: Model
    data: str = ""  # fingerprint of the training data
    profile: Profile = field(default_factory=Profile)


def build_model(config: Config, tokenizer: Tokenizer) -> Model:
    """A new model, with weights drawn from `training.seed`. Leaves torch's random generators unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.training.seed)
        if config.model.shared_pieces and tokenizer.source_pieces() != tokenizer.target_pieces():
            raise UserError("model.shared_pieces is true, but the two tokenizers have different pieces: set it to false")
        tied = tokenizer.joint or config.model.shared_pieces
        return new_model(config.model, tokenizer.source_size, tokenizer.target_size, tied)


def package_version() -> str:
    try:
        return importlib.metadata.version("translate-nmt")
    except importlib.metadata.PackageNotFoundError:  # running from a checkout
        return "unknown"


def load_bundle(folder: str | os.PathLike[str], device: torch.device | None = None) -> Bundle:
    """The model of a run folder, ready to translate. UserError says which file is missing, damaged, or from another model."""
    return ModelFolder(model_folder(expand_path(folder))).load(device)


def check_command(config: Config, command: str, folder: str | os.PathLike[str]) -> None:
    """UserError if the model of a run folder is not for `translate COMMAND`: its family says what it is for."""
    family = config.model.family
    if (own := FAMILIES[family].command) != command:
        does = {"file": "translates", "generate": "makes up text", "fill": "fills gaps"}
        what = f"{folder} is a model that {does[own]} (model.family={family}), not one that {does[command]}"
        raise UserError(f"{what}: use `translate {own} -m {folder}`")


def model_folder(path: str | os.PathLike[str]) -> Path:
    """The run folder: `path` itself, or the folder of `path` if that is a file of the bundle."""
    folder = Path(path)
    return folder.parent if folder.name in (CONFIG, WEIGHTS, EXPORTED, SOURCE_FILE, TARGET_FILE) and folder.is_file() else folder


def model_files(path: str | os.PathLike[str]) -> list[Path]:
    """The files in the run folder that identify the model."""
    return [file for name in (CONFIG, WEIGHTS, EXPORTED) if (file := model_folder(path) / name).is_file()]


class ModelFolder:
    """A bundle on disk. The constructor reads and checks config.yaml; other files are read and checked when needed."""

    def __init__(self, path: Path) -> None:
        """UserError if it is not a run folder, is damaged, or has a newer format."""
        self.path = path
        origin = path / CONFIG
        if path.is_file():
            raise UserError(f"{path} is a file: give the run folder that `translate train` wrote")
        if not path.exists():
            raise UserError(f"{path} does not exist: give the run folder that `translate train` wrote")
        if not origin.exists() and not origin.is_symlink():
            raise UserError(f"{path} is not a model: it has no {CONFIG}; give the run folder that `translate train` wrote")
        content = read_bytes(path, CONFIG, CONFIG_SIZE)
        values = parse_yaml(content, origin)
        if not isinstance(values, dict) or "format" not in values:
            raise UserError(f"{origin} has no `format` entry: it was not written by this toolkit")
        self.format, version, digests = values.pop("format"), values.pop("version", None), values.pop("tokenizer_sha256", None)
        _check_format(self.format, version, origin)
        if self.format >= SEALED and not content.rstrip().endswith(b"\n..."):  # otherwise lost settings would become defaults
            raise UserError(f"{origin} is truncated: its last line must be `...`, the end of a YAML document; copy it again")
        known = isinstance(digests, dict) and all(isinstance(digest, str) for digest in digests.values())
        if not known or not {SOURCE_FILE} <= set(digests) <= {SOURCE_FILE, TARGET_FILE}:
            raise UserError(f"{origin} has no `tokenizer_sha256`: it is damaged, or was not written by this toolkit")
        self.tokenizer_sha256: dict[str, str] = digests
        try:
            self.config: Config = check(from_dict({"run": str(path), **values}))
        except UserError as error:
            raise UserError(f"{origin}: {error}") from None

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """UserError if it is missing, or not the one that the model was trained with."""
        models = []
        for name in (SOURCE_FILE, TARGET_FILE):
            if name in self.tokenizer_sha256:
                model, digest = read_bytes(self.path, name, TOKENIZER_SIZE), self.tokenizer_sha256[name]
                actual = hashlib.sha256(model).hexdigest()
                if actual != digest:  # before anything parses it
                    raise UserError(f"{self.path / name} is another tokenizer than the model's: SHA-256 {actual}, {CONFIG} says {short_repr(digest)}")
                models.append(model)
        try:
            return Tokenizer(models[0], models[1] if len(models) > 1 else None, self.config.tokenizer.normalization)
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from None

    def load(self, device: torch.device | None = None) -> Bundle:
        """The model on `device` (by default the CPU), in evaluation mode. Allocates no more than the files' size before checking all shapes."""
        tokenizer, path = self.tokenizer, self.path / WEIGHTS
        if not path.exists() and self.is_exported:
            raise UserError(f"{self.path} is a model for CTranslate2: add --engine ctranslate2, or give the run folder that it was exported from")
        if not path.exists() and not path.is_symlink():
            raise UserError(f"{self.path} has no {WEIGHTS} yet: training has not finished; run the same `translate train` command again to resume")
        checked_path(self.path, WEIGHTS)
        weights, text = read_weights(path), read_metadata(path).get("manifest")
        manifest: dict[str, Any] = {}
        if text is not None:
            manifest = self.read_manifest(text, f"the manifest of {path}", path)
            if manifest.get("weights_sha256") != weights_sha256(weights):
                raise UserError(f"{path} is damaged: its weights have another SHA-256 than its manifest says; copy it again")
        elif self.format >= SEALED:
            raise UserError(f"{path} has no manifest, and {CONFIG} is of format {self.format}, which requires one: from another model, or damaged")
        settings, parameters = self.config.model, sum(tensor.numel() for tensor in weights.values())
        if FAMILIES[settings.family].fewest_parameters(settings) > parameters:  # before building the model
            raise UserError(f"{path} does not fit the model in {CONFIG}: it has {parameters:,} parameters, too few")
        with torch.device("meta"):
            model = build_model(self.config, tokenizer)
        assign_weights(model, weights, path)
        model.fill_positions()
        model.to(device or torch.device("cpu"))
        profile = self.profile_in(manifest, path)
        return Bundle(self.path, self.config, tokenizer, model.eval(), manifest.get("data_fingerprint", ""), profile)

    @property
    def is_exported(self) -> bool:
        """Whether it is a CTranslate2 model."""
        return (self.path / EXPORTED).exists()

    def check_exported(self) -> Profile:
        """The profile of an exported model. UserError if a file was changed, by its SHA-256. Format 1 has no manifest to compare with."""
        present = {path.name: path for path in self.path.iterdir()}
        for name, path in present.items():
            if path.is_symlink() or not (path.is_file() or path.is_dir()):  # the engine opens files by name, and would block on a pipe
                checked_path(self.path, name)
        origin = self.path / MANIFEST
        if not origin.exists():
            if self.format < SEALED:
                return Profile()
            raise UserError(f"{self.path} has no {MANIFEST}: copy it from the folder that `translate export` wrote, or export again")
        manifest = self.read_manifest(read_bytes(self.path, MANIFEST, MANIFEST_SIZE), origin, origin)
        digests = manifest.get("files_sha256")
        if not isinstance(digests, dict) or EXPORTED not in digests or any(Path(name).name != name for name in digests):
            raise UserError(f"{origin} is damaged, or was not written by this toolkit")
        if missing := digests.keys() - present:
            raise UserError(f"{self.path} has no {short_repr(min(missing))}, which {MANIFEST} lists: copy it again, or export again")
        for name, digest in digests.items():
            if file_sha256(checked_path(self.path, name)) != digest:
                raise UserError(f"{self.path / name} has another SHA-256 than {MANIFEST} says: it is damaged; copy it again, or export again")
        return self.profile_in(manifest, origin)

    def read_manifest(self, text: str | bytes, name: str | Path, path: Path) -> dict[str, Any]:
        """The manifest in the file at `path`. UserError if its format is unknown, or it was written with another tokenizer or other settings."""
        manifest = parse_json(text, name)
        _check_format(manifest.get("format"), manifest.get("version"), f"the manifest of {path}")
        if manifest.get("tokenizer_sha256") != self.tokenizer_sha256:
            raise UserError(f"{path} was written with another tokenizer than {CONFIG} names: the files are from different models")
        if not isinstance(manifest.get("data_fingerprint"), str) or not isinstance(manifest.get("settings"), dict) or not manifest["settings"]:
            raise UserError(f"the manifest of {path} is damaged, or was not written by this toolkit")
        values = flatten(to_values(self.config))
        for key, value in flatten(manifest["settings"]).items():  # newer settings are not in it
            if key not in values or values[key] != value:
                raise UserError(
                    f"{path} was written with {key} {short_repr(value)}, {CONFIG} says {short_repr(values.get(key))}: restore it; "
                    "beam, length penalty and batch can be given when you translate"
                )
        return manifest

    def profile_in(self, manifest: dict[str, Any], path: Path) -> Profile:
        """The profile in the manifest of the file at `path`; an empty one for formats 1 and 2. UserError if it is missing or was changed."""
        if manifest.get("format", 1) < PROFILED:
            return Profile()
        values = manifest.get("profile")
        if manifest.get("profile_sha256") != _json_sha256(values):
            raise UserError(f"{path} is damaged: its profile has another SHA-256 than its manifest says; copy it again")
        return read_profile(values, str(path))


def _json_sha256(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _check_format(number: Any, version: Any, origin: str | Path) -> None:
    if type(number) is not int or not 1 <= number <= FORMAT:
        raise UserError(
            f"{origin} has format {short_repr(number)}, this version reads 1 to {FORMAT}: install the version that wrote it, {short_repr(version)}"
        )


def write_config(folder: Path, config: Config, tokenizer: Tokenizer) -> None:
    """Write config.yaml: settings, format, package version and the tokenizer's SHA-256, but not the folder itself."""
    values = {"format": FORMAT, "version": package_version(), "tokenizer_sha256": tokenizer.digests(), **to_values(config)}
    for name in ("run", "resume", "verify_resume"):  # not properties of the model
        del values[name]
    with atomic_text(folder / CONFIG) as file:
        yaml.safe_dump(values, file, sort_keys=False, allow_unicode=True, width=150, explicit_end=True)


def write_model(bundle: Bundle, data: str) -> None:
    """Write model.safetensors: the weights, and the manifest in its metadata. data: fingerprint of the training data."""
    weights = weights_of(bundle.model)
    manifest = {**manifest_of(bundle.config, bundle.tokenizer, data, bundle.profile), "weights_sha256": weights_sha256(weights)}
    write_weights(bundle.folder / WEIGHTS, weights, {"manifest": json.dumps(manifest)})


def manifest_of(config: Config, tokenizer: Tokenizer, data: str, profile: Profile) -> dict[str, Any]:
    """The manifest without the hash of the weights. data: fingerprint of the training data."""
    decoding = {key: value for key, value in dataclasses.asdict(config.decoding).items() if value is not None}  # unset options may still change
    normalization = {"normalization": config.tokenizer.normalization}
    settings = {"model": dataclasses.asdict(config.model), "decoding": decoding, "tokenizer": normalization}
    sealed = {"format": FORMAT, "version": package_version(), "tokenizer_sha256": tokenizer.digests()}
    values = dataclasses.asdict(profile)
    return {**sealed, "data_fingerprint": data, "settings": settings, "profile": values, "profile_sha256": _json_sha256(values)}
