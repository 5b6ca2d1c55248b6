"""The n-th failure, as SQLite tests it: of all that writes, the first system call fails, then the second, and so on, until a run has none.

Each time what was there is whole, or what was to be there is, under every name; the error is one for the user; nothing else is left.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import translate.bundle.weights
import translate.data.corpus
from tests.conftest import LINES, make_untrained
from translate.bundle.bundle import load_bundle, write_config, write_model
from translate.cli.main import explain, main
from translate.config import CorpusConfig, DataConfig
from translate.data.corpora import load_corpus
from translate.errors import UserError
from translate.evaluation.report import write_report
from translate.training.checkpoints import Checkpoints, Progress, _load

CALLS = 200  # none of these makes so many


class Fault:
    """Counts the calls that write and fails the one whose turn it is."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.turn, self.calls, self.renamed, self.failed = 0, 0, False, ""
        self.on = False
        for module, name in [
            (os, "write"), (os, "fsync"), (os, "replace"), (os, "rename"), (os, "mkdir"), (os, "chmod"), (os, "link"),
            (shutil, "copyfile"), (translate.bundle.weights, "save_file"), (translate.data.corpus.ArrowWriter, "write_batch"),
            (translate.data.corpus.ArrowWriter, "finalize"),
        ]:  # fmt: skip
            patch.setattr(module, name, self.counted(name, getattr(module, name)))
        patch.setattr(os, "open", self.counted_open(os.open))
        opened = self.counted_file(open)
        patch.setattr(builtins, "open", opened)
        patch.setattr(io, "open", opened)  # pathlib's

    def count(self, what: str) -> None:
        if not self.on:
            return
        self.calls += 1
        if self.calls == self.turn:
            self.failed = what
            number = (errno.ENOSPC, errno.EIO, errno.EACCES)[self.turn % 3]
            raise OSError(number, os.strerror(number))

    def counted(self, name: str, call: Callable) -> Callable:
        def replacement(*arguments, **settings):
            if name != "mkdir" or not os.path.isdir(arguments[0]):  # one that is there is no failure
                self.count(name)
            result = call(*arguments, **settings)
            self.renamed |= self.on and name in ("replace", "rename")
            return result

        return replacement

    def counted_open(self, call: Callable) -> Callable:
        def replacement(path, flags, *rest, **settings):
            if "dir_fd" not in settings:  # else it is rmtree's, which cleans up
                self.count("open")
            return call(path, flags, *rest, **settings)

        return replacement

    def counted_file(self, call: Callable) -> Callable:
        def replacement(file, mode="r", *rest, **settings):
            if not set(mode) & set("wax+"):
                return call(file, mode, *rest, **settings)
            self.count("open")
            return Written(call(file, mode, *rest, **settings), self)

        return replacement


class Written:
    """An open file whose first writes may fail; it may have hundreds."""

    def __init__(self, file, fault: Fault) -> None:
        self.file, self.fault, self.writes = file, fault, 0

    def write(self, data):
        self.writes += 1
        if self.writes <= 3:
            self.fault.count("write")
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def content(folder: Path, ignored: str) -> dict[str, bytes]:
    """Of each file but the `ignored`, by its name; folders too."""
    found = (path for path in sorted(folder.rglob("*")) if not path.name.endswith(ignored))
    return {str(path.relative_to(folder)): bytes_of(path) if path.is_file() else b"" for path in found}


def bytes_of(path: Path) -> bytes:
    """Of a safetensors file with its header's keys in order: those of the metadata come in any."""
    data = path.read_bytes()
    if path.suffix != ".safetensors":
        return data
    size = int.from_bytes(data[:8], "little")
    return json.dumps(json.loads(data[8 : 8 + size]), sort_keys=True).encode() + data[8 + size :]


def fail_each(folder: Path, act: Callable[[], object], whole: Callable[[], None] = lambda: None, ignored: str = "\0") -> int:
    """`act` on `folder` with each of its calls failing in turn; after each, `whole` looks whether what is there can be used.

    ignored: end of the names of files that may be left. Returns how many failed.
    """
    saved = folder.parent / "saved"
    shutil.copytree(folder, saved)
    act()
    new = content(folder, ignored)
    with pytest.MonkeyPatch.context() as patch:
        fault = Fault(patch)
        for turn in range(1, CALLS):
            shutil.rmtree(folder)
            shutil.copytree(saved, folder)
            old = content(folder, ignored)
            fault.turn, fault.calls, fault.renamed, fault.failed = turn, 0, False, ""
            fault.on = True
            try:
                error = act()
            except (UserError, OSError) as raised:
                error = explain(raised)
            fault.on = False
            if not fault.failed:
                assert content(folder, ignored) == new and not error
                return turn - 1
            where = f"call {turn}, {fault.failed}"
            found = content(folder, ignored)
            if fault.failed != "link":  # there is another way
                assert isinstance(error, str) and error.count("\n") <= 1 and "cannot be written" in error, f"{where}: {error}"
                reason = (errno.ENOSPC, errno.EIO, errno.EACCES)[turn % 3]
                assert os.strerror(reason) in error, f"{where}: {error}"
            assert found == old if not fault.renamed else all(value in (old.get(name), new.get(name)) for name, value in found.items()), where
            assert set(old) & set(new) <= set(found), where
            whole()
    raise AssertionError("it never ran to its end")


