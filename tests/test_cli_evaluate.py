"""`translate evaluate` and what training uses of it: the scores are sacreBLEU's own, the report holds them, mistakes are one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu
from sacrebleu.dataset import DATASETS

from translate.bundle.bundle import Bundle, build_model, write_config, write_model
from translate.cli.main import main
from translate.config import Config, CorpusConfig, DataConfig, DecodingConfig, FilterConfig, ModelConfig, TokenizerConfig
from translate.decoding import Options
from translate.evaluation.evaluation import evaluate_tests
from translate.evaluation.report import format_table, write_report
from translate.evaluation.scoring import score
from translate.tokenizer import train_tokenizer
from translate.translation.pieces import Translation
from translate.translation.translator import Translator

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


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """This machine's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "machine"))
    return tmp_path / "machine"


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


def test_a_wrong_seed_is_told_before_the_work_and_never_takes_the_report_of_a_training(run, echo, tmp_path, capsys, monkeypatch):
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
# Other test sets than the recipe's


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def printed(capsys) -> dict:
    """The test sets in the JSON on stdout."""
    return json.loads(capsys.readouterr().out)["test"]


def test_it_says_where_it_reads_and_uses_the_cache_of_this_machine(run, echo, cache, tmp_path, capsys):
    """A bundle's config.yaml names the paths of whoever made it."""
    assert evaluate(run) == 0
    said = capsys.readouterr().err.splitlines()
    assert f"translate: test set own: 6 sentences of {tmp_path / 'own.de'}, {tmp_path / 'own.en'}" in said
    assert (cache / "translate-nmt").is_dir() and not (tmp_path / "cache").exists()


def test_the_recipes_sets_from_another_folder(run, echo, tmp_path, capsys):
    for name in ("own", "real"):
        for language in ("de", "en"):
            write(tmp_path / "other" / f"{name}.{language}", ["Ein anderer Satz, der länger ist."])
    assert evaluate(run, "--data", str(tmp_path / "other"), "--format", "json") == 0
    tests = printed(capsys)
    assert {name: test["sentences"] for name, test in tests.items()} == {"own": 1, "real": 1}
    assert tests["own"]["from"] == f"{tmp_path / 'other' / 'own.de'}, {tmp_path / 'other' / 'own.en'}"


def test_files_of_ones_own_take_the_place_of_the_recipes(run, echo, tmp_path, capsys):
    source, reference = write(tmp_path / "a" / "news.de", SOURCES[:2]), write(tmp_path / "a" / "news.en", ["Der Hund schläft.", "Nichts davon."])
    other = write(tmp_path / "a" / "second.en", ["Ein Hund, der schläft.", "Die Katze läuft."])
    assert evaluate(run, "--test", str(source), str(reference), str(other), "--metrics", "bleu,chrf", "--lowercase", "--format", "json") == 0
    tests = printed(capsys)
    assert set(tests) == {"news.de"} and set(tests["news.de"]["scores"]) == {"BLEU", "chrF2++"}
    truth = sacrebleu.BLEU(lowercase=True).corpus_score(SOURCES[:2], [reference.read_text().splitlines(), other.read_text().splitlines()])
    own = tests["news.de"]["scores"]["BLEU"]
    assert own["value"] == round(truth.score, 2) and "nrefs:2|" in own["signature"] and "|case:lc|" in own["signature"]
    assert set(json.loads((run / "report.json").read_text())["test"]) == {"news.de"}


def test_recipe_and_own_files_together(run, echo, tmp_path, capsys):
    source = write(tmp_path / "news.de", SOURCES[:2])
    assert evaluate(run, "--data", str(tmp_path), "--test", str(source), str(source), "--format", "json", "--metrics", "chrf") == 0
    assert set(printed(capsys)) == {"own", "real", "news.de"}


@pytest.mark.parametrize("format", ["text", "json"])
def test_figures_are_not_lost_where_the_report_cannot_be_written(run, echo, capsys, format):
    (run / "report.json").symlink_to("/proc/no/such/folder/report.json")  # nobody can, not even root
    assert evaluate(run, "--format", format) == 0
    captured = capsys.readouterr()
    assert "100.0" in captured.out and "translate: warning: the figures could not be saved: " in captured.err
    assert "translate: written to" not in captured.err


def test_unfit_test_sets_are_told(run, echo, tmp_path, capsys):
    source = write(tmp_path / "news.de", [line.replace(".", " .") for line in SOURCES if line])
    reference = write(tmp_path / "news.en", ["a", "b &amp; c", "d", "e", "f"])
    assert evaluate(run, "--test", str(source), str(reference)) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warned) == 3
    assert "news.de, source, looks tokenised" in warned[0] and "news.de, reference, has HTML entities like &amp; in 1 of 5" in warned[1]
    assert "news.de: BLEU is 0 on this set even for a perfect translation" in warned[2]


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


