"""Runs of the Markov chain: trained by the command, killed and started again, sealed, evaluated; hostile tables are refused."""

from __future__ import annotations

import dataclasses
import math
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import digest, one_line, tiny_config
from tests.test_checkpoints import start
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.config import DecodingConfig, ModelConfig, OptimConfig, TrainingConfig, check_budget
from translate.errors import UserError
from translate.evaluation.report import read_report
from translate.tokenizer import BOS
from translate.training.run import train


def config_of(run: Path, corpus_folder: Path, **model):
    config = tiny_config(run, corpus_folder, steps=1)
    config.model = ModelConfig(family="markov", max_tokens=64, **model)
    config.optim, config.training, config.decoding = OptimConfig(), TrainingConfig(steps=1), DecodingConfig()
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory, corpus_folder) -> Path:
    folder = tmp_path_factory.mktemp("markov") / "run"
    train(config_of(folder, corpus_folder))
    return folder


def test_the_report_has_perplexity_and_the_size_of_the_table(run, corpus_folder):
    """Perplexity of the test set, computed here from the bundle alone, one token at a time."""
    report, bundle = read_report(run), load_bundle(run)
    lines = (corpus_folder / "dev.en").read_text(encoding="utf-8").splitlines()
    nats, count = 0.0, 0
    for ids in bundle.tokenizer.encode_target([line for line in lines if line.strip()]):
        state = bundle.model.start(bundle.model.encode(torch.zeros((1, 0), dtype=torch.int64)))
        for last, token in zip([BOS, *ids], ids):
            logits, state = bundle.model.step(torch.tensor([last]), state)
            nats, count = nats - float(logits[0, token]), count + 1
    assert report["test"]["dev"]["scores"]["perplexity"]["value"] == pytest.approx(math.exp(nats / count), rel=1e-4)
    seen = {tuple(gram) for ids in training_ids(bundle, corpus_folder) for gram in zip([BOS, *ids], ids)}
    size = bundle.tokenizer.target_size
    assert report["ngrams"][1] == {"order": 2, "seen": len(seen), "possible": size**2}
    assert [entry["order"] for entry in report["ngrams"]] == [1, 2, 3]


def training_ids(bundle, corpus_folder):
    lines = dict.fromkeys((corpus_folder / "train.en").read_text(encoding="utf-8").splitlines())
    return [ids for ids in bundle.tokenizer.encode_target(list(lines)) if 1 < len(ids) <= 64]


@pytest.mark.parametrize(
    "place",
    ["training.counting.target_tokens", "training.validation.Validation.validate", "training.run.Run.finish"],
    ids=["before counting", "after it", "at the end"],
)
def test_killed_and_started_again_gives_the_same_bytes(place, run, tmp_path, corpus_folder):
    """By SIGKILL: no handler runs, and what is on disk is all that is left."""
    config = config_of(tmp_path / "run", corpus_folder)
    killed = f"patch('translate.{place}', lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)).start()"
    process = start(config, tmp_path, f"import os, signal; from unittest.mock import patch; {killed}")
    assert process.wait(100) == -signal.SIGKILL, process.stderr.read().decode()
    assert not (tmp_path / "run" / "report.json").exists()
    train(config)
    assert digest(tmp_path / "run" / "model.safetensors") == digest(run / "model.safetensors")
    assert train(config)["finished_before"]


def test_evaluate_says_what_training_said(run, capsys):
    before = read_report(run)["test"]["dev"]["scores"]
    assert main(["evaluate", "-m", str(run), "--device", "cpu"]) == 0
    assert read_report(run)["test"]["dev"]["scores"]["perplexity"]["value"] == before["perplexity"]["value"]
    assert f"{before['perplexity']['value']:.2f}" in capsys.readouterr().out


def test_there_is_no_mean_of_tables(run, tmp_path, capsys):
    assert main(["average", str(run), "-o", str(tmp_path / "mean")]) == 2
    one_line(capsys, "model.family=markov, which counts its data once")
    assert not (tmp_path / "mean").exists()


