"""Unsuitable text, each kind made from the same plain lines, and text that only looks unsuitable."""

from __future__ import annotations

import json
import os
import subprocess
import unicodedata
from pathlib import Path

import pytest

from translate.text.quality import text_warnings

PLAIN = [
    "Der Bäcker öffnet um sieben, aber heute nicht.",
    "Wie spät ist es?",
    "Das Mädchen sagt: „Ich weiß es nicht.“",
    "Müller & Söhne kosten 3,50 Euro, oder 1.200 im Jahr.",
    "Über den Fluss führt eine Brücke.",
    "Geht's dir gut, mein Freund?",
    "Er liest – wie immer – die Zeitung.",
    "Die Straße ist für Fußgänger gesperrt.",
    "Oh … schön!",
    "Zwölf Äpfel, zwei Birnen und ein Körbchen Kirschen.",
]


def each(change):
    return [change(line) for line in PLAIN]


def misread(text: str, encoding: str) -> str:
    """What a program shows that takes UTF-8 for `encoding`; a byte without a meaning stays its number, as in a browser."""
    return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode("utf-8"))


DOCUMENT = [
    '<srcset setid="n" srclang="de">',
    '<doc docid="1">',
    *(f'<seg id="{n}">{line}</seg>' for n, line in enumerate(PLAIN, 1)),
    "</doc>",
    "</srcset>",
]
TMX = ['<?xml version="1.0"?>', '<tmx version="1.4">', *(f'<tu><tuv xml:lang="de"><seg>{line}</seg></tuv></tu>' for line in PLAIN), "</tmx>"]
UNFIT = {
    "Moses tokeniser": (each(lambda s: s.replace(",", " ,").replace(".", " .").replace("?", " ?")), "looks tokenised: a space before the full stop"),
    "Moses hyphens": ([*PLAIN, "Ein E @-@ Mail @-@ Programm"], "looks tokenised: hyphens as @-@ in 1 of 11 lines (first: line 11)"),
    "two tokenised lines of ten, in a large corpus": (PLAIN[:8] * 20 + ["Er kam , sah und ging ."] * 40, "looks tokenised: a space before"),
    "subword-nmt": (each(lambda s: s.replace("er", "e@@ r")), "still has subword marks in"),
    "SentencePiece": (each(lambda s: "▁" + s.replace(" ", " ▁")), "still has subword marks in 10 of 10 lines (first: line 1): join the pieces"),
    "WordPiece": (each(lambda s: s.replace("er ", " ##er ")), "still has subword marks"),
    "bytes of SentencePiece": ([*PLAIN, "Ein <0xF0><0x9F><0x98><0x80> Gesicht"], "still has subword marks in 1 of 11 lines (first: line 11)"),
    "UTF-8 as Windows-1252": (each(lambda s: misread(s, "cp1252")), "text decoded in the wrong encoding like Ã¤ in 9 of 10 lines"),
    "UTF-8 as Latin-1": (each(lambda s: misread(s, "latin-1")), "decoded in the wrong encoding"),
    "UTF-8 as Mac Roman": (each(lambda s: misread(s, "mac_roman")), "decoded in the wrong encoding like √§"),
    "UTF-8 as code page 850": (each(lambda s: misread(s, "cp850")), "decoded in the wrong encoding like ├ñ"),
    "twice": (each(lambda s: misread(misread(s, "cp1252"), "cp1252")), "decoded in the wrong encoding"),
    "Russian as Windows-1252": ([*PLAIN, misread("Привет, мир", "cp1252")], "decoded in the wrong encoding"),
    "Polish as Windows-1252": ([*PLAIN, misread("Mieszkała w Łodzi i chciała pójść.", "cp1252")], "decoded in the wrong encoding"),
    "Windows-1252 as Latin-1": (each(lambda s: s.replace("–", "\x96").replace("„", "\x84")), "encoding like U+0084 in 2 of 10 lines"),
    "U+FFFD": (each(lambda s: s.encode("latin-1", "replace").decode("utf-8", "replace")), "has replacement characters"),
    "entities": (each(lambda s: s.encode("ascii", "xmlcharrefreplace").decode()), "HTML entities like &#228; in 9 of 10 lines"),
    "named entities": (each(lambda s: s.replace("ü", "&uuml;")), "HTML entities like &uuml; in 3 of 10 lines (first: line 4): unescape"),
    "hexadecimal entities": (each(lambda s: s.replace("'", "&#x27;")), "HTML entities like &#x27; in 1 of 10 lines (first: line 6)"),
    "ampersands": (each(lambda s: s.replace("&", "&amp;")), "HTML entities like &amp;"),
    "JSON escapes": (each(lambda s: json.dumps(s)[1:-1].replace('\\"', '"')), "JSON escapes like \\u00e4 in 9 of 10 lines"),
    "CSV cells": (each(lambda s: f'"{s}"'), "has quotes around the text, as cells of CSV have, in 10 of 10 lines"),
    "CSV cells where they must": (each(lambda s: f'"{s}"' if "," in s else s) * 2, "has quotes around the text"),
    "CSV cells with quotes in them": ([*PLAIN, '"Er sagte ""nein"" und ging."'], "has quotes around the text, as cells of CSV have, in 1 of 11"),
    "CSV rows": (each(lambda s: f'"{s}","A translation."'), "has columns in quotes, as in CSV"),
    "tabs": (each(lambda s: f"{s}\tA translation."), "has columns, separated by tabs, in 10 of 10 lines (first: line 1): keep"),
    "Moses bars": (each(lambda s: f"{s} ||| A translation."), "has columns, separated by |||"),
    "scores": (each(lambda s: f"-0.8123\t{s}"), "in 10 of 10 lines (first: line 1): keep only the text, for example with cut -f 2"),
    "n-best": (each(lambda s: f"3\t-1.2e-05\t{s}"), "for example with cut -f 3"),
    "JSONL with escapes": (each(lambda s: json.dumps({"de": s})), "is JSON in 10 of 10 lines"),
    "JSONL": (each(lambda s: json.dumps({"de": s}, ensure_ascii=False)), "is JSON in 10 of 10 lines"),
    "a JSON array": (json.dumps([{"de": s} for s in PLAIN], ensure_ascii=False, indent=1).split("\n"), "is JSON in 10 of 32"),
    "header row": (["source", *PLAIN], "begins with source, which looks like the header row of a table (line 1 of 11): remove that line"),
    "header row, a language": (["de_DE", *PLAIN], "begins with de_DE"),
    "header row, two words in quotes": (['"Source text"', *PLAIN], 'begins with "Source text"'),
    "soft hyphens": (each(lambda s: s.replace("er", "e\u00adr")), "has soft hyphens like U+00AD"),
    "zero-width spaces": (each(lambda s: s.replace(" ", " \u200b")), "has invisible characters like U+200B in 10 of 10 lines"),
    "direction marks": (each(lambda s: f"\u202a{s}\u202c"), "has invisible characters like U+202A"),
    "a byte order mark in every line": (each(lambda s: "\ufeff" + s), "has invisible characters like U+FEFF"),
    "joiners in words": (each(lambda s: s.replace("er", "e\u200cr")), "has invisible characters like U+200C"),
    "WMT's SGML": (DOCUMENT, "is SGML, XML or HTML, with tags in 14 of 14 lines (first: line 1)"),
    "segments without a head": (DOCUMENT[2:-2], "is SGML, XML or HTML, with tags in 10 of 10 lines"),
    "TMX": (TMX, "is SGML, XML or HTML"),
    "a web page": (["<!DOCTYPE html>", "<html lang=de>", *each(lambda s: f"<p>{s}</p>")], "is SGML, XML or HTML"),
    "inline tags": (each(lambda s: s.replace("ist", "<b>ist</b>")), "has HTML or XML tags like <b> in 2 of 10 lines (first: line 2): remove them"),
    "NFD": (each(lambda s: unicodedata.normalize("NFD", s)), "accents as two characters (NFD) like aU+0308 in 8 of 10 lines"),
    "capitals": (each(str.upper), "is in capitals in 10 of 10 lines"),
}  # fmt: skip


