"""`translate file` where something is wrong: models, files, options; one line says what, and nothing is written."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import Pipe, lines_of, one_line
from translate.cli.main import main


def test_no_bundle(translate, tmp_path, source, capsys):
    assert translate(source, model=tmp_path / "nowhere") == 2
    one_line(capsys, "nowhere")
    assert translate(source, "-o", tmp_path / "out", model=tmp_path) == 2  # a folder, but no bundle
    one_line(capsys, str(tmp_path), "config.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.de"]


def test_a_foreign_bundle(translate, tmp_path, source, capsys):
    (tmp_path / "config.yaml").write_text("model_type: marian\n", encoding="utf-8")
    assert translate(source, model=tmp_path) == 2
    one_line(capsys, "config.yaml")


def test_what_cannot_be_read(translate, tmp_path, capsys):
    for path, word in [(tmp_path / "absent", "absent"), (tmp_path, str(tmp_path))]:
        assert translate(path, "-o", tmp_path / "out") == 2
        one_line(capsys, word)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_written(translate, tmp_path, source, capsys):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "absent" / "out", source):
        assert translate(source, "-o", path) == 2
        one_line(capsys, str(path))
    assert source.read_text(encoding="utf-8").startswith("Der Hund")
    os.symlink(source, tmp_path / "link")
    assert translate(tmp_path / "link", "-o", source) == 2
    one_line(capsys, "as well as the output")


def test_invalid_utf8_leaves_the_old_output_as_it_is(translate, tmp_path, capsys):
    (tmp_path / "in").write_bytes(b"Guten Morgen!\n\nab\xffc\n")
    (tmp_path / "out").write_text("old", encoding="utf-8")
    assert translate(tmp_path / "in", "-o", tmp_path / "out", "--window", "1") == 2
    one_line(capsys, "line 3", "byte 3")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_invalid_utf8_is_told_before_anything_is_written_or_replaced(translate, tmp_path, capsys):
    (tmp_path / "in").write_bytes(b"Guten Morgen!\n" * 40 + b"Guten \xff\xc3 Morgen!\n")
    assert translate(tmp_path / "in", "--window", "1") == 2
    one_line(capsys, "line 41", "byte 7")  # and nothing on standard output
    assert translate(tmp_path / "in", "--errors", "replace", "--format", "jsonl") == 0
    assert json.loads(lines_of(capsys)[-1])["source"] == "Guten \ufffd\ufffd Morgen!"


@pytest.mark.parametrize("words", [["--beam", "0"], ["--n-best", "9"], ["--sample", "--top-p", "2"], ["--batch-tokens", "0"]])
def test_impossible_options(translate, source, capsys, words):
    assert translate(source, *words) == 2
    one_line(capsys, words[-1])


NO_EFFECT = [
    *[f"{option} {value}" for option, value in (("--temperature", 1), ("--top-k", 0), ("--top-p", "0.5"), ("--seed", 1))],
    "--beam 3 --sample", "--length-penalty 1 --sample", "--length-penalty 1 --beam 1",
    "--precision auto --engine ctranslate2", "--compute-type default", "--compute-type int8 --engine torch",
    "--scores --format jsonl", "--scores --n-best 2", "--format text --column 1", "--n-best 2 --key x", "--scores --key x",
    "--column 1 --key x", "--as text --column 1", "--as text --key x", "--paragraphs --column 1", "--paragraphs --key x",
]  # fmt: skip


@pytest.mark.parametrize("words", NO_EFFECT)
def test_an_option_without_effect_is_refused(untrained, source, capsys, words):
    assert main(["file", "-m", str(untrained), str(source), *words.split()]) == 2
    one_line(capsys, f"{words.split()[0]} has no effect with")


@pytest.mark.parametrize(
    "words", ["--sample --temperature 1 --top-k 0 --top-p 1 --seed 1", "--sample --length-penalty 1 --scores", "--beam 1 --length-penalty 1 --scores",
              "--n-best 1 --scores", "--as text", "--errors strict --format text --workers 0"]
)  # fmt: skip
def test_options_with_an_effect_or_a_default_are_taken(translate, source, words):
    assert translate(source, *words.split()) == 0


@pytest.mark.parametrize("size", ["0", "-1"])
def test_no_window(translate, source, capsys, size):
    assert translate(source, "--window", size) == 2
    one_line(capsys, f"--window is {size}")


def test_standard_input_twice_and_names_that_clash(translate, tmp_path, source, capsys):
    assert translate("-", source, "-") == 2
    one_line(capsys, "standard input (-) is given twice")
    os.mkfifo(tmp_path / "pipe")
    assert translate(tmp_path / "pipe", tmp_path / "pipe") == 2
    one_line(capsys, f"{tmp_path / 'pipe'} is given twice")
    (tmp_path / "pipe").unlink()
    assert translate(source, "--report", source) == 2
    one_line(capsys, "is an input as well as the report: give --report another name")
    assert translate(source, "-o", source) == 2
    one_line(capsys, "is an input as well as the output: give -o another name")
    assert translate(source, "-o", tmp_path / "x", "--report", tmp_path / "x") == 2
    one_line(capsys, "is the output as well as the report: give --report another name")
    assert translate(source, "-o", tmp_path / "x.bz2") == 2
    one_line(capsys, "-o", "x.bz2", "only .gz and .xz")
    assert [path.name for path in tmp_path.iterdir()] == ["source.de"]


SRT = "1\n00:00:01,000 --> 00:00:02,500\nGuten Morgen!\n"


def test_what_is_not_plain_text_is_refused_and_taken_with_as_text(translate, tmp_path, capsys):
    (tmp_path / "film.srt").write_text("Guten Morgen!\n", encoding="utf-8")  # the name tells
    (tmp_path / "film.txt").write_text(SRT, encoding="utf-8")  # the first lines tell
    (tmp_path / "brief.docx").write_bytes(b"PK\x03\x04")
    for name, what in (
        ("film.srt", "SubRip subtitles (by its name)"),
        ("film.txt", "SubRip subtitles (see line 2)"),
        ("brief.docx", "a Word document"),
    ):
        assert translate(tmp_path / name, "-o", tmp_path / "out") == 2
        one_line(capsys, f"{tmp_path / name} is not plain text but {what}", "--as text")
    assert not (tmp_path / "out").exists()
    for name, count in (("film.srt", 1), ("film.txt", 3)):
        assert translate(tmp_path / name, "--as", "text") == 0
        assert len(lines_of(capsys)) == count
    (tmp_path / "x.csv").write_text("a,b\n", encoding="utf-8")
    assert translate(tmp_path / "x.csv") == 2
    one_line(capsys, "--column N or NAME", "--as text")
    (tmp_path / "x").write_text('{"de": "Guten Morgen!"}\n', encoding="utf-8")
    assert translate(tmp_path / "x") == 2
    one_line(capsys, "JSON lines", "--key NAME", "--as text")
    assert translate(tmp_path / "x", "--column", "1") == 2
    one_line(capsys, "is not CSV or TSV but JSON lines (see line 1): --key NAME")
    assert translate(tmp_path / "x.csv", "--key", "a") == 2
    one_line(capsys, "is not JSON lines but comma-separated values (by its name): --column N")
    assert translate(tmp_path / "film.srt", "--key", "a") == 2
    one_line(capsys, "is not JSON lines but SubRip subtitles (by its name): leave --key out")


@pytest.mark.parametrize("words", [[], ["--window", "1"], ["--errors", "replace"]])
def test_standard_input_is_judged_by_its_first_lines(translate, words, monkeypatch, capsys):
    def run(*more):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(SRT.encode()), isatty=lambda: False))
        return translate(*words, *more), capsys.readouterr()

    code, said = run()
    assert code == 2 and said.out.count("\n") <= bool(words)  # a pipe that is not held gives its first line before
    assert said.err.startswith("translate: error: standard input is not plain text but SubRip subtitles (see line 2)") and said.err.count("\n") == 1
    code, said = run("--as", "text")
    assert code == 0 and said.out.count("\n") == 3


def test_an_unknown_device(untrained, source, capsys):
    assert main(["file", "-m", str(untrained), "--device", "abacus", str(source)]) == 2
    one_line(capsys, "abacus")
