"""`translate rerank`, and `--rerank` of the commands: from tuning to translations, on tiny trained models; and what users do wrong."""

from __future__ import annotations

import random
import re
import shutil

import pytest
import yaml

from tests.conftest import copy_of_shared, one_line, tiny_config
from tests.fuzz_cases import rerank as damaged
from tests.rerank_models import make_language_model, make_reverse, rerank_file
from tests.test_markov_runs import config_of
from translate import Translator, evaluate
from translate.cli.main import main
from translate.errors import UserError
from translate.evaluation.scoring import corpus_bleu
from translate.training.run import train
from translate.translation.rerank_file import read_reranking

WEIGHTS = {"reverse": 0.5, "language_model": 0.2, "length": 0.1}
ON = ["--device", "cpu", "--precision", "fp32"]


@pytest.fixture(scope="module")
def reverse(tmp_path_factory, corpus_folder):
    """English to German, with a tokenizer of its own."""

    def make(run):
        swapped = run.parent / "swapped"
        swapped.mkdir(exist_ok=True)
        for name in ("train", "dev"):
            for one, other in (("de", "en"), ("en", "de")):
                shutil.copy(corpus_folder / f"{name}.{one}", swapped / f"{name}.{other}")
        config = tiny_config(run, swapped, steps=150, validate_every=150)
        config.data.source_language, config.data.target_language = "en", "de"
        train(config)

    return copy_of_shared(tmp_path_factory, "reverse_for_reranking", make)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory, corpus_folder):
    return copy_of_shared(tmp_path_factory, "markov_for_reranking", lambda run: train(config_of(run, corpus_folder)))


def test_from_tuning_to_translations(trained, reverse, language_model, corpus_folder, tmp_path, capsys):
    """BLEU before and after is that of the translations without and with the file, on the recipe's development set."""
    file, models = tmp_path / "rerank.yaml", ["--reverse", str(reverse), "--language-model", str(language_model)]
    assert main(["rerank", "-m", str(trained), *models, "-o", str(file), "--n-best", "5", *ON]) == 0
    captured = capsys.readouterr()
    before, after = map(float, re.search(r"BLEU +([\d.]+) -> ([\d.]+) \(p = [\d.]+\)", captured.out).groups())
    assert "of 20 sentences of the recipe's development set" in captured.err and after >= before
    source, references = corpus_folder / "dev.de", (corpus_folder / "dev.en").read_text(encoding="utf-8").splitlines()
    lines = source.read_text(encoding="utf-8").splitlines()
    plain = Translator.load(trained, "cpu", "fp32").translate(lines, beam=5)
    assert corpus_bleu(plain, references)[0] == pytest.approx(before, abs=0.006)
    assert main(["file", "-m", str(trained), "--rerank", str(file), str(source), *ON]) == 0
    found = capsys.readouterr().out.splitlines()
    assert corpus_bleu(found, references)[0] == pytest.approx(after, abs=0.006)
    assert read_reranking(str(file)).development.after == after
    result = evaluate(trained, test=[str(source), str(corpus_folder / "dev.en")], rerank=file, metrics=["bleu"], device="cpu", precision="fp32")
    assert result["dev.de"]["scores"]["BLEU"]["value"] == after and result["dev.de"]["decoding"] == {
        "beam": 5, "length_penalty": read_reranking(str(file)).length_penalty, "rerank": "rerank.yaml",
    }  # fmt: skip
    # the whole folder moves: paths in the file begin at its own folder
    assert all(not path.startswith("/") for path in re.findall("path: (.*)", file.read_text()))


