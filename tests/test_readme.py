"""The README can't drift from the commands: each one in it is parsed, each recipe and each setting in it composed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from translate.cli.main import build_parser
from translate.cli.train import choices, compose
from translate.config import Config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPOSED = ("train", "check")  # commands whose words are Hydra's


def commands() -> list[list[str]]:
    """The words of each `translate ...` in the README's shell blocks."""
    found = []
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words: list[str] = []
            for token in [*shlex.split(line, comments=True), "|"]:
                if token in ("|", "&&", ">"):
                    if words[:1] == ["translate"]:
                        found.append(words[1:])
                    words = []
                else:
                    words.append(token)
    return found


def test_there_are_commands_of_every_kind():
    assert {words[0] for words in commands()} == {"check", "train", "file", "score", "evaluate", "export"}


@pytest.mark.parametrize("words", [words for words in commands() if words[0] not in COMPOSED], ids=" ".join)
def test_commands_parse(words):
    assert build_parser().parse_args(words).command == words[0]


@pytest.mark.parametrize("words", [words for words in commands() if words[0] in COMPOSED], ids=" ".join)
def test_configurations_compose(words, tmp_path, monkeypatch):
    if "--help" in words:
        return
    if "--config-dir" in words:  # the recipe that the README writes out
        recipe = next(block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "@package _global_" in block)
        (tmp_path / "my" / "recipe").mkdir(parents=True)
        (tmp_path / "my" / "recipe" / "mine.yaml").write_text(recipe, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
    configs = compose(words[1:])
    assert all(isinstance(config, Config) for config in configs)
    assert configs or "--cfg" in words


def test_every_recipe_is_named():
    for recipe in choices("recipe"):
        assert f"`{recipe}`" in README, recipe


def test_files_it_points_to_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
    for name in re.findall(r"`((?:model|decoding)/\w+\.py|\w+\.py)`", README):
        assert (ROOT / "translate" / name).exists(), name


def test_the_tests_it_names_exist():
    names = re.findall(r"`(test_\w+)`", README)
    defined = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    assert names and all(f"def {name}(" in defined for name in names)
