"""Confidence: the error of a calibration against known probabilities, the fit against brute force, and what a model's bundle gets."""

from __future__ import annotations

import itertools
import json
import math
import re
import shutil

import numpy
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import one_line, tiny_config
from tests.test_validation import log_of, report_of
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.evaluation.calibration import calibration_error, confidence_figures, sentence_worth
from translate.profile import Calibration
from translate.training import calibration
from translate.training.calibration import fit, held_out_error, pooled
from translate.training.run import train
from translate.translation.translator import Translator

CHANCE = numpy.random.default_rng(1)


def test_the_error_by_hand():
    """Two bins of two: means 0.2 and 0.9, worth 0.5 and 0.7."""
    confidence, worth = numpy.array([0.3, 0.8, 0.1, 1.0]), numpy.array([1.0, 0.4, 0.0, 1.0])
    assert calibration_error(confidence, worth, bins=2) == pytest.approx((0.3 + 0.2) / 2)
    assert calibration_error(confidence[:1], worth[:1]) == pytest.approx(0.7)


@pytest.mark.parametrize("offset", [0.0, 0.1, -0.2])
def test_the_error_of_known_probabilities(offset):
    """Answers that are right as often as the confidence says have no error; an offset of the confidence is its error."""
    probability = CHANCE.uniform(0.25, 0.85, 100_000)
    right = (CHANCE.random(len(probability)) < probability).astype(float)
    assert calibration_error(probability + offset, right) == pytest.approx(abs(offset), abs=0.01)


def test_the_worth_of_a_sentence_is_sacrebleus_chrf():
    outputs, references = ["The dog sleeps.", "", "A cat"], [["The dog is asleep.", "Nothing", "A cat"], ["A dog sleeps!", "No", "One cat"]]
    expected = [sacrebleu.sentence_chrf(output, list(texts), word_order=2).score / 100 for output, *texts in zip(outputs, *references)]
    assert sentence_worth(outputs, references) == pytest.approx(expected)
    assert confidence_figures([None, None, 1.0], outputs, references) == {"lines": 1, "mean": 1.0, "chrf": 1.0, "ece": 0.0, "bins": 10}
    assert confidence_figures([None] * 3, outputs, references) == {}


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9)), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_isotonic_regression_by_its_formula(rows):
    """Barlow et al. 1972: value i is the greatest, over beginnings up to i, of the least mean up to an end from i on."""
    values, weights = zip(*rows)

    def mean(begin, end):
        return sum(value * weight for value, weight in rows[begin:end]) / sum(weights[begin:end])

    expected = [max(min(mean(begin, end) for end in range(i + 1, len(rows) + 1)) for begin in range(i + 1)) for i in range(len(rows))]
    assert pooled(values, weights) == pytest.approx(expected)


def test_a_known_relation_is_found():
    scores = CHANCE.uniform(-2, 0, 4000)
    truth = 1 / (1 + numpy.exp(-3 * (scores + 1)))
    worth = numpy.clip(truth + CHANCE.normal(0, 0.1, len(scores)), 0, 1)
    table = Calibration(len(scores), *fit(scores, worth))
    found = numpy.array([table.confidence(score) for score in scores])
    inside = (scores > -1.9) & (scores < -0.1)
    assert abs(found - truth)[inside].max() < 0.05
    assert held_out_error(scores, worth) < 0.02
    steps = [table.confidence(score) for score in numpy.linspace(-4, 1, 500)]
    assert steps == sorted(steps) and 0 <= steps[0] and steps[-1] <= 1


def test_scores_below_all_of_the_development_set_are_worth_less():
    scores = CHANCE.uniform(-1, 0, 2000)
    table = Calibration(2000, *fit(scores, 0.9 + 0.6 * scores))
    assert table.confidence(-1.25) == pytest.approx(0.15, abs=0.05)  # on the same line
    assert table.confidence(-5.0) == 0.0 and table.confidence(-math.inf) == 0.0
    assert table.confidence(2.0) == pytest.approx(0.9, abs=0.03)


