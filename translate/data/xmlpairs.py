"""Pairs from markup: translation memories (TMX) and WMT test sets (one XML file, or two SGML files).

Read as streams: at most one translation unit or document is in memory. XML is parsed by expat, which opens no
other file. Entity declarations are rejected: a few lines of them can expand to fill any memory, and corpora don't need them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import chain, zip_longest
from xml.parsers import expat

from translate.data.rows import Pair, Skipped, one_line, text_block
from translate.errors import UserError
from translate.text.lines import read_lines

DEEPEST = 1000  # nesting of elements
BLOCK = 1 << 16  # characters parsed at once
LONGEST = 1 << 24  # bytes of a document or translation unit, including markup
TOKEN = 1 << 22  # bytes of a tag or a comment: the parser rescans an unfinished one with every block
CODES = {"bpt", "ept", "it", "ph", "ut", "sub"}  # elements of TMX whose content is formatting, not text
Close = Callable[[str, dict[str, str], str, int], "list[Pair] | None"]  # name, attributes, text and line of the element
# all linear in the length of any text
TAG = re.compile(r"<([^<>]*)>")
NAME = re.compile(r"\w+")
ATTRIBUTE = re.compile(r"""(?<![\w:])([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
HUGE_REFERENCE = re.compile("&#(x[0-9a-f]{20,}|[0-9]{20,});?", re.IGNORECASE)  # beyond Unicode


def tmx_pairs(path: str, languages: Sequence[str], skipped: Skipped) -> Iterator[Pair]:
    """The translation units of a TMX file that have both languages. `de` also matches de-DE; de-AT matches only itself."""
    unit: list[tuple[str, str]] = []  # language and text of each variant

    def close(name: str, attributes: dict[str, str], text: str, line: int) -> list[Pair] | None:
        if name == "tuv":
            unit.append((attributes.get("xml:lang") or attributes.get("lang") or "", one_line(text).strip()))
        if name != "tu":
            return None
        source, target = (next((text for language, text in unit if _is_language(language, wanted)), None) for wanted in languages)
        known = ", ".join(sorted({language for language, _ in unit}))
        unit.clear()
        if source is None or target is None:
            skipped.add(line, f"the translation unit does not have both {languages[0]} and {languages[1]}, only {known or 'nothing'}")
            return []
        return [(source, target)]

    return _Elements(path, "tmx", "tu", close, CODES).pairs()


def wmt_pairs(path: str, languages: Sequence[str], translator: str | None, skipped: Skipped) -> Iterator[Pair]:
    """The segments of a WMT XML file that have a source and a reference, document by document.

    translator: whose references to use (`A`, `B`); None uses the first reference of each document.
    """
    sides: list[tuple[str, str, str, dict[str, str]]] = []  # element, language, translator, segments by id
    segments: dict[str, str] = {}

    def close(name: str, attributes: dict[str, str], text: str, line: int) -> list[Pair] | None:
        if name == "seg":
            segments[attributes.get("id", str(len(segments) + 1))] = one_line(text).strip()
        elif name in ("src", "ref", "hyp"):
            sides.append((name, attributes.get("lang", ""), attributes.get("translator", ""), dict(segments)))
            segments.clear()
        if name != "doc":
            return None
        source = next((texts for kind, language, _, texts in sides if kind == "src" and _is_language(language, languages[0])), None)
        references = [side for side in sides if side[0] == "ref" and _is_language(side[1], languages[1])]
        target = next((texts for _, _, name, texts in references if translator in (None, name)), None)
        known = ", ".join(" ".join(filter(None, side[:3])) for side in sides) or "nothing"
        sides.clear()
        if source is None or target is None:
            wanted = f"ref {languages[1]}{f' {translator}' if translator else ''}"
            skipped.add(line, f"the document does not have both src {languages[0]} and {wanted}, only {known}")
            return []
        return [(text, target.get(number, "")) for number, text in source.items()]

    return _Elements(path, "dataset", "doc", close).pairs()


class _Elements:
    """Parses an XML file and calls `close` at the end of each element.

    close: returns a list of pairs (possibly empty) at the end of a <`unit`>, else None. Its `text` is the content of the last <seg>, without
    elements in `dropped`.
    """

    def __init__(self, path: str, root: str, unit: str, close: Close, dropped: Container[str] = ()) -> None:
        self.path, self.root, self.unit, self.close, self.dropped = path, root, unit, close, dropped
        self.open: list[tuple[str, dict[str, str], int]] = []
        self.text: list[str] = []
        self.parsed = self.unit_start = 0  # bytes parsed so far; position where the current unit starts
        self.in_seg = self.in_dropped = 0  # number of such elements open
        self.pending: list[Pair] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler, self.parser.EndElementHandler = self.start, self.end
        self.parser.CharacterDataHandler, self.parser.EntityDeclHandler = self.data, self.entity

    def pairs(self) -> Iterator[Pair]:
        lines = read_lines(self.path)
        try:
            while block := text_block(lines, BLOCK):
                data = block.encode()
                self.parsed += len(data)
                self.parser.Parse(data, False)
                yield from self.pending
                self.pending.clear()
                self.check_size(self.parsed)
            self.parser.Parse("", True)
            yield from self.pending
        except expat.ExpatError as error:
            raise UserError(f"{self.path}, line {error.lineno}: not well-formed XML: {expat.ErrorString(error.code)}") from None

    def check_size(self, read: int) -> None:
        """UserError if a unit, tag or comment is too long to hold in memory. read: bytes up to the end of the unit or block."""
        line = self.parser.CurrentLineNumber
        if read - self.unit_start > LONGEST:
            raise UserError(f"{self.path}, line {line}: a <{self.unit}> of more than {LONGEST >> 20} MiB is not a document")
        if read - self.parser.CurrentByteIndex > TOKEN:
            raise UserError(f"{self.path}, line {line}: a tag or comment of more than {TOKEN >> 20} MiB: is its end missing?")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.open and name != self.root:
            raise UserError(f"{self.path}: the root element is <{name}>, not <{self.root}>: is it another kind of corpus?")
        if len(self.open) >= DEEPEST:
            raise UserError(f"{self.path}, line {self.parser.CurrentLineNumber}: elements are nested more than {DEEPEST:,} deep")
        self.open.append((name, attributes, self.parser.CurrentLineNumber))
        if not self.in_seg:
            self.text = []
        self.in_seg += name == "seg"
        self.in_dropped += name in self.dropped

    def data(self, text: str) -> None:
        if self.in_seg and not self.in_dropped:
            self.text.append(text)

    def end(self, name: str) -> None:
        _, attributes, line = self.open.pop()
        self.in_seg -= name == "seg"
        self.in_dropped -= name in self.dropped
        pairs = self.close(name, attributes, "".join(self.text), line)
        if pairs is not None:
            self.pending += pairs
            self.check_size(self.parser.CurrentByteIndex)
            self.unit_start = self.parser.CurrentByteIndex

    def entity(self, name: str, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        raise UserError(f"{self.path}, line {line}: declares entity {name!r}: rejected, as entities can fill any memory")


def _is_language(code: str, wanted: str) -> bool:
    code, wanted = code.casefold().replace("_", "-"), wanted.casefold().replace("_", "-")
    return code == wanted or code.split("-")[0] == wanted


def sgm_pairs(source: str, target: str) -> Iterator[Pair]:
    """The segments of two WMT SGML files (srcset and refset), in order; document and number must agree."""
    for left, right in zip_longest(_segments(source), _segments(target)):
        if left is None or right is None or left[:2] != right[:2]:
            first, second = (f"document {side[0]!r}, segment {side[1]!r} (line {side[3]:,})" if side else "the end" for side in (left, right))
            raise UserError(f"{source} and {target} differ: {first} is paired with {second}; both must have the same segments in the same order")
        yield left[2], right[2]


def _segments(path: str) -> Iterator[tuple[str, str, str, int]]:
    """Document, number, text and line of each <seg>. Unlike XML, SGML may have a bare `&`, and upper-case tags."""
    document, number, start_line, size, count = "", "", 0, 0, 0
    text: list[str] | None = None  # of the open <seg>
    for line_number, line in enumerate(read_lines(path), 1):
        position = 0
        for tag in chain(TAG.finditer(line), [None]):
            if text is not None:
                text.append(line[position : tag.start() if tag else len(line)])
                size += len(text[-1])
                if size > LONGEST:
                    raise UserError(f"{path}, line {start_line}: a <seg> of more than {LONGEST >> 20} million characters is not a sentence")
            if tag is None:
                break
            position, inside = tag.end(), tag[1].strip()
            closing, match = inside.startswith("/"), NAME.match(inside.removeprefix("/").lstrip())
            name = match[0].casefold() if match else ""
            attributes = {key.casefold(): first or second for key, first, second in ATTRIBUTE.findall(inside)} if name in ("doc", "seg") else {}
            if name == "doc" and not closing:
                document, count = attributes.get("docid", attributes.get("id", "")), 0
            elif name == "seg" and not closing:
                count += 1
                number, text, start_line, size = attributes.get("id", str(count)), [], line_number, 0
            elif name == "seg" and text is not None:
                yield document, number, " ".join(html.unescape(HUGE_REFERENCE.sub("\ufffd", " ".join(text))).split()), start_line
                text = None
    if text is not None:
        raise UserError(f"{path}, line {start_line}: a <seg> is not closed")
