"""A run that is started again with other limits: more steps or minutes, fewer, or more patience."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.conftest import digest, metrics, tiny_config
from tests.stopped_run import SETTINGS, Killed, copy_of, killed, said
from translate.training.run import train


def test_killed_in_its_final_tests_a_run_in_minutes_takes_no_further_step(tmp_path, corpus_folder, monkeypatch):
    config = tiny_config(tmp_path / "run", corpus_folder, steps=0, minutes=0.03, log_every=1, validate_every=10)
    with monkeypatch.context() as patch:
        patch.setattr("translate.training.validation.evaluate_tests", killed)
        with pytest.raises(Killed):
            train(config)
    before = digest(tmp_path / "run" / "model.safetensors"), (tmp_path / "run" / "metrics.jsonl").read_text()
    config.training.minutes = 0.03
    assert train(config)
    assert before == (digest(tmp_path / "run" / "model.safetensors"), (tmp_path / "run" / "metrics.jsonl").read_text())
    assert json.loads((tmp_path / "run" / "report.json").read_text())["steps"] == metrics(tmp_path / "run")[-1]["step"]


def test_a_larger_budget_extends_a_finished_run(whole, tmp_path, corpus_folder, monkeypatch, capsys):
    run = copy_of(whole, tmp_path)
    config = tiny_config(run, corpus_folder, **{**SETTINGS, "steps": 80})
    with monkeypatch.context() as patch:
        patch.setattr("translate.training.validation.evaluate_tests", killed)
        with pytest.raises(Killed):
            train(config)
    assert "resumed at step 60" in said(run)
    assert "the budget changed from 60 steps to 80 steps: 75% of it is used up; the linear schedule continues" in said(run)
    assert json.loads((run / "report.json").read_text())["steps"] == 60
    assert train(config)  # not taken for finished because the old report is there
    report = json.loads((run / "report.json").read_text())
    assert report["steps"] == 80 and metrics(run)[-1]["step"] == 80
    rates = {line["step"]: line["rate"] for line in metrics(run) if "rate" in line}
    assert rates[60] == pytest.approx(0.005 / 60) and rates[70] == pytest.approx(0.005 * 11 / 80)
    capsys.readouterr()
    for steps in (80, 70):
        config.training.steps = steps
        assert train(config)
        assert "is finished" in capsys.readouterr().err
    assert json.loads((run / "report.json").read_text()) == report
    assert yaml.safe_load((run / "config.yaml").read_text())["training"]["steps"] == 80


def test_minutes_may_follow_steps_and_patience_may_grow(tmp_path, corpus_folder, capsys):
    config = tiny_config(tmp_path / "run", corpus_folder, steps=500, validate_every=5, patience=2, average=1)
    config.optim.rate = 1e-9
    train(config)
    assert train(config)
    assert "train on with training.patience above 2" in capsys.readouterr().err
    config.training.patience = 4
    train(config)
    assert json.loads((tmp_path / "run" / "report.json").read_text())["steps"] == 25
    seconds = json.loads((tmp_path / "run" / "report.json").read_text())["seconds"]
    config.training.steps, config.training.minutes, config.training.patience = 0, (seconds + 3) / 60, 0
    train(config)
    assert "the budget changed from 500 steps, a patience of 4 validations to 0." in said(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "report.json").read_text())["steps"] > 25


def test_a_smaller_budget_ends_a_run_where_it_is(stopped, tmp_path, corpus_folder):
    run = copy_of(stopped, tmp_path)
    assert train(tiny_config(run, corpus_folder, **{**SETTINGS, "steps": 50}))
    assert "the budget changed from 60 steps to 50 steps: nothing of it is left" in said(run)
    assert json.loads((run / "report.json").read_text())["steps"] == 60
