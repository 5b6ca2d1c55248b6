"""Cutting over-long lines: where, and that nothing is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.text.segments import split_line


def words(limit):
    """A stand-in for the tokenizer: a text fits if it has at most `limit` words."""
    return lambda text: len(text.split()) <= limit


def characters(limit):
    return lambda text: len(text) <= limit


@pytest.mark.parametrize(
    "limit, text, pieces",
    [
        (9, "Er kam. Sie ging. Wir blieben.", ["Er kam. Sie ging. Wir blieben."]),  # fits: untouched
        (4, "Er kam. Sie ging. Wir blieben.", ["Er kam. Sie ging.", "Wir blieben."]),  # as many sentences as fit
        (3, "Er kam. Sie ging. Wir blieben.", ["Er kam.", "Sie ging.", "Wir blieben."]),
        (3, "Er kam! Sie ging? Ja … Wir blieben.", ["Er kam!", "Sie ging?", "Ja …", "Wir blieben."]),
        (4, "Er sagte: „Komm!“ Sie kam nicht.", ["Er sagte: „Komm!“", "Sie kam nicht."]),
        (4, "Er ist da. „Komm doch rein!“", ["Er ist da.", "„Komm doch rein!“"]),
        (4, "Er ist da. (Sie auch nicht.)", ["Er ist da.", "(Sie auch nicht.)"]),
        (6, "Wir essen z. B. Brot und Käse. Danach gehen wir.", ["Wir essen z. B. Brot", "und Käse. Danach gehen wir."]),
        (7, "Wir essen z. B. Brot und Käse. Danach gehen wir.", ["Wir essen z. B. Brot und Käse.", "Danach gehen wir."]),
        (5, "Gestern kam Dr. Meier aus Berlin, er war müde.", ["Gestern kam Dr. Meier", "aus Berlin, er war müde."]),
        (6, "Sie kam am 3. Oktober hier an. Er blieb.", ["Sie kam am 3. Oktober hier", "an. Er blieb."]),
        (5, "Das war im Jahr 1990. Danach kam sie.", ["Das war im Jahr 1990.", "Danach kam sie."]),
        (4, "Papst Johannes XXIII. Er war alt.", ["Papst Johannes XXIII.", "Er war alt."]),
        (4, "J. S. Bach und Sohn", ["J. S. Bach", "und Sohn"]),
        (5, "Version 2.0 kam, usw. und so fort", ["Version 2.0 kam,", "usw. und so fort"]),
        (4, "Ich komme, wenn ich kann; sonst nicht", ["Ich komme,", "wenn ich kann;", "sonst nicht"]),
        (3, "Er singt und sie tanzt", ["Er singt", "und sie tanzt"]),
        (8, "a b c d e f g h i j", ["a b c d e", "f g h i j"]),  # of similar length
        (7, "Ja, wir sehen heute den Film im Kino an der Ecke", ["Ja, wir sehen heute den Film", "im Kino an der Ecke"]),  # not after "Ja,"
        (6, "Sie las Angela Merkel Nummer 3 vor und ging heim", ["Sie las Angela Merkel Nummer 3", "vor und ging heim"]),
        (5, "Wir sahen gestern Angela Merkel im Kino", ["Wir sahen gestern", "Angela Merkel im Kino"]),
        (5, "das kostet heute 30\u00a0000 Euro mehr als", ["das kostet heute", "30\u00a0000 Euro mehr als"]),
        (6, "Er kam (mit zwei Freunden aus Rom) spät abends heim", ["Er kam", "(mit zwei Freunden aus Rom)", "spät abends heim"]),
        (3, "eins zwei drei vier fünf", ["eins zwei drei", "vier fünf"]),
        (2, "  eins  zwei\u2028drei \x1c vier ", ["eins  zwei", "drei \x1c vier"]),
        (5, "", []),
        (5, " \t\u2028\x85 ", []),
        (0, "ab cd", ["a", "b", "c", "d"]),  # nothing fits: one character a piece, and an end
    ],
)
def test_cuts(limit, text, pieces):
    assert split_line(text, words(limit)) == pieces


def test_cut_inside_a_word_keeps_accents_and_emoji_whole():
    assert split_line("abcde\u0301f", characters(5)) == ["abcd", "e\u0301f"]
    assert split_line("ab👩\u200d🚀cd", characters(4)) == ["ab", "👩\u200d🚀c", "d"]
    assert split_line("abc👍🏽d", characters(4)) == ["abc", "👍🏽d"]
    assert split_line("\u0301" * 5, characters(2)) == ["\u0301" * 2, "\u0301" * 2, "\u0301"]  # no way to keep it whole


PARTS = [*'abÄÖ.!?,;:–…3"„“() \t\n\r', "  ", "und ", "z. B. ", "Dr. ", "\u2028", "\x85", "\x1c", "\u0301", "😀", "\u200d"]
german = st.lists(st.sampled_from(PARTS), max_size=60).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(german, st.text()), st.integers(1, 12), st.sampled_from([words, characters]))
def test_nothing_is_lost_and_every_piece_fits(text, limit, measure):
    fits = measure(limit)
    pieces = split_line(text, fits)
    assert all(fits(piece) and piece.strip() for piece in pieces)
    rest = text
    for piece in pieces:  # the pieces in order, with nothing but white space before, between and after them
        rest = rest.lstrip()
        assert rest.startswith(piece)
        rest = rest[len(piece) :]
    assert not rest.strip()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["Haus ", "Ja. ", "nein, ", "x"]), max_size=100).map("".join), st.integers(4, 40))
def test_an_odd_measure_loses_nothing_either(text, limit):
    """Subword counts are not quite monotonic: a longer text can have fewer pieces."""

    def fits(piece):
        return len(piece) - 3 * piece.count("Haus") <= limit

    pieces = split_line(text, fits)
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)
    assert all(fits(piece) for piece in pieces)


@pytest.mark.parametrize("unit", ["Wir gehen heute nach Hause. ", "Wort ", "x", "nein, ", "." * 10, " " * 10, "😀", '."', "a, und "])
def test_a_very_long_line_measures_little_text(unit):
    text = (unit * 200_000)[:200_000] + "x"
    measured = 0

    def fits(piece):
        nonlocal measured
        measured += len(piece)
        return len(piece) <= 1000

    pieces = split_line(text, fits)
    assert len(pieces) <= 2 * len(text) / 1000 + 1
    assert measured < 60 * len(text)
