"""Hostile bundles by name: each is refused by `translate file` in one line, soon and in little memory; nothing runs, nothing outside is read.

tests/attacks/bundles holds what is text: lines put before those of a sound config.yaml, entries of one tensor in the header of
model.safetensors, entries of an export's manifest.json. The others are made here, each by the function of its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
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
CONFIG, TOKENIZER, WEIGHTS, EXPORTED, MANIFEST = "config.yaml", "spm.model", "model.safetensors", "model.bin", "manifest.json"
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


class Code:
    def __reduce__(self):
        return os.system, ("touch canary",)


def pickle_as_weights(folder):
    (folder / WEIGHTS).write_bytes(pickle.dumps(Code()))


def pickle_as_tokenizer(folder):
    put_tokenizer(folder, pickle.dumps(Code()))


def pickle_as_config(folder):
    (folder / CONFIG).write_bytes(pickle.dumps(Code()))


def pickle_beside_no_weights(folder):
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Code()))


def tokenizer_of_another_kind(folder):
    put_tokenizer(folder, b'{"version": "1.0", "model": {"type": "BPE"}}')


def tokenizer_of_rubbish(folder):
    put_tokenizer(folder, b"\x0a\xff\xff\xff\xff\x0f" * 1000)


def tokenizer_with_another_sha(folder):
    (folder / TOKENIZER).write_bytes((folder / TOKENIZER).read_bytes() + b"\0")


def tokenizer_of_gigabytes(folder):
    os.truncate(folder / TOKENIZER, 8 << 30)  # of zeros that take no room


def config_of_gigabytes(folder):
    os.truncate(folder / CONFIG, 8 << 30)


def weights_of_gigabytes(folder):
    os.truncate(folder / WEIGHTS, 8 << 30)


def header_of_exabytes(folder):
    put_header(folder, b"{}", 1 << 62)


def header_longer_than_the_file(folder):
    put_header(folder, b"{}", 1 << 20)


def header_of_deep_json(folder):
    put_header(folder, b'{"a": ' * 100_000)


def header_of_a_million_names(folder):
    put_header(folder, b"{" + b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % number for number in range(50_000)) + b"}")


def manifest_of_deep_json(folder):
    put_header(folder, json.dumps({**header(folder), "__metadata__": {"manifest": "[" * 100_000}}).encode())


def no_manifest(folder):
    put_header(folder, json.dumps({name: value for name, value in header(folder).items() if name != "__metadata__"}).encode())


def newer_format(folder):
    text = (folder / CONFIG).read_text().replace("format: 2\n", "format: 99\n").replace("version: ", "version: 99.")
    (folder / CONFIG).write_text(text)


def manifest_of_another_model(folder):
    manifest = json.loads(header(folder)["__metadata__"]["manifest"])
    manifest["tokenizer_sha256"] = {TOKENIZER: "0" * 64}
    put_header(folder, json.dumps({**header(folder), "__metadata__": {"manifest": json.dumps(manifest)}}).encode())


def link_to_the_passwords(folder):
    link(folder / CONFIG, "/etc/passwd")


def link_to_other_weights(folder):
    link(folder / WEIGHTS, "../secret/secret.safetensors")


def link_to_an_endless_device(folder):
    link(folder / TOKENIZER, "/dev/zero")


def link_to_itself(folder):
    link(folder / WEIGHTS, WEIGHTS)


def pipe_as_weights(folder):
    pipe(folder / WEIGHTS)


def pipe_as_config(folder):
    pipe(folder / CONFIG)


def pipe_as_tokenizer(folder):
    pipe(folder / TOKENIZER)


def folder_as_weights(folder):
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).mkdir()


def export_with_a_pipe_that_no_manifest_lists(folder):
    """CTranslate2 itself looks for such a file."""
    os.mkfifo(folder / "vmap.txt")


def export_of_rubbish(folder):
    put_listed(folder, EXPORTED, b"\xff" * 1000)


def export_that_is_cut(folder):
    put_listed(folder, EXPORTED, (folder / EXPORTED).read_bytes()[:-1000])


def export_of_billions_of_elements(folder):
    data, name = (folder / EXPORTED).read_bytes(), b"decoder/embeddings/weight\0\x02"
    place = data.index(name) + len(name)
    put_listed(folder, EXPORTED, data[:place] + struct.pack("<2I", 1 << 31, 1 << 31) + data[place + 8 :])


def export_with_another_sha(folder):
    (folder / EXPORTED).write_bytes((folder / EXPORTED).read_bytes() + b"\0")


def export_that_is_a_link(folder):
    link(folder / EXPORTED, "/dev/zero")


def export_of_a_deep_vocabulary(folder):
    put_listed(folder, "shared_vocabulary.json", b"[" * 100_000)


def header(folder: Path) -> dict:
    data = (folder / WEIGHTS).read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def put_header(folder: Path, text: bytes, size: int | None = None) -> None:
    data = (folder / WEIGHTS).read_bytes()
    size = len(text) if size is None else size
    (folder / WEIGHTS).write_bytes(size.to_bytes(8, "little") + text + data[8 + int.from_bytes(data[:8], "little") :])


def put_tokenizer(folder: Path, data: bytes) -> None:
    """Another one, whose SHA-256 config.yaml says."""
    old = hashlib.sha256((folder / TOKENIZER).read_bytes()).hexdigest()
    (folder / CONFIG).write_text((folder / CONFIG).read_text().replace(old, hashlib.sha256(data).hexdigest()))
    (folder / TOKENIZER).write_bytes(data)


def put_listed(folder: Path, name: str, data: bytes) -> None:
    """Another file of an export, whose SHA-256 its manifest says."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files_sha256"][name] = hashlib.sha256(data).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / name).write_bytes(data)


def link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


MADE = {  # function -> a part of the message
    pickle_as_weights: "not readable as safetensors", pickle_as_tokenizer: "is not a SentencePiece model", pickle_as_config: "not readable as YAML",
    pickle_beside_no_weights: "has no model.safetensors", tokenizer_of_another_kind: "SentencePiece", tokenizer_of_rubbish: "SentencePiece",
    tokenizer_with_another_sha: "another tokenizer", tokenizer_of_gigabytes: "bytes", config_of_gigabytes: "bytes",
    weights_of_gigabytes: "safetensors", header_of_exabytes: "safetensors", header_longer_than_the_file: "safetensors",
    header_of_deep_json: "safetensors", header_of_a_million_names: "safetensors", manifest_of_deep_json: "the manifest", no_manifest: "no manifest",
    manifest_of_another_model: "two models", link_to_the_passwords: "out of its folder", link_to_other_weights: "out of its folder",
    link_to_an_endless_device: "out of its folder", link_to_itself: "model.safetensors", pipe_as_weights: "not a file", pipe_as_config: "not a file",
    pipe_as_tokenizer: "not a file", newer_format: "format 99", folder_as_weights: "not a file",
}  # fmt: skip
EXPORTS = {
    export_with_a_pipe_that_no_manifest_lists: "not a file", export_of_rubbish: "CTranslate2 cannot load",
    export_that_is_cut: "CTranslate2 cannot load",
    export_of_billions_of_elements: "CTranslate2 cannot load", export_with_another_sha: "another SHA-256", export_that_is_a_link: "out of its folder",
    export_of_a_deep_vocabulary: "CTranslate2 cannot load",
}  # fmt: skip
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
