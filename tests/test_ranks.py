"""Training under torchrun: two processes on the CPU learn what one does, stop together, and hand over to another number of processes."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT, metrics, tiny_config
from tests.test_checkpoints import wait_for_step
from translate.bundle.weights import read_weights
from translate.data.batches import Batch
from translate.device import choose_device
from translate.tokenizer import PAD
from translate.training.ranks import Ranks, join_ranks
from translate.training.run import train
from translate.values import to_values

PROGRAM = """
import json, os, pathlib, sys
from translate.config import from_dict
from translate.cli.train import train_one
os.write(2, f"process {os.environ['RANK']} {os.getpid()}\\n".encode())  # in one piece: the ranks share stderr
try:
    code = train_one(from_dict(json.load(open(sys.argv[1]))))
except ValueError as error:
    print("told:", error, file=sys.stderr)
    code = 2
tasks = pathlib.Path("/proc/self/task")
if any("gloo" in (task / "comm").read_text() for task in (tasks.iterdir() if tasks.exists() else ())):
    print("process", os.environ["RANK"], "has threads of gloo left", file=sys.stderr)
sys.exit(code)"""


DECODER_ONLY = {"family": "decoder_only", "encoder_layers": 0, "loss_on": "all"}


def config_for(run: Path, folder: Path, model: dict | None = None, **training):
    """Without dropout, whose masks differ from rank to rank. Adam divides a gradient by its own size, so that one which should be 0 (of a bias
    that softmax cancels) moves its weight by its rounding error's sign; a large epsilon keeps such weights still."""
    config = tiny_config(run, folder, **{"steps": 50, "validate_every": 25, **training})
    config.model = dataclasses.replace(config.model, dropout=0.0, **(model or {}))
    config.optim.epsilon = 1e-4
    return config


def torchrun(config, folder: Path, processes: int = 2, first: str = "") -> subprocess.Popen:
    """The run as `torchrun` starts it; every process executes `first` before it trains."""
    (folder / "config.json").write_text(json.dumps(to_values(config)))
    (folder / "program.py").write_text(first + PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*command, str(folder / "program.py"), str(folder / "config.json")], stderr=subprocess.PIPE, env=environment)


def finished(process: subprocess.Popen) -> str:
    try:
        errors = process.communicate(timeout=120)[1].decode()
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert "threads of gloo left" not in errors
    return errors


def assert_alike(first: Path, second: Path) -> None:
    """The weights differ by no more than sums in another order do."""
    weights = [read_weights(run / "model.safetensors") for run in (first, second)]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("model", [{}, pytest.param(DECODER_ONLY, marks=pytest.mark.slow)], ids=["encoder_decoder", "decoder_only"])
def test_two_processes_learn_what_one_does(tmp_path, corpus_folder, model):
    settings = {"model": model, "accumulate": 2, "average": 1}
    train(config_for(tmp_path / "one", corpus_folder, **settings))
    errors = finished(torchrun(config_for(tmp_path / "two", corpus_folder, **settings), tmp_path))
    assert_alike(tmp_path / "one", tmp_path / "two")
    assert errors.count("tokenizer: 500 pieces") == 1  # one rank speaks
    assert "Warning" not in errors
    losses, bleu = ([[line[key] for line in metrics(tmp_path / run) if key in line] for run in ("one", "two")] for key in ("loss", "bleu"))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4) and losses[0][-1] < losses[0][0] - 0.5
    assert bleu[0] == bleu[1]
    reports = [json.loads((tmp_path / run / "report.json").read_text()) for run in ("one", "two")]
    assert [report["processes"] for report in reports] == [1, 2]
    assert reports[0]["target_tokens"] == reports[1]["target_tokens"]


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_signal_to_any_rank_stops_all_and_one_process_goes_on(rank, tmp_path, corpus_folder):
    settings = {"steps": 200, "log_every": 5, "validate_every": 50}
    train(config_for(tmp_path / "whole", corpus_folder, **settings))
    process = torchrun(config_for(tmp_path / "parts", corpus_folder, **settings), tmp_path)
    pids = dict(process.stderr.readline().decode().split()[1:] for _ in range(2))
    wait_for_step(tmp_path / "parts", 30, process)
    os.kill(int(pids[str(rank)]), signal.SIGTERM)
    assert "threads of gloo left" not in process.communicate(timeout=60)[1].decode()
    assert process.returncode
    log = (tmp_path / "parts" / "train.log").read_text()
    (stopped,) = map(int, re.findall(r"stopped by SIGTERM at step (\d+)", log))
    assert not (tmp_path / "parts" / "report.json").exists()
    assert not (tmp_path / "parts" / ".lock").exists()
    assert train(config_for(tmp_path / "parts", corpus_folder, **settings))
    # but for the mean that the stop cut in two
    losses = [
        {line["step"]: line["loss"] for line in metrics(tmp_path / run) if "loss" in line and not stopped < line["step"] < stopped + 5}
        for run in ("whole", "parts")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=2e-3) and len(losses[0]) >= 39


