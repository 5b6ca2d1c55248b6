"""What the tests of resuming share: a run that did all of its steps and was killed before it chose its weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import tiny_config
from translate.training import run as training
from translate.training.run import train

SETTINGS = {"steps": 60, "keep": 3, "average": 3}


class Killed(Exception):
    """Stands for whatever ends a process."""


def killed(*_, **__):
    raise Killed


def train_and_kill(run: Path, corpus_folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Run, "finish", killed)
        with pytest.raises(Killed):
            train(tiny_config(run, corpus_folder, **SETTINGS))


def copy_of(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "run"))


def said(run: Path) -> str:
    return (run / "train.log").read_text()
