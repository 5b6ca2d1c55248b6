"""Numbers: how languages write them, and whether a translation has those of its source."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.text.number_formats import convert_numbers, find_numbers, read_number, write_number
from translate.text.number_words import number_words, word_value
from translate.text.numerals import Comparison, compare_numbers, mend_numbers, put_right


@pytest.mark.parametrize(
    "german, english",
    [
        ("3,5", "3.5"), ("12.345", "12,345"), ("1.234,56", "1,234.56"), ("1.234.567", "1,234,567"), ("0,75", "0.75"), ("1234,5", "1234.5"),
        ("12,345", "12.345"), ("-5,5 °C", "-5.5 °C"), ("3,5-4,5 kg", "3.5-4.5 kg"), ("10,5–12", "10.5–12"), ("3,5kg", "3.5kg"), ("99,9%", "99.9%"),
        ("100.000.000.000", "100,000,000,000"), ("3:44,16 min", "3:44.16 min"), ("19,99 €", "19.99 €"), ("(1.000)", "(1,000)"),
        ("2,50/3,50", "2.50/3.50"),
    ],
)  # fmt: skip
def test_marks_change_with_the_language(german, english):
    assert convert_numbers(f"Das {german} da.", "de", "en") == f"Das {english} da."
    assert convert_numbers(f"the {english} there.", "en", "de") == f"the {german} there."
    assert convert_numbers(german, "de_DE", "en-GB") == write_number(german, "DE", "en") == english


@pytest.mark.parametrize("languages", [("de", "en"), ("en", "de"), ("de", "fr"), ("en", "en"), ("de", "nl"), ("de", "xx"), ("", "en")])
@pytest.mark.parametrize(
    "text",
    [
        "18:30", "8:05:10", "27.11.2026", "2026-11-27", "11/27/2026", "3.", "der 3. Mai", "3-5", "10–12", "1.2.3", "2.13.0", "192.168.0.1",
        "10.0.0.255",
        "192.168.100.200", "+49 30 1234567", "030/123456", "2026", "1/2", "½", "007", "A4 B12 H2O", "1,2,3", "5,– €", "030.123.456", "Version 1.234",
        "§ 1.234", "12 345", "4:3", "v3.11", "1990er", "COVID-19", "0,0,0", "", "1" * 5000, "1." + "2" * 5000,
    ],
)  # fmt: skip
def test_what_stays_in_every_language(text, languages):
    assert convert_numbers(text, *languages) == text


@pytest.mark.parametrize(
    "text, source, target, written",
    [
        ("1'234.50", "de", "en", "1,234.50"), ("12\u202f345,6", "fr", "en", "12,345.6"), ("12\u00a0345,6", "de", "en", "12,345.6"),
        ("1.234,56", "de", "fr", "1\u202f234,56"), ("1,234.56", "en", "de-CH", "1’234.56"), ("1.234,5", "pt-BR", "en", "1,234.5"),
        ("3,5", "de", "fr", "3,5"), ("3.5", "en", "ru", "3,5"), ("3,5", "de", "ja", "3.5"), ("10.30 am", "en", "de", "10.30 am"),
        ("14.30 Uhr", "de", "en", "14.30 Uhr"), ("0,5", "en", "de", "0,5"), ("3.5", "de", "en", "3.5"), ("1,234.5", "de", "en", "1,234.5"),
    ],
)  # fmt: skip
def test_other_marks(text, source, target, written):
    assert convert_numbers(text, source, target) == written


def test_numbers_of_a_text():
    text = "Am 27.11.2026 um 18:30, zu 3,5 % in Version 1.2.3. Der 3. kostet 1.234,50."
    assert [text[begin:end] for begin, end in find_numbers(text)] == ["27.11.2026", "18:30", "3,5", "1.2.3", "3", "1.234,50"]


NUMBERS = st.decimals(min_value=0, max_value=10**12, places=3, allow_nan=False).map(lambda value: value.normalize())


def written(value, language, grouped):
    """As Python writes it, with the marks exchanged."""
    text = f"{value:,f}" if grouped else f"{value:f}"
    return text if language == "en" else text.translate(str.maketrans(",.", ".,"))


@given(NUMBERS, st.booleans(), st.sampled_from(["{}", "etwa {} Stück", "({})", "-{}", "{}%", "{}-{}", "{}."]))
def test_the_value_is_kept_there_and_back(value, grouped, around):
    german, english = (written(value, language, grouped) for language in ("de", "en"))
    assert read_number(german, "de") == read_number(english, "en") == value
    text = around.replace("{}", german)
    assert convert_numbers(text, "de", "en") == around.replace("{}", english)
    assert convert_numbers(convert_numbers(text, "de", "en"), "en", "de") == text
    assert compare_numbers(text, around.replace("{}", english), "de", "en") == ([], [])


@given(st.text("0123456789.,:'-/ \u202fab", max_size=20), st.sampled_from(["de", "en", "fr", "de-CH"]), st.sampled_from(["de", "en", "fr", "de-CH"]))
def test_digits_never_change(text, source, target):
    converted = convert_numbers(text, source, target)
    assert [sign for sign in converted if sign.isdecimal()] == [sign for sign in text if sign.isdecimal()]
    for begin, end in find_numbers(text):
        if (value := read_number(text[begin:end], source)) is not None and (text[:begin] + " ").isspace() and text[end:].isspace():
            assert read_number(convert_numbers(text, source, target).strip(), target) == value


@given(NUMBERS, NUMBERS, st.booleans())
def test_another_value_is_missing_and_extra(one, other, grouped):
    german, english = written(one, "de", grouped), written(other, "en", grouped)
    expected = Comparison([], []) if one == other else Comparison([german], [english])
    assert compare_numbers(german, english, "de", "en") == expected


@pytest.mark.parametrize(
    "source, output, missing, extra",
    [
        ("3,5 kg", "3.5 kg", [], []), ("3,5 kg", "35 kg", ["3,5"], ["35"]), ("3,5 kg", "three point five kg", [], []), ("3,5", "3,5", [], []),
        ("12,345", "12,345", ["12,345"], ["12,345"]), ("12.345", "12.345", ["12.345"], ["12.345"]), ("12.345", "12345", [], []),
        ("3.500", "3.5", ["3.500"], ["3.5"]), ("1.234,56", "123456", ["1.234,56"], ["123456"]), ("1.2.3", "1.2.3", [], []),
        ("1.2.3", "123", ["1.2.3"], ["123"]),
        ("17 Äpfel", "seventeen apples", [], []), ("siebzehn Äpfel", "17 apples", [], []), ("Äpfel", "17 apples", [], ["17"]),
        ("17", "17 17", [], ["17"]),
        ("250 Gramm", "two hundred and fifty grams", [], []), ("zweihundertfünfzig Gramm", "250 grams", [], []), ("14 Uhr", "2 p.m.", [], []),
        ("27.11.2026", "November 27, 2026", [], []), ("am 3. Oktober", "on 3.10.", [], []), ("am 3.10.", "on October 3", [], []),
        ("3.10.", "10/3", [], []),
        ("132.000 Fälle", "132 000 cases", [], []), ("12 345", "12 345", [], []), ("14.30 Uhr", "2:30 pm", [], []),
        ("Ludwig XIV.", "Louis 14", [], []),
        ("ein Hund", "1 dog", [], []), ("keine", "II", [], []), ("0,5", ".5", ["0,5"], ["5"]), ("1.000 und 2", "1,000 and 3", ["2"], ["3"]),
        ("dreiunddreißig", "33", [], []), ("am siebenundzwanzigsten", "on the 27th", [], []), ("3,50 €", "€3.5", [], []), ("5 - 3", "3 5", [], []),
    ],
)  # fmt: skip
def test_comparison_by_the_rules_of_two_languages(source, output, missing, extra):
    assert compare_numbers(source, output, "de", "en") == (missing, extra)


@pytest.mark.parametrize(
    "source, output, mended",
    [
        ("12.345 Äpfel", "12.345 apples", "12,345 apples"), ("3,5 und 3,5", "3,5 and 3.5", "3,5 and 3.5"), ("12.345", "12,345", "12,345"),
        ("12.345 von 12.345", "12.345 of 12.345", "12,345 of 12,345"), ("12.345", "112.345", "112.345"), ("Haus", "12.345", "12.345"),
        ("12.345", "lost", "lost"),
    ],
)  # fmt: skip
def test_a_number_that_was_only_copied_is_rewritten(source, output, mended):
    assert mend_numbers(source, output, "de", "en") == mended


@pytest.mark.parametrize(
    "source, output, mended",
    [
        ("Nummer 1102", "number 112", "number 1102"), ("3 Hunde, 55 Katzen", "three dogs, 5 cats", "three dogs, 55 cats"),
        ("1,5 km", "15 km", "1.5 km"), ("1.234,56 €", "€ 1.234", "€ 1,234.56"), ("12.345", "112.345 people", "12,345 people"),
        ("34 und 27", "4 and 7", "4 and 7"), ("34 und 27", "34 and 2", "34 and 27"), ("Nummer 10", "number", "number"),
        ("5 und 10", "5 and 5", "5 and 5"), ("2007", "the 500s", "the 500s"), ("am 3.10.", "on 3.11.", "on 3.11."), ("Haus", "house 7", "house 7"),
        ("zwei von 30", "2 of 3", "2 of 30"), ("18:30 Uhr", "at 8", "at 8"), ("30", "3:45", "3:45"),
    ],
)  # fmt: skip
def test_the_only_wrong_number_is_put_right(source, output, mended):
    assert put_right(source, output, "de", "en") == mended


@pytest.mark.parametrize(
    "text, value",
    [
        ("two hundred and fifty", 250), ("drei Komma fünf", "3.5"), ("three point one four", "3.14"),
        ("two million five hundred thousand", 2_500_000),
        ("zweitausenddreihundertfünfundvierzig", 2345), ("nineteen hundred ninety-nine", 1999), ("dreiunddreißig", 33), ("einundzwanzig", 21),
        ("twenty-first", 21), ("sechzigsten", 60), ("fünfprozentige", 5), ("zweitausend", 2000), ("hunderteins", 101), ("achtmal", 8), ("null", 0),
    ],
)  # fmt: skip
def test_numbers_in_words(text, value):
    assert number_words(text)[Decimal(value)]


@pytest.mark.parametrize("word", ["haus", "under", "aber", "er", "mal", "achtung", "tausendsassa", "besten", "sechster-haus", "hundertwasser", "ste"])
def test_words_that_are_no_numbers(word):
    assert word_value(word) is None


def test_long_numbers_take_little_time():
    for part in ("1.", "12 345 ", "1'234", "1:", "XI ", "zwei ", "hundert", "1 000 "):
        compare_numbers(part * 3000, "1 " * 3000, "de", "en")
        convert_numbers(part * 3000, "de", "en")
