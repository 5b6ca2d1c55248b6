"""What may differ between two starts of a run, and what must not: damaged saves, other settings, moved or changed data, another budget."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import digest, metrics, tiny_config
from tests.stopped_run import SETTINGS, Killed, copy_of, killed, said
from tests.test_recovery import spoiled
from translate.bundle.bundle import load_bundle
from translate.bundle.weights import read_weights
from translate.cli.main import main
from translate.config import CorpusConfig
from translate.training import checkpoints
from translate.training.run import train


def weights_equal(first: Path, second: Path) -> bool:
    one, other = (read_weights(run / "model.safetensors") for run in (first, second))
    return all(torch.equal(one[name], other[name]) for name in one)


def test_an_explosion_before_the_first_validation_goes_back_to_fresh_moments(tmp_path, corpus_folder, monkeypatch):
    """From there on the run is the one that began at half the rate."""
    configs = [tiny_config(tmp_path / name, corpus_folder, steps=30, log_every=5, validate_every=30, average=1) for name in ("fresh", "exploded")]
    for config in configs:
        config.optim.schedule = "inverse_sqrt"
    configs[0].optim.rate /= 2
    train(configs[0])
    load, moments = checkpoints.Checkpoints.load, []

    def loading(self, model, optimizer, *rest, **options):
        progress = load(self, model, optimizer, *rest, **options)
        moments.append(len(optimizer.state))
        return progress

    monkeypatch.setattr(checkpoints.Checkpoints, "load", loading)
    spoiled(monkeypatch, 1, at=12)
    train(configs[1])
    assert "going back to step 0, with 0.5 of the recipe's rate" in said(tmp_path / "exploded") and moments == [0, 0]
    losses = [[line["loss"] for line in metrics(tmp_path / name) if "loss" in line] for name in ("fresh", "exploded")]
    assert losses[0] == losses[1]
    assert weights_equal(tmp_path / "fresh", tmp_path / "exploded")


def test_samples_and_metrics_of_steps_that_are_undone_are_dropped(stopped, tmp_path, corpus_folder):
    run = copy_of(stopped, tmp_path)
    (run / "checkpoints" / "resume.safetensors").unlink()  # back to step 40
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"damaged\n{"step": 50, "lo')
    train(tiny_config(run, corpus_folder, **SETTINGS))
    heads = [line for line in (run / "samples.txt").read_text().splitlines() if line.startswith("# step")]
    assert heads == ["# step 20", "# step 40", "# step 60"]
    assert [line["step"] for line in metrics(run) if "bleu" in line] == [20, 40, 60]


def moved(run: Path, corpus_folder: Path, folder: Path, **settings):
    """The same corpus elsewhere and in another spelling, and all else that touches no weight."""
    shutil.copytree(corpus_folder, folder, ignore=shutil.ignore_patterns("cache"))
    config = tiny_config(run, folder, **{**SETTINGS, **settings})
    config.data.train[0].source = str(folder / "." / "train.de").replace("train.de", "./train.de")
    config.data.test = {"other": CorpusConfig(source=str(folder / "dev.de"), target=str(folder / "dev.en"))}
    config.data.cache = str(corpus_folder / "cache")
    config.decoding.beam, config.decoding.length_penalty = 3, 0.6
    return config


def test_what_touches_no_weight_may_differ(stopped, whole, tmp_path, corpus_folder):
    run = copy_of(stopped, tmp_path)
    (run / "checkpoints" / "resume.safetensors").unlink()  # twenty steps are left
    config = moved(run, corpus_folder, tmp_path / "elsewhere", keep=4, patience=50, log_every=4, validate_every=30)
    assert train(config)
    assert torch.equal(
        *(read_weights(each / "checkpoints" / "step-00000060.safetensors")["encoder.0.feedforward.inner.bias"] for each in (run, whole))
    )
    made = yaml.safe_load((run / "config.yaml").read_text())
    assert made["training"]["log_every"] == 4 and made["decoding"]["beam"] == 3 and list(made["data"]["test"]) == ["other"]
    report = json.loads((run / "report.json").read_text())
    assert list(report["test"]) == ["other"] and report["test"]["other"]["decoding"] == {"beam": 3, "length_penalty": 0.6}
    assert load_bundle(run).config.decoding.beam == 3


def test_of_a_finished_run_too_and_the_bundle_stays_whole(whole, tmp_path, corpus_folder, capsys):
    run = copy_of(whole, tmp_path)
    before = read_weights(run / "model.safetensors")
    assert train(moved(run, corpus_folder, tmp_path / "elsewhere"))
    errors = capsys.readouterr().err
    assert "is finished" in errors and "training.steps" in errors and "resumed" not in said(run)[len(said(whole)) :]
    loaded = load_bundle(run)
    assert loaded.config.decoding.beam == 3 and "elsewhere" in loaded.config.data.test["other"].source
    assert all(torch.equal(tensor, before[name]) for name, tensor in read_weights(run / "model.safetensors").items())
    source = tmp_path / "source.de"
    source.write_text("Guten Tag.\n")
    assert main(["file", "-m", str(run), str(source), "-o", str(tmp_path / "out.en"), "--device", "cpu"]) == 0


def test_settings_half_written_are_mended_by_the_next_start(whole, tmp_path, corpus_folder):
    """Killed between config.yaml and the manifest."""
    run = copy_of(whole, tmp_path)
    config = tiny_config(run, corpus_folder, **SETTINGS)
    config.decoding.beam = 3
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("decoding:\n  beam: 2", "decoding:\n  beam: 3"))
    with pytest.raises(ValueError, match=r"decoding\.beam"):
        load_bundle(run)
    assert train(config)
    assert load_bundle(run).config.decoding.beam == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: setattr(config.training, "seed", 2), r"training\.seed is 2 now and was 1; to continue that run, set it back"),
        (lambda config: setattr(config.data.train[0], "weight", 2.0), r"data\.train\.0\.weight is 2\.0 now and was 1\.0"),
        (lambda config: setattr(config.data.filters, "max_ratio", 2.0), r"data\.filters\.max_ratio is 2\.0"),
        (lambda config: setattr(config.data.train[0], "target", config.data.train[0].source), "training data changed"),
        (lambda config: setattr(config.tokenizer, "path", config.data.train[0].source), "tokenizer.path is "),
    ],
)
def test_what_decided_the_weights_may_not_differ(change, message, whole, stopped, corpus_folder, tmp_path):
    for number, run in enumerate((whole, stopped)):
        (tmp_path / str(number)).mkdir()
        run = copy_of(run, tmp_path / str(number))
        before = {path: digest(path) for path in run.rglob("*") if path.is_file()}
        config = tiny_config(run, corpus_folder, **SETTINGS)
        change(config)
        with pytest.raises(ValueError, match=message + ".*run=FOLDER.*resume=false"):
            train(config)
        assert before == {path: digest(path) for path in run.rglob("*") if path.is_file()}


def test_the_run_s_own_tokenizer_may_be_named(whole, tmp_path, corpus_folder, capsys):
    run = copy_of(whole, tmp_path)
    config = tiny_config(run, corpus_folder, **SETTINGS)
    config.tokenizer.path = str(whole / "spm.model")
    assert train(config)
    assert "is finished" in capsys.readouterr().err


def test_a_report_of_evaluate_alone_finishes_no_run(stopped, whole, tmp_path, corpus_folder):
    run = copy_of(stopped, tmp_path)
    (run / "report.json").write_text('{"test": {"old": {"scores": {}}}}')
    train(tiny_config(run, corpus_folder, **SETTINGS))
    report = json.loads((run / "report.json").read_text())
    assert report["steps"] == 60 and list(report["test"]) == ["dev"]


@pytest.mark.parametrize("where", ["translate.training.inputs.prepare", "translate.training.update.Updater.update"])
def test_a_run_without_a_step_gives_way_to_the_corrected_command(where, tmp_path, corpus_folder, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(where, killed)
        with pytest.raises(Killed):
            train(tiny_config(run, corpus_folder, steps=10, validate_every=10))
    assert (run / "config.yaml").exists()
    config = tiny_config(run, corpus_folder, steps=10, validate_every=10)
    config.tokenizer.vocabulary, config.model.width = 400, 48
    assert train(config)
    assert len(load_bundle(run).tokenizer.target_pieces()) == 400


def test_a_tokenizer_of_data_that_were_corrected_since_is_made_anew(tmp_path, corpus_folder, monkeypatch):
    folder = tmp_path / "data"
    shutil.copytree(corpus_folder, folder)
    config = tiny_config(tmp_path / "run", folder, steps=5, validate_every=5)
    with monkeypatch.context() as patch:
        patch.setattr("translate.training.inputs.prepare", killed)
        with pytest.raises(Killed):
            train(config)
    old = digest(tmp_path / "run" / "spm.model")
    (folder / "train.de").write_text((folder / "train.de").read_text().replace("e", "é"))
    train(config)
    assert digest(tmp_path / "run" / "spm.model") != old


@pytest.mark.parametrize("which", ["swapped", "missing", "empty"])
def test_errors_of_the_quick_check_stop_the_start(which, tmp_path, corpus_folder):
    config = tiny_config(tmp_path / "run", corpus_folder)
    if which == "swapped":
        corpus = config.data.validation[0]
        corpus.source, corpus.target = corpus.target, corpus.source
    else:
        config.data.test["dev"].target = str(tmp_path / "other.en")
        if which == "empty":
            (tmp_path / "other.en").touch()
    messages = {"swapped": "validation 1: the source side looks like en", "missing": "other.en", "empty": "other.en"}
    with pytest.raises(ValueError, match=messages[which]):
        train(config)
    assert {path.name for path in (tmp_path / "run").iterdir()} <= {"train.log", "metrics.jsonl"}
    assert train(tiny_config(tmp_path / "run", corpus_folder, steps=2, validate_every=2))


def test_another_development_set_measures_the_best_again(stopped, tmp_path, corpus_folder):
    folder = tmp_path / "data"
    shutil.copytree(corpus_folder, folder)
    run = copy_of(stopped, tmp_path)
    for language in ("de", "en"):
        lines = (folder / f"dev.{language}").read_text().splitlines(keepends=True)
        (folder / f"dev.{language}").write_text("".join(lines[:10]))
    validations = [line for line in metrics(run) if "bleu" in line]
    best = next(line for line in validations if line["step"] == validations[-1]["best_step"])
    train(tiny_config(run, folder, **SETTINGS))
    told = next(line for line in said(run).splitlines() if "has changed since the last start" in line)
    assert f"of step {best['step']}, has BLEU" in told and f"before: BLEU {best['bleu']:.2f}" in told
    # independently: the weights of that step on those ten sentences
    shutil.copytree(run, tmp_path / "best")
    bundle = load_bundle(run)
    from translate.bundle.bundle import write_model
    from translate.bundle.weights import load_weights
    from translate.evaluation.scoring import corpus_bleu
    from translate.translation.translator import Translator

    load_weights(bundle.model, read_weights(run / "checkpoints" / f"step-{best['step']:08d}.safetensors"), "best")
    bundle.folder = tmp_path / "best"
    write_model(bundle, bundle.data)
    outputs = Translator.load(tmp_path / "best", "cpu", "fp32").translate((folder / "dev.de").read_text().splitlines(), beam=1)
    bleu = corpus_bleu(outputs, (folder / "dev.en").read_text().splitlines())[0]
    assert f"has BLEU {bleu:.2f}, chrF++" in told


def test_a_copied_bundle_is_not_trained_over(whole, tmp_path, corpus_folder):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.yaml", "spm.model", "model.safetensors"):
        shutil.copy(whole / name, run / name)
    with pytest.raises(ValueError, match="holds a model without checkpoints, so its training can't be continued"):
        train(tiny_config(run, corpus_folder, **SETTINGS))
    assert digest(run / "model.safetensors") == digest(whole / "model.safetensors")


def test_settings_that_cannot_be_used_are_not_written_down(whole, stopped, tmp_path, corpus_folder):
    for number, run in enumerate((whole, stopped)):
        (tmp_path / str(number)).mkdir()
        run = copy_of(run, tmp_path / str(number))
        before = digest(run / "config.yaml")
        config = tiny_config(run, corpus_folder, **SETTINGS)
        config.data.test["dev"].source = str(tmp_path / "missing.de")
        with pytest.raises(ValueError, match="missing.de: cannot be read"):
            train(config)
        assert digest(run / "config.yaml") == before
