"""`translate check` of a run that starts from another: pieces, rate, and what the two have to do with each other's texts."""

from __future__ import annotations

import codecs
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import tiny_config
from translate import phrasebook
from translate.bundle.bundle import load_bundle, write_config
from translate.checks.init_checks import check_pieces, check_texts
from translate.config import Config, CorpusConfig, DataConfig, TokenizerConfig
from translate.errors import UserError
from translate.tokenizer import train_tokenizer
from translate.training.optim import check_start_rate, peak_rate
from translate.training.run import train
from translate.training.trial import check_all

DATA = os.environ.get("TRANSLATE_DATA")


def text(folder: Path, name: str, pairs) -> CorpusConfig:
    """The pairs as a corpus of files."""
    for language, lines in zip(("de", "en"), zip(*pairs)):
        (folder / f"{name}.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return CorpusConfig(source=str(folder / f"{name}.de"), target=str(folder / f"{name}.en"))


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def config_of(folder: Path, train, test=None, validation=()) -> Config:
    """With corpora of these pairs by name."""
    (folder / "texts").mkdir(exist_ok=True)
    corpora = {name: text(folder / "texts", name, pairs) for name, pairs in {**train, **(test or {}), **dict(validation)}.items()}
    data = DataConfig(
        train=[corpora[name] for name in train], test={name: corpora[name] for name in test or {}}, cache=str(folder / "cache"),
        validation=[corpora[name] for name in dict(validation)],
    )  # fmt: skip
    return Config(data=data)


PAIRS = phrasebook.pairs("train")
OLD, NEW, MORE = PAIRS[:1000], PAIRS[1000:2000], PAIRS[2000:2100]


def lines(findings) -> list[str]:
    return [finding.line() for finding in findings]


def test_a_test_set_that_the_other_run_was_trained_on(folder):
    config = config_of(folder, {"new": NEW}, {"half": [*OLD[:50], *MORE[:50]], "clean": MORE})
    half, clean = check_texts(config, config_of(folder, {"old": OLD}), "X")
    assert half.severity == "warning" and "50 pairs of 100 are also in the training text of X (pairs: line 1, 2, 3, ...)" in half.text
    assert half.hint == "its scores are too good: test on other text"
    assert clean.name == "clean" and "0 pairs of 100" in clean.text


def test_text_that_both_runs_train_on_is_compared_once(folder):
    """By check_data: as this run's."""
    config = config_of(folder, {"new": NEW, "copy": OLD}, {"test": MORE})
    assert list(check_texts(config, config_of(folder, {"old": OLD}), "X")) == []


@pytest.mark.parametrize("mixed", [False, True])
def test_the_old_test_set_without_the_old_text_is_advised_against_forgetting(folder, mixed):
    other = config_of(folder, {"old": OLD}, {"old_test": MORE})
    config = config_of(folder, {"new": NEW, **({"old": OLD} if mixed else {})}, {"old_test": MORE})
    if mixed:
        config.data.train[1].weight, config.data.train[1].lines = 0.1, "1-500"
    notes = [finding for finding in check_texts(config, other, "X") if "forgotten" in finding.text]
    assert [(note.severity, note.name) for note in notes] == ([] if mixed else [("note", "old_test")])


def test_no_advice_where_forgetting_is_not_measured(folder):
    other = config_of(folder, {"old": OLD}, {"old_test": MORE})
    config = config_of(folder, {"new": NEW}, {"test": PAIRS[3000:3100]})
    assert not [finding for finding in check_texts(config, other, "X") if "forgotten" in finding.text]


def test_text_of_the_other_run_that_is_gone_is_named(folder):
    other = config_of(folder, {"old": OLD, "more": MORE})
    config = config_of(folder, {"new": NEW}, {"test": [*MORE[:5], *PAIRS[3000:3010]]})
    (folder / "texts" / "old.de").unlink()
    (note,) = [finding for finding in check_texts(config, other, "X") if finding.name == "init"]
    assert "1 of 2 training corpora of X can't be read here" in note.text
    assert any("5 pairs of 15" in finding.text for finding in check_texts(config, other, "X"))


def test_nothing_is_downloaded_to_be_compared(folder, monkeypatch):
    other = config_of(folder, {"old": OLD})
    other.data.train = [CorpusConfig(kind="hub", path="someone/something", files="train")]
    config = config_of(folder, {"new": NEW}, {"test": MORE})
    (note,) = check_texts(config, other, "X")
    assert "1 of 1 training corpora" in note.text


def pieces(folder: Path, pairs, learnt, vocabulary=1000):
    (folder / "tokenizer").mkdir(exist_ok=True)
    tokenizer = train_tokenizer(learnt, TokenizerConfig(vocabulary=vocabulary), folder / "tokenizer")
    (finding,) = check_pieces(config_of(folder, {"new": pairs}), config_of(folder, {"old": OLD}), tokenizer, "X", "HINT")
    return finding


def test_pieces_of_the_same_kind_of_text_suit(folder):
    finding = pieces(folder, NEW, OLD)
    assert finding.severity == "ok" and finding.text.startswith("in the 1,000 pieces of X this text has ") and "0.0% are bytes" in finding.text
    assert 0.9 < float(re.search(r"has ([\d.]+) times", finding.text)[1]) < 1.2


@pytest.mark.parametrize("change", [str.upper, lambda line: codecs.encode(line, "rot13"), lambda line: "".join(chr(ord(c) + 0x350) for c in line)])
def test_text_that_is_cut_to_shreds_is_told(folder, change):
    finding = pieces(folder, [(change(source), change(target)) for source, target in NEW], OLD)
    assert (finding.severity, finding.name, finding.hint) == ("warning", "vocabulary", "HINT")


def test_old_text_that_is_mixed_in_does_not_hide_the_new(folder):
    shouted = [(source.upper(), target.upper()) for source, target in NEW]
    tokenizer = train_tokenizer(OLD, TokenizerConfig(vocabulary=1000), folder)
    (finding,) = check_pieces(config_of(folder, {"new": shouted[:500], "old": OLD}), config_of(folder, {"old": OLD}), tokenizer, "X", "")
    assert finding.severity == "warning"


def test_too_little_text_tells_nothing(folder):
    tokenizer = train_tokenizer(OLD, TokenizerConfig(vocabulary=1000), folder)
    assert list(check_pieces(config_of(folder, {"new": NEW[:3]}), config_of(folder, {"old": OLD}), tokenizer, "X", "")) == []


@pytest.mark.skipif(not DATA, reason="TRANSLATE_DATA is not set")
@pytest.mark.parametrize("name", ["multi30k", "europarl20k", "debian_gnome_help", "pypi_pretix", "bcontrast_chat"])
def test_other_kinds_of_text_raise_no_false_alarm(folder, name):
    """With pieces of captions and of everyday sentences."""

    def read(name: str):
        return list(zip(*(Path(DATA, name, f"train.{side}").read_text(encoding="utf-8").split("\n")[:20_000] for side in ("de", "en"))))

    for learnt, vocabulary in (("multi30k", 4000), ("tatoeba", 8000)):
        assert pieces(folder, read(name)[:6000], read(learnt), vocabulary).severity == "ok"


@pytest.mark.parametrize("rate, severity", [(0.0005, "ok"), (0.005, "ok"), (0.02, "warning")])
def test_a_rate_above_that_of_the_other_run_is_told(corpus_folder, tmp_path, rate, severity):
    other, config = tiny_config(tmp_path / "other", corpus_folder), tiny_config(tmp_path / "run", corpus_folder)
    config.optim.rate = rate
    finding = check_start_rate(config, other, "X")
    assert finding.severity == severity and f"the learning rate rises to {rate:.2g}, the weights of X were trained with 0.005" in finding.text
    if severity == "warning":
        config.optim.rate = float(finding.hint.split("=")[1].split()[0])
        assert peak_rate(config) == pytest.approx(0.00125, rel=0.05)
        assert check_start_rate(config, other, "X").severity == "ok"


def test_rates_of_other_schedules_are_compared_at_their_peaks(corpus_folder, tmp_path):
    other, config = tiny_config(tmp_path / "other", corpus_folder), tiny_config(tmp_path / "run", corpus_folder)
    config.optim.schedule, config.optim.rate, config.optim.warmup = "noam", 1.0, 4000
    assert peak_rate(config) == pytest.approx(32**-0.5 * 4000**-0.5)
    assert check_start_rate(config, other, "X").severity == "ok"
    other.data.train = []  # as of an imported model, which doesn't say
    assert "trained with 0.0003: above" in check_start_rate(config, other, "X").text


def test_the_command_says_all_of_it(whole, tmp_path, corpus_folder, capsys):
    config = tiny_config(tmp_path / "run", corpus_folder)
    config.init.from_, config.optim.rate = str(whole), 0.05
    findings = {finding.name: finding for finding in check_all(config)}
    assert findings["rate"].severity == "warning" and str(whole) in findings["rate"].text
    assert findings["first loss"].text.startswith("loss of the weights of init.from on this text")
    config.training.steps = config.training.validate_every = 1
    train(config)
    assert "warning  rate" in capsys.readouterr().err


@pytest.mark.parametrize("key, value", [("width", 48), ("encoder_layers", 2), ("norm", "post")])
def test_what_does_not_fit_is_told_as_by_train(whole, tmp_path, corpus_folder, key, value):
    config = tiny_config(tmp_path / "run", corpus_folder)
    config.init.from_ = str(whole)
    setattr(config.model, key, value)
    with pytest.raises(UserError) as caught:
        train(config)
    (error,) = [finding for finding in check_all(config) if finding.severity == "error"]
    assert (error.name, error.text) == ("init", str(caught.value))


def test_weights_of_other_shapes_are_told_as_by_train(whole, tmp_path, corpus_folder):
    """A run whose config.yaml says one thing and whose weights another."""
    other = Path(shutil.copytree(whole, tmp_path / "other"))
    bundle = load_bundle(whole)
    bundle.config.model.feedforward = 128
    write_config(other, bundle.config, bundle.tokenizer)
    config = tiny_config(tmp_path / "run", corpus_folder)
    config.init.from_, config.model.feedforward = str(other), 128
    with pytest.raises(UserError) as caught:
        train(config)
    (error,) = [finding for finding in check_all(config) if finding.severity == "error"]
    assert (error.name, error.text) == ("init", str(caught.value))


def test_a_run_that_is_not_there_is_told_once(tmp_path, corpus_folder):
    config = tiny_config(tmp_path / "run", corpus_folder)
    config.init.from_ = str(tmp_path / "nowhere")
    (error,) = [finding for finding in check_all(config) if finding.severity == "error"]
    assert error.name == "init" and "init.from: " in error.text and "does not exist" in error.text
