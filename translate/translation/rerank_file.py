"""The file that `translate rerank` writes and `--rerank` reads: which models score translations again, and with which weights."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

import yaml

from translate.bounds import bounded, check_bounds, plain
from translate.bundle.bundle import WEIGHTS, ModelFolder, check_command, model_folder
from translate.bundle.seal import CONFIG_SIZE, parse_json, parse_yaml
from translate.bundle.weights import read_metadata, read_weights, weights_sha256
from translate.decoding import FilledOptions
from translate.errors import UserError
from translate.files.atomic import atomic_text
from translate.files.paths import expand_path
from translate.values import build, short_repr, to_values

FORMAT = 1
REVERSE, LANGUAGE_MODEL, LENGTH = "reverse", "language_model", "length"
FEATURES = (REVERSE, LANGUAGE_MODEL, LENGTH)  # besides the score of the search, whose weight is 1
MOST_WEIGHT = 100.0


@dataclass
class NamedModel:
    path: str = plain("")  # of its run folder; relative paths begin at the folder of the file
    weights_sha256: str = plain("")


@dataclass
class Development:
    """What the weights were tuned on, and its BLEU before and after."""

    source: str = plain("")
    sentences: int = bounded(0, least=0, most=1 << 40)
    before: float = bounded(0.0, least=0, most=100)
    after: float = bounded(0.0, least=0, most=100)
    held_out: float = bounded(0.0, least=0, most=100)  # of each fifth with weights tuned on the rest
    signature: str = plain("")


@dataclass
class Reranking:
    """Of a file. The search is that of the tuning: other hypotheses would need other weights."""

    format: int = bounded(FORMAT, least=1, most=1 << 20)
    version: str = plain("")
    models: List[NamedModel] = field(default_factory=list)  # that translate
    reverse: Optional[NamedModel] = None
    language_model: Optional[NamedModel] = None
    n_best: int = bounded(0, least=2, most=1000)
    beam: int = bounded(0, least=2, most=1000)
    length_penalty: float = bounded(0.0, least=0, most=3)
    weights: Dict[str, float] = field(default_factory=dict)
    development: Development = field(default_factory=Development)

    def check_options(self, options: FilledOptions) -> None:
        """UserError for a search whose hypotheses the weights aren't for."""
        if options.draws:
            drawing = "mbr" if options.mbr is not None else "sampling"
            raise UserError(f"{drawing} and rerank are both given: reranking is for the hypotheses of a search; leave one of them out")
        if options.diverse > 1:
            raise UserError("diverse and rerank are both given: the weights are for the hypotheses of a plain search; leave one of them out")
        if options.beam < self.n_best:
            raise UserError(f"beam is {options.beam}: the rerank file takes the {self.n_best} best of a search; leave beam out, or raise it")
        if options.n_best > self.n_best:
            raise UserError(f"n_best is {options.n_best}: the rerank file takes the {self.n_best} best of a search, so there are no more")
        if options.length_penalty != self.length_penalty:
            tuned = f"the weights were tuned with {self.length_penalty:g}"
            raise UserError(f"length_penalty is {options.length_penalty:g}, but {tuned}: leave it out, or tune again")


def write_reranking(path: str, reranking: Reranking) -> None:
    values = {name: value for name, value in to_values(reranking).items() if value is not None}
    with atomic_text(path) as file:
        yaml.safe_dump(values, file, sort_keys=False, allow_unicode=True, width=150, explicit_end=True)


def read_reranking(path: str) -> Reranking:
    """UserError, in one line, for a file that is missing, or that `translate rerank` did not write; it may come from anywhere."""
    file = Path(expand_path(path))
    if not file.exists() and not file.is_symlink():
        raise UserError(f"{path} does not exist: `translate rerank` writes such a file")
    if not file.is_file():
        raise UserError(f"{path} is not a file: rerank takes the file that `translate rerank` wrote")
    content = _content(file)
    origin = f"{path} (of rerank)"
    values = parse_yaml(content, origin)
    if not isinstance(values, dict) or "weights" not in values or "n_best" not in values:
        raise UserError(f"{path} is not a file of `translate rerank`: it has no `weights` and `n_best`")
    if type(number := values.get("format")) is not int or number != FORMAT:
        raise UserError(f"{path} has format {short_repr(number)}, this version reads {FORMAT}: tune again with `translate rerank`")
    if not content.rstrip().endswith(b"\n..."):
        raise UserError(f"{path} is truncated: its last line must be `...`, the end of a YAML document; copy it again")
    try:
        reranking = build(values, Reranking)
        check_bounds(reranking)
        _check(reranking)
    except UserError as error:
        raise UserError(f"{path} is not a file of `translate rerank`, or is damaged: {error}") from None
    return _with_paths(reranking, file.parent)


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(CONFIG_SIZE + 1)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    if len(content) > CONFIG_SIZE:
        raise UserError(f"{file} has more than {CONFIG_SIZE:,} bytes: it is not a file of `translate rerank`")
    return content


