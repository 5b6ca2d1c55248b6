"""The README can't drift from the commands: each one in it is parsed, each recipe and each setting in it composed."""

from __future__ import annotations

import gzip
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
    if "recipe=my/recipe/mine.yaml" in words:
        write_recipe(tmp_path)
        monkeypatch.chdir(tmp_path)
    configs = compose(words[1:])
    assert all(isinstance(config, Config) for config in configs)
    assert configs or "--cfg" in words


def write_recipe(folder: Path) -> None:
    """The recipe that the README writes out."""
    recipe = next(block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "@package _global_" in block)
    (folder / "my" / "recipe").mkdir(parents=True)
    (folder / "my" / "recipe" / "mine.yaml").write_text(recipe, encoding="utf-8")


@pytest.mark.parametrize("words", [["recipe=my/recipe/mine.yaml"], ["--config-dir", "my", "recipe=mine"]], ids=" ".join)
def test_the_recipe_for_data_of_ones_own_finds_its_files(words, tmp_path, monkeypatch):
    """As printed, in a folder that holds nothing but what the page names."""
    from translate.data.pairs import load_pairs, training_texts

    write_recipe(tmp_path)
    for name, lines in {"train": 30, "dev": 3, "test": 4}.items():
        for language in ("de", "en"):
            (tmp_path / "my" / f"{name}.{language}").write_text("".join(f"{language} {line}\n" for line in range(lines)), encoding="utf-8")
    (tmp_path / "my" / "more.tsv.gz").write_bytes(gzip.compress(b"das\tthat\n" * 5))
    (tmp_path / "my" / "web.jsonl").write_text('{"de": "hier", "en": "here"}\n' * 6, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (config,) = compose([*words, "data.cache=cache"])
    assert config.run == "runs/mine"
    assert len(training_texts(config.data)) == 30 + 5 + 6
    assert len(load_pairs(config.data.validation, config.data)) == 3
    assert {name: len(load_pairs([corpus], config.data)) for name, corpus in config.data.test.items()} == {"test": 4}


def test_every_recipe_is_named():
    for recipe in choices("recipe"):
        assert f"`{recipe}`" in README, recipe


def test_files_it_points_to_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
    for name in re.findall(r"`(\w+/\w+\.py)`", README):
        assert (ROOT / "translate" / name).exists(), name


def test_the_tests_it_names_exist():
    names = re.findall(r"`(test_\w+)`", README)
    defined = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    assert names and all(f"def {name}(" in defined for name in names)
