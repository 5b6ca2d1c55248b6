"""`translate file --alignments` and `--format pharaoh`: what is written, beside what else, and which combinations have no effect."""

from __future__ import annotations

import json

import pytest

from tests.conftest import lines_of, one_line
from tests.test_resumable import interrupted
from translate.cli.main import main
from translate.translation.translator import Translator

TEXT = "Guten Mor\u00adgen! Der Hund schläft.\n\n12\n\tDie Katze\tläuft.  \r\nHund\n" + "Der Hund läuft.\n" * 3


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.de"
    path.write_text(TEXT, encoding="utf-8", newline="")
    return path


@pytest.fixture
def run(trained):
    def call(*words):
        return main(["file", "-m", str(trained), "--device", "cpu", "--precision", "fp32", *map(str, words)])

    return call


def records(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def numbers(text: str, begin: int) -> int:
    """Of the word, by white space, that holds a place."""
    return len(text[: begin + 1].split()) - 1


def test_spans_and_numbers_of_words(run, trained, source, tmp_path, capsys):
    out, file = tmp_path / "out", tmp_path / "links"
    assert run(source, "-o", out, "--alignments", file) == 0
    expected = Translator.load(trained, "cpu", "fp32").translate(
        [line.removesuffix("\r") for line in TEXT.split("\n")[:-1]], scores=True, alignment=True
    )
    found = records(file)
    assert [record["line"] for record in found] == list(range(1, 9)) and sum(len(record["alignment"]) for record in found) > 8
    for record, result, line in zip(found, expected, out.read_text(encoding="utf-8").split("\n")):
        assert (record["source"], record["translation"]) == (result.source, result.text) and record["translation"] == line.removesuffix("\r")
        assert record["alignment"] == [[list(one), list(two)] for one, two in result.alignment]
    capsys.readouterr()
    assert run(source, "--format", "pharaoh") == 0
    lines = lines_of(capsys)
    for record, line in zip(found, lines, strict=True):
        pairs = {(numbers(record["source"], one[0]), numbers(record["translation"], two[0])) for one, two in record["alignment"]}
        assert line == " ".join(f"{i}-{j}" for i, j in sorted(pairs))
    assert lines[1] == lines[2] == "" != lines[0]


def test_beside_other_outputs_and_resumed(run, source, tmp_path):
    names = ("out", "links", "report")

    def words(folder):
        folder.mkdir()
        return [source, "-o", folder / "out", "--alignments", folder / "links", "--report", folder / "report", "--n-best", "2", "--window", "3"]

    assert run(*words(tmp_path / "whole")) == 0
    whole = [(tmp_path / "whole" / name).read_bytes() for name in names]
    resumed = words(tmp_path / "resumed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("translate.files.resumable.ResumableFile.finish", interrupted)
        assert run(*resumed, "--resume") == 130
    part = tmp_path / "resumed" / "links.part"
    part.write_bytes(part.read_bytes()[:-40])
    assert run(*resumed, "--resume") == 0
    assert [(tmp_path / "resumed" / name).read_bytes() for name in names] == whole
    assert [len(record["alignment"]) > 0 for record in records(tmp_path / "whole" / "links")] == [True, False, False, True, True, True, True, True]


def test_of_a_field_of_records(run, trained, tmp_path):
    texts = ["Guten Morgen!\n\n  Der Hund schläft.", "Die Katze läuft."]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"n": n, "de": text}) + "\n" for n, text in enumerate(texts)), encoding="utf-8")
    assert run(source, "-o", tmp_path / "out", "--key", "de", "--alignments", tmp_path / "links") == 0
    written = [record["de"] for record in records(tmp_path / "out")]
    for record, text, translation in zip(records(tmp_path / "links"), texts, written, strict=True):
        assert record["source"] == text and record["translation"] == translation
        position = place = 0
        expected = []
        for line in text.split("\n"):
            alone = Translator.load(trained, "cpu", "fp32").translate(line.strip(), scores=True, alignment=True)
            position = text.index(line.strip(), position)
            place = translation.index(alone.text, place)
            expected += [[[a + position, b + position], [c + place, d + place]] for (a, b), (c, d) in alone.alignment]
        assert record["alignment"] == expected and expected


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--format", "pharaoh", "--scores"], ["--scores has no effect", "pharaoh"]),
        (["--format", "pharaoh", "--n-best", "2", "--beam", "2"], ["--n-best has no effect", "pharaoh"]),
        (["--format", "pharaoh", "--key", "de"], ["--format has no effect", "--key"]),
        (["-o", "OUT", "--alignments", "OUT"], ["is the output as well as the file of alignments", "--alignments"]),
        (["-o", "OUT", "--report", "LINKS", "--alignments", "LINKS"], ["as well as the report", "give --report another name"]),
        (["--alignments", "IN"], ["is an input as well as the file of alignments"]),
        (["--alignments", "LINKS.zst"], ["only .gz and .xz"]),
    ],
)
def test_what_cannot_be(run, source, tmp_path, capsys, words, named):
    named_files = {"OUT": tmp_path / "out", "LINKS": tmp_path / "links", "IN": source, "LINKS.zst": tmp_path / "links.zst"}
    assert run(source, *(named_files.get(word, word) for word in words)) == 2
    one_line(capsys, *named)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.de"]
