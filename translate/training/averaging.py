"""`translate average`: the mean of weights as a model of its own, of several checkpoints of a run (Vaswani et al. 2017, section 6.1), or of several
runs, such as a model before and after it went on with other text (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models")."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from translate.bundle.bundle import Bundle, ModelFolder, model_folder, write_config, write_model
from translate.bundle.weights import load_weights, weights_of
from translate.config import Config, ModelConfig
from translate.errors import UserError
from translate.files.atomic import atomic_folder, check_new_folder
from translate.files.paths import name_write_errors
from translate.model.families import FAMILIES
from translate.profile import Calibration
from translate.training.checkpoints import Checkpoints
from translate.training.init import OWN

METRICS = "metrics.jsonl"
SCORES = {"bleu": "bleu", "chrf": "chrf", "loss": "dev_loss"}  # of training.metric, in METRICS


def average_checkpoints(
    run: Path, output: Path, last: int | None = None, best: int | None = None, steps: Sequence[int] | None = None
) -> tuple[Bundle, list[int]]:
    """Write the mean of the weights of some checkpoints of `run` as a bundle to `output`, a new folder. Returns it and the steps.

    Args:
        last: the newest ones.
        best: those with the best scores in their validations, by training.metric.
        steps: these. Exactly one of the three is given.

    Raises:
        UserError: for a run without checkpoints, or without those that are asked for, and for a model that counts.
    """
    check_new_folder(output)
    bundle = trained_by_gradient(run).load()
    checkpoints = Checkpoints(bundle.folder, 1)
    kept = sorted(int(path.stem.removeprefix("step-")) for path in checkpoints.folder.glob("step-*.safetensors"))
    if not kept:
        raise UserError(f"{run} has no checkpoints to average: copy its folder `checkpoints` too")
    chosen = list(steps) if steps else ranked(bundle, kept, best) if best else newest(kept, last or len(kept), run)
    for step in chosen:
        if step not in kept:
            raise UserError(f"{run} has no checkpoint of step {step:,}: it has those of steps {', '.join(f'{step:,}' for step in kept)}")
    load_weights(bundle.model, checkpoints.average(chosen), run)
    return write_mean(bundle, output), chosen


def average_runs(runs: Sequence[Path], output: Path, shares: Sequence[float] | None = None) -> Bundle:
    """Write the mean of the weights of several runs or bundles to `output`, a new folder: the model of the first with these weights.

    Args:
        shares: how much each of them counts, above 0; their sum doesn't matter. Default: the same.

    Raises:
        UserError: for models of other settings or tokenizers, which have no mean that means anything, and for models that count.
    """
    check_new_folder(output)
    folders = [trained_by_gradient(run) for run in runs]
    for run, folder in zip(runs[1:], folders[1:]):
        if folder.tokenizer_sha256 != folders[0].tokenizer_sha256:
            raise UserError(f"{run} has another tokenizer than {runs[0]}: weights have a mean only where one run started from the other")
        theirs, ours = folder.config.model, folders[0].config.model
        for name in (field.name for field in dataclasses.fields(ModelConfig) if field.name not in OWN):
            if (has := getattr(theirs, name)) != (needs := getattr(ours, name)):
                raise UserError(f"{run} has model.{name}={has}, {runs[0]} has {needs}: weights have a mean only in models of one kind")
    bundles = [folder.load() for folder in folders]
    counts = shares or [1.0] * len(runs)
    mean: dict[str, Tensor] = {}
    for bundle, count in zip(bundles, counts):
        for name, weight in weights_of(bundle.model).items():
            mean[name] = mean.get(name, 0) + weight.double() * (count / sum(counts))
    load_weights(bundles[0].model, {name: weight.float() for name, weight in mean.items()}, runs[0])
    return write_mean(bundles[0], output)


def trained_by_gradient(run: Path) -> ModelFolder:
    folder = ModelFolder(model_folder(run))
    if FAMILIES[family := folder.config.model.family].learns_by_counting:
        raise UserError(f"{run} is of model.family={family}, which counts its data once: its tables have no mean that means anything")
    return folder


def write_mean(bundle: Bundle, output: Path) -> Bundle:
    """Write `bundle`, whose model has new weights, without what was measured with its own."""
    profile = dataclasses.replace(bundle.profile, calibration=Calibration())
    with atomic_folder(output) as temporary, name_write_errors(str(output)):
        bundle.tokenizer.save(temporary)
        write_config(temporary, bundle.config, bundle.tokenizer)
        write_model(dataclasses.replace(bundle, folder=temporary, profile=profile), bundle.data)
    return dataclasses.replace(bundle, folder=output, profile=profile)


def newest(kept: Sequence[int], count: int, run: Path) -> list[int]:
    if count > len(kept):
        raise UserError(f"{run} has {len(kept):,} checkpoints, not {count:,}: raise training.keep to keep more, or average fewer")
    return list(kept[-count:])


def ranked(bundle: Bundle, kept: Sequence[int], count: int) -> list[int]:
    """The `count` best of the steps, in order. UserError if not so many have a score."""
    scores = validations(bundle.folder, bundle.config)
    known = [step for step in kept if step in scores]
    if count > len(known):
        scored = f"{len(known):,} of the {len(kept):,} checkpoints of {bundle.folder} have a score in {METRICS}"
        raise UserError(f"{scored}, not {count:,}: average fewer, or name them by --steps")
    return sorted(sorted(known, key=lambda step: (scores[step], step))[-count:])


def validations(folder: Path, config: Config) -> dict[int, float]:
    """The score of each validated step, greater is better. The last line of a step counts."""
    metric = config.training.metric if FAMILIES[config.model.family].translates else "loss"
    name, found = SCORES[metric], dict[int, float]()
    if not (folder / METRICS).is_file():
        return found
    for line in (folder / METRICS).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):  # a killed run may have left half a line, which its next start removes
            continue
        step, score = (values.get(key) for key in ("step", name)) if isinstance(values, dict) else (None, None)
        if type(step) is int and isinstance(score, (int, float)):
            found[step] = -score if name == "dev_loss" else score
    return found
