"""`translate file` as a user meets it: bytes in, bytes out, exit codes and what is said on stderr."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import FILE_ENVIRONMENT, LINES, file_words, lines_of
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
    assert len(set(expected)) > 4 and (expected[1], expected[5]) == ("", "  ")


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
    assert [value["pieces"] for value in objects] == [1, 0, 1, 2, 3, 0, 1, 1]  # separators of lines and files divide
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
    assert "1 line (4)" in told and f"into {pieces[3]} pieces" in told  # the other one has nine sentences, none of them too long


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
    assert [lines[2][begin:end] for begin, end in records[2]["pieces"]] == ["Der Hund schläft."] * 9
    kept = ["12.50", "{preis}", "a.b@example.org", "https://example.org"]  # whatever noise the model makes of the words
    assert [outputs[3]["translation"].count(item) for item in kept] == [1] * 4 and records[3]["missing"] == {}
    told = captured.err.splitlines()[-1]
    assert told.startswith("translate: report: 4 lines: ") and "1 blank" in told


def test_start_up_imports_no_more_than_it_needs(bundle):
    heavy = "'datasets', 'hydra', 'omegaconf', 'sacrebleu', 'pandas', 'pyarrow', 'sympy', 'torch._dynamo'"
    code = f"import sys; from translate.cli.main import main; main(sys.argv[1:]); print([name for name in ({heavy}) if name in sys.modules])"
    words = [sys.executable, "-c", code, "file", "-m", str(bundle), "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    result = subprocess.run(words, input=b"Hallo.\n", capture_output=True, env=environment, timeout=120)
    assert result.stdout.splitlines()[-1] == b"[]"
