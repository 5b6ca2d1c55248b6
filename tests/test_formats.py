"""What is plain text and what is not: a table for each, and the corpora of TRANSLATE_DATA, of which none may be refused."""

from __future__ import annotations

import os
import time
from itertools import islice
from pathlib import Path

import pytest

from translate.text.formats import kind_by_name, kind_by_text
from translate.text.lines import read_lines

OTHER = {
    "SubRip subtitles": "1\n00:00:01,000 --> 00:00:02,500\nHallo.\n\n2\n00:00:03,000 --> 00:00:04,000\nNa?\n",
    "WebVTT subtitles": "WEBVTT - Titel\n\n00:01.000 --> 00:02.000\nHallo.\n",
    "subtitles": "[Script Info]\nTitle: x\n",
    "HTML": "<!DOCTYPE html>\n<html><body><p>Hallo</p></body></html>\n",
    "HTML ": "<h1>Titel</h1>\n<p>Das ist ein Absatz.</p>\n<ul>\n<li>eins</li>\n</ul>\n",
    "XML": "<?xml version='1.0'?>\n<tmx version='1.4'></tmx>\n",
    "XML ": '<srcset setid="a">\n<doc docid="b">\n<seg id="1">Hallo.</seg>\n<seg id="2">Na?</seg>\n</doc>\n</srcset>\n',
    "a gettext catalogue": '# Kommentar\nmsgid ""\nmsgstr ""\n"Language: de"\n\nmsgid "Save"\nmsgstr "Speichern"\n',
    "JSON": '{\n  "titel": "Hallo",\n  "text": "Na?"\n}\n',
    "JSON ": '[\n  {"titel": "Hallo"}\n]\n',
    "JSON lines": '{"de": "Hallo."}\n{"de": "Na?"}\n',
    "JSON lines ": '\ufeff{"de": "Hallo."}\n',
    "comma-separated values": '"Titel";"Text"\n"Hallo";"Na; was?"\n"a";"b"\n',
    "comma-separated values ": "id,text,lang\n1,Hallo,de\n2,Na?,de\n",
    "tab-separated values": "id\ttext\n1\tHallo.\n2\tNa?\n",
    "aligned text with |||": "Hallo. ||| Hello.\nNa? ||| Well?\n",
    "Markdown": "---\ntitle: Hallo\ndate: 2026-01-01\n---\n\nText.\n",
    "Markdown ": "# Titel\n\nSiehe [hier](https://example.org) und [da](/a/b.md).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    "YAML": "de:\n  titel: Hallo\n  texte:\n    - eins\n",
    "key=value pairs": "# Kommentar\nmenu.open=\u00d6ffnen\nmenu.close=Schlie\u00dfen\nmenu.save=Speichern\n",
    "LaTeX": "\\documentclass{article}\n\\begin{document}\nHallo.\n",
    "an RTF document": "{\\rtf1\\ansi Hallo}\n",
    "program code": "<?php echo 'Hallo'; ?>\n",
}
PROSE = [
    "# Einleitung\n\nDas ist ein Satz.\n# Schluss\n",
    "- eins\n- zwei\n- drei\n",
    "1. Erstens\n2. Zweitens\n3. Drittens\n" * 3,
    "{name} ist da.\n{}\n{ offen\n",
    "[1] Quelle\n[2] Quelle\n[0, 1]\n",
    "<b>Speichern</b> klicken.\n" * 9,
    "<Name> eingeben\n<Ort> eingeben\n" * 5,
    "Ja, gut.\n" * 20,
    "Rot;Gr\u00fcn\nJa;Nein\n",
    "Anna: Hallo\nBert: Na?\nAnna: Gut\n",
    "12,5\n3,5\n1,000\n1,000,000\n",
    "---\nTitel\n---\n",
    "=== Titel ===\nText\n",
    "1\n2\n00:00 Uhr\nvon 10:00 --> 12:00\n",
    "x = 5\ny = 6\nz = 7\n",
    "@Hans: komm!\n#heute ist #Montag\n",
    "\tEinger\u00fcckt.\n\tAuch.\n\tDas.\n",
    'null\ntrue\n"Hallo"\n3\n',
    "Siehe [hier](https://example.org).\nUnd ```da```.\n* Oder dort.\n",
    "%s von %d\n$5 sind genug.\n!Achtung\n",
    'Er sagte: "Ja"; dann ging er.\n' * 12,
    "\n\n\n",
    "",
]


@pytest.mark.parametrize("what", OTHER)
def test_other_formats_are_known_by_their_first_lines(what):
    found = kind_by_text(OTHER[what].split("\n"))
    assert found and found[0].name == what.strip()


@pytest.mark.parametrize("text", PROSE)
def test_prose_is_plain_text_wherever_it_begins(text):
    lines = text.split("\n")
    for begin in range(len(lines)):
        for end in range(begin, len(lines) + 1):
            assert kind_by_text(lines[begin:end]) is None


@pytest.mark.parametrize(
    "name, what",
    [
        ("film.srt", "SubRip subtitles"), ("a/b/Seite.HTML", "HTML"), ("x.po", "a gettext catalogue"), ("x.csv.gz", "comma-separated values"),
        ("x.docx", "a Word document"), ("x.md", "Markdown"), ("x.jsonl.zst", "JSON lines"), ("x.tmx", "XML"), ("x.mqxliff", "XLIFF"),
        ("x.pptx", "a presentation"), ("de.properties", "key=value pairs"), ("app.ts", "a Qt or TypeScript file"), ("x.sgm", "SGML"),
    ],
)  # fmt: skip
def test_names_tell(name, what):
    assert kind_by_name(name).name == what


@pytest.mark.parametrize(
    "name", ["-", "", "input", "input.de", "input.txt", "train.en.gz", ".md", "srt", "a.srt/b", "news.2012", "x.de.xz", "a.cs", "a.pl"]
)
def test_names_that_tell_nothing(name):
    assert kind_by_name(name) is None


@pytest.mark.skipif("TRANSLATE_DATA" not in os.environ, reason="needs the corpora of TRANSLATE_DATA")
def test_no_corpus_is_refused():
    """Heads of many sizes from all over each file, which is as many files."""
    files = [path for ending in ("de", "en") for path in Path(os.environ["TRANSLATE_DATA"]).glob(f"*/*.{ending}")]
    assert files
    for path in files:
        lines = list(islice(read_lines(path), 6_000))
        for size in (1, 5, 40, 200):
            for begin in range(0, len(lines), max(100, size)):
                head = lines[begin : begin + size]
                assert kind_by_text(head) is None, (path, begin, size)


def test_strange_lines_take_little_time():
    strange = ["[a](", "<a ", "{", '{"a":', "-", "a,", "|-", "[", '"', "a: ", "\\t", "---|"]
    for text in (*(part * 40_000 for part in strange), "<a b" + " b" * 50_000, " " * 100_000 + "x"):
        start = time.perf_counter()
        assert kind_by_text([text, "a", text]) is None or "{" in text
        assert time.perf_counter() - start < 3, text[:10]