def _check(reranking: Reranking) -> None:
    named = {REVERSE: reranking.reverse, LANGUAGE_MODEL: reranking.language_model}
    if not reranking.models:
        raise UserError("it names no model that translates")
    for name, model in [*((f"models[{index}]", model) for index, model in enumerate(reranking.models)), *named.items()]:
        if model and not (model.path and model.weights_sha256):
            raise UserError(f"{name} needs a path and a weights_sha256")
    wanted = {name for name in FEATURES if name == LENGTH or named[name]}
    if set(reranking.weights) != wanted or len(wanted) == 1:
        raise UserError(
            f"it has weights for {', '.join(reranking.weights) or 'nothing'}, and names models for {', '.join(sorted(wanted - {LENGTH}))}"
        )
    for name, weight in reranking.weights.items():
        if not abs(weight) <= MOST_WEIGHT:
            raise UserError(f"weights.{name} is {weight:g}: it must be from {-MOST_WEIGHT:g} to {MOST_WEIGHT:g}")
    if reranking.beam < reranking.n_best:
        raise UserError(f"beam ({reranking.beam}) is less than n_best ({reranking.n_best})")


def _with_paths(reranking: Reranking, folder: Path) -> Reranking:
    """The same with paths that don't depend on where the file is."""

    def absolute(model: NamedModel | None) -> NamedModel | None:
        return model and dataclasses.replace(model, path=os.path.normpath(os.path.join(os.path.abspath(folder), model.path)))

    models = [model for each in reranking.models if (model := absolute(each))]
    return dataclasses.replace(reranking, models=models, reverse=absolute(reranking.reverse), language_model=absolute(reranking.language_model))


def named_model(model: ModelFolder, output: str) -> NamedModel:
    """How a rerank file at `output` names a model."""
    folder = os.path.dirname(os.path.abspath(output))
    try:
        path = os.path.relpath(os.path.abspath(model.path), folder)
    except ValueError:  # on another drive
        path = os.path.abspath(model.path)
    return NamedModel(path, sealed_sha256(model))


def sealed_sha256(model: ModelFolder) -> str:
    """The hash of a model's weights, without reading them where the manifest has it: loading compares the two."""
    path = model.path / WEIGHTS
    if not path.is_file():
        raise UserError(f"{model.path} has no {WEIGHTS}: give the run folder of a finished training")
    manifest = read_metadata(path).get("manifest")
    sealed = parse_json(manifest, f"the manifest of {path}").get("weights_sha256") if manifest is not None else None
    return sealed if isinstance(sealed, str) else weights_sha256(read_weights(path))


def check_models(reranking: Reranking, folders: Sequence[ModelFolder], origin: str) -> None:
    """UserError unless these are the models whose hypotheses the weights were tuned on, in any order after the first."""
    tuned, given = [model.weights_sha256 for model in reranking.models], [sealed_sha256(folder) for folder in folders]
    names = " and ".join(model.path for model in reranking.models)
    if len(tuned) != len(given):
        raise UserError(
            f"{origin} was tuned with {len(tuned)} model{'s' if len(tuned) > 1 else ''} ({names}), not {len(given)}: give these, or tune again"
        )
    for folder, digest in zip(folders, given):
        if digest not in tuned:
            raise UserError(
                f"{folder.path} has other weights than the model that {origin} was tuned with ({names}): tune again with `translate rerank`"
            )


def scoring_model(path: str, kind: str, languages: tuple[str, str]) -> ModelFolder:
    """The run folder of a model that scores translations. languages: of source and target of the translations. UserError for one that can't."""
    folder = ModelFolder(model_folder(expand_path(path)))
    check_command(folder.config, "file" if kind == REVERSE else "generate", path)
    own = folder.config.data.source_language, folder.config.data.target_language
    if kind == REVERSE and own != languages[::-1]:
        wanted, has = "-".join(languages[::-1]), "-".join(own)
        raise UserError(f"{path} translates {has}: a reverse model of {'-'.join(languages)} translates {wanted}")
    return folder


def tuned_model(named: NamedModel, kind: str, languages: tuple[str, str], origin: str) -> ModelFolder:
    """The same for a model that a rerank file names. UserError if it has other weights than in the tuning."""
    folder = scoring_model(named.path, kind, languages)
    if sealed_sha256(folder) != named.weights_sha256:
        raise UserError(f"{named.path} has other weights than when {origin} was tuned: tune again with `translate rerank`")
    return folder
