"""Aligned pairs from files of markup: translation memories (TMX) and the test sets of WMT (XML of one file, SGML of two). Used by corpora.py.

Read as streams: no more is held than one translation unit or document. XML goes through expat, which opens no other file; a file that
declares entities is refused, as nothing that this is for has them and a few lines of them can fill any memory.
"""

from __future__ import annotations

import html
import re
from itertools import chain, zip_longest
from typing import Callable, Container, Iterator, Optional, Sequence
from xml.parsers import expat

from translate.data.pairfiles import Skipped, one_line, text_block
from translate.errors import UserError
from translate.text.lines import read_lines

DEEPEST = 1000  # elements in elements
BLOCK = 1 << 16  # characters given to the parser at once
LONGEST = 1 << 24  # bytes of a document or translation unit, its markup included
TOKEN = 1 << 22  # bytes of a tag or a comment: the parser reads it again with every block until it ends
CODES = {"bpt", "ept", "it", "ph", "ut", "sub"}  # elements of TMX whose content is formatting, no text
# none of these takes longer than in proportion to the text, whatever stands in it
TAG = re.compile(r"<([^<>]*)>")
NAME = re.compile(r"\w+")
ATTRIBUTE = re.compile(r"""(?<![\w:])([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
HUGE_REFERENCE = re.compile("&#(x[0-9a-f]{20,}|[0-9]{20,});?", re.IGNORECASE)  # of no character


def tmx_pairs(path: str, languages: Sequence[str], skipped: Skipped) -> Iterator[tuple[str, str]]:
    """The translation units of a TMX file that have both languages. `de` also finds de-DE; de-AT finds that alone."""
    unit: list[tuple[str, str]] = []  # language and text of each variant

    def close(name: str, attributes: dict, text: str, line: int) -> Optional[list[tuple[str, str]]]:
        if name == "tuv":
            unit.append((attributes.get("xml:lang") or attributes.get("lang") or "", one_line(text).strip()))
        if name != "tu":
            return None
        found = [next((text for language, text in unit if _is_language(language, wanted)), None) for wanted in languages]
        known = ", ".join(sorted({language for language, _ in unit}))
        unit.clear()
        if None in found:
            skipped.add(line, f"the translation unit has not both {languages[0]} and {languages[1]}, only {known or 'nothing'}")
            return []
        return [tuple(found)]

    return _Elements(path, "tmx", "tu", close, CODES).pairs()


def wmt_pairs(path: str, languages: Sequence[str], translator: Optional[str], skipped: Skipped) -> Iterator[tuple[str, str]]:
    """The segments of a WMT XML file that have a source and a reference, document by document.

    translator: of the references (`A`, `B`); None takes the first reference of each document.
    """
    sides: list[tuple[str, str, str, dict[str, str]]] = []  # element, language, translator, segments by id
    segments: dict[str, str] = {}

    def close(name: str, attributes: dict, text: str, line: int) -> Optional[list[tuple[str, str]]]:
        if name == "seg":
            segments[attributes.get("id", str(len(segments) + 1))] = one_line(text).strip()
        elif name in ("src", "ref", "hyp"):
            sides.append((name, attributes.get("lang", ""), attributes.get("translator", ""), dict(segments)))
            segments.clear()
        if name != "doc":
            return None
        source = next((found for kind, language, _, found in sides if kind == "src" and _is_language(language, languages[0])), None)
        references = [side for side in sides if side[0] == "ref" and _is_language(side[1], languages[1])]
        target = next((found for _, _, who, found in references if translator in (None, who)), None)
        had = ", ".join(" ".join(filter(None, side[:3])) for side in sides) or "nothing"
        sides.clear()
        if source is None or target is None:
            wanted = f"ref {languages[1]}{f' {translator}' if translator else ''}"
            skipped.add(line, f"the document has not both src {languages[0]} and {wanted}, only {had}")
            return []
        return [(text, target.get(number, "")) for number, text in source.items()]

    return _Elements(path, "dataset", "doc", close).pairs()


class _Elements:
    """The elements of an XML file as they end, and the pairs that `close(name, attributes, text, line)` makes of them.

    text: what stood in the last <seg>, without the content of elements in `dropped`. unit: the element after which nothing is kept.
    """

    def __init__(self, path: str, root: str, unit: str, close: Callable, dropped: Container[str] = ()) -> None:
        self.path, self.root, self.unit, self.close, self.dropped = path, root, unit, close, dropped
        self.opened: list[tuple[str, dict, int]] = []
        self.text: list[str] = []
        self.fed = self.began = 0  # bytes given to the parser; those before this unit
        self.within = self.without = 0  # whether in a <seg>, and in how many dropped elements
        self.found: list[tuple[str, str]] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler, self.parser.EndElementHandler = self.start, self.end
        self.parser.CharacterDataHandler, self.parser.EntityDeclHandler = self.data, self.entity

    def pairs(self) -> Iterator[tuple[str, str]]:
        lines = read_lines(self.path)
        try:
            while block := text_block(lines, BLOCK):
                data = block.encode()
                self.fed += len(data)
                self.parser.Parse(data, False)
                yield from self.found
                self.found.clear()
                self.check_size(self.fed)
            self.parser.Parse("", True)
            yield from self.found
        except expat.ExpatError as error:
            raise UserError(f"{self.path}, line {error.lineno}: not well-formed XML: {expat.ErrorString(error.code)}") from None

    def check_size(self, read: int) -> None:
        """Nothing without an end fills the memory: no unit, no tag, no comment. read: bytes, up to the end of the unit or block."""
        line = self.parser.CurrentLineNumber
        if read - self.began > LONGEST:
            raise UserError(f"{self.path}, line {line}: a <{self.unit}> of more than {LONGEST >> 20} MiB is not a document")
        if read - self.parser.CurrentByteIndex > TOKEN:
            raise UserError(f"{self.path}, line {line}: a tag or comment of more than {TOKEN >> 20} MiB: is its end missing?")

    def start(self, name: str, attributes: dict) -> None:
        if not self.opened and name != self.root:
            raise UserError(f"{self.path}: its outermost element is <{name}>, not <{self.root}>: another kind of corpus?")
        if len(self.opened) >= DEEPEST:
            raise UserError(f"{self.path}, line {self.parser.CurrentLineNumber}: elements in elements, more than {DEEPEST:,} deep")
        self.opened.append((name, attributes, self.parser.CurrentLineNumber))
        if not self.within:
            self.text = []
        self.within += name == "seg"
        self.without += name in self.dropped

    def data(self, text: str) -> None:
        if self.within and not self.without:
            self.text.append(text)

    def end(self, name: str) -> None:
        _, attributes, line = self.opened.pop()
        self.within -= name == "seg"
        self.without -= name in self.dropped
        pairs = self.close(name, attributes, "".join(self.text), line)
        if pairs is not None:
            self.found += pairs
            self.check_size(self.parser.CurrentByteIndex)
            self.began = self.parser.CurrentByteIndex

    def entity(self, name: str, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        raise UserError(f"{self.path}, line {line}: it declares the entity {name!r}: files that do are not read, as entities can fill any memory")


def _is_language(found: str, wanted: str) -> bool:
    found, wanted = found.casefold().replace("_", "-"), wanted.casefold().replace("_", "-")
    return found == wanted or found.split("-")[0] == wanted


def sgm_pairs(source: str, target: str) -> Iterator[tuple[str, str]]:
    """The segments of two SGML files of WMT (srcset and refset), in their order; document and number must agree."""
    for ours, theirs in zip_longest(_segments(source), _segments(target)):
        if ours is None or theirs is None or ours[:2] != theirs[:2]:
            first, second = (f"document {side[0]!r}, segment {side[1]!r} (line {side[3]:,})" if side else "the end" for side in (ours, theirs))
            raise UserError(f"{source} and {target} part: {first} stands beside {second}; both must have the same segments in the same order")
        yield ours[2], theirs[2]


def _segments(path: str) -> Iterator[tuple[str, str, str, int]]:
    """Document, number, text and line of each <seg>. SGML is no XML: `&` may stand by itself, and tags in any case."""
    document, number, text, began, size = "", "", None, 0, 0
    count = 0
    for line_number, line in enumerate(read_lines(path), 1):
        at = 0
        for tag in chain(TAG.finditer(line), [None]):
            if text is not None:
                text.append(line[at : tag.start() if tag else len(line)])
                size += len(text[-1])
                if size > LONGEST:
                    raise UserError(f"{path}, line {began}: a <seg> of more than {LONGEST >> 20} million characters is not a sentence")
            if tag is None:
                break
            at, inside = tag.end(), tag[1].strip()
            closing, named = inside.startswith("/"), NAME.match(inside.removeprefix("/").lstrip())
            name = named[0].casefold() if named else ""
            attributes = {key.casefold(): first or second for key, first, second in ATTRIBUTE.findall(inside)} if name in ("doc", "seg") else {}
            if name == "doc" and not closing:
                document, count = attributes.get("docid", attributes.get("id", "")), 0
            elif name == "seg" and not closing:
                count += 1
                number, text, began, size = attributes.get("id", str(count)), [], line_number, 0
            elif name == "seg" and text is not None:
                yield document, number, " ".join(html.unescape(HUGE_REFERENCE.sub("\ufffd", " ".join(text))).split()), began
                text = None
    if text is not None:
        raise UserError(f"{path}, line {began}: a <seg> has no end")