def test_one_model_files_of_ones_own_and_resuming(trained, reverse, corpus_folder, tmp_path, capsys):
    dev = [str(corpus_folder / "dev.de"), str(corpus_folder / "dev.en")]
    words = ["rerank", "-m", str(trained), "--reverse", str(reverse), "--dev", *dev, "-o", str(tmp_path / "r.yaml"), "--n-best", "3", *ON]
    assert main(words) == 0
    assert "weights   score 1, reverse " in capsys.readouterr().out
    first = (tmp_path / "r.yaml").read_bytes()
    assert set(yaml.safe_load(first)["weights"]) == {"reverse", "length"}
    assert main(words) == 0 and (tmp_path / "r.yaml").read_bytes() == first
    file = ["file", "-m", str(trained), "--rerank", str(tmp_path / "r.yaml"), dev[0], "-o", str(tmp_path / "out"), "--resume", "--n-best", "2", *ON]
    assert main(file) == 0
    rows = [line.split("\t") for line in (tmp_path / "out").read_text(encoding="utf-8").splitlines()]
    assert [row[0] for row in rows] == [str(number // 2 + 1) for number in range(40)]
    assert all(float(best[1]) >= float(other[1]) for best, other in zip(rows[::2], rows[1::2]) if "," not in best[2])


@pytest.fixture(scope="module")
def files(untrained, tmp_path_factory):
    """Untrained models, and files for them."""
    folder = tmp_path_factory.mktemp("mistakes")
    reverse, language_model = make_reverse(folder / "reverse"), make_language_model(folder / "lm")
    other = make_reverse(folder / "other", seed=4)
    good = rerank_file(folder / "good.yaml", [untrained], reverse, language_model, WEIGHTS)
    rerank_file(folder / "foreign.yaml", [other], reverse, language_model, WEIGHTS)
    (folder / "stale.yaml").write_text(good.read_text().replace("path: reverse", "path: other"))
    (folder / "gone.yaml").write_text(good.read_text().replace("path: reverse", "path: gone"))
    (folder / "notes.yaml").write_text("hello: 1\n")
    (folder / "short.yaml").write_text(good.read_text().removesuffix("...\n"))
    (folder / "newer.yaml").write_text(good.read_text().replace("format: 1", "format: 2"))
    (folder / "huge.yaml").write_text(good.read_text().replace("length: 0.1", "length: 1.0e+9"))
    (folder / "in").write_text("Haus\n")
    return folder


@pytest.mark.parametrize(
    "words, message",
    [
        (["nowhere.yaml"], "nowhere.yaml does not exist: `translate rerank` writes such a file"),
        (["reverse"], "reverse is not a file"),
        (["notes.yaml"], "notes.yaml is not a file of `translate rerank`"),
        (["short.yaml"], "is truncated"),
        (["newer.yaml"], "has format 2"),
        (["huge.yaml"], "weights.length is 1e+09"),
        (["foreign.yaml"], "has other weights than the model that"),
        (["stale.yaml"], "other has other weights than when"),
        (["gone.yaml"], "gone does not exist"),
        (["good.yaml", "--beam", "3"], "beam is 3: the rerank file takes the 4 best"),
        (["good.yaml", "--beam", "1"], "beam is 1"),
        (["good.yaml", "--beam", "9", "--n-best", "5"], "n_best is 5"),
        (["good.yaml", "--length-penalty", "0.3", "--scores"], "length_penalty is 0.3, but the weights were tuned with 1"),
        (["good.yaml", "--sample"], "--rerank has no effect with --sample"),
        (["good.yaml", "--engine", "ctranslate2"], "--rerank has no effect with --engine ctranslate2"),
        (["good.yaml", "--workers", "2"], "--rerank has no effect with --workers"),
        (["good.yaml", "--fuse", "lm", "--fuse-weight", "1"], "--rerank has no effect with --fuse"),
        (["good.yaml", "--min-confidence", "0.5"], "--min-confidence has no effect with --rerank"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line(untrained, files, words, message, capsys, monkeypatch):
    monkeypatch.chdir(files)
    assert main(["file", "-m", str(untrained), "in", "--rerank", *words]) == 2
    one_line(capsys, message)


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "nothing to score translations with"),
        (["--reverse", "{model}"], "translates de-en: a reverse model of de-en translates en-de"),
        (["--reverse", "lm"], "lm is a model that makes up text"),
        (["--language-model", "reverse"], "reverse is a model that translates"),
        (["--reverse", "reverse", "--dev", "in"], "dev has only"),
        (["--reverse", "reverse", "--dev", "in", "in", "--data", "."], "dev (in) and data (.) are both given"),
        (["--reverse", "reverse", "--dev", "in", "in", "--n-best", "1"], "n_best is 1"),
        (["--reverse", "reverse", "--dev", "in", "in", "--beam", "3"], "n_best (10) is more than beam (3)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_in_tuning_are_one_line(untrained, files, words, message, capsys, monkeypatch):
    monkeypatch.chdir(files)
    given = [word.format(model=untrained) for word in words]
    dev = [] if "--dev" in words else ["--dev", "in", "in"]
    assert main(["rerank", "-m", str(untrained), "-o", "new.yaml", *dev, *given]) == 2
    one_line(capsys, message)
    assert not (files / "new.yaml").exists()


def test_options_in_python(untrained, files):
    translator = Translator.load(untrained, "cpu", "fp32", rerank=files / "good.yaml")
    with pytest.raises(UserError, match="sampling and rerank are both given"):
        translator.translate("Haus", sample=True)
    with pytest.raises(UserError, match="beam is 2: the rerank file"):
        list(translator.translate_stream(["Haus"], beam=2))
    with pytest.raises(UserError, match="is for engine torch"):
        Translator.load(untrained, "cpu", engine="ctranslate2", rerank=files / "good.yaml")


def test_a_damaged_file_is_refused_in_one_line_or_read_as_it_was(tmp_path):
    case = damaged(tmp_path)
    seen = set()
    for seed in range(300):
        try:
            seen.add(case(random.Random(seed)))
        except UserError as error:
            assert "\n" not in str(error)
            seen.add("refused")
    assert seen == {"read", "refused"}
