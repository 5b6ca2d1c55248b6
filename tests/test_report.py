"""`translate file` and its report, through an engine whose outputs are known: each status at the command line, and what stderr says."""

from __future__ import annotations

import json

import numpy
import pytest

from tests.conftest import one_line
from translate.cli.main import main
from translate.config import Config, DecodingConfig, TokenizerConfig
from translate.decoding import Hypothesis
from translate.profile import Calibration, LengthRatio, Profile
from translate.tokenizer import train_tokenizer
from translate.translation import translator
from translate.translation.alignment_heads import AlignmentHeads

HOUSE, DOG, LONG = "Das Haus ist alt und leer.", "Der Hund schl\u00e4ft im Garten.", "Ein Mann geht heute mit dem Hund und der Katze nach Hause"
SCRIPT = {  # source -> translation, log-probability per token, and whether it ended; all others are repeated
    "Guten Morgen.": ("Good morning.", -0.2, True),
    HOUSE: ("The house is old and empty.", -0.4, True),
    "Wir kaufen Brot.": ("We buy bread of the.", -2.5, True),
    "Wo ist der Bahnhof?": ("Where is the station", -0.5, False),
    "Sehr gut.": ("very very very very very very", -0.1, True),
    "Es sind drei.": ("There are 30.", -0.3, True),
    LONG: ("A man.", -0.3, True),
}
PROFILE = Profile(
    lengths=LengthRatio(base=0.16, least=-3.0, most=3.0),
    calibration=Calibration(500, [-2.0, 0.0], [0.0, 0.8], least_score=-2.2, least_coverage=0.3, least_stretch=0.05),
)


