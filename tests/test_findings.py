"""Hints at what may be wrong with a translation: tables of what is found and, as important, of what is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from translate.translation.findings import is_copy, is_loop, is_odd_length, missing, repeats


@pytest.mark.parametrize(
    "text, most",
    [
        ("", 0), ("a", 1), ("a b c", 1), ("a a", 2), ("a b a b a b", 3), ("x a b a b y", 2), ("a a a b", 3), ("a b c a b", 1),
        (" ".join("abcdefghijklmnop" * 3), 3), (" ".join("abcdefghijklmnopq" * 3), 1),
    ],
)  # fmt: skip
def test_repeats_by_hand(text, most):
    assert repeats(text.split()) == most


@pytest.mark.parametrize(
    "source, output, loop",
    [
        ("ein mann geht", "a man goes and goes and goes and goes and", True),
        ("ein mann geht", "a man goes and goes and goes", False),  # three times
        ("sehr sehr sehr sehr gut", "very very very very good", False),  # the source does it too
        ("ha ha", "ha ha ha ha", True),
        ("", "no no no no", True),
    ],
)
def test_loops(source, output, loop):
    assert is_loop(source.split(), output.split()) is loop


@pytest.mark.parametrize(
    "source, output, copy",
    [
        ("Der Hund schläft im Garten.", "Der Hund schläft im Garten.", True),
        ("Der Hund schläft im Garten.", "der hund schläft im garten", True),
        ("Der Hund schläft im Garten.", "The dog sleeps in the garden.", False),
        ("Der Hund schläft heute im Garten.", "The Hund schläft heute im Garten.", True),
        ("Johann Sebastian Bach", "Johann Sebastian Bach", False),  # three words
        ("1 2 3 4 5", "1 2 3 4 5", False),  # no words
        ("in die Stadt in die Stadt", "in", False),
    ],
)
def test_copies(source, output, copy):
    assert is_copy(source, output) is copy


@pytest.mark.parametrize("tokens, odd", [((4, 11), False), ((4, 12), False), ((4, 13), True), ((40, 12), True), ((0, 12), True), ((0, 3), False)])
def test_odd_lengths(tokens, odd):
    assert is_odd_length(*tokens) is odd


@pytest.mark.parametrize(
    "source, output, lost",
    [
        ("Es kostet 1.234,50 Euro.", "It costs 1,234.50 euros.", {}),
        ("Es kostet 12 Euro und 3 Cent.", "It costs 12 euros.", {"numbers": ["3"]}),
        ("3 und 3", "3", {"numbers": ["3"]}),
        ("Am 3. Oktober 1990", "On October 3rd, 1990", {}),
        ("Hallo {name}, {anzahl} Punkte", "Hello {name}, points", {"placeholders": ["{anzahl}"]}),
        ("Hallo {0}", "Hello 0", {"placeholders": ["{0}"]}),
        ("Siehe https://example.org/a?b=1.", "See https://example.org/a?b=1!", {}),
        ("Siehe https://example.org/a1 und www.example.org", "See https://example.org/a", {"urls": ["https://example.org/a1", "www.example.org"]}),
        ("Schreib an a.b@example.org!", "Write to a.b@example.com!", {"emails": ["a.b@example.org"]}),
        ("Nichts davon", "None of it 5", {}),
    ],
)
def test_what_is_missing(source, output, lost):
    assert missing(source, output) == lost


@pytest.mark.parametrize(
    "source, output",
    [
        ("3,5", "3.5"), ("12.345", "12,345"), ("12.345", "12345"), ("1.234,56", "1,234.56"), ("1'234.50", "1,234.5"), ("1.234.567", "1,234,567"),
        ("12\u202f345,6", "12,345.6"), ("0,75", "0.75"), ("3,50", "3.5"), ("2.13.0", "2.13.0"), ("192.168.0.1", "192.168.0.1"),
        ("18:30", "18:30"), ("18:30 Uhr", "6:30 p.m."), ("14 Uhr", "2 p.m."), ("18:00 Uhr", "6 pm"), ("14.30 Uhr", "14:30"), ("08:05", "8:05"),
        ("27.11.2026", "27/11/2026"), ("27.11.2026", "11/27/2026"), ("27.11.2026", "2026-11-27"), ("27.11.2026", "November 27, 2026"),
        ("27.11.26", "27/11/2026"), ("am 3.10. und", "on 3 October and"), ("3. Oktober", "October 3rd"), ("3-5 Tage", "3 to 5 days"),
        ("+49 30 1234567", "+49 30 1234567"), ("030/1234567", "030 1234567"), ("2 Hunde, 12 Katzen", "two dogs, twelve cats"),
        ("25 Jahre", "twenty-five years"), ("25 years", "f\u00fcnfundzwanzig Jahre"),
        ("Platz 1", "first place"), ("die 3 und die 3", "the 3 and the three"),
        ("1990er", "1990s"), ("3,5 Mio.", "3.5 million"), ("3.500", "3.5"),  # may be English already
    ],
)  # fmt: skip
def test_numbers_of_the_same_value_are_found(source, output):
    assert missing(source, output) == {}


@pytest.mark.parametrize(
    "source, output, lost",
    [
        ("3,5", "35", ["3,5"]), ("12.345", "12.45", ["12.345"]), ("1.234,56", "1,234.65", ["1.234,56"]), ("1.234,56", "123456", ["1.234,56"]),
        ("18:30", "18:03", ["18:30"]), ("27.11.2026", "28/11/2026", ["27.11.2026"]), ("27.11.2026", "in November", ["27.11.2026"]),
        ("+49 30 1234567", "+49 30 123467", ["1234567"]), ("030", "30", ["030"]), ("2.13.0", "2.1.30", ["2.13.0"]),
        ("3-5 Tage", "35 days", ["3", "5"]),
        ("2 Hunde und 2 Katzen", "two dogs and cats", ["2"]), ("25 Jahre", "twenty years", ["25"]), ("14 Uhr", "4 p.m.", ["14"]),
        ("0,5", "5", ["0,5"]), ("1 000", "1", ["1 000"]), ("4:3", "4:2", ["4:3"]),
    ],
)  # fmt: skip
def test_numbers_of_another_value_are_lost(source, output, lost):
    assert missing(source, output) == {"numbers": lost}


@pytest.mark.skipif("TRANSLATE_DATA" not in os.environ, reason="needs the corpora of TRANSLATE_DATA")
@pytest.mark.parametrize("name, share", [("multi30k/val", 0.003), ("tatoeba/dev", 0.005), ("pypi_pretix/train", 0.01), ("newstest2012/test", 0.025)])
def test_human_translations_lack_hardly_anything(name, share):
    """In both directions; what is flagged there is mostly a translator's freedom."""
    sides = [Path(os.environ["TRANSLATE_DATA"], f"{name}.{end}").read_text(encoding="utf-8").split("\n")[:1000] for end in ("de", "en")]
    for source, target in (sides, sides[::-1]):
        assert sum(bool(missing(*pair)) for pair in zip(source, target)) <= share * len(source)


def test_a_number_of_thousands_of_digits_is_taken_as_it_is():
    digits = "9" * 6000
    assert missing(digits, digits) == missing(f"1.{digits}", f"1.{digits}") == {}
    assert missing(digits, digits[1:]) == {"numbers": [digits]}


def test_long_lines_take_little_time():
    for text in ("1." * 10_000, "<a " * 10_000, "{" * 10_000, "/a" * 10_000, "XI " * 500, "%" * 10_000, "a@" * 10_000, "a-" * 10_000,
                 " ".join(map(str, range(10_000)))):  # fmt: skip
        start = time.perf_counter()
        missing(text, "1 " * 10_000)
        missing(text, text)
        assert time.perf_counter() - start < 4, text[:10]
