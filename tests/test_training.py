"""Training for real, at small size: what a run folder holds, exact resume, determinism, the budget, accumulation, the choice of weights."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import digest, metrics, tiny_config
from translate.bundle.bundle import load_bundle
from translate.bundle.weights import read_weights
from translate.compose.compose import load_recipe
from translate.training.model_card import model_card
from translate.training.run import train
from translate.translation.translator import Translator


def test_the_run_folder(bundle):
    names = {path.name for path in bundle.iterdir()}
    files = {"config.yaml", "spm.model", "model.safetensors", "report.json", "README.md", "metrics.jsonl", "samples.txt", "train.log"}
    assert names == files | {"checkpoints"}
    config = yaml.safe_load((bundle / "config.yaml").read_text())
    assert config["format"] == 3 and config["model"]["width"] == 32
    assert config["tokenizer_sha256"] == {"spm.model": digest(bundle / "spm.model")}
    assert str(bundle) not in (bundle / "config.yaml").read_text()
    report = json.loads((bundle / "report.json").read_text())
    assert report["steps"] == 40 and report["data"]["read"] == 1500 and "dev" in report["test"]
    assert report["data"]["kept"] + sum(report["data"]["left_out"].values()) == 1500
    assert "case:mixed|eff:no|tok:13a|smooth:exp|version:" in json.dumps(report["test"])
    assert (bundle / "samples.txt").read_text().count("# step") == 2
    assert (bundle / "samples.txt").read_text().count("reference") == 20
    assert [line["step"] for line in metrics(bundle) if "bleu" in line] == [20, 40]


def test_it_learns(bundle):
    losses = [line["loss"] for line in metrics(bundle) if "loss" in line]
    assert losses[-1] < losses[0] - 0.5


def test_the_log_s_bleu_is_that_of_the_finished_model(bundle):
    """The development BLEU in the report is what the saved weights score through the public way."""
    sacrebleu = pytest.importorskip("sacrebleu")
    report = json.loads((bundle / "report.json").read_text())
    config = yaml.safe_load((bundle / "config.yaml").read_text())["data"]["validation"][0]
    sources, references = (Path(config[side]).read_text().splitlines() for side in ("source", "target"))
    outputs = Translator.load(bundle, "cpu", "fp32").translate(sources, beam=1)
    assert sacrebleu.corpus_bleu(outputs, [references]).score == pytest.approx(report["dev_bleu"], abs=0.01)


def test_the_same_seed_gives_the_same_weights(bundle, tmp_path, corpus_folder):
    train(tiny_config(tmp_path / "again", corpus_folder))
    train(tiny_config(tmp_path / "other", corpus_folder, seed=2))
    assert digest(tmp_path / "again" / "model.safetensors") == digest(bundle / "model.safetensors")
    assert digest(tmp_path / "other" / "model.safetensors") != digest(bundle / "model.safetensors")


def test_without_a_development_set(tmp_path, corpus_folder):
    config = tiny_config(tmp_path / "run", corpus_folder, steps=25)
    config.data.validation, config.data.test = [], {}
    assert train(config)
    assert json.loads((tmp_path / "run" / "report.json").read_text())["weights"] == "of step 25"
    assert Translator.load(tmp_path / "run", "cpu").translate(["Guten Tag.", ""])[1] == ""


def test_a_missing_test_set_is_found_before_the_training(tmp_path, corpus_folder):
    config = tiny_config(tmp_path / "run", corpus_folder)
    config.data.test["dev"].source = str(tmp_path / "missing.de")
    with pytest.raises(ValueError, match=r"missing\.de"):
        train(config)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_the_model_card_says_what_was_trained_on_what_and_how_well(bundle):
    head, card = (bundle / "README.md").read_text(encoding="utf-8").removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(head) == {"language": ["de", "en"], "pipeline_tag": "translation", "library_name": "translate-nmt"}
    report = json.loads((bundle / "report.json").read_text())
    for text in (
        "- training: text train.de\n", "1,500 pairs were read", report["data"]["fingerprint"], f"of {report['parameters']:,} parameters",
        "- 40 steps of up to 400 target tokens", f"- weights {report['weights']}\n", f"torch {torch.__version__}", "translate file -m FOLDER",
        f"Development set dev, 20 of 20 lines, beam 1; it chose the weights:\n\n- BLEU {report['dev_bleu']:.2f}\n",
        *(f"`{score['signature']}`" for score in report["test"]["dev"]["scores"].values()), report["test"]["dev"]["samples"][0]["translation"],
    ):  # fmt: skip
        assert text in card, text
    assert str(bundle.parent) not in card and ("has learnt nothing" in card) == (not report["learnt"])


def test_the_model_card_names_the_data_sets_of_the_hub():
    report = {
        "parameters": 1, "steps": 1, "target_tokens": 1, "weights": "of step 1", "seconds": 60, "device": "cuda", "precision": "bf16", "threads": 1,
        "processes": 2, "versions": {}, "data": {"read": 3, "kept": 2, "left_out": {"blank": 1, "over_long": 0}, "fingerprint": "f"},
    }  # fmt: skip
    config = load_recipe("multi30k_de_en", "data.source_language=no")
    head, card = model_card("x", config, report).removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(head)["datasets"] == ["bentrevett/multi30k"] and yaml.safe_load(head)["language"][0] == "no"
    assert "3 pairs were read and 2 kept (left out: 1 blank)" in card and "Development set" not in card
    assert "1.0 minutes on cuda in bf16: 2 processes, 1 thread each" in card
    assert "datasets" not in model_card("x", load_recipe("multi30k_de_en", "data.folder=here"), report)


def test_the_model_card_names_the_family_and_the_settings_that_it_uses(bundle):
    report = json.loads((bundle / "report.json").read_text())
    cards = [model_card("x", load_recipe(name, "model.dropout=0.2"), report) for name in ("multi30k_de_en", "multi30k_decoder_only")]
    sizes = "width 192, heads 4, feedforward 384"
    assert f"- model: family encoder_decoder, {sizes}, encoder_layers 3, decoder_layers 2, dropout 0.2, norm pre\n" in cards[0]
    assert f"- model: family decoder_only, {sizes}, decoder_layers 6, dropout 0.2, norm pre\n" in cards[1]
    assert 'A Transformer ("Attention is all you need") of' in cards[0] and "A decoder-only Transformer" in cards[1]
    other = model_card("x", load_recipe("multi30k_decoder_only", "model.prefix=causal", "model.loss_on=all"), report)
    assert "norm pre, prefix causal, loss_on all\n" in other


def test_a_finished_run_is_left_alone(bundle, corpus_folder, capsys):
    before = digest(bundle / "model.safetensors"), (bundle / "train.log").read_text()
    assert train(tiny_config(bundle, corpus_folder))
    assert "is finished" in capsys.readouterr().err
    assert before == (digest(bundle / "model.safetensors"), (bundle / "train.log").read_text())


def test_another_configuration_is_refused(bundle, corpus_folder):
    changed = tiny_config(bundle, corpus_folder)
    changed.model.feedforward = 96
    with pytest.raises(ValueError, match=r"model\.feedforward is 96 now and was 64.*run=FOLDER"):
        train(changed)


def test_a_folder_with_something_else_is_refused(tmp_path, corpus_folder):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(ValueError, match=r"letters\.txt is in it"):
        train(tiny_config(tmp_path, corpus_folder))


def test_changed_data_is_refused(tmp_path, corpus_folder):
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("train.de", "train.en", "dev.de", "dev.en"):
        (folder / name).write_bytes((corpus_folder / name).read_bytes())
    config = tiny_config(tmp_path / "run", folder, steps=20)
    train(config)
    (tmp_path / "run" / "report.json").unlink()  # as if it had been stopped
    lines = (folder / "train.en").read_text().splitlines()
    (folder / "train.en").write_text("\n".join(["Another sentence.", *lines[1:]]) + "\n")
    with pytest.raises(ValueError, match="training data changed"):
        train(config)


def test_minutes_end_on_time_and_validated(tmp_path, corpus_folder):
    train(tiny_config(tmp_path / "run", corpus_folder, steps=0, minutes=0.05, log_every=1))
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert 1.5 < report["seconds"] < 25 and report["steps"] > 1  # 3 seconds, and room for a busy machine
    validated = [line["step"] for line in metrics(tmp_path / "run") if "bleu" in line]
    assert validated[-1] == report["steps"]
    rates = [line["rate"] for line in metrics(tmp_path / "run") if "rate" in line]
    assert rates[-1] < 0.2 * max(rates)  # linear decay went down with the clock


def test_minutes_end_no_run_before_min_steps(tmp_path, corpus_folder, capsys):
    train(tiny_config(tmp_path / "run", corpus_folder, steps=0, minutes=0.001, min_steps=30, log_every=1))  # minutes for a step or two
    assert json.loads((tmp_path / "run" / "report.json").read_text())["steps"] == 30
    assert capsys.readouterr().err.count("continuing to step 30 (training.min_steps)") == 1
    rates = [line["rate"] for line in metrics(tmp_path / "run") if "rate" in line]
    assert len(rates) == 30 and rates[-1] < 0.1 * max(rates)  # linear decay goes with the steps
    assert rates.index(max(rates)) < 15  # and has not gone down with the clock
    train(tiny_config(tmp_path / "longer", corpus_folder, steps=0, minutes=0.05, min_steps=3))
    assert json.loads((tmp_path / "longer" / "report.json").read_text())["steps"] > 3


def test_patience_ends_the_run(tmp_path, corpus_folder):
    config = tiny_config(tmp_path / "run", corpus_folder, steps=2000, validate_every=5, patience=2)
    config.optim.rate = 1e-9  # it learns nothing, so nothing gets better
    train(config)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["steps"] == 15


def test_accumulation_is_one_large_batch(tmp_path, corpus_folder):
    """The gradient of two accumulated batches is that of the mean over all their target tokens."""
    from translate.config import OptimConfig
    from translate.data.batches import BatchStream
    from translate.data.prepare import prepare
    from translate.model import Transformer
    from translate.tokenizer import Tokenizer, train_tokenizer
    from translate.training.loss import loss_sum

    config = tiny_config(tmp_path / "run", corpus_folder)
    lines = [(corpus_folder / f"train.{language}").read_text().splitlines() for language in ("de", "en")]
    tokenizer = train_tokenizer(list(zip(*lines)), config.tokenizer, tmp_path)
    assert isinstance(tokenizer, Tokenizer) and OptimConfig().label_smoothing == 0.1
    torch.manual_seed(1)
    model = Transformer(dataclasses.replace(config.model, dropout=0.0), tokenizer.source_size, tokenizer.target_size)
    with BatchStream(prepare(config.data, tokenizer, lambda _: None), tokenizer, 300, 1) as stream:
        batches = stream.batches_from()
        pair = [next(batches), next(batches)]
    tokens = sum(batch.tokens for batch in pair)
    for batch in pair:
        (loss_sum(model.features(batch.source, batch.target), model.target_embedding.weight, batch.labels, 0.1)[0] / tokens).backward()
    accumulated = model.encoder[0].feedforward.inner.weight.grad.clone()
    model.zero_grad()
    logits = [model(batch.source, batch.target).flatten(0, 1) for batch in pair]
    labels = torch.cat([batch.labels.flatten() for batch in pair])
    torch.nn.functional.cross_entropy(torch.cat(logits), labels, ignore_index=0, label_smoothing=0.1).backward()
    torch.testing.assert_close(accumulated, model.encoder[0].feedforward.inner.weight.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
@pytest.mark.parametrize("model", [{}, {"family": "decoder_only", "encoder_layers": 0}], ids=["encoder_decoder", "decoder_only"])
def test_a_compiled_model_learns_the_same(tmp_path, corpus_folder, model):
    for name in (False, True):
        config = tiny_config(tmp_path / str(name), corpus_folder, steps=8, validate_every=8, log_every=1, compile=name)
        config.model = dataclasses.replace(config.model, dropout=0.0, **model)  # a compiled model draws other masks
        train(config)
    plain, compiled = ([line["loss"] for line in metrics(tmp_path / name) if "loss" in line] for name in ("False", "True"))
    assert len(compiled) == 8 and compiled == pytest.approx(plain, abs=1e-3)
    assert load_bundle(tmp_path / "True").model.config.width == 32


def test_without_a_compiler_none_is_asked_for_in_vain(tmp_path, corpus_folder, monkeypatch):
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    with pytest.raises(ValueError, match=r"training\.compile needs a C\+\+ compiler, and there is no .*none"):
        train(tiny_config(tmp_path / "run", corpus_folder, compile=True))


def test_r_drop_sees_each_batch_twice_and_counts_it_once(tmp_path, corpus_folder):
    def trained(name, **optim):
        config = tiny_config(tmp_path / name, corpus_folder, steps=3, validate_every=3)
        config.optim = dataclasses.replace(config.optim, **optim)
        train(config)
        tokens = json.loads((tmp_path / name / "report.json").read_text())["target_tokens"]
        return read_weights(tmp_path / name / "model.safetensors"), tokens

    plain, tokens = trained("plain")
    weights, tokens_with = trained("r_drop", r_drop=4.0)
    again, _ = trained("again", r_drop=4.0)
    assert tokens_with == tokens
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert any(not torch.equal(weights[name], plain[name]) for name in weights)


def test_gradients_that_are_not_finite_are_left_out_and_end_the_run(tmp_path, corpus_folder, monkeypatch):
    monkeypatch.setattr("translate.training.run.learning_rate", lambda *_: 1e30)
    with pytest.raises(ValueError, match=r"lower optim\.rate"):
        train(tiny_config(tmp_path / "run", corpus_folder, steps=60, validate_every=60))


def test_an_impossible_configuration_is_refused_before_anything_is_written(tmp_path, corpus_folder):
    with pytest.raises(ValueError, match="optim.rate is 1e.30: it must be at most 1000"):
        config = tiny_config(tmp_path / "run", corpus_folder)
        config.optim.rate = 1e30
        train(config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "config.yaml").unlink(), "is not a model"),
        (shutil.rmtree, "does not exist"),
        (lambda run: (run / "config.yaml").write_text("a: [1"), "not readable as YAML"),
        (lambda run: (run / "config.yaml").write_text("learning: true"), "no `format` entry"),
        (lambda run: (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("format: 3", "format: 9")), "has format 9"),
        (lambda run: (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("width: 32", "width: 64")), "model.width 32"),
        (lambda run: (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("heads: 2", "heads: 5")), "multiple of model.heads"),
        (lambda run: (run / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda run: (run / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:999]), "truncated or damaged"),
        (lambda run: (run / "spm.model").unlink(), "spm.model"),
    ],
)
def test_damaged_bundles(bundle, tmp_path, damage, message):
    for name in ("config.yaml", "spm.model", "model.safetensors"):
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    load_bundle(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message) as error:
        load_bundle(tmp_path)
    assert "\n" not in str(error.value)


def test_another_tokenizer_is_refused_with_both_hashes(bundle, tmp_path, corpus_folder):
    for name in ("config.yaml", "spm.model", "model.safetensors"):
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    other = tmp_path / "other"
    config = tiny_config(other, corpus_folder, steps=1)
    config.tokenizer.kind = "unigram"
    train(config)
    old, new = digest(tmp_path / "spm.model"), digest(other / "spm.model")
    (tmp_path / "spm.model").write_bytes((other / "spm.model").read_bytes())
    with pytest.raises(ValueError, match=rf"{new}.*{old}"):
        load_bundle(tmp_path)