def test_a_mistake_is_told_once_and_ends_every_rank(tmp_path, corpus_folder):
    config = config_for(tmp_path / "run", corpus_folder)
    config.data.test["dev"].source = str(tmp_path / "missing.de")
    process = torchrun(config, tmp_path)
    errors = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1 and errors.count("told: ") == 1 and "missing.de" in errors


FAULTS = """
import os, time, torch
from translate.training import checkpoints, update, validation

load, plain, spoiled = checkpoints.Checkpoints.load, update.Updater.update, []

def slow(self, *rest, **options):
    time.sleep(1.5 * int(os.environ["RANK"]))
    progress = load(self, *rest, **options)
    if progress:
        os.write(2, f"process {os.environ['RANK']} reads returns={progress.returns}\\n".encode())
    return progress

def spoil(self, batches, step, rate, say):
    if step == 12 and not spoiled:
        spoiled.append(step)
        with torch.no_grad():
            self.model.target_embedding.weight.mul_(30)
    return plain(self, batches, step, rate, say)

def bug(self, progress):
    raise RuntimeError("a bug of ours")

checkpoints.Checkpoints.load, update.Updater.update = slow, spoil
if os.environ["RANK"] == "0":
    validation.Validation.validate = bug
"""


@pytest.mark.slow
def test_ranks_go_back_together_and_a_bug_in_the_first_holds_up_none(tmp_path, corpus_folder):
    """The second reads the save slowly: the first must not write the next one over it."""
    process = torchrun(config_for(tmp_path / "run", corpus_folder, log_every=5, steps=25), tmp_path, first=FAULTS)
    errors = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    assert sorted(line for line in errors.splitlines() if "reads returns" in line) == [f"process {rank} reads returns=0" for rank in range(2)]
    assert errors.count("RuntimeError: a bug of ours") == 1 == errors.count("RuntimeError: ")


def test_each_rank_has_a_device_of_its_own_and_waits_for_hours(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(choose_device("cuda")) == "cuda" and str(choose_device("auto")) == "cuda:0"
    for name, value in {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert str(choose_device("cuda")) == str(choose_device("auto")) == "cuda:1" and str(choose_device("cuda:0")) == "cuda:0"
    started, taken = [], []
    monkeypatch.setattr(torch.distributed, "is_torchelastic_launched", lambda: True)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backend, timeout: started.append((backend, timeout)))
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    with pytest.raises(ValueError, match="cuda:0 gives every process the same GPU: set training.device=cuda"), join_ranks(torch.device("cuda:0")):
        pass
    with join_ranks(choose_device("cuda")) as ranks:
        assert ranks == Ranks(1, 2)
    assert taken == [torch.device("cuda:1")]
    assert started[0][0] == "cpu:gloo,cuda:nccl" and started[0][1] >= datetime.timedelta(hours=6)


def test_the_shares_of_all_ranks_are_the_batch():
    labels = torch.arange(1, 6)[:, None]
    batch = Batch(0, 0, labels + 10, labels + 20, labels, 5)
    shares = [Ranks(rank, 2).share(batch) for rank in range(2)]
    assert [share.labels.flatten().tolist() for share in shares] == [[1, 3, 5], [2, 4]]
    assert [share.source.flatten().tolist() for share in shares] == [[11, 13, 15], [12, 14]]
    assert all(share.tokens == 5 for share in shares)
    spare = Ranks(6, 7).share(batch)
    assert spare.labels.tolist() == [[PAD]] and spare.source.tolist() == [[11]] and spare.tokens == 5
