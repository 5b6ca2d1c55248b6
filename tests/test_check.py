"""`translate check`: shifted lines are found where they are and nowhere else; leaks, swapped sides and bad files are reported."""

from __future__ import annotations

import json
import math
import os
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import tiny_config
from translate import phrasebook
from translate.checks.alignment import find_shifts
from translate.checks.data_checks import check_data
from translate.cli.main import main
from translate.config import Config, CorpusConfig, DataConfig
from translate.training.inputs import cheap_checks
from translate.training.run import train
from translate.training.trial import check_model

DATA = os.environ.get("TRANSLATE_DATA")


def read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def shift(sources: list[str], targets: list[str], at: int, offset: int, lines: int = 20) -> tuple[list[str], list[str]]:
    """`lines` lines from place `at` on move `offset` lines, on one side; the lines that they displace come after them, or before."""
    sides = [list(sources), list(targets)]
    side, size = sides[offset > 0], abs(offset)
    lost = side[at : at + size]
    del side[at : at + size]
    side[at + lines : at + lines] = lost
    return sides[0], sides[1]


def corpus(name: str) -> tuple[list[str], list[str]]:
    """5,000 pairs of text: of the built-in corpus, or of a real one."""
    if name == "phrasebook":
        return tuple(map(list, zip(*phrasebook.pairs("train")[:5000])))
    if not DATA:
        pytest.skip("TRANSLATE_DATA is not set")
    return tuple(read(Path(DATA, name, f"train.{language}"))[:5000] for language in ("de", "en"))


def find_shifted_windows(name: str, offsets: Sequence[int]) -> None:
    sources, targets = corpus(name)
    draw = random.Random(name)
    for offset in offsets:
        at = draw.randrange(100, 4800)
        found = find_shifts(*shift(sources, targets, at, offset))
        begin = at + max(offset, 0)
        assert any(abs(each.first - begin - 1) <= 5 and abs(each.last - begin - 20) <= 5 for each in found), (at, offset, found)
    assert find_shifts(sources, targets) == []


@pytest.mark.parametrize("name", ["phrasebook", "multi30k", "tatoeba"])
def test_a_shifted_window_of_20_lines_is_found_where_it_is(name):
    find_shifted_windows(name, [1, -70])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["multi30k", "tatoeba"])
def test_shifted_windows_at_every_offset_are_found_where_they_are(name):
    find_shifted_windows(name, 3 * [1, -1, 2, -2, 3, -3, 5, 8, -13, 30, -70])


def test_a_lost_line_shifts_the_rest_of_the_file():
    sources, targets = corpus("phrasebook")
    (found,) = find_shifts(sources[:-1], targets[:4000] + targets[4001:])
    assert found.offset == -1 and abs(found.first - 4001) <= 5 and found.last >= 4990


def write(folder: Path, **sides: list[str]) -> None:
    for name, lines in sides.items():
        (folder / name.replace("_", ".")).write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def test_a_faulty_corpus_is_told_and_the_run_folder_stays_away(tmp_path, capsys):
    sources, targets = corpus("phrasebook")
    left, right = shift(sources, targets, 2000, 1)
    write(tmp_path, train_de=left, train_en=right, dev_de=sources[:5], dev_en=targets[:5], test_de=targets[:99], test_en=sources[:99])
    words = ["check", "recipe=quickstart", "data=text", f"data.folder={tmp_path}", f"data.cache={tmp_path / 'cache'}", f"run={tmp_path / 'run'}"]
    assert main([*words, "--json"]) == 1
    findings = [(each["severity"], each["text"]) for each in json.loads(capsys.readouterr().out)["findings"]]
    assert any(severity == "warning" and "look shifted by" in text for severity, text in findings)
    assert any(severity == "warning" and "5 pairs of 5 are also in training (pairs: line 1, 2, 3, ...)" in text for severity, text in findings)
    assert any(severity == "error" and "source side looks like en" in text for severity, text in findings)
    assert not (tmp_path / "run").exists()
    (tmp_path / "dev.en").write_text("one\n", encoding="utf-8")
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "error    validation 1" in out and "look shifted by" in out  # the others are checked all the same
    for name in ("train.de", "train.en"):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert main(words) == 1
    assert "error    train 1 " in capsys.readouterr().out


