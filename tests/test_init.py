"""`init.encoder`: a translation model starts with the encoder of a masked language model, and is then a run of its own."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from tests.conftest import copy_of_shared, digest, tiny_config
from tests.test_checkpoints import start, wait_for_step
from translate.bundle.weights import read_weights
from translate.config import Config, DecodingConfig, InitConfig, ModelConfig, check, from_dict
from translate.errors import UserError
from translate.training.run import train

ENCODER = ("encoder.", "encoder_norm.")


def masked_config(run: Path, folder: Path, **training) -> Config:
    config = tiny_config(run, folder, **training)
    config.model.family, config.model.decoder_layers = "masked_lm", 0
    config.decoding = DecodingConfig()
    config.data.validation, config.data.test = [], {}
    return config


@pytest.fixture(scope="module")
def masked(tmp_path_factory, corpus_folder) -> Path:
    return copy_of_shared(tmp_path_factory, "masked_start", lambda run: train(masked_config(run, corpus_folder, steps=20)))


def started(run: Path, folder: Path, masked: Path, **training) -> Config:
    config = tiny_config(run, folder, **training)
    config.init.encoder, config.tokenizer.path = str(masked), str(masked)
    return config


def first_save(run: Path) -> dict[str, torch.Tensor]:
    """The weights before the first step, of a run that ended before it validated."""
    return {name.removeprefix("weights."): tensor for name, tensor in read_weights(run / "checkpoints" / "resume.safetensors").items()}


@pytest.fixture
def no_steps(monkeypatch):
    """Training ends after the save of step 0."""

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("translate.training.run.Run.used", stop)


def begin(config: Config) -> dict[str, torch.Tensor]:
    with pytest.raises(KeyboardInterrupt):
        train(config)
    return first_save(Path(config.run))


def test_encoder_and_embedding_are_those_of_the_other_run_and_the_rest_is_drawn(masked, tmp_path, corpus_folder, no_steps, capsys):
    theirs = read_weights(masked / "model.safetensors")
    ours, plain = begin(started(tmp_path / "run", corpus_folder, masked)), tiny_config(tmp_path / "plain", corpus_folder)
    plain.tokenizer.path = str(masked)
    drawn = begin(plain)
    copied = {"target_embedding.weight", *(name for name in ours if name.startswith(ENCODER))}
    assert copied == {name for name in theirs if name != "segment_embedding"} and len(copied) == 15
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name] if name in copied else drawn[name]), name
    assert not torch.equal(ours["target_embedding.weight"], drawn["target_embedding.weight"])
    numbers = sum(theirs[name].numel() for name in copied)
    assert f"init.encoder: encoder and source embedding, {numbers:,} parameters, are those of {masked}" in capsys.readouterr().err


def test_with_a_tokenizer_for_each_language_the_source_embedding_alone_is_taken(masked, tmp_path, corpus_folder, no_steps):
    (tmp_path / "two").mkdir()
    for name in ("spm.model", "spm.target.model"):
        shutil.copy(masked / "spm.model", tmp_path / "two" / name)
    config = started(tmp_path / "run", corpus_folder, masked)
    config.tokenizer.path, config.tokenizer.joint = str(tmp_path / "two"), False
    ours, theirs = begin(config), read_weights(masked / "model.safetensors")
    assert torch.equal(ours["source_embedding.weight"], theirs["target_embedding.weight"])
    assert not torch.equal(ours["target_embedding.weight"], theirs["target_embedding.weight"])


def test_the_encoder_of_a_translation_model_will_do(bundle, tmp_path, corpus_folder, no_steps):
    ours, theirs = begin(started(tmp_path / "run", corpus_folder, bundle)), read_weights(bundle / "model.safetensors")
    assert {name for name in ours if torch.equal(ours[name], theirs[name])} >= {"target_embedding.weight", "encoder.0.feedforward.inner.weight"}
    assert not torch.equal(ours["decoder.0.feedforward.inner.weight"], theirs["decoder.0.feedforward.inner.weight"])


def test_the_other_run_is_read_once_and_a_killed_run_ends_with_the_weights_that_it_would_have_had(masked, tmp_path, corpus_folder):
    """It resumes after kill -9 with the other run gone."""
    copy, settings = shutil.copytree(masked, tmp_path / "copy"), {"steps": 60, "log_every": 1, "validate_every": 20}
    train(started(tmp_path / "whole", corpus_folder, copy, **settings))
    config = started(tmp_path / "parts", corpus_folder, copy, **settings)
    process = start(config, tmp_path, "import translate.training.checkpoints as c; c.SAVE_EVERY, c.SAVE_SHARE = 0.05, 1e9\n")
    wait_for_step(tmp_path / "parts", 25, process)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert not (tmp_path / "parts" / "report.json").exists()
    os.rename(copy / "model.safetensors", copy / "gone")
    train(config)
    assert digest(tmp_path / "parts" / "model.safetensors") == digest(tmp_path / "whole" / "model.safetensors")
    log = (tmp_path / "parts" / "train.log").read_text()
    assert log.count("init.encoder: ") == 1 and "resumed at step" in log


@pytest.mark.slow
def test_a_masked_language_model_that_is_killed_ends_with_the_weights_that_it_would_have_had(tmp_path, corpus_folder):
    settings = {"steps": 90, "log_every": 1, "validate_every": 30}
    configs = [masked_config(tmp_path / name, corpus_folder, **settings) for name in ("whole", "parts")]
    for config in configs:
        config.tokenizer.sampling = 0.1
    train(configs[0])
    process = start(configs[1], tmp_path, "import translate.training.checkpoints as c; c.SAVE_EVERY, c.SAVE_SHARE = 0.05, 1e9\n")
    wait_for_step(tmp_path / "parts", 40, process)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert not (tmp_path / "parts" / "report.json").exists()
    train(configs[1])
    assert digest(tmp_path / "parts" / "model.safetensors") == digest(tmp_path / "whole" / "model.safetensors")


def test_another_start_is_another_run(masked, tmp_path, corpus_folder):
    train(started(tmp_path / "run", corpus_folder, masked, steps=20))
    config = started(tmp_path / "run", corpus_folder, masked, steps=30)
    config.init.encoder = None
    with pytest.raises(UserError, match=f"holds a run with another configuration: init.encoder is None now and was '{masked}'"):
        train(config)


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("model.width", 48, "its encoder.0.attention.query_key_value.weight has shape (96, 32), this model's shape (144, 48)"),
        ("model.feedforward", 32, "its encoder.0.feedforward.inner.weight has shape (64, 32), this model's shape (32, 32)"),
        ("model.encoder_layers", 2, "its encoder.1.attention.query_key_value.weight has none, this model's shape (96, 32)"),
        ("model.heads", 4, "has model.heads=2, this run 4: set model.heads=2"),
        ("model.norm", "post", "has model.norm=pre, this run post: set model.norm=pre"),
        ("model.activation", "gelu", "has model.activation=relu, this run gelu"),
        ("tokenizer.path", None, "was trained with another tokenizer, so its ids mean other pieces: add tokenizer.path="),
        ("init.encoder", "nowhere", "init.encoder: nowhere does not exist: give the run folder"),
    ],
)
def test_what_does_not_fit_is_told_with_both(key, value, said, masked, tmp_path, corpus_folder):
    config = started(tmp_path / "run", corpus_folder, masked)
    config.tokenizer.vocabulary = 400  # of a tokenizer of its own
    section, name = key.split(".")
    setattr(getattr(config, section), name, value)
    with pytest.raises(UserError) as caught:
        train(config)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_check_finds_it_before_training(masked, tmp_path, corpus_folder):
    from translate.training.trial import check_all

    config = started(tmp_path / "run", corpus_folder, masked)
    config.model.heads = 4
    assert "has model.heads=2, this run 4" in next(finding.text for finding in check_all(config) if finding.severity == "error")


def test_a_family_without_an_encoder_has_none_to_start(tmp_path):
    config = Config(model=ModelConfig(family="language_model"), init=InitConfig(encoder="runs/x"))
    with pytest.raises(UserError, match=r"init.encoder \('runs/x'\) has no effect with model.family=language_model: leave it out"):
        check(config)


def test_the_path_begins_in_a_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert from_dict({"init": {"encoder": "~/run"}}).init.encoder == f"{tmp_path}/run"
