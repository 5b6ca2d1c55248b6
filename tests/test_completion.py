"""Tab completion: what is offered, that nothing heavy is loaded for it, and that the three shells take it (where they are installed)."""

from __future__ import annotations

import argparse
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from translate.cli.completion import complete_word

ROOT = Path(__file__).resolve().parent.parent
MULTI30K = sorted(f"recipe={path.stem}" for path in (ROOT / "recipes").glob("multi30k*.yaml"))


def offered(prefix: str, config_dir: str | None = None) -> list[str]:
    return [word for word in complete_word(prefix, argparse.Namespace(config_dir=config_dir)) if word.startswith(prefix)]


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("rec", ["recipe="]),
        ("recipe=multi30k_de_", ["recipe=multi30k_de_en", "recipe=multi30k_de_en_60"]),
        ("recipe=quickstart,tat", ["recipe=quickstart,tatoeba_de_en"]),
        ("model=", ["model=base", "model=big", "model=narrow", "model=small", "model=tiny"]),
        ("model=tiny,sm", ["model=tiny,small"]),
        ("model.he", ["model.heads="]),
        ("optim.schedule=in", ["optim.schedule=inverse_sqrt"]),
        ("training.tensorboard=", ["training.tensorboard=true", "training.tensorboard=false"]),
        ("data.filters.max_r", ["data.filters.max_ratio="]),
        ("nonsense=", []),
    ],
)
def test_words(prefix, words):
    assert offered(prefix) == words


def test_ones_own_recipes_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("my/recipe/mine.yaml", "my/recipe/other.yml", "my/recipe/notes.txt", "my/model/mini.yaml", ".hidden/x.yaml"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("", encoding="utf-8")
    assert {"recipe=mine", "recipe=other"} <= set(offered("recipe=", "my")) and "recipe=mine" not in offered("recipe=")
    assert "model=mini" in offered("model=", "my")
    assert offered("recipe=my/recipe/") == ["recipe=my/recipe/mine.yaml", "recipe=my/recipe/other.yml"]
    assert offered("recipe=m") == [*MULTI30K, "recipe=my/"]
    assert offered("data.folder=my/r") == ["data.folder=my/recipe/"] and offered("run=nowhere/x") == []


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """With a `translate` that runs this checkout."""
    program = tmp_path / "bin" / "translate"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m translate "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PS1": "$ ",
        "TERM": "dumb",
        "HOME": str(tmp_path),
    }


def test_nothing_heavy_is_loaded_for_it(environment, tmp_path):
    """A shell waits for it at every TAB."""
    code = (
        "import atexit, os, sys; exit = os._exit\n"
        "def leave(code):\n"
        "    heavy = {'torch', 'hydra', 'datasets', 'omegaconf', 'yaml', 'numpy', 'sacrebleu', 'sentencepiece'} & set(sys.modules)\n"
        "    exit(3 if heavy else code)\n"
        "os._exit = leave\n"
        "from translate.cli.main import main\n"
        "main()"
    )
    line = "translate train recipe=quickstart model="
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "answer")}
    done = subprocess.run([sys.executable, "-c", code], env={**environment, **asked}, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "tiny" in (tmp_path / "answer").read_text(encoding="utf-8")


@pytest.mark.parametrize(("shell", "rest"), [("bash", ["--norc", "--noprofile", "-i"]), ("zsh", ["-f", "-i"])])
def test_an_interactive_shell_completes(shell, rest, environment, tmp_path):
    """A terminal in which TAB is typed: the words come up, and the prompt still works."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        os.execvpe(shell, [shell, *rest], environment)

    def type_and_wait(text: str, expected: str) -> None:
        os.write(terminal, text.encode())
        said, end = "", time.monotonic() + 30
        while expected not in said:
            assert time.monotonic() < end, said
            if select.select([terminal], [], [], 0.2)[0]:
                said += os.read(terminal, 4096).decode(errors="replace")

    try:
        if shell == "zsh":
            type_and_wait("autoload -U compinit; compinit -u -D; echo rea''dy\n", "ready")
        type_and_wait(f'eval "$(translate completion {shell})"; echo do""ne\n', "done")
        type_and_wait("translate train recipe=quic\t", "kstart")
        type_and_wait(" model=ti\t", "ny")
        type_and_wait(" training.devi\t", "ce=")
        type_and_wait("\x15echo the prompt is we''ll\n", "the prompt is well")
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)
        os.close(terminal)


def test_fish_completes(environment, tmp_path):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    lines = ["translate train recipe=multi30k_de_", "translate file --be", "translate ex"]
    script = "; ".join(["translate completion fish | source", *[f"complete -C '{line}'" for line in lines]])
    done = subprocess.run(["fish", "-c", script], env=environment, cwd=tmp_path, capture_output=True, encoding="utf-8")
    words = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert words == ["recipe=multi30k_de_en", "recipe=multi30k_de_en_60", "--beam", "export"], done.stderr
