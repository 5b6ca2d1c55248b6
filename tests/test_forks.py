"""Searches in copies of the process: the same answers, errors that come across, and nobody left behind whoever is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from translate.decoding import Options
from translate.translation import search_pool
from translate.translation.forks import ForkPool, fork_count
from translate.translation.translator import Translator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux alone")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def soon(condition) -> bool:
    """Whether it comes true within 30 seconds."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Odd(Exception):
    """Can be pickled, but not be made again from that."""

    def __init__(self, first, second):
        super().__init__(first)


def answer(word: str) -> tuple[str, int]:
    if word == "local":
        raise type("Local", (Exception,), {})("of a class that can't be pickled")
    if word == "odd":
        raise Odd("odd", "word")
    if word == "bad":
        raise ValueError("bad word")
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return word.upper(), os.getpid()


def test_calls_are_answered_by_copies():
    forks = ForkPool(answer, 2)
    found = [forks.call(word) for word in ("a", "b", "c", "d")]
    assert [word for word, _ in found] == ["A", "B", "C", "D"]
    assert len({pid for _, pid in found} - {os.getpid()}) == 2
    with pytest.raises(ValueError, match="^bad word$"):
        forks.call("bad")
    with pytest.raises(RuntimeError, match="^Local: of a class that can't be pickled(.|\n)*line"):
        forks.call("local")
    with pytest.raises(RuntimeError, match="^Odd: odd\n"):
        forks.call("odd")
    with pytest.raises(ChildProcessError, match="killed.*lower --batch-tokens"):
        for _ in range(2):
            forks.call("die")
    pids = {pid for _, pid in found}
    del forks
    assert soon(lambda: not any(map(alive, pids)))


@pytest.mark.parametrize("options", [Options(beam=3, n_best=2, batch_tokens=300), Options(sample=True, n_best=2, seed=5, batch_tokens=300)])
def test_copies_find_what_the_process_itself_finds(trained, corpus_folder, options):
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()[:150]
    alone = Translator.load(trained, "cpu", "fp32")
    alone.engine.at_once = 1
    forked = Translator.load(trained, "cpu", "fp32")
    forked.pool.forks = 3
    before = set(multiprocessing.active_children())
    assert list(forked.translate_stream(lines, options)) == list(alone.translate_stream(lines, options))
    assert len(set(multiprocessing.active_children()) - before) == 3
    assert alone.pool.forks == 0 and Translator.load(trained, "cpu", "fp32", fork=True).pool.forks == fork_count()


def test_where_no_process_can_be_made_threads_search(trained, corpus_folder, monkeypatch):
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()[:60]

    def no_more(*_):
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(search_pool, "ForkPool", no_more)
    forked, alone = (Translator.load(trained, "cpu", "fp32") for _ in range(2))
    forked.pool.forks = 3
    assert forked.translate(lines, batch_tokens=100) == alone.translate(lines, batch_tokens=100)


PARENT = """
import os, sys, time
from translate.translation.forks import ForkPool

def number(_):
    return os.getpid()

first, second = ForkPool(number, 2), ForkPool(number, 1)
print(first.call(0), first.call(0), second.call(0), flush=True)
time.sleep(60)
"""


FORKED = """
import os, sys
from translate.translation.forks import ForkPool

forks = ForkPool(os.getpid, 2)
before = {forks.call() for _ in range(2)}
if not (child := os.fork()):
    sys.exit(0)  # a worker of gunicorn ends like this
assert os.waitpid(child, 0)[1] == 0
assert {forks.call() for _ in range(2)} == before
"""


def test_a_process_forked_by_hand_leaves_the_copies_alone_when_it_exits():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_copies_end_with_the_process(number):
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(set(pids)) == 3 and all(map(alive, pids))
    parent.send_signal(number)
    assert parent.wait(timeout=30) == -number
    assert parent.stdout.read() == ""
    assert soon(lambda: not any(map(alive, pids)))


def test_ctrl_c_ends_a_command_and_its_copies_with_one_line(trained, corpus_folder, tmp_path):
    many = tmp_path / "many.de"
    many.write_bytes((corpus_folder / "train.de").read_bytes() * 100)
    command = [sys.executable, "-m", "translate", "file", "-m", str(trained), "--batch-tokens", "200", str(many)]
    heard = {"start_new_session": True, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "2"}, **pipes, **heard) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        assert soon(lambda: len(children.read_text().split()) == 2)
        pids = [int(pid) for pid in children.read_text().split()]
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        assert soon(lambda: process.poll() is not None)
        said = process.stderr.read().decode()
    assert process.returncode == 130
    assert [line for line in said.splitlines() if not line.startswith("translate: translated again")] == ["translate: interrupted"]
    assert soon(lambda: not any(map(alive, pids)))
