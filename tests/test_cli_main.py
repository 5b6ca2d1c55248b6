"""The command as a whole: help without waiting, one line for a mistake, silence for a closed pipe, UTF-8 everywhere."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from translate.cli import score
from translate.cli.main import COMMANDS, command_parser, main
from translate.cli.parser import Several
from translate.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "numpy", "sacrebleu", "hydra", "omegaconf", "datasets", "sentencepiece", "safetensors", "pyarrow", "tqdm", "yaml"}


def command(*words: str | Path, python: tuple[str, ...] = (), **settings) -> subprocess.CompletedProcess[bytes]:
    """`python -m translate WORDS` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings.pop("environment", {})}
    line = [sys.executable, *python, "-m", "translate", *map(str, words)]
    return subprocess.run(line, env=environment, timeout=60, check=False, **{"stdin": subprocess.DEVNULL, "capture_output": True, **settings})


@pytest.mark.parametrize("words", [["--help"], [], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_shows_examples_and_imports_nothing_heavy(words):
    answer = command(*words, python=("-X", "importtime"))
    assert answer.returncode == 0
    said = answer.stdout.decode("utf-8")
    assert re.search(r"^ +translate \w+ .*[\w/]", said, re.MULTILINE), "no example"
    assert all(len(line) <= 150 for line in said.splitlines())
    modules = re.findall(r"^import time:.*\| +([\w.]+)$", answer.stderr.decode(), re.MULTILINE)
    assert "argparse" in modules  # the list was read
    assert not HEAVY & {name.partition(".")[0] for name in modules}


def test_help_names_every_command():
    said = command("--help").stdout.decode()
    for name in COMMANDS:
        assert re.search(rf"^ +{name}\s+\w+", said, re.MULTILINE), name


def help_of(capsys, *words: str) -> str:
    try:
        main([*words, "--help"])
    except SystemExit as leave:  # argparse's way
        assert leave.code == 0
    return capsys.readouterr().out


def test_the_examples_of_the_help_are_real(capsys):
    """Every example names an existing command, with flags which that command's own help knows."""
    examples = re.findall(r"^  translate (.+?)(?:   .*)?$", help_of(capsys), re.MULTILINE)
    assert {line.split()[0] for line in examples} == set(COMMANDS)
    for line in examples:
        name, *words = line.split()
        known = re.findall(r"(?<!\S)-+[a-z][a-z-]*", help_of(capsys, name))
        assert [word for word in words if word.startswith("-") and word not in known] == [], line


def test_version():
    try:
        expected = f"translate-nmt {metadata.version('translate-nmt')}\n"
    except metadata.PackageNotFoundError:
        expected = "translate-nmt (not installed: running from a source folder)\n"
    answer = command("--version")
    assert (answer.returncode, answer.stdout.decode(), answer.stderr) == (0, expected, b"")


@pytest.mark.parametrize("words", [["tarin"], ["--verson"], ["score"], ["score", "ref", "--bleu"], ["score", "r", "--boot", "0"]], ids=" ".join)
def test_wrong_words_are_argparses_error(words):
    answer = command(*words)
    assert answer.returncode == 2 and answer.stdout == b""
    assert b"Traceback" not in answer.stderr
    assert re.match(r"translate( score)?: error: ", answer.stderr.decode().splitlines()[-1])


EVERY_OPTION = [
    (name, action)
    for name in COMMANDS
    for action in command_parser(name)._actions
    if action.option_strings and action.dest != "help" and not isinstance(action, Several)
]  # fmt: skip


@pytest.mark.parametrize("name, action", EVERY_OPTION, ids=[f"{name} {action.option_strings[-1]}" for name, action in EVERY_OPTION])
def test_an_option_given_twice_is_refused(name, action, capsys):
    value = [] if action.nargs == 0 else [str(action.choices[0]) if action.choices else "1"]
    for first in action.option_strings:
        for second in action.option_strings:
            needed = [word for other in command_parser(name)._actions if other.required and other.dest != action.dest and other.option_strings
                      for word in (other.option_strings[0], other.choices[0] if other.choices else "x")]  # fmt: skip
            assert main([name, *needed, first, *value, second, *value]) == 2
            said = f"translate: error: {second} is given twice" + ("" if first == second else f", the first time as {first}") + "\n"
            assert capsys.readouterr() == ("", said)


def test_every_command_that_parses_options_has_some():
    assert {name for name, _ in EVERY_OPTION} == {*COMMANDS} - {"completion"}


@pytest.mark.parametrize(
    "words, said",
    [
        (["tarin"], "unknown command 'tarin': did you mean train?"),
        (["init"], f"unknown command 'init': choose one of {', '.join(COMMANDS)}"),  # near to none
        (["--verson"], "(did you mean --version?)"),
        (["file", "-m", "x", "--bem", "3"], "unrecognized arguments: --bem (did you mean --beam?)"),
        (["file", "-m", "x", "--len=3"], "(did you mean --length-penalty?)"),  # the only one that begins so
        (["file", "--modle", "x"], "required: -m/--model (did you mean --model instead of --modle?)"),
        (["score", "r", "--zzz"], "unrecognized arguments: --zzz"),
    ],
)
def test_a_mistyped_word_gets_the_near_one_and_the_usage_of_its_own_command(words, said, capsys):
    with pytest.raises(SystemExit) as leave:
        main(words)
    captured = capsys.readouterr()
    assert leave.value.code == 2 and captured.out == ""
    assert captured.err.endswith(f"{said}\n")
    own = f"translate {words[0]}" if words[0] in COMMANDS else "translate"
    assert captured.err.startswith(f"usage: {own} ") and captured.err.splitlines()[-1].startswith(f"{own}: error: ")


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=lambda words: " ".join(words) or "alone")
def test_help_is_a_command_too(words, capsys):
    """`translate help` and `translate help COMMAND` print what --help prints."""

    def printed(arguments):
        try:
            assert main(arguments) == 0
        except SystemExit as leave:
            assert leave.code == 0
        return capsys.readouterr().out

    text = printed(["help", *words])
    assert text == printed([*words, "--help"]) and text.startswith(" ".join(["usage: translate", *words]))


def test_memory_that_runs_out_is_one_line(monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    allocator = RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried ...\nmore")
    for error in (MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ..."), allocator):

        def run(arguments, error=error):
            raise error

        monkeypatch.setattr(score, "run", run)
        assert main(["score", "reference"]) == 2
        said = capsys.readouterr().err
        assert said.startswith("translate: error: out of memory: lower --batch-tokens") and said.count("\n") == 1
    monkeypatch.setattr(score, "run", lambda arguments: torch.zeros(2) + torch.zeros(3))
    with pytest.raises(RuntimeError, match="size of tensor"):  # any other of torch's is a bug of ours
        main(["score", "reference"])


def test_the_exit_codes_of_the_help_are_real(texts, capsys):
    said = " ".join(help_of(capsys).split())
    codes = {int(code): what for code, what in re.findall(r"[:;] (\d+) ([^;]+)", said[said.index("exit codes:") :])}
    assert set(codes) == {0, 1, 2, 130, 141, 143}
    assert command("score", "ref", "-i", "hyp", "--bootstrap", "0", cwd=texts).returncode == 0
    assert command("score", "ref", "-i", "nowhere", cwd=texts).returncode == 2
    table = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == set(codes)


ERRORS = {
    "bad input": (UserError("width (500) must be even"), 2, "translate: error: width (500) must be even\n"),
    "many lines": (UserError("first\n   second\n"), 2, "translate: error: first second\n"),
    "no words": (UserError(), 2, "translate: error: UserError\n"),
    "missing file": (
        FileNotFoundError(errno.ENOENT, "No such file or directory", "a.de"), 2, "translate: error: a.de: No such file or directory\n"
    ),
    "folder": (IsADirectoryError(errno.EISDIR, "Is a directory", Path("data")), 2, "translate: error: data: Is a directory\n"),
    "disk full": (OSError(errno.ENOSPC, "No space left on device", "out"), 2, "translate: error: out: cannot be written: No space left on device\n"),
    "full output": (OSError(errno.ENOSPC, "No space left"), 2, "translate: error: the output: cannot be written: No space left\n"),
    "no name": (OSError(errno.EIO, "Input/output error"), 2, "translate: error: Input/output error\n"),
    "only a message": (OSError("the hub is not reachable"), 2, "translate: error: the hub is not reachable\n"),
    "Ctrl-C": (KeyboardInterrupt(), 130, "translate: interrupted\n"),
    "closed pipe": (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_a_mistake_is_one_line(case, monkeypatch, capsys):
    error, code, line = ERRORS[case]

    def run(arguments):
        print("what was done until then")
        raise error

    monkeypatch.setattr(score, "run", run)
    assert main(["score", "reference"]) == code
    assert capsys.readouterr() == ("what was done until then\n", line)


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch):
    for defect in (TypeError("ours"), ValueError("ours too")):

        def run(arguments, defect=defect):
            raise defect

        monkeypatch.setattr(score, "run", run)
        with pytest.raises(type(defect), match="ours"):
            main(["score", "reference"])


def test_translate_debug_shows_the_traceback_of_a_mistake_too(monkeypatch):
    def run(arguments):
        raise UserError("a mistake")

    monkeypatch.setattr(score, "run", run)
    monkeypatch.setenv("TRANSLATE_DEBUG", "1")
    with pytest.raises(UserError, match="a mistake"):
        main(["score", "reference"])


def test_train_gets_its_words_untouched(monkeypatch):
    from translate.cli import train

    seen = []
    monkeypatch.setattr(train, "run", lambda words: seen.append(words) or 7)
    assert main(["train", "-m", "recipe=a,b", "--cfg", "job", "--help"]) == 7
    assert seen == [["-m", "recipe=a,b", "--cfg", "job", "--help"]]


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "ref").write_text("A cat – a “small” one.\n" * 3, encoding="utf-8")
    (tmp_path / "hyp").write_text("A cat – one “small” cat.\n" * 3, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["score", "ref", "-i", "hyp", "--bootstrap", "0"]], ids=" ".join)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_quiet(words, unbuffered, texts):
    """As in `translate ... | true`, when the reader has left before the first byte."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = {"PYTHONUNBUFFERED": unbuffered}
    answer = command(*words, cwd=texts, stdout=writing, stderr=subprocess.PIPE, capture_output=False, environment=environment)
    os.close(writing)
    code = 0 if unbuffered and words == ["--help"] else 141  # argparse passes over an error of its own writing
    assert (answer.returncode, answer.stderr) == (code, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line(unbuffered, texts):
    with open("/dev/full", "wb") as full:
        settings = {"stdout": full, "stderr": subprocess.PIPE, "capture_output": False, "environment": {"PYTHONUNBUFFERED": unbuffered}}
        answer = command("score", "ref", "-i", "hyp", "--bootstrap", "0", cwd=texts, **settings)
    assert (answer.returncode, answer.stderr) == (2, b"translate: error: the output: cannot be written: No space left on device\n")


def test_without_a_stdout(texts):
    answer = subprocess.run(
        f"exec {sys.executable} -m translate score ref -i hyp --bootstrap 0 >&-",
        shell=True, cwd=texts, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, timeout=60, check=False,
    )  # fmt: skip
    assert (answer.returncode, answer.stderr) == (0, b"")


def test_utf8_whatever_the_locale(texts):
    environment = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    answer = command("score", "ref", "-i", "hyp", "--bootstrap", "0", "--format", "json", cwd=texts, environment=environment)
    assert answer.returncode == 0 and json.loads(answer.stdout.decode("utf-8"))["lines"] == 3
    answer = command("score", "fehlt-ä", "-i", "hyp", cwd=texts, environment={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert (answer.returncode, answer.stderr.decode("utf-8")) == (2, "translate: error: fehlt-ä: cannot be read: No such file or directory\n")


def test_ctrl_c_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "ref")
    process = subprocess.Popen(
        [sys.executable, "-m", "translate", "score", tmp_path / "ref"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job inherits it ignored
    )  # fmt: skip
    with open(tmp_path / "ref", "wb"):  # opens when the other side does: the command is running, and waits for a line
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, out, said) == (130, b"", b"translate: interrupted\n")


def test_a_message_stays_one_short_printable_line(capsys):
    name = "a\x1b[31m\u2028\nb" * 500
    assert main(["score", name]) == 2
    error = capsys.readouterr().err
    assert error.startswith("translate: error: a\\x1b[31m") and len(error) < 2100 and error[:-1].isprintable() and error.endswith("\n")
