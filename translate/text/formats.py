"""Tells plain text, one sentence per line, from formats whose markup must not be translated, by file name and first lines.

A format is reported only on signs that prose cannot have: prose, too, may begin with `#`, `-`, `{` or `<`.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from translate.errors import UserError
from translate.files.digest import COMPRESSED

HEAD_LINES, HEAD_CHARACTERS = 200, 200_000  # examined
FIRST_LINES = 20  # examined, of a pipe translated while it runs
LONGEST = 5_000  # characters examined of each line, to bound the time of the patterns


@dataclass(frozen=True)
class Format:
    name: str
    field: str = ""  # the option that translates one field of each record
    command: str = ""  # converts it to text, for a binary format


CSV, TSV, JSONL = Format("comma-separated values", "--column"), Format("tab-separated values", "--column"), Format("JSON lines", "--key")
JSON, XML, HTML, SRT, VTT = Format("JSON"), Format("XML"), Format("HTML"), Format("SubRip subtitles"), Format("WebVTT subtitles")
PO, MARKDOWN, YAML, LATEX, SGML = Format("a gettext catalogue"), Format("Markdown"), Format("YAML"), Format("LaTeX"), Format("SGML")
PROPERTIES, SUBTITLES, RTF, CODE = Format("key=value pairs"), Format("subtitles"), Format("an RTF document"), Format("program code")
WORD, XLIFF = Format("a Word document", command="pandoc -t plain"), Format("XLIFF")
SHEET = Format("a spreadsheet", command="libreoffice --headless --convert-to csv")
SLIDES = Format("a presentation", command="libreoffice --headless --convert-to pdf, then pdftotext")
PDF, ODT = Format("a PDF document", command="pdftotext"), Format("an OpenDocument text", command="pandoc -t plain")
EBOOK = Format("an e-book", command="pandoc -t plain")
MOSES = Format("aligned text with |||")
BY_NAME = {
    CSV: "csv", TSV: "tsv tab", JSONL: "jsonl ndjson", JSON: "json json5 arb ipynb", HTML: "html htm xhtml shtml", SRT: "srt", VTT: "vtt",
    XML: "xml tmx tbx tei xsl xslt rss svg resx docbook dbk idml ttml dfxp", XLIFF: "xlf xliff mqxliff sdlxliff mxliff", SGML: "sgm sgml",
    PO: "po pot", MARKDOWN: "md markdown mdx", YAML: "yaml yml", LATEX: "tex latex ltx bib", PROPERTIES: "properties ini toml strings",
    SUBTITLES: "ass ssa sbv lrc smi", RTF: "rtf", WORD: "docx doc docm dotx", SHEET: "xlsx xls xlsm ods", SLIDES: "pptx ppt odp",
    ODT: "odt ott", PDF: "pdf", EBOOK: "epub mobi",
    Format("reStructuredText"): "rst", Format("AsciiDoc"): "adoc asciidoc", Format("a Qt or TypeScript file"): "ts",
    Format("a compiled catalogue", command="msgunfmt"): "mo qm", Format("an e-mail"): "eml mbox", Format("a calendar or address file"): "ics vcf",
    Format("a data file"): "parquet arrow feather sqlite db npy npz pkl", Format("an archive", command="unzip or tar"): "zip tar tgz 7z rar",
    CODE: "php js jsx tsx py java css scss sql",
}  # fmt: skip
ENDINGS = {ending: known for known, endings in BY_NAME.items() for ending in endings.split()}

# Lines that occur in one format only, and never in prose.
CLOCK = r"\d{1,2}:\d{2}:\d{2}[,.]\d{1,3}"
SURE = [
    (re.compile(rf"\s*{CLOCK}\s*-->\s*{CLOCK}\b.*"), SRT),
    (re.compile(r"(?:\d+:)?\d{2}:\d{2}\.\d{3}\s+-->\s+(?:\d+:)?\d{2}:\d{2}\.\d{3}\b.*"), VTT),
    (re.compile(r"\d+:\d{2}:\d{2}\.\d{3},\d+:\d{2}:\d{2}\.\d{3}|\[Script Info\]|Dialogue: \d+,\d+:\d{2}:\d{2}\.\d{2},.*"), SUBTITLES),
    (re.compile(r"\{\d+\}\{\d+\}.*|\[\d{2}:\d{2}[.:]\d{2}\].*"), SUBTITLES),
    (re.compile(r"\s*\\(?:documentclass|begin\{document\}|usepackage)\b.*"), LATEX),
]
FIRST = [  # only as the first non-blank line
    (re.compile(r"WEBVTT(?:\s.*)?"), VTT),
    (re.compile(r"<\?xml\s.*", re.I), XML),
    (re.compile(r"<!DOCTYPE\s+html\b.*|<(?:html|head|body)(?:\s[^<>]*)?>.*", re.I), HTML),
    (re.compile(r"<!DOCTYPE\s+\w+.*", re.I), XML),
    (re.compile(r"<\?php\b.*|#!\s*/\S+.*"), CODE),
    (re.compile(r"\{\\rtf\d?.*"), RTF),
    (re.compile(r"%YAML\s.*"), YAML),
    (re.compile(r"BEGIN:V(?:CALENDAR|CARD)\s*"), Format("a calendar or address file")),
]
INLINE = frozenset("a abbr b bdo big br cite code del dfn em font i img ins kbd mark q s samp small span strike strong sub sup tt u var wbr".split())
TAG = re.compile(r"</?([A-Za-z][\w:.-]*)(?:\s+[\w:.@#-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>=]+))?)*\s*/?>|<!--.*?-->")
HTML_TAGS = frozenset(
    "p div h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table tr td th thead tbody section article header footer main nav form input label script style meta "
    "link title blockquote pre hr figure figcaption button select option iframe aside".split()
)


def check_format(lines: Iterator[str], name: str, field: str = "", ahead: bool = True) -> Iterator[str]:
    """Pass on `lines`, those of the file `name`, unchanged. field: the option given to translate one field of each record, or "".

    UserError if the file is not plain text, or not in the format that `field` is for: at once if its name shows it, else before any line is
    yielded. ahead=False: yield each line as soon as it and those before it pass.
    """
    named = kind_by_name(name)
    if named and not _is_expected(named, field):
        raise UserError(_refusal(name, named, "by its name", field))
    return lines if named else _checked(lines, name, field, ahead)


def _checked(lines: Iterator[str], name: str, field: str, ahead: bool) -> Iterator[str]:
    head = list(itertools.islice(lines, HEAD_LINES)) if ahead else []
    _check_head(head, name, field)
    yield from head
    for line in lines:
        if not ahead and len(head) < FIRST_LINES:
            head.append(line)
            _check_head(head, name, field)
        yield line


def _check_head(head: list[str], name: str, field: str) -> None:
    characters = itertools.accumulate(len(line) for line in head)
    short = [line.rstrip("\r\n") for line, so_far in zip(head, characters) if so_far <= HEAD_CHARACTERS]
    detected = kind_by_text(short or [line[:HEAD_CHARACTERS] for line in head[:1]])
    if detected and not _is_expected(detected[0], field):
        raise UserError(_refusal(name, detected[0], f"see line {detected[1]}", field))


def _is_expected(kind: Format, field: str) -> bool:
    """Whether `field` is for files of this format; a single JSON line looks like any JSON."""
    return kind in (JSONL, JSON) if field == "--key" else field == "--column" and kind.field == field


def _refusal(name: str, kind: Format, sign: str, field: str) -> str:
    hint = {"--column": "--column N or NAME translates one column", "--key": "--key NAME translates one field"}.get(kind.field)
    keeping = f"{hint} and keeps the rest" if hint else ""
    if field:
        expected = {"--column": "CSV or TSV", "--key": "JSON lines"}[field]
        return f"{name} is not {expected} but {kind.name} ({sign}): {keeping or f'leave {field} out'}"
    if kind.command:  # a binary format
        return f"{name} is not plain text but {kind.name} ({sign}): convert it first ({kind.command}), or give --as text if it is text after all"
    unwanted = {"--column": "all its columns", "--key": "its keys and all other fields"}.get(kind.field, "its markup")
    choices = "; ".join(filter(None, (keeping, "--as text translates each line as it is")))
    return f"{name} is not plain text but {kind.name} ({sign}): {unwanted} would be translated; {choices}"


def kind_by_name(path: str) -> Format | None:
    name = os.path.basename(path)
    for packed in COMPRESSED:
        name = name.removesuffix(packed)
    stem, dot, ending = name.rpartition(".")
    return ENDINGS.get(ending.lower()) if dot and stem else None


def kind_by_text(lines: Sequence[str]) -> tuple[Format, int] | None:
    """The format of a file's first `lines`, and the number (from 1) of the line that shows it; None for plain text."""
    full = [(number, line.removeprefix("\ufeff")) for number, line in enumerate(lines, 1) if line.strip()]
    if not full:
        return None
    number, first = full[0]
    for pattern, known in FIRST:
        if pattern.fullmatch(first.strip()[:LONGEST]):
            return known, number
    for number, line in full:
        for pattern, known in SURE:
            if pattern.fullmatch(line[:LONGEST]):
                return known, number
    texts = [line for _, line in full]
    if kind := _json(texts):
        return kind, full[0][0]
    texts = [line[:LONGEST] for line in texts]
    for test in (_po, _markup, _front_matter, _settings, _markdown, _yaml, _cells, _separated):
        if kind := test(texts):
            return kind, full[0][0]
    return None


