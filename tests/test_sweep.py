"""Sweeps: which runs they are, what their folders are called, that one bad run ends nothing, and the table at the end."""

from __future__ import annotations

import json
import re
import signal
import sys
import types
from pathlib import Path

import pytest

from translate.cli.main import main
from translate.cli.train import compose
from translate.config import Config
from translate.errors import UserError
from translate.training.stopping import Stopped

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


@pytest.fixture
def trains(monkeypatch, tmp_path):
    """Sets what training does with a configuration; the working folder is empty."""
    monkeypatch.chdir(tmp_path)

    def use(train):
        monkeypatch.setitem(sys.modules, "translate.training.run", types.SimpleNamespace(train=train))

    return use


@pytest.fixture
def seen(trains) -> list[Config]:
    """The configurations that reach training, which does nothing."""
    configs: list[Config] = []
    trains(lambda config: configs.append(config) or {})
    return configs


def write_report(run: str, dev: float, test: float) -> dict:
    folder = Path(run)
    folder.mkdir(parents=True)
    scores = {"BLEU": {"value": test, "signature": SIGNATURE}, "chrF++": {"value": 1.0, "signature": "x"}}
    (folder / "report.json").write_text(json.dumps({"dev_bleu": dev, "test": {"unseen": {"scores": scores}}}), encoding="utf-8")
    return {}


def test_a_sweep_gives_each_run_a_folder_named_by_what_differs(seen):
    assert main(["train", "recipe=quickstart", "-m", "model=tiny,small", "training.seed=2"]) == 0
    assert [(config.run, config.model.width, config.training.seed) for config in seen] == [
        ("runs/quickstart,model=tiny", 128, 2),
        ("runs/quickstart,model=small", 256, 2),
    ]


def test_a_sweep_over_recipes(seen):
    main(["train", "-m", "recipe=multi30k_de_en,multi30k_en_de", "data.folder=/a/b"])
    assert [config.run for config in seen] == ["runs/multi30k_de_en", "runs/multi30k_en_de"]
    assert [config.data.source_language for config in seen] == ["de", "en"]


def test_a_sweep_leaves_run_alone_where_it_is_given(seen):
    main(["train", "-m", "recipe=quickstart", "model.width=8,16", "run=runs/width${model.width}"])
    assert [config.run for config in seen] == ["runs/width8", "runs/width16"]


def test_a_sweep_is_checked_whole_before_its_first_run(seen, capsys):
    assert main(["train", "-m", "recipe=quickstart", "model.width=8,9"]) == 2
    assert "model.width (9)" in capsys.readouterr().err
    assert not seen


@pytest.mark.parametrize(
    ("outcomes", "runs", "code"),
    [([None, UserError("no lines"), None], 3, 2), ([None, Stopped(signal.SIGTERM, 7)], 2, 143)],
    ids=["mistake", "signal"],
)
def test_a_sweep_returns_the_greatest_code_and_ends_when_interrupted(trains, seen, outcomes, runs, code):
    def train(config):
        seen.append(config)
        if error := outcomes[len(seen) - 1]:
            raise error
        return {}

    trains(train)
    assert main(["train", "-m", "recipe=quickstart", "training.seed=1,2,3"]) == code
    assert len(seen) == runs


def test_a_run_that_fails_is_named_and_the_others_go_on(trains, capsys):
    seen = []

    def train(config):
        seen.append(config.training.seed)
        if config.training.seed == 2:
            raise UserError("the corpus is empty")
        if config.training.seed == 3:
            raise FileNotFoundError(2, "No such file", "x.de")
        return write_report(config.run, 20.0, 30.0)

    trains(train)
    assert main(["train", "-m", "recipe=quickstart", "training.seed=1,2,3,4"]) == 2
    said = capsys.readouterr()
    assert seen == [1, 2, 3, 4]
    assert "translate: error: run 2 of 4 (training.seed=2): the corpus is empty\n" in said.err
    assert re.search(r"error: run 3 of 4 \(training.seed=3\): .*x\.de", said.err)
    assert "run 4 of 4 (training.seed=4): runs/quickstart,training.seed=4\n" in said.err
    rows = [line.split() for line in said.out.splitlines() if line.startswith("training.seed=")]
    assert [row[1:] for row in rows] == [["20.00", "30.00"], *[["-", "-", "failed", "(exit", "code", "2)"]] * 2, ["20.00", "30.00"]]


