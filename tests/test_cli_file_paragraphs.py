"""`translate file --paragraphs`: wrapped text in, one line for each paragraph out; line numbers are those of the input."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import lines_of
from translate.translation.translator import Translator

WRAPPED = """Der Hund schläft unter dem
Tisch.

Guten Mor-
gen! Die Katze
läuft.


- Der Hund
- Die Katze
"""
JOINED = ["Der Hund schläft unter dem Tisch.", "", "Guten Morgen! Die Katze läuft.", "", "", "- Der Hund", "- Die Katze"]
FIRST_LINES = [1, 3, 4, 7, 8, 9, 10]


@pytest.fixture
def wrapped(tmp_path):
    path = tmp_path / "wrapped.de"
    path.write_text(WRAPPED, encoding="utf-8")
    return path


def test_each_paragraph_is_translated_as_if_it_were_a_line(translate, untrained, wrapped, tmp_path):
    report = tmp_path / "report"
    assert translate(wrapped, "--paragraphs", "-o", tmp_path / "out", "--report", report) == 0
    expected = Translator.load(untrained, "cpu", "fp32").translate(JOINED)
    assert (tmp_path / "out").read_text(encoding="utf-8").split("\n") == [*expected, ""]
    records = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert [record["line"] for record in records] == FIRST_LINES
    assert [record["status"] == "blank" for record in records] == [not text for text in JOINED]


def test_json_has_the_joined_source_and_its_first_line(translate, wrapped, capsys):
    assert translate(wrapped, "--paragraphs", "--format", "jsonl") == 0
    records = [json.loads(line) for line in lines_of(capsys)]
    assert [record["source"] for record in records] == JOINED
    assert [record["line"] for record in records] == FIRST_LINES
    assert translate(wrapped, "--paragraphs", "--n-best", "2", "--beam", "2") == 0
    assert [int(line.split("\t")[0]) for line in lines_of(capsys)] == [number for number in FIRST_LINES for _ in range(2)]


def test_no_paragraph_goes_from_one_file_to_the_next(translate, tmp_path, capsys):
    for name, text in (("a", "Der Hund\nschläft"), ("b", "und träumt.\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert translate(tmp_path / "a", tmp_path / "b", "--paragraphs", "--format", "jsonl") == 0
    records = [json.loads(line) for line in lines_of(capsys)]
    assert [(record["line"], record["source"]) for record in records] == [(1, "Der Hund schläft"), (3, "und träumt.")]


def test_a_pipe_is_read_paragraph_by_paragraph(translate, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(WRAPPED.encode()), isatty=lambda: False))
    assert translate("--paragraphs", "--window", "1", "--format", "jsonl") == 0
    assert [json.loads(line)["source"] for line in lines_of(capsys)] == JOINED


def test_resume_goes_on_after_any_paragraph(translate, tmp_path, capsys):
    source, out, report = tmp_path / "in", tmp_path / "out", tmp_path / "report"
    source.write_text(WRAPPED * 5, encoding="utf-8")
    words = (source, "--paragraphs", "--window", "3", "--format", "jsonl")
    assert translate(*words, "-o", tmp_path / "whole", "--report", tmp_path / "whole.report") == 0
    whole = [(tmp_path / name).read_bytes() for name in ("whole", "whole.report")]
    resumed = (*words, "-o", out, "--report", report, "--resume")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("translate.files.resumable.ResumableFile.finish", interrupted)
        assert translate(*resumed) == 130
    parts = [Path(f"{path}.part") for path in (out, report)]
    contents = [part.read_bytes() for part in parts]
    for share in (0.3, 0.5, 0.9):
        for part, content in zip(parts, contents):
            part.write_bytes(content[: int(share * len(content))])
        capsys.readouterr()
        assert translate(*resumed) == 0
        assert [out.read_bytes(), report.read_bytes()] == whole
        assert "resuming at line" in capsys.readouterr().err
    out.unlink()
    part = parts[0]
    part.write_bytes(contents[0][: len(contents[0]) // 2])
    assert translate(source, "--window", "3", "--format", "jsonl", "-o", out, "--report", report, "--resume") == 2  # another job


def interrupted(*_):
    raise KeyboardInterrupt


def test_it_is_refused_with_a_field(translate, tmp_path, capsys):
    path = tmp_path / "in.csv"
    path.write_text("de\nDer Hund\n", encoding="utf-8")
    assert translate(path, "--paragraphs", "--column", "de") == 2
    assert "--paragraphs has no effect with --column, whose texts are not wrapped" in capsys.readouterr().err
