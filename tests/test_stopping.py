"""A run that is stopped or killed between two validations: signals of terminals and clusters, saves by the clock, signals during a save."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import threading
import time

import pytest

from tests.conftest import ROOT, digest, metrics, tiny_config
from tests.test_recovery import spoiled
from translate.bundle.weights import read_metadata
from translate.training import checkpoints, update
from translate.training.run import train
from translate.training.stopping import Stopped
from translate.values import to_values

SETTINGS = {"steps": 30, "validate_every": 30, "log_every": 5}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, corpus_folder) -> str:
    """The digest of the weights of a run that nothing stops."""
    run = tmp_path_factory.mktemp("whole") / "run"
    train(tiny_config(run, corpus_folder, **SETTINGS))
    return digest(run / "model.safetensors")


def saved_step(run) -> int:
    return json.loads(read_metadata(run / "checkpoints" / "resume.safetensors")["progress"])["step"]


def signalled(monkeypatch, number: int, step: int) -> None:
    """This process gets the signal while it computes the step (from 0)."""
    plain = update.Updater.update

    def signalling(self, batches, at, rate, say):
        if at == step:
            os.kill(os.getpid(), number)
        return plain(self, batches, at, rate, say)

    monkeypatch.setattr(update.Updater, "update", signalling)


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGTERM", "SIGINT"])
def test_every_signal_that_ends_a_run_saves_it(name, whole, tmp_path, corpus_folder, monkeypatch):
    number, run = getattr(signal, name), tmp_path / "run"
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        signalled(patch, number, 12)
        with pytest.raises(Stopped) as stopped:
            train(tiny_config(run, corpus_folder, **SETTINGS))
    assert stopped.value.number == number
    assert signal.getsignal(number) == before
    assert f"stopped by {name} at step 13 and saved" in (run / "train.log").read_text() and saved_step(run) == 13
    assert train(tiny_config(run, corpus_folder, **SETTINGS))
    assert digest(run / "model.safetensors") == whole


def test_a_run_in_another_thread(whole, tmp_path, corpus_folder):
    """Where Python has no signals, and where notebooks and servers train; it returns the report."""
    run, before, reports = tmp_path / "run", signal.getsignal(signal.SIGINT), []
    thread = threading.Thread(target=lambda: reports.append(train(tiny_config(run, corpus_folder, **SETTINGS))))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) == before
    assert reports == [json.loads((run / "report.json").read_text())] and reports[0]["steps"] == 30
    assert digest(run / "model.safetensors") == whole


def test_a_signal_that_was_ignored_stays_so(whole, tmp_path, corpus_folder, monkeypatch):
    """`nohup translate train ...`"""
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signalled(monkeypatch, signal.SIGHUP, 12)
        assert train(tiny_config(tmp_path / "run", corpus_folder, **SETTINGS))
    finally:
        signal.signal(signal.SIGHUP, old)
    assert digest(tmp_path / "run" / "model.safetensors") == whole


def test_a_second_signal_does_not_break_the_save(whole, tmp_path, corpus_folder, monkeypatch):
    run, write = tmp_path / "run", checkpoints.write_weights

    def interrupted(path, *rest, **options):
        if path.name.startswith("resume"):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(os.getpid(), number)
        write(path, *rest, **options)

    with monkeypatch.context() as patch:
        signalled(patch, signal.SIGTERM, 12)
        patch.setattr(checkpoints, "write_weights", interrupted)
        with pytest.raises(Stopped) as stopped:
            train(tiny_config(run, corpus_folder, **SETTINGS))
    assert stopped.value.number == signal.SIGTERM
    assert saved_step(run) in (1, 13)  # the save of the beginning was interrupted too
    train(tiny_config(run, corpus_folder, **SETTINGS))
    assert digest(run / "model.safetensors") == whole


TWICE = """
import signal, sys
from pathlib import Path
from tests.conftest import tiny_config
from tests.test_stopping import SETTINGS
from translate.training import update
from translate.training.run import train
from translate.training.stopping import Stopped

plain = update.Updater.update

def signalling(self, batches, at, rate, say):
    if at == 12:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
    return plain(self, batches, at, rate, say)

update.Updater.update = signalling
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
try:
    train(tiny_config(Path(sys.argv[1]), Path(sys.argv[2]), **SETTINGS))
