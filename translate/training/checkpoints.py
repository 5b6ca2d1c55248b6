"""runs/x/checkpoints: everything that a run needs to resume, and the last few weights for averaging.

Every file is safetensors, so nothing is unpickled. Each is written atomically, with a SHA-256 of its content in its metadata.

    resume.safetensors          the last save: weights, Adam's moments; `Progress` in its metadata
    resume.before.safetensors   the save of the previous validation, in case the last one is damaged
    step-00001000.safetensors   weights at a validation: the last `keep`, and the best

Saves between validations, every few minutes or after a signal, are only for the next start: a run that diverges goes back to the save of a
validation, so the result doesn't depend on when it was saved.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from translate.bundle.seal import checked_path
from translate.bundle.weights import load_weights, read_metadata, read_weights, weights_of, weights_sha256, write_weights
from translate.errors import UserError
from translate.files.atomic import make_folder
from translate.model import Model
from translate.values import build

PROGRESS, CHECKSUM = "progress", "sha256"  # keys of the metadata
SAVE_EVERY = 180.0  # seconds between saves, unless a validation saves earlier
SAVE_SHARE = 0.01  # of the time that these saves may take: a large model is saved less often
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # Adam's, of each parameter
EMA = "ema"  # beside them, with training.ema: the average of the parameter


@dataclass
class Progress:
    """The state of a run, except its tensors."""

    step: int = 0
    epoch: int = 0  # of the next batch
    position: int = 0  # of the next batch in its epoch
    seconds: float = 0.0  # of training, validations included, over all starts
    tokens: int = 0  # target tokens seen
    validated: int = 0  # step of the last validation
    validation_seconds: float = 0.0  # its duration
    best_bleu: float = -1.0  # of the best validation by training.metric
    best_chrf: float = -1.0
    best_loss: float = math.inf
    best_learnt: bool = True  # its translations depended on their sources
    best_step: int = 0
    worse: int = 0  # validations in a row without improvement
    skipped: int = 0  # steps skipped because of a non-finite gradient
    lowest_loss: float = math.inf  # of the intervals between log lines
    returns: int = 0  # to an earlier save, because the loss exploded
    rate_factor: float = 1.0  # of the schedule's learning rate: each return halves it
    kept: list[int] = field(default_factory=list)  # steps whose weights are kept for averaging
    data: str = ""  # fingerprint of the training data
    development: str = ""  # fingerprint of the development set that best_bleu was measured on
    limits: list[float] = field(default_factory=list)  # of the run when it was saved (see budget.py)
    finished: bool = False  # a limit is reached: no more steps

    @property
    def at_validation(self) -> bool:
        return self.step == self.validated


class Checkpoints:
    def __init__(self, run: Path, keep: int) -> None:
        self.folder = run / "checkpoints"
        self.keep = keep
        self.resume, self.before = self.folder / "resume.safetensors", self.folder / "resume.before.safetensors"
        self.saved, self.save_seconds = time.perf_counter(), 0.0  # time and duration of the last save

    def save(self, model: Model, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        """Write a save. There is always a complete one: the new one is written before the last one is touched."""
        began = time.perf_counter()
        make_folder(self.folder)
        tensors = {f"weights.{name}": tensor.cpu() for name, tensor in weights_of(model).items()}
        for name, parameter in model.named_parameters():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{key}.{name}"] = value.cpu()
        text = json.dumps(dataclasses.asdict(progress))
        last = _peek(self.resume)
        before = self.before if last and last.at_validation and last.step != progress.step else None
        write_weights(self.resume, tensors, {PROGRESS: text, CHECKSUM: _checksum(tensors, text)}, before=before)
        self._drop_unneeded(progress)
        self.saved = time.perf_counter()
        self.save_seconds = self.saved - began

    def due(self) -> bool:
        """Whether it is time to save between validations, so that a killed run loses only minutes."""
        return time.perf_counter() - self.saved > max(SAVE_EVERY, self.save_seconds / SAVE_SHARE)

    def peek(self) -> Progress | None:
        """The progress in the newest save whose metadata can be read; None without one."""
        return next((progress for path in self._saves() if (progress := _peek(path))), None)

    def load(self, model: Model, optimizer: torch.optim.Optimizer, log: Callable[[str], None], validated: bool = False) -> Progress | None:
        """Restore everything; None if there is no save. validated: prefer the last save of a validation.

        If the last save is damaged, this is logged and the previous one is used. UserError if all are damaged.
        """
        saves = self._saves()
        if validated:
            saves.sort(key=lambda path: not ((progress := _peek(path)) and progress.at_validation))
        for number, path in enumerate(saves):
            try:
                progress = _load(path, model, optimizer)
            except _Damaged as error:
                log(str(error))
                continue
            if number or (path == self.before and not validated):
                log(f"using the previous save: {path}")
            self._leave_out_damaged(progress, log)
            return progress
        if saves:
            raise UserError(f"{self.folder} has no complete save: start over with resume=false, or choose another folder with run=FOLDER")
        return None

    def _saves(self) -> list[Path]:
        """Newest first. UserError for a link out of the folder: the next save would replace its target."""
        return [checked_path(self.folder, path.name) for path in (self.resume, self.before) if path.exists() or path.is_symlink()]

    def _leave_out_damaged(self, progress: Progress, log: Callable[[str], None]) -> None:
        """Check the kept weights and drop damaged ones. If the best are damaged, the next validation restarts the search for the best."""
        for step in sorted({*progress.kept, progress.best_step} - {0}):
            try:
                self.weights(step)
            except UserError as error:
                log(f"{error}; it is left out")
                progress.kept = [kept for kept in progress.kept if kept != step]
                if step == progress.best_step:
                    progress.best_bleu, progress.best_chrf, progress.best_loss, progress.best_learnt = -1.0, -1.0, math.inf, True
                    progress.best_step, progress.validated, progress.finished = 0, 0, False

    def keep_weights(self, model: Model, progress: Progress) -> None:
        """Store the weights of this validation; the next save deletes those that are no longer needed."""
        make_folder(self.folder)
        weights = {name: tensor.cpu() for name, tensor in weights_of(model).items()}
        write_weights(self.path(progress.step), weights, {CHECKSUM: _checksum(weights)})
        progress.kept = [*progress.kept, progress.step][-self.keep :]

    def _drop_unneeded(self, progress: Progress) -> None:
        """Delete weights that are needed neither for averaging nor as the best."""
        needed = {self.path(step) for step in [*progress.kept, progress.best_step]}
        for path in self.folder.glob("step-*.safetensors"):
            if path not in needed:
                path.unlink()

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.safetensors"

    def weights(self, step: int) -> dict[str, Tensor]:
        """The weights of a validation. UserError if they are missing or damaged."""
        return _read(self.path(step))[0]

    def average(self, steps: Iterable[int]) -> dict[str, Tensor]:
        """The mean of several checkpoints' weights (Vaswani et al. 2017, section 6.1)."""
        steps = list(steps)
        total = self.weights(steps[0])
        for step in steps[1:]:
            for name, tensor in self.weights(step).items():
                total[name] += tensor
        return {name: tensor / len(steps) for name, tensor in total.items()}


