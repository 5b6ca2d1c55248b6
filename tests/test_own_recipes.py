"""Recipes of one's own: found wherever they lie, read as YAML 1.2, and every mistake told with its file and line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from translate.cli.train import compose
from translate.errors import UserError

HEAD = "# @package _global_\ndefaults:\n  - override /data: phrasebook\n"


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Writes my/recipe/NAME in an empty working folder; returns its path as a user types it."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "mine.yaml") -> str:
        path = Path("my/recipe") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path.as_posix()

    return write


def message(*words: str) -> str:
    with pytest.raises(UserError) as caught:
        compose(list(words))
    said = str(caught.value)
    assert "\n" not in said
    for foreign in ("Hydra's config", "OmegaConf", "DictConfig", "ListConfig", "ConfigKeyError", "hydra.sweep", "defaults list", "Ambiguous"):
        assert foreign not in said
    return said


def test_a_recipe_by_any_path(mine, tmp_path, monkeypatch):
    text = HEAD + "training: {steps: 3}\n"
    path = mine(text)
    mine(text, "other.yml")
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (path, f"./{path}", str(tmp_path / path), f"~/{path}", "my/recipe/mine", "my/recipe/other.yml", "my/recipe/other"):
        (config,) = compose([f"recipe={given}"])
        assert config.training.steps == 3
        assert config.run == f"runs/{Path(given).stem}"
    (config,) = compose(["--config-dir", "my", "recipe=other"])
    assert config.run == "runs/other"


def test_a_path_that_hydras_grammar_has_no_place_for(mine):
    path = mine(HEAD + "training: {steps: 3}\n", "my run (ä, 2).yaml")
    (config,) = compose([f"recipe={path}"])
    assert config.run == "runs/my_run__ä__2_"


def test_a_file_may_have_the_name_of_a_shipped_recipe(mine):
    (config,) = compose([f"recipe={mine(HEAD + 'training: {steps: 3}', 'quickstart.yaml')}"])
    assert (config.run, config.training.steps, config.training.minutes) == ("runs/quickstart", 3, 0)
    assert "builds on itself" in message(f"recipe={mine('# @package _global_' + chr(10) + 'defaults: [quickstart]', 'quickstart.yaml')}")


def test_a_recipe_builds_on_its_neighbour_and_on_choices_of_ones_own(mine):
    mine(HEAD + "training: {steps: 3, seed: 8}\n", "base.yaml")
    Path("my/model").mkdir()
    Path("my/model/mini.yaml").write_text("{width: 24, heads: 2}\n", encoding="utf-8")
    path = mine("# @package _global_\ndefaults:\n  - base\n  - _self_\n  - override /model: mini\ntraining: {seed: 9}\n")
    for words in ([f"recipe={path}"], ["--config-dir", "my", "recipe=mine"]):
        (config,) = compose(words)
        assert (config.training.steps, config.training.seed, config.model.width) == (3, 9, 24)
    Path("flat.yaml").write_text("# @package _global_\ndefaults: [under, _self_]\n", encoding="utf-8")
    Path("under.yaml").write_text(HEAD + "training: {steps: 4}\n", encoding="utf-8")
    assert compose(["recipe=flat.yaml"])[0].training.steps == 4


def test_values_are_those_of_yaml_1_2(mine):
    text = HEAD + (
        "data: {source_language: no, target_language: on, folder: 2024-01-02}\n"
        "tokenizer: {symbols: [yes, off, 1:30, 0b1, =]}\n"
        "model: {width: 0x80, max_tokens: 0o400, feedforward: 0512}\n"
        "optim: {rate: 1e-3, warmup: 2_000, label_smoothing: .1, clip: +1.}\n"
        "training: {steps: 3, tensorboard: True}\n"
    )
    (config,) = compose([f"recipe={mine(text)}"])
    assert (config.data.source_language, config.data.target_language, config.data.folder) == ("no", "on", "2024-01-02")
    assert config.tokenizer.symbols == ["yes", "off", "1:30", "0b1", "="]
    assert (config.model.width, config.model.max_tokens, config.model.feedforward) == (128, 256, 512)
    assert (config.optim.rate, config.optim.warmup, config.optim.label_smoothing, config.optim.clip) == (0.001, 2000, 0.1, 1.0)
    assert config.training.tensorboard is True


def test_anchors_and_merges(mine):
    text = HEAD + "data:\n  train:\n    - &a {kind: tsv, path: x}\n    - {<<: *a, weight: 2}\n    - {<<: [*a], path: y}\ntraining: {steps: 1}\n"
    (config,) = compose([f"recipe={mine(text)}"])
    assert [(corpus.kind, corpus.path, corpus.weight) for corpus in config.data.train] == [("tsv", "x", 1.0), ("tsv", "x", 2.0), ("tsv", "y", 1.0)]


MISTAKES = [
    (HEAD + "training:\n  minutes: 1:30\n", 5, "training.minutes is '1:30': it must be a number"),
    (HEAD + "training: {steps: 10,000}\n", 4, "unknown key training.000"),
    (HEAD + "training:\n  steps: '10,000'\n", 5, "training.steps is '10,000': it must be a whole number"),
    (HEAD + "data:\n  source_language: true\n", 5, "data.source_language is True: it must be text"),
    (HEAD + "training: {compile: maybe}\n", 4, "training.compile is 'maybe': it must be true or false"),
    (HEAD + "data:\n  train: {kind: tsv, path: x}\n", 5, "data.train must be a list, not {'kind': 'tsv', 'path': 'x'}; start each item with `- `"),
    (HEAD + "data:\n  train:\n    - kind: tsv\n      pth: x\n", 7, "unknown key data.train[0].pth: did you mean data.train[0].path?"),
    (HEAD + "data:\n  test:\n    mine: x.de\n", 6, "data.test.mine must be a mapping of settings, not 'x.de'"),
    (HEAD + "modle: {width: 8}\n", 4, "unknown key modle: did you mean model?"),
    (HEAD + "model: 8\n", 4, "model must be a mapping of settings, not 8"),
    (HEAD + "model:\n  width: 8\n\n  width: 16\n", 7, "model.width is given twice, first in line 5"),
    (HEAD + "model: {width: 8}\nmodel: {heads: 2}\n", 5, "model is given twice, first in line 4"),
    (HEAD + "  - /model: tiny\n", 4, "`- /model: tiny` must read `- override /model: tiny`"),
    (HEAD + "  - override model: tiny\n", 4, "`- override model: tiny` must read `- override /model: tiny`"),
    (HEAD + "  - model: tiny\n", 4, "`- model: tiny` must read `- override /model: tiny`"),
    (HEAD + "  - override /modle: tiny\n", 4, "there is no group modle: did you mean model?"),
    (HEAD + "  - override /model: tny\n", 4, "model=tny is unknown: did you mean tiny? choose one of base,"),
    (HEAD + "  - quickstart\n", 4, "`- quickstart` must come before the `override` lines"),
    ("# @package _global_\ndefaults:\n  - /recipe: quickstart\n", 3, "to build on another recipe, write `- quickstart`"),
    ("# @package _global_\ndefaults:\n  - quickstart.yml\n", 3, "'quickstart.yml' in defaults must be the name of a choice, without .yaml or .yml"),
    ("# @package _global_\ndefaults:\n  - quikstart\n", 3, "recipe=quikstart is unknown: did you mean quickstart?"),
    ("# @package _global_\ndefaults:\n  - [a, b]\n", 3, "an entry of defaults is"),
    ("# @package _global_\ndefaults: {override /model: tiny}\n", 2, "defaults must be a list, a line `- ...` for each file"),
    (HEAD + "model:\n  width: 8\nrun: runs/${a\n", 6, "run has a `${` that is not a reference: write ${KEY}"),
    (HEAD + "  - override /model@optim: tiny\n", 4, "`override /model@optim`: a choice can't be moved with @"),
    (HEAD + "  - override /model: null\n", 4, "model takes one choice: write `- override /model: CHOICE`"),
    (HEAD + "  - override /model: [tiny, small]\n", 4, "model takes one choice: write `- override /model: CHOICE`"),
    (HEAD + "  - override /data: text\n", 4, "data is given twice, first in line 3"),
    (HEAD + "training.steps: 3\n", 4, "unknown key training.steps: in a file it is training: {steps: ...}"),
    (HEAD + "model:\n\twidth: 8\n", 5, "not valid YAML"),
    (HEAD + "model: {width: !!float x}\n", 4, "not valid YAML: 'x' is not a float"),
]


@pytest.mark.parametrize(("text", "line", "part"), MISTAKES, ids=[part[:50] for _, _, part in MISTAKES])
def test_a_mistake_is_told_with_file_and_line(mine, text, line, part):
    said = message(f"recipe={mine(text)}")
    assert f"my/recipe/mine.yaml, line {line}: {part}" in said


def test_a_mistake_in_a_choice_of_ones_own_has_its_file(mine):
    path = mine("# @package _global_\ndefaults:\n  - override /data: phrasebook\n  - override /model: mini\ntraining: {steps: 1}\n")
    Path("my/model").mkdir()
    Path("my/model/mini.yaml").write_text("# small\nheads: 2\nwidht: 8\n", encoding="utf-8")
    assert "my/model/mini.yaml, line 3: unknown key model.widht: did you mean model.width?" in message(f"recipe={path}")


def test_a_folder_with_the_name_of_a_setting_is_not_a_group(mine):
    mine(HEAD + "training: {steps: 1}\n")
    Path("my/run").mkdir()
    Path("my/run/x.yaml").write_text("", encoding="utf-8")
    assert compose(["--config-dir", "my", "recipe=mine", "run=x"])[0].run == "x"


def test_a_group_of_ones_own(mine):
    path = mine(HEAD + "training: {steps: 1}\n")
    Path("my/language").mkdir()
    Path("my/language/dutch.yaml").write_text("# @package data\ntarget_language: nl\n", encoding="utf-8")
    for word in ("--config-dir=my recipe=mine", f"recipe={path}"):
        assert compose([*word.split(), "+language=dutch"])[0].data.target_language == "nl"


def test_two_files_of_one_name(mine):
    mine(HEAD)
    mine(HEAD, "mine.yml")
    assert "both" in message("--config-dir", "my", "recipe=mine")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["recipe=my/mine.yaml"], "recipe=my/mine.yaml: there is no such .yaml or .yml file"),
        (["recipe=recipes/quickstart.yaml"], "did you mean recipe=quickstart?"),
        (["recipe=[quickstart,tatoeba_de_en]"], "give one recipe, recipe=NAME"),
        (["recipe="], "recipe= is unknown"),
        (["recipe=init"], "recipe=init is unknown: choose one of"),
        (["recipe=quickstart", "quxx=3"], "unknown key quxx: known are run, resume"),
        (["recipe=quickstart", "model=tniy"], "model=tniy is unknown: did you mean tiny?"),
        (["recipe=quickstart", "traning.steps=3"], "unknown key traning: did you mean training?"),
        (["recipe=quickstart", "data=text", "data.folder=null"], "data.folder is null: set data.folder=VALUE"),
        (["recipe=quickstart", "model.width=1", "model.width=2"], "model.width is given twice: model.width=1 model.width=2"),
        (["recipe=quickstart", "recipe=tatoeba_de_en"], "recipe is given twice"),
        (["recipe=quickstart", "training.steps=10,000"], "training.steps=10,000: write the number without commas, training.steps=10000"),
        (["recipe=quickstart", "model.width=wide"], "model.width is 'wide': it must be a whole number"),
        (["recipe=quickstart", "model=null"], "model=null: model takes one choice, one of base"),
        (["recipe=quickstart", "~model.width"], "a setting can't be deleted"),
        (["recipe=quickstart", "~data.test.x"], "there is no data.test.x"),
        (["recipe=quickstart", "+model=tiny"], "leave out the +"),
        (["recipe=quickstart", "+model.width=8"], "leave out the +"),
        (["recipe=quickstart", "=3"], "'=3' is not KEY=VALUE"),
        (["recipe=quickstart", "~"], "'~' is not KEY=VALUE"),
        (["recipe=/"], "there is no such .yaml or .yml file"),
        (["recipe=quickstart", "model@optim=tiny"], "a choice can't be moved: write model=CHOICE"),
        (["recipe=quickstart", "data.train.0=phrasebook"], "data.train.0=phrasebook: corpus must be a mapping of settings, not phrasebook"),
        (["recipe=quickstart", "data.train.7.split=test"], "data.train.7.split=test: there is no such item in the list"),
        (["recipe=quickstart", "run=${run}"], "run refers to itself"),
        (["recipe=quickstart", "run=${model}"], "run refers to ${model}, which is not a value for it"),
        (["recipe=quickstart", "run=${now:}"], "run has a reference ${...} that can't be resolved"),
        (["recipe=quickstart", "model.width=${optim.rate}"], "model.width refers to ${optim.rate}, which is 0.003: a whole number is needed"),
        (["-m", "recipe=quickstart", "training.seed=range(0)"], "training.seed=range(0) has no value"),
        (["recipe=quickstart", "--config-dir="], "--config-dir needs a value, --config-dir DIR"),
        (["recipe=quickstart", "--cfg", "job", "--cfg", "job"], "--cfg is given twice"),
        (["recipe=quickstart", "-m", "--multirun"], "--multirun is given twice"),
        (["recipe=quickstart", "--cfg", "jbo"], "--cfg takes job, not jbo"),
        (["recipe=quickstart", "--cfg"], "--cfg needs a value, --cfg job"),
        (["recipe=quickstart", "--resolve"], "--resolve needs --cfg job"),
        (["recipe=quickstart", "-m", "--cfg", "job"], "leave out -m"),
        (["recipe=quickstart", "--cfg", "job", "-p", "modle"], "--package modle: the configuration has no such key"),
        (["recipe=quickstart", "run=~nobody-of-this-name/x"], "no user has that name"),
        (["recipe=quickstart", "training.minutes=1:30"], "training.minutes is '1:30': it must be a number"),
    ],
)  # fmt: skip
def test_words_that_can_t_be_meant(words, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert part in message(*words)


def test_the_home_folder_in_run(mine, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (config,) = compose([f"recipe={mine(HEAD + 'run: ~/runs/x' + chr(10) + 'training: {steps: 1}')}"])
    assert config.run == os.path.join(tmp_path, "runs/x")
    assert compose(["recipe=quickstart", "run=~/y"])[0].run == os.path.join(tmp_path, "y")


CORPUS = "{kind:text,source:a.de,target:b.en}"


@pytest.mark.parametrize(
    "word", [f"+data.test.mine={CORPUS}", f"data.test.mine={CORPUS}", f"++data.test.mine={CORPUS}", f"data.test={{mine:{CORPUS}}}"]
)
def test_a_test_set_is_added(word):
    (config,) = compose(["recipe=quickstart", word])
    assert set(config.data.test) == {"test", "test_unseen", "mine"}
    mine = config.data.test["mine"]
    assert (mine.kind, mine.source, mine.target, mine.weight) == ("text", "a.de", "b.en", 1.0)


def test_test_sets_field_by_field_and_dropped():
    words = ["~data.test.test", "data.test.test_unseen.split=test", "data.test.a.source=x.${data.source_language}", "data.test.a.target=1"]
    (config,) = compose(["recipe=quickstart", *words])
    assert {name: (corpus.source, corpus.target, corpus.split) for name, corpus in config.data.test.items()} == {
        "test_unseen": ("", "", "test"),
        "a": ("x.de", "1", "train"),
    }


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("data.test.mine={sorce:a}", "unknown key data.test.mine.sorce: did you mean data.test.mine.source?"),
        ("data.test.mine=a.de", "data.test.mine must be a mapping of settings"),
        ("data.test={}", "~data.test.NAME drops a test set"),
        ("~data.test", "~data.test.NAME drops a test set, one at a time"),
    ],
)
def test_a_test_set_that_is_none(word, part):
    assert part in message("recipe=quickstart", word)


def test_cfg_shows_added_test_sets_and_prints_what_composes_again(mine, capsys):
    compose(["recipe=quickstart", f"data.test.mine={CORPUS}", "--cfg", "job", "--resolve"])
    path = mine("# @package _global_\n" + capsys.readouterr().out)
    (config,) = compose([f"recipe={path}"])
    assert set(config.data.test) == {"test", "test_unseen", "mine"} and config.run == "runs/quickstart"


@pytest.mark.parametrize("what", ["defaults-tree", "defaults", "config", "searchpath"])
def test_info(what, capsys):
    compose(["recipe=multi30k_de_en_60", "--info", what])
    said = capsys.readouterr().out
    expected = {
        "defaults-tree": "  recipe: multi30k_de_en_60:\n    recipe/multi30k_de_en\n",
        "defaults": "recipe/multi30k_de_en_60",
        "config": "r_drop: 3.0",
    }
    assert expected.get(what, "recipes") in said and "hydra/" not in said


def test_load_recipe_does_what_the_command_does(mine):
    from translate.compose.compose import load_recipe

    path = mine("# @package _global_\ndefaults:\n  - quickstart\n  - _self_\nmodel: {heads: 2}\n")
    assert load_recipe("quickstart", "training.minutes=1") == compose(["recipe=quickstart", "training.minutes=1"])[0]
    for config in (load_recipe(Path(path), "model=tiny"), load_recipe("mine", "model=tiny", folder="my")):
        assert (config.run, config.model.width, config.model.heads) == ("runs/mine", 128, 2)
    with pytest.raises(UserError, match="unknown key model.widht"):
        load_recipe("quickstart", "model.widht=3")