def test_the_table_has_mean_and_deviation_over_seeds(trains, capsys):
    values = {("tiny", 1): (10.0, 3.0), ("tiny", 2): (14.0, 4.0), ("tiny", 3): (15.0, 8.0), ("small", 1): (20.0, 5.5), ("small", 2): (20.0, 6.5)}

    def train(config):
        name = {128: "tiny", 256: "small"}[config.model.width]
        if (name, config.training.seed) not in values:
            raise UserError("the corpus is empty")
        return write_report(config.run, *values[name, config.training.seed])

    trains(train)
    assert main(["train", "-m", "recipe=quickstart", "model=tiny,small", "training.seed=1,2,3"]) == 2
    lines = capsys.readouterr().out.splitlines()
    (tiny,) = [line for line in lines if line.startswith("model=tiny mean")]
    (small,) = [line for line in lines if line.startswith("model=small mean")]
    assert re.search(r"of 3 seeds +13.00 ± 2.65 +5.00 ± 2.65$", tiny)  # sqrt((9 + 1 + 4) / 2), sqrt((4 + 1 + 9) / 2)
    assert re.search(r"of 2 seeds +20.00 ± 0.00 +6.00 ± 0.71$", small)
    assert lines[-1] == f"BLEU  {SIGNATURE}"


def test_without_seeds_there_is_no_mean(trains, capsys):
    trains(lambda config: write_report(config.run, 1.0, 2.0))
    assert main(["train", "-m", "recipe=quickstart", "model=tiny,small"]) == 0
    assert "mean" not in capsys.readouterr().out


def test_an_interrupted_sweep_says_what_was_not_started(trains, capsys):
    def train(config):
        if config.training.seed == 2:
            raise Stopped(signal.SIGTERM, 7)
        return write_report(config.run, 1.0, 2.0)

    trains(train)
    assert main(["train", "-m", "recipe=quickstart", "training.seed=1,2,3"]) == 143
    assert re.search(r"^training.seed=3 .*not started$", capsys.readouterr().out, re.MULTILINE)


def test_a_mistake_in_one_run_is_found_before_the_first_and_named(trains, capsys):
    trains(lambda config: 1 / 0)
    assert main(["train", "-m", "recipe=quickstart", "model.width=8,9", "model.heads=2"]) == 2
    assert "error: run 2 of 2 (model.width=9): model.width (9) must be a multiple" in capsys.readouterr().err


MANY = [
    "data=text", "data.folder=/some/folder", "optim.rate=0.002", "optim.warmup=200", "model.dropout=0.15", "training.log_every=50",
    "data.filters.max_ratio=3", "data.filters.max_tokens=100", "decoding.beam=4", "model.heads=4", "training.minutes=0", "training.steps=5",
]  # fmt: skip


def folders(*words: str) -> list[str]:
    found = [config.run for config in compose(["-m", "recipe=quickstart", *words])]
    assert len(set(found)) == len(found) and all(len(Path(folder).name.encode()) <= 255 for folder in found)
    return found


def test_only_what_differs_is_in_the_name():
    assert folders(*MANY, "training.seed=1,2") == ["runs/quickstart,training.seed=1", "runs/quickstart,training.seed=2"]
    assert folders(*MANY) == ["runs/quickstart"]


def test_a_long_name_is_cut_and_stays_its_own():
    sets = [f"/some/folder/{'x' * 150}/{name}" for name in "abc"]
    found = folders(f"data.folder={','.join(sets)}", "training.seed=1,2")
    assert len(found) == 6 and folders(f"data.folder={','.join(sets)}", "training.seed=1,2") == found  # the same name again, or nothing could resume


def test_values_that_a_file_name_can_t_hold():
    assert len(folders("data.folder=a/b,a_b,'a b','a:b'", "data=text")) == 4


@pytest.mark.parametrize("run", ["run=x", "run=runs/x${model.width}", "run=x,y"])
def test_a_run_folder_that_does_not_tell_the_runs_apart_gets_what_differs(run):
    """`choose another folder with run=FOLDER` is what other messages advise: it works in a sweep too."""
    found = folders(run, "model.width=8,16", "training.seed=1,2")
    assert len(found) == (8 if "," in run else 4)


def test_the_advice_for_recipes_that_share_a_folder_works():
    found = [config.run for config in compose(["-m", "recipe=quickstart,multi30k_de_en", "run=x"])]
    assert found == ["x,recipe=quickstart", "x,recipe=multi30k_de_en"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["training.seed=1,1"], "training.seed=1 is given twice"),
        (["optim.rate=interval(0,1)"], "optim.rate=VALUE,VALUE"),
        (["training.steps=10,000"], "write the number without commas, training.steps=10000"),
        (["training.seed=range(1000000000000)"], "at least 1,001 runs: at most 1,000 are allowed"),
        (["training.seed=range(100)", "model.width=range(2,200,2)"], "9,900 runs: at most 1,000 are allowed"),
        (["model=glob(x*)"], "matches none of base, big"),
    ],
)
def test_a_sweep_that_can_t_be_meant(words, message):
    with pytest.raises(UserError, match=re.escape(message)):
        compose(["-m", "recipe=quickstart", *words])


def test_ranges_and_globs():
    assert [config.training.seed for config in compose(["-m", "recipe=quickstart", "training.seed=range(3,6)"])] == [3, 4, 5]
    assert len(compose(["-m", "recipe=glob(multi30k_??_*)"])) == 3
