"""What chooses a checkpoint: the metrics and their ties, the subset of a development set, models that have learnt nothing, the length penalty."""

from __future__ import annotations

import json
import math
import random
import re

import pytest
import torch
import yaml

from tests.conftest import metrics, tiny_config
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.config import CorpusConfig
from translate.phrasebook import pairs
from translate.tokenizer import BOS
from translate.training.checkpoints import Progress
from translate.training.development import Result, has_learnt, set_name, spread
from translate.training.run import train
from translate.training.validation import Validation, update_best
from translate.translation.translator import Translator

WORDS = "Haus house|Hund dog|Katze cat|Baum tree|Wasser water|Brot bread|Käse cheese|Tür door|Fenster window|Stuhl chair|Tisch table|Buch book"


def log_of(run) -> str:
    return (run / "train.log").read_text()


def report_of(run) -> dict:
    return json.loads((run / "report.json").read_text())


@pytest.fixture
def words(tmp_path):
    """A corpus of single words: no BLEU but 0."""
    lines = [pair.split() for pair in WORDS.split("|")]
    for name in ("train", "dev"):
        for side, language in enumerate(("de", "en")):
            (tmp_path / f"{name}.{language}").write_text("".join(f"{pair[side]}\n" for pair in lines), encoding="utf-8")
    return tmp_path


def of_words(words, run, **training):
    config = tiny_config(words / run, words, **{"steps": 150, "validate_every": 15, "batch_tokens": 60, "average": 1, **training})
    config.tokenizer.vocabulary, config.model.dropout = 290, 0.0
    return config


def test_where_bleu_is_0_throughout_chrf_chooses(words):
    config = of_words(words, "run", patience=3)
    assert train(config)
    report, log = report_of(words / "run"), log_of(words / "run")
    validations = [line for line in metrics(words / "run") if "bleu" in line]
    assert all(line["bleu"] == 0 for line in validations)
    assert log.count("BLEU is 0 on this set (12 sentences of dev): no line has four tokens") == 1
    assert report["chosen_on"]["metric"] == "chrf" and report["dev_chrf"] == max(line["chrf"] for line in validations) > 90
    chosen = [line for line in validations if line["chrf"] == report["dev_chrf"]]
    assert report["weights"] == f"of step {min(chosen, key=lambda line: (round(line['dev_loss'], 3), -line['step']))['step']}"
    assert Translator.load(words / "run", "cpu").translate(["Hund", "Brot"]) == ["dog", "bread"]


def test_the_loss_as_the_metric(words):
    assert train(of_words(words, "run", metric="loss", steps=60))
    validations = [line for line in metrics(words / "run") if "bleu" in line]
    best = min(validations, key=lambda line: (round(line["dev_loss"], 3), -line["step"]))
    assert report_of(words / "run")["weights"] == f"of step {best['step']}"
    assert f"best development loss {best['dev_loss']:.3f} at step {best['step']}" in log_of(words / "run")
    assert "BLEU is 0" not in log_of(words / "run")


@pytest.mark.parametrize("metric", ["chrf", "loss"])
def test_the_average_is_compared_by_the_same_metric(metric, words):
    run = words / "run"
    train(of_words(words, "run", metric=metric, steps=60, average=3, keep=3))
    validations = [line for line in metrics(run) if "bleu" in line]
    line = next(line for line in log_of(run).splitlines() if "with the average of the last 3 checkpoints" in line)
    average = {"chrf": float(re.search(r"chrF\+\+ ([\d.]+)", line)[1]), "loss": -float(re.search(r"loss ([\d.]+)", line)[1])}
    best = {"chrf": max(line["chrf"] for line in validations), "loss": -min(line["dev_loss"] for line in validations)}
    taken = average[metric] > round(best[metric], 2 if metric == "chrf" else 3)
    report = report_of(run)
    assert report["weights"].startswith("the average of steps 30, 45, 60") == taken
    expected = average if taken else best
    assert (report["dev_chrf"], -report["dev_loss"])[metric == "loss"] == pytest.approx(expected[metric], abs=0.01)


