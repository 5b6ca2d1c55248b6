"""What a new run starts from instead of random weights: the section `init` of the configuration.

A run's first save has the weights, so the other runs are read once, and may be gone when this one is resumed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from translate.bundle.bundle import ModelFolder, model_folder
from translate.bundle.weights import weights_of, weights_sha256
from translate.config import Config, ModelConfig, TokenizerConfig
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.model import Model
from translate.tokenizer import SOURCE_FILE, TARGET_FILE, Tokenizer
from translate.training.new_pieces import BIAS, SOURCE, TARGET, carried_over

SAME = ("heads", "norm", "activation", "positions", "scale_embedding")  # settings of a stack that the shapes of its parameters don't show
POSITIONS = "positions"  # a parameter if they are learned
STACKS = {
    "encoder": ("encoder.", "encoder_norm.", POSITIONS),
    "decoder": ("decoder.", "decoder_norm.", POSITIONS),
}  # how the names of its parameters begin
CROSS = ".cross"  # in the names of what a language model's decoder doesn't have
OWN = ("dropout", "max_tokens", "loss_on")  # settings of `model` that don't change what the weights mean
FROZEN = {"encoder": ("encoder.", "encoder_norm."), "decoder": ("decoder.", "decoder_norm."), "embeddings": (SOURCE, TARGET, POSITIONS)}


@dataclass(frozen=True)
class Start:
    """One setting of `init`: the weights of the run in `folder` for the whole model (key `from`), or for a stack."""

    key: str
    folder: ModelFolder

    @property
    def name(self) -> str:
        return f"init.{self.key} ({self.folder.path})"


def starts(config: Config) -> Iterator[Start]:
    """UserError for a run that can't be read."""
    for key, path in (("from", config.init.from_), ("encoder", config.init.encoder), ("decoder", config.init.decoder)):
        if path is not None:
            try:
                yield Start(key, ModelFolder(model_folder(expand_path(path))))
            except UserError as error:
                raise UserError(f"init.{key}: {error}") from None


def tokenizer_settings(config: Config) -> TokenizerConfig:
    """The settings of the tokenizer: with `init.from`, that run's is copied unless init.tokenizer=new. UserError if the other settings differ."""
    settings = config.tokenizer
    for start in starts(config):
        if start.key == "from" and config.init.tokenizer == "same":
            theirs = start.folder.config.tokenizer
            if settings.path:
                raise UserError(f"tokenizer.path ({settings.path}) has no effect with {start.name}: leave it out, or set init.tokenizer=new")
            for name in ("joint", "normalization"):
                if (has := getattr(theirs, name)) != (needs := getattr(settings, name)):
                    raise UserError(f"{start.name} has tokenizer.{name}={_word(has)}, this run {_word(needs)}: add tokenizer.{name}={_word(has)}")
            return dataclasses.replace(settings, path=str(start.folder.path))
    return settings


def check_init(config: Config, tokenizer: Tokenizer) -> None:
    """UserError if a run that `init` names can't be read, has another tokenizer, or another kind of model. Reads no weights."""
    for start in starts(config):
        files = {"from": (SOURCE_FILE, TARGET_FILE), "encoder": (SOURCE_FILE,), "decoder": (SOURCE_FILE if tokenizer.joint else TARGET_FILE,)}[
            start.key
        ]
        ours = tokenizer.digests()
        new = start.key == "from" and config.init.tokenizer == "new"
        if not new and any(start.folder.tokenizer_sha256.get(file) != ours.get(file) for file in files):
            raise UserError(f"{start.name} was trained with another tokenizer, so its ids mean other pieces: add tokenizer.path={start.folder.path}")
        theirs = start.folder.config.model
        names = SAME if start.key != "from" else [field.name for field in dataclasses.fields(ModelConfig) if field.name not in OWN]
        if different := [name for name in names if getattr(theirs, name) != getattr(config.model, name)]:
            has, needs = ([_word(getattr(model, name)) for name in different] for model in (theirs, config.model))
            words = [f"model.{name}={value}" for name, value in zip(different, has)]
            raise UserError(f"{start.name} has {' and '.join(words)}, this run {' and '.join(needs)}: set {' '.join(words)}")
        if new and start.folder.tokenizer.joint != tokenizer.joint:
            raise UserError(f"{start.name} has tokenizer.joint={_word(not tokenizer.joint)}, this run not: set it so, too")


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def initialise(model: Model, config: Config, tokenizer: Tokenizer, log: Callable[[str], None]) -> None:
    """Put the weights that `config.init` names into `model`. UserError as `check_init`, and for a shape that doesn't fit."""
    for start in starts(config):
        try:
            other = start.folder.load()
        except UserError as error:
            raise UserError(f"init.{start.key}: {error}") from None
        weights, ours = weights_of(other.model), weights_of(model)
        sha256 = weights_sha256(weights)[:16]
        weights[SOURCE] = weights.get(SOURCE, weights[TARGET])
        if start.key == "from" and config.init.tokenizer == "new":
            counts = carried_over(weights, ours, other.tokenizer, tokenizer)
            log(f"{start.name}: {counts}")
        part = _part(start.key, ours, weights)
        _copy(start, {name: weights.get(name) for name in part}, {name: ours.get(name) for name in part})
        numbers = sum(ours[name].numel() for name in part)
        what = {"from": "all weights", "encoder": "encoder and source embedding", "decoder": "decoder and target embedding"}[start.key]
        log(f"init.{start.key}: {what}, {numbers:,} parameters, are those of {start.folder.path} (SHA-256 {sha256})")


def _part(key: str, ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    """Names of the parameters to copy, of either model. Cross-attention stays as it is if they have none."""
    if key == "from":
        return list(dict.fromkeys([*ours, *(name for name in theirs if name != SOURCE)]))
    if key == "encoder":
        embeddings = [SOURCE if SOURCE in ours else TARGET]
        if embeddings == [TARGET]:
            theirs[TARGET] = theirs[SOURCE]
    else:
        embeddings = [TARGET, *([BIAS] if BIAS in ours and BIAS in theirs else [])]
    without = () if any(CROSS in name for name in theirs) else (CROSS,)
    names = dict.fromkeys([*ours, *theirs])
    return [*(name for name in names if name.startswith(STACKS[key]) and not any(part in name for part in without)), *embeddings]


@torch.no_grad()
def _copy(start: Start, theirs: dict[str, Tensor | None], ours: dict[str, Tensor | None]) -> None:
    """Copy all or nothing. UserError unless both have each, with the same shape."""
    for name, own in ours.items():
        given = theirs[name]
        if given is None or own is None or given.shape != own.shape:
            has, needs = ("none" if tensor is None else f"shape {tuple(tensor.shape)}" for tensor in (given, own))
            raise UserError(
                f"{start.name} does not fit: its {name} has {has}, this model's {needs}; "
                f"model.width, feedforward and the numbers of layers must be as in its config.yaml"
            )
    for name, own in ours.items():
        given = theirs[name]
        assert own is not None and given is not None
        own.copy_(given)


def freeze(model: nn.Module, parts: list[str]) -> None:
    """Leave the parameters of these parts of FROZEN as they are: they get no gradient."""
    starts_with = tuple(prefix for part in parts for prefix in FROZEN[part])
    for name, parameter in model.named_parameters():
        if starts_with and name.startswith(starts_with):
            parameter.requires_grad_(False)
