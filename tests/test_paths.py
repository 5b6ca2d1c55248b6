"""Paths as users give them: streams are written to and never replaced, `~` is expanded everywhere, and what can't be written is told first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import FILE_ENVIRONMENT, LINES, file_words, one_line, tiny_config
from translate.api import evaluate
from translate.bundle.bundle import load_bundle, model_folder
from translate.cli.main import main
from translate.config import from_dict
from translate.data.cache import cache_folder
from translate.data.corpora import load_corpus
from translate.errors import UserError
from translate.files.atomic import atomic_write, check_new_folder, check_writable
from translate.files.paths import descriptor
from translate.tokenizer import train_tokenizer
from translate.translation.translator import Translator

WRITES = "import sys\nfrom translate.files.atomic import atomic_text\nwith atomic_text(sys.argv[1]) as stream:\n    stream.write('one\\ntwo\\n')"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.de"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8", newline="")
    return path


def shell(line: str, folder: Path, *words: object) -> subprocess.CompletedProcess:
    """`line`, in which "$@" writes two lines to the path that stands after it."""
    code = [sys.executable, "-c", WRITES]
    return subprocess.run(["bash", "-c", line, "bash", *code], cwd=folder, env=FILE_ENVIRONMENT, capture_output=True)


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link", "dir/link"])
def test_standard_output_is_written_to_and_not_replaced(tmp_path, name):
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "link").symlink_to("../link")
    done = shell(f'(echo first; "$@" {name}; echo last) > log; "$@" {name} >> log; "$@" {name} | cat > piped; "$@" {name}', tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"one\ntwo\n")
    assert (tmp_path / "log").read_text() == "first\none\ntwo\nlast\none\ntwo\n"
    assert (tmp_path / "piped").read_text() == "one\ntwo\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dir", "link", "log", "piped"]


def test_other_descriptors_and_substituted_processes(tmp_path):
    done = shell('"$@" /dev/fd/7 7> seven; "$@" /dev/stderr; "$@" >(cat > sub); mkfifo pipe; cat pipe > fifo & "$@" pipe; wait', tmp_path)
    assert (done.stderr, done.stdout) == (b"one\ntwo\n", b"")
    deadline = time.monotonic() + 20
    sub = tmp_path / "sub"
    while not (sub.exists() and sub.read_text().endswith("two\n")) and time.monotonic() < deadline:  # the shell does not wait for it
        time.sleep(0.02)
    for name in ("seven", "sub", "fifo"):
        assert (tmp_path / name).read_text() == "one\ntwo\n"
    done = shell('"$@" /dev/fd/9', tmp_path)
    assert done.stderr.strip().endswith(b"UserError: /dev/fd/9: cannot be written: Bad file descriptor")
    done = shell('"$@" /dev/stdout | true', tmp_path)
    assert b"UserError" not in done.stderr


def test_what_looks_like_a_descriptor_and_is_none(tmp_path):
    (tmp_path / "fd").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    for path in (tmp_path / "fd" / "1", tmp_path / "circle", "/dev/null", "/dev/fd", "/dev/fd/x", "fd/1", "1"):
        assert descriptor(str(path)) is None


def test_the_command_writes_to_redirected_streams(untrained, tmp_path, source, translate):
    words = file_words(untrained, source)
    assert translate(source, "-o", tmp_path / "whole") == 0
    whole = (tmp_path / "whole").read_bytes()
    with open(tmp_path / "log", "wb") as log, open(tmp_path / "errors", "wb") as errors:
        log.write(b"first\n")
        log.flush()
        subprocess.run([*words, "-o", "/dev/stdout", "--report", "/dev/stderr"], env=FILE_ENVIRONMENT, stdout=log, stderr=errors, check=True)
        log.write(b"last\n")
    assert (tmp_path / "log").read_bytes() == b"first\n" + whole + b"last\n"
    told = (tmp_path / "errors").read_bytes().splitlines()
    assert sum(line.startswith(b'{"line": ') and line.endswith(b"}") for line in told) == len(LINES)


def test_a_stream_is_no_place_for_resume_nor_for_two(translate, source, capsys):
    for path in ("/dev/stdout", "-", "/dev/null"):
        assert translate(source, "-o", path, "--resume") == 2
        one_line(capsys, path, "--resume")
    for words in (["--report", "-"], ["--report", "/dev/fd/1", "-o", "/dev/stdout"]):
        assert translate(source, *words) == 2
        one_line(capsys, "the output as well as the report")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home folder; the current one is another, in which no folder named ~ may appear."""
    folder, work = tmp_path / "home", tmp_path / "work"
    folder.mkdir(), work.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(work)
    yield folder
    assert list(work.iterdir()) == []


def test_home_is_expanded_on_every_command_line(home, source, untrained, translate, capsys):
    shutil.copytree(untrained, home / "run")
    shutil.copy(source, home / "in")
    assert translate("~/in", "-o", "~/out", "--report", "~/report", model="~/run") == 0
    assert translate("~/in", "-o", "~/resumed", "--report", "~/resumed.report", "--resume", model="~/run") == 0
    assert (home / "out").read_bytes() == (home / "resumed").read_bytes()
    assert main(["score", "~/out", "-i", "~/out", "--metrics", "bleu", "--bootstrap", "0"]) == 0
    assert main(["export", "-m", "~/run", "--to", "ctranslate2", "-o", "~/export"]) == 0
    names = ["export", "in", "out", "report", "resumed", "resumed.report", "run"]
    assert sorted(path.name for path in home.iterdir()) == names
    assert translate("~/in", "-o", "~/in") == 2
    assert "as well as the output" in capsys.readouterr().err


