"""What a model can't translate is taken out of its source, and put back into its translation: the right place, the right spaces, all of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.text.protected import find_items
from translate.text.tracked import Tracked
from translate.text.words import word_spans
from translate.translation.items import take_out, ways
from translate.translation.placing import leaves_stand_ins, move_last, place_items
from translate.translation.restore import with_marks
from translate.translation.stand_ins import all_items


def link(source, output, pairs):
    """Links of words by hand: "Hund dog, läuft runs"; of a word that stands there again, the next one."""
    places = ({}, {})
    for side, text in enumerate((source, output)):
        for begin, end in word_spans(text):
            places[side].setdefault(text[begin:end], []).append((begin, end))
    return [(places[0][one].pop(0), places[1][other].pop(0)) for one, other in (pair.split() for pair in pairs.split(", "))]


@pytest.mark.parametrize(
    "text, without",
    [
        ("Hallo {name}, du hast {0} Nachrichten.", "Hallo, du hast Nachrichten."), ("Siehe https://example.org.", "Siehe."),
        ("{name} ist da.", "ist da."),
        ("Klicken Sie auf <b>Speichern</b>.", "Klicken Sie auf Speichern."), ("Die Frau ({0}) hält ein Kind.", "Die Frau hält ein Kind."),
        ("Das Kind liest „{title}“ im Bett.", "Das Kind liest im Bett."), ("@anna: Wo bist du?", "Wo bist du?"), ("Gut. 😀", "Gut."),
        ("😀 Gut.", "Gut."),
        ("Zu {n}% voll.", "Zu voll."), ("Von {a}, {b} und {c}.", "Von und."), ("{0}", ""), ("a<br>b", "a b"), ("{0}/{1} fertig", "fertig"),
    ],
)  # fmt: skip
def test_what_remains_for_the_model(text, without):
    rest, taken = take_out(Tracked.of(text), find_items(text))
    assert rest.text == without
    assert all(item.text in text for item in taken)


@pytest.mark.parametrize(
    "source, output, pairs, placed",
    [
        ("Hallo {name}, du hast {0} Nachrichten.", "Hello, you have messages.", "Hallo Hello, du you, hast have, Nachrichten messages",
         "Hello {name}, you have {0} messages."),
        ("Du hast {0} Nachrichten.", "There are messages for you.", "Du you, hast are, Nachrichten messages", "There are {0} messages for you."),
        ("Siehe https://example.org für Details.", "For details see.", "Siehe see, für For, Details details", "For details see https://example.org."),
        ("Siehe https://example.org!", "Look there!", "Siehe Look", "Look there https://example.org!"),
        ("Klicken Sie auf <b>Speichern</b>.", "Click Save.", "Klicken Click, Speichern Save", "Click <b>Save</b>."),
        ("Ein Mann in einem <b>blauen Hemd</b> steht.", "A man stands in a blue shirt.",
         "Ein A, Mann man, in in, einem a, blauen blue, Hemd shirt, steht stands", "A man stands in a <b>blue shirt</b>."),
        ("<p>Ein <i>Hund</i> läuft.</p>", "A dog runs.", "Ein A, Hund dog, läuft runs", "<p>A <i>dog</i> runs.</p>"),
        ("{name} ist da.", "is there.", "ist is, da there", "{name} is there."),
        ("Ein Hund läuft. 😀", "A dog runs.", "Ein A, Hund dog, läuft runs", "A dog runs. 😀"),
        ("Ein Hund läuft 😀.", "A dog runs.", "Ein A, Hund dog, läuft runs", "A dog runs 😀."),
        ("Hallo Welt🎉!", "Hello world!", "Hallo Hello, Welt world", "Hello world🎉!"),
        ("Die Frau ({0}) hält ein Kind.", "The woman holds a child.", "Die The, Frau woman, hält holds, ein a, Kind child",
         "The woman ({0}) holds a child."),
        ("Er hat das Buch {title} gelesen.", "He has read the book.", "Er He, hat has, das the, Buch book, gelesen read",
         "He has read the book {title}."),
        ("„Komm, {name}!“, rief er.", "“Come!” he called.", "Komm Come, rief called, er he", "“Come {name}!” he called."),
        ("%s und %s", "and", "und and", "%s and %s"),
        ("<b>Rot</b> und <b>Blau</b>", "Blue and red", "Rot red, und and, Blau Blue", "<b>Blue</b> and <b>red</b>"),
        ("Öffne <a href=\"x\">die Seite</a> jetzt", "Now open the page", "Öffne open, die the, Seite page, jetzt Now",
         "Now open <a href=\"x\">the page</a>"),
        ("{0}", "", "", "{0}"),
        ("%1 mal %2 da", "there", "da there", "%1 %2 there"),
    ],
)  # fmt: skip
def test_where_an_item_goes(source, output, pairs, placed):
    rest, taken = take_out(Tracked.of(source), find_items(source))
    assert place_items(output, link(rest.text, output, pairs) if pairs else [], taken, rest.text) == placed


def test_a_genitive_is_written_as_in_the_target_language():
    out, fill = ways("Das ist {name}s Haus.", Tracked.of("Das ist {name}s Haus."), "de", "en")
    assert (out.text.text, fill.text.text) == ("Das ist Haus.", "Das ist sein Haus.")
    assert place_items("This is his house.", [], fill.taken, fill.text.text) == "This is {name}'s house."
    back = ways("{name}'s house", Tracked.of("{name}'s house"), "en", "de")[1]
    assert (back.text.text, place_items("Sein Haus", [], back.taken, back.text.text)) == ("His house", "{name}s Haus")


@pytest.mark.parametrize("text", ["https://example.org", "{a} - {b}", '"a" -> "b"', "**{name}**", "x" * 150, "Haus,Maus," * 20])
def test_a_sentence_of_items_alone_has_no_way_with_words(text):
    (way,) = ways(text, Tracked.of(text), "de", "en")
    assert not any(map(str.isalpha, way.text.text)) and place_items("", [], way.taken, way.text.text) == text


def test_a_stand_in_that_would_stay_is_noticed():
    (_, fill) = ways("Öffne {datei} bitte", Tracked.of("Öffne {datei} bitte"), "de", "en")
    assert not leaves_stand_ins("Open the house please", fill.taken)
    assert leaves_stand_ins("Open the house house please", fill.taken) and not leaves_stand_ins("Open it", fill.taken)


@pytest.mark.parametrize(
    "text, kept",
    [
        ("Die /etc/hosts-Datei ist da.", ["/etc/hosts-"]),
        ("Eine %s-Datei und `a`-Taste", ["%s-", "`a`-"]),
        ("Drücken Sie <Strg>+<C>.", ["<Strg>+<C>"]),
    ],
)
def test_what_goes_with_an_item(text, kept):
    assert [item.text for item in ways(text, Tracked.of(text), "de", "en")[0].taken] == kept


@pytest.mark.parametrize(
    "source, without, filled, output, placed",
    [
        ("Ich lebe in {city}.", "Ich lebe in.", "Ich lebe in Haus.", "I live in house.", "I live in {city}."),
        ("{name} ist da.", "ist da.", "Haus ist da.", "House is there.", "{name} is there."),
        ("17 Äpfel für 3,5 €.", "Äpfel für.", "zwei Äpfel für drei.", "Two apples for three.", "17 apples for 3.5 €."),
        ("Zwei von 1.234 Tagen", "Zwei von Tagen", "Zwei von drei Tagen", "Two of three days", "Two of 1,234 days"),
        ("Im Jahr 2026: 18:30 Uhr", "Im Jahr Uhr", "Im Jahr zwei: drei Uhr", "In the year two: 3 o'clock", "In the year 2026: 18:30 o'clock"),
    ],
)  # fmt: skip
def test_words_that_stand_in(source, without, filled, output, placed):
    out, fill = ways(source, Tracked.of(source), "de", "en", numbers=True)
    assert (out.text.text, fill.text.text) == (without, filled)
    assert place_items(output, [], fill.taken, fill.text.text) == placed


def test_a_stand_in_that_became_another_word_is_found_by_the_links():
    (_, fill) = ways("Ich lebe in {city} und esse.", Tracked.of("Ich lebe in {city} und esse."), "de", "en")
    output = "I live at home and eat in a home."
    links = link(fill.text.text, output, "Ich I, lebe live, in at, Haus home, und and, esse eat")
    assert place_items(output, links, fill.taken, fill.text.text) == "I live at {city} and eat in a home."


def test_two_numbers_that_come_to_stand_together_are_not_read_as_one():
    out, _ = ways("Es sind 800 mal 600 da.", Tracked.of("Es sind 800 mal 600 da."), "de", "en", numbers=True)
    assert place_items("There are.", [], out.taken, out.text.text) in ("There are 800, 600.", "There 800, 600 are.", "800, 600 There are.")
    assert place_items("It 5 is.", link("sind mal da", "It 5 is", "sind It, da is"), out.taken, "sind mal da").count(", ") >= 1


def test_one_way_only_without_a_word_that_may_stand_in():
    assert len(ways("Je vis à {city}.", Tracked.of("Je vis à {city}."), "fr", "en")) == 1
    assert len(ways("Ein <b>Hund</b>.", Tracked.of("Ein <b>Hund</b>."), "de", "en")) == 1
    assert ways("Ein Hund.", Tracked.of("Ein Hund."), "de", "en", numbers=True) == []
    assert [way.text.text for way in ways("17 pommes", Tracked.of("17 pommes"), "fr", "en", numbers=True)] == ["pommes", "2 pommes"]


@pytest.mark.parametrize(
    "source, output, pairs, moved",
    [
        ("Ein ⟦0⟧ Hund läuft.", "A dog runs.⟦0⟧", "Ein A, Hund dog, läuft runs", "A ⟦0⟧ dog runs."),
        ("Ein ⟦0⟧ Hund läuft ⟦1⟧.", "A dog runs ⟦0⟧⟦1⟧.", "Ein A, Hund dog, läuft runs", "A ⟦0⟧ dog runs ⟦1⟧."),
        ("Ein Hund läuft ⟦1⟧.", "A dog runs ⟦1⟧.", "Ein A, Hund dog, läuft runs", "A dog runs ⟦1⟧."),
        ("⟦2⟧ Hund ⟦0⟧ läuft ⟦1⟧ da", "dog there ⟦1⟧ runs ⟦2⟧ ⟦0⟧", "Hund dog, läuft runs, da there", "⟦2⟧ dog ⟦0⟧ there ⟦1⟧ runs"),
        ("", "", "", ""),
    ],
)
def test_symbols_that_the_search_had_no_place_for(source, output, pairs, moved):
    assert move_last(source, output, link(source, output, pairs) if pairs else []) == moved


@pytest.mark.parametrize(
    "text, items, written",
    [
        ("UTF-8, ISO-8859-1, 10k und 3D", ["UTF-8", "ISO-8859", "1", "10k", "3D"], ["UTF-8", "ISO-8859", "1", "10k", "3D"]),
        ("Am 3. Oktober um 18:30 Uhr", ["3.", "18:30"], ["3.", "18:30"]),
        ("12.345 km/h und 3,5 %", ["12.345 km/h", "3,5 %"], ["12,345 km/h", "3.5 %"]),
        ("A4-Blatt, MP3 und {0}5", ["A4", "MP3", "{0}", "5"], ["A4", "MP3", "{0}", "5"]),
        ("Datei x1.txt hat 3 m", ["x1.txt", "3 m"], ["x1.txt", "3 m"]),
        ("20-jährig, 3 mal", ["20", "3"], ["20", "3"]), ("Band II, 2.", ["II", "2"], ["II", "2"]),
        ("1.234,50 EUR.", ["1.234,50 EUR"], ["1,234.50 EUR"]),
        ("Siehe a.com/+49341 5550199", ["a.com/+49341", "5550199"], ["a.com/+49341", "5550199"]),  # no phone number begins inside an address
    ],
)  # fmt: skip
def test_numbers_as_items(text, items, written):
    found, put = all_items(text, "de", "en")
    assert ([text[item.begin : item.end] for item in found], put) == (items, written)


WORDS = st.sampled_from(
    ["Hund", "läuft", "{0}", "{name}", "<b>", "</b>", "😀", ",", ".", "(", ")", "17", "3,5", "https://example.org/a", "„", "“", "%s", "a", "§"]
)


OUTPUT = st.lists(st.sampled_from(["A", "dog", ",", ".", "“", "two", "house"]), max_size=6)


@given(st.lists(st.tuples(WORDS, st.sampled_from(["", " "])), max_size=9), OUTPUT, st.randoms(use_true_random=False), st.booleans())
def test_each_item_comes_back_exactly_as_often(parts, words, chance, numbers):
    source = "".join(word + space for word, space in parts)
    output = re.sub(r" (?=[,.“])", "", " ".join(words))
    found, written = all_items(source, "de", "en") if numbers else (find_items(source), None)
    for way in ways(source, Tracked.of(source), "de", "en", numbers):
        spans = word_spans(way.text.text), word_spans(output)
        links = [(one, chance.choice(spans[1])) for one in spans[0] if spans[1] and chance.random() < 0.7]
        placed = place_items(output, links, way.taken, way.text.text)
        for item in written or [source[item.begin : item.end] for item in found]:
            assert placed.count(item) >= (written or [source[i.begin : i.end] for i in found]).count(item)
        assert len(way.text.begins) == len(way.text.text)
        if all(item.stand_in is None for item in way.taken):  # nothing of the output is lost, and nothing else is new
            letters = iter(placed)
            assert all(letter in letters for letter in output.replace(" ", ""))
            assert len(re.sub(r"[ ,]", "", placed)) == len(re.sub(r"[ ,]", "", output + "".join(item.text for item in way.taken)))


@pytest.mark.parametrize(
    "source, output, items, expected",
    [
        ("Ist es das?", "Is it&amp;", ["&amp;"], "Is it&amp;"),
        ("A  b <a x='1'> c", "<a x='1'> B A c", ["<a x='1'>"], "<a x='1'> B A c"),
        ("Ist es {0} da?", "Is it {0} there", ["{0}"], "Is it {0} there?"),
        ("10  {0}", "10 {0}", ["{0}"], "10  {0}"),
    ],
)
def test_marks_and_gaps_leave_items_alone(source, output, items, expected):
    assert with_marks(source, output, items) == expected
