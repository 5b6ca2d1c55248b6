"""Whole documents through a model that repeats what it gets: everything comes back, each character in its place."""

from __future__ import annotations

import json
import re

import numpy
import pytest

from translate.config import DecodingConfig, TokenizerConfig
from translate.decoding import Hypothesis
from translate.profile import Profile
from translate.tokenizer import train_tokenizer
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.translator import Translator

LETTER = """\
Anna Schröder
Lindenallee 14
04109 Leipzig

                                        Leipzig, den 3. Oktober 2024

Sehr geehrte Frau Dr. Weiß,

vielen Dank für Ihren Brief vom 19. September. Leider kann ich z. B. am Montag nicht kommen; am Dienstag habe ich ab 14:30 Uhr Zeit. Passt Ihnen das?
Sie erreichen mich unter +49 341 555-0199 oder anna.schroeder@example.org.

Mit freundlichen Grüßen

Anna Schröder

PS: Die Rechnung (Nr. 2024/118) über 1.234,50 € liegt bei.
"""
RECIPE = """\
KARTOFFELSUPPE
==============

Für 4 Personen – 45 Minuten

  * 1 kg Kartoffeln
  * 2 Möhren
  * ½ Sellerie
  * 1,5 l Gemüsebrühe
  * Salz, Pfeffer

1. Die Kartoffeln schälen. Dann alles in Würfel schneiden!
2. In der Brühe 20–25 Min. kochen.
   a) Wer mag, gibt Sahne dazu.
   b) Sonst nicht.
3. Pürieren, abschmecken ... fertig.

***
"""
MINUTES = """\
Protokoll der Sitzung vom 12.03.2024
Anwesend: Herr Prof. Dr. Braun, Frau Yılmaz, H. Nowak
Beginn: 9:00 Uhr\tEnde: 10:45 Uhr

TOP 1: Haushalt
Der Haushalt wird mit 7 : 2 Stimmen angenommen. Frau Yılmaz fragt: „Wann kommt das Geld?“ Herr Braun antwortet, das sei offen.

TOP 2: Verschiedenes
- Das Dach ist undicht (siehe Abschnitt 3.2).
- Der Schlüssel fehlt noch immer!
--
"""
README = """\
# Wetterstation

Status: https://example.org/badge.svg, Handbuch: docs/handbuch.md

Liest die Sensoren aus und schreibt alles in eine Datei. Läuft unter Linux.

    pip install wetterstation
    wetterstation --intervall 60 > messwerte.csv

## Einstellungen

Die Datei `config.yaml` enthält den Schlüssel `sensor.port`. Ohne Angabe gilt 8080.

>>> 1 + 1
2
"""
CHAT = """\
[18:02] <mia> hallo jonas, bist du da??
[18:03] <jonas> ja :-) was gibt's?
[18:03] <mia> kommst du heute abend mit ins kino? 🎬🍿
[18:05] <jonas> klar!!! wann denn... um 8?
[18:05] <mia> 👍
[18:06] <jonas> @mia ok, bis dann #vorfreude
"""
PRICES = """\
Artikel\tMenge\tPreis
Äpfel\t3\t2,99 €
Brot, dunkel\t1\t4,20 €
\t\t
Summe\t\t7,19 €
-----\t-----\t------
"""
POEM = """\
Der Abend kommt ganz leise,
  die Amsel singt ihr Lied,
    der Mond geht auf die Reise,
      und alles, alles flieht.

  ~

Wer wacht? – Ein Licht im Fenster.
Wer schläft? – Das müde Tal …
"""
PLAIN = """\
Es war einmal ein König, der hatte drei Töchter. Die älteste war klug, die zweite war schön, und die jüngste war beides. Eines Tages rief er sie
zu sich. „Wer von euch“, fragte er, „liebt mich am meisten?“ Keine antwortete! Im 19. Jahrhundert hätte man das unhöflich gefunden (vgl. Kap. 3).
Da ging die jüngste fort.  Niemand sah sie je wieder.\u2028Nur ein Brief kam an.
"""
DOCUMENTS = {
    "letter": LETTER, "recipe": RECIPE, "minutes": MINUTES, "readme": README, "chat": CHAT, "prices": PRICES, "poem": POEM, "plain": PLAIN,
}  # fmt: skip
FOREIGN = "The quick brown fox jumps over the lazy dog, as everybody knows."


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """It knows every character of the documents, and doesn't change any."""
    lines = [line for text in DOCUMENTS.values() for line in text.splitlines() if line.strip()]
    config = TokenizerConfig(vocabulary=900, normalization="identity")
    return train_tokenizer([(line, line.lower()) for line in lines] * 2, config, tmp_path_factory.mktemp("tokenizer"))