def _json(lines: list[str]) -> Format | None:
    try:
        if isinstance(first := json.loads(lines[0]), dict) and first:
            return JSONL
    except (ValueError, RecursionError):
        pass
    head = "\n".join(lines).lstrip()
    if re.match(r"\{\s*\"(?:[^\"\\\n]|\\.)*\"\s*:|\[\s*\{\s*\"(?:[^\"\\\n]|\\.)*\"\s*:|\[\s*\n\s*(?:\[|\"(?:[^\"\\\n]|\\.)*\",?\s*\n)", head):
        return JSON
    return None


def _po(lines: list[str]) -> Format | None:
    identifiers = sum(bool(re.match(r'msgid "', line)) for line in lines)
    strings = sum(bool(re.match(r'msgstr(?:\[\d\])? "', line)) for line in lines)
    return PO if identifiers and strings else None


def _markup(lines: list[str]) -> Format | None:
    """Most lines are block-level tags or elements, unlike those inside a sentence."""
    names = [name for line in lines if (name := _block(line.strip()))]
    if len(names) < 3 or len(names) < 0.5 * len(lines):
        return None
    return HTML if sum(name in HTML_TAGS for name in names) > len(names) / 2 else XML


def _block(line: str) -> str | None:
    """The name of the block-level tag that a line begins with, if the line is that tag or ends with one."""
    tag = TAG.match(line)
    if not tag or not tag[1] or tag[1].lower() in INLINE:
        return None
    whole = tag.end() == len(line) or line.endswith(">")
    return tag[1].lower() if whole or tag[1].lower() in HTML_TAGS else None


