"""Lines that are wrapped in the middle of sentences -> paragraphs, one line each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LONGEST = 1 << 16  # characters; a paragraph that is longer is taken for several

_INDENT = re.compile(r"[ \t]*")
_QUOTE = re.compile(r"(?:[ \t]*>)+[ \t]?")  # of an e-mail
_BULLET = re.compile(r"[ \t]*[-*•·▪◦‣+][ \t]+\S")
_DASH = re.compile(r"[ \t]*[–—][ \t]+\S")
_NUMBERED = re.compile(r"[ \t]*\(?(?:(?P<number>\d{1,3})[.)]|[A-Za-z]\))[ \t]+\S")
_ALONE = re.compile(r"[ \t]*(?:#{1,6}[ \t]|\||[\W_]+$)|.*\S\t")  # Markdown's headings, rows of tables, rules
_SENTENCE_END = re.compile(r"[.!?…:][\"'”“’»«)\]]*\s*$")
_CLOSED = re.compile(r"[.,;:!?…–—-][\"'”“’»«)\]]*\s*$")  # no end of a headline
_BROKEN = re.compile(r"(?P<word>[\w-]*[^\W_])(?P<hyphen>[-\u2010\u00ad])$")
_FIRST_WORD = re.compile(r"\w+")
# Haus- und Gartenbau
_AND = frozenset("und oder bzw sowie bis als wie noch and or to nor but".split())
# Before a hyphen that English words keep within a sentence
_PREFIXES = frozenset(
    """all anti co cross double ex extra four full half high in left long low mid multi near non off old on one open part post pre pro right self
    semi short single so three top two ultra under up vice well wide year""".split()
)


def paragraphs(lines: Iterable[str], language: str = "de") -> Iterator[tuple[str, int]]:
    """Each paragraph as one line, and the number of its lines; a blank line comes as it is, with 1. Reads one line ahead.

    Blank lines stand between paragraphs. Also apart are list items, rows of tables, headlines, indented first lines and quotations. A word that is
    divided at the end of a line is put together. language: of the text, for words with a hyphen.
    """
    current: list[str] = []
    size = 0
    for line in lines:
        blank = not line.strip()
        if current and (blank or size + len(line) > LONGEST or not _goes_on(current, line)):
            yield _join(current, language), len(current)
            current, size = [], 0
        if blank:
            yield line, 1
        else:
            current.append(line)
            size += len(line)
    if current:
        yield _join(current, language), len(current)


def _goes_on(current: list[str], line: str) -> bool:
    """Whether `line` belongs to the paragraph of the lines `current`."""
    first, previous = current[0], current[-1]
    if _ALONE.match(previous) or _ALONE.match(line) or _quote(previous) != _quote(line) or _is_item(first, previous, line):
        return False
    item = _BULLET.match(first) or _DASH.match(first) or _NUMBERED.match(first)
    start, before, now = _indent(first), _indent(previous), _indent(line)
    if item:
        return len(current) == 1 or before <= start or now > start
    if now > before + 1 or (now < before and len(current) > 1):
        return False
    return not (len(current) == 1 and _is_headline(first, line))


def _is_item(first: str, previous: str, line: str) -> bool:
    """Whether a list item begins at `line`. first: line of the paragraph before."""
    if _BULLET.match(line):
        return True
    ended = _SENTENCE_END.search(previous) is not None
    if _DASH.match(line):
        return ended or _DASH.match(first) is not None
    found = _NUMBERED.match(line)
    if not found or not found["number"]:
        return found is not None
    before = _NUMBERED.match(first)  # "3. Oktober" may begin a line too
    return ended or bool(before and before["number"] and int(before["number"]) + 1 == int(found["number"]))


def _is_headline(first: str, line: str) -> bool:
    """Whether `first` is so short that it cannot have been wrapped, and looks like no part of a sentence."""
    words = first.split()
    return (
        len(first.rstrip()) <= 0.6 * len(line.rstrip())
        and not _CLOSED.search(first)
        and not words[0][0].islower()
        and not words[-1][0].islower()
        and not line.lstrip()[0].islower()
    )


def _indent(line: str) -> int:
    found = _INDENT.match(line)
    return len(found[0].expandtabs()) if found else 0


def _quote(line: str) -> str:
    found = _QUOTE.match(line)
    return found[0].replace(" ", "") if found else ""


def _join(lines: list[str], language: str) -> str:
    parts = [lines[0].rstrip()]
    for line in lines[1:]:
        line = (line[found.end() :] if (found := _QUOTE.match(line)) else line).strip()
        last, glue = _glue(parts[-1], line, language)
        parts[-1] = last
        parts.append(glue + line)
    return "".join(parts)


def _glue(before: str, line: str, language: str) -> tuple[str, str]:
    """The end of a line, perhaps without its hyphen, and what stands between it and the next `line`."""
    broken, following = _BROKEN.search(before, max(0, len(before) - 64)), _FIRST_WORD.match(line)
    if not broken or not following:
        return before, " "
    word = broken["word"].lower()
    if broken["hyphen"] == "\u00ad":
        return before[:-1], ""
    if following[0].lower() in _AND:
        return before, " "
    if not following[0][0].islower() or not word[-2:].isalpha() or len(word) < 2 or "-" in word:
        return before, ""
    kept = language[:2].lower() == "en" and word in _PREFIXES
    return (before, "") if kept else (before[:-1], "")