def test_it_does_not_translate(run, tmp_path, capsys):
    (tmp_path / "input").write_text("Guten Morgen.\n")
    assert main(["file", "-m", str(run), str(tmp_path / "input"), "--device", "cpu"]) == 2
    one_line(capsys, "translate generate")


@pytest.mark.parametrize(
    "key, value",
    [
        ("training.steps", 20), ("training.minutes", 1.0), ("model.width", 128), ("tokenizer.sampling", 0.1), ("training.accumulate", 2),
        ("training.patience", 3), ("training.ema", 0.9), ("training.compile", True), ("optim.rate", 0.5), ("optim.schedule", "cosine"),
        ("optim.r_drop", 1.0), ("init.from", "runs/x"),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_refused(key, value, tmp_path, corpus_folder):
    config, (section, name) = config_of(tmp_path, corpus_folder), key.split(".")
    setattr(getattr(config, section), {"from": "from_"}.get(name, name), value)
    with pytest.raises(UserError, match=f"{key} .*(training=once|leave it out)"):
        check_budget(config)


def test_every_setting_of_the_optimizer_is_refused(tmp_path, corpus_folder):
    """Also one that is added tomorrow."""
    for field in dataclasses.fields(OptimConfig):
        config = config_of(tmp_path, corpus_folder)
        setattr(config.optim, field.name, {"schedule": "cosine", "warmup": 7}.get(field.name, 0.05))
        with pytest.raises(UserError, match=rf"optim.{field.name} \(.*has no effect with model.family=markov: leave it out"):
            check_budget(config)


def spoil(weights: dict, name: str) -> None:
    """One fault of a table."""
    keys = weights["keys_3"]
    faults = {
        "descending": {"keys_3": keys.flip(0)},
        "twice": {"keys_3": keys[:1].expand(len(keys))},
        "negative": {"keys_3": keys - keys[-1]},
        "beyond the nodes": {"keys_3": torch.cat([keys[:-1], keys.new_tensor([2**62])])},
        "floats as keys": {"keys_3": keys.double()},
        "a matrix": {"keys_3": keys[:, None]},
        "too short": {"discounted_3": weights["discounted_3"][:-1]},
        "no histories": {"backoff_3": weights["backoff_3"][:0]},
        "fewer nodes": {"keys_2": weights["keys_2"][:-1], "discounted_2": weights["discounted_2"][:-1]},
        "not a number": {"backoff_2": weights["backoff_2"] * math.nan},
        "more than 1": {"unigram": weights["unigram"] + 1},
        "another order": {"keys_4": keys.clone()},
        "another vocabulary": {"unigram": weights["unigram"][:-1]},
    }
    weights.update({table: values.contiguous() for table, values in faults[name].items()})


@pytest.mark.parametrize(
    "fault",
    [
        "descending", "twice", "negative", "beyond the nodes", "floats as keys", "a matrix", "too short", "no histories", "fewer nodes",
        "not a number", "more than 1", "another order", "another vocabulary",
    ],
)  # fmt: skip
def test_hostile_tables_are_refused(fault, run, tmp_path):
    """In format 1, whose weights have no seal: what an attacker can write."""
    for name in ("config.yaml", "spm.model"):
        (tmp_path / name).write_bytes((run / name).read_bytes().replace(b"format: 3", b"format: 1"))
    weights = load_file(run / "model.safetensors")
    save_file(weights, tmp_path / "model.safetensors")
    load_bundle(tmp_path)
    spoil(weights, fault)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="does not fit the model in the configuration"):
        load_bundle(tmp_path)


def test_a_table_of_another_order_is_refused_by_the_seal(run, tmp_path):
    for name in ("config.yaml", "spm.model", "model.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes().replace(b"\n  order: 3", b"\n  order: 2"))
    with pytest.raises(UserError, match="model.order"):
        load_bundle(tmp_path)
