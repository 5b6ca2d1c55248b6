"""The choice at the end of a run: the length penalty by search, a choice that is killed, a run of an earlier version."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import yaml

from tests.conftest import ROOT, digest, tiny_config
from tests.test_validation import log_of, report_of
from translate.bundle.bundle import load_bundle
from translate.bundle.weights import read_metadata, read_weights, write_weights
from translate.cli.train import compose
from translate.config import check, from_dict, line_range
from translate.training import selection
from translate.training.run import train
from translate.translation.translator import Translator


def of_few(few, run):
    config = tiny_config(run, few, steps=180, validate_every=90, batch_tokens=150)
    config.tokenizer.vocabulary, config.optim.rate, config.model.dropout = 400, 0.01, 0.0
    return config


@pytest.fixture(scope="module")
def learnt(few, tmp_path_factory):
    run = tmp_path_factory.mktemp("learnt") / "run"
    assert train(of_few(few, run))
    return run


def test_a_model_that_learnt_is_not_called_so(learnt):
    assert report_of(learnt)["learnt"] is True and "LEARNT NOTHING" not in log_of(learnt)


def copied(learnt, run):
    """A run that has learnt and not yet chosen."""
    shutil.copytree(learnt, run)
    (run / "report.json").unlink()
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(
        config.replace(f"length_penalty: {yaml.safe_load(config)['decoding']['length_penalty']}", "length_penalty: null")
    )
    return run


def test_the_length_penalty_that_is_written_is_the_best_of_the_search(learnt, few):
    sacrebleu = pytest.importorskip("sacrebleu")
    report = report_of(learnt)["length_penalty"]
    assert set(report["BLEU"]) == {"0.5", "0.75", "1.0", "1.25", "1.5"} and report["sentences"] == 24 and report["beam"] == 2
    sources, references = ((few / f"dev.{language}").read_text().splitlines() for language in ("de", "en"))
    translator = Translator.load(learnt, "cpu", "fp32")
    for alpha, bleu in report["BLEU"].items():
        outputs = translator.translate(sources, length_penalty=float(alpha))
        assert sacrebleu.corpus_bleu(outputs, [references]).score == pytest.approx(bleu, abs=0.01)
    assert report["BLEU"][str(report["chosen"])] == max(report["BLEU"].values())
    assert yaml.safe_load((learnt / "config.yaml").read_text())["decoding"]["length_penalty"] == report["chosen"]
    assert load_bundle(learnt).config.decoding.length_penalty == report["chosen"] == translator.decoding.length_penalty
    assert f"length penalty {report['chosen']:g}: on 24 sentences of dev, beam 2, BLEU is " in log_of(learnt)


def test_a_length_penalty_that_was_given_is_kept(tmp_path, few, monkeypatch):
    monkeypatch.setattr(selection, "_best_alpha", lambda validation: 1 / 0)
    config = of_few(few, tmp_path / "run")
    config.training.steps, config.decoding.length_penalty = 2, 0.6
    assert train(config)
    assert "length_penalty" not in report_of(tmp_path / "run")
    assert load_bundle(tmp_path / "run").config.decoding.length_penalty == 0.6


@pytest.mark.parametrize("at", ["_best_alpha", "write_config", "write_model"])
def test_killed_while_it_chooses_it_chooses_the_same(at, learnt, tmp_path, few, monkeypatch):
    """Before the search, between config.yaml and the weights, and in the writing of these: the run is loadable and goes on."""
    run = copied(learnt, tmp_path / "run")
    config = of_few(few, run)
    with monkeypatch.context() as patch:
        calls, plain = [], getattr(selection, at)

        def killed(*arguments):
            calls.append(arguments)
            if at == "write_model" and len(calls) == 1:  # that of the chosen weights
                return plain(*arguments)
            raise KeyboardInterrupt

        patch.setattr(selection, at, killed)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    assert not (run / "report.json").exists()
    assert Translator.load(run, "cpu").translate(["Guten Morgen."])
    assert train(config)
    for name in ("model.safetensors", "config.yaml"):
        assert digest(run / name) == digest(learnt / name), name
    assert report_of(run)["length_penalty"] == report_of(learnt)["length_penalty"]
    assert train(config)  # finished: the length penalty that it chose is not another configuration


def test_a_length_penalty_that_is_given_to_a_finished_run_is_written_down(learnt, few, tmp_path):
    run = shutil.copytree(learnt, tmp_path / "run")
    config = of_few(few, run)
    config.decoding.length_penalty = 0.1
    assert train(config)
    assert load_bundle(run).config.decoding.length_penalty == 0.1
    assert report_of(run) == report_of(learnt)


def test_a_run_that_an_earlier_version_trained_is_finished(learnt, few, tmp_path):
    """Its saves know no chrF++ and no loss."""
    run = copied(learnt, tmp_path / "run")
    for save in (run / "checkpoints").glob("resume*.safetensors"):
        metadata = read_metadata(save)
        progress = json.loads(metadata["progress"])
        for key in ("best_chrf", "best_loss", "best_learnt", "validation_seconds", "development", "limits", "finished"):
            del progress[key]
        write_weights(save, read_weights(save), {"progress": json.dumps(progress)})
    assert train(of_few(few, run))
    assert "Infinity" not in (run / "report.json").read_text()
    for key in ("weights", "dev_bleu", "dev_chrf", "dev_loss"):
        assert report_of(run)[key] == report_of(learnt)[key]


def test_the_commands_and_the_settings_of_its_page_are_valid():
    page = (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8")
    commands = [line.split()[2:] for line in page.splitlines() if line.startswith("translate train")]
    assert len(commands) == 2
    for words in commands:
        assert compose(words)
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    data = check(from_dict(yaml.safe_load(example))).data
    assert line_range(data.validation[0].lines)[1] < line_range(data.test["test"].lines)[0]
