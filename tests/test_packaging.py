"""The wheel: it holds what the command needs and nothing else, and works from a folder that has never seen the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The built wheel, by the back end that pyproject.toml names, without a network."""
    wheels = pytest.importorskip("hatchling.builders.wheel")
    return Path(next(wheels.WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The wheel unpacked, which for pure Python is what installing it does."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(*words: str, installed: Path, folder: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, encoding="utf-8")


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_the_wheel_holds_the_package_its_data_the_choices_and_the_recipes_and_nothing_else(installed):
    names = {name for name in files(installed) if not name.startswith("translate_nmt-")}
    assert names == {
        *(f"translate/{name}" for name in files(ROOT / "translate")),
        *(f"translate/conf/{name}" for name in files(ROOT / "conf")),
        *(f"translate/recipes/{name}" for name in files(ROOT / "recipes")),
    }
    assert {"translate/py.typed", "translate/conf/train.yaml", "translate/conf/model/base.yaml", "translate/recipes/quickstart.yaml"} <= names
    assert any(name.startswith("translate/phrasebook/") and not name.endswith(".py") for name in names), "the lexicon is a data file"


def test_the_wheel_says_what_it_is(installed, wheel):
    (info,) = installed.glob("*.dist-info")
    distribution = metadata.PathDistribution(info)
    assert (distribution.metadata["Name"], distribution.metadata["License-Expression"]) == ("translate-nmt", "Apache-2.0")
    assert distribution.metadata["Requires-Python"] == ">=3.10"
    assert [(entry.name, entry.value) for entry in distribution.entry_points] == [("translate", "translate.cli.main:main")]
    assert "Apache License" in (info / "licenses" / "LICENSE").read_text(encoding="utf-8")
    assert {"test", "tensorboard", "ctranslate2", "ray"} <= set(distribution.metadata.get_all("Provides-Extra"))
    assert wheel.name.endswith("-py3-none-any.whl")


def test_an_installed_wheel_finds_its_choices_and_recipes(installed, tmp_path):
    done = python(
        "-c", "import translate.cli.train as t; print(t.shipped('conf')); print(t.shipped('recipes'))", installed=installed, folder=tmp_path
    )
    assert done.stdout.splitlines() == [str(installed / "translate" / "conf"), str(installed / "translate" / "recipes")], done.stderr
    done = python("-m", "translate", "train", "recipe=quickstart", "--cfg", "job", "-p", "model", installed=installed, folder=tmp_path)
    assert done.returncode == 0 and "width: " in done.stdout, done.stderr
    assert not list(tmp_path.iterdir())


def test_an_installed_wheel_has_its_phrasebook(installed, tmp_path):
    code = "from translate.phrasebook import lexicon as l; print(l.__file__); print(len(l.lexicon().nouns) > 100)"
    done = python("-c", code, installed=installed, folder=tmp_path)
    assert done.stdout.splitlines() == [str(installed / "translate" / "phrasebook" / "lexicon.py"), "True"], done.stderr


def test_nobody_else_owns_the_import_package(installed, tmp_path):
    """PyPI's `translate` and `translate-toolkit` install into a folder of the same name: here is neither."""
    code = "from importlib.metadata import packages_distributions; print(*sorted(set(packages_distributions()['translate'])))"
    done = python("-c", code, installed=installed, folder=tmp_path)
    assert done.stdout.split() == ["translate-nmt"], done.stderr
    assert set(metadata.packages_distributions().get("translate", [])) <= {"translate-nmt"}  # and where these tests run


def test_the_constraints_name_one_version_of_each_dependency():
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    versions = dict(line.split("==") for line in lines)
    assert versions["torch"] == "2.13.0" and len(versions) == len(lines)
    assert not any(mark in line for line in lines for mark in ("/", "@", "+", " "))
    names = {name.lower().replace("_", "-") for name in versions}
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        assert requirement.split(">")[0] in names, requirement
