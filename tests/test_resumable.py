"""`translate file --resume`: a job killed anywhere ends in the bytes of one that was not, and another job is refused."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import FILE_ENVIRONMENT, LINES, file_words, one_line


def interrupted(*_):
    """In the place of what comes last: all is written and nothing finished."""
    raise KeyboardInterrupt


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.de"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8", newline="")
    return path


def test_resume_goes_on_to_the_same_bytes(translate, tmp_path, capsys):
    """Killed at any byte: what is there of the output and of the report, cut anywhere, leads to what an uninterrupted run wrote."""
    (tmp_path / "in").write_text("\n".join(LINES * 6), encoding="utf-8")
    out, report = tmp_path / "out.en", tmp_path / "report"

    def run(*words):
        return translate(tmp_path / "in", "--window", "5", "--batch-tokens", "64", "--scores", *words)

    assert run("-o", tmp_path / "whole.en", "--report", tmp_path / "whole.report") == 0
    whole = [(tmp_path / name).read_bytes() for name in ("whole.en", "whole.report")]
    words = ("-o", out, "--report", report, "--resume")
    assert run(*words) == 0 and [out.read_bytes(), report.read_bytes()] == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.en", "report", "whole.en", "whole.report"]

    # what the parts were just before the end, made by hand: the job, then all lines
    out.unlink(), report.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("translate.files.resumable.ResumableFile.finish", interrupted)
        assert run(*words) == 130
    assert not out.exists() and not report.exists()
    parts = [Path(f"{path}.part") for path in (out, report)]
    contents = [part.read_bytes() for part in parts]
    assert all(content.endswith(text) for content, text in zip(contents, whole))
    chance = random.Random(3)
    for number in range(8):
        for part, content in zip(parts, contents):
            part.write_bytes(content[: chance.randint(0 if number == 0 else content.index(b"\n") + 1, len(content))])
        assert run(*words) == 0
        assert [out.read_bytes(), report.read_bytes()] == whole
        assert not any(part.exists() for part in parts)
        out.unlink(), report.unlink()


class Pipe(io.BytesIO):
    def seekable(self):
        return False


RECORDS = {
    "in.csv": ("".join(f'{number};"Guten ""Morgen""!\nDer Hund.";x\r\n{number};;y\r\n' for number in range(9)), ["--column", "2"]),
    "in.jsonl": ("".join(f'{{"n": {number}.0, "de": "Der Hund.\\n\\nDie Katze."}}\n\n' for number in range(12)), ["--key", "de"]),
}


@pytest.mark.parametrize("name", RECORDS)
def test_resume_of_one_field_of_records(translate, tmp_path, name):
    """Cut at any byte, also within a cell that goes over two lines."""
    text, words = RECORDS[name]
    source, out, report = tmp_path / name, tmp_path / "out", tmp_path / "report"
    source.write_text(text, encoding="utf-8", newline="")

    def run(*more):
        return translate(source, "--window", "7", *words, *more)

    assert run("-o", tmp_path / "whole", "--report", tmp_path / "whole.report") == 0
    whole = [(tmp_path / part).read_bytes() for part in ("whole", "whole.report")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("translate.files.resumable.ResumableFile.finish", interrupted)
        assert run("-o", out, "--report", report, "--resume") == 130
    parts = [Path(f"{path}.part") for path in (out, report)]
    contents = [part.read_bytes() for part in parts]
    chance = random.Random(5)
    for _ in range(6):
        for part, content in zip(parts, contents):
            part.write_bytes(content[: chance.randint(content.index(b"\n") + 1, len(content))])
        assert run("-o", out, "--report", report, "--resume") == 0
        assert [out.read_bytes(), report.read_bytes()] == whole
        out.unlink(), report.unlink()


def test_resume_of_one_field_through_a_pipe(translate, tmp_path, monkeypatch):
    text = "".join(f"{number},Guten Morgen {number}\n" for number in range(30)).encode()
    part = Path(f"{tmp_path / 'out'}.part")

    def run(name, *more):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(text), isatty=lambda: False))
        return translate("--column", "2", "-o", tmp_path / name, *more)

    assert run("whole") == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("translate.files.resumable.ResumableFile.finish", interrupted)
        assert run("out", "--resume") == 130
    header, *lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(header + b"".join(lines[:12]))
    assert run("out", "--resume") == 0
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


def test_resume_after_a_kill(untrained, tmp_path):
    (tmp_path / "in").write_text("\n".join(LINES * 250), encoding="utf-8")
    words = [tmp_path / "in", "--window", "64", "-o"]
    whole = subprocess.Popen(file_words(untrained, *words, tmp_path / "whole"), env=FILE_ENVIRONMENT, stderr=subprocess.DEVNULL)
    part = tmp_path / "out.part"
    with subprocess.Popen(file_words(untrained, *words, tmp_path / "out", "--resume"), env=FILE_ENVIRONMENT, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline and not (part.exists() and part.stat().st_size > 3000):
            time.sleep(0.01)
        process.kill()
    assert part.exists() and not (tmp_path / "out").exists()
    result = subprocess.run(file_words(untrained, *words, tmp_path / "out", "--resume"), env=FILE_ENVIRONMENT, capture_output=True)
    assert result.returncode == 0 and b"resuming at line" in result.stderr
    assert whole.wait() == 0 and (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


def test_resume_refuses_another_job(translate, tmp_path, source, capsys):
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("translate.files.resumable.ResumableFile.finish", interrupted)
        assert translate(source, "-o", out, "--resume") == 130
    capsys.readouterr()
    before = Path(f"{out}.part").read_bytes()
    assert translate(source, "-o", out, "--resume", "--beam", "3") == 2
    one_line(capsys, "beam", "None", "3", "out.part")
    assert Path(f"{out}.part").read_bytes() == before
    with source.open("a", encoding="utf-8") as file:
        file.write("mehr\n")
    assert translate(source, "-o", out, "--resume") == 2
    one_line(capsys, "input")
    Path(f"{out}.part").write_text("something else\n", encoding="utf-8")
    assert translate(source, "-o", out, "--resume") == 2
    one_line(capsys, "out.part", "move it away")
    assert translate(source, "--resume") == 2
    one_line(capsys, "-o")
    assert translate(source, "-o", out, "--report", out) == 2
    one_line(capsys, "as well as the report")
