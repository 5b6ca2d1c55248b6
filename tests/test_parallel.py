"""Searches after a fork, in a worker of a pool, from two threads at once; copies of a translator; batches for which there is too little memory."""

from __future__ import annotations

import copy
import itertools
import os
import pickle
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tests.conftest import FILE_ENVIRONMENT, one_line
from translate.config import DecodingConfig
from translate.decoding import Options
from translate.errors import UserError
from translate.translation import search_pool
from translate.translation.torch_engine import TorchEngine
from translate.translation.translator import Translator

linux = pytest.mark.skipif(sys.platform != "linux", reason="forks")

FORKED = """
import faulthandler, multiprocessing, sys
from translate.decoding import Options
from translate.translation.translator import Translator

faulthandler.dump_traceback_later(100, exit=True)
folder, engine, fork = sys.argv[1], sys.argv[2], sys.argv[3] == "fork"
lines = [line.rstrip() for line in open(sys.argv[4], encoding="utf-8")][:20]
loaded = Translator.load(folder, "cpu", engine=engine, fork=fork)
many, few = [loaded.translate(some, beam=1, batch_tokens=100) for some in (lines, lines[:1])]
multiprocessing.set_start_method("fork")

def used(translator=None):
    translator = translator or loaded
    try:
        return [translator.translate(some, beam=1, batch_tokens=100) for some in (lines[:1], lines)] == [few, many]
    except ValueError as error:
        return str(error)

def loads_its_own():
    return used(Translator.load(folder, "cpu", engine=engine, fork=fork))

def child(function, answers):
    answers.put(function())

for function in (used, loads_its_own):
    answers = multiprocessing.SimpleQueue()
    process = multiprocessing.Process(target=child, args=(function, answers))
    process.start()
    print(answers.get())
    process.join()
    with multiprocessing.Pool(1) as pool:
        print(pool.apply(function))
print(used())
"""


def forked(folder, corpus_folder, engine, fork):
    """What processes forked off after use say, every other one a worker of a pool: with what was loaded, then loading anew; last, the first one."""
    words = [sys.executable, "-c", FORKED, str(folder), engine, fork, str(corpus_folder / "train.de")]
    done = subprocess.run(words, capture_output=True, text=True, env={**FILE_ENVIRONMENT, "OMP_NUM_THREADS": "2"}, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines()


@linux
@pytest.mark.parametrize("fork", ["threads", "fork"])
def test_a_process_forked_after_use_translates(trained, corpus_folder, fork):
    assert forked(trained, corpus_folder, "torch", fork) == ["True"] * 5


@linux
def test_where_a_forked_process_can_not_it_says_what_to_do(trained, corpus_folder):
    pytest.importorskip("ctranslate2")
    used, of_pool, *others = forked(trained, corpus_folder, "ctranslate2", "threads")
    assert used == of_pool and re.match("this process was forked .* load it in each process .*gunicorn", used)
    assert others == ["True"] * 3


def test_a_pickle_and_a_copy_are_loaded_from_the_same_folder(untrained, monkeypatch):
    monkeypatch.chdir(untrained.parent)
    translator = Translator.load(untrained.name, "cpu", "fp32")
    expected = translator.translate(["Guten Morgen!"])
    pickled = pickle.dumps(translator)
    monkeypatch.chdir("/")
    assert len(pickled) < 1000
    for other in (pickle.loads(pickled), copy.deepcopy(translator), copy.copy(translator)):
        assert other.translate(["Guten Morgen!"]) == expected
    parts = Translator(translator.engine, translator.tokenizer, translator.decoding)
    for way in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="^a Translator made without Translator.load can't be pickled or copied: use Translator.load"):
            way(parts)


def test_two_threads_that_come_first_share_one_thread_pool(trained, corpus_folder, monkeypatch):
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()[:40]
    translator = Translator.load(trained, "cpu", "fp32")
    expected = translator.translate(lines, beam=1, batch_tokens=100)
    translator.engine.at_once = 2
    made, together = [], threading.Barrier(4)

    def thread_pool(workers):
        made.append(workers)
        return real(workers)

    real = search_pool.thread_pool
    monkeypatch.setattr(search_pool, "thread_pool", thread_pool)

    def first(_):
        together.wait(30)
        return translator.translate(lines, beam=1, batch_tokens=100)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(first, range(4))) == [expected] * 4
    assert made == [2]


def short_of_memory(error, most):
    """A search that has memory for so many tokens of sources, padding included."""

    def search(self, sources, limits, options, seeds, no_repeat=0, align=False, required=None):
        if len(sources) * max(map(len, sources)) > most:
            raise error
        return real(self, sources, limits, options, seeds, no_repeat, align, required)

    real = TorchEngine.search
    return search


OUT_OF_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 80 bytes. Error code 12"),
    RuntimeError("CUDA failed with error out of memory"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("could not create a primitive"),
]


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_where_memory_runs_out_batches_are_halved(trained, corpus_folder, monkeypatch, error, at_once):
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()[:50]
    translator = Translator.load(trained, "cpu", "fp32")
    translator.engine.at_once = at_once
    options = Options(beam=1, batch_tokens=300)
    expected = list(translator.translate_stream(lines, options))
    monkeypatch.setattr(TorchEngine, "search", short_of_memory(error, 60))
    results = list(translator.translate_stream(lines, options))
    assert [(result.number, result.text) for result in results] == [(result.number, result.text) for result in expected]
    assert [result.score for result in results] == pytest.approx([result.score for result in expected], rel=1e-5)
    translator.translate(["Guten Morgen!"])
    monkeypatch.setattr(TorchEngine, "search", short_of_memory(error, 0))
    results = translator.translate_stream(["", "Guten Morgen!", "Der Hund schläft."], options)
    with pytest.raises(UserError, match=r"^line 2 does not fit in memory, even alone \(\d+ tokens, beam 1\): lower --beam; --batch-tokens"):
        next(results)
    with pytest.raises(UserError, match=r"^line 1 .* \(\d+ tokens, 7 samples\): lower --n-best; --batch-tokens \(300\)"):
        list(translator.translate_stream(["Guten Morgen!"], Options(sample=True, n_best=7, batch_tokens=300)))


