"""`translate file` at redirects and pipes: what is told before anything is written, and what comes when."""

import gzip
import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import translate.cli.file
from translate.cli.main import main

WHOLE = b"Guten Morgen!\n" * 40
DAMAGED = WHOLE + b"Guten \xff\xc3 Morgen!\n"


def test_a_file_behind_a_redirect_is_a_file(untrained, tmp_path, command):
    path = tmp_path / "in"
    path.write_bytes(DAMAGED)
    with open(path, "rb") as file:
        done = command("file", "-m", untrained, "--window", "1", stdin=file)
    assert done.returncode == 2 and done.stdout == b"" and b"line 41: invalid UTF-8 at byte 7" in done.stderr
    with open(path, "rb") as file:
        file.seek(14 * 38)  # a shell script may have read on
        done = command("file", "-m", untrained, "--errors", "replace", stdin=file)
    assert done.returncode == 0 and done.stdout.count(b"\n") == 3, done.stderr


def test_a_pipe_is_read_to_its_end_before_anything_is_written(untrained, tmp_path, command):
    (tmp_path / "in").write_bytes(WHOLE)
    for words in ([], ["-", tmp_path / "in"], ["/dev/stdin"]):
        done = command("file", "-m", untrained, *words, input=DAMAGED)
        assert done.returncode == 2 and done.stdout == b"" and b"line 41: invalid UTF-8 at byte 7" in done.stderr
        done = command("file", "-m", untrained, *words, input=WHOLE)
        assert done.returncode == 0 and done.stdout.count(b"\n") == 40 * (len(words) or 1), done.stderr


def test_no_room_for_what_comes_through_a_pipe(untrained, command):
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = command("file", "-m", untrained, input=WHOLE, preexec_fn=small_files)
    assert done.returncode == 2 and done.stdout == b"" and done.stderr.count(b"\n") == 1
    assert b"standard input: could not be copied to " in done.stderr and b"set TMPDIR" in done.stderr


def test_lines_come_as_they_are_done_and_a_closed_pipe_is_told(untrained):
    """Two lines go in and one comes out before the input has ended; then the reader leaves."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "translate", "file", "-m", str(untrained), "--window", "1", "--device", "cpu"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdin.write(b"Guten Morgen!\n")
        process.stdin.flush()
        assert process.stdout.readline().endswith(b"\n")
        process.stdout.close()
        try:
            process.stdin.write(b"Guten Morgen!\n" * 50)
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.stdin = None
        assert process.stderr.read() == b"translate: the reader of the output has closed it: the rest is not translated\n"
        assert process.wait(60) == 141


def test_an_input_that_vanishes_costs_nothing_and_one_that_breaks_off_leaves_the_old_output(untrained, tmp_path, capsys, monkeypatch):
    source, out = tmp_path / "in.gz", tmp_path / "out"
    source.write_bytes(gzip.compress(WHOLE, mtime=0))
    load = translate.cli.file.load

    def before_the_model(change):
        """The input has been counted, and is open."""
        monkeypatch.setattr("translate.cli.file.load", lambda *words: [change(), load(*words)][1])

    before_the_model(source.unlink)
    words = ["file", "-m", str(untrained), str(source), "-o", str(out), "--device", "cpu"]
    assert main(words) == 0 and not source.exists()
    whole = out.read_bytes()
    assert whole.count(b"\n") == 40
    chance = random.Random(1)
    blank = "".join("".join(chance.choices(" \t", k=100)) + "\n" for _ in range(2000)).encode()  # more than a buffer takes, and soon translated
    source.write_bytes(gzip.compress(WHOLE + blank, mtime=0))
    before_the_model(lambda: os.truncate(source, source.stat().st_size - 12))
    capsys.readouterr()
    assert main([*words, "--window", "8"]) == 2 and out.read_bytes() == whole
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"translate: error: {source}: damaged after line ")
    assert main(words) == 2 and "damaged" in capsys.readouterr().err
    source.unlink()
    assert main(words) == 2 and out.read_bytes() == whole
    assert capsys.readouterr().err == f"translate: error: {source}: cannot be read: No such file or directory\n"
