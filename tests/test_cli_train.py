"""`translate train`, up to the door of training: what the words compose to, and one line for every mistake. Nothing is trained here."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml

from tests.mutations import LAUGHS
from translate.cli.main import main
from translate.config import Config, OptimConfig, from_dict
from translate.errors import UserError
from translate.training.stopping import Stopped
from translate.values import to_values

ROOT = Path(__file__).resolve().parent.parent
RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """The configurations that reach training, which is replaced; the working folder is empty and must stay so."""
    configs: list[Config] = []
    outcomes: list[BaseException | None] = []

    def train(config):
        configs.append(config)
        if outcomes and (error := outcomes.pop(0)):
            raise error
        return {}

    monkeypatch.setitem(sys.modules, "translate.training.run", types.SimpleNamespace(train=train))
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield types.SimpleNamespace(configs=configs, outcomes=outcomes)
    assert not list(folder.iterdir()), "composing must leave nothing behind"


@pytest.fixture
def my(tmp_path):
    """Writes a recipe of one's own; returns the words that ask for it."""

    def write(text: str, name: str = "mine") -> list[str]:
        folder = tmp_path / "my" / "recipe"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        return ["--config-dir", str(tmp_path / "my"), f"recipe={name}"]

    return write


def command(*words: str, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "0", "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "translate", "train", *words], capture_output=True, encoding="utf-8", env=environment, **options)


def test_a_recipe_reaches_training_as_plain_dataclasses(trained):
    assert main(["train", "recipe=quickstart"]) == 0
    (config,) = trained.configs
    assert type(config) is Config and config.run == "runs/quickstart"
    assert [corpus.kind for corpus in config.data.train] == ["phrasebook"]
    assert set(config.data.test) == {"test", "test_unseen"}
    yaml.safe_dump(to_values(config))  # raises where an OmegaConf container is left


def test_command_line_over_recipe_over_group_over_dataclass(trained, my):
    words = my("# @package _global_\ndefaults:\n  - override /optim: cosine\noptim: {rate: 0.25}\ntraining: {steps: 7, seed: 8}\n")
    main(["train", *words, "training.seed=9", "data=phrasebook"])
    (config,) = trained.configs
    assert (config.training.seed, config.training.steps) == (9, 7)
    assert (config.optim.rate, config.optim.schedule) == (0.25, "cosine")
    assert config.optim.beta2 == OptimConfig().beta2


def test_the_choice_of_a_group_on_the_command_line_beats_the_recipes(trained):
    main(["train", "recipe=multi30k_de_en", "model=tiny", "optim=noam"])
    (config,) = trained.configs
    assert (config.model.width, config.optim.schedule) == (128, "noam")


def test_one_override_moves_a_hub_recipe_to_local_files(trained):
    main(["train", "recipe=multi30k_en_de", "data.folder=/some/folder"])
    (config,) = trained.configs
    assert config.data.folder == "/some/folder"
    assert (config.data.source_language, config.data.target_language) == ("en", "de")
    corpora = [*config.data.train, *config.data.validation, *config.data.test.values()]
    assert [corpus.files for corpus in corpora] == ["train", "val", "test_2016_flickr"]
    assert {(corpus.source, corpus.target) for corpus in corpora} == {("en", "de")}


def test_ones_own_text(trained):
    main(["train", "recipe=quickstart", "data=text", "data.folder=my", "data.target_language=nl", "~data.test.test"])
    (config,) = trained.configs
    assert [(c.kind, c.source, c.target) for c in config.data.train + config.data.validation] == [
        ("text", "my/train.de", "my/train.nl"),
        ("text", "my/dev.de", "my/dev.nl"),
    ]
    assert config.data.test == {}


def test_a_recipe_of_ones_own_builds_on_a_shipped_one_from_any_folder(trained, my):
    text = "# @package _global_\ndefaults:\n  - quickstart\n  - _self_\n  - override /model: tiny\ntraining: {minutes: 1}\n"
    flag, folder, recipe = my(text)
    for words in ([recipe, flag, folder], [f"{flag}={folder}", recipe]):
        assert main(["train", *words]) == 0
    assert len(trained.configs) == 2 and len({str(config) for config in trained.configs}) == 1
    config = trained.configs[0]
    assert (config.run, config.model.width, config.training.minutes) == ("runs/mine", 128, 1.0)
    assert config.data.train[0].kind == "phrasebook"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_exit_code_of_a_run_that_is_stopped_names_the_signal(trained, number):
    trained.outcomes.append(Stopped(number, 7))
    assert main(["train", "recipe=quickstart"]) == 128 + number


def test_a_mistake_of_training_itself_is_one_line_too(trained, monkeypatch, capsys):
    def train(config):
        raise UserError("data/train.de has no lines")

    monkeypatch.setitem(sys.modules, "translate.training.run", types.SimpleNamespace(train=train))
    assert main(["train", "recipe=quickstart"]) == 2
    assert capsys.readouterr().err == "translate: error: data/train.de has no lines\n"


MISTAKES = [
    ([], ["no recipe is given", "recipe=NAME", *RECIPES]),
    (["recipe=quickstrat"], ["recipe=quickstrat is unknown: did you mean quickstart?", *RECIPES, "recipe=PATH"]),
    (["recipe=quickstart", "model=huge"], ["model=huge is unknown", "base, big, narrow, small, tiny"]),
    (["recipe=quickstart", "model.widht=3"], ["unknown key model.widht: did you mean model.width?"]),
    (["recipe=quickstart", "+model.widht=3"], ["unknown key model.widht: did you mean model.width?"]),
    (["recipe=quickstart", "modle=tiny"], ["unknown key modle: did you mean model?"]),
    (["recipe=quickstart", "recpe=tiny"], ["unknown key recpe: did you mean recipe?"]),
    (["recipe=quickstart", "data.train=[{sorce: a}]"], ["unknown key data.train[0].sorce: did you mean data.train[0].source?"]),
    (["recipe=quickstart", "model.width=wide"], ["model.width is 'wide': it must be a whole number"]),
    (["recipe=quickstart", "training.minutes=soon"], ["training.minutes is 'soon': it must be a number"]),
    (["recipe=quickstart", "training.tensorboard=maybe"], ["training.tensorboard is 'maybe': it must be true or false"]),
    (["recipe=quickstart", "data.train=phrasebook"], ["data.train must be a list, not 'phrasebook'"]),
    (["recipe=quickstart", "data.folder=[a]"], ["data.folder is ['a']: it must be text or null"]),
    (["recipe=quickstart", "model=3"], ["model=3 is unknown", "base, big, narrow, small, tiny"]),
    (["recipe=quickstart", "model.width=500", "model.heads=8"], ["model.width (500) must be a multiple of model.heads (8)"]),
    (["recipe=quickstart", "training.minutes=0"], ["training.steps and training.minutes are both 0"]),
    (["recipe=quickstart", "run=${nonsense}"], ["run refers to ${nonsense}, which does not exist"]),
    (["recipe=quickstart", "run=???"], ["run is not set: add run=VALUE"]),
    (["recipe=quickstart", "model.width"], ["'model.width' is not KEY=VALUE: write model.width=VALUE"]),
    (["quickstart"], ["'quickstart' is not KEY=VALUE: write recipe=quickstart"]),
    (["my/mine.yaml"], ["'my/mine.yaml' is not KEY=VALUE: write recipe=my/mine.yaml"]),
    (["recipe=quickstart", "run=a=b"], ["'run=a=b' can't be read as KEY=VALUE", "\"run='a=b'\""]),
    (["recipe=quickstart", "model=tiny,small"], ["model=tiny,small has a comma", "-m"]),
    (["recipe=quickstart", "--frobnicate"], ["--frobnicate", "translate train --help"]),
    (["--config-name", "nonsense"], ["unknown option --config-name"]),
    (["--recipe", "quickstart"], ["unknown option --recipe: write recipe=quickstart"]),
    (["--minutes=3", "recipe=quickstart"], ["unknown option --minutes=3: write training.minutes=3"]),
    (["--batch-tokens"], ["unknown option --batch-tokens: write training.batch_tokens=VALUE or decoding.batch_tokens=VALUE"]),
    (["recipe=quickstart", "minutes=1"], ["unknown key minutes: did you mean training.minutes?"]),
    (["recipe=quickstart", "max_tokens=9"], ["unknown key max_tokens: did you mean data.filters.max_tokens or model.max_tokens?"]),
    (["--config-dir", "nowhere", "recipe=quickstart"], ["nowhere", "not found"]),
]


@pytest.mark.parametrize(("words", "parts"), MISTAKES, ids=[" ".join(words) or "nothing" for words, _ in MISTAKES])
def test_a_mistake_is_one_line_and_exit_code_2(trained, capsys, words, parts):
    assert main(["train", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("translate: error: ") and said.err.count("\n") == 1
    for part in parts:
        assert part in said.err
    assert not trained.configs


OWN_MISTAKES = [
    ("training: {steps: 3}\n", ["in recipe/mine", "# @package _global_"]),
    ("defaults:\n  - override /model: tiny\n", ["in recipe/mine", "# @package _global_"]),
    ("# @package _global_\nmodel: {widht: 3}\n", ["my/recipe/mine.yaml, line 2: unknown key model.widht: did you mean model.width?"]),
    ("# @package _global_\nmodel: {width: wide}\n", ["my/recipe/mine.yaml, line 2: model.width is 'wide': it must be a whole number"]),
    ("# @package _global_\ndefaults:\n  - override /model: huge\n", ["model=huge is unknown", "narrow, small, tiny"]),
    ("# @package _global_\ndefaults:\n  - override /modl: tiny\n", ["recipe/mine", "modl"]),
    ("# @package _global_\ndefaults:\n  - quickstrat\n", ["recipe=quickstrat is unknown", "quickstart"]),
    ("# @package _global_\nmodel: [3\n", ["not valid YAML", "mine.yaml", "line"]),
    ("# @package _global_\ntraining: {steps: 3}\n", ["data.train is empty: choose a corpus"]),
    ("# @package _global_\ndata: {folder: \udce4}\n", ["not UTF-8"]),
    ("# @package _global_\noptim: 1.5\n", ["my/recipe/mine.yaml, line 2: optim must be a mapping of settings, not 1.5"]),
    (f"# @package _global_\noptim: {'[' * 2000}\n", ["mine.yaml", "nested too deeply"]),
    (f"# @package _global_\nx: {LAUGHS}\n", ["mine.yaml", "more than 100,000 values"]),
    ("# @package _global_\noptim: &a {x: *a}\n", ["mine.yaml", "more than 100,000 values"]),
    ("# @package _global_\noptim: !!int ''\n", ["mine.yaml", "not valid YAML"]),
    ("# @package _global_\ntraining: {? null : 1}\n", ["NoneType"]),
]


@pytest.mark.parametrize(("text", "parts"), OWN_MISTAKES)
def test_a_mistake_in_a_recipe_of_ones_own_is_one_line(trained, my, tmp_path, capsys, text, parts):
    words = my("")
    (tmp_path / "my/recipe/mine.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main(["train", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("translate: error: ") and said.count("\n") == 1
    for part in parts:
        assert part in said
    assert not trained.configs


def test_cfg_job_prints_the_whole_configuration_and_stops(trained, capsys):
    assert main(["train", "recipe=wmt14_de_en_big", "--cfg", "job"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert not trained.configs
    assert from_dict(shown).model.width == 1024
    assert set(shown) == {field.name for field in dataclasses.fields(Config)}


def test_info_shows_where_settings_come_from(trained, capsys):
    assert main(["train", "recipe=quickstart", "--info", "defaults-tree"]) == 0
    assert "recipe: quickstart" in capsys.readouterr().out
    assert not trained.configs


def test_help_is_our_own_and_loads_nothing_heavy():
    code = "import sys; from translate.cli.main import main; main(['train', '--help']); heavy = {'torch', 'hydra', 'datasets', 'omegaconf', 'yaml'}"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; sys.exit(bool(heavy & set(sys.modules)))"], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    for name in RECIPES:
        assert f"\n  {name} " in done.stdout
    for group in ("data", "tokenizer", "model", "optim", "training", "decoding"):
        choices = sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))
        assert any(line.split()[:1] == [group] and ", ".join(choices) in line for line in done.stdout.splitlines())
    assert "training.minutes" in done.stdout and "Hydra" not in done.stdout


def test_the_examples_of_the_help_compose(trained, my, capsys):
    from translate.cli.train import USAGE

    folder = my("# @package _global_\ndefaults:\n  - quickstart\n")[1]
    examples = re.findall(r"^  (translate train .*?)(?:$| {2,}| your own)", USAGE, re.MULTILINE)
    assert len(examples) >= 6
    for example in examples:
        words = (
            example.replace("DIR", "/some/folder")
            .replace("my/mine.yaml", f"{folder}/recipe/mine.yaml")
            .replace("--config-dir my", f"--config-dir {folder}")
            .split()
        )
        assert main(words[1:]) == 0, (example, capsys.readouterr().err)


def test_the_command_itself(tmp_path):
    """As a user meets it: exit code 2, exactly one line on stderr, nothing on stdout, no traceback, nothing written."""
    done = command("recipe=nonsense", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("translate: error: recipe=nonsense is unknown: choose one of ") and done.stderr.count("\n") == 1
    done = command("recipe=quickstart", "--cfg", "job", "-p", "model", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and "width: " in done.stdout
    assert not list(tmp_path.iterdir())
