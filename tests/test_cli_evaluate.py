"""`translate evaluate` and what training uses of it: the scores are sacreBLEU's own, the report holds them, mistakes are one line."""

from __future__ import annotations

import json
import re

import pytest
import sacrebleu

from translate.bundle import Bundle, build_model, write_config, write_model
from translate.cli.main import main
from translate.config import Config, CorpusConfig, DataConfig, DecodingConfig, FilterConfig, ModelConfig, TokenizerConfig
from translate.decoding import Options
from translate.evaluation import evaluate_tests, table, write_report
from translate.tokenizer import train_tokenizer
from translate.translator import Translation, Translator

SOURCES = ["Der Hund schläft.", "Die Katze läuft.", "", "Guten Morgen!", "Ich weiß nicht, ob er kommt.", "Was kostet das Brot?"]


@pytest.fixture
def run(tmp_path):
    """A run folder with a model that has learned nothing, and two test sets: `own` has the source itself as its reference, `real` has not."""
    folder = tmp_path / "run"
    corpora = {name: CorpusConfig(source=str(tmp_path / f"{name}.de"), target=str(tmp_path / f"{name}.en")) for name in ("own", "real")}
    config = Config(
        data=DataConfig(test=corpora, cache=str(tmp_path / "cache"), filters=FilterConfig(max_tokens=40)),
        tokenizer=TokenizerConfig(vocabulary=320),
        model=ModelConfig(width=16, heads=2, feedforward=32, encoder_layers=1, decoder_layers=1, max_tokens=40),
        decoding=DecodingConfig(beam=2, max_ratio=1.0, max_extra=4),
    )
    tokenizer = train_tokenizer([(line, line) for line in SOURCES if line], config.tokenizer, folder)
    write_config(folder, config, tokenizer)
    write_model(Bundle(folder, config, tokenizer, build_model(config, tokenizer)), "no data")
    for name, references in [("own", SOURCES), ("real", [line.replace("Die", "Eine").lower() for line in SOURCES])]:
        (tmp_path / f"{name}.de").write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
        (tmp_path / f"{name}.en").write_text("".join(f"{line}\n" for line in references), encoding="utf-8")
    return folder


@pytest.fixture
def echo(monkeypatch):
    """Every translation is the source itself: what the scores must be is known without a model."""

    def translate_stream(self, lines, options):
        return (Translation(line, line, -1.0, [(line, -1.0)], 1, False) for line in lines)

    monkeypatch.setattr(Translator, "translate_stream", translate_stream)


def evaluate(run, *words):
    return main(["evaluate", "-m", str(run), "--device", "cpu", "--precision", "fp32", *words])


def test_scores_are_sacrebleus_and_stand_in_the_report(run, echo, tmp_path, capsys):
    (run / "report.json").write_text(json.dumps({"steps": 7, "test": {"old": {"sentences": 1}}}), encoding="utf-8")
    assert evaluate(run) == 0
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["steps"] == 7 and set(report["test"]) == {"old", "own", "real"}  # what was there stays
    assert [score["value"] for score in report["test"]["own"]["scores"].values()] == [100, 100, 0]
    references = (tmp_path / "real.en").read_text(encoding="utf-8").split("\n")[:-1]
    real = report["test"]["real"]
    for name, value in [
        ("BLEU", sacrebleu.corpus_bleu(SOURCES, [references])),
        ("chrF2++", sacrebleu.corpus_chrf(SOURCES, [references], word_order=2)),
        ("TER", sacrebleu.corpus_ter(SOURCES, [references])),
    ]:
        assert 0 < real["scores"][name]["value"] < 100
        assert real["scores"][name]["value"] == pytest.approx(value.score, abs=0.0051)
        assert real["scores"][name]["low"] < real["scores"][name]["value"] < real["scores"][name]["high"]
        assert "version:" in real["scores"][name]["signature"]
    assert real["sentences"] == len(SOURCES) and real["decoding"]["beam"] == 2 and real["seconds"] >= 0
    assert real["samples"][0] == {"source": SOURCES[0], "reference": references[0], "translation": SOURCES[0]}
    out = capsys.readouterr().out
    assert re.search(r"^own +6 +100\.00", out, re.MULTILINE)
    for score in real["scores"].values():
        assert score["signature"] in out


def test_the_model_is_asked_as_the_options_say(run, tmp_path):
    translator = Translator.load(run, "cpu", "fp32")
    corpus = CorpusConfig(source=str(tmp_path / "own.de"), target=str(tmp_path / "own.en"))
    config = Config(data=DataConfig(test={"own": corpus}, cache=str(tmp_path / "cache")))
    tests = evaluate_tests(translator, config, Options(beam=1, length_penalty=0.0), bootstrap=0)
    assert tests["own"]["decoding"] == {"beam": 1, "length_penalty": 0.0}
    outputs = translator.translate(SOURCES, beam=1)
    assert [(sample["source"], sample["translation"]) for sample in tests["own"]["samples"]] == [pair for pair in zip(SOURCES, outputs) if pair[0]]


def test_search_options_arrive(run, echo):
    assert evaluate(run, "--beam", "1", "--length-penalty", "0") == 0
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["test"]["own"]["decoding"] == {"beam": 1, "length_penalty": 0.0}


def one_line(capsys, *words):
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("translate: error: ") and captured.err.count("\n") == 1
    for word in words:
        assert word in captured.err


def test_mistakes_are_one_line(run, tmp_path, capsys):
    assert evaluate(tmp_path / "nowhere") == 2
    one_line(capsys, "nowhere")
    assert evaluate(run, "--beam", "0") == 2
    one_line(capsys, "beam")
    (tmp_path / "real.en").write_text("one line\n", encoding="utf-8")
    assert evaluate(run) == 2
    one_line(capsys, "real.en")
    (tmp_path / "real.en").unlink()
    assert evaluate(run) == 2
    one_line(capsys, "real.en")
    assert not (run / "report.json").exists()


def test_a_damaged_report_is_not_overwritten(run, echo, capsys):
    (run / "report.json").write_text("{", encoding="utf-8")
    assert evaluate(run) == 2
    one_line(capsys, "report.json")
    assert (run / "report.json").read_text(encoding="utf-8") == "{"


def test_a_recipe_without_test_sets(run):
    translator = Translator.load(run, "cpu", "fp32")
    with pytest.raises(ValueError, match="data.test"):
        evaluate_tests(translator, Config())


def test_a_report_of_a_training_says_what_made_it(tmp_path, run, echo):
    corpus = CorpusConfig(source=str(tmp_path / "own.de"), target=str(tmp_path / "own.en"))
    config = Config(data=DataConfig(test={"own": corpus}, cache=str(tmp_path / "cache")))
    tests = evaluate_tests(Translator.load(run, "cpu", "fp32"), config, bootstrap=0)
    assert "low" not in tests["own"]["scores"]["BLEU"]
    assert "100.00" in table(tests)
    write_report(tmp_path, {"steps": 3}, tests)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["steps"] == 3 and report["test"] == tests and report["versions"]["torch"].startswith("2.")
