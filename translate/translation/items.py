"""Items for models that have no symbols for them: taken out of the source before the search, to be put back into the translation (placing.py).

Either a word stands in for an item (stand_ins.py), and the item takes the place of its translation. Or the item is left out, with the brackets or
quotation marks that hold nothing else. Marks around words, such as tags and emphasis, are left out one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from translate.text.pairs import WORD, find_pairs, in_style
from translate.text.placeholders import CLOSE
from translate.text.protected import Item, find_items, long_words
from translate.text.tracked import Tracked
from translate.translation.stand_ins import MARKS, NUMBERS, StandIn, all_items, stand_ins, with_endings

BRACKETS = {"(": ")", "<": ">", "[": "]", "{": "}", "„": "“”", "“": "”", "”": "”", "»": "«", "«": "»", '"': '"', "'": "'", "‚": "‘", "‘": "’"}
UNIT = re.compile(r"[%°‰€$£+]+")
ADDRESS = re.compile(r"[:,;]+(?=\s)")  # @anna: Wo bist du?
COMPOUND = re.compile(r"-(?=[^\W\d_])")  # <b>-Tag, /boot-Partition
NAME = re.compile(r"[<\[](/?)([A-Za-z][\w:.-]*)|!?\[()$|(\]\()")  # of a tag; of a Markdown link, which begins with [ and ends with ](address)


LETTER = re.compile(r"[^\W\d_]")


class Taken(NamedTuple):
    """One item, or several with what stands between them. place: where it stood in the text without it."""

    text: str
    place: int
    kind: str  # "" for several
    close_before: bool  # touches the word before it, as in the source
    close_after: bool
    stand_in: StandIn | None = None  # stands at `place`
    before: str = ""  # the characters beside it, in the source
    after: str = ""
    role: str = ""  # "opening" or "closing", of a pair around words
    opening: int = -1  # of a closing one: index of the other half
    joined: bool = False  # nothing stands between it and the one before


class Way(NamedTuple):
    """A source for the model without what it can't translate, and what is to be put into the translation (`place_items`)."""

    text: Tracked
    taken: list[Taken]


def kept_items(
    line: str, text: Tracked, source_language: str, target_language: str, numbers: bool, brackets: bool = False
) -> tuple[list[Item], list[str]]:
    """Items of a sentence, and what stands for each in its translation: themselves, as they are in `line`.

    numbers, brackets: numbers are items too, and so are brackets, quotation marks and dashes.
    """
    items, written = all_items(text.text, source_language, target_language) if numbers else (find_items(text.text), [])
    own = [written[index] if item.kind == NUMBERS else line[slice(*text.span(item.begin, item.end))] for index, item in enumerate(items)]
    items, own = with_endings(text.text, items, own, target_language)
    pairs = find_pairs(text.text, items, brackets) + long_words(text.text, items)
    if not pairs:
        return items, own
    first = WORD.search(text.text)
    for item in pairs:
        opens = item.kind == "opening" or (item.kind == "edge" and first is not None and item.begin < first.start())
        own.append(in_style(line[slice(*text.span(item.begin, item.end))], opens, target_language))
    both = sorted(zip([*items, *pairs], own), key=lambda each: each[0].begin)
    return [item for item, _ in both], [string for _, string in both]


def ways(line: str, text: Tracked, source_language: str, target_language: str, numbers: bool = False, brackets: bool = False) -> list[Way]:
    """The one or two ways to translate a sentence of `line` without its items; none if it has no items. The better one is the likelier translation.

    numbers, brackets: as of `kept_items`. A way may leave nothing of the text, which then needs no search. A sentence of items alone has only
    that one.
    """
    found, written = kept_items(line, text, source_language, target_language, numbers, brackets)
    if not found:
        return []
    result = [Way(*take_out(text, found, written))]
    if not numbers and not LETTER.search(result[0].text.text):
        return result  # nothing of it is language
    words = stand_ins(text.text, found, source_language, target_language)
    return result + [Way(*take_out(text, found, written, words))] if any(words) else result


