"""Hostile recipes: whatever they name, composing them runs nothing, writes nothing, reads no environment, and says so in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from translate.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
RECIPES = sorted((ROOT / "tests" / "attacks" / "recipes").glob("*.yaml"))
SECRET = "s3cret-0f-the-env1ronment"
HYDRA, RESOLVER, SIZE = "Hydra's own settings", "not allowed in a configuration", "more than 100,000 values"
REASON = {  # a part of the message that shows it was refused for what it is, by the start of the file's name
    "target": "`_target_`", "python": "tag", "binary": "tag", "file_of_the_system": "defaults", "itself": "builds on itself", "laughs": SIZE,
    "alias_of_itself": SIZE, "deep": "nested too deeply", "environment": RESOLVER, "environment_set": HYDRA, "environment_copied": HYDRA,
    "nodes_from_text": RESOLVER,
}  # fmt: skip
# each recipe in turn; prints what was said, and what is in the working folder then
PROGRAM = """
import contextlib, io, json, os, sys
from translate.cli.main import main
for path in sys.argv[2:]:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code = main([*sys.argv[1].split(), f"recipe={path}"])
    print(json.dumps([path, code, said.getvalue(), os.listdir("."), "LD_PRELOAD" in os.environ]))
"""


@pytest.mark.parametrize("command", ["train", "check", "train -m model=tiny,small", "train --cfg job --resolve"])
def test_a_hostile_recipe_is_refused_and_nothing_of_it_runs(command, tmp_path):
    words = [sys.executable, "-c", PROGRAM, command, *map(str, RECIPES)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SECRET": SECRET}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(outcome[0]) for outcome in outcomes] == RECIPES, done.stderr
    for path, code, said, files, preload in outcomes:
        name = Path(path).stem
        assert (code, files, preload) == (2, [], False), (name, code, said)
        assert said.startswith("translate: error: ") and said.count("\n") == 1 and SECRET not in said, (name, said)
        reason = max((start for start in REASON if name.startswith(start)), key=len, default=None)
        assert (REASON[reason] if reason else HYDRA) in said, (name, said)


def test_the_canary_would_sing(tmp_path, monkeypatch):
    """What the recipes name does leave a file where Hydra is let at it."""
    import hydra.utils
    import yaml

    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "tests/attacks/recipes/callbacks.yaml").read_text(encoding="utf-8"))
    hydra.utils.instantiate(values["hydra"]["callbacks"]["x"])
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "word",
    [
        "hydra.run.dir=canary",
        "hydra.sweep.dir=canary", "hydra.job.env_set={LD_PRELOAD: x}", "hydra.output_subdir=canary", "hydra.verbose=true",
        "+hydra.callbacks.x={_target_: os.getcwd}", "++hydra.callbacks={x: {_target_: os.getcwd}}", "hydra/launcher=joblib", "~hydra.sweeper",
        "hydra/sweeper=x,y", "hydra.searchpath=[pkg://antigravity]", "+data@hydra.callbacks=text", "hydra={}", "+data@_global_.hydra.x=text",
        "+model._target_=os.getcwd", "data.train=[{_target_: os.getcwd}]", "data.test.x={_target_: os.getcwd}",
        "data.test._target_={kind: phrasebook}",
        "+model={_target_: os.getcwd}", "run=${oc.env:HOME}", "run='${oc.decode:\"x\"}'",
    ],
)  # fmt: skip
def test_a_hostile_word_is_refused(word, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words in (["train", "recipe=quickstart", word], ["check", "recipe=quickstart", word], ["train", "-m", "recipe=quickstart", word]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and ("Hydra" in said or "`_target_`" in said or "not allowed in a configuration" in said), said
    assert not list(tmp_path.iterdir())


def test_the_resolvers_are_back_afterwards(monkeypatch):
    """Another user of OmegaConf in this process keeps them."""
    from omegaconf import OmegaConf

    from translate.cli.train import compose

    compose(["recipe=quickstart"])
    monkeypatch.setenv("NAME", "value")
    assert OmegaConf.create({"a": "${oc.env:NAME}"}).a == "value"
