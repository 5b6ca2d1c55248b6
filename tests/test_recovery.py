"""What training survives by itself: memory that runs out, a loss that explodes; and what a user may ask of it: begin anew, prove resuming."""

from __future__ import annotations

import dataclasses
import json
import signal

import pytest
import torch

from tests.conftest import digest, metrics, tiny_config
from tests.test_checkpoints import start, wait_for_step
from translate.bundle.weights import read_metadata, read_weights
from translate.training import run as training
from translate.training import update, verify
from translate.training.run import train

OUT_OF_MEMORY = "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


def test_the_allocator_s_own_error_is_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert update.is_out_of_memory(caught.value)
    assert not update.is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_step_that_memory_does_not_hold_is_done_in_parts(tmp_path, corpus_folder, monkeypatch):
    """Without dropout, whose masks depend on the shape, its weights are those of the step in one piece."""
    configs = [tiny_config(tmp_path / name, corpus_folder, steps=20, average=1) for name in ("whole", "parts")]
    for config in configs:
        config.model.dropout, config.optim.epsilon = 0.0, 1e-4
    train(configs[0])
    loss_sum, failed = update.loss_sum, []

    def failing(hidden, weight, labels, *rest):
        smoothed, likelihood = loss_sum(hidden, weight, labels, *rest)
        if len(labels) > 20:  # after some of the work is done
            smoothed.backward()
            failed.append(len(labels))
            raise RuntimeError(OUT_OF_MEMORY)
        return smoothed, likelihood

    monkeypatch.setattr(update, "loss_sum", failing)
    train(configs[1])
    log = (tmp_path / "parts" / "train.log").read_text()
    assert failed and log.count("out of memory with") == len(failed)
    weights = [read_weights(tmp_path / name / "model.safetensors") for name in ("whole", "parts")]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-5)
    tokens = [json.loads((tmp_path / name / "report.json").read_text())["target_tokens"] for name in ("whole", "parts")]
    assert tokens[0] == tokens[1]


def test_a_sentence_that_memory_does_not_hold_ends_the_run(tmp_path, corpus_folder, monkeypatch):
    def failing(*_):
        raise RuntimeError(OUT_OF_MEMORY)

    monkeypatch.setattr(update, "loss_sum", failing)
    with pytest.raises(ValueError, match="out of memory at step 1, in a batch of 1 sentences of up to .* lower training.batch_tokens"):
        train(tiny_config(tmp_path / "run", corpus_folder))


def test_other_errors_are_not_taken_for_it(tmp_path, corpus_folder, monkeypatch):
    def failing(*_):
        raise RuntimeError("something else")

    monkeypatch.setattr(update, "loss_sum", failing)
    with pytest.raises(RuntimeError, match="something else"):
        train(tiny_config(tmp_path / "run", corpus_folder))


def spoiled(monkeypatch, times: int, at: int = 30):
    """Make the weights useless before step `at` (from 0), the first `times` times that it comes."""
    plain, left = update.Updater.update, [times]

    def spoil(self, batches, step, rate, say):
        if step == at and left[0]:
            left[0] -= 1
            with torch.no_grad():
                self.model.target_embedding.weight.mul_(30)
        return plain(self, batches, step, rate, say)

    monkeypatch.setattr(update.Updater, "update", spoil)


def test_an_exploding_loss_goes_back_at_half_the_rate(tmp_path, corpus_folder, monkeypatch):
    spoiled(monkeypatch, 2)
    config = tiny_config(tmp_path / "run", corpus_folder, steps=60, log_every=5, validate_every=20, average=1)
    config.optim.schedule = "inverse_sqrt"
    train(config)
    log = (tmp_path / "run" / "train.log").read_text()
    assert log.count("going back to step 20") == 2 and "with 0.5 of the recipe's rate" in log and "with 0.25 of the recipe's rate" in log
    lines = [line for line in metrics(tmp_path / "run") if "loss" in line]
    assert [line["step"] for line in lines] == list(range(5, 61, 5))  # none of what was left behind
    rates = {line["step"]: line["rate"] for line in lines}
    assert rates[25] == pytest.approx(rates[20] * (20 / 25) ** 0.5 / 4)
    assert lines[-1]["loss"] < lines[3]["loss"]
    assert json.loads((tmp_path / "run" / "report.json").read_text())["steps"] == 60


