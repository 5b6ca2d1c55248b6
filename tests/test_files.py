"""Everything that the package writes appears whole or not at all, with the rights that the umask leaves; streams are streams."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading

import pytest
import torch

import translate.bundle.weights
from tests.conftest import LINES, make_untrained, tiny_config
from translate.bundle.bundle import ModelFolder, load_bundle, write_config, write_model
from translate.cli.main import main
from translate.config import CorpusConfig, DataConfig
from translate.data.corpora import load_corpus
from translate.errors import UserError
from translate.evaluation.report import write_report
from translate.files.atomic import atomic_file, atomic_folder, atomic_write
from translate.training.checkpoints import Checkpoints, Progress
from translate.training.runfolder import claim


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.de"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8", newline="")
    return path


def rights(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def save(run) -> None:
    model = load_bundle(run).model.requires_grad_()
    optimizer = torch.optim.Adam(model.parameters())
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()
    checkpoints = Checkpoints(run, 2)
    checkpoints.save(model, optimizer, Progress(step=1, validated=1))
    checkpoints.save(model, optimizer, Progress(step=2, validated=2))
    checkpoints.keep_weights(model, Progress(step=2))


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_files_have_the_rights_that_the_umask_leaves(umask, tmp_path, source, translate):
    before = os.umask(umask)
    try:
        top = tmp_path / "made"
        run = make_untrained(top / "run")
        save(run)
        write_report(run, {"steps": 1}, {})
        assert main(["export", "-m", str(run), "--to", "ctranslate2", "-o", str(top / "deep" / "export")]) == 0
        load_corpus(CorpusConfig(kind="text", source=str(source), target=str(source)), DataConfig(cache=str(top / "cache")))
        assert translate(source, "-o", top / "out", "--report", top / "report") == 0
        assert translate(source, "-o", top / "resumed", "--report", top / "resumed.report", "--resume") == 0
    finally:
        os.umask(before)
    found = list(top.rglob("*"))
    assert {path.name: oct(rights(path)) for path in found if rights(path) != (0o777 if path.is_dir() else 0o666) & ~umask} == {}
    names = {path.name for path in found}
    assert {"config.yaml", "spm.model", "model.safetensors", "report.json", "resume.safetensors", "resume.before.safetensors"} <= names
    assert {"step-00000002.safetensors", "model.bin", "manifest.json", "pairs.arrow", "info.json", "out", "report", "resumed"} <= names


def test_the_umask_of_other_threads_is_left_alone(tmp_path):
    """Another thread's files keep their rights while this one writes."""
    ended, wrong = threading.Event(), []

    def watch():
        number = 0
        while not ended.is_set():
            os.close(os.open(tmp_path / f"other{number}", os.O_CREAT | os.O_WRONLY, 0o666))
            if rights(tmp_path / f"other{number}") & 0o022:
                wrong.append(number)
            number += 1

    before = os.umask(0o022)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for number in range(200):
            with atomic_write(tmp_path / "a") as stream:
                stream.write(b"x")
            with atomic_folder(tmp_path / f"b{number}"):
                pass
    finally:
        ended.set()
        thread.join()
        os.umask(before)
    assert not wrong


def test_an_older_file_s_rights_stay(untrained, tmp_path):
    run = make_untrained(tmp_path)
    (run / "model.safetensors").chmod(0o640)
    write_model(load_bundle(run), "again")
    assert rights(run / "model.safetensors") == 0o640


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "a" / "b") as folder:
        (folder / "half").write_text("x")
        assert not (tmp_path / "a" / "b").exists()
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.rglob("*")] == ["a"]
    (tmp_path / "a" / "b").mkdir()  # an empty one may be there
    with atomic_folder(tmp_path / "a" / "b") as folder:
        (folder / "whole").write_text("x")
    assert (tmp_path / "a" / "b" / "whole").read_text() == "x"
    with pytest.raises(UserError, match="a/b: cannot be written: Directory not empty$"), atomic_folder(tmp_path / "a" / "b"):
        pass
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_what_killed_processes_left_is_removed(tmp_path, corpus_folder, source, translate):
    """Of a run by the next start, of a resumed job by the command that goes on; nothing else that begins with a dot."""
    run, stack = tmp_path / "run", contextlib.ExitStack()
    (run / "checkpoints").mkdir(parents=True)
    for name in (".model.safetensors.0a1b2c3d.tmp", ".tmpAb3xYz", "checkpoints/.resume.safetensors.0a1b2c3d.tmp", "checkpoints/.tmpAb3xYz", ".mine"):
        (run / name).write_text("x")
    make_untrained(run)
    config = tiny_config(run, corpus_folder)
    write_config(run, config, ModelFolder(run).tokenizer)
    with stack:
        assert not claim(run, config, stack)
        found = {path.name for path in run.rglob("*") if path.is_file() and path.name.startswith(".")}
        assert found == {".lock", ".mine"}
    left = tmp_path / ".out.0a1b2c3d.tmp"
    for path in (left, tmp_path / ".out.tmp", tmp_path / ".out2.0a1b2c3d.tmp"):
        path.write_text("x")
    assert translate(source, "-o", tmp_path / "out", "--resume") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.tmp", ".out2.0a1b2c3d.tmp", "out", "run", "source.de"]


def test_weights_that_may_not_be_read_are_not_called_damaged(untrained, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(translate.bundle.weights.safetensors, "safe_open", refuse)
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be read: Permission denied$"):
        load_bundle(untrained)


def test_names_as_long_as_a_file_system_takes(tmp_path):
    for name in ("ä" * 127, "n" * 255):
        with atomic_file(tmp_path / name) as temporary:
            temporary.write_text("x")
        assert (tmp_path / name).read_text() == "x"
    with pytest.raises(UserError, match="cannot be written: File name too long$"), atomic_file(tmp_path / ("n" * 256)):
        raise AssertionError("must not be reached")
