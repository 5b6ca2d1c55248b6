"""The mean of several checkpoints of a run, as a model of its own (Vaswani et al. 2017, section 6.1): `translate average`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from translate.bundle.bundle import Bundle, ModelFolder, model_folder, write_config, write_model
from translate.bundle.weights import load_weights
from translate.config import Config
from translate.errors import UserError
from translate.files.atomic import atomic_folder, check_new_folder
from translate.files.paths import name_write_errors
from translate.model.families import FAMILIES
from translate.profile import Calibration
from translate.training.checkpoints import Checkpoints

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
    folder = ModelFolder(model_folder(run))
    if FAMILIES[family := folder.config.model.family].learns_by_counting:
        raise UserError(f"{run} is of model.family={family}, which counts its data once: it has no checkpoints whose mean means anything")
    bundle = folder.load()
    checkpoints = Checkpoints(bundle.folder, 1)
    kept = sorted(int(path.stem.removeprefix("step-")) for path in checkpoints.folder.glob("step-*.safetensors"))
    if not kept:
        raise UserError(f"{run} has no checkpoints to average: copy its folder `checkpoints` too")
    chosen = list(steps) if steps else ranked(bundle, kept, best) if best else newest(kept, last or len(kept), run)
    for step in chosen:
        if step not in kept:
            raise UserError(f"{run} has no checkpoint of step {step:,}: it has those of steps {', '.join(f'{step:,}' for step in kept)}")
    load_weights(bundle.model, checkpoints.average(chosen), run)
    # what scores are worth was measured with other weights
    profile = dataclasses.replace(bundle.profile, calibration=Calibration())
    with atomic_folder(output) as temporary, name_write_errors(str(output)):
        bundle.tokenizer.save(temporary)
        write_config(temporary, bundle.config, bundle.tokenizer)
        write_model(dataclasses.replace(bundle, folder=temporary, profile=profile), bundle.data)
    return dataclasses.replace(bundle, folder=output, profile=profile), chosen


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
