"""Every command of README and docs runs as it is written, in a temporary folder; those marked as not run are parsed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.pages import PAGES, ROOT, Command, blocks, commands, page_name, reader_folder, recipes, translate_words
from translate.cli.main import build_parser, main
from translate.cli.train import compose

SHELL = re.compile(r"[|<>;$~]|&&")  # a line with one of these, outside quotes, goes to bash; the others run in this process, which is faster
NOT_RUN = {  # how many lines of a page are marked as not run: a mark that was forgotten, or is no longer needed, shows here
    "CONTRIBUTING.md": 8,
    "README.md": 6,
    "docs/adapt.md": 29,
    "docs/cache.md": 2,
    "docs/choosing.md": 2,
    "docs/data.md": 2,
    "docs/decoding.md": 1,
    "docs/exercises.md": 2,
    "docs/families.md": 15,
    "docs/getting-started.md": 3,
    "docs/scoring.md": 2,
    "docs/speed.md": 6,
    "docs/training.md": 9,
}
ALL = [command for path in PAGES for command in commands(path)]


def pages(*marks: str) -> list:
    """The pages that have commands with one of the marks."""
    names = {command.page for command in ALL if command.mark in marks}
    return [pytest.param(path, id=page_name(path)) for path in PAGES if page_name(path) in names]


@pytest.fixture
def run(tmp_path, monkeypatch, tmp_path_factory):
    """Run a line as a shell would in the reader's folder -> its exit code."""
    folder = tmp_path / "commands"
    folder.mkdir()
    shim = folder / "translate"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m translate "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "docs_cache"))

    def run_line(text: str) -> int:
        words = shlex.split(text, comments=True)
        if words[0] != "translate" or SHELL.search(re.sub(r"'[^']*'|#.*", "", text)):
            return subprocess.run(["bash", "-euo", "pipefail", "-c", text], check=False).returncode
        try:
            return main(words[1:])
        except SystemExit as end:  # --help
            return int(end.code or 0)

    return run_line


def run_all(path: Path, marks: tuple[str, ...], run, folder: Path, bundle: Path, corpus: Path, monkeypatch) -> None:
    place = folder / "reader"
    place.mkdir()
    reader_folder(place, path, bundle, corpus)
    monkeypatch.chdir(place)
    for command in commands(path):
        if command.mark in marks:
            assert run(command.text) == 0, command


@pytest.mark.parametrize("path", pages(""))
def test_the_commands_of_a_page_run(path, run, tmp_path, bundle, corpus_folder, monkeypatch):
    run_all(path, ("",), run, tmp_path, bundle, corpus_folder, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("path", pages("slow"))
def test_the_slow_commands_of_a_page_run(path, run, tmp_path, bundle, corpus_folder, monkeypatch):
    run_all(path, ("slow",), run, tmp_path, bundle, corpus_folder, monkeypatch)


def test_as_many_commands_are_not_run_as_are_known():
    assert dict(Counter(command.page for command in ALL if command.mark == "not run")) == NOT_RUN


PARSED = [(command, words) for command in ALL if command.mark for words in translate_words(command.text)]


@pytest.mark.parametrize(("command", "words"), PARSED, ids=[f"{command.page}:{command.line}" for command, _ in PARSED])
def test_commands_that_are_not_run_parse(command: Command, words, tmp_path, monkeypatch):
    if words[0] not in ("train", "check"):
        assert build_parser().parse_args(words).command == words[0]
        return
    monkeypatch.chdir(tmp_path)
    if "my/recipe/mine.yaml" in command.text:
        (tmp_path / "my" / "recipe").mkdir(parents=True)
        (tmp_path / "my" / "recipe" / "mine.yaml").write_text(recipes(ROOT / command.page)[0], encoding="utf-8")
    assert len(compose(words[1:])) == 1


PYTHON = [pytest.param(path, id=page_name(path)) for path in PAGES if blocks(path, "python")]
BUDGET = '"training.minutes=1"'
SHORT = ", ".join(  # in its place: two steps on a small part of the corpus
    f'"{words}"'
    for words in (
        "training.minutes=0", "training.steps=2", "training.threads=1", "data.train=[{kind: phrasebook, split: validation, lines: 1-500}]",
        "data.test.test.lines=1-20", "~data.test.test_unseen",
    )
)  # fmt: skip


def run_python(path: Path, folder: Path, bundle: Path, corpus: Path, monkeypatch) -> dict:
    """Run the Python of a page, block after block as one program -> its names."""
    reader_folder(folder, path, bundle, corpus)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    names: dict = {"__name__": "__main__"}
    for line, mark, text in blocks(path, "python"):
        if mark != "not run":
            exec(compile("\n" * (line - 1) + text.replace(BUDGET, SHORT), page_name(path), "exec"), names)
    return names


@pytest.mark.parametrize("path", PYTHON)
def test_the_python_of_a_page_runs(path, tmp_path, bundle, corpus_folder, monkeypatch, capsys):
    names = run_python(path, tmp_path, bundle, corpus_folder, monkeypatch)
    if page_name(path) == "docs/python.md":
        printed = capsys.readouterr().out
        assert "line 2 is None: it must be text" in printed and "3 of 3" in printed
        assert names["again"].translate([""]) == [""]
        assert names["report"]["steps"] == 2 and names["report"]["finished_before"]
        assert list(names["table"]["en"]) == list(names["data"]["en"]) == names["again"].translate(["Guten Morgen.", "Das Haus ist alt."])
