"""The report of `translate file` and the summary on stderr: what is not clean is not called translated, and the counts are true."""

from __future__ import annotations

import io
import json

import pytest

from translate.cli.output import write
from translate.decoding import Hypothesis
from translate.profile import Calibration, LengthRatio, Profile
from translate.translation.doubts import doubts, status_of
from translate.translation.parts import make_part, mean_confidence
from translate.translation.pieces import Translation

UNKNOWN = Profile()
KNOWN = Profile(
    lengths=LengthRatio(base=0.04, least=-3.0, most=3.0),
    calibration=Calibration(1000, [-2.0, -1.0, 0.0], [0.0, 0.5, 0.9], least_score=-1.8, least_coverage=0.4, least_stretch=0.1),
)


def result(source, text, *, profile=UNKNOWN, score=-0.5, number=1, seen=True, **changes):
    """The result for a line that is one sentence, of as many tokens as it has words. score: per token, which the end mark is one of."""
    words = text.split()
    output = Hypothesis([7] * len(words), 0.0, score * (len(words) + 1), not changes.get("cut", False))
    parts = (make_part((0, len(source)), text, len(source.split()), output, profile),) if seen else ()
    lengths = {"tokens_in": len(source.split()), "tokens_out": len(words), "spans": ((0, len(source)),) * seen}
    settings = {"pieces": len(parts), "cut": False, "number": number, "confidence": mean_confidence(parts), **lengths, **changes}
    return Translation(source, text, -1.0, [(text, -1.0)], parts=parts, **settings)


DOG = "Der Hund schl\u00e4ft im Garten."
CASES = [  # source, translation, how it came about, status, what the report says of it
    ("Guten Morgen.", "Good morning.", {}, "translated", {}),
    ("Guten Morgen.", "Good morning.", {"split": True, "spans": ((0, 5), (6, 13))}, "split", {}),
    ("  ", "", {"seen": False}, "blank", {}),
    ("12,50", "12.50", {"seen": False, "passed": ((0, 5, "number"),)}, "passed", {}),
    ("Guten Morgen.", "Good morning.", {"cut": True}, "truncated", {}),
    ("Guten Morgen.", "Good morning.", {"looped": True}, "looped", {}),
    (DOG, DOG, {}, "copied", {}),
    ("Siehe https://example.org", "See there", {}, "suspect", {"missing": {"urls": ["https://example.org"]}}),
    ("Es sind 3,5 Grad.", "It is 35 degrees.", {}, "suspect", {"missing": {"numbers": ["3,5"]}, "new_numbers": ["35"]}),
    ("Hallo {{name}}!", "Hello {name}!", {}, "suspect", {"missing": {"placeholders": ["{{name}}"]}}),
    ("Hallo %s", "Hello", {"split": True}, "suspect", {"missing": {"placeholders": ["%s"]}}),  # in pieces, and not clean
    ("Guten Morgen.", "", {}, "suspect", {"empty": True}),
    ("a", "a " * 20, {}, "suspect", {"odd_length": [[0, 1]]}),
    (DOG, "The dog is in bed", {"profile": KNOWN, "score": -1.9}, "suspect", {"low_score": [[0, len(DOG)]]}),
    (DOG, "The dog is in bed", {"score": -1.3}, "suspect", {"low_score": [[0, len(DOG)]]}),  # a guess, whatever the model
    (DOG, "Dog", {"profile": KNOWN}, "suspect", {"odd_length": [[0, len(DOG)]]}),  # not by the rule for unknown models
    (DOG, "The dog is in bed", {"profile": KNOWN, "score": -1.1}, "translated", {}),
]


@pytest.mark.parametrize("source, text, changes, status, said", CASES)
def test_statuses(source, text, changes, status, said):
    line = result(source, text, **changes)
    found = doubts(line)
    assert status_of(line, found) == status
    assert json.loads(json.dumps(found)) == said


def test_every_status_has_a_case():
    assert {status for _, _, _, status, _ in CASES} == {"blank", "passed", "truncated", "looped", "copied", "suspect", "split", "translated"}


def written(results, report=True, **options):
    """Output, report and lines on stderr."""
    output, report = io.StringIO(), io.StringIO() if report else None
    write([(line, f"{line.text}\n") for line in results], output, report, False, **options)
    return output.getvalue(), [json.loads(line) for line in report.getvalue().splitlines()] if report else None