ALTERED = {  # what happens to a text on its way into two corpora
    "blank at the end": lambda text: text + " ",
    "no-break space": lambda text: text.replace(" ", "\u00a0"),
    "capitals": str.upper,
    "quotes": lambda text: f"„{text}“",
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "end mark": lambda text: text.rstrip(".!?"),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_development_pair_that_is_in_training_in_another_form_is_distinguished_from_exact_ones(name, tmp_path):
    sources, targets = corpus("phrasebook")
    alter = ALTERED[name]
    chosen = [number for number in range(3000, 3300) if alter(sources[number]) != sources[number]][:8]
    write(tmp_path, train_de=sources[:200] + [alter(sources[n]) for n in chosen], train_en=targets[:200] + [alter(targets[n]) for n in chosen])
    held_out = [*chosen, 7, 3500]  # 7 is in training as it is, 3500 doesn't
    write(tmp_path, dev_de=[sources[n] for n in held_out], dev_en=[targets[n] for n in held_out])
    found = [finding for finding in check_data(tiny_config(tmp_path / "run", tmp_path)) if finding.name == "validation 1"][-1]
    assert found.severity == "warning"
    exact, near = found.text.split("; ")
    assert exact.endswith(" 1 pairs of 10 are also in training (pairs: line 9)")
    assert near.endswith(f"{len(chosen)} more (pairs: line 1, 2, 3, ...)")


SPOILT = {  # words of the warning, and how text comes to be so
    "looks tokenised": lambda text: re.sub(r"([.,!?])", r" \1", text),
    "still has subword marks": lambda text: re.sub(r"(\w{3})(?=\w)", r"\1@@ ", text),
    "decoded in the wrong encoding": lambda text: text.replace("e", "é").encode().decode("cp1252"),
    "HTML entities": lambda text: text.replace("e", "&eacute;"),
    "soft hyphens": lambda text: re.sub(r"(\w{4})(?=\w)", "\\1\u00ad", text),
    "is SGML, XML or HTML": lambda text: f'<seg id="1">{text}</seg>',
}


@pytest.mark.parametrize("warning", SPOILT)
def test_unsuitable_text_is_reported_by_check_and_train(warning, tmp_path, capsys, monkeypatch):
    sources, targets = corpus("phrasebook")
    write(tmp_path, train_de=sources[:300], train_en=list(map(SPOILT[warning], targets[:300])), dev_de=sources[3000:3060], dev_en=targets[3000:3060])
    monkeypatch.setattr("translate.training.trial.check_model", lambda config: iter(()))
    words = ["recipe=quickstart", "data=text", "~data.test.test", f"data.folder={tmp_path}", f"data.cache={tmp_path / 'cache'}"]
    main(["check", *words])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert any(line[9:].startswith("train 1 ") and "the target side" in line and warning in line for line in lines), lines
    assert not any("the source side" in line or line[9:].startswith("validation") for line in lines)
    said: list[str] = []
    cheap_checks(tiny_config(tmp_path / "run", tmp_path), said.append)
    assert any(warning in line for line in said)


@pytest.mark.skipif(not DATA, reason="needs TRANSLATE_DATA")
@pytest.mark.parametrize("name", ["multi30k/val", "tatoeba/dev", "newstest2012/test", "wmt23_deen/test"])
def test_clean_text_is_not_warned_of(name, tmp_path):
    files = [f"{DATA}/{name}.{language}" for language in ("de", "en")]
    if not all(map(os.path.exists, files)):
        pytest.skip(f"no {name}")
    corpus = CorpusConfig(source=files[0], target=files[1])
    found = check_data(Config(data=DataConfig(train=[corpus], cache=str(tmp_path))), cheap=True)
    assert [finding.line() for finding in found if finding.severity == "warning"] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["optim=noam", "optim.warmup=4000", "training.steps=1000"], "optim.warmup is 4,000 steps and the training about 1,000"),
        (["optim=noam", "training.steps=1000"], "which is a factor in schedule noam"),  # the recipe's rate is meant for another schedule
        (["training.steps=300", "optim.warmup=200"], "the learning rate rises during most of it"),
        (["training.steps=1000"], None),
    ],
)
def test_a_schedule_that_does_not_fit_the_budget_is_reported(words, expected, tmp_path, corpus_folder, capsys, monkeypatch):
    monkeypatch.setattr("translate.training.trial.check_model", lambda config: iter(()))
    cache = f"data.cache={corpus_folder / 'cache'}"
    main(["check", "recipe=quickstart", "data=text", "~data.test.test", f"data.folder={corpus_folder}", cache, *words])
    lines = [line for line in capsys.readouterr().out.splitlines() if line[9:].startswith("schedule")]
    assert len(lines) == 1 and lines[0].startswith("warning" if expected else "ok") and (expected or "") in lines[0]


