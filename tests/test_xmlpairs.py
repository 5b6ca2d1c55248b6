"""Translation memories and WMT's test sets: by language, markup within segments, what lacks a side, and files that mean harm."""

from __future__ import annotations

import html
import tracemalloc
from pathlib import Path

import pytest

from tests.corpus_files import error_of, table_pairs
from translate.config import CorpusConfig, DataConfig
from translate.data.corpora import find_corpus

PAIRS = [("Müller & Söhne <GmbH>", "Müller & Sons <Ltd>"), ("Guten Tag!", "Good day!"), ("Ja.", "Yes.")]


def read(data, path: Path, text: str, kind="tmx", **more):
    path.write_text(text, encoding="utf-8")
    return find_corpus(CorpusConfig(kind, str(path), **more), data).read()


def pairs_of(*arguments, **more):
    return table_pairs(read(*arguments, **more).table)


def failure(*arguments, **more) -> str:
    return error_of(read, *arguments, **more)


def unit(*variants: tuple[str, str], attribute="xml:lang") -> str:
    return "<tu>\n" + "".join(f'<tuv {attribute}="{language}"><seg>{text}</seg></tuv>\n' for language, text in variants) + "</tu>\n"


def tmx(*units: str, head='<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n') -> str:
    return f'{head}<tmx version="1.4"><header srclang="de"/><body>\n{"".join(units)}</body></tmx>\n'


def test_a_translation_memory(tmp_path, data):
    units = [unit(("de-DE", html.escape(source)), ("EN_us", html.escape(target))) for source, target in PAIRS]
    markup = '<bpt i="1">&lt;b&gt;</bpt>Fett<ept i="1">&lt;/b&gt;</ept> und <hi>das</hi><ph>&lt;br/&gt;</ph>'
    third = unit(("fr", "Oui"), ("en", "Bold and that"), ("de", markup), attribute="lang")
    lacking = unit(("de", "ohne"), ("fr", "sans"))
    found = read(data, tmp_path / "a.tmx", tmx(*units, third, lacking, unit(("de", "zwei\nZeilen"), ("en", "<![CDATA[a < b]]>"))))
    assert list(zip(found.table["source"], found.table["target"])) == [*PAIRS, ("Fett und das", "Bold and that"), ("zwei Zeilen", "a < b")]
    assert found.skipped == 1 and "the translation unit does not have both de and en, only de, fr" in found.skipped_summary
    swiss = DataConfig(source_language="de-CH", target_language="en", cache=data.cache)
    assert "the corpus is empty (5 rows left out" in failure(swiss, tmp_path / "b.tmx", tmx(*units, third, lacking))


WMT = """<?xml version='1.0' encoding='utf-8'?>
<dataset id="test">
  <collection id="general">
    <doc id="a" origlang="de">
      <src lang="de"><p>
        <seg id="1">Eins &amp; zwei</seg>
        <seg id="2">Drei</seg></p></src>
      <ref lang="en" translator="A"><p><seg id="1">One &amp; two</seg><seg id="2">Three</seg></p></ref>
      <ref lang="en" translator="B"><p><seg id="2">3</seg><seg id="1">1 &amp; 2</seg></p></ref>
      <hyp system="x"><p><seg id="1">bad</seg></p></hyp>
    </doc>
    <doc id="b" origlang="en">
      <src lang="en"><p><seg id="1">Only English</seg></p></src>
    </doc>
    <doc id="c" origlang="de">
      <src lang="de"><p><seg id="1">Vier</seg></p></src><ref lang="en" translator="A"><p><seg id="1">Four</seg></p></ref>
    </doc>
  </collection>
</dataset>
"""


