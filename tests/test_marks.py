"""Marks around a sentence, at its end, and the white space inside."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.text.marks import match_end, restore_gaps, split_marks

BITS = [
    "- ", "-", "1. ", "3. ", "Oktober", "a) ", "(iv) ", "[x] ", "> ", "## ", "• ", "Haus", "ist da", "Ä", "[1]", "!", "?", ".", "...", "…", ":", "“",
    "„", ")", '"', "*", " ", "  ", "\t", "\xa0", "\\", "5", "U.S", "etc", "。",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(BITS), max_size=8).map("".join) | st.text(max_size=12)


@pytest.mark.parametrize(
    "prefix, core, suffix",
    [
        ("", "Ein Hund schläft.", ""), ("  ", "Ein Hund", " \t"), ("- ", "Milch kaufen", ""), ("\t* ", "Milch", ""), ("• ", "Milch", ""),
        ("•", "Milch", ""), ("1. ", "Punkt", ""), ("12. ", "Öffnen Sie das Fenster.", ""), ("1) ", "Eins", ""), ("a) ", "ein Haus", ""),
        ("(1) ", "Soweit", ""), ("(iv) ", "Soweit", ""), ("viii) ", "Soweit", ""), ("- [ ] ", "Milch", ""), ("[x] ", "Milch", ""),
        ("> > ", "Hallo!", ""), (">", "Hallo", ""), ("## ", "Titel", ""), ("2.3.1 ", "Einleitung", ""), ("-", "Ja, gut.", ""), ("– ", "Ja!", ""),
        ("a. ", "Installieren", ""), ("", "Das ist so.", "[1][23]"), ("", "Halt!", "!!"), ("", "Was?", "! "), ("", "Ende", " \\"),
        # not marks
        ("", "1. Oktober 1990", ""), ("", "19. Jahrhundert", ""), ("", "3. und 4. Klasse", ""), ("", "1. deutsche Bundesliga", ""),
        ("", "24.12. ist Heiligabend.", ""), ("", "5.30 Uhr", ""), ("", "1.000 Euro", ""), ("", "1.5 Liter", ""), ("", "z. B. Hunde", ""),
        ("", "(916) 922-5252", ""), ("", "#tag ist da", ""), ("", "-fach", ""), ("", "(Ja)", ""), ("", "Siehe [1]", ""), ("", "[b]fett[/b]", ""),
        ("", "A. Merkel kam.", ""), ("", ">= größer", ""), ("", "Warte...", ""),
        # there is nothing else
        ("", "-", " "), ("", "1.", ""), ("", "?!", ""), ("  ", "", ""), ("", "", ""),
    ],
)  # fmt: skip
def test_split_marks(prefix, core, suffix):
    text = prefix + core + suffix
    begin, end = split_marks(text)
    assert (text[:begin], text[begin:end], text[end:]) == (prefix, core, suffix)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_something_is_left(text):
    begin, end = split_marks(text)
    assert 0 <= begin <= end <= len(text)
    assert text[begin:end] == text[begin:end].strip() and (begin < end) == bool(text.strip())


@pytest.mark.parametrize(
    "source, output, expected",
    [
        ("Wo?", "Where.", "Where?"), ("Ja!", "Yes.", "Yes!"), ("Ja", "Yes.", "Yes"), ("Ja:", "Yes.", "Yes:"), ("Ja,", "Yes.", "Yes,"),
        ("Ja;", "Yes", "Yes;"), ("Ja.", "Yes", "Yes."), ("Ja...", "Yes.", "Yes..."), ("Ja…", "Yes...", "Yes…"), ("Wie?!", "How?", "How?!"),
        ("20 %", "20%.", "20%"), ("Ja。", "Yes.", "Yes."), ("Ναι;", "Yes?", "Yes?"), ("Ja.", "是。", "是。"), ("Ja?", "Oui ?", "Oui ?"),
        # quotes and brackets
        ("Er sagte: „Ja.“", 'He said, "Yes."', 'He said, "Yes."'), ("Er sagte „ja“.", "He said “yes.”", "He said “yes.”"),
        ("„Ja?“", "“Yes.”", "“Yes?”"), ("„Ja“", '"Yes."', '"Yes"'), ("„Ja.“", '"Yes"', '"Yes."'), ("Das (hier).", "This (here)", "This (here)."),
        ("(Das war’s)", "(That's it).", "(That's it)"), ("bei James’", "at James'.", "at James'"),
        # a full stop that belongs to its word
        ("in den USA", "in the U.S.", "in the U.S."), ("um 17 Uhr?", "at 5 p.m.", "at 5 p.m.?"), ("Bier usw", "beer etc.", "beer etc."),
        ("Bier usw.", "beer and so on", "beer and so on."), ("Bier usw.?", "beer etc.!", "beer etc.?"), ("Bier?", "beer etc.?", "beer etc.?"),
        ("in den U.S.!", "in the U.S.!", "in the U.S.!"),
        # nothing is known
        ("Danke :)", "Thanks.", "Thanks."), ("Ich wollte –", "I wanted to.", "I wanted to."), ("„Halt!“,", '"Stop!"', '"Stop!"'), ("Ja.", "", ""),
        ("Ja?", ".", "."),
    ],
)  # fmt: skip
def test_match_end(source, output, expected):
    assert match_end(source, output) == expected


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_an_end_only_changes_marks(source, output):
    matched = match_end(source, output)
    marks = str.maketrans("", "", ".!?…:;,。")
    assert matched.translate(marks) == output.translate(marks)
    assert match_end(output, output) == output


@pytest.mark.parametrize(
    "source, output, expected",
    [
        ("Es sind 10\xa0km bis Ulm.", "It is 10 km to Ulm.", "It is 10\xa0km to Ulm."),
        ("Dr.\xa0Müller wohnt im 3.\u202fStock.", "Dr. Müller lives on the third floor.", "Dr.\xa0Müller lives on the third floor."),
        ("Ein  Hund schläft.", "A dog sleeps.", "A  dog sleeps."),  # as many words
        ("Der  Hund ist es,  ja.", "It is the dog.", "It is the dog."),
        ("Um 5  Uhr um 5\xa0Uhr", "At 5 o'clock, at exactly 5 o'clock", "At 5  o'clock, at exactly 5\xa0o'clock"),
        (" Ein Hund ", "A dog", "A dog"), ("Ein Hund", "A  dog", "A  dog"), ("Ein\xa0Hund", "", ""),
    ],
)  # fmt: skip
def test_restore_gaps(source, output, expected):
    assert restore_gaps(source, output) == expected


def test_wide_gaps_go_where_links_say():
    source, output = "Ein  Hund schläft   auf\xa0Gras.", "On grass a dog is sleeping."
    places = {source.index("  "): 10, source.index("   "): len("On grass a dog is sleeping")}
    assert restore_gaps(source, output, places.__getitem__) == "On grass a  dog is sleeping."
    places[source.index("   ")] = len("On")
    assert restore_gaps(source, output, places.__getitem__) == "On   grass a  dog is sleeping."


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_gaps_only_change_white_space(source, output):
    restored = restore_gaps(source, output)
    assert restored.split() == output.split()
    assert restore_gaps(source, " ".join(source.split())).split() == source.split()


@pytest.mark.parametrize("part", [" ", ".", "> ", "- ", "!", "[1]", "1. ", "a  ", "\t", "a\xa0", "1.1", "(", "U.", "„"])
def test_long_texts(part):
    text = part * 100_000
    begin, end = split_marks(text)
    assert begin <= end and match_end(text, "a" + text) and restore_gaps(text, text)
