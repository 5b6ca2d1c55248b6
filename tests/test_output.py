"""The report of `translate file`: what is not clean is not called ok."""

from __future__ import annotations

import io
import json

import pytest

from translate.cli.output import status_of, write
from translate.translation.pieces import Translation


def result(source, text, **changes):
    words = {"tokens_in": len(source.split()), "tokens_out": len(text.split()), "spans": ((0, len(source)),), "number": 1}
    settings = {"pieces": 1, "cut": False, **words, **changes}
    return Translation(source, text, -1.0, [(text, -1.0)], **settings)


CASES = [
    ("Guten Morgen.", "Good morning.", {}, "ok"),
    ("Guten Morgen.", "Good morning.", {"pieces": 2}, "split"),
    ("  ", "", {"pieces": 0}, "blank"),
    ("Guten Morgen.", "Good morning.", {"cut": True}, "truncated"),
    ("Guten Morgen.", "Good morning.", {"looped": True}, "looped"),
    ("Der Hund schl\u00e4ft im Garten.", "Der Hund schl\u00e4ft im Garten.", {}, "copied"),
    ("Siehe https://example.org", "See there", {}, "suspect"),
    ("Es sind 3,5 Grad.", "It is 35 degrees.", {}, "suspect"),
    ("Hallo {{name}}!", "Hello {name}!", {}, "suspect"),
    ("Hallo %s", "Hello", {"pieces": 2}, "suspect"),  # in pieces, and not clean
    ("Guten Morgen.", "", {}, "suspect"),  # nothing came out
    ("a", "a " * 20, {}, "suspect"),  # of an odd length
]


@pytest.mark.parametrize("source, text, changes, status", CASES)
def test_statuses(source, text, changes, status):
    assert status_of(result(source, text, **changes)) == status


def test_the_count_of_the_report_is_that_of_its_lines(capsys):
    results = [(result(source, text, **{**changes, "number": number}), f"{text}\n") for number, (source, text, changes, _) in enumerate(CASES, 1)]
    output, report = io.StringIO(), io.StringIO()
    write(results, output, report, 24, flush=False)
    assert output.getvalue() == "".join(f"{text}\n" for _, text, _, _ in CASES)
    records = [json.loads(line) for line in report.getvalue().splitlines()]
    assert [record["status"] for record in records] == [status for *_, status in CASES]
    assert [record["line"] for record in records] == list(range(1, len(CASES) + 1))
    assert records[7]["missing"] == {"numbers": ["3,5"]} and records[11]["odd_length"]
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "translate: report: 12 lines: 6 suspect, 1 ok, 1 split, 1 blank, 1 truncated, 1 looped, 1 copied"
