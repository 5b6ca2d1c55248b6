"""Hints at what may be wrong with a translation: tables of what is found and, as important, of what is not."""

from __future__ import annotations

import pytest

from translate.findings import is_copy, is_loop, is_odd_length, missing, repeats


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