@given(st.lists(st.tuples(st.floats(-50, 0), st.floats(0, 1)), min_size=1, max_size=200))
@settings(max_examples=50, deadline=None)
def test_whatever_is_measured_can_be_sealed(rows):
    scores, worth = map(numpy.array, zip(*rows))
    table = Calibration(len(rows), *fit(scores, worth))
    table.check()
    for score in itertools.chain([-1e9, 0.0], scores[:20]):
        assert 0 <= table.confidence(float(score)) <= 1


@pytest.fixture(scope="module")
def run(few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated") / "run"
    config = tiny_config(folder, few, steps=180, validate_every=90, batch_tokens=150)
    config.tokenizer.vocabulary, config.optim.rate, config.model.dropout, config.decoding.length_penalty = 400, 0.01, 0.0, 1.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "FEWEST", 15)
        train(config)
        yield folder


def dev(few):
    return [(few / f"dev.{language}").read_text(encoding="utf-8").splitlines() for language in ("de", "en")]


def test_training_ends_with_a_calibration(run, few):
    profile, figures = load_bundle(run).profile, report_of(run)["confidence"]
    assert profile.calibration.sentences == figures["sentences"] <= 24 and 0 <= figures["ece"] <= 1
    assert profile.calibration.least_score < 0 < profile.calibration.least_coverage <= 1
    assert "confidence: measured on" in log_of(run)
    sources, references = dev(few)
    with Translator.load(run, "cpu", "fp32") as translator:
        results = translator.translate(sources, scores=True)
        assert all(result.confidence is not None and 0 <= result.confidence <= 1 for result in results)
        assert confidence_figures([result.confidence for result in results], [result.text for result in results], [references])["ece"] < 0.2
        assert [result.confidence for result in translator.translate(sources[:3], scores=True, sample=True)] == [None] * 3
        assert translator.translate("", scores=True).confidence is None


def test_evaluate_prints_the_error(run, few, capsys):
    assert main(["evaluate", "-m", str(run), "--device", "cpu", "--test", str(few / "dev.de"), str(few / "dev.en")]) == 0
    figures = report_of(run)["test"]["dev.de"]["confidence"]
    said = rf"^confidence of dev\.de  {figures['mean']:.3f} on average, sentence chrF\+\+ / 100 {figures['chrf']:.3f}; expected calibration error "
    assert re.search(rf"{said}{figures['ece']:.3f} \({figures['lines']} lines, 10 bins\)$", capsys.readouterr().out, re.MULTILINE)


def test_a_model_of_an_older_version_is_calibrated_later(run, few, tmp_path, capsys):
    from tests.test_profile import edit_manifest

    old = tmp_path / "old"
    shutil.copytree(run, old)
    edit_manifest(old, lambda manifest: [manifest.update(format=2), manifest.pop("profile")])
    (tmp_path / "in").write_text("Der Hund schl\u00e4ft.\n", encoding="utf-8")
    words = ["file", "-m", str(old), "--device", "cpu", str(tmp_path / "in")]
    assert main([*words, "--min-confidence", "0.5"]) == 2
    one_line(capsys, f"`translate evaluate -m {old} --calibrate`")
    assert main([*words, "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["confidence"] is None
    assert main(["evaluate", "-m", str(old), "--device", "cpu", "--calibrate", "--test", str(few / "dev.de"), str(few / "dev.en")]) == 0
    captured = capsys.readouterr()
    assert "confidence: measured on" in captured.err and "expected calibration error" in captured.out
    assert load_bundle(old).profile.calibration.sentences > 15
    assert main([*words, "--min-confidence", "1", "--format", "jsonl"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert 0 <= record["confidence"] < 1 and record["low_confidence"] == [[0, 17]]
    assert "confidence below 1, of all or a part: 1 line (1)" in captured.err


def test_few_sentences_say_nothing(run, few, monkeypatch):
    monkeypatch.setattr(calibration, "FEWEST", 25)
    with Translator.load(run, "cpu", "fp32") as translator:
        assert calibration.calibrate(translator, *dev(few)) == (Calibration(), {})


def test_without_a_development_set_calibration_is_refused(untrained, capsys):
    assert main(["evaluate", "-m", str(untrained), "--device", "cpu", "--calibrate"]) == 2
    one_line(capsys, "no development set")
