"""`translate file` as a user meets it: bytes in, bytes out, exit codes and what is said on stderr."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import FILE_ENVIRONMENT, LINES, file_words, one_line
from translate.cli.main import main
from translate.decoding import Options
from translate.translation.translator import Translator


@pytest.fixture(scope="module")
def expected(bundle):
    """What the Python interface makes of LINES."""
    return Translator.load(bundle, "cpu", "fp32").translate(LINES)


@pytest.fixture(scope="module")
def bundle(untrained):
    return untrained


def command(bundle, *words, **options):
    """Run it as a process of its own. Its bytes, not its text, are what counts."""
    return subprocess.run(file_words(bundle, *words), capture_output=True, env=FILE_ENVIRONMENT, timeout=120, **options)


def test_standard_input_to_standard_output_byte_for_byte(bundle, expected):
    result = command(bundle, input="\r\n".join(LINES).encode())  # the last line without an end
    beginnings = (b"translate: cut off ", b"translate: translated again, without repeats, ")
    assert result.returncode == 0 and all(line.startswith(beginnings) for line in result.stderr.splitlines())
    assert result.stdout == "".join(f"{line}\n" for line in expected).encode()
    assert len(set(expected)) > 4 and expected[1] == expected[5] == ""


@pytest.mark.parametrize("data, count", [(b"", 0), (b"\n", 1), (b"\n\n", 2), (b"a", 1), (b"a\n", 1), (b"\xef\xbb\xbfa\n\nb", 3), (b"\r\n\x0b\n", 2)])
def test_as_many_lines_out_as_in(translate, tmp_path, data, count):
    (tmp_path / "in").write_bytes(data)
    assert translate(tmp_path / "in", "-o", tmp_path / "out") == 0
    assert (tmp_path / "out").read_bytes().count(b"\n") == count


ODD = [
    "", " ", "\t", "\x00", "\x1c", "\x85", "\u2028", "\u200b", "\ufeff", "😀", "👩‍👩‍👧", "漢字", "Ω≠", "…", "\r", "\x0b", "ﬁ",
    "Guten Morgen!", "e\u0301",
]  # fmt: skip
LINE = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=40))


@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINE, max_size=8), ends=st.sampled_from(["\n", "\r\n"]), ended=st.booleans(), jsonl=st.booleans(), piped=st.booleans())
def test_whatever_the_lines_are_as_many_come_out(bundle, tmp_path, engine, lines, ends, ended, jsonl, piped):
    if engine == "ctranslate2":
        pytest.importorskip("ctranslate2")
    data = (ends.join(lines) + (ends if ended and lines else "")).encode()
    count = data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    words = ["file", "-m", str(bundle), "--device", "cpu", "--engine", engine, *(["--format", "jsonl"] if jsonl else [])]
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        if piped:
            patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False))
        else:
            (tmp_path / "in").write_bytes(data)
            words.append(str(tmp_path / "in"))
        assert main([*words, "-o", str(out), "--report", str(tmp_path / "report")]) == 0
    written = out.read_bytes().split(b"\n")
    assert written.pop() == b"" and len(written) == count
    assert len((tmp_path / "report").read_bytes().splitlines()) == count  # in JSON nothing but the line's end ends a line
    if jsonl:
        *whole, last = data.removeprefix(b"\xef\xbb\xbf").decode().split("\n")  # a \r belongs to the line's end before a \n only
        sources = [line.removesuffix("\r") for line in whole] + [last] * (count - len(whole))
        assert [json.loads(line)["source"] for line in written] == sources


@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
def test_a_line_of_5000_tokens_among_short_ones(bundle, tmp_path, engine):
    if engine == "ctranslate2":
        pytest.importorskip("ctranslate2")
    lines = ["Guten Morgen!", "Der Hund schläft. " * 700, "Die Katze läuft."]
    (tmp_path / "in").write_text("\n".join(lines), encoding="utf-8")
    words = ["-o", str(tmp_path / "out"), "--report", str(tmp_path / "report"), "--engine", engine]
    assert main(["file", "-m", str(bundle), str(tmp_path / "in"), *words]) == 0
    records = [json.loads(line) for line in (tmp_path / "report").read_text(encoding="utf-8").splitlines()]
    assert [len(record["pieces"]) > 1 for record in records] == [False, True, False] and records[1]["tokens_in"] > 5000
    short = tmp_path / "short"
    (tmp_path / "in").write_text("\n".join(lines[::2]), encoding="utf-8")
    assert main(["file", "-m", str(bundle), str(tmp_path / "in"), "-o", str(short), "--engine", engine]) == 0
    assert (tmp_path / "out").read_text(encoding="utf-8").split("\n")[::2] == short.read_text(encoding="utf-8").split("\n")[:2]


def test_files_packed_or_not_one_after_the_other(translate, tmp_path, expected):
    with gzip.open(tmp_path / "first.gz", "wt", encoding="utf-8", newline="") as file:
        file.write("\n".join(LINES[:4]) + "\n")
    (tmp_path / "second").write_text("\n".join(LINES[4:]), encoding="utf-8", newline="")
    assert translate(tmp_path / "first.gz", tmp_path / "second", "-o", tmp_path / "out.gz") == 0
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()).decode() == "".join(f"{line}\n" for line in expected)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.de"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8", newline="")
    return path


def lines_of(capsys):
    return capsys.readouterr().out.split("\n")[:-1]


def test_scores(translate, source, expected, capsys):
    assert translate(source, "--scores") == 0
    rows = [line.split("\t", 1) for line in lines_of(capsys)]
    assert [text for _, text in rows] == expected
    assert all(float(score) <= 0 for score, _ in rows)


def test_n_best(translate, source, expected, capsys):
    assert translate(source, "--n-best", "2") == 0
    rows = [line.split("\t", 2) for line in lines_of(capsys)]
    assert [int(number) for number, _, _ in rows] == [number for number in range(1, len(LINES) + 1) for _ in range(2)]
    assert [text for _, _, text in rows[::2]] == expected
    assert all(float(first[1]) >= float(second[1]) for first, second in zip(rows[::2], rows[1::2]))


def test_jsonl(translate, source, expected, capsys):
    assert translate(source, "--format", "jsonl", "--n-best", "2") == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == len(LINES)  # also for a reader that ends lines at U+2028
    objects = [json.loads(line) for line in out.splitlines()]
    assert [value["source"] for value in objects] == LINES
    assert [value["translation"] for value in objects] == expected
    assert [value["line"] for value in objects] == list(range(1, len(LINES) + 1))
    assert [value["pieces"] for value in objects] == [int(bool(line.strip())) for line in LINES]
    assert all(len(value["alternatives"]) == 2 and value["alternatives"][0]["translation"] == value["translation"] for value in objects)


def test_search_options_arrive(translate, bundle, source, capsys):
    options = Options(beam=4, length_penalty=0.0, sample=False)
    results = Translator.load(bundle, "cpu", "fp32").translate_stream(LINES, options)
    assert translate(source, "--beam", "4", "--length-penalty", "0", "--batch-tokens", "1", "--window", "2") == 0
    assert lines_of(capsys) == [result.text for result in results]


def test_sampling(translate, source, capsys):
    def draw(*words):
        assert translate(source, "--sample", *words) == 0
        return lines_of(capsys)

    assert draw("--seed", "7") == draw("--seed", "7", "--batch-tokens", "1", "--window", "3") != draw("--seed", "8")
    assert draw("--top-k", "1") == draw("--top-p", "1e-9") == draw("--temperature", "1e-6") != draw()


def test_long_lines_are_told(translate, tmp_path, capsys):
    (tmp_path / "in").write_text("Guten Morgen!\n" + "Der Hund schläft. " * 9 + "\n\n" + "Die Katze läuft, " * 5 + "\n", encoding="utf-8")
    assert translate(tmp_path / "in", "--format", "jsonl") == 0
    captured = capsys.readouterr()
    pieces = [json.loads(line)["pieces"] for line in captured.out.splitlines()]
    assert pieces[0] == 1 and pieces[1] > 3 and pieces[2] == 0 and pieces[3] > 1
    told = next(line for line in captured.err.splitlines() if "split" in line)
    assert "2 lines (2, 4)" in told and f"{pieces[1] + pieces[3]} pieces" in told and "24 tokens" in told


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


def test_report(translate, tmp_path, capsys):
    lines = ["Guten Morgen!", "  ", "Der Hund schläft. " * 9, "Die Katze kostet 12,50 {preis} a.b@example.org https://example.org"]
    (tmp_path / "in").write_text("\n".join(lines), encoding="utf-8")
    assert translate(tmp_path / "in", "--report", tmp_path / "report.jsonl", "--format", "jsonl") == 0
    captured = capsys.readouterr()
    outputs = [json.loads(line) for line in captured.out.splitlines()]
    records = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["line"] for record in records] == [1, 2, 3, 4]
    assert (records[1]["status"], records[1]["tokens_in"], records[1]["pieces"]) == ("blank", 0, [])
    for record, output in zip(records, outputs):
        assert len(record["pieces"]) == output["pieces"] and record["score"] == output["score"]
        assert record["status"] == "truncated" or not output["cut"]
    assert [lines[2][begin:end] for begin, end in records[2]["pieces"]] == ["Der Hund schläft."] * 9 or len(records[2]["pieces"]) > 1
    assert " ".join(lines[2][begin:end] for begin, end in records[2]["pieces"]) == lines[2].strip()
    lost = {"numbers": ["12,50"], "placeholders": ["{preis}"], "emails": ["a.b@example.org"], "urls": ["https://example.org"]}
    assert records[3]["missing"] == lost  # noise has none of them
    told = captured.err.splitlines()[-1]
    assert told.startswith("translate: report: 4 lines: ") and "1 blank" in told


@pytest.mark.parametrize("words", [["--beam", "0"], ["--n-best", "9"], ["--sample", "--top-p", "2"], ["--batch-tokens", "0"]])
def test_impossible_options(translate, source, capsys, words):
    assert translate(source, *words) == 2
    one_line(capsys, words[-1])


NO_EFFECT = [
    *[f"{option} {value}" for option, value in (("--temperature", 1), ("--top-k", 0), ("--top-p", "0.5"), ("--seed", 1))],
    "--beam 3 --sample", "--length-penalty 1 --sample", "--length-penalty 1 --beam 1",
    "--precision auto --engine ctranslate2", "--compute-type default", "--compute-type int8 --engine torch",
    "--scores --format jsonl", "--scores --n-best 2", "--format text --column 1", "--n-best 2 --key x", "--scores --key x",
    "--column 1 --key x", "--as text --column 1", "--as text --key x",
]  # fmt: skip


@pytest.mark.parametrize("words", NO_EFFECT)
def test_an_option_without_effect_is_refused(bundle, source, capsys, words):
    assert main(["file", "-m", str(bundle), str(source), *words.split()]) == 2
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


class Pipe(io.BytesIO):
    def seekable(self):
        return False


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


CSV = '\ufeffid;text\r\n1;"Guten ""Morgen""!"\r\n2;"Der Hund schläft.\n\nDie Katze; läuft."\r\n3;\r\n4; Guten Morgen! '


@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
def test_a_column_is_translated_and_the_rest_stays(bundle, tmp_path, capsys, engine, packed):
    if engine == "ctranslate2":
        pytest.importorskip("ctranslate2")
    source, out, report = tmp_path / f"in.csv{packed}", tmp_path / f"out{packed}", tmp_path / "report"
    opened = {"": open, ".gz": gzip.open, ".xz": lzma.open}[packed]
    with opened(source, "wb") as file:
        file.write(CSV.encode())
    texts = ['Guten "Morgen"!', "Der Hund schläft.", "Die Katze; läuft.", "Guten Morgen!"]
    made = [text.replace('"', '""') for text in Translator.load(bundle, "cpu", "fp32", engine).translate(texts)] if engine == "torch" else None
    words = ["file", "-m", str(bundle), "--engine", engine, str(source), "-o", str(out), "--report", str(report), "--column", "text"]
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


def test_a_key_is_translated_and_the_rest_stays(bundle, translate, tmp_path, capsys):
    made = Translator.load(bundle, "cpu", "fp32").translate(["Guten Morgen!", "Der Hund schläft.", "Die Katze läuft."])
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


def test_an_unknown_device(bundle, source, capsys):
    assert main(["file", "-m", str(bundle), "--device", "abacus", str(source)]) == 2
    one_line(capsys, "abacus")


def test_start_up_imports_no_more_than_it_needs(bundle):
    heavy = "'datasets', 'hydra', 'omegaconf', 'sacrebleu', 'pandas', 'pyarrow', 'sympy', 'torch._dynamo'"
    code = f"import sys; from translate.cli.main import main; main(sys.argv[1:]); print([name for name in ({heavy}) if name in sys.modules])"
    words = [sys.executable, "-c", code, "file", "-m", str(bundle), "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    result = subprocess.run(words, input=b"Hallo.\n", capture_output=True, env=environment, timeout=120)
    assert result.stdout.splitlines()[-1] == b"[]"