class EchoEngine:
    """Repeats each source, attending to the token that it repeats."""

    max_tokens, at_once, forkable, alignment = 200, 1, False, AlignmentHeads(0, (0,), 0)
    machine = {"device": "cpu", "precision": "fp32"}

    def search(self, sources, limits, options, seeds, no_repeat=0, align=False, required=None):
        return [[Hypothesis(ids[:-1], -1.0, -1.0, True, numpy.eye(len(ids) - 1, len(ids), dtype=numpy.float32))] for ids in sources]


def build(tokenizer, languages, **profile):
    return Translator(EchoEngine(), tokenizer, DecodingConfig(beam=1), profile=Profile(**profile), languages=languages)


@pytest.fixture(scope="module")
def within_german(tokenizer):
    """A model from German to German: numbers have nowhere to change."""
    return build(tokenizer, ("de", "de"))


@pytest.fixture(scope="module")
def german_english(tokenizer):
    return build(tokenizer, ("de", "en"), source_language="de", target_language="en", longest_source=40)


def first_difference(lines, outputs):
    return next(((number, line, output) for number, (line, output) in enumerate(zip(lines, outputs), 1) if line != output), None)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_comes_back_whole(within_german, name):
    lines = DOCUMENTS[name].split("\n")
    outputs = within_german.translate(lines)
    assert first_difference(lines, outputs) is None and len(outputs) == len(lines)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("split", ["sentence", "line"])
def test_every_letter_is_translated_or_told_to_be_passed(german_english, name, split):
    for line in german_english.translate(DOCUMENTS[name].split("\n"), scores=True, split=split):
        spans = sorted([*line.spans, *((begin, end) for begin, end, _ in line.passed)])
        assert all(end <= begin for (_, end), (begin, _) in zip(spans, spans[1:]))
        outside = set(range(len(line.source))).difference(*(range(*span) for span in spans))
        words = [
            word for word in re.finditer(r"\S+", line.source) if not re.search(r"[/@#)<]|\w\.\w", word[0])
        ]  # list marks and addresses may stay outside
        assert not [word[0] for word in words for place in range(*word.span()) if place in outside and line.source[place].isalpha()]
        assert all("\t" not in line.source[slice(*span)] and "\u2028" not in line.source[slice(*span)] for span in spans)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_only_numbers_change_their_form(german_english, name):
    """Echoed sentences keep every mark; what isn't language is passed, with the numbers of the target language."""
    lines = DOCUMENTS[name].split("\n")
    outputs = german_english.translate(lines)
    written = str.maketrans(",.", ".,")
    for line, output in zip(lines, outputs):
        assert len(output) == len(line)
        changed = [(a, b) for a, b in zip(line, output) if a != b]
        assert all(b == a.translate(written) for a, b in changed) and (not changed or any(map(str.isdigit, line))), (line, output)


@pytest.mark.parametrize(
    "line",
    [
        "Siehe https://example.org/12.345/x im Park.",
        "Die Datei bericht_1.234.pdf liegt da.",
        "Der Platz {1.234} und der Platz `f(1.234)`.",
        "Schreib an a.b@1.234.example.org bitte.",
        "Wir folgen @a\u00adnna in den Park.",  # with its soft hyphen
    ],
)
def test_digits_inside_items_stay(german_english, line):
    assert german_english.translate(line) == line