def test_a_loss_that_goes_on_exploding_ends_the_run(tmp_path, corpus_folder, monkeypatch):
    spoiled(monkeypatch, 99)
    with pytest.raises(ValueError, match=f"did not help {training.MAX_RETURNS} times: lower optim.rate"):
        train(tiny_config(tmp_path / "run", corpus_folder, steps=60, log_every=5, validate_every=20))
    assert (tmp_path / "run" / "model.safetensors").exists()  # of the best validation


def test_resume_false_puts_the_old_run_aside(tmp_path, corpus_folder, capsys):
    config = tiny_config(tmp_path / "run", corpus_folder, steps=10, validate_every=10)
    train(config)
    old = digest(tmp_path / "run" / "model.safetensors")
    config.optim.rate = 0.001
    with pytest.raises(ValueError, match=r"optim.rate is 0.001 now and was 0.005; .* start over with resume=false"):
        train(config)
    config.resume = False
    assert train(config)
    assert digest(tmp_path / "run.1" / "model.safetensors") == old != digest(tmp_path / "run" / "model.safetensors")
    assert f"the run in {tmp_path / 'run'} is now in {tmp_path / 'run.1'}" in capsys.readouterr().err
    train(config)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.1", "run.2"]
    assert not list(tmp_path.glob("*/.lock"))


@pytest.mark.slow  # twenty seconds: four trainings
def test_verify_resume_tells_a_recipe_that_resumes_from_one_that_does_not(tmp_path, corpus_folder, monkeypatch, capsys):
    config = tiny_config(tmp_path / "run", corpus_folder)
    config.tokenizer.sampling = 0.1
    monkeypatch.setattr(verify, "STEPS", 40)
    monkeypatch.setattr(verify, "SIGNALS", (signal.SIGKILL,))
    assert verify.verify_resume(config) == 0
    assert "the same: 40 steps, stopped once" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    start = verify._start

    def another_seed(config):  # stands for whatever is not as it was when a run goes on
        if config.run.endswith("killed"):
            config = dataclasses.replace(config, training=dataclasses.replace(config.training, seed=2))
        return start(config)

    monkeypatch.setattr(verify, "_start", another_seed)
    monkeypatch.setattr(verify, "SIGNALS", ())
    assert verify.verify_resume(config) == 1
    assert "NOT the same" in capsys.readouterr().err


def test_verify_resume_tells_why_a_run_fails(tmp_path, corpus_folder):
    config = tiny_config(tmp_path / "run", corpus_folder)
    config.data.train[0].source = str(tmp_path / "missing.de")
    with pytest.raises(ValueError, match="the run to verify failed with exit code 1: .*missing.de"):
        verify.verify_resume(config)


def test_a_full_disk_costs_no_more_than_the_steps_since_the_save(tmp_path, corpus_folder):
    configs = [tiny_config(tmp_path / name, corpus_folder, steps=60) for name in ("whole", "parts")]
    train(configs[0])
    run = tmp_path / "parts"
    process = start(configs[1], tmp_path)
    wait_for_step(run, 20, process)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    saved = json.loads(read_metadata(run / "checkpoints" / "resume.safetensors")["progress"])["step"]
    # a file of more than 100 kB fails as on a full disk; the signal would end the process before it could say so
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    process = start(configs[1], tmp_path, limit)
    errors = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1 and "cannot be written" in errors.strip().splitlines()[-1], errors
    train(configs[1])
    assert (run / "train.log").read_text().count(f"resumed at step {saved}") == 2
    assert digest(run / "model.safetensors") == digest(tmp_path / "whole" / "model.safetensors")
    assert not list(run.rglob("*.tmp"))