def test_plain_text_has_none():
    assert text_warnings("it", PLAIN) == []


@pytest.mark.parametrize("kind", UNFIT)
def test_each_kind_is_reported_with_its_count_its_first_line_and_what_to_do(kind):
    lines, part = UNFIT[kind]
    found = text_warnings("train.de", lines)
    assert len(found) == 1 and part in found[0], found
    assert found[0].startswith("train.de ") and ("(first: line " in found[0] or "(line 1 of" in found[0])
    assert ": " in found[0] and found[0].isprintable()


FINE = {
    "dialogue in quotes": [*PLAIN, '"Nein, danke."', '"Doch, bitte!"', '"Warum?"'],
    "French marks": ["Est-ce vrai ?", "Oui ! Non ; enfin : si.", "Voilà, bien.", "Le « CAFÉ », oui."],
    "Portuguese capitals": ["“ATÉ AMANHÃ”, disse ela.", "NÃO e PÃO, sim.", "Âncora à vista."],
    "Ä at a word's end": ["Ä… ich weiß nicht.", "Das Ä“ fehlt.", "Å ist ein Buchstabe."],
    "a tree of files": ["├── src", "│   └── main.py", "└── README", "√2 ist irrational."],
    "emoji": ["Meine Familie 👨\u200d👩\u200d👧", "❤\ufe0f und 🏳\ufe0f\u200d🌈", "Na gut."],
    "Persian": ["می\u200cخواهم بروم", "\u200fکتاب", "خانه"],
    "Chinese": ["这是DNA测试。", "我在USA工作。", "你好。"],
    "placeholders": ["Klicken Sie auf <Name>.", "Hallo {name}, <placeholder> ist da.", "a < b und c > d", "Ich <3 dich."],
    "a word of headers, but not alone": ["Text", "Bild", "Text", "Ton"],
    "a header word later": ["Bild", "Text", "Ton", "Quelle"],
    "short": ["Text"],
    "headlines": ["EILMELDUNG", *PLAIN],
    "one tab": ["Eins\tzwei", *PLAIN],
    "numbers": ["1990", "3.5", "-2 Grad", "12 Stück"],
    "ampersands": ["Rock & Roll", "AT&T; R&D;", "&c. und so fort", "Q&A"],
    "accents that have no letter of their own": ["x\u0304 ist das Mittel.", "Ọ̀rọ̀ yìí."],
    "empty lines": ["", " ", "Ja."],
    "nothing": [],
}  # fmt: skip