RESULTS = [result(source, text, **changes, number=number) for number, (source, text, changes, *_) in enumerate(CASES, 1)]


def test_the_counts_are_those_of_the_lines(capsys):
    output, records = written(RESULTS)
    assert output == "".join(f"{text}\n" for _, text, *_ in CASES)
    assert [record["status"] for record in records] == [status for *_, status, _ in CASES]
    assert [record["line"] for record in records] == list(range(1, len(CASES) + 1))
    assert all(record[name] == value for record, (*_, said) in zip(records, CASES) for name, value in said.items())
    assert capsys.readouterr().err.splitlines() == [
        "translate: split 2 lines (2, 11) with a sentence that is too long for the model, into 3 pieces",
        "translate: cut off 1 line (5) at the maximum length of a translation",
        "translate: translated again, without repeats, because the first output looped: 1 line (6)",
        "translate: not translated, in whole or in part: 1 line (4): 1 number",
        "translate: suspect: 9 lines (8, 9, 10, 11, 12, 13, 14, 15, 16): 2 missing placeholders, 2 odd length, 2 low score, 1 missing urls, "
        "1 missing numbers, 1 new numbers, 1 empty",
        "translate: report: 17 lines: 9 suspect, 2 translated, 1 split, 1 blank, 1 passed, 1 truncated, 1 looped, 1 copied",
    ]


def test_what_is_suspect_is_told_without_a_report_too(capsys):
    written(RESULTS[6:9], report=False)
    said = "translate: suspect: 2 lines (8, 9): 1 missing urls, 1 missing numbers, 1 new numbers; --report FILE has details\n"
    assert capsys.readouterr().err == said


def test_nothing_is_said_of_clean_lines(capsys):
    written([result("Guten Morgen.", "Good morning."), result("", "", seen=False)], report=False)
    assert not capsys.readouterr().err


def test_of_many_lines_the_first_are_named(capsys):
    written([result("Seite 7", "Page", number=number) for number in range(1, 2001)], report=False)
    assert "suspect: 2,000 lines (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...): 2,000 missing numbers" in capsys.readouterr().err


@pytest.mark.parametrize("kept", range(len(CASES) + 1))
def test_lines_of_an_earlier_start_are_counted_with_the_others(kept, capsys):
    _, records = written(RESULTS)
    whole = capsys.readouterr().err
    written(RESULTS[kept:], before=[json.dumps(record) for record in records[:kept]])
    assert capsys.readouterr().err == whole


def test_a_line_with_one_sentence_of_low_confidence_is_marked(capsys):
    """However good the others are: their mean would hide it."""
    sure, unsure = ([7] * 6, -0.5), ([7] * 6, -1.5)
    outputs = [Hypothesis(ids, 0.0, score * (len(ids) + 1), True) for ids, score in (sure, sure, unsure, sure)]
    parts = tuple(make_part((10 * place, 10 * place + 9), "a b c d e f", 6, output, KNOWN) for place, output in enumerate(outputs))
    assert [part.confidence for part in parts] == pytest.approx([0.7, 0.7, 0.25, 0.7])
    line = Translation("x" * 40, "y", -1.0, [("y", -1.0)], 4, False, confidence=mean_confidence(parts), parts=parts, number=1)
    assert line.confidence == pytest.approx(0.5875)
    _, records = written([line], min_confidence=0.5)
    assert records[0]["low_confidence"] == [[20, 29]] and records[0]["status"] == "suspect" and records[0]["confidence"] == 0.5875
    assert capsys.readouterr().err.splitlines()[:2] == [
        "translate: suspect: 1 line (1): 1 low confidence", "translate: confidence below 0.5, of all or a part: 1 line (1)"
    ]  # fmt: skip
    _, records = written([line], min_confidence=0.2)
    assert records[0]["low_confidence"] == [] and records[0]["status"] == "translated"


@pytest.mark.parametrize("calibrated, reported, told", [(True, True, False), (False, True, True), (False, False, False)])
def test_a_report_without_confidence_says_so(capsys, calibrated, reported, told):
    written(RESULTS[:1], reported, calibrated=calibrated)
    assert ("never measured" in capsys.readouterr().err) == told
    written(RESULTS[2:4], reported, calibrated=calibrated)  # which the model did not see
    assert "never measured" not in capsys.readouterr().err