def _front_matter(lines: list[str]) -> Format | None:
    """Three dashes, settings, three dashes: Markdown; without the closing dashes, YAML."""
    if lines[0].strip() != "---":
        return None
    for index, line in enumerate(lines[1:], 1):
        if line.strip() in ("---", "..."):
            return MARKDOWN if index > 1 else None
        if not re.match(r"[\w.-]+:(?:\s|$)|\s+\S|- |#", line):
            return None
    return YAML if len(lines) > 2 else None


def _settings(lines: list[str]) -> Format | None:
    """All lines but comments are [section] or key = value, and no key occurs twice in a section."""
    keys: set[str] = set()
    pairs = 0
    for line in lines:
        if re.fullmatch(r"\[[\w .:-]+\]\s*", line):
            keys.clear()
        elif pair := re.match(r"\s*([A-Za-z][\w.-]{2,})\s*=\s*\S", line):
            if pair[1] in keys:
                return None
            keys.add(pair[1])
            pairs += 1
        elif not re.match(r"\s*[#;!]", line):
            return None
    return PROPERTIES if pairs >= 3 else None


LINK = re.compile(r"\[[^\[\]\n]+\]\((?:https?://|\.{0,2}/|#|mailto:|\w[\w./-]*\.\w+)[^)\s]*(?: +\"[^\"]*\")?\)")
MARKS = [  # of Markdown; a single one may be prose: heading, fence, table, item, _, reference, image
    re.compile(r"#{1,6} +\S.*"),
    re.compile(r"\s*(?:```|~~~)[\w-]*\s*"),
    re.compile(r"\s*\|?\s*:?-{3,}:?\s*(?:\|\s*:?-{3,}:?\s*)+\|?\s*"),
    re.compile(r"\s*(?:[*+-]|\d+\.) +\S.*"),
    re.compile(r"(?:={4,}|-{4,})\s*"),
    re.compile(r"\s*\[[^\]\n]+\]: +\S+.*"),
    re.compile(r"\s*!\[[^\]\n]*\]\([^)\n]+\).*"),
]