def test_characters_that_hardly_occur_or_are_normalised_are_reported(tmp_path, capsys):
    sources, targets = corpus("phrasebook")
    write(tmp_path, train_de=sources[:1000], train_en=[*targets[:990], *["Temperature … 25 m², x™ ∇∆ ღ ჟ"] * 4, *targets[994:1000]])
    write(tmp_path, dev_de=sources[3000:3010], dev_en=targets[3000:3010])
    config = tiny_config(tmp_path / "run", tmp_path)
    config.decoding.length_penalty, config.tokenizer.normalization = 1.0, "nmt_nfkc"
    found = {finding.name: finding for finding in check_model(config)}
    assert "seen less than 10 times" in found["characters"].text and "tokenizer.character_coverage=0.9998" in found["characters"].hint
    count = int(found["characters"].text.split()[0])
    seen = Counter("".join([*sources[:1000], *targets[:990], *["Temperature ... 25 m2, xTM ∇∆ ღ ჟ"] * 4, *targets[994:1000]]))
    assert 4 <= count <= sum(0 < number < 10 for number in seen.values()) + 2
    assert found["normalization"].text.startswith("12 characters of the target side") and "… as ..." in found["normalization"].text
    assert "fixed at 1" in found["length penalty"].text
    config.tokenizer.normalization, config.decoding.length_penalty = "nfc", None  # null: it is tuned
    assert not {"normalization", "length penalty"} & {finding.name for finding in check_model(config)}


def test_training_says_at_every_start_what_the_quick_part_warns_of(tmp_path, corpus_folder, monkeypatch):
    sides = {f"train_{language}": read(corpus_folder / f"train.{language}")[:300] for language in ("de", "en")}
    write(tmp_path, **sides, dev_de=sides["train_de"][:20], dev_en=sides["train_en"][:20])
    monkeypatch.setattr("translate.training.run.Run.finish", lambda run: 1 / 0)  # neither start comes to its end
    for start in (1, 2):
        with pytest.raises(ZeroDivisionError):
            train(tiny_config(tmp_path / "run", tmp_path, steps=2, validate_every=2))
        log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
        assert log.count("warning  validation 1") == start, log


def test_a_misspelt_key_is_a_mistake(capsys):
    assert main(["check", "recipe=quickstart", "model.widht=8"]) == 2
    assert "width" in capsys.readouterr().err


def test_a_sound_recipe_passes_and_says_what_training_will_be_like(tmp_path, capsys):
    """The figures against what is counted here; exit code 0, nothing written but the cache of the corpora."""
    sources, targets = corpus("phrasebook")
    write(tmp_path, train_de=sources[:2000], train_en=targets[:2000], dev_de=sources[3000:3050], dev_en=targets[3000:3050])
    write(tmp_path, test_de=[line + " 漢字" for line in sources[4000:4050]], test_en=targets[4000:4050])
    words = ["check", "recipe=quickstart", "data=text", f"data.folder={tmp_path}", f"data.cache={tmp_path / 'cache'}", f"run={tmp_path / 'run'}"]
    words += ["tokenizer.vocabulary=600", "training.threads=1", "training.precision=fp32", "training.batch_tokens=300"]
    assert main([*words, "--json"]) == 0
    captured = capsys.readouterr()
    found = {(each["name"], each["severity"]): each["text"] for each in json.loads(captured.out)["findings"]}
    assert captured.err == ""
    kept = len(set(zip(sources[:2000], targets[:2000])))
    assert found[("filters", "ok" if kept == 2000 else "note")].startswith(f"{kept:,} of 2,000 pairs kept")
    assert "the filter's limit is 256, the model's 256" in found["lengths", "ok"]
    assert float(found["first loss", "ok"].split()[5].rstrip(",")) == pytest.approx(math.log(600), abs=1.5)
    assert "ln V = 6.40" in found["first loss", "ok"]
    before, after = (float(word) for word in re.findall(r"\d+\.\d+", found["one batch", "ok"]))
    assert before == pytest.approx(math.log(600), abs=1.5) and after < 0.7 * before
    assert found["validation", "ok"].startswith("0.00% of the source's tokens are bytes")
    assert "are bytes of characters that are not in training" in found["test", "warning"]
    for name in ("vocabulary", "validations", "time", "memory", "disk"):
        assert (name, "ok") in found, name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "dev.de", "dev.en", "test.de", "test.en", "train.de", "train.en"]