@pytest.fixture
def run(tmp_path) -> Iterator[Path]:
    yield make_untrained(tmp_path / "run")


def command(capsys, *words: object) -> str:
    """The message of the command's error, "" where it had none."""
    code = main(list(map(str, words)))
    said = capsys.readouterr().err
    assert code in (0, 2) and (code == 0 or said.splitlines()[-1].startswith("translate: error: "))
    return said.splitlines()[-1] if code else ""


def test_a_checkpoint(run):
    model = load_bundle(run).model.requires_grad_()
    optimizer = torch.optim.Adam(model.parameters())
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()
    checkpoints = Checkpoints(run, 2)
    for step in (1, 2):
        checkpoints.save(model, optimizer, Progress(step=step, validated=step))
    said: list[str] = []

    def whole() -> None:
        assert checkpoints.load(model, optimizer, said.append).step in (2, 3)
        for path in (checkpoints.resume, checkpoints.before):
            _load(path, model, optimizer)

    assert fail_each(run, lambda: checkpoints.save(model, optimizer, Progress(step=3, validated=3)), whole) >= 8
    assert not said


def test_a_checkpoint_where_there_are_no_hard_links(run, monkeypatch):
    model = load_bundle(run).model
    optimizer = torch.optim.Adam(model.parameters())
    checkpoints = Checkpoints(run, 2)
    for step in (1, 2):
        checkpoints.save(model, optimizer, Progress(step=step, validated=step))

    def refuse(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    before = checkpoints.resume.read_bytes()
    checkpoints.save(model, optimizer, Progress(step=3, validated=3))
    assert checkpoints.before.read_bytes() == before and checkpoints.load(model, optimizer, print).step == 3
    assert len(list(checkpoints.folder.iterdir())) == 2


def test_weights_of_a_validation(run):
    model = load_bundle(run).model
    (run / "checkpoints").mkdir()
    assert fail_each(run, lambda: Checkpoints(run, 2).keep_weights(model, Progress(step=3, validated=3)), lambda: load_bundle(run)) >= 7


def test_a_model(run):
    loaded = load_bundle(run)
    with torch.no_grad():
        loaded.model.target_embedding.weight.add_(1)
    assert fail_each(run, lambda: write_model(loaded, "more data"), lambda: load_bundle(run)) >= 6


def test_settings_and_tokenizer(run):
    loaded = load_bundle(run)

    def act() -> None:
        loaded.tokenizer.save(run)
        write_config(run, loaded.config, loaded.tokenizer)

    assert fail_each(run, act, lambda: load_bundle(run)) >= 12


def test_a_report(run):
    write_report(run, {"steps": 1}, {})
    assert fail_each(run, lambda: write_report(run, {"steps": 2}, {"dev": {}})) >= 6


def test_an_export(run, capsys):
    words = ("export", "-m", run, "--to", "ctranslate2", "-o", run.parent / "out" / "model")
    (run.parent / "out").mkdir()
    assert fail_each(run.parent / "out", lambda: command(capsys, *words)) >= 20


@pytest.fixture
def texts(tmp_path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "in").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    for name in ("out", "report"):
        (folder / name).write_text("old\n")
    return folder


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_output_and_report(untrained, texts, capsys, suffix):
    words = ("file", "-m", untrained, "--device", "cpu", "--precision", "fp32", texts / "in")
    places = (["-o", texts / f"out{suffix}"], ["--report", texts / f"report{suffix}"])
    assert fail_each(texts, lambda: command(capsys, *words, *places[0], *places[1])) >= 16


def test_resume(untrained, texts, capsys):
    """What is done is kept, and the same command goes on to what an undisturbed one writes."""
    (texts / "in").write_text("\n".join(LINES[:3]), encoding="utf-8")
    places = ["-o", texts / "out", "--report", texts / "report", "--resume"]
    words = ("file", "-m", untrained, "--device", "cpu", "--precision", "fp32", "--window", "2", texts / "in", *places)
    expected: list[dict[str, bytes]] = []

    def whole() -> None:
        assert command(capsys, *words) == ""
        if not expected:
            expected.append(content(texts, "\0"))
        assert content(texts, "\0") == expected[0] and sorted(expected[0]) == ["in", "out", "report"]

    assert fail_each(texts, lambda: command(capsys, *words), whole, ignored=".part") >= 25


def test_the_cache(texts, capsys):
    corpus = CorpusConfig(kind="text", source=str(texts / "in"), target=str(texts / "in"))
    data = DataConfig(cache=str(texts / "cache"))
    (texts / "cache").mkdir()

    def act() -> None:
        load_corpus(corpus, data)

    assert fail_each(texts, act, act, ignored=".lock") >= 10