def _markdown(lines: list[str]) -> Format | None:
    """Headings together with links, tables, fences or lists, in enough of the lines."""
    kinds = [next((index for index, mark in enumerate(MARKS) if mark.fullmatch(line)), -1) for line in lines]
    heading, fence, table, item, _, reference, image = (kinds.count(index) for index in range(len(MARKS)))
    link = sum(kind < 0 and bool(LINK.search(line)) for kind, line in zip(kinds, lines))
    strong = (fence >= 2) + (table > 0) + (link > 1) + (reference > 1) + (image > 0)
    share = (sum(kind >= 0 for kind in kinds) + link) / len(lines)
    return MARKDOWN if (heading and strong and share >= 0.15) or (heading >= 2 and item >= 2 and share >= 0.4) else None


def _yaml(lines: list[str]) -> Format | None:
    """Keys without values, each followed by indented keys or items."""
    body = [line for line in lines if not line.lstrip().startswith("#")]
    nested = sum(
        bool(re.fullmatch(r"[\w.-]+:\s*", line) and re.match(r"\s+(?:[\w.\"'-]+:(?:\s|$)|- )", after)) for line, after in zip(body, body[1:])
    )
    shaped = sum(bool(re.match(r"\s*(?:- )?[\w.\"'-]+:(?:\s|$)|\s*- |\s+\S", line)) for line in body)
    return YAML if nested and shaped == len(body) and len(body) >= 3 else None


def _cells(lines: list[str]) -> Format | None:
    """Every line has the same number of tab-separated cells, the first one not empty; or ||| as in Moses."""
    if len(lines) >= 2 and all(" ||| " in line for line in lines):
        return MOSES
    counts = {line.count("\t") for line in lines}
    if len(lines) < 3 or len(counts) > 1 or 0 in counts or not all(line.split("\t")[0].strip() for line in lines):
        return None
    return TSV


def _separated(lines: list[str]) -> Format | None:
    """Every line has the same number of separators, none followed by a space as in prose or between digits as in numbers."""
    if len(lines) < 3:
        return None
    rows = [re.sub(r'"(?:[^"]|"")*"', '""', line.strip()) for line in lines]
    for separator in ",;|":
        cells = [row.rstrip(separator).split(separator) for row in rows]
        if len({len(row) for row in cells}) > 1 or len(cells[0]) < 2:
            continue
        if all(cell == '""' for row in cells for cell in row):
            return CSV
        if any(f"{separator} " in row for row in rows) or re.search(rf"\d{re.escape(separator)}\d", rows[0]):
            continue
        headed = all(re.fullmatch(r"[^\W\d][\w -]{0,30}", cell) for cell in cells[0])
        if len(lines) >= (3 if headed else 5) and len(cells[0]) >= 3 or len(lines) >= 10 and headed and separator != ",":
            return CSV
    return None
