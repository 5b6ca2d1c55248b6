"""Sentence ends: a table of hard cases, properties for any text, other languages with and without their package."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.text import sentences
from translate.text.sentences import sentence_spans

# One text a line; | stands where a sentence ends.
GERMAN = """
Der Hund schläft.
Der Hund schläft.|Die Katze wacht.
Wer ist da?|Ich!|Komm herein.
Was soll das?!|Ich gehe jetzt.
Das weiß ich nicht...|Vielleicht morgen.
Das weiß ich … noch nicht genau.
Ich ... Maria ist hier.
Das war im 19. Jahrhundert in Wien.|Danach wurde es still.
Sie kam am 3. Oktober an.|Er kam später.
Vom 3. bis 5. Mai ist geschlossen.
Die Messe dauert vom 17.-18. Januar.|Der Eintritt ist frei.
Wir sind am 5.-6. Mai und am 7-8. Juni da.
Am 3. 10. 2026 beginnt der Kurs.|Am 4. 10. endet er.
Am 3.10.2026 beginnt der Kurs.|Er endet am 5.10.|Wir freuen uns.
Mein Bruder ist 18.|Er wohnt in Köln.
Der Film beginnt um 20.|Maria wartet schon.
Das geschah 1990.|Bonn war Hauptstadt.
Sie feiert ihren 100. Geburtstag.
Wir treffen uns jeden 2. Samstag im Monat.
Ludwig XIV. baute Versailles.|Er war König.
Papst Johannes XXIII.|Er war alt.
Wir essen z. B. Brot und Käse.|Danach gehen wir.
Wir essen z.B. Die-da-Käse, d. h. Reste.
Dr. Müller ist da.|Prof. Dr. h. c. Klein kommt noch.
Ich traf Dipl.-Ing. Weber, Frl. Schmidt und Hrn. Meier.
Siehe Abb. 3 und Nr. 5 in Bd. 2.|Dort steht es.
Sie studiert Kunst dieser Art.|Das gefällt ihr.
Es kostet ca. 30 Euro, vgl. Seite 4.
Es gab Äpfel, Birnen usw.|Danach gab es Kaffee.
Es gab Äpfel, Birnen usw. und danach Kaffee.
Es kostet 3 Mio. Euro.|Das ist viel.
Die Stadt wurde 50 v. Chr. gegründet.|Die Mauer kam 80 n. Chr.|Sie steht noch.
J. S. Bach lebte in Leipzig.
Der Brief kam von George W. Busch.|Ich las ihn.
„Wo bist du?“, fragte sie.|„Hier!“, rief er.
„Wo bist du?“ fragte sie.
„Wo bist du?“|– „Ich bin hier.“
Er sagte: „Komm!“|Sie kam nicht.
Er sagte: »Ich komme.«|Dann ging er.
(Er kam spät.)|Dann aß er.
Er kaufte (endlich!) Brot und Wein.
Er wartete (lange).|Niemand kam.
1. Punkt eins
1. Punkt eins ist klar.|2. Punkt zwei auch.
a) Erstens geht das nicht.|b) Zweitens auch nicht.
Mehr unter https://example.org/a.b?c=D.|Schreiben Sie an info@example.org.|Danke!
Mehr steht hier.|https://example.org/seite
Die Datei readme.txt liegt in C:\\Daten.Neu.
Version 2.0 ist da.|Sie kostet 3,50 Euro.
Es misst 3.5 Meter.|Um 18.30 Uhr ist Schluss.
Das Haus.Der Hund.
das ist gut.|das bleibt so, z. b. hier.|und dort.
Wir gehen jetzt.|er kommt später.
Super! 😀|Wie geht es dir?
Das ist **wichtig.**|Bitte lesen.
Alles fertig.|{name} hat gewonnen.
Das steht dort.[3]|Es stimmt.
Er las [...] Bücher.
Wr. Neustadt liegt in Österreich.|Gmünd auch.
Hallo!|wie geht es dir?
Yahoo! hat gewonnen.
Die Ehefrau, urspr. aus Bonn, ist 50.
Er kam , sah und siegte .|Wir auch .
DR. MÜLLER KOMMT HEUTE.|ALLE FREUEN SICH.
"""
ENGLISH = """
The dog sleeps.|The cat is awake.
Mr. Smith met Mrs. Jones.|They talked.
He lives in the U.S. Army base.|She lives in the U.S.|They rarely meet.
Use tools, e.g. A or B, i.e. Both.
He came at 5 p.m.|Nobody saw him.
He came at 5 p.m. and left at 6.|She stayed.
It starts at 5 p.m. EST today.
See No. 5 and Fig. 3.|It is clear.
Did you see him?|No.|He was gone.
Acme Inc. Chairman Lee resigned.|He was 60.
She works for Acme Inc.|It pays well.
He is 18.|Tom is 20.
Sales rose 3.5 percent.|Costs fell.
"Where are you?" Mary asked.|"Here!" he said.
"Where are you?"|"I am here."
“It is late.”|We left.
I lost my mind.|Those are Tom's.|You know it.
Dr. Who met Prof. X. Brown in St. Louis.
J. R. R. Tolkien wrote it.|George W. Bush read it.
Read example.com for more.|Write to me@example.com.|Bye.
We need apples, pears, etc.|Boys like them.
Wait...|What?!|Are you sure?
Oh!|how nice
1. First point.|2. Second point.
(It rained.)|We stayed at home.
They (the others!) Went home.
He was born on Jan. 5, 1990.|I was not.
i like it.|you do too.|we all do.
"""


def split(text, language="de"):
    return [text[begin:end] for begin, end in sentence_spans(text, language)]


@pytest.mark.parametrize("language, row", [("de", row) for row in GERMAN.strip().split("\n")] + [("en", row) for row in ENGLISH.strip().split("\n")])
def test_hard_cases(language, row):
    assert split(row.replace("|", " "), language) == row.split("|")


def test_there_are_many_hard_cases():
    assert len((GERMAN + ENGLISH).strip().split("\n")) > 90


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        (" \t\u2028 ", []),
        ("  Wir gehen. \n", ["Wir gehen."]),
        ("Das ist gut.  Wir\u00a0bleiben.\u2003Ja.", ["Das ist gut.", "Wir\u00a0bleiben.", "Ja."]),
        ("Name:\tAnna Klein\t\tAlter: 3 Jahre. Ja.", ["Name:", "Anna Klein", "Alter: 3 Jahre.", "Ja."]),
        ("Name      Alter  der Katze", ["Name", "Alter  der Katze"]),  # columns
        ("Kapitel 1 ........ 5", ["Kapitel 1", "5"]),
        ("Anhang .... iv", ["Anhang", "iv"]),
        ("Inhalt . . . . . 3", ["Inhalt", "3"]),
        ("Name: ______ Datum: ____", ["Name:", "Datum:"]),
        ("Er wartet..... und geht", ["Er wartet..... und geht"]),
        ("**Achtung:** Der Hund. Ja.", ["**Achtung:**", "Der Hund.", "Ja."]),
        ("- __Name__: Anna, **du** kommst", ["- __Name__:", "Anna, **du** kommst"]),
        ("Zeile eins\u2028Zeile zwei", ["Zeile eins", "Zeile zwei"]),
        ("我是学生。你好！好吗？“是。”他说。", ["我是学生。", "你好！", "好吗？", "“是。”", "他说。"]),
        (".", ["."]),
        ("... !", ["... !"]),
        ("z. B.", ["z. B."]),
        ("1.", ["1."]),
    ],
)
def test_white_space_and_other_writing(text, expected):
    assert split(text) == expected


PARTS = [*'abÄÖ.!?,;:–…3"„“()[]*-。 \t\n', "  ", "z. B. ", "Dr. ", "Das ", "am 3. ", "XIV. ", "\u2028", "\x85", "\u0301", "😀", "usw. "]
LAYOUT = "._ \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000|" + "".join(map(chr, range(0x2000, 0x200B)))
german = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(german, st.text()), st.sampled_from(["de", "en", "xx"]))
def test_spans_and_gaps_give_the_text(text, language):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentences, "_sentencex", lambda language: None)
        spans = sentence_spans(text, language)
    end = 0
    for begin, stop in spans:
        sentence = text[begin:stop]
        assert sentence and sentence == sentence.strip()
        assert not text[end:begin].strip(LAYOUT)
        end = stop
    assert not text[end:].strip(LAYOUT)


@pytest.mark.parametrize(
    "unit", ["Das ist gut. ", "das ist gut. ", ".", " ", ". ", "z. B. ", "(a.) ", "a.) ", "\t", '."', "1. ", "。", "  ", "! )", "x", "\n \t"]
)
def test_time_grows_with_the_text(unit, monkeypatch):
    """Counted in matches that are looked at: one pass."""
    seen = 0
    ends = sentences._ends

    def counted(*arguments):
        nonlocal seen
        seen += 1
        return ends(*arguments)

    monkeypatch.setattr(sentences, "_ends", counted)
    text = (unit * 100_000)[:100_000]
    spans = sentence_spans(text)
    assert seen <= len(text) // 2 + 1
    assert sum(end - begin for begin, end in spans) <= len(text)


def test_other_languages_use_the_package(capsys):
    package = pytest.importorskip("sentencex")
    text = "Le prix est de 3 euros, etc. Il part.  « Bonjour ! » dit-elle. Fin"
    sentences._sentencex.cache_clear()
    assert split(text + "\tVoilà. Oui.", "fr") == [*map(str.strip, package.segment("fr", text)), "Voilà.", "Oui."]
    assert split("Bonjour. Oui.", "fr-CA") == ["Bonjour.", "Oui."]
    assert capsys.readouterr().err == ""


def test_without_the_package_general_rules_do_and_a_note_says_so_once(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sentencex", None)
    sentences._sentencex.cache_clear()
    assert split("Il est là. Elle part.", "fr") == ["Il est là.", "Elle part."]
    assert split("Ah ! Non.", "fr") == ["Ah !", "Non."]
    assert capsys.readouterr().err.count("pip install sentencex") == 1
    assert split("Il est là. Elle part.", "de") == ["Il est là.", "Elle part."]
    assert capsys.readouterr().err == ""
    sentences._sentencex.cache_clear()


@pytest.mark.parametrize("language", ["de-AT", "de_DE", "DE", "deu", "en-GB", "eng"])
def test_regions_of_german_and_english(language, monkeypatch):
    monkeypatch.setattr(sentences, "_sentencex", None)
    assert split("Dr. Klein ist da. Er geht.", language) == ["Dr. Klein ist da.", "Er geht."]


@pytest.mark.parametrize(
    "text, language, sentences",
    [
        ("Zwei Männer stehen in einer Stadt Ein Hund läuft über die Wiese", "de", 2),
        ("Ein Mann In Einer Weste Sitzt Auf Einem Stuhl Und Hält Ein Buch In Der Hand", "de", 1),  # a title
        ("Ein Mann liest ein Heft Eine Frau trinkt einen Kaffee Die Kinder spielen im Garten", "de", 3),
        ("Two men stand in a city A dog runs across the grass", "en", 2),
        ("Das Kriegsverbrechertribunal in Den Haag hat heute entschieden", "de", 1),
        ("Er las gestern das Buch Der Mann ohne Eigenschaften im Garten", "de", 1),
        ("Ich sehe, dass Sie Die Zeit lesen", "de", 1),
        ("Gibt den Abstand zwischen A und B in Metern zurück", "de", 1),
        ("The distance between A and B is given in metres", "en", 1),
    ],
)
def test_a_capital_may_begin_a_sentence_without_a_mark_before_it(text, language, sentences):
    assert len(sentence_spans(text, language)) == sentences
