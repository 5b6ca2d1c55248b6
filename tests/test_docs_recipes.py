"""docs/recipes.md: the recipe that it prints is read, and each of its commands composes as written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from translate.cli.main import build_parser
from translate.cli.train import compose

PAGE = (Path(__file__).parent.parent / "docs" / "recipes.md").read_text(encoding="utf-8")
RECIPE = next(block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "@package _global_" in block)
LINES = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "my" / "recipe").mkdir(parents=True)
    (tmp_path / "my" / "recipe" / "mine.yaml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("line", LINES)
def test_a_command_composes(line, folder, capsys):
    words = shlex.split(line.rpartition("&& ")[2], comments=True)
    words = words[: next((place for place, word in enumerate(words) if word.startswith(">")), None)]
    assert words[0] == "translate"
    if words[1] not in ("train", "check"):
        assert build_parser().parse_args(words[1:]).command == words[1]
        return
    configs = compose(words[2:])
    assert len(configs) == (0 if capsys.readouterr().out else 4 if "-m" in words else 1)
    assert all(config.data.train[0].source == "my/train.de" for config in configs)


def test_the_other_corpora_of_the_page_are_read(folder):
    (block,) = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "hub" in block]
    Path("other.yaml").write_text(RECIPE.replace("data: {folder: my, source_language: de, target_language: en}\n", block), encoding="utf-8")
    (config,) = compose(["recipe=other.yaml"])
    assert [corpus.kind for corpus in config.data.train] == ["text", "tsv", "hub"]