def test_a_test_set_of_wmt_in_xml(tmp_path, data):
    found = read(data, tmp_path / "a.xml", WMT, "wmt")
    assert list(zip(found.table["source"], found.table["target"])) == [("Eins & zwei", "One & two"), ("Drei", "Three"), ("Vier", "Four")]
    assert found.skipped_summary == "1 rows left out, the first in line 12: the document does not have both src de and ref en, only src en"
    assert pairs_of(data, tmp_path / "a.xml", WMT, "wmt", config="B") == [("Eins & zwei", "1 & 2"), ("Drei", "3")]
    assert "only src de, ref en A, ref en B, hyp" in failure(data, tmp_path / "a.xml", WMT, "wmt", config="C")
    assert "root element is <dataset>, not <tmx>" in failure(data, tmp_path / "a.xml", WMT)
    broken = WMT.replace("</src>\n    </doc>", "</doc>")
    assert f"{tmp_path / 'b.xml'}, line 13: not well-formed XML: mismatched tag" in failure(data, tmp_path / "b.xml", broken, "wmt")


def sgm(kind: str, segments: list[str], documents=2) -> str:
    lines = [f'<{kind} setid="n" srclang="de" trglang="en">']
    numbered = [f'<seg id="{number}">{text}</seg>' for number, text in enumerate(segments, 1)]
    for document in range(documents):
        lines += [f'<DOC docid="{document}">', "<p>", *numbered, "</p>", "</DOC>"]
    return "\n".join([*lines, f"</{kind}>", ""])


def test_a_test_set_of_wmt_in_sgml(tmp_path, data):
    """Two files; an ampersand by itself, as in the real ones, and a segment over two lines."""
    sides = [html.escape(source).replace("&amp;", "&") for source, _ in PAIRS], [html.escape(target) for _, target in PAIRS]
    files = [tmp_path / "src.de.sgm", tmp_path / "ref.en.sgm"]
    for file, kind, segments in zip(files, ("srcset", "refset"), sides):
        file.write_text(sgm(kind, segments).replace("Guten Tag!", "Guten\nTag!"), encoding="utf-8")
    corpus = CorpusConfig("wmt", source=str(files[0]), target=str(files[1]))
    table = find_corpus(corpus, data).read().table
    assert list(zip(table["source"], table["target"])) == PAIRS * 2
    files[1].write_text(sgm("refset", sides[1]).replace('<seg id="2">Good day!</seg>\n', "", 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"differ: document '0', segment '2' \(line 5\) is paired with document '0', segment '3' \(line 5\)"):
        find_corpus(corpus, data).read()
    for kind in ("text", "tsv"):
        with pytest.raises(ValueError, match="does not contain lines of text: use kind: wmt"):
            find_corpus(CorpusConfig(kind, str(files[0]), *map(str, files)), data).read()


BILLION = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE tmx [<!ENTITY l0 "lol">{BILLION}]>',
        '<!DOCTYPE tmx [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE tmx [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>',
    ],
)
def test_files_that_declare_entities_are_refused(tmp_path, data, doctype):
    text = tmx(unit(("de", "&l9;"), ("en", "&x;")), head=doctype)
    assert f"{tmp_path / 'a.tmx'}, line 1: declares entity" in failure(data, tmp_path / "a.tmx", text)


def test_memory_is_bounded(tmp_path, data, monkeypatch):
    monkeypatch.setattr("translate.data.xmlpairs.LONGEST", 1000)
    endless = tmx(unit(("de", "a\n" * 600), ("en", "b\n" * 600)))
    assert ": a <tu> of more than 0 MiB is not a document" in failure(data, tmp_path / "a.tmx", endless)
    monkeypatch.undo()
    path = tmp_path / "b.tmx"
    path.write_text(tmx(*(unit(("de", f"Satz {number}" + "ä" * 200), ("en", "b" * 200)) for number in range(12_000))), encoding="utf-8")
    from translate.data.rows import Skipped

    tracemalloc.start()
    assert sum(1 for _ in find_corpus(CorpusConfig("tmx", str(path)), data).pairs(Skipped("b"))) == 12_000
    assert tracemalloc.get_traced_memory()[1] < 2.5e6 < path.stat().st_size / 3
    tracemalloc.stop()