except Stopped:
    print("stopped")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_second_signal_while_no_save_is_written_acts_at_once(tmp_path, corpus_folder):
    words = [sys.executable, "-c", TWICE, str(tmp_path / "run"), str(corpus_folder)]
    assert subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=120).stdout == "interrupted\n"


def test_a_save_that_is_not_written_leaves_the_one_before(whole, tmp_path, corpus_folder, monkeypatch):
    """As a process that is killed there; test_nth_failure.py fails each system call of a save."""
    run, write = tmp_path / "run", checkpoints.write_weights

    def failing_write(path, *rest, **options):
        if path.name.startswith("resume"):
            raise KeyboardInterrupt
        write(path, *rest, **options)

    with monkeypatch.context() as patch:
        signalled(patch, signal.SIGTERM, 12)
        with pytest.raises(Stopped):
            train(tiny_config(run, corpus_folder, **SETTINGS))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints, "write_weights", failing_write)
        signalled(patch, signal.SIGTERM, 20)
        train(tiny_config(run, corpus_folder, **SETTINGS))
    assert train(tiny_config(run, corpus_folder, **SETTINGS))
    assert digest(run / "model.safetensors") == whole
    assert not list(run.rglob("*.tmp"))


def test_killed_between_two_validations_it_goes_on_from_the_save_by_the_clock(tmp_path, corpus_folder, monkeypatch):
    """Killed by SIGKILL after such a save: test_checkpoints.py."""

    def config(name):
        made = tiny_config(tmp_path / name, corpus_folder, steps=50, validate_every=1000, log_every=1)
        made.tokenizer.sampling, made.training.accumulate = 0.1, 2
        return made

    train(config("whole"))
    plain = update.Updater.update

    def killed(self, batches, at, rate, say):
        if at == 30:
            raise ZeroDivisionError
        return plain(self, batches, at, rate, say)

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(update.Updater, "update", killed)
        patch.setattr(checkpoints, "SAVE_EVERY", 0.0)
        patch.setattr(checkpoints, "SAVE_SHARE", 1e9)
        train(config("parts"))
    assert saved_step(tmp_path / "parts") == 30
    train(config("parts"))
    assert digest(tmp_path / "parts" / "model.safetensors") == digest(tmp_path / "whole" / "model.safetensors")


def test_an_explosion_goes_back_past_the_saves_by_the_clock(tmp_path, corpus_folder, monkeypatch):
    """Those may hold the very weights that exploded; and what a run learns must not depend on when it was saved."""
    runs = []
    for name, every in (("seldom", 1e9), ("often", 0.0)):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoints, "SAVE_EVERY", every)
            patch.setattr(checkpoints, "SAVE_SHARE", 1e9)
            spoiled(patch, 1)
            config = tiny_config(tmp_path / name, corpus_folder, steps=60, log_every=5, validate_every=20, average=1)
            config.optim.schedule = "inverse_sqrt"
            train(config)
        assert (tmp_path / name / "train.log").read_text().count("going back to step 20,") == 1
        runs.append(digest(tmp_path / name / "model.safetensors"))
    assert runs[0] == runs[1]


def test_saves_by_the_clock_keep_to_their_share(tmp_path):
    kept = checkpoints.Checkpoints(tmp_path, 1)
    now = time.perf_counter()
    for seconds, since, due in ((0.1, 170, False), (0.1, 190, True), (5, 490, False), (5, 510, True)):
        kept.save_seconds, kept.saved = seconds, now - since
        assert kept.due() == due


def test_a_terminal_that_is_closed(tmp_path, corpus_folder):
    """It sends SIGHUP, and whatever is written to it from then on fails."""
    run, config = tmp_path / "run", tmp_path / "config.json"
    config.write_text(json.dumps(to_values(tiny_config(run, corpus_folder, steps=4000, validate_every=4000, log_every=5))))
    program = "import json, sys; from translate.cli.train import train_one; from translate.config import from_dict\n"
    program += "sys.exit(train_one(from_dict(json.load(open(sys.argv[1])))))"
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(config)],
        cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    process.stderr = open(os.devnull, "rb")
    os.set_blocking(ours, False)
    while not (run / "metrics.jsonl").exists() or len(metrics(run)) < 3:
        try:
            os.read(ours, 65536)
        except BlockingIOError:
            time.sleep(0.02)
        assert process.poll() is None
    os.close(ours)
    assert process.wait(60) == 128 + signal.SIGHUP
    assert saved_step(run) > 10
