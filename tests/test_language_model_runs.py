"""Runs of language models at the command line: text of one language, pairs of which one side is read, killed and resumed, checked, refused."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import digest, lines_of, metrics, one_line, tiny_config
from tests.families import config_of, train_whole_and_in_parts
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.config import CorpusConfig, DecodingConfig
from translate.data.pairs import load_pairs
from translate.data.sides import EITHER, PAIRS, TARGET
from translate.errors import UserError
from translate.training.run import train

SETTINGS = {"family": "language_model", "encoder_layers": 0, "decoder_layers": 2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, corpus_folder) -> tuple[Path, Path]:
    return train_whole_and_in_parts(tmp_path_factory.mktemp("runs"), corpus_folder, SETTINGS)


def of_texts(config, folder: Path):
    """The same with the target files alone."""
    text = {name: CorpusConfig(kind="text", target=str(folder / f"{name}.en")) for name in ("train", "dev")}
    data = dataclasses.replace(config.data, train=[text["train"]], validation=[text["dev"]], test={"dev": text["dev"]})
    return dataclasses.replace(config, data=data)


def recipe(folder: Path, corpus_folder: Path, **sections) -> Path:
    """A recipe file with text of one language."""
    corpus = {name: {"kind": "text", "target": str(corpus_folder / f"{name}.en")} for name in ("train", "dev")}
    settings = {
        "run": str(folder / "run"), "data": {"train": [corpus["train"]], "validation": [corpus["dev"]], "test": {"dev": corpus["dev"]}},
        "tokenizer": {"vocabulary": 500}, "training": {"steps": 12, "validate_every": 6, "batch_tokens": 400, "device": "cpu", "threads": 1},
        "model": {**SETTINGS, "width": 32, "heads": 2, "feedforward": 64, "max_tokens": 64},
        "optim": {"schedule": "linear", "rate": 0.005, "warmup": 2},
    }  # fmt: skip
    settings["data"] |= {"cache": str(folder / "cache"), "filters": {"max_tokens": 64}}
    for name, values in sections.items():
        settings[name] |= values
    path = folder / "mine.yaml"
    path.write_text("# @package _global_\n" + yaml.safe_dump(settings), encoding="utf-8")
    return path


def test_killed_and_resumed_equals_never_stopped(runs):
    assert digest(runs[0] / "model.safetensors") == digest(runs[1] / "model.safetensors")
    assert (runs[0] / "samples.txt").read_text(encoding="utf-8") == (runs[1] / "samples.txt").read_text(encoding="utf-8")
    losses = [{line["step"]: line["loss"] for line in metrics(run) if "loss" in line} for run in runs]
    assert losses[0] == losses[1] and losses[0][50] < losses[0][1] - 1.5


def test_the_run_folder_tells_of_loss_and_perplexity(runs):
    report, card = json.loads((runs[0] / "report.json").read_text()), (runs[0] / "README.md").read_text(encoding="utf-8")
    assert report["learnt"] and report["dev_perplexity"] == pytest.approx(math.exp(report["dev_loss"]))
    assert report["chosen_on"]["metric"] == "loss" and report["command"] == "generate" and "length_penalty" not in report
    assert set(report["test"]["dev"]["scores"]) == {"perplexity", "word perplexity", "bits/character"}
    validations = [line for line in metrics(runs[0]) if "dev_loss" in line]
    assert [line["step"] for line in validations] == [25, 50] and all("bleu" not in line for line in validations)
    assert min(line["dev_loss"] for line in validations) >= report["dev_loss"] - 1e-6
    for text in ("translate generate -m FOLDER", "1,500 sentences were read", "pipeline_tag: text-generation"):
        assert text in card
    assert f"perplexity {report['dev_perplexity']:.2f}" in card
    for text in ("BLEU", "beam", "de to en", "- de\n"):
        assert text not in card
    log = (runs[0] / "train.log").read_text(encoding="utf-8")
    assert "sentences kept" in log and "pair" not in log and "identical" not in log and "length ratio" not in log
    samples = (runs[0] / "samples.txt").read_text(encoding="utf-8")
    assert samples.count("# step ") == 2 and samples.count("sample ") == 20


def test_the_target_side_of_pairs_is_a_text(runs, corpus_folder, tmp_path):
    """The same tokenizer, training set and weights, wherever the sentences come from."""
    train(of_texts(config_of(tmp_path / "texts", corpus_folder, SETTINGS), corpus_folder))
    for name in ("spm.model", "model.safetensors", "samples.txt"):
        assert digest(tmp_path / "texts" / name) == digest(runs[0] / name), name
    reports = [json.loads((run / "report.json").read_text()) for run in (tmp_path / "texts", runs[0])]
    assert reports[0]["data"] == reports[1]["data"] and reports[0]["test"]["dev"]["scores"] == reports[1]["test"]["dev"]["scores"]


def test_one_tokenizer_serves_a_translation_model_and_a_language_model(bundle, corpus_folder, tmp_path):
    config = config_of(tmp_path / "run", corpus_folder, SETTINGS)
    config.tokenizer.path, config.tokenizer.sampling, config.training.steps = str(bundle), 0.0, 4
    train(config)
    assert load_bundle(tmp_path / "run").tokenizer.digests() == load_bundle(bundle).tokenizer.digests()
    (tmp_path / "a.de").write_text("Der Hund schläft.\n", encoding="utf-8")
    words = ["file", "-m", str(bundle), str(tmp_path / "a.de"), "--device", "cpu", "--fuse", str(tmp_path / "run"), "--fuse-weight", "0.1"]
    assert main(words) == 0


def test_a_recipe_of_one_text_is_checked_trained_and_used(corpus_folder, tmp_path, capsys):
    path = recipe(tmp_path, corpus_folder)
    assert main(["check", f"recipe={path}"]) == 0
    found = lines_of(capsys)
    assert any("1,500 sentences, 0 blank" in line for line in found) and any("20 sentences" in line and "dev" in line for line in found)
    assert not any("pair" in line or "source" in line or "shifted" in line for line in found), found
    assert main(["train", f"recipe={path}"]) == 0
    out, err = capsys.readouterr()
    assert f"next: translate generate -m {tmp_path / 'run'}" in out and "word perplexity" in out
    assert "perplexity" in err and "BLEU" not in err
    assert main(["generate", "-m", str(tmp_path / "run"), "-n", "3"]) == 0
    assert len(lines_of(capsys)) == 3
    assert main(["evaluate", "-m", str(tmp_path / "run")]) == 0
    assert lines_of(capsys)[1].split()[:2] == ["dev", "20"]


def test_what_is_also_in_training_is_told(corpus_folder, tmp_path, capsys):
    path = recipe(tmp_path, corpus_folder)
    path.write_text(path.read_text().replace("dev.en", "train.en"))
    assert main(["check", f"recipe={path}"]) == 0
    assert any("1,500 of 1,500 sentences are also in training (line 1, 2, 3, ...)" in line for line in lines_of(capsys))


@pytest.mark.parametrize(
    "words, message",
    [
        (["decoding.beam=3"], "decoding.beam (3) has no effect with model.family=language_model: leave it out"),
        (["decoding=greedy"], "decoding.beam (1) has no effect"), (["decoding.length_penalty=1"], "decoding.length_penalty"),
        (["training.metric=chrf"], "training.metric (chrf) scores translations"), (["training.validate_beam=2"], "training.validate_beam (2)"),
        (["data.filters.max_ratio=2"], "data.filters.max_ratio (2.0) has no effect"), (["data.filters.identical=false"], "data.filters.identical"),
        (["data.placeholders=0.1"], "data.placeholders"), (["tokenizer.joint=false"], "reads text of one language"),
        (["model.family=encoder_decoder", "model.encoder_layers=1"], "needs `source` and `target`"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1],
)  # fmt: skip
def test_settings_that_only_translation_uses_are_refused(corpus_folder, tmp_path, words, message, capsys):
    assert main(["train", f"recipe={recipe(tmp_path, corpus_folder)}", *words]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_metrics_that_are_by_default_or_loss_are_no_mistake(corpus_folder, tmp_path):
    for metric in ("bleu", "loss"):
        config = of_texts(tiny_config(tmp_path / metric, corpus_folder, steps=2, validate_every=2, metric=metric), corpus_folder)
        config.model = dataclasses.replace(config.model, **SETTINGS)
        config.decoding = DecodingConfig()
        assert train(config)["chosen_on"]["metric"] == "loss"


def test_a_text_may_have_blank_repeated_and_long_lines(corpus_folder, tmp_path, capsys):
    lines = (corpus_folder / "train.en").read_text(encoding="utf-8").splitlines()[:300]
    (tmp_path / "train.en").write_text("\n".join([*lines, "", " ", lines[0], "word " * 200]) + "\n", encoding="utf-8")
    shutil.copy(corpus_folder / "dev.en", tmp_path / "dev.en")
    assert main(["train", f"recipe={recipe(tmp_path, tmp_path, training={'steps': 2})}"]) == 0
    assert "of 304 sentences kept; left out: 2 blank, " in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "report.json").read_text())["data"]["left_out"]["over_long"] == 1


def test_the_source_of_a_text_need_not_be_there(data, tmp_path, corpus_folder):
    """Neither of two files, nor of a hub data set in a folder."""
    shutil.copy(corpus_folder / "dev.en", tmp_path / "a.en")
    data.folder = str(tmp_path)
    lines = (corpus_folder / "dev.en").read_text(encoding="utf-8").splitlines()
    for corpus in (CorpusConfig(source=str(tmp_path / "a.de"), target=str(tmp_path / "a.en")), CorpusConfig(kind="hub", path="x/y", files="a")):
        assert load_pairs([corpus], data, TARGET) == [("", line) for line in lines]
        with pytest.raises((UserError, OSError), match=r"a\.de"):
            load_pairs([corpus], data)


def test_checkpoints_are_averaged_by_their_loss(runs, tmp_path):
    assert main(["average", str(runs[0]), "--best", "2", "-o", str(tmp_path / "mean")]) == 0
    assert main(["generate", "-m", str(tmp_path / "mean")]) == 0


@pytest.mark.parametrize("kind", ["text", "tsv", "phrasebook"])
def test_which_sides_of_a_corpus_are_read(kind, data, tmp_path, corpus_folder):
    rows = [("Hund", "dog"), ("", "cat"), ("Haus", "")]
    for name, column in (("a.de", 0), ("a.en", 1)):
        (tmp_path / name).write_text("".join(f"{row[column]}\n" for row in rows), encoding="utf-8")
    (tmp_path / "a.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    corpus = {
        "text": CorpusConfig(source=str(tmp_path / "a.de"), target=str(tmp_path / "a.en"), lines="1-3"),
        "tsv": CorpusConfig(kind="tsv", path=str(tmp_path / "a.tsv")), "phrasebook": CorpusConfig(kind="phrasebook", split="validation", lines="1-3"),
    }[kind]  # fmt: skip
    pairs = load_pairs([corpus], data)
    assert len(pairs) == 3 and load_pairs([corpus], data, EITHER) == pairs and all(source for source, _ in pairs[:1])
    assert load_pairs([corpus], data, TARGET) == [("", target) for _, target in pairs]


def test_a_text_alone_is_for_models_that_read_one(data, tmp_path):
    (tmp_path / "a.en").write_text("dog\ncat\n", encoding="utf-8")
    text = CorpusConfig(kind="text", target=str(tmp_path / "a.en"))
    assert load_pairs([text], data, TARGET) == [("", "dog"), ("", "cat")]
    with pytest.raises(UserError, match="text of one language is for model.family=language_model"):
        load_pairs([text], data, PAIRS)
    with pytest.raises(UserError, match="has only 2 sentences: lines 2-5"):
        load_pairs([dataclasses.replace(text, lines="2-5")], data, TARGET)
    with pytest.raises(UserError, match="needs `target`"):
        load_pairs([CorpusConfig(kind="text")], data, TARGET)


def test_a_language_model_can_start_from_its_sealed_folder_only(runs, tmp_path, capsys):
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("family: language_model", "family: decoder_only"))
    assert main(["generate", "-m", str(run)]) == 2
    one_line(capsys, "model.family=decoder_only")
