"""`translate evaluate` and what training uses of it: the scores are those of sacreBLEU, the report has them, mistakes are one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import sacrebleu

from tests.conftest import one_line
from tests.evaluate_run import SOURCES, evaluate, printed, write
from translate.cli.main import main
from translate.config import Config, CorpusConfig, DataConfig
from translate.decoding import Options
from translate.evaluation.evaluation import evaluate_tests
from translate.evaluation.report import format_table, write_report
from translate.translation.translator import Translator

pytestmark = pytest.mark.usefixtures("cache")


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
    for result in real["scores"].values():
        assert result["signature"] in out


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


def test_a_wrong_seed_is_reported_before_the_work_and_never_takes_the_report_of_a_training(run, echo, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SACREBLEU_SEED", "abc")
    assert evaluate(run) == 2
    one_line(capsys, "the environment variable SACREBLEU_SEED is 'abc'")
    corpus = CorpusConfig(source=str(tmp_path / "own.de"), target=str(tmp_path / "own.en"))
    config = Config(data=DataConfig(test={"own": corpus}, cache=str(tmp_path / "cache")))
    tests = evaluate_tests(Translator.load(run, "cpu", "fp32"), config)
    assert tests["own"]["scores"]["BLEU"]["value"] == 100 and "low" not in tests["own"]["scores"]["BLEU"]
    assert "the scores have no intervals" in capsys.readouterr().err


def test_a_report_of_a_training_says_what_made_it(tmp_path, run, echo):
    corpus = CorpusConfig(source=str(tmp_path / "own.de"), target=str(tmp_path / "own.en"))
    config = Config(data=DataConfig(test={"own": corpus}, cache=str(tmp_path / "cache")))
    tests = evaluate_tests(Translator.load(run, "cpu", "fp32"), config, bootstrap=0)
    assert "low" not in tests["own"]["scores"]["BLEU"]
    assert "100.00" in format_table(tests)
    write_report(tmp_path, {"steps": 3}, tests)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["steps"] == 3 and report["test"] == tests and report["versions"]["torch"].startswith("2.")


# ---------------------------------------------------------------------------------------------------------------------------------------


def in_languages(run: Path, source: str, target: str) -> None:
    text = (run / "config.yaml").read_text()
    text = text.replace("source_language: de", f"source_language: {source}").replace("target_language: en", f"target_language: {target}")
    (run / "config.yaml").write_text(text)


def test_the_tokenizer_follows_the_target_language(run, echo, tmp_path, capsys):
    in_languages(run, "de", "zh-CN")
    chinese = ["我今天很高兴见到你们大家。", "这是一个测试，结果很好。"]
    source, reference = write(tmp_path / "news.de", chinese), write(tmp_path / "news.zh", [line.replace("今天", "明天") for line in chinese])
    assert evaluate(run, "--test", str(source), str(reference), "--format", "json") == 0
    own = printed(capsys)["news.de"]["scores"]["BLEU"]
    truth = sacrebleu.BLEU(tokenize="zh").corpus_score(chinese, [reference.read_text().splitlines()])
    assert own["value"] == round(truth.score, 2) > 50 and "|tok:zh|" in own["signature"]
    assert evaluate(run, "--test", str(source), str(reference), "--tokenize", "char", "--format", "json") == 0
    assert "|tok:char|" in printed(capsys)["news.de"]["scores"]["BLEU"]["signature"]


def test_without_mecab_bleu_is_left_out_unless_asked_for(run, echo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ja_mecab.MeCab", None)
    in_languages(run, "de", "ja")
    assert evaluate(run) == 0
    captured = capsys.readouterr()
    reason = "BLEU's tokenizer ja-mecab needs packages that are not installed: pip install 'sacrebleu[ja]'"
    assert f"own: BLEU is left out: {reason}" in captured.err and f"BLEU of own is left out: {reason}" in captured.out
    assert set(json.loads((run / "report.json").read_text())["test"]["own"]["scores"]) == {"chrF2++", "TER"}
    assert evaluate(run, "--metrics", "bleu") == 2
    one_line(capsys, "pip install 'sacrebleu[ja]'")


def test_ter_of_a_very_long_line_is_left_out_and_the_table_shows_it(run, echo, tmp_path, capsys):
    long = write(tmp_path / "long.de", ["Ein kurzer Satz steht hier.", " ".join(["Wort und Satz"] * 500)])
    assert evaluate(run, "--data", str(tmp_path), "--test", str(long), str(long)) == 0
    captured = capsys.readouterr()
    assert "long.de: TER is left out: line 2 has 1,500 words" in captured.err and "TER of long.de is left out: line 2" in captured.out
    assert re.search(r"^long\.de +2 +100\.00 \[100\.00, 100\.00\] +100\.00 \[\S+ \S+\] +- +\d", captured.out, re.MULTILINE)


def test_intervals_are_written_as_translate_score_writes_them(run, echo, tmp_path, capsys):
    assert evaluate(run, "--metrics", "chrf") == 0
    row = re.search(r"^real +6 +(\S+ \[\S+ \S+\])", capsys.readouterr().out, re.MULTILINE)[1]
    write(tmp_path / "out.en", SOURCES)
    assert main(["score", str(tmp_path / "real.en"), "-i", str(tmp_path / "out.en"), "--metrics", "chrf"]) == 0
    assert re.sub(r" +", " ", row) in re.sub(r" +", " ", capsys.readouterr().out)