def test_the_development_loss_is_the_mean_over_the_references_tokens(bundle, corpus_folder):
    """By the model one sentence at a time, with torch's own cross-entropy."""
    loaded = load_bundle(bundle)
    sides = [(corpus_folder / f"dev.{language}").read_text().splitlines() for language in ("de", "en")]
    total, tokens = 0.0, 0
    for source, target in zip(loaded.tokenizer.encode_source(sides[0]), loaded.tokenizer.encode_target(sides[1])):
        logits = loaded.model(torch.tensor([source]), torch.tensor([[BOS, *target[:-1]]]))
        total += float(torch.nn.functional.cross_entropy(logits[0], torch.tensor(target), reduction="sum"))
        tokens += len(target)
    assert report_of(bundle)["dev_loss"] == pytest.approx(total / tokens, abs=1e-4)


ORDER = [  # of metric bleu, each better than the one before
    Result(9.0, 30.0, 5.0, False), Result(0.0, 0.0, 4.0, False), Result(0.0, 0.0, 6.0, True), Result(0.0, 20.0, 6.0, True),
    Result(0.0, 20.0, 5.0, True), Result(1.0, 10.0, 7.0, True),
]  # fmt: skip


def test_ties_go_to_chrf_then_to_the_loss():
    keys = [result.key("bleu") for result in ORDER]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)
    by_chrf = sorted(ORDER, key=lambda result: result.key("chrf"))
    assert [(result.chrf, result.loss) for result in by_chrf] == [(30.0, 5.0), (0.0, 4.0), (0.0, 6.0), (10.0, 7.0), (20.0, 6.0), (20.0, 5.0)]
    assert max(ORDER, key=lambda result: result.key("loss")).loss == 4.0


def test_the_newer_of_equals_is_kept_and_patience_counts_it():
    progress = Progress()
    for step, result, best, worse in (
        (1, Result(5.0, 9.0, 3.0, True), 1, 0),
        (2, Result(5.001, 9.001, 3.0001, True), 2, 1),  # the same as far as the log shows
        (3, Result(4.0, 9.0, 1.0, True), 2, 2),
        (4, Result(5.0, 9.0, 2.9, True), 4, 0),
    ):
        progress.step = step
        assert update_best(progress, result, "bleu") == (best == step)
        assert (progress.best_step, progress.worse) == (best, worse)


def test_a_save_of_an_earlier_version_goes_on():
    progress = Progress(step=20, best_bleu=20.0, best_step=10)
    assert not update_best(progress, Result(19.0, 40.0, 2.0, True), "bleu") and progress.best_step == 10
    assert update_best(progress, Result(20.5, 40.0, 2.0, True), "bleu")


def test_the_subset_is_spread_over_the_whole_set_and_always_the_same():
    numbers = [(str(n), str(n)) for n in range(1014)]
    some = [int(source) for source, _ in spread(numbers, 500)]
    assert len(some) == len(set(some)) == 500 and some == sorted(some) and max(some) >= 1011
    assert {after - before for before, after in zip(some, some[1:])} == {2, 3}
    assert spread(numbers, 0) == spread(numbers, 1014) == spread(numbers, 5000) == numbers


def test_a_training_validates_on_lines_from_all_over_the_set(bundle, tmp_path, corpus_folder):
    config = tiny_config(tmp_path / "run", corpus_folder, steps=1, validate_every=1, validate_sentences=4)
    train(config)
    lines = (corpus_folder / "dev.de").read_text().splitlines()
    shown = [line.partition("     ")[2].strip() for line in (tmp_path / "run" / "samples.txt").read_text().splitlines() if line.startswith("source")]
    assert shown == [lines[0], lines[5], lines[10], lines[15]]
    assert report_of(tmp_path / "run")["chosen_on"] == {"set": "dev", "sentences": 4, "of": 20, "metric": "bleu", "beam": 1}
    assert "chosen on the development set (4 of 20 sentences of dev)" in log_of(tmp_path / "run")
    assert "chosen on the development set (20 sentences of dev)" in log_of(bundle)


