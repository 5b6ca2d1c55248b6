"""Verifies resuming: with the given recipe, a run that is killed ends with exactly the weights of one that is not.

`translate train recipe=NAME verify_resume=true`. Each run is a separate process.

On a GPU the order of additions varies, so even two uninterrupted runs differ in their last bits. There both runs use torch's deterministic
algorithms, which are slower: this proves that a save is complete, not that two trainings are equal.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from translate.bundle.bundle import WEIGHTS
from translate.bundle.weights import read_weights
from translate.config import Config, from_dict
from translate.device import choose_device
from translate.errors import UserError
from translate.model.families import FAMILIES
from translate.training.run import train
from translate.training.stopping import Stopped
from translate.values import to_values

STEPS = 60  # of both runs; the recipe's schedule is scaled to them
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # on Windows, SIGTERM kills
SIGNALS = (KILL, signal.SIGTERM, KILL)  # sent to the second run, each at a random step
SENTENCES = 50  # of the development set
FILES = (WEIGHTS, "checkpoints/resume.safetensors")
HINTS = {
    "cpu": "training.threads and the machine must be the same",
    "cuda": "some operations have no deterministic form on a GPU: try training.device=cpu, where equal weights are guaranteed",
}


def verify_resume(config: Config) -> int:
    """Train twice in a temporary folder, once without interruption. Returns 0 if all weights and Adam's moments are bitwise equal, else 1.

    UserError if a run fails, with its last line of output.
    """
    if FAMILIES[config.model.family].learns_by_counting:
        raise UserError(f"verify_resume has no effect with model.family={config.model.family}, which learns in one step: leave it out")
    training = dataclasses.replace(config.training, steps=STEPS, minutes=0.0, patience=0, validate_every=STEPS // 4, log_every=1, tensorboard=False)
    training.validate_sentences = min(training.validate_sentences or SENTENCES, SENTENCES)
    short = dataclasses.replace(config, training=training, data=dataclasses.replace(config.data, test={}), verify_resume=False)
    with tempfile.TemporaryDirectory(prefix="translate-") as temporary:
        uninterrupted, killed = Path(temporary) / "uninterrupted", Path(temporary) / "killed"
        _print(f"{STEPS} steps without interruption")
        _run(dataclasses.replace(short, run=str(uninterrupted)))
        short.run = str(killed)
        for number in SIGNALS:
            step = _kill(short, number)
            _print(f"the second run is at step {step}: {number.name}")
        _run(short)
        different = [name for file in FILES for name in _differences(uninterrupted / file, killed / file)]
    if different:
        _print(f"NOT the same: {len(different)} tensors differ, the first is {different[0]}; {HINTS[choose_device(training.device).type]}")
        return 1
    often = "once" if len(SIGNALS) == 1 else f"{len(SIGNALS)} times"
    _print(f"the same: {STEPS} steps, stopped {often}, gave the same weights and optimizer state bit for bit")
    return 0


def _print(message: str) -> None:
    print(f"verify_resume: {message}", file=sys.stderr)


def _start(config: Config) -> subprocess.Popen[bytes]:
    path = Path(config.run).with_suffix(".json")
    path.write_text(json.dumps(to_values(config)), encoding="utf-8")
    package = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
    environment.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic products on a GPU need it
    with open(path.with_suffix(".log"), "wb") as log:
        command = [sys.executable, "-m", "translate.training.verify", str(path)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=environment)


def _run(config: Config) -> None:
    process = _start(config)
    try:
        code = process.wait()
    finally:  # Ctrl-C
        process.kill()
    if code:
        log = Path(config.run).with_suffix(".log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise UserError(f"the run to verify failed with exit code {code}: {log[-1] if log else 'no output'}")


def _kill(config: Config, number: signal.Signals) -> int:
    """Start or resume the run and send it the signal `number` some steps later. Returns the last step that it logged."""
    before = _step(config)
    goal = before + random.randint(1, (STEPS - before) // 3)
    process = _start(config)
    try:
        while _step(config) < goal and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(number)
        process.wait()
    finally:
        process.kill()
    return _step(config)


def _step(config: Config) -> int:
    """The last step in metrics.jsonl, or 0."""
    path = Path(config.run) / "metrics.jsonl"
    lines = [line for line in path.read_text(encoding="utf-8").split("\n")[:-1] if line] if path.exists() else []
    return int(json.loads(lines[-1])["step"]) if lines else 0


def _differences(path: Path, other: Path) -> list[str]:
    first, second = read_weights(path), read_weights(other)
    names = sorted(first.keys() | second.keys())
    return [name for name in names if name not in first or name not in second or not torch.equal(first[name], second[name])]


if __name__ == "__main__":
    if torch.cuda.is_available():
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        train(from_dict(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    except Stopped as stopped:
        sys.exit(128 + stopped.number)
