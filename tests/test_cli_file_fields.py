"""`translate file` on one field of each record: a column or a key is translated, and every other byte stays."""

from __future__ import annotations

import gzip
import json
import lzma
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import Pipe, lines_of, one_line
from translate.cli.main import main
from translate.translation.translator import Translator

CSV = '\ufeffid;text\r\n1;"Guten ""Morgen""!"\r\n2;"Der Hund schläft.\n\nDie Katze; läuft."\r\n3;\r\n4; Guten Morgen! '


@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
def test_a_column_is_translated_and_the_rest_stays(untrained, tmp_path, capsys, engine, packed):
    if engine == "ctranslate2":
        pytest.importorskip("ctranslate2")
    source, out, report = tmp_path / f"in.csv{packed}", tmp_path / f"out{packed}", tmp_path / "report"
    opened = {"": open, ".gz": gzip.open, ".xz": lzma.open}[packed]
    with opened(source, "wb") as file:
        file.write(CSV.encode())
    texts = ['Guten "Morgen"!', "Der Hund schläft.", "Die Katze; läuft.", "Guten Morgen!"]
    made = [text.replace('"', '""') for text in Translator.load(untrained, "cpu", "fp32", engine).translate(texts)] if engine == "torch" else None
    words = ["file", "-m", str(untrained), "--engine", engine, str(source), "-o", str(out), "--report", str(report), "--column", "text"]
    assert main([*words, *(["--precision", "fp32", "--device", "cpu"] if engine == "torch" else [])]) == 0
    with opened(out, "rb") as file:
        written = file.read().decode()
    assert written.split(";")[:2] == ["\ufeffid", "text\r\n1"] and written.count("\r\n") == 4 and written.count("\n") == CSV.count("\n")
    if made:
        last = f" {made[3]} " if not {'"', ";"} & set(made[3]) else f'" {made[3]} "'
        assert written == f'\ufeffid;text\r\n1;"{made[0]}"\r\n2;"{made[1]}\n\n{made[2]}"\r\n3;\r\n4;{last}'
    records = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert [(record["line"], record["status"] == "blank") for record in records] == [
        (1, True), (2, False), (3, False), (4, True), (5, False), (6, True), (7, False)
    ]  # fmt: skip
    assert "split" not in capsys.readouterr().err


JSON_LINES = '{"id": 1.0, "t": {"de":"Guten Morgen!\\n\\nDer Hund schläft.", "n":[1,2]}}\n{"t":{"de":null}}\n\n{"t":{"de":"Die Katze läuft."}}\n'


def test_a_key_is_translated_and_the_rest_stays(untrained, translate, tmp_path, capsys):
    made = Translator.load(untrained, "cpu", "fp32").translate(["Guten Morgen!", "Der Hund schläft.", "Die Katze läuft."])
    quoted = [json.dumps(text, ensure_ascii=False)[1:-1].replace("\u2028", "\\u2028") for text in made]
    expected = JSON_LINES.replace("Guten Morgen!", quoted[0]).replace("Der Hund schläft.", quoted[1]).replace("Die Katze läuft.", quoted[2])
    (tmp_path / "in.jsonl").write_text(JSON_LINES, encoding="utf-8")
    assert translate(tmp_path / "in.jsonl", "--key", "t.de", "--window", "2") == 0
    captured = capsys.readouterr()
    assert captured.out == expected
    assert "warning" in captured.err and "1 of 4 lines (the first is line 2) have no text there" in captured.err


def test_a_field_comes_through_a_pipe(translate, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(b"1,Guten Morgen!\n2,Guten Morgen!\n"), isatty=lambda: False))
    assert translate("--column", "2", "--window", "1") == 0
    assert [line[:2] for line in lines_of(capsys)] == ["1,", "2,"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(b'{"de": "Hallo"}\n{"de": \n'), isatty=lambda: False))
    assert translate("--key", "de") == 2
    one_line(capsys, "standard input, line 2: not valid JSON")


@pytest.mark.parametrize(
    "text, words, said",
    [
        ("a,b\n1,2\n", ["--column", "c"], "no column 'c'"), ("a,b\n", ["--column", "0"], "counted from 1"),
        ('{"a": 1}\n', ["--key", "b"], "no object has text"),
        ('a,"b\n', ["--column", "2"], "never closed"),
    ],
)  # fmt: skip
def test_a_field_that_is_not_there_is_told_before_anything_is_written(translate, tmp_path, capsys, text, words, said):
    (tmp_path / "in").write_text(text, encoding="utf-8")
    assert translate(tmp_path / "in", *words, "-o", tmp_path / "out") == 2
    one_line(capsys, said)
    assert translate(tmp_path / "in", tmp_path / "in", *words) == 2
    one_line(capsys, "one file at a time")
    assert not (tmp_path / "out").exists()