def test_home_is_expanded_in_python_and_in_settings(home, source, untrained):
    shutil.copytree(untrained, home / "run")
    for side in ("de", "en"):
        shutil.copy(source, home / f"train.{side}")
    assert load_bundle("~/run").folder == home / "run"
    assert Translator.load("~/run", "cpu", "fp32").translate(LINES)
    corpora = [{"kind": "text", "source": "~/train.de", "target": "~/train.en"}, {"kind": "hub", "path": "x", "files": "train"}]
    config = from_dict({"data": {"cache": "~/cache", "folder": "~", "train": corpora}, "tokenizer": {"path": "~/run"}})
    assert cache_folder(config.data) == home / "cache"
    for corpus in config.data.train:
        assert len(load_corpus(corpus, config.data)) == len(LINES)
    assert evaluate("~/run", test=["~/train.de", "~/train.en"], metrics=["chrf"], device="cpu")["train.de"]["sentences"] == len(LINES)
    train_tokenizer([], config.tokenizer, home / "copied")
    assert (home / "copied" / "spm.model").exists()


def test_a_run_folder_in_the_home_folder(home, corpus_folder):
    from translate.training.run import train

    config = tiny_config("~/runs/x", corpus_folder, steps=1, validate_every=1)
    config.data.test = {}
    assert train(config)
    assert (home / "runs" / "x" / "model.safetensors").exists()


def test_a_bundle_s_file_stands_for_its_folder(untrained, source, translate, capsys):
    for name in ("model.safetensors", "config.yaml", "spm.model"):
        assert model_folder(untrained / name) == untrained
        assert translate(source, model=untrained / name) == 0
    capsys.readouterr()
    assert translate(source, model=source) == 2
    one_line(capsys, f"{source} is a file", "run folder")


@pytest.mark.parametrize("resume", [[], ["--resume"]])
@pytest.mark.parametrize("option", ["-o", "--report"])
def test_what_cannot_be_written_is_told_before_work_begins(tmp_path, source, capsys, monkeypatch, resume, option):
    """Before the input is counted and before there is a model: its folder is missing too."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    before = sorted(path.name for path in tmp_path.iterdir())
    reasons = {
        "folder": "Is a directory",
        "new/": "Is a directory",
        "no/out": "No such file or directory; create the folder",
        "file/out": "Not a directory",
    }
    for name, reason in {**reasons, "n" * 256: "File name too long"}.items():
        other = ["-o", str(tmp_path / "good")] if option == "--report" else []
        assert main(["file", "-m", str(tmp_path / "no model"), str(source), *other, option, f"{tmp_path}/{name}", *resume]) == 2
        one_line(capsys, f"{tmp_path}/{name}: cannot be written: {reason}")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_name_without_room_for_part(translate, tmp_path, source, capsys):
    for words in (["-o", tmp_path / ("n" * 250)], ["-o", tmp_path / "out", "--report", tmp_path / ("n" * 252)]):
        assert translate(source, *words, "--resume") == 2
        one_line(capsys, "cannot be written: File name too long")
    assert list(tmp_path.iterdir()) == [source]


def test_an_evaluation_that_could_not_be_written_is_told_first(untrained, tmp_path, capsys):
    shutil.copytree(untrained, tmp_path / "run")
    (tmp_path / "run" / "report.json").mkdir()
    assert main(["evaluate", "-m", str(tmp_path / "run")]) == 2
    one_line(capsys, "report.json is not a file")


def test_paths_that_are_none(capsys):
    for path in ("", "a\0b"):
        for load in (load_bundle, Translator.load):
            with pytest.raises(UserError, match="is not a path"):
                load(path)
    for words in (["-o", ""], ["--report", ""], [""]):
        with pytest.raises(SystemExit) as leave:
            main(["file", "-m", "x", *words])
        assert leave.value.code == 2 and "is not a path" in capsys.readouterr().err


def test_where_an_export_may_go(tmp_path, untrained, capsys, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "to empty").symlink_to("empty")
    (tmp_path / "to file").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    refused = {
        "full": "already exists", "file": "already exists", "to file": "already exists", "pipe": "already exists",
        "dangling": "is a link to", "file/x/y": "Not a directory", "n" * 256: "File name too long",
    }  # fmt: skip
    before = sorted(tmp_path.rglob("*"))
    for name, reason in refused.items():
        assert main(["export", "-m", "no model", "--to", "ctranslate2", "-o", str(tmp_path / name)]) == 2
        assert reason in one_line(capsys, str(tmp_path / name).split("/x/")[0])
    monkeypatch.chdir(tmp_path / "empty")
    assert main(["export", "-m", "no model", "--to", "ctranslate2", "-o", "."]) == 2
    one_line(capsys, "the current folder")
    monkeypatch.chdir(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    check_new_folder("to empty"), check_new_folder("new/deep")
    assert main(["export", "-m", str(untrained), "--to", "ctranslate2", "-o", "to empty"]) == 0
    assert (tmp_path / "empty" / "model.bin").exists() and (tmp_path / "to empty").is_symlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_right_to_write(tmp_path):
    tmp_path.chmod(0o500)
    try:
        for call in (check_writable, check_new_folder):
            with pytest.raises(UserError, match="cannot be written: Permission denied"):
                call(tmp_path / "x")
    finally:
        tmp_path.chmod(0o700)


def test_an_error_while_a_stream_is_full_ends(tmp_path):
    """What is left in the buffer is dropped: a pipe that nobody reads takes nothing more."""
    reading, writing = os.pipe()
    try:
        with pytest.raises(RuntimeError), atomic_write(f"/dev/fd/{writing}") as stream:
            os.set_blocking(writing, False)
            while True:
                try:
                    os.write(writing, bytes(4096))
                except BlockingIOError:
                    break
            os.set_blocking(writing, True)
            stream.write(b"x")
            raise RuntimeError
    finally:
        os.close(reading), os.close(writing)
