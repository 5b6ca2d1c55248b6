"""SIGTERM and SIGHUP end a command at once: with the signal's exit code, one line, and nothing left behind but what --resume goes on with."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FILE_ENVIRONMENT, LINES, file_words
from translate.cli.main import main
from translate.cli.signals import Stopped, stopping

SECONDS = 60


@contextlib.contextmanager
def start(words, threads: str = "1", first: str = "", **options) -> Iterator[subprocess.Popen]:
    """The command as a process of its own that hears every signal, in a group of its own; `first` is executed before it."""
    code = f"import sys, signal\n{first}\nfrom translate.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    environment = {**FILE_ENVIRONMENT, "OMP_NUM_THREADS": threads}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, *words], env=environment, start_new_session=True, **{**pipes, **options}) as process:
        try:
            yield process
        finally:
            process.kill()


def wait(condition) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(process: subprocess.Popen) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_in_the_middle_of_a_translation(untrained, tmp_path, number):
    """The whole group gets it, as from a closed terminal or systemd; two processes search for the first one."""
    (tmp_path / "in").write_text("\n".join(LINES * 3000), encoding="utf-8")
    (tmp_path / "out").write_text("old")
    words = file_words(untrained, tmp_path / "in", "-o", tmp_path / "out", "--report", tmp_path / "report")[3:]
    with start(words, threads="2") as process:
        wait(lambda: len(children(process)) == 2)
        searchers = children(process)
        assert list(tmp_path.glob(".out.*.tmp")) and list(tmp_path.glob(".report.*.tmp"))
        time.sleep(0.3)
        os.killpg(process.pid, number)
        assert process.wait(SECONDS) == 128 + number
        assert process.stderr.read().splitlines()[-1:] == [f"translate: stopped by {number.name}".encode()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"] and (tmp_path / "out").read_text() == "old"
    wait(lambda: not any(Path(f"/proc/{child}").exists() for child in searchers))


def test_with_resume_the_part_stays_and_leads_to_the_same_output(untrained, tmp_path, translate):
    words = ["--window", "1", "-o", tmp_path / "out", "--report", tmp_path / "report", "--resume"]
    (tmp_path / "in").write_text("\n".join(LINES * 12), encoding="utf-8")
    with start(file_words(untrained, tmp_path / "in", *words)[3:]) as process:
        wait(lambda: any(path.stat().st_size > 800 for path in tmp_path.glob("out.part")))
        process.terminate()
        assert process.wait(SECONDS) == 143
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.part", "report.part"]
    assert translate(tmp_path / "in", *words) == 0 and translate(tmp_path / "in", "--window", "1", "-o", tmp_path / "whole") == 0
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "report", "whole"]


def test_a_reader_that_has_stopped_reading_does_not_hold_it_up(untrained, tmp_path):
    """Standard output is a full pipe, in which the process waits."""
    (tmp_path / "in").write_text("\n".join(LINES * 3000), encoding="utf-8")
    with start(file_words(untrained, tmp_path / "in", "-o", "/dev/stdout")[3:], stdout=subprocess.PIPE) as process:
        assert process.stdout.read(1)
        wchan = Path(f"/proc/{process.pid}/wchan")
        wait(lambda: "pipe_w" in wchan.read_text() or wchan.read_text() == "0" and time.sleep(2) is None)
        process.terminate()
        assert process.wait(SECONDS) == 143


@pytest.mark.parametrize("words", [["score", "{pipe}"], ["score", "{file}", "-i", "{pipe}"], ["file", "-m", "none", "{pipe}", "-o", "{folder}/out"]])
def test_while_it_waits_for_input(tmp_path, words):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("x\n")
    places = {"pipe": tmp_path / "pipe", "file": tmp_path / "file", "folder": tmp_path}
    with start([word.format(**places) for word in words]) as process:
        writing = os.open(tmp_path / "pipe", os.O_WRONLY)  # once it reads
        time.sleep(0.1)
        process.terminate()
        assert process.wait(SECONDS) == 143
        os.close(writing)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "pipe"]


def test_while_an_export_is_written(untrained, tmp_path):
    slow = "import time, translate.translation.ctranslate2_engine as engine\nengine.shutil.copyfile = lambda *_: time.sleep(60)"  # what comes last
    with start(["export", "-m", str(untrained), "--to", "ctranslate2", "-o", str(tmp_path / "out")], first=slow) as process:
        wait(lambda: list(tmp_path.glob(".out.*.tmp/spm.model")))
        process.terminate()
        assert process.wait(SECONDS) == 143
    assert list(tmp_path.iterdir()) == []


def test_under_nohup_a_closed_terminal_is_nothing(untrained, tmp_path):
    words = file_words(untrained, "--window", "1", "-o", tmp_path / "out")[3:]
    with start(words, first="signal.signal(signal.SIGHUP, signal.SIG_IGN)") as process:
        process.stdin.write(b"Guten Morgen!\n")
        process.stdin.flush()
        wait(lambda: list(tmp_path.glob(".out.*.tmp")))
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
        process.stdin = None
        assert process.wait(SECONDS) == 0 and (tmp_path / "out").read_bytes().count(b"\n") == 1


def test_handlers_of_others_stay(tmp_path, monkeypatch):
    def own(*_):
        pass

    before = signal.signal(signal.SIGTERM, own)
    try:
        with stopping():
            assert signal.getsignal(signal.SIGTERM) is own
            assert signal.getsignal(signal.SIGHUP) not in (signal.SIG_DFL, own)
    finally:
        signal.signal(signal.SIGTERM, before)
    hang_up = signal.getsignal(signal.SIGHUP)
    with pytest.raises(Stopped) as stopped, stopping():
        os.kill(os.getpid(), signal.SIGHUP)
    assert stopped.value.code == 129 and signal.getsignal(signal.SIGHUP) == hang_up
    assert main(["file", "-m", str(tmp_path), str(tmp_path / "none")]) == 2 and signal.getsignal(signal.SIGTERM) == before
