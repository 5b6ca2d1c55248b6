"""A run's folder: is it new, unfinished or finished, and does it belong to this run?

A run is identified by what its weights depend on: settings, and the content of its training data, wherever the files are. Everything else may
change from start to start, and is then updated in the run folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from translate.bundle.bundle import CONFIG, WEIGHTS, ModelFolder, write_config
from translate.bundle.seal import parse_json
from translate.bundle.weights import read_metadata, read_weights, write_weights
from translate.config import Config, TrainingConfig
from translate.data.prepare import fingerprint_of
from translate.data.sides import sides_of
from translate.errors import UserError
from translate.evaluation.report import read_report
from translate.files.atomic import remove_unfinished
from translate.files.lock import exclusive
from translate.tokenizer import SOURCE_FILE, TARGET_FILE
from translate.training import budget
from translate.training.before import BEFORE
from translate.training.checkpoints import Checkpoints, Progress
from translate.training.inputs import load_held_out
from translate.training.runlog import SAMPLES
from translate.values import differences, first_difference, to_values

# Settings that the weights of the steps so far don't depend on: where and for how long to train, what is logged, measured and kept.
MAY_CHANGE = (
    "run", "resume", "verify_resume", "data.folder", "data.train", "data.validation", "data.test", "data.workers", "data.cache", "tokenizer.path",
    "training.steps", "training.minutes", "training.min_steps", "training.patience", "training.log_every", "training.keep", "training.average",
    "training.validate_every", "training.validate_sentences", "training.validate_beam", "training.metric", "training.device", "training.threads",
    "training.compile", "training.tensorboard", "decoding",
)  # fmt: skip
# files of a run that was killed before its config.yaml was written
LEFTOVERS = {"train.log", "metrics.jsonl", SOURCE_FILE, TARGET_FILE, "tensorboard"}
SHOWN = 5  # changed settings that a message names


def claim(folder: Path, config: Config, stack: contextlib.ExitStack) -> bool:
    """Create the folder, or check that it holds this run, and lock it until `stack` closes.

    Returns whether the run is finished already, with a line on stderr. Changed settings are written to the folder.
    UserError for a folder with another run (names the first difference) or other files, or in which another process trains.
    """
    lock = exclusive(folder / ".lock", f"another process is training in {folder}: wait for it, or choose another folder with run=FOLDER")
    if not config.resume and (folder / CONFIG).exists():
        with lock:
            move_away(folder)
        lock = exclusive(folder / ".lock", f"another process has started in {folder}: choose another folder with run=FOLDER")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"could not create the run folder {folder}: {error.strerror}; choose another with run=FOLDER") from None
    if not (folder / CONFIG).exists():
        others = sorted(path.name for path in folder.iterdir() if path.name not in LEFTOVERS and not path.name.startswith("."))
        if others:
            raise UserError(f"{folder} is not empty, but is not a run folder ({others[0]} is in it): choose another folder with run=FOLDER")
        stack.enter_context(lock)
        remove_unfinished(folder)
        return False
    run = _ExistingRun(folder, config) if _report(folder) else None
    if not (run and run.finished) or run.outdated:  # otherwise write nothing: the folder may be read-only
        stack.enter_context(lock)
        remove_unfinished(folder)
        run = _ExistingRun(folder, config)
        if run.must_start_over:
            run.clear()
            return False
        run.update()
    if run.finished:
        print(run.finished_line(), file=sys.stderr)
    return run.finished


class _ExistingRun:
    """The run in a folder, compared with `config`. UserError if `config` is that of another run."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder, self.config = folder, config
        self.old = ModelFolder(folder).config
        self.progress = Checkpoints(folder, 1).peek()
        self.report = _report(folder)
        started = bool(self.progress and self.progress.step) or bool(self.report) or (folder / WEIGHTS).exists()
        self.difference = self._difference()
        if self.difference and started:
            raise UserError(self.difference)
        if (folder / WEIGHTS).exists() and not (self.report or self.progress or (folder / "checkpoints").exists()):
            raise UserError(
                f"{folder} holds a model without checkpoints, so its training can't be continued: translate with `translate file -m {folder}`, "
                "choose another folder with run=FOLDER, or start over with resume=false"
            )
        # without a save, the data may have changed since the tokenizer was trained
        self.must_start_over = not started and bool(self.difference or not self.progress)
        self.finished = self._finished()
        self.new = dataclasses.replace(config, run=self.old.run, resume=True)
        if config.decoding.length_penalty is None:  # chosen at the end of the run
            self.new.decoding = dataclasses.replace(config.decoding, length_penalty=self.old.decoding.length_penalty)
        if self.finished:  # keep its limits
            kept = {name: getattr(self.old.training, name) for name in budget.LIMITS}
            self.new.training = dataclasses.replace(config.training, **kept)
        self.outdated = bool(differences(self.old, self.new)) or _manifest(folder, self.new) is not None

    def _difference(self) -> str:
        """Why `config` can't continue this run, with hints; "" if it can."""
        old, config = self.old, self.config
        otherwise = "choose another folder with run=FOLDER, or start over with resume=false, which renames the folder"
        old_weights, weights = ([corpus.weight for corpus in settings.data.train] for settings in (old, config))
        difference = first_difference(old, config, MAY_CHANGE)
        if not difference and len(old_weights) == len(weights) and old_weights != weights:
            pairs = enumerate(zip(old_weights, weights))
            difference = next(f"data.train.{n}.weight is {new!r} now and was {before!r}" for n, (before, new) in pairs if before != new)
        if not difference and old.tokenizer.path != config.tokenizer.path and not _same_tokenizer(self.folder, config):
            difference = f"tokenizer.path is {config.tokenizer.path!r} now and was {old.tokenizer.path!r}"
        if difference:
            return f"{self.folder} holds a run with another configuration: {difference}; to continue that run, set it back; otherwise {otherwise}"
        fingerprint = self.progress.data if self.progress else (self.report or {}).get("data", {}).get("fingerprint", "")
        moved = old.data.train != config.data.train or old.data.folder != config.data.folder
        if not fingerprint or (self.report and not moved):
            return ""
        if (now := fingerprint_of(config.data, ModelFolder(self.folder).tokenizer, sides_of(config.model))) != fingerprint:
            return (
                f"the training data changed since {self.folder} was started: its fingerprint is {now}, it was {fingerprint}; "
                f"to continue that run, restore the data; otherwise {otherwise}"
            )
        return ""

    def _finished(self) -> bool:
        if not self.report or not self.progress:  # a finished run's checkpoints may be deleted
            return bool(self.report)
        if not self.progress.limits:  # saved by a version that didn't store them
            self.progress.limits, self.progress.finished = budget.limits(self.old.training), True
        # a report with fewer steps is from before the run was extended
        return bool(self.report["steps"] == self.progress.step) and budget.is_over(self.config.training, self.progress)

    def update(self) -> None:
        """Write changed settings to the folder."""
        if new := differences(self.old, self.new):
            if any(key.startswith("data.") for key, _, _ in new):
                load_held_out(self.config)  # UserError if it can't be read: then change nothing
            changes = [f"{key} is {after!r}, was {before!r}" for key, before, after in new[:SHOWN]]
            more = [f"{len(new) - SHOWN} more"] if len(new) > SHOWN else []
            print(f"settings of {self.folder} that changed: {'; '.join([*changes, *more])}", file=sys.stderr)
            write_config(self.folder, self.new, ModelFolder(self.folder).tokenizer)
        if (metadata := _manifest(self.folder, self.new)) is not None:
            write_weights(self.folder / WEIGHTS, read_weights(self.folder / WEIGHTS), metadata)

    def clear(self) -> None:
        """Remove the files of a run without a step; config.yaml last, so that the folder remains a run folder until then."""
        if self.progress:
            print(f"{self.folder} holds a run without a step, which is replaced ({self.difference.partition(';')[0]})", file=sys.stderr)
        for name in ("checkpoints", "tensorboard"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in ("metrics.jsonl", SAMPLES, BEFORE, SOURCE_FILE, TARGET_FILE, CONFIG):
            (self.folder / name).unlink(missing_ok=True)

    def finished_line(self) -> str:
        longer = _train_longer(self.config.training, self.progress)
        hints = f"translate with `translate file -m {self.folder}`, {longer}choose another folder with run=FOLDER"
        return f"{self.folder} is finished: {hints}, or start over with resume=false"


def _train_longer(settings: TrainingConfig, progress: Progress | None) -> str:
    """The hint on how to extend a finished run, with a comma; "" if its checkpoints are gone."""
    if not progress:
        return ""
    if budget.out_of_patience(settings, progress):
        return f"train on with training.patience above {progress.worse}, "
    keys = [f"training.{name}" for name in ("steps", "minutes") if getattr(settings, name)]
    return f"train on with a larger {' and '.join(keys)}, "


def _report(folder: Path) -> dict[str, Any] | None:
    """report.json of a finished training; None if there is none, or only that of `translate evaluate`."""
    try:
        report = read_report(folder)
    except (UserError, OSError):
        return None
    return report if "steps" in report else None


def _same_tokenizer(folder: Path, config: Config) -> bool:
    """Whether `config.tokenizer.path` has the SentencePiece models of the run."""
    if not config.tokenizer.path:
        return False
    path = Path(config.tokenizer.path)
    models = [path / SOURCE_FILE, path / TARGET_FILE] if path.is_dir() else [path]
    digests = [hashlib.sha256(model.read_bytes()).hexdigest() for model in models if model.exists()]
    return digests == list(ModelFolder(folder).tokenizer_sha256.values())


def _manifest(folder: Path, config: Config) -> dict[str, str] | None:
    """New metadata for the weights if their manifest has other settings than `config`; else None."""
    path = folder / WEIGHTS
    if not path.exists():
        return None
    metadata = read_metadata(path)
    if "manifest" not in metadata:
        return None
    manifest, values = parse_json(metadata["manifest"], f"the manifest of {path}"), to_values(config)
    known = [name for name in manifest.get("settings", {}) if name in values]
    settings = {name: {key: value for key, value in values[name].items() if value is not None} for name in known}
    if all(settings[name].get(key) == value for name in settings for key, value in manifest["settings"][name].items()):
        return None
    return {**metadata, "manifest": json.dumps({**manifest, "settings": settings})}


def move_away(folder: Path) -> None:
    """Rename a run's folder to FOLDER.1, or the first free number, so that another run can start there."""
    number = 1
    while (target := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    folder.rename(target)
    (target / ".lock").unlink(missing_ok=True)
    print(f"the run in {folder} is now in {target}", file=sys.stderr)