class _Damaged(UserError):
    """A checkpoint whose content is not what was written."""


def _checksum(tensors: dict[str, Tensor], text: str = "") -> str:
    return hashlib.sha256(f"{weights_sha256(tensors)} {text}".encode()).hexdigest()


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a checkpoint, and its Progress as text ("" without one). The first version wrote no checksums."""
    try:
        checked_path(path.parent, path.name)
        tensors, metadata = read_weights(path), read_metadata(path)
    except UserError as error:
        raise _Damaged(str(error)) from None
    text = metadata.get(PROGRESS, "")
    if metadata.get(CHECKSUM, "") != (_checksum(tensors, text) if metadata.keys() - {PROGRESS} else ""):
        raise _Damaged(f"{path} is damaged: the SHA-256 of its content is not that of its metadata")
    return tensors, text


def _load(path: Path, model: Model, optimizer: torch.optim.Optimizer) -> Progress:
    """Load the weights and moments of a save, and return its Progress. The optimizer's old state is dropped."""
    tensors, text = _read(path)
    progress = _progress(text, path)
    moments = {key: values for key in (*MOMENTS, EMA) if (values := _under(f"adam.{key}.", tensors)) or key != EMA}
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    for key, values in moments.items():
        if values.keys() != moments["step"].keys() or any(key != "step" and values[name].shape != shapes.get(name) for name in values):
            raise _Damaged(f"{path} is damaged: Adam's moments in it do not fit the weights")
    try:
        load_weights(model, _under("weights.", tensors), path)
    except UserError as error:
        raise _Damaged(str(error)) from None
    optimizer.state.clear()  # a save of step 0 has no moments: those of a diverged run would stall the next steps
    for name, parameter in model.named_parameters():
        if name in moments["step"]:
            # fused Adam needs the step count on the parameter's device
            optimizer.state[parameter] = {key: values[name].to(parameter.device) for key, values in moments.items()}
    return progress


def _progress(text: str, path: Path) -> Progress:
    try:
        values = json.loads(text)
    except ValueError:
        raise _Damaged(f"{path} is damaged: its metadata has no progress") from None
    if isinstance(values, dict) and (new := [key for key in values if key not in Progress.__dataclass_fields__]):
        raise UserError(f"{path} was written by a newer version of translate-nmt (it has a field {new[0]!r}): install that version to continue")
    try:
        return build(values, Progress, "progress")
    except UserError as error:
        raise _Damaged(f"{path} is damaged: {error}") from None


def _peek(path: Path) -> Progress | None:
    """The Progress of a save; None if it is missing or can't be read. Its tensors are not read."""
    try:
        metadata = read_metadata(path)
    except UserError:
        return None
    try:
        return _progress(metadata.get(PROGRESS, ""), path)
    except _Damaged:
        return None


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
