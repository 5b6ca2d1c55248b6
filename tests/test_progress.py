"""What `translate file` says while it runs where stderr is not a terminal: now and then, and once at the end."""

from __future__ import annotations

import io
import re

import pytest

from translate.cli import progress
from translate.cli.progress import duration, rate, with_progress


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def follow(clock, total, seconds, lines, done=0):
    """Every one of `lines` takes `seconds`."""

    def results():
        for number in range(lines):
            clock.now += seconds
            yield number

    assert list(with_progress(results(), total, io.StringIO(), done)) == list(range(lines))


def test_a_long_job_says_how_far_it_is_and_how_fast_it_was(clock, capsys):
    follow(clock, 400, 0.25, 400)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "translate: 40 of 400 lines, 4 lines/s, about 90 s left",  # after 10 s, then every 30
        "translate: 160 of 400 lines, 4 lines/s, about 60 s left",
        "translate: 280 of 400 lines, 4 lines/s, about 30 s left",
        "translate: 400 lines in 100 s, 4 lines/s",
    ]


def test_an_unknown_length_and_lines_that_were_there_before(clock, capsys):
    follow(clock, None, 0.0625, 240)
    assert capsys.readouterr().err.splitlines() == ["translate: 160 lines, 16 lines/s", "translate: 240 lines in 15 s, 16 lines/s"]
    follow(clock, 1000, 1, 12, done=988)
    told = capsys.readouterr().err.splitlines()
    assert told == ["translate: 998 of 1,000 lines, 1 lines/s, about 2 s left", "translate: 12 lines in 12 s, 1 lines/s"]


def test_a_short_job_says_nothing(clock, capsys):
    follow(clock, 100, 0.04, 100)
    assert capsys.readouterr() == ("", "")


def test_words_for_speed_and_time():
    assert [rate(value) for value in (0.042, 3.14, 1234.5)] == ["0.042 lines/s", "3.1 lines/s", "1,234 lines/s"]
    assert [duration(value) for value in (0, 119, 121, 7300)] == ["0 s", "119 s", "2 min", "2.0 h"]


def test_the_command_says_it(translate, tmp_path, monkeypatch, capsys):
    (tmp_path / "in").write_text("Guten Morgen!\n" * 6, encoding="utf-8")
    monkeypatch.setattr(progress, "FIRST", 0)
    monkeypatch.setattr(progress, "SHORT", 0)
    assert translate(tmp_path / "in", "-o", tmp_path / "out", "--resume", "--report", tmp_path / "report") == 0
    told = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"translate: 1 of 6 lines, [\d.,]+ lines/s, about \d+ s left", told[0])
    assert any(re.fullmatch(r"translate: 6 lines in \d+ s, [\d.,]+ lines/s", line) for line in told)