@pytest.mark.parametrize("kind", FINE)
def test_keeps_quiet_on(kind):
    assert text_warnings("it", FINE[kind]) == []


def test_a_few_spoilt_lines_of_many_say_nothing():
    many = PLAIN * 100
    for kind in ("entities", "U+FFFD", "zero-width spaces", "soft hyphens", "NFD", "UTF-8 as Windows-1252", "inline tags"):
        assert text_warnings("it", [*many, UNFIT[kind][0][0]]) == []
    assert len(text_warnings("it", [*many, *UNFIT["zero-width spaces"][0] * 2])) == 1  # 2 in a hundred


def test_a_sample_is_reported_by_the_numbers_of_its_lines():
    lines, _ = UNFIT["entities"]
    numbers = range(60_001, 60_011)
    assert "in 9 of 10 lines examined (first: line 60,001)" in text_warnings("it", lines, numbers)[0]
    assert text_warnings("it", ["source", *PLAIN], range(60_001, 60_012)) == []  # not the file's first line


def test_the_command_for_sgml_leaves_the_text(tmp_path):
    """The command in the warning is run as printed."""
    (tmp_path / "x.sgm").write_text("\n".join(DOCUMENT) + "\n", encoding="utf-8")
    command = text_warnings("it", DOCUMENT)[0].partition("for .sgm: ")[2].removesuffix(")")
    done = subprocess.run(["sh", "-c", f"{command} x.sgm"], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode("utf-8").splitlines() == PLAIN


CLEAN = ("multi30k/train", "multi30k/val", "multi30k/test_2016_flickr", "tatoeba/train", "tatoeba/dev", "europarl20k/train", "newstest2012/test",
         "opennmt_py_10k/train", "wmt23_deen/test", "mlqe_pe_wiki/train")  # fmt: skip


@pytest.mark.skipif("TRANSLATE_DATA" not in os.environ, reason="TRANSLATE_DATA names no folder of real text")
@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("language", ["de", "en"])
def test_real_text_has_none(name, language):
    texts = (Path(os.environ["TRANSLATE_DATA"]) / f"{name}.{language}").read_bytes().decode("utf-8").split("\n")[:-1]
    for start in range(0, min(len(texts), 25_000), 5_000):
        assert text_warnings(name, texts[start : start + 5_000], range(start + 1, start + 5_001)) == []
