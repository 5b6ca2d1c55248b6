"""runs/x/checkpoints: all that a run needs to go on where it stopped, and the last few weights for averaging.

Every file is safetensors, so nothing is unpickled; each is written whole or not at all.

    resume.safetensors     weights, Adam's moments; in its metadata the counters of `Progress`
    resume.before.safetensors   the one before it, should that be damaged
    step-00001000.safetensors   weights at a validation: the last `keep` of them, and the best
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable, Optional

import torch
from torch import Tensor

from translate.bundle import put_weights, read_metadata, read_weights, weights_of, write_weights
from translate.errors import UserError
from translate.files import make_folder
from translate.model import Transformer


@dataclass
class Progress:
    """Where a run stands: everything that is not a tensor."""

    step: int = 0
    epoch: int = 0  # of the next batch
    position: int = 0  # of the next batch in its epoch
    seconds: float = 0.0  # of training, validations included, over all starts
    tokens: int = 0  # target tokens seen
    validated: int = 0  # step of the last validation
    best_bleu: float = -1.0  # of the best validation by training.metric
    best_chrf: float = -1.0
    best_loss: float = math.inf
    best_learnt: bool = True  # its translations depended on their sources
    best_step: int = 0
    worse: int = 0  # validations in a row that were no better
    skipped: int = 0  # steps left out because of a non-finite gradient
    lowest_loss: float = math.inf  # of the intervals between two lines of the log
    returns: int = 0  # to the save before, because the loss exploded
    rate_factor: float = 1.0  # of the schedule's learning rate: each return halves it
    kept: list[int] = field(default_factory=list)  # steps whose weights are kept for averaging
    data: str = ""  # fingerprint of the training data


class Checkpoints:
    def __init__(self, run: Path, keep: int) -> None:
        self.folder = run / "checkpoints"
        self.keep = keep
        self.resume, self.before = self.folder / "resume.safetensors", self.folder / "resume.before.safetensors"

    def save(self, model: Transformer, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        make_folder(self.folder)
        tensors = {f"weights.{name}": tensor for name, tensor in weights_of(model).items()}
        for name, parameter in model.named_parameters():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{key}.{name}"] = value
        write_weights(self.resume, tensors, {"progress": json.dumps(dataclasses.asdict(progress))}, before=self.before)

    def load(self, model: Transformer, optimizer: torch.optim.Optimizer, say: Callable[[str], None]) -> Optional[Progress]:
        """Put everything back; None where the run has not saved yet. Falls back to the save before where the last is damaged or was never
        finished, and says so. UserError where both are damaged."""
        for path in (self.resume, self.before):
            if not path.exists():
                continue
            try:
                progress = self._load(path, model, optimizer)
            except UserError as error:
                say(str(error))
                continue
            if path == self.before:
                say(f"going on from the save before: {path}")
            return progress
        if self.resume.exists() or self.before.exists():
            raise UserError(f"{self.folder} holds no whole save: remove it to begin anew, or choose another folder with run=FOLDER")
        return None

    def _load(self, path: Path, model: Transformer, optimizer: torch.optim.Optimizer) -> Progress:
        tensors = read_weights(path)
        put_weights(model, _under("weights.", tensors), path)
        moments = {key: _under(f"adam.{key}.", tensors) for key in ("step", "exp_avg", "exp_avg_sq")}
        for name, parameter in model.named_parameters():
            if name in moments["step"]:
                # the step count stays where Adam's fused form wants it: beside the parameter
                optimizer.state[parameter] = {key: values[name].to(parameter.device) for key, values in moments.items()}
        return Progress(**json.loads(read_metadata(path)["progress"]))

    def keep_weights(self, model: Transformer, progress: Progress) -> None:
        """Store the weights of this validation; drop those that neither averaging nor the choice of the best will need."""
        make_folder(self.folder)
        write_weights(self.path(progress.step), weights_of(model))
        progress.kept = [*progress.kept, progress.step][-self.keep :]

    def drop_unneeded(self, progress: Progress) -> None:
        needed = {self.path(step) for step in [*progress.kept, progress.best_step]}
        for path in self.folder.glob("step-*.safetensors"):
            if path not in needed:
                path.unlink()

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.safetensors"

    def weights(self, step: int) -> dict[str, Tensor]:
        return read_weights(self.path(step))

    def average(self, steps: Iterable[int]) -> dict[str, Tensor]:
        """The mean of several checkpoints' weights (Vaswani et al. 2017, section 6.1)."""
        steps = list(steps)
        total = self.weights(steps[0])
        for step in steps[1:]:
            for name, tensor in self.weights(step).items():
                total[name] += tensor
        return {name: tensor / len(steps) for name, tensor in total.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