@pytest.mark.parametrize(
    ("words", "severity", "name", "text"),
    [
        (["tokenizer.vocabulary=60000"], "error", "tokenizer", "60000"),
        (["tokenizer.vocabulary=3000"], "warning", "vocabulary", "lower tokenizer.vocabulary"),
        (["data.filters.max_tokens=12"], "warning", "lengths", "raise data.filters.max_tokens"),
        (["data.filters.max_tokens=1"], "error", "filters", "no pair is left"),
        (["model.width=2", "model.heads=1", "model.feedforward=2"], "warning", "one batch", "check the model settings"),
    ],
)
def test_a_recipe_that_can_t_be_trained_is_reported(words, severity, name, text, tmp_path, capsys):
    sources, targets = corpus("phrasebook")
    write(tmp_path, train_de=sources[:1000], train_en=targets[:1000], dev_de=sources[3000:3005], dev_en=targets[3000:3005])
    write(tmp_path, test_de=sources[4000:4005], test_en=targets[4000:4005])
    usual = ["recipe=quickstart", "data=text", f"data.folder={tmp_path}", f"data.cache={tmp_path / 'cache'}"]
    usual += [] if "tokenizer.vocabulary" in words[0] else ["tokenizer.vocabulary=500"]
    code = main(["check", *usual, "training.threads=1", "training.batch_tokens=300", *words])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(severity) and line[9:].startswith(name)]
    assert any(text in line for line in lines) and code == (severity == "error")


def test_a_set_without_a_line_of_four_tokens_and_a_test_set_that_chooses_are_reported(tmp_path, capsys):
    words = [(f"Wort {number}", f"word {number}") for number in range(30)]
    sources, targets = corpus("phrasebook")
    write(tmp_path, train_de=sources[:1000], train_en=targets[:1000])
    write(tmp_path, dev_de=[source for source, _ in words], dev_en=[target for _, target in words])
    write(tmp_path, test_de=["Wort 3", *sources[4000:4005]], test_en=["word 3", *targets[4000:4005]])
    usual = ["check", "recipe=quickstart", "data=text", f"data.folder={tmp_path}", f"data.cache={tmp_path / 'cache'}", "tokenizer.vocabulary=500"]
    assert main([*usual, "training.threads=1", "training.batch_tokens=300"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert [line[9:].split()[0] for line in lines if "BLEU is 0 on this set: no line has four tokens" in line] == ["validation"]
    assert any("1 of 6 pairs are also in validation" in line and line[9:].startswith("test") for line in lines)


def test_validations_that_will_take_most_of_the_time_are_reported(tmp_path, capsys):
    sources, targets = corpus("phrasebook")
    write(tmp_path, train_de=sources[:1000], train_en=targets[:1000], dev_de=sources[3000:3200], dev_en=targets[3000:3200])
    write(tmp_path, test_de=sources[4000:4005], test_en=targets[4000:4005])
    usual = ["recipe=quickstart", "data=text", f"data.folder={tmp_path}", f"data.cache={tmp_path / 'cache'}", "tokenizer.vocabulary=500"]
    assert main(["check", *usual, "training.threads=1", "training.batch_tokens=300", "training.validate_every=1", "--json"]) == 0
    (found,) = [each for each in json.loads(capsys.readouterr().out)["findings"] if each["name"] == "validations"]
    assert found["severity"] == "warning" and "every 1 steps, on 200 sentences: " in found["text"]
    assert "set training.validate_every=" in found["hint"]


@pytest.mark.slow
def test_the_time_of_an_epoch_counts_the_passes_over_each_corpus(tmp_path, capsys):
    """A hundredth of the passes takes about a hundredth of the time, however noisy the machine."""
    sources, targets = corpus("phrasebook")
    write(tmp_path, train_de=sources[:2000], train_en=targets[:2000], dev_de=sources[3000:3020], dev_en=targets[3000:3020])
    words = ["check", "recipe=quickstart", "data=text", f"data.folder={tmp_path}", f"data.cache={tmp_path / 'cache'}", f"run={tmp_path / 'run'}"]
    words += ["tokenizer.vocabulary=600", "training.threads=1", "training.batch_tokens=300", "~data.test.test", "--json"]
    epochs = []
    for weight in (1, 100):
        assert main([*words, f"data.train.0.weight={weight}"]) == 0
        (time,) = [each["text"] for each in json.loads(capsys.readouterr().out)["findings"] if each["name"] == "time"]
        epochs.append(float(re.search(r"([\d.]+) epochs", time)[1]))
    assert 20 < epochs[0] / epochs[1] < 500