def test_prices(german_english):
    outputs = german_english.translate(PRICES.split("\n"))
    assert outputs == [line.replace("2,99", "2.99").replace("4,20", "4.20").replace("7,19", "7.19") for line in PRICES.split("\n")]


@pytest.mark.parametrize("name", ["letter", "minutes", "plain"])
def test_the_model_gets_no_more_than_a_sentence(german_english, name):
    for line in german_english.translate(DOCUMENTS[name].split("\n"), scores=True):
        for begin, end in line.spans:
            assert not any(mark in line.source[begin:end] for mark in (". Leider", "? Herr", "! Im", ". Die", "! Die", ".  Niemand"))


def test_a_foreign_sentence_among_others_is_passed(german_english):
    line = f"Das ist ein Zitat. {FOREIGN} Und hier geht es weiter."
    result = german_english.translate(line, scores=True)
    assert result.text == line and len(result.spans) == 2
    assert [line[begin:end] for begin, end, _ in result.passed] == [FOREIGN]


@pytest.mark.parametrize(
    "line",
    [
        "![Stand](https://example.org/s.svg) [Anleitung](docs/a.md) und [die ganze Seite](https://example.org/a?b=1).",
        'Siehe [Haus](a/b.html "Das Haus") im Park. [![Bau](x/b.svg)](https://example.org/b)',
        "Frag Anna <anna@example.org>: sie liest gern.",
        "Die Dateien src/main.c (#12) und lib/haus.rkt sind da.",
        "Das Spiel endet %s (%d) heute.",
        "Es steht direkt in der config.php,",
        "Guten Morgen, {name}!",
        "Es gibt mehrere <haus>-Einträge und eine separate /boot-Partition.",
        "Er schreibt abs{x} und name={y} auf.",
        "[Siehe example.org - das Haus] im Park.",
        "| Haus | Preis {n} |",
        "[10:32] <mia> Guten Morgen.",
    ],
)
def test_nothing_is_torn_apart_around_items(within_german, line):
    assert within_german.translate(line) == line


def test_a_bar_with_spaces_around_divides(german_english):
    line = "| Das Haus | ja|nein || Der Park |"
    result = german_english.translate(line, scores=True)
    assert result.text == line and [line[slice(*span)] for span in result.spans] == ["Das Haus", "ja|nein || Der Park"]


def test_a_short_sentence_that_follows_foreign_ones_is_passed_with_them(german_english):
    line = f"{FOREIGN} Dog barks. Und hier geht es weiter."
    result = german_english.translate(line, scores=True)
    assert result.text == line and [line[begin:end] for begin, end, _ in result.passed] == [FOREIGN, "Dog barks."]


def test_through_the_command_line(bundle, translate, tmp_path, capsys):
    """A real model, which gets much wrong: blank lines, lines without letters, indents, tabs and line numbers are not its business."""
    text = "".join(DOCUMENTS.values())
    (tmp_path / "in.txt").write_text(text, encoding="utf-8")
    words = ["--as", "text", "-o", tmp_path / "out.txt", "--report", tmp_path / "report", "--beam", "1"]
    assert translate(tmp_path / "in.txt", *words, model=bundle) == 0
    lines, outputs = text.split("\n"), (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n")
    assert len(outputs) == len(lines)
    report = [json.loads(line) for line in (tmp_path / "report").read_text(encoding="utf-8").splitlines()]
    for line, output, told in zip(lines, outputs, report):
        indent = line[: len(line) - len(line.lstrip())]
        assert output.count("\t") == line.count("\t") and output.startswith(indent), line
        if not any(map(str.isalpha, line)):
            assert output.translate(str.maketrans("", "", ",.")) == line.translate(str.maketrans("", "", ",."))
            assert told["status"] == ("passed" if line.strip() else "blank")
    assert f"report: {len(report):,} lines" in capsys.readouterr().err
