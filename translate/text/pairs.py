"""Brackets, quotation marks and the emphasis of plain text, which stand in pairs around words: (words), "words", **words**.

Emphasis is no language, and is always taken out of a sentence. Brackets and quotation marks are: a model that keeps them places them best. They are
looked for where one has lost them (`loses_pairs`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from translate.text.protected import Item
from translate.text.tracked import Span

EMPHASIS = "*_~="
MARK = re.compile(r"(?<!\*)\*{1,3}(?!\*)|(?<!_)_{1,3}(?!_)|(?<!~)~~(?!~)|(?<!=)==(?!=)|[()\[\]{}\"“”„‟«»‹›‚‘’']")
HAS_EMPHASIS = re.compile(r"[*_]|~~|==")
HAS_PAIRS = re.compile(r"[(\[{\"“”„«»‹›‚‘'’)\]}]| [-–—]+ ")
CLOSED_BY = {
    "(": ")", "[": "]", "{": "}", "„": "“”\"", "“": "”",
    "‟": "”", "”": "”", "»": "«", "«": "»", "‹": "›", "›": "‹", '"': '"', "‚": "‘’", "‘": "’", "'": "'",
}  # fmt: skip
BRACKETS = {"(", "[", "{"}
CLASSES = str.maketrans("“”„‟«»‹›‚‘’", '""""""' + "'" * 5)
STRAY = re.compile(r"[()\[\]{}\"“”„‟«»]")
DASH = re.compile(r"(?<= )[-–—]{1,3}(?= )")
QUOTES = {"en": ("“”", "‘’"), "de": ("„“", "‚‘")}  # as typographers write them
SINGLE = "‹›‚‘’"
TYPOGRAPHIC = "“”„‟«»" + SINGLE
ANY_DASH = re.compile(r"(?<= )[-–—]{1,3}(?= )|[–—]|[;:](?!\S)|,(?!\S)")
WORD = re.compile(r"[^\W_]")


def find_pairs(text: str, items: Sequence[Item], brackets: bool) -> list[Item]:
    """Marks of `text` around words, none within one of its `items`, from left to right.

    Kinds: "opening" and "closing", which belong together as brackets do; "edge" for one at the beginning or the end of `text`
    whose other half is in another sentence; "dash" between words. brackets: all of these; else only emphasis.
    """
    if not (HAS_EMPHASIS.search(text) or (brackets and HAS_PAIRS.search(text))):
        return []
    places = _outside(MARK, text, items)
    pairs, left = _match(text, places)
    wanted = [pair for pair in pairs if brackets or text[pair[0][0]] in EMPHASIS]
    found = [Item(kind, *span) for pair in wanted for kind, span in zip(("opening", "closing"), pair)]
    found += [Item("edge", *span) for span in _edges(text, left) if brackets or text[span[0]] in EMPHASIS]
    if brackets:
        found += [Item("dash", *span) for span in _outside(DASH, text, items)]
    return sorted(found, key=lambda item: item.begin)


def in_style(mark: str, opens: bool, language: str) -> str:
    """A mark of `find_pairs` as it is written in `language`: a typographer's quotation marks differ, straight ones don't."""
    pairs = QUOTES.get(language.lower()[:2]) if mark in TYPOGRAPHIC else None
    return pairs[mark in SINGLE][0 if opens else 1] if pairs else mark


def loses_pairs(source: str, output: str, source_items: Sequence[Item], output_items: Sequence[Item]) -> bool:
    """Whether `output` has other brackets, quotation marks or fewer dashes than `source`, in any style. Both without emphasis."""
    if not HAS_PAIRS.search(source):
        return False
    counts, all_counts = list[Counter[str]](), list[Counter[str]]()
    for text, items in ((source, source_items), (output, output_items)):
        marks = [item for item in find_pairs(text, items, True) if item.kind != "dash" and text[item.begin] not in EMPHASIS]
        counts.append(Counter(text[item.begin].translate(CLASSES) for item in marks))
        all_counts.append(Counter(text[begin].translate(CLASSES) for begin, _ in _outside(STRAY, text, items)))
    if counts[0] != counts[1] or all_counts[1] - all_counts[0]:
        return True
    dashes = len(_outside(DASH, source, source_items))
    return dashes > 0 and len(ANY_DASH.findall(output)) < len(ANY_DASH.findall(source))


def _outside(pattern: re.Pattern[str], text: str, items: Sequence[Item]) -> list[Span]:
    """Where `pattern` is found outside of the `items`."""
    found, following = [], 0
    for match in pattern.finditer(text):
        while following < len(items) and items[following].end <= match.start():
            following += 1
        if following == len(items) or match.end() <= items[following].begin:
            found.append(match.span())
    return found


def _match(text: str, places: Sequence[Span]) -> tuple[list[tuple[Span, Span]], list[Span]]:
    """The pairs among the marks at `places`, one within another or apart; and the marks that are left alone."""
    pairs, left = list[tuple[Span, Span]](), list[Span]()
    waiting, awaited = list[tuple[Span, str, bool]](), Counter[str]()  # opened: its place, what may close it, whether it stands before a word
    for begin, end in places:
        mark, before, after = text[begin:end], text[begin - 1 : begin], text[end : end + 1]
        kind = f"{mark[0]}{len(mark)}" if mark[0] in EMPHASIS else mark
        opens = bool(after) and not after.isspace() and not before.isalnum()
        closes = bool(before) and not before.isspace() and not after.isalnum()
        if awaited[kind] and (closes or mark in ")]}"):
            opening, closers, proper = waiting.pop()
            while kind not in _closers(closers):
                _add(awaited, closers, -1)
                left.append(opening)  # opened within these and never closed
                opening, closers, proper = waiting.pop()
            _add(awaited, closers, -1)
            if proper and closes:
                pairs.append((opening, (begin, end)))
        elif mark in BRACKETS or (opens and (mark[0] in EMPHASIS or mark in CLOSED_BY)):
            closers = kind if mark[0] in EMPHASIS else CLOSED_BY[mark]
            waiting.append(((begin, end), closers, opens))
            _add(awaited, closers, 1)
        elif (opens or closes) and not (mark in "\"'" and before.isdecimal()):  # of 5'6"
            left.append((begin, end))
    return pairs, left + [opening for opening, _, _ in waiting]


def _closers(text: str) -> Sequence[str]:
    """The marks that may close what was opened: one of several characters, or the same emphasis, such as *2."""
    return [text] if text[0] in EMPHASIS else text


def _add(counts: Counter[str], closers: str, number: int) -> None:
    for each in _closers(closers):
        counts[each] += number


def _edges(text: str, left: Sequence[Span]) -> list[Span]:
    """Those marks that stand before the first letter or after the last one."""
    first = WORD.search(text)
    last = len(text) - (end.start() if (end := WORD.search(text[::-1])) else 0)
    return [(begin, end) for begin, end in left if first and (end <= first.start() or begin >= last)]
