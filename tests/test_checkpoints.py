"""Exact resume: interrupted, killed or with a damaged save, a run ends with the weights it would have had; and the average of checkpoints."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT, digest, metrics, tiny_config
from translate.bundle.weights import read_weights
from translate.training.run import train
from translate.values import to_values


def start(config, tmp_path, first: str = "") -> subprocess.Popen:
    """The run as a process of its own, so that it can be sent a signal; it executes `first` before it trains."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(to_values(config)))
    program = """
import json, sys
from translate.config import from_dict
from translate.cli.train import train_one
sys.exit(train_one(from_dict(json.load(open(sys.argv[1])))))"""
    command = [sys.executable, "-c", first + program, str(file)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})


def wait_for_step(run: Path, step: int, process: subprocess.Popen) -> None:
    while process.poll() is None:
        if (run / "metrics.jsonl").exists() and any(line["step"] >= step for line in metrics(run)):
            return
        time.sleep(0.02)
    raise AssertionError("the run ended too early: " + process.stderr.read().decode())


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_interrupted_and_resumed_equals_never_stopped(number, tmp_path, corpus_folder):
    """With BPE-dropout and dropout on, so that every random stream is in it."""

    def config(name):
        made = tiny_config(tmp_path / name, corpus_folder, steps=60, log_every=5, validate_every=25)
        made.tokenizer.sampling, made.training.accumulate = 0.1, 2
        return made

    train(config("whole"))
    process = start(config("parts"), tmp_path)
    wait_for_step(tmp_path / "parts", 30, process)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert b"the same command resumes it" in process.stderr.read()
    assert not (tmp_path / "parts" / "report.json").exists()
    assert train(config("parts"))
    assert digest(tmp_path / "parts" / "model.safetensors") == digest(tmp_path / "whole" / "model.safetensors")
    steps = [line["step"] for line in metrics(tmp_path / "parts") if "loss" in line]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("steps", [40, 45])
def test_stopped_after_the_last_step_equals_never_stopped(steps, tmp_path, corpus_folder, monkeypatch):
    """Killed while it chooses its weights: the last validation is not done, or counted, a second time."""
    train(tiny_config(tmp_path / "whole", corpus_folder, steps=steps, keep=3, average=3))
    with monkeypatch.context() as patch:
        patch.setattr("translate.training.run.Run.finish", lambda run: [][1])
        with pytest.raises(IndexError):
            train(tiny_config(tmp_path / "parts", corpus_folder, steps=steps, keep=3, average=3))
    train(tiny_config(tmp_path / "parts", corpus_folder, steps=steps, keep=3, average=3))
    assert digest(tmp_path / "parts" / "model.safetensors") == digest(tmp_path / "whole" / "model.safetensors")
    scores = [[line["bleu"] for line in metrics(tmp_path / name) if "bleu" in line] for name in ("parts", "whole")]
    assert scores[0] == scores[1]


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "steps"), [(3, 160), (10, 400)])
def test_killed_again_and_again_equals_never_stopped(kills, steps, tmp_path, corpus_folder):
    """By SIGKILL and SIGTERM in turn, at random moments of its starts, most of them after a save by the clock."""

    def config(name):
        made = tiny_config(tmp_path / name, corpus_folder, steps=steps, log_every=1, validate_every=15)
        made.tokenizer.sampling, made.optim.r_drop = 0.1, 1.0
        return made

    train(config("whole"))
    chance, run = random.Random(7), tmp_path / "parts"
    for number in range(kills):
        process = start(config("parts"), tmp_path, "import translate.training.checkpoints as c; c.SAVE_EVERY, c.SAVE_SHARE = 0.05, 1e9\n")
        begun = max([line["step"] for line in metrics(run)], default=0) if (run / "metrics.jsonl").exists() else 0
        wait_for_step(run, begun + chance.randint(1, 30), process)
        time.sleep(chance.random() / 20)
        process.send_signal(signal.SIGTERM if number % 2 else signal.SIGKILL)
        process.wait(60)
        assert not (run / "report.json").exists()
    train(config("parts"))
    assert digest(run / "model.safetensors") == digest(tmp_path / "whole" / "model.safetensors")
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("parts", "whole")]
    for key in ("weights", "dev_bleu", "steps", "target_tokens", "test"):
        if key == "test":
            assert reports[0][key]["dev"]["scores"] == reports[1][key]["dev"]["scores"]
        else:
            assert reports[0][key] == reports[1][key]


@pytest.mark.parametrize("damage", ["cut", "gone", "empty"])
def test_a_damaged_save_falls_back_to_the_one_before(damage, tmp_path, corpus_folder, monkeypatch):
    train(tiny_config(tmp_path / "whole", corpus_folder, steps=60))
    run = tmp_path / "parts"
    with monkeypatch.context() as patch:
        patch.setattr("translate.training.run.Run.finish", lambda run: [][1])
        with pytest.raises(IndexError):
            train(tiny_config(run, corpus_folder, steps=60))
    saves = [run / "checkpoints" / name for name in ("resume.safetensors", "resume.before.safetensors")]
    content = saves[0].read_bytes()
    if damage == "gone":  # killed between the two renames
        saves[0].unlink()
    else:
        saves[0].write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    train(tiny_config(run, corpus_folder, steps=60))
    log = (run / "train.log").read_text()
    assert "using the previous save" in log and "resumed at step 40" in log
    assert digest(run / "model.safetensors") == digest(tmp_path / "whole" / "model.safetensors")

    (run / "report.json").unlink()
    for save in saves:
        save.write_bytes(save.read_bytes()[:100])
    with pytest.raises(ValueError, match="no complete save: start over with resume=false"):
        train(tiny_config(run, corpus_folder, steps=60))


def test_one_process_at_a_time_trains_in_a_folder(tmp_path, corpus_folder):
    config = tiny_config(tmp_path / "run", corpus_folder, steps=2000)
    process = start(config, tmp_path)
    try:
        wait_for_step(tmp_path / "run", 10, process)
        with pytest.raises(ValueError, match="another process is training in .*: wait for it, or choose another folder"):
            train(config)
    finally:
        process.kill()
        process.wait()
    assert not (tmp_path / "run" / "report.json").exists()


def test_the_average_is_the_mean_of_the_checkpoints(bundle):
    from translate.training.checkpoints import Checkpoints

    kept = Checkpoints(bundle, 2)
    first, second, mean = kept.weights(20), kept.weights(40), kept.average([20, 40])
    for name in mean:
        torch.testing.assert_close(mean[name], (first[name] + second[name]) / 2)
    # and what the report says was chosen is what stands in the bundle
    weights = read_weights(bundle / "model.safetensors")
    said = json.loads((bundle / "report.json").read_text())["weights"]
    expected = {"of step 20": first, "of step 40": second}.get(said, mean)
    assert all(torch.equal(weights[name], expected[name]) for name in weights)
