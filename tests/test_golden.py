"""A bundle of every format that was ever written loads, and translates to the same text for ever."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import safetensors
import yaml

from translate.bundle.bundle import load_bundle
from translate.bundle.seal import FORMAT, SEALED
from translate.cli.main import main
from translate.translation.translator import Translator

GOLDEN = Path(__file__).parent / "golden"
FORMATS = range(1, FORMAT + 1)


@pytest.mark.parametrize("number", FORMATS)
def test_it_is_of_that_format(number):
    """Every format has its bundle, as it was written then."""
    folder = GOLDEN / f"format{number}"
    assert yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["format"] == number
    with safetensors.safe_open(folder / "model.safetensors", "np") as file:
        assert ("manifest" in (file.metadata() or {})) == (number >= SEALED)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 70_000


@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
def test_it_translates_to_the_same_text(number, engine, tmp_path):
    if engine == "ctranslate2":
        pytest.importorskip("ctranslate2")
    folder = tmp_path / "bundle"
    shutil.copytree(GOLDEN / f"format{number}", folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    words = ["file", "-m", str(folder), "--device", "cpu", "--engine", engine, str(GOLDEN / "input.de"), "-o", str(tmp_path / "out")]
    assert main(words) == 0
    assert (tmp_path / "out").read_bytes() == (GOLDEN / "output.en").read_bytes()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.parametrize("beam", [1, 2, 5])
def test_it_is_sure_of_it(number, beam):
    """Not by the width of the beam, nor by a rounding: a failure here is a change of the model's arithmetic."""
    translator = Translator.load(GOLDEN / f"format{number}", "cpu", "fp32")
    lines = (GOLDEN / "input.de").read_text(encoding="utf-8").splitlines()
    assert translator.translate(lines, beam=beam) == (GOLDEN / "output.en").read_text(encoding="utf-8").splitlines()
    assert load_bundle(GOLDEN / f"format{number}").config.decoding.beam == 3