def test_what_has_learnt_something_and_what_has_not():
    references = [target for _, target in pairs("test")[:60]]
    shuffled = references[:]
    random.Random(1).shuffle(shuffled)
    half = [" ".join(line.split()[: len(line.split()) // 2]) for line in references]
    for outputs in ([""] * 60, [references[0]] * 60, shuffled, ["the of and a"] * 59 + ["to"]):
        assert not has_learnt(outputs, references, 0.5)
    assert not has_learnt([references[0]] * 60, references, 12.0)
    for outputs in (references, half, [line[::2] for line in references]):
        assert has_learnt(outputs, references, 0.5)
    assert has_learnt(["A cat."], ["A cat."], 0.0) and not has_learnt([""], ["A cat."], 0.0)
    assert has_learnt(["No."] * 9, ["Yes."] * 9, 0.0)  # all references alike: there is nothing to tell apart


def test_a_model_that_learnt_nothing_is_called_so_and_the_loss_chooses(tmp_path, corpus_folder):
    """The rate is so low that every output is noise, whatever its score is."""
    run = tmp_path / "run"
    config = tiny_config(run, corpus_folder, steps=15, validate_every=5, average=1)
    config.optim.rate, config.decoding.beam = 1e-5, 5
    assert train(config)
    report, log = report_of(run), log_of(run)
    losses = {line["step"]: line["dev_loss"] for line in metrics(run) if "dev_loss" in line}
    assert report["learnt"] is False and report["weights"] == f"of step {min(losses, key=losses.get)}"
    assert "THE MODEL HAS LEARNT NOTHING" in log and "by loss: the weights of step 15" in log
    assert "length_penalty" in report and "length penalty" not in log  # of noise there is no best
    assert yaml.safe_load((run / "config.yaml").read_text())["decoding"]["length_penalty"] == 1.0


def test_validations_that_take_most_of_the_time_are_told_once(tmp_path, corpus_folder):
    train(tiny_config(tmp_path / "often", corpus_folder, steps=4, validate_every=1, average=1, validate_beam=2))
    log = log_of(tmp_path / "often")
    assert log.count("validations take ") == 1
    line = next(line for line in log.splitlines() if "validations take " in line)
    assert "on 20 sentences of dev" in line and "set training.validate_every=" in line and log.index(line) > log.index("step 2: ")


def test_a_training_says_what_it_trains(bundle):
    log, report = log_of(bundle), report_of(bundle)
    assert f"training {report['parameters']:,} parameters on {report['data']['kept']:,} pairs, up to 400 target tokens a step, for 40 steps" in log
    assert "on cpu in float32, 1 thread\n" in log


def test_the_name_of_a_set():
    assert set_name([CorpusConfig(source="my/dev.de", target="my/dev.en")]) == "dev"
    assert set_name([CorpusConfig(source="my/newstest2012.de.xz", target="x")]) == "newstest2012"
    assert set_name([CorpusConfig(kind="hub", path="a/b", split="test", files="val")]) == "val"
    assert set_name([CorpusConfig(kind="phrasebook", split="validation"), CorpusConfig(kind="tsv", path="d/dev.tsv")]) == "validation; dev.tsv"
    assert set_name([CorpusConfig(source="dev.de", target="dev.en", lines="1-1000")]) == "dev, lines 1-1000"


def test_a_metric_that_is_not_one_is_refused(tmp_path, capsys):
    assert main(["train", "recipe=quickstart", "training.metric=rouge", f"run={tmp_path / 'run'}"]) == 2
    assert "training.metric is 'rouge': choose one of bleu, chrf, loss" in capsys.readouterr().err


def test_blank_and_over_long_lines_of_a_development_set_count(bundle):
    loaded = load_bundle(bundle)
    loaded.config = tiny_config(bundle, bundle)
    long = " ".join(["Haus"] * 500)
    validation = Validation(loaded, [("", ""), (long, long), ("Hund", "dog")], "", torch.device("cpu"), torch.float32, None, None)
    outputs, result = validation.measure()
    assert len(outputs) == 3 and outputs[0] == "" and math.isfinite(result.loss)
