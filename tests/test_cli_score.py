"""`translate score` as a user runs it, against the `sacrebleu` command as the independent truth."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.conftest import one_line
from translate.cli.main import main
from translate.cli.score import names_look_swapped, table
from translate.evaluation.metrics import METRICS
from translate.evaluation.scoring import Score

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ["The cat sat on the mat and was happy.", "It costs 3.50 euros.", "Nobody\u2028came.", "Two dogs run in deep snow.  ", "“Yes,” she said."]
OTHER = ["On the mat sat a cat; it was happy.", "That is 3.50 euros!", "No one came.", "Two dogs are running in the snow.", "She said yes."]
HYPOTHESIS = ["The cat sat on a mat, it was happy.", "It costs 3.50 euros!", "No\x85one came.", "Two dogs are running in snow. ", "“Yes”, she said."]


def run(*words: str | Path, module: str = "translate", **settings) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    settings.setdefault("stdin", None if "input" in settings else subprocess.DEVNULL)
    return subprocess.run([sys.executable, "-m", module, *map(str, words)], env=environment, capture_output=True, timeout=60, check=False, **settings)


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes("".join(line + end for line in lines).encode("utf-8"))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "first.en", REFERENCE)
    write(tmp_path / "second.en", OTHER)
    write(tmp_path / "output.en", HYPOTHESIS)
    return tmp_path


def answer(capsys, *words: str) -> dict:
    """The parsed JSON of `translate score WORDS`, which must have nothing to say on stderr."""
    assert main(["score", *words, "--format", "json"]) == 0
    out, said = capsys.readouterr()
    assert said == ""
    return json.loads(out)


@pytest.mark.parametrize("references", [["first.en"], ["first.en", "second.en"], ["second.en", "first.en"]], ids=" ".join)
def test_the_same_as_the_sacrebleu_command(references, folder, capsys):
    truth = run(
        *references, "-i", "output.en", "-m", "bleu", "chrf", "ter", "--chrf-word-order", "2", "--confidence", "-w", "4", "-f", "json",
        module="sacrebleu",
    )  # fmt: skip
    own = answer(capsys, *references, "-i", "output.en")
    assert own["references"] == references and own["hypothesis"] == "output.en" and own["lines"] == 5 and own["warnings"] == []
    for result, expected in zip(own["scores"], json.loads(truth.stdout), strict=True):
        low, high = result["interval"]["low"], result["interval"]["high"]
        assert (result["name"], result["signature"]) == (expected["name"], expected["signature"])
        assert result["value"] == pytest.approx(expected["score"], abs=6e-5)
        assert (low + high) / 2 == pytest.approx(expected["confidence_mean"], abs=6e-5)
        assert (high - low) / 2 == pytest.approx(expected["confidence_var"], abs=6e-5)
        assert result["interval"]["level"] == 0.95


def test_the_hypothesis_comes_from_stdin_by_default(folder, capsys):
    expected = main(["score", "first.en", "-i", "output.en", "--bootstrap", "0"]), *capsys.readouterr()
    for words in (["first.en"], ["first.en", "-i", "-"]):
        piped = run("score", *words, "--bootstrap", "0", input=Path("output.en").read_bytes())
        assert (piped.returncode, piped.stdout.decode(), piped.stderr.decode()) == expected


def test_the_reference_may_be_stdin(folder):
    piped = run("score", "-", "-i", "output.en", "--bootstrap", "0", input=Path("first.en").read_bytes())
    assert piped.stdout == run("score", "first.en", "-i", "output.en", "--bootstrap", "0").stdout


def test_files_may_be_packed_and_from_windows(folder, capsys):
    expected = answer(capsys, "first.en", "second.en", "-i", "output.en")
    Path("first.gz").write_bytes(gzip.compress(Path("first.en").read_bytes()))
    Path("second.xz").write_bytes(lzma.compress(Path("second.en").read_bytes()))
    write(folder / "crlf", HYPOTHESIS, "\r\n")
    Path("bom").write_bytes(b"\xef\xbb\xbf" + "\n".join(HYPOTHESIS).encode())
    for name in ("crlf", "bom"):
        assert answer(capsys, "first.gz", "second.xz", "-i", name)["scores"] == expected["scores"]


def test_metrics_and_bootstrap(folder, capsys):
    own = answer(capsys, "first.en", "-i", "output.en", "--metrics", "ter", "bleu", "--bootstrap", "50")
    assert [result["name"] for result in own["scores"]] == ["TER", "BLEU"]
    assert all("|bs:50|seed:12345|" in result["signature"] for result in own["scores"])
    own = answer(capsys, "first.en", "-i", "output.en", "--bootstrap", "0")
    assert all(result["interval"] is None and "bs:" not in result["signature"] for result in own["scores"])


def test_every_metric_is_offered(capsys):
    """The command writes their names out: it must not import scoring.py, and with it sacrebleu, for its --help."""
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    assert "{" + ",".join(METRICS) + "}" in capsys.readouterr().out


def test_the_default_is_a_thousand_samples(folder, capsys):
    assert all("|bs:1000|" in result["signature"] for result in answer(capsys, "first.en", "-i", "output.en")["scores"])


def test_the_table():
    rows = [Score("BLEU", 39.071, "nrefs:1|tok:13a", 38.0, 40.5), Score("chrF2++", 100.0, "nrefs:1|nw:2", 99.5, 100.25)]
    assert table(rows).splitlines() == [
        "metric    score     95% interval  signature",
        "BLEU      39.07   [38.00, 40.50]  nrefs:1|tok:13a",
        "chrF2++  100.00  [99.50, 100.25]  nrefs:1|nw:2",
    ]
    assert table([Score("TER", 5.0, "nrefs:1")]).splitlines() == ["metric  score  signature", "TER      5.00  nrefs:1"]


def test_text_is_the_table_and_nothing_else(folder, capsys):
    assert main(["score", "first.en", "-i", "output.en"]) == 0
    out, said = capsys.readouterr()
    lines = out.splitlines()
    assert said == "" and len(lines) == 4
    assert len({line.index(mark) for line, mark in zip(lines, ["signature", "nrefs:1|", "nrefs:1|", "nrefs:1|"], strict=True)}) == 1
    assert all(re.fullmatch(r"\S+ +\d+\.\d\d +\[\d+\.\d\d, \d+\.\d\d\]  nrefs:1\|bs:1000\|seed:12345\|\S+", line) for line in lines[1:])


WARNED = {
    "hyp.en is the reference": (["first.en", "-i", "first.en"], ["the same in every line"]),
    "subwords": (["first.en", "-i", "pieces"], ["still has subword marks"]),
    "tokenised": (["first.en", "-i", "tokenised"], ["looks tokenised"]),
    "entities": (["first.en", "-i", "entities"], ["HTML entities like &quot;"]),
    "blank": (["first.en", "-i", "blank"], ["the hypothesis is blank in 1 of 5 lines (first: line 3)"]),
    "swapped, by a blank line": (["blank", "-i", "first.en"], ["are hypothesis and reference swapped?"]),
    "swapped, by name": (["output.en", "-i", "test.ref.en"], ["are hypothesis (test.ref.en) and reference (output.en) swapped?"]),
    "two": (["first.en", "second.en", "-i", "both"], ["looks tokenised", "HTML entities like &amp;"]),
    "columns of --scores": (["first.en", "-i", "scored"], ["the hypothesis has numbers and a tab before the text"]),
    "columns of --n-best": (["first.en", "-i", "nbest"], ["keep only the text, for example with cut -f 3"]),
    "JSONL": (["first.en", "-i", "jsonl"], ["the hypothesis is JSON in 5 of 5 lines"]),
    "NFD": (["accents", "-i", "nfd"], ["the hypothesis has letters and accents as two characters (NFD)"]),
    "NFD reference": (["nfd", "-i", "accents"], ["the reference has letters and accents as two characters (NFD)"]),
    "capitals": (["first.en", "-i", "capitals"], ["the hypothesis is in capitals in 5 of 5 lines"]),
    "capitals in places": (["first.en", "-i", "shouted"], ["in capitals in 2 of 5 lines (first: line 1) where the reference is not"]),
    "SGML": (["first.sgm", "-i", "out.sgm"], ["the hypothesis is SGML, XML or HTML", "the reference is SGML, XML or HTML"]),
    "words alone": (["words", "-i", "output.en"], ["BLEU is 0 on this set even for a perfect translation: no line has four tokens"]),
    "Chinese": (
        ["chinese", "-i", "output.en"],
        ["the reference is Chinese, and BLEU's tokenizer 13a does not split it into words: use --tokenize zh"],
    ),
    "Japanese": (["japanese", "-i", "output.en"], ["is Japanese, and BLEU's tokenizer 13a does not split it into words: use --tokenize ja-mecab"]),
}


@pytest.mark.parametrize("case", WARNED)
def test_warnings_go_to_stderr_and_into_the_json(case, folder, capsys):
    words, parts = WARNED[case]
    write(folder / "pieces", ["▁" + line.replace(" ", " ▁") for line in HYPOTHESIS])
    write(folder / "tokenised", [line.replace(".", " .").replace(",", " ,") for line in HYPOTHESIS])
    write(folder / "entities", [line.replace("“", "&quot;").replace("”", "&quot;") for line in HYPOTHESIS])
    write(folder / "blank", [*HYPOTHESIS[:2], " ", *HYPOTHESIS[3:]])
    write(folder / "both", [line.replace(".", " .").replace("are", "&amp;") for line in HYPOTHESIS])
    write(folder / "test.ref.en", REFERENCE)
    write(folder / "scored", [f"-0.{number}12\t{line}" for number, line in enumerate(HYPOTHESIS)])
    write(folder / "nbest", [f"{number}\t-0.5\t{line}" for number, line in enumerate(HYPOTHESIS, 1)])
    write(folder / "jsonl", [json.dumps({"en": line}) for line in HYPOTHESIS])
    accents = ["Ein schöner Tag.", "Größe zählt.", "Über uns.", "Nein.", "Er grüßt."]
    write(folder / "accents", accents)
    write(folder / "nfd", [unicodedata.normalize("NFD", line) for line in accents])
    write(folder / "capitals", [line.upper() for line in HYPOTHESIS])
    write(folder / "shouted", [line.upper() if place < 2 else line for place, line in enumerate(HYPOTHESIS)])
    write(folder / "first.sgm", ['<refset setid="a">', *(f'<seg id="1">{line}</seg>' for line in REFERENCE), "</refset>"])
    write(folder / "out.sgm", ['<tstset setid="a">', *(f'<seg id="1">{line}</seg>' for line in HYPOTHESIS), "</tstset>"])
    write(folder / "words", ["Dog", "the cat", "A house.", "tree", "no"])
    write(folder / "chinese", ["今天很好。", "他去了北京。", "我爱你。", "谢谢。", "再见。"])
    write(folder / "japanese", ["今日はいい。", "東京へ行った。", "ありがとう。", "さようなら。", "はい。"])
    assert main(["score", *words, "--format", "json", "--bootstrap", "0"]) == 0
    out, said = capsys.readouterr()
    warned = said.splitlines()
    assert [part in line for part, line in zip(parts, warned, strict=True)] == [True] * len(parts)
    assert json.loads(out)["warnings"] == [line.removeprefix("translate: warning: ") for line in warned]


@pytest.mark.parametrize(
    ("hypothesis", "references", "swapped"),
    [
        ("ref.en", ["output.en"], True),
        ("data/reference.txt", ["a", "b"], True),
        ("newstest.refs.en", ["out"], True),
        ("test_ref", ["hyp"], True),
        ("REF.EN", ["HYP.EN"], True),
        ("output.en", ["ref.en"], False),
        ("ref.1.en", ["ref.2.en"], False),  # one reference scored against another
        ("preferred.txt", ["test.en"], False),
        ("refined.en", ["test.en"], False),
        ("ref/output.en", ["test.en"], False),  # the folder's name says nothing
        ("-", ["test.en"], False),
    ],
)
def test_swapped_names(hypothesis, references, swapped):
    assert names_look_swapped(hypothesis, references) is swapped


MISTAKES = {
    "shorter": (["first.en", "-i", "short"], "short has 4 lines, first.en 5: hypothesis and reference must be line-aligned"),
    "second reference": (["first.en", "short", "-i", "output.en"], "output.en has 5 lines, short 4: hypothesis and reference must be line-aligned"),
    "stdin": (["short"], "standard input is empty: there is nothing to score"),
    "empty hypothesis": (["first.en", "-i", "empty"], "empty is empty: there is nothing to score"),
    "empty reference": (["empty", "-i", "output.en"], "empty is empty: there is nothing to score"),
    "no such file": (["missing.en", "-i", "output.en"], "missing.en: cannot be read: No such file or directory"),
    "no such hypothesis": (["first.en", "-i", "missing.en"], "missing.en: cannot be read: No such file or directory"),
    "a folder": (["first.en", "-i", "."], ".: cannot be read: Is a directory"),
    "not UTF-8": (["first.en", "-i", "latin1"], "latin1, line 2: invalid UTF-8 at byte 2 of the line"),
    "not packed": (["first.en", "-i", "plain.gz"], "plain.gz: damaged: "),
    "stdin twice": (["-", "-i", "-"], "standard input can be read only once"),
    "no reference": (["-i", "output.en", "first.en"], "no REFERENCE is given; it comes before -i"),
    "seed": (["first.en", "-i", "output.en"], "the environment variable SACREBLEU_SEED is 'abc': it must be a number from 0, or none"),
    "metric": (["first.en", "-i", "output.en", "--metrics", "bleu,meteor"], "unknown metric 'meteor': --metrics takes bleu, chrf, ter"),
    "metric twice": (["first.en", "-i", "output.en", "--metrics", "bleu,chrf", "bleu"], "--metrics names bleu twice"),
    "no metric": (["first.en", "-i", "output.en", "--metrics", ","], "--metrics is empty"),
    "a hypothesis twice": (["first.en", "-i", "output.en", "output.en"], "output.en is given twice as a hypothesis"),
    "paired with one": (["first.en", "-i", "output.en", "--paired", "bs"], "--paired compares systems: give several hypotheses"),
    "paired without samples": (
        ["first.en", "-i", "output.en", "second.en", "--paired", "bs", "--bootstrap", "0"],
        "--paired bs needs",
    ),
    "bootstrap with ar": (
        ["first.en", "-i", "output.en", "second.en", "--paired", "ar", "--bootstrap", "9"],
        "--bootstrap has no effect",
    ),
    "second system shorter": (["first.en", "-i", "output.en", "short"], "short has 4 lines, first.en 5: hypothesis and reference must be"),
    "tokenizer without BLEU": (["first.en", "-i", "output.en", "--metrics", "ter", "--tokenize", "zh"], "--tokenize has no effect"),
    "case of TER": (["first.en", "-i", "output.en", "--metrics", "ter", "--lowercase"], "--lowercase has no effect: TER ignores case anyway"),
    "negative": (["first.en", "-i", "output.en", "--bootstrap", "-5"], "bootstrap (-5) must be 0 (no interval) or at least 2 samples"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_2(case, folder, capsys, monkeypatch):
    words, message = MISTAKES[case]
    write(folder / "short", REFERENCE[:-1])
    write(folder / "empty", [])
    write(folder / "plain.gz", HYPOTHESIS)
    (folder / "latin1").write_bytes("one\nfünf\nthree\nfour\nfive\n".encode("latin-1"))
    if case == "seed":
        monkeypatch.setenv("SACREBLEU_SEED", "abc")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert main(["score", *words]) == 2
    assert message in one_line(capsys)


def test_a_mistake_as_a_process_leaves_with_2(folder):
    result = run("score", "missing.en", "-i", "output.en")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode().startswith("translate: error: missing.en: cannot be read") and result.stderr.count(b"\n") == 1


def test_files_of_another_length_are_told_with_what_may_be_why(folder, capsys):
    write(folder / "nbest", [f"{number}\t-0.{best}\t{line}" for number, line in enumerate(HYPOTHESIS, 1) for best in (1, 2)])
    assert main(["score", "first.en", "-i", "nbest"]) == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert "nbest has numbers and a tab before the text" in warning and "nbest has 10 lines, first.en 5" in error