class Scripted:
    """The outputs of SCRIPT. Each token of an output attends to the source token in its place, and the last of them to the end mark."""

    max_tokens, at_once, forkable, alignment = 200, 1, False, AlignmentHeads(0, (0,), 0)
    machine = {"device": "cpu", "precision": "fp32"}

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def search(self, sources, limits, options, seeds, no_repeat=0, align=False, required=None):
        return [[self.output(ids, no_repeat, align)] for ids in sources]

    def output(self, source, no_repeat, align):
        text = self.tokenizer.decode([source[:-1]])[0]
        translation, score, complete = SCRIPT.get(text, (text, -0.1, True))
        ids = self.tokenizer.encode_target(["very good" if no_repeat else translation])[0][:-1]
        weights = numpy.eye(len(ids), len(source), dtype=numpy.float32) if align else None
        return Hypothesis(ids, score * (len(ids) + 1), score * (len(ids) + complete), complete, weights)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    lines = [*SCRIPT, *(text for text, _, _ in SCRIPT.values()), DOG, "0123456789 .,;:!?"]
    config = TokenizerConfig(vocabulary=340)
    return train_tokenizer([(line, line) for line in lines] * 3, config, tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture
def run(tmp_path, monkeypatch, tokenizer):
    """Translates lines with options: exit code, output, report."""

    def run(lines, *words, profile=PROFILE):
        monkeypatch.setattr(
            translator, "load_engine", lambda *arguments: (Scripted(tokenizer), tokenizer, Config(decoding=DecodingConfig(beam=1)), profile)
        )
        (tmp_path / "in").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        report = tmp_path / "report"
        code = main(["file", "-m", str(tmp_path), str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--report", str(report), *words])
        records = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()] if code == 0 else []
        return code, (tmp_path / "out").read_text(encoding="utf-8").splitlines() if code == 0 else [], records

    return run


LINES = ["Guten Morgen.", "", "12,50", "Wo ist der Bahnhof?", "Sehr gut.", DOG, "Es sind drei.", LONG, f"{HOUSE} Wir kaufen Brot. Guten Morgen."]
STATUSES = ["translated", "blank", "passed", "truncated", "looped", "copied", "suspect", "suspect", "suspect"]


def test_each_status(run, capsys):
    _, output, records = run(LINES)
    assert output == [
        "Good morning.", "", "12.50", "Where is the station?", "very good.", DOG, "There are 30.", "A man",
        "The house is old and empty. We buy bread of the. Good morning.",
    ]  # fmt: skip
    assert [record["status"] for record in records] == STATUSES
    assert records[6]["new_numbers"] == ["30"] and records[2]["passed"] == [[0, 5, "no letters"]]
    assert records[7]["odd_length"] == [[0, len(LONG)]] and records[7]["coverage"] < 0.3
    assert records[8]["low_score"] == [[len(HOUSE) + 1, len(HOUSE) + 17]]  # of three sentences the second
    said = capsys.readouterr().err.splitlines()
    assert "translate: report: 9 lines: 3 suspect, 1 translated, 1 blank, 1 passed, 1 truncated, 1 looped, 1 copied" in said
    assert "translate: cut off 1 line (4) at the maximum length of a translation" in said
    assert "translate: not translated, in whole or in part: 1 line (3): 1 no letters" in said
    assert any(line.startswith("translate: suspect: 3 lines (7, 8, 9): ") for line in said)


def test_what_is_left_out_is_named(run):
    """The attention covers the tokens in front, the words at the end have no counterpart."""
    _, _, [record] = run([LONG])
    [[begin, end]] = record["uncovered"]
    assert 0 < begin < 20 and end == len(LONG)


def test_a_sentence_that_is_too_long_is_split(run, capsys, monkeypatch):
    monkeypatch.setitem(SCRIPT, LONG, (LONG.upper(), -0.1, True))
    profile = Profile(longest_source=12)
    _, _, records = run(["Guten Morgen.", LONG], profile=profile)
    assert records[1]["split"] and len(records[1]["pieces"]) > 1 and not records[0]["split"]
    assert f"split 1 line (2) with a sentence that is too long for the model, into {len(records[1]['pieces'])} pieces" in capsys.readouterr().err


def test_confidence_in_report_and_json(run, tmp_path, capsys):
    _, output, records = run(LINES, "--format", "jsonl", "--min-confidence", "0.5")
    values = [json.loads(line) for line in output]
    assert [value["confidence"] for value in values] == [record["confidence"] for record in records]
    assert [value["confidence"] for value in values[:4]] == [0.72, None, None, 0.0]  # 0.8 - 0.2 * 0.4; what is cut off is worth nothing
    assert values[8]["low_confidence"] == records[8]["low_confidence"] == [[len(HOUSE) + 1, len(HOUSE) + 17]]
    assert 0.3 < values[8]["confidence"] < 0.7  # the mean hides it
    assert "confidence below 0.5, of all or a part: 2 lines (4, 9)" in capsys.readouterr().err


def test_a_model_that_was_not_measured_has_none(run, capsys):
    _, _, records = run(LINES, profile=Profile())
    assert all(record["confidence"] is None for record in records)
    assert [record["status"] for record in records[:6]] == STATUSES[:6]
    capsys.readouterr()
    assert run(LINES, "--min-confidence", "0.5", profile=Profile())[0] == 2
    one_line(capsys, "--min-confidence needs a model whose confidence was measured")


@pytest.mark.parametrize(
    "words, said",
    [
        (["--min-confidence", "1.5"], "--min-confidence is 1.5: it must be between 0 and 1"),
        (["--min-confidence", "nan"], "--min-confidence is nan: it must be between 0 and 1"),
        (["--min-confidence", "0.5", "--sample"], "--min-confidence has no effect with --sample"),
    ],
)
def test_mistakes_are_one_line(run, capsys, words, said):
    assert run(LINES, *words)[0] == 2
    one_line(capsys, said)


def test_columns_are_counted_by_record(run, tmp_path, capsys):
    rows = ["text,n", '"Guten Morgen.\nEs sind drei.",1', ",2", f"{DOG},3"]
    _, _, records = run(rows, "--column", "text")
    statuses = [(1, "blank"), (2, "translated"), (3, "suspect"), (4, "blank"), (5, "copied")]  # one for each line of the file
    assert [(record["line"], record["status"]) for record in records] == statuses
    assert capsys.readouterr().err.splitlines()[-1] == "translate: report: 5 lines: 2 blank, 1 translated, 1 suspect, 1 copied"
