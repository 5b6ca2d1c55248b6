"""The test sets of `translate evaluate`: the recipe's, also from another folder, files, and the published ones of sacreBLEU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu
from sacrebleu.dataset import DATASETS

from tests.conftest import one_line
from tests.evaluate_run import SOURCES, evaluate, printed, write
from translate.evaluation.scoring import score

pytestmark = pytest.mark.usefixtures("cache")


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
    assert "100.0" in captured.out and "translate: warning: the scores are not saved: " in captured.err
    assert "translate: written to" not in captured.err


def test_unsuitable_test_sets_are_reported(run, echo, tmp_path, capsys):
    source = write(tmp_path / "news.de", [line.replace(".", " .") for line in SOURCES if line])
    reference = write(tmp_path / "news.en", ["a", "b &amp; c", "d", "e", "f"])
    assert evaluate(run, "--test", str(source), str(reference)) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warned) == 3
    assert "news.de, source, looks tokenised" in warned[0] and "news.de, reference, has HTML entities like &amp; in 1 of 5" in warned[1]
    assert "news.de: BLEU is 0 on this set even for a perfect translation" in warned[2]


MISTAKES = {
    "one file": (["--test", "a.de"], "test has only a.de: it takes a source and one or more references"),
    "another length": (["--test", "own.de", "short.en"], "own.de has 6 lines, short.en 1: source and reference must be line-aligned"),
    "no such file": (["--test", "own.de", "none.en"], "none.en"),
    "empty": (["--test", "empty", "empty"], "empty is empty"),
    "no folder": (["--data", "own.de"], "own.de is not a folder"),
    "folder without them": (["--data", "run"], "own.de"),
    "unknown set": (["--testset", "wmt144"], "unknown test set 'wmt144': did you mean wmt14?"),
    "nothing like it": (["--testset", "qqqq"], "for de-en there are"),
    "another pair": (["--testset", "mtnt2019"], "does not have de-en, the languages of this model, only"),
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
