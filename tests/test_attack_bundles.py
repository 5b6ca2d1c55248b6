"""Hostile bundles by name: each is refused by `translate file` in one line, soon and in little memory; nothing runs, nothing outside is read.

tests/attacks/bundles holds what is text: lines put before those of a sound config.yaml, entries of one tensor in the header of
model.safetensors, entries of an export's manifest.json. The others are made here, each by the function of its name.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
from tests.hostile_bundles import CONFIG, EXPORTS, MADE, MANIFEST, WEIGHTS, Code, header, link, put_header
from tests.hostile_corpora import SECRET
from tests.test_attack_corpora import GUARD
from translate.bundle.bundle import load_bundle
from translate.config import TokenizerConfig
from translate.errors import UserError
from translate.evaluation.report import read_report
from translate.tokenizer import train_tokenizer
from translate.training.checkpoints import Checkpoints, Progress
from translate.translation.ctranslate2_engine import export

KEPT = ROOT / "tests" / "attacks" / "bundles"
# each bundle in turn: [name, exit code, what was said, files opened outside]
PROGRAM = f"""
import contextlib, io, os
import translate.translation.translator, ctranslate2
from translate.cli.main import main
{GUARD}
for name, engine in json.loads(sys.stdin.read()).items():
    begin(name)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(["file", "-m", name, "--engine", engine, "--device", "cpu", "input.txt", "-o", "output.txt"])
    signal.alarm(0)
    if os.path.exists("output.txt"):
        os.remove("output.txt")
    print(json.dumps([name, code, said.getvalue(), opened]), flush=True)
"""


KINDS = {".config.yaml": CONFIG, ".weights.json": WEIGHTS, ".manifest.json": MANIFEST}  # ending of a kept file -> a part of the message
FILES = sorted(path.name for path in KEPT.iterdir())


def with_kept(name: str, folder: Path) -> None:
    text, kind = (KEPT / name).read_text(), "." + name.split(".", 1)[1]
    if kind == ".config.yaml":
        (folder / CONFIG).write_text(text + (folder / CONFIG).read_text())
    elif kind == ".weights.json":
        values = header(folder)
        values["target_embedding.weight"].update(json.loads(text))
        put_header(folder, json.dumps(values).encode())
    else:
        (folder / MANIFEST).write_text(json.dumps({**json.loads((folder / MANIFEST).read_text()), **json.loads(text)}))


@pytest.fixture(scope="module")
def outcomes(untrained, tmp_path_factory):
    """Exit code, message and files opened outside, by name."""
    home = tmp_path_factory.mktemp("bundles")
    export(load_bundle(untrained), home / "exported")
    (home / "secret").mkdir()
    shutil.copy(untrained / WEIGHTS, home / "secret" / "secret.safetensors")
    (home / "secret" / "state.json").write_text(SECRET)
    (home / "input.txt").write_text("Der Hund schläft.\n")
    engines = {}
    for make in (*MADE, *EXPORTS, *FILES):
        name = make if isinstance(make, str) else make.__name__
        engines[name] = "ctranslate2" if make in EXPORTS or name.endswith(".manifest.json") else "torch"
        shutil.copytree(home / "exported" if engines[name] == "ctranslate2" else untrained, home / name)
        with_kept(name, home / name) if isinstance(make, str) else make(home / name)
    before = sorted(home.rglob("*"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "SECRET": SECRET}
    words = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(words, input=json.dumps(engines), cwd=home, env=environment, capture_output=True, encoding="utf-8", timeout=60)
    assert sorted(home.rglob("*")) == before  # no canary
    found = {name: outcome for name, *outcome in map(json.loads, done.stdout.splitlines())}
    assert list(found) == list(engines), (done.stdout[-500:], done.stderr[-2000:])
    return found


@pytest.mark.parametrize("name", [*(make.__name__ for make in (*MADE, *EXPORTS)), *FILES])
def test_a_hostile_bundle_is_refused_in_one_line(name, outcomes):
    code, said, opened = outcomes[name]
    assert code == 2 and said.startswith("translate: error: ") and said.count("\n") == 1 and SECRET not in said and not opened, (code, said, opened)
    words = {make.__name__: word for make, word in {**MADE, **EXPORTS}.items()}
    assert words.get(name) or KINDS["." + name.split(".", 1)[1]] in said
    assert words.get(name, "") in said


def test_the_canary_would_sing(tmp_path, monkeypatch):
    """What the pickles hold does leave a file where they are unpacked."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Code()))
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize("target", ["../other", "../missing", "/dev/zero", "resume.safetensors"])
def test_a_save_that_is_a_link_out_of_its_folder_is_refused_before_it_could_be_replaced(target, tmp_path, untrained):
    model = load_bundle(untrained).model.requires_grad_()
    optimizer = torch.optim.AdamW(model.parameters())
    (tmp_path / "other").write_text("x")
    checkpoints = Checkpoints(tmp_path, 1)
    checkpoints.save(model, optimizer, Progress())
    link(checkpoints.resume, target)
    for look in (checkpoints.peek, lambda: checkpoints.load(model, optimizer, print)):
        with pytest.raises(UserError, match="resume.safetensors"):
            look()
    assert (tmp_path / "other").read_text() == "x" and not (tmp_path / "missing").exists()


def test_a_report_and_a_tokenizer_without_end_are_refused(tmp_path):
    os.mkfifo(tmp_path / "report.json")
    with pytest.raises(UserError, match="report.json is not a file"):
        read_report(tmp_path)
    with pytest.raises(UserError, match="it is not a file"):
        train_tokenizer([], TokenizerConfig(path="/dev/zero"), tmp_path)
