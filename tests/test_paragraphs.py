"""Wrapped lines to paragraphs."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.text.paragraphs import LONGEST, paragraphs


def joined(text, language="de"):
    return [line for line, _ in paragraphs(text.split("\n"), language)]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Der Hund schläft\nunter dem Tisch.", ["Der Hund schläft unter dem Tisch."]),
        ("Eins\nzwei.\n\n \nDrei\nvier.\n", ["Eins zwei.", "", " ", "Drei vier.", ""]),
        ("Er kam am\n3. Oktober an.", ["Er kam am 3. Oktober an."]),
        ("Das ist das Hoch-\nhaus am Markt.", ["Das ist das Hochhaus am Markt."]),
        ("Das ist der Haus-\nund Gartenmarkt.", ["Das ist der Haus- und Gartenmarkt."]),
        ("Er wohnt in Baden-\nWürttemberg.", ["Er wohnt in Baden-Württemberg."]),
        ("Die E-Mail-\nadresse fehlt.", ["Die E-Mail-adresse fehlt."]),
        ("Das ist ein Wort\u00ad\nteil.", ["Das ist ein Wortteil."]),
        ("Das Kind ist 10-\njährig.", ["Das Kind ist 10-jährig."]),
        ("Er kam -\nendlich.", ["Er kam - endlich."]),
        ("Wir brauchen:\n- Mehl und\n  Zucker\n- Eier\nDanke.", ["Wir brauchen:", "- Mehl und Zucker", "- Eier Danke."]),
        ("* eins\n* zwei", ["* eins", "* zwei"]),
        ("1. Eins ist\n   lang.\n2. Zwei\nist kurz.\n3. Drei", ["1. Eins ist lang.", "2. Zwei ist kurz.", "3. Drei"]),
        ("1. Wir kommen am\n3. Mai an.", ["1. Wir kommen am 3. Mai an."]),
        ("a) Eins\nb) Zwei", ["a) Eins", "b) Zwei"]),
        ("Einleitung\nDieser Text handelt von Hunden und\nKatzen.", ["Einleitung", "Dieser Text handelt von Hunden und Katzen."]),
        ("Wir sahen gestern\nHunde und viele große Katzen am Bahnhof.", ["Wir sahen gestern Hunde und viele große Katzen am Bahnhof."]),
        ("# Titel\nText geht\nweiter.\n====\nEnde", ["# Titel", "Text geht weiter.", "====", "Ende"]),
        ("  Der erste\nAbsatz endet.\n  Der zweite\nauch.", ["  Der erste Absatz endet.", "  Der zweite auch."]),
        ("> Ich komme\n> morgen.\nGut, bis\ndann.", ["> Ich komme morgen.", "Gut, bis dann."]),
        ("Name\tAlter\nAnna\t3", ["Name\tAlter", "Anna\t3"]),
        ("", [""]),
    ],
)
def test_joined(text, expected):
    assert joined(text) == expected


def test_english_words_keep_their_hyphen():
    text = "It is a well-\nknown infor-\nmation, state-of-the-\nart and pre-\nor postwar."
    assert joined(text, "en") == ["It is a well-known information, state-of-the-art and pre- or postwar."]


words = st.lists(st.text("abcdeé", min_size=1, max_size=12), min_size=1, max_size=60)


@settings(max_examples=100, deadline=None)
@given(st.lists(words, max_size=5), st.integers(12, 60))
def test_what_was_wrapped_comes_back(texts, width):
    """An independent program wraps; no word has a hyphen, a capital or a number."""
    whole = [" ".join(text) for text in texts]
    assert [line for line, _ in paragraphs("\n\n".join(textwrap.fill(text, width) for text in whole).split("\n")) if line] == whole


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("aB1 .-\t>*#)\u00ad", max_size=12), max_size=12))
def test_lines_are_counted_and_nothing_but_hyphens_and_quote_marks_is_lost(lines):
    def letters(texts):
        return "".join("".join(texts).translate(dict.fromkeys(map(ord, "-\u00ad> \t"))))

    found = list(paragraphs(lines))
    assert sum(count for _, count in found) == len(lines)
    assert letters(text for text, _ in found) == letters(lines)
    assert [text for text, _ in found if not text.strip()] == [line for line in lines if not line.strip()]


def test_memory_is_bounded():
    """An endless paragraph is given out in parts."""
    longest, count = 0, 0
    for text, lines in paragraphs("wort " * 10 for _ in range(20_000)):
        longest, count = max(longest, len(text)), count + lines
    assert longest <= LONGEST and count == 20_000