def take_out(
    text: Tracked, items: Sequence[Item], written: Sequence[str] | None = None, words: Sequence[StandIn | None] | None = None
) -> tuple[Tracked, list[Taken]]:
    """`text` without its `items`, which are in order; and what is to be put back.

    written: what to put back for each; themselves if None. words: to put in for some of them.
    """
    string, edits, taken, removed = text.text, list[tuple[int, int, str]](), list[Taken](), 0
    texts = written or [string[item.begin : item.end] for item in items]
    pairs = _pairs(string, items)
    openings = {closing: opening for opening, closing in pairs.items()}
    groups, numbers, last_end = _groups(string, items, words, pairs), dict[int, int](), -1
    for group in groups:
        item, stand_in = items[group[0]], words[group[0]] if words and len(group) == 1 else None
        role = "" if len(group) > 1 else "opening" if group[0] in pairs else "closing" if group[0] in openings else ""
        numbers[group[0]] = len(taken)
        if stand_in:
            taken.append(Taken(texts[group[0]], item.begin - removed, item.kind, False, False, stand_in))
            edits.append((item.begin, item.end, stand_in.word))
            removed += item.end - item.begin - len(stand_in.word)
            continue
        begin, end, put = _with_brackets(string, items, group, texts, role)
        before, after = string[begin - 1 : begin], string[end : end + 1]
        kinds, joined = (item.kind, items[group[-1]].kind), begin == last_end
        first, last, last_end = begin, end, end
        if begin > (edits[-1][1] if edits else 0) and before == " " and (not after or not after.isalnum()) and role != "opening":
            first -= 1
        elif after == " " and not string[:begin].strip():
            last += 1
        elif before == " " and after == " ":
            last += 1
        new = " " if before.isalnum() and after.isalnum() else ""
        touches = before.isalnum() if role == "opening" else before not in ("", " ")
        touches_after = after.isalnum() if role == "closing" else after not in ("", " ")
        close = (kinds[0] in CLOSE and touches, touches_after and (kinds[1] in CLOSE or put[-1] == "-"))
        opening = numbers[openings[group[0]]] if role == "closing" else -1
        place = first - removed + len(new)
        taken.append(Taken(put, place, kinds[0] if len(group) == 1 else "", *close, None, before, after, role, opening, joined))
        removed += last - first - len(new)
        edits.append((first, last, new))
    return text.replace(edits), taken


def _pairs(text: str, items: Sequence[Item]) -> dict[int, int]:
    """Of each opening mark or tag: its closing one."""
    pairs: dict[int, int] = {}
    opened, waiting = list[tuple[str, int]](), dict[str, int]()
    for index, item in enumerate(items):
        name, closes = item.kind, item.kind == "closing"
        if item.kind == "tags":
            match = None if text[item.end - 2 : item.end] == "/>" else NAME.match(text[item.begin : item.end])
            name, closes = (match[2] or match[3] or "", bool(match[1])) if match else ("", False)
            if not match:
                continue
        elif item.kind not in ("opening", "closing"):
            continue
        name = "opening" if name == "closing" else name
        if not closes:
            opened.append((name, index))
            waiting[name] = waiting.get(name, 0) + 1
        elif waiting.get(name):
            last, begin = opened.pop()
            while last != name:
                waiting[last] -= 1
                last, begin = opened.pop()
            waiting[name] -= 1
            pairs[begin] = index
    return pairs


def _groups(text: str, items: Sequence[Item], words: Sequence[StandIn | None] | None, pairs: dict[int, int]) -> list[list[int]]:
    """Items that only marks and spaces separate belong together; kinds of MARKS only if nothing does; never one with a stand-in.

    A pair without a word inside is one group, and one around words stands alone at both ends.
    """
    between = [text[item.end : after.begin] for item, after in zip(items, items[1:])]
    letters = [0, *accumulate(WORD.search(part) is not None or bool(words and words[index + 1]) for index, part in enumerate(between))]
    stand = words or [None] * len(items)
    groups, index, alone = list[list[int]](), 0, set(pairs) | set(pairs.values())
    while index < len(items):
        closing = pairs.get(index, index)
        whole = closing > index and letters[closing] == letters[index]
        unit = list(range(index, closing + 1)) if whole else [index]
        part = between[index - 1] if index else ""
        single = stand[index] or (not whole and index in alone) or items[index].kind == "dash"
        last = groups[-1] if groups else []
        after_single = not last or stand[last[-1]] or (len(last) == 1 and last[0] in alone) or items[last[-1]].kind == "dash"
        marks = last and (items[index].kind in MARKS or items[last[-1]].kind in MARKS)
        near = not part or (part == "+" if marks else not WORD.search(part) and not re.search(r"[.!?]\s", part))
        if single or after_single or not near:
            groups.append(unit)
        else:
            last += unit
        index = unit[-1] + 1
    return groups


def _with_brackets(text: str, items: Sequence[Item], group: Sequence[int], texts: Sequence[str], role: str) -> tuple[int, int, str]:
    """Begin and end of a group and what belongs to it alone; and what is to be put back for all that."""
    put, end = "", items[group[0]].begin
    for index in group:
        item = items[index]
        put += text[end : item.begin] + texts[index]
        end = item.end
    begin = items[group[0]].begin
    low = items[group[0] - 1].end if group[0] else 0
    high = items[group[-1] + 1].begin if group[-1] + 1 < len(items) else len(text)
    opening = text[items[group[-1]].begin - 1] if len(group) > 1 else ""
    if opening in tuple("([{<") and end < high and text[end] == BRACKETS[opening]:  # of "3:1 (1:0)"
        put, end = put + text[end], end + 1
    while not role and low < begin and end < high and text[end] in BRACKETS.get(text[begin - 1], ""):
        put = text[begin - 1] + put + text[end]
        begin, end = begin - 1, end + 1
    if role != "opening" and end < high and COMPOUND.match(text, end):
        put, end = put + "-", end + 1
    for mark in () if role else (UNIT, ADDRESS):
        match = mark.match(text, end)
        if match and match.end() <= high and (mark is UNIT or not text[:begin].strip()):
            put, end = put + match[0], match.end()
    return begin, end, put
