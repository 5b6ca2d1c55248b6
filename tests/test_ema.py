"""training.ema: an exponential moving average of the weights is what is validated, kept and saved."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import digest, tiny_config
from tests.stopped_run import Killed, killed
from translate.bundle.bundle import load_bundle
from translate.training.run import train
from translate.training.update import Updater

DECAY = 0.8


def config_of(run, corpus_folder, **settings):
    return tiny_config(run, corpus_folder, **{"steps": 24, "validate_every": 8, "average": 1, "keep": 3, "ema": DECAY, **settings})


@pytest.fixture(scope="module")
def averaged(tmp_path_factory, corpus_folder):
    """A run, and its weights after each step."""
    run, weights, plain = tmp_path_factory.mktemp("ema") / "run", [], Updater.update

    def update(self, *arguments):
        if not weights:
            weights.append({name: parameter.detach().clone() for name, parameter in self.model.named_parameters()})
        result = plain(self, *arguments)
        weights.append({name: parameter.detach().clone() for name, parameter in self.model.named_parameters()})
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Updater, "update", update)
        train(config_of(run, corpus_folder))
    return run, weights


def expected(weights, step, name):
    average = weights[1][name].double()
    for t in range(1, step + 1):
        decay = min(DECAY, (1 + t) / (10 + t))
        average = decay * average + (1 - decay) * weights[t][name].double()
    return average


@pytest.mark.parametrize("step", [8, 24])
def test_the_kept_weights_are_the_average(averaged, step):
    run, weights = averaged
    kept = load_file(run / "checkpoints" / f"step-{step:08d}.safetensors")
    for name, tensor in kept.items():
        torch.testing.assert_close(tensor.double(), expected(weights, step, name), atol=1e-5, rtol=1e-5)
        assert not torch.equal(tensor, weights[step][name]), name


def test_training_goes_on_from_the_weights_themselves(averaged):
    run, weights = averaged
    saved = load_file(run / "checkpoints" / "resume.safetensors")
    for name, tensor in weights[24].items():
        torch.testing.assert_close(saved[f"weights.{name}"], tensor, atol=0, rtol=0)


def test_the_model_is_an_average(averaged):
    run, weights = averaged
    name, parameter = next(iter(load_bundle(run).model.named_parameters()))
    steps = [step for step in (8, 16, 24) if torch.allclose(parameter.double(), expected(weights, step, name), atol=1e-5)]
    assert len(steps) == 1


def test_without_it_no_average_is_saved(tmp_path, corpus_folder):
    train(config_of(tmp_path / "run", corpus_folder, ema=0.0, steps=8))
    assert not [name for name in load_file(tmp_path / "run" / "checkpoints" / "resume.safetensors") if "ema" in name]


def test_a_killed_run_resumes_to_the_same_average(averaged, tmp_path, corpus_folder, monkeypatch):
    config, calls, plain = config_of(tmp_path / "run", corpus_folder), [], Updater.update

    def update(*arguments):
        calls.append(1)
        return killed() if len(calls) == 19 else plain(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Updater, "update", update)
        with pytest.raises(Killed):
            train(config)
    assert train(config)
    for path in ("model.safetensors", "checkpoints/step-00000024.safetensors"):
        assert digest(tmp_path / "run" / path) == digest(averaged[0] / path), path


def test_another_decay_is_another_run(averaged, corpus_folder):
    with pytest.raises(ValueError, match=r"training.ema is 0.5 now and was 0.8"):
        train(config_of(averaged[0], corpus_folder, ema=0.5))