MISTAKES = {
    "one file": (["--test", "a.de"], "--test takes SOURCE and REFERENCE, and got a.de alone"),
    "another length": (["--test", "own.de", "short.en"], "own.de has 6 lines, short.en 1: source and reference must be line-aligned"),
    "no such file": (["--test", "own.de", "none.en"], "none.en"),
    "empty": (["--test", "empty", "empty"], "empty is empty"),
    "no folder": (["--data", "own.de"], "own.de is not a folder"),
    "folder without them": (["--data", "run"], "own.de"),
    "unknown set": (["--testset", "wmt144"], "unknown test set 'wmt144': did you mean wmt14?"),
    "nothing like it": (["--testset", "qqqq"], "for de-en there are"),
    "another pair": (["--testset", "mtnt2019"], "has no de-en, the languages of this model, only"),
    "set twice": (["--testset", "wmt14", "wmt14"], "two test sets are called wmt14"),
    "metric": (["--metrics", "bleu,x"], "unknown metric 'x'"),
    "tokenizer without BLEU": (["--metrics", "chrf", "--tokenize", "char"], "--tokenize has no effect"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_wrong_set_is_one_line(case, run, tmp_path, capsys, monkeypatch):
    words, message = MISTAKES[case]
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "short.en", ["one"])
    write(tmp_path / "empty", [])
    published(tmp_path / "published", monkeypatch)
    assert evaluate(run, *words) == 2
    one_line(capsys, message)


def test_relative_paths_of_the_recipe_in_another_folder(run, tmp_path, capsys, monkeypatch):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace(f"{tmp_path}/own.", "own."))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert evaluate(run) == 2
    one_line(capsys, "test set own: own.de does not exist here", "training was started: give --data FOLDER, or --test SOURCE REFERENCE")
    assert evaluate(run, "--data", str(tmp_path), "--beam", "1") == 0  # the way that the message names


# ---------------------------------------------------------------------------------------------------------------------------------------
# sacreBLEU's test sets, as it keeps them once they are downloaded

REFERENCES = ["The dog is asleep here.", "The cat is running away."]


def published(folder: Path, monkeypatch=None) -> Path:
    for field, lines in {"src": SOURCES[:2], "ref": REFERENCES, "docid": ["a", "a"], "genre": ["b", "b"], "origlang": ["de", "de"]}.items():
        write(folder / "wmt14" / f"wmt14.de-en.{field}", lines)
    if monkeypatch:
        monkeypatch.setattr("translate.evaluation.testsets.DATASETS", {**DATASETS, "wmt14": type(DATASETS["wmt14"])(**vars_of("wmt14"))})
        from translate.evaluation.testsets import DATASETS as patched

        patched["wmt14"]._outdir = str(folder / "wmt14")
    return folder


def vars_of(name: str) -> dict:
    dataset = DATASETS[name]
    return {"name": name, "data": dataset.data, "description": "", "citation": "", "md5": dataset.md5, "langpairs": dataset.langpairs}


def test_a_published_set_by_name(run, echo, tmp_path, capsys, monkeypatch):
    published(tmp_path / "published", monkeypatch)
    assert evaluate(run, "--testset", "wmt14", "--format", "json") == 0
    test = printed(capsys)["wmt14"]
    assert test["scores"]["chrF2++"]["value"] == round(score(SOURCES[:2], [REFERENCES], ["chrf"])[0].value, 2)
    assert test["samples"][0]["reference"] == REFERENCES[0] and "wmt14.de-en.src" in test["from"]


def test_a_published_set_gives_the_figure_of_the_sacrebleu_command(run, tmp_path, capsys, monkeypatch):
    folder = published(tmp_path / "published", monkeypatch)
    assert evaluate(run, "--testset", "wmt14", "--metrics", "chrf", "--format", "json") == 0
    test = printed(capsys)["wmt14"]
    write(tmp_path / "out", [sample["translation"] for sample in test["samples"]])
    words = ["-t", "wmt14", "-l", "de-en", "-i", str(tmp_path / "out"), "-m", "chrf", "--chrf-word-order", "2", "-f", "json", "-w", "2"]
    environment = {**os.environ, "SACREBLEU": str(folder)}
    truth = json.loads(subprocess.run([sys.executable, "-m", "sacrebleu", *words], env=environment, capture_output=True, check=True).stdout)
    assert test["scores"]["chrF2++"]["value"] == truth["score"]


def test_a_download_that_fails_is_one_line(run, tmp_path, capsys, monkeypatch):
    published(tmp_path / "published", monkeypatch)
    (tmp_path / "published" / "wmt14" / "wmt14.de-en.ref").unlink()

    def offline(*words):
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    assert evaluate(run, "--testset", "wmt14") == 2
    one_line(capsys, "test set wmt14 could not be downloaded to ", "Name or service not known")
    (tmp_path / "published" / "wmt14" / "wmt14.de-en.src").unlink()
    assert evaluate(run, "--testset", "wmt14") == 2
    assert capsys.readouterr().err.startswith(f"translate: test set wmt14: downloading it to {tmp_path / 'published' / 'wmt14'}\n")