def test_what_fits_only_when_nothing_else_runs_is_searched_last(trained, monkeypatch):
    lines = ["Guten Morgen!", "Der Hund schläft."]
    expected = Translator.load(trained, "cpu", "fp32").translate(lines, beam=1, batch_tokens=1)
    calls, both, real = itertools.count(1), threading.Barrier(2, timeout=30), TorchEngine.search

    def search(self, *rest):
        if next(calls) <= 2:  # the first two run at the same time, and then there is too little memory
            both.wait()
            raise MemoryError
        return real(self, *rest)

    monkeypatch.setattr(TorchEngine, "search", search)
    translator = Translator.load(trained, "cpu", "fp32")
    translator.engine.at_once = 2
    assert translator.translate(lines, beam=1, batch_tokens=1) == expected and next(calls) >= 5


def test_the_command_says_which_line(translate, tmp_path, capsys, monkeypatch):
    (tmp_path / "in").write_text("Guten Morgen!\n" * 9 + "Der Hund schläft. Die Katze läuft.\n", encoding="utf-8")
    words = [tmp_path / "in", "-o", tmp_path / "out", "--beam", "1"]
    assert translate(*words) == 0
    expected = (tmp_path / "out").read_bytes()
    capsys.readouterr()
    monkeypatch.setattr(TorchEngine, "search", short_of_memory(OUT_OF_MEMORY[1], 40))
    assert translate(*words) == 0 and (tmp_path / "out").read_bytes() == expected
    capsys.readouterr()
    monkeypatch.setattr(TorchEngine, "search", short_of_memory(OUT_OF_MEMORY[1], 12))
    assert translate(*words) == 2
    one_line(capsys, "line 10 does not fit in memory", "--beam", "--batch-tokens")
    assert (tmp_path / "out").read_bytes() == expected


def test_another_error_is_not_taken_for_want_of_memory(untrained, monkeypatch):
    translator = Translator.load(untrained, "cpu", "fp32")
    for error in (RuntimeError("shape '[3]' is invalid"), ValueError("out of memory of that name"), UserError("the model's scores are not numbers")):
        monkeypatch.setattr(TorchEngine, "search", short_of_memory(error, 0))
        with pytest.raises(type(error), match=re.escape(str(error))):
            translator.translate(["Guten Morgen!"])


class Dying:
    """An engine whose search kills the process that runs it, while a file is there."""

    max_tokens, at_once, machine, forkable = 64, 1, {"device": "cpu"}, True

    def __init__(self, engine, file):
        self.engine, self.file = engine, file

    def search(self, *arguments):
        if self.file.exists():
            os.kill(os.getpid(), 9)
        return self.engine.search(*arguments)


@linux
def test_after_a_copy_was_killed_the_next_call_has_new_ones(trained, corpus_folder, tmp_path):
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()[:20]
    whole = Translator.load(trained, "cpu", "fp32")
    translator = Translator(Dying(whole.engine, tmp_path / "deadly"), whole.tokenizer, DecodingConfig(beam=1, batch_tokens=50))
    translator.pool.forks = 2
    (tmp_path / "deadly").touch()
    with pytest.raises(ChildProcessError, match="killed"):
        translator.translate(lines)
    (tmp_path / "deadly").unlink()
    assert translator.translate(lines) == whole.translate(lines, beam=1, batch_tokens=50)


WITHOUT = """
import sys
{setup}
from translate.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
ON_WINDOWS = """
import mmap, os, signal
import torch, sentencepiece, safetensors, filelock, multiprocessing, concurrent.futures
for name in ("fork", "register_at_fork", "getuid", "geteuid", "sched_getaffinity", "mkfifo", "fchmod", "killpg", "setsid", "statvfs", "uname",
             "sysconf", "wait4", "posix_fadvise", "O_DIRECTORY", "O_NOFOLLOW"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGALRM", "SIGPIPE", "SIGCHLD", "pthread_sigmask", "setitimer", "alarm"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("MADV_RANDOM", "MAP_PRIVATE", "PROT_READ"):
    if hasattr(mmap, name):
        delattr(mmap, name)
for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules[name] = None
sys.platform = "win32"
"""


def test_files_are_translated_where_unix_is_missing(untrained, tmp_path):
    """A stand-in for Windows: what its Python lacks is taken away before the package is imported."""
    (tmp_path / "in").write_text("Guten Morgen!\n" * 300, encoding="utf-8")
    words = ["file", "-m", str(untrained), "--device", "cpu", "--beam", "1", "--batch-tokens", "200", str(tmp_path / "in")]
    outputs = []
    for setup in ("", ON_WINDOWS):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT.format(setup=setup), *words, "-o", str(tmp_path / "out"), "--resume"],
            capture_output=True, text=True, env={**FILE_ENVIRONMENT, "OMP_NUM_THREADS": "2"}, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        outputs.append(Path(tmp_path / "out").read_bytes())
    assert outputs[0] == outputs[1]
