"""A run that starts from another measures its weights before and after: what is said and kept, and that it changes nothing else."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tests.conftest import digest, tiny_config
from tests.stopped_run import Killed, killed
from tests.test_checkpoints import start, wait_for_step
from translate.api import evaluate
from translate.bundle.bundle import load_bundle
from translate.cli.train import show_results
from translate.config import CorpusConfig, DecodingConfig
from translate.training import before as module
from translate.training.run import train
from translate.training.update import Updater


def adapted(run, folder, other, **training):
    config = tiny_config(run, folder, **{"steps": 6, "validate_every": 3, "average": 1, **training})
    config.init.from_ = str(other)
    return config


@pytest.fixture(scope="module")
def finished(whole, tmp_path_factory, corpus_folder):
    """A run that starts from another, and its report."""
    run = tmp_path_factory.mktemp("before") / "run"
    return run, train(adapted(run, corpus_folder, whole))


def test_the_scores_before_are_those_of_the_other_run(finished, whole, corpus_folder):
    changes = finished[1]["before_and_after"]
    assert list(changes) == ["development set", "dev"]
    search = load_bundle(whole).config.decoding
    assert changes["dev"]["decoding"] == {"beam": search.beam, "length_penalty": search.length_penalty}
    files = [str(corpus_folder / f"dev.{language}") for language in ("de", "en")]
    theirs = evaluate(whole, test=files, precision="fp32")["dev.de"]["scores"]
    assert changes["dev"]["before"] == {name: theirs[name]["value"] for name in ("BLEU", "chrF2++")}
    report = json.loads((whole / "report.json").read_text())
    assert changes["development set"]["before"]["BLEU"] == round(report["dev_bleu"], 2)


def test_the_scores_after_are_from_the_same_search(finished, corpus_folder):
    run, report = finished
    change = report["before_and_after"]["dev"]
    files = [str(corpus_folder / f"dev.{language}") for language in ("de", "en")]
    ours = evaluate(run, test=files, precision="fp32", **change["decoding"])["dev.de"]["scores"]
    assert change["after"] == {name: ours[name]["value"] for name in ("BLEU", "chrF2++")}
    assert report["before_and_after"]["development set"]["after"]["loss"] == report["dev_loss"]


def test_all_of_it_is_said(finished, whole, tmp_path, corpus_folder, capsys):
    run, report = finished
    said = (run / "train.log").read_text()
    assert re.search(r"before training: BLEU [\d.]+, chrF\+\+ [\d.]+, loss [\d.]+ on the development set \(20 sentences of dev\)", said)
    assert re.search(r"before training: BLEU [\d.]+, chrF2\+\+ [\d.]+ on test set dev \(20 sentences\)", said)
    show_results(adapted(run, corpus_folder, whole), report)
    change, out = report["before_and_after"]["dev"], capsys.readouterr().out
    figures = " -> ".join(f"{change[when]['BLEU']:.2f}" for when in ("before", "after"))
    assert re.search(rf"^dev +beam 2, length penalty [\d.]+ +{re.escape(figures)} ", out, re.MULTILINE)
    assert f" | {figures} | " in (run / "README.md").read_text()


def test_measuring_changes_no_weight(finished, whole, tmp_path, corpus_folder, monkeypatch):
    monkeypatch.setattr(module, "is_measured", lambda config: False)
    report = train(adapted(tmp_path / "run", corpus_folder, whole))
    assert "before_and_after" not in report and not (tmp_path / "run" / "before.json").exists()
    for name in ("model.safetensors", "checkpoints/step-00000006.safetensors"):
        assert digest(tmp_path / "run" / name) == digest(finished[0] / name), name


def test_a_killed_run_measures_once_and_reports_the_same(finished, whole, tmp_path, corpus_folder, monkeypatch):
    """Killed while it measures, then in its first steps: the figures are those of the first weights."""
    config = adapted(tmp_path / "run", corpus_folder, whole)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_sets", killed)
        with pytest.raises(Killed):
            train(config)
    calls, plain = [], Updater.update
    with monkeypatch.context() as patch:
        patch.setattr(Updater, "update", lambda *arguments: killed() if len(calls) == 4 else (calls.append(1), plain(*arguments))[1])
        with pytest.raises(Killed):
            train(config)
    said = (tmp_path / "run" / "train.log").read_text()
    assert train(config)["before_and_after"] == finished[1]["before_and_after"]
    assert said.count("on test set dev") == (tmp_path / "run" / "train.log").read_text().count("on test set dev") == 1


def test_its_time_is_not_that_of_training(whole, tmp_path, corpus_folder, monkeypatch):
    plain = module.measure_before
    monkeypatch.setattr("translate.training.run.measure_before", lambda validation: plain(validation) + 1000)
    assert train(adapted(tmp_path / "run", corpus_folder, whole, steps=1, validate_every=1))["seconds"] < 0


@pytest.mark.parametrize("content", ["", "[]", '{"test": {"dev": {"scores": {"BLEU": "x"}}}}', '{"other": 1}', "[" * 100_000])
def test_a_damaged_file_costs_its_scores_only(finished, corpus_folder, whole, content):
    run = finished[0]
    text = (run / "before.json").read_text()
    try:
        (run / "before.json").write_text(content)
        (run / "report.json").unlink()
        assert "before_and_after" not in train(adapted(run, corpus_folder, whole))
        assert "before.json is damaged" in (run / "train.log").read_text()
    finally:
        (run / "before.json").write_text(text)


def test_a_set_that_has_changed_since_is_left_out(finished, corpus_folder, whole):
    run = finished[0]
    (run / "report.json").unlink()
    config = adapted(run, corpus_folder, whole)
    config.data.test["dev"].lines = "1-10"
    config.data.test["more"] = CorpusConfig(kind="text", source=str(corpus_folder / "dev.de"), target=str(corpus_folder / "dev.en"))
    report = train(config)
    assert list(report["before_and_after"]) == ["development set"] and list(report["test"]) == ["dev", "more"]


def test_a_new_tokenizer_has_no_before(whole, tmp_path, corpus_folder):
    config = adapted(tmp_path / "run", corpus_folder, whole, steps=1, validate_every=1)
    config.init.tokenizer, config.tokenizer.vocabulary = "new", 420
    assert "before_and_after" not in train(config)


def test_a_language_model_has_losses_and_perplexities(tmp_path, corpus_folder):
    def of(name):
        config = tiny_config(tmp_path / name, corpus_folder, steps=4, validate_every=4, average=1)
        config.model.family, config.model.encoder_layers, config.decoding = "language_model", 0, DecodingConfig()
        return config

    first = train(of("first"))
    second = of("second")
    second.init.from_ = str(tmp_path / "first")
    changes = train(second)["before_and_after"]
    assert changes["dev"]["before"]["perplexity"] == first["test"]["dev"]["scores"]["perplexity"]["value"]
    assert changes["development set"]["before"]["loss"] == pytest.approx(first["dev_loss"])
    assert changes["dev"]["decoding"] is None


@pytest.mark.slow
def test_kill_9_with_all_of_it_ends_with_the_same_weights_and_figures(whole, tmp_path, corpus_folder):
    """init.from, frozen parts and an average; the other run is gone when it resumes."""
    configs = []
    for name in ("once", "killed"):
        other = shutil.copytree(whole, tmp_path / f"other-{name}")
        config = adapted(tmp_path / name, corpus_folder, other, steps=90, log_every=1, validate_every=30, ema=0.9, average=2)
        config.init.freeze = ["encoder"]
        configs.append(config)
    expected = train(configs[0])
    process = start(configs[1], tmp_path, "import translate.training.checkpoints as c; c.SAVE_EVERY, c.SAVE_SHARE = 0.05, 1e9\n")
    wait_for_step(tmp_path / "killed", 40, process)
    process.kill()
    process.wait(60)
    shutil.rmtree(tmp_path / "other-killed")
    assert train(configs[1])["before_and_after"] == expected["before_and_after"]
    for name in ("model.safetensors", "checkpoints/step-00000090.safetensors"):
        assert digest(tmp_path / "killed" / name) == digest(tmp_path / "once" / name), name
