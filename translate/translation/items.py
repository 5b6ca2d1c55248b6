"""Items for models that have no symbols for them: taken out of the source before the search, and put back into the translation.

Either a word stands in for an item (stand_ins.py), and the item takes the place of its translation. Or the item is left out, with the brackets or
quotation marks that hold nothing else, and put where the translations of its neighbours meet: links of words (alignment.py) tell these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from translate.text.placeholders import CLOSE, SYMBOL
from translate.text.protected import Item, find_items
from translate.text.tracked import Span, Tracked
from translate.translation.alignment import Link
from translate.translation.gaps import Gaps
from translate.translation.stand_ins import NUMBERS, StandIn, all_items, stand_ins

BRACKETS = {"(": ")", "<": ">", "[": "]", "{": "}", "„": "“”", "“": "”", "”": "”", "»": "«", "«": "»", '"': '"', "'": "'", "‚": "‘", "‘": "’"}
OPENING = "([{„“»«‚‘¿¡\"'"
UNIT = re.compile(r"[%°‰€$+]+")
ADDRESS = re.compile(r"[:,;]+(?=\s)")  # @anna: Wo bist du?
COMPOUND = re.compile(r"-(?=[^\W\d_])")  # <b>-Tag, /boot-Partition
NAME = re.compile(r"[<\[](/?)([A-Za-z][\w:.-]*)|!?\[()$|(\]\()")  # of a tag; of a Markdown link, which begins with [ and ends with ](address)
TEXT = re.compile(r"⟦\d⟧|([\w⟦⟧](?:[^⟦⟧]*\w)?)")  # a symbol, or words from the first to the last letter or digit


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


class Way(NamedTuple):
    """A source for the model without what it can't translate, and what is to be put into the translation (`place_items`)."""

    text: Tracked
    taken: list[Taken]


def kept_items(line: str, text: Tracked, source_language: str, target_language: str, numbers: bool) -> tuple[list[Item], list[str]]:
    """Items of a sentence, and what stands for each in its translation: themselves, as they are in `line`. numbers: numbers are items too."""
    if not numbers:
        items = find_items(text.text)
        return items, [line[slice(*text.span(item.begin, item.end))] for item in items]
    items, written = all_items(text.text, source_language, target_language)
    return items, [string if item.kind == NUMBERS else line[slice(*text.span(item.begin, item.end))] for item, string in zip(items, written)]


def ways(line: str, text: Tracked, source_language: str, target_language: str, numbers: bool = False) -> list[Way]:
    """The one or two ways to translate a sentence of `line` without its items; none if it has no items. The better one is the likelier translation.

    numbers: treat numbers as items too. A way may leave nothing of the text, which then needs no search.
    """
    found, written = kept_items(line, text, source_language, target_language, numbers)
    if not found:
        return []
    result = [Way(*take_out(text, found, written))]
    words = stand_ins(text.text, found, source_language, target_language)
    return result + [Way(*take_out(text, found, written, words))] if any(words) else result


def take_out(
    text: Tracked, items: Sequence[Item], written: Sequence[str] | None = None, words: Sequence[StandIn | None] | None = None
) -> tuple[Tracked, list[Taken]]:
    """`text` without its `items`, which are in order; and what is to be put back.

    written: what to put back for each; themselves if None. words: to put in for some of them.
    """
    string, edits, taken, removed = text.text, list[tuple[int, int, str]](), list[Taken](), 0
    for group in _groups(string, items, words):
        item, stand_in = items[group[0]], words[group[0]] if words else None
        if stand_in:
            put = written[group[0]] if written else string[item.begin : item.end]
            taken.append(Taken(put, item.begin - removed, item.kind, False, False, stand_in))
            edits.append((item.begin, item.end, stand_in.word))
            removed += item.end - item.begin - len(stand_in.word)
            continue
        begin, end, put = _with_brackets(string, items, group, written)
        before, after = string[begin - 1 : begin], string[end : end + 1]
        kinds = item.kind, items[group[-1]].kind
        first, last = begin, end
        if begin > (edits[-1][1] if edits else 0) and before == " " and (not after or not after.isalnum()):
            first -= 1
        elif after == " " and not string[:begin].strip():
            last += 1
        elif before == " " and after == " ":
            last += 1
        new = " " if before.isalnum() and after.isalnum() else ""
        close = (kinds[0] in CLOSE and before not in ("", " "), (kinds[1] in CLOSE or put[-1] == "-") and after not in ("", " "))
        taken.append(Taken(put, first - removed + len(new), kinds[0] if len(group) == 1 else "", *close, None, before, after))
        removed += last - first - len(new)
        edits.append((first, last, new))
    return text.replace(edits), taken


def place_items(output: str, links: Sequence[Link], taken: Sequence[Taken], source: str) -> str:
    """`output` with all that was taken, each once, and nothing else changed but spaces beside them.

    links: words of `source`, the text without the items, and of `output` that belong together.
    """
    gaps, pairs = Gaps(source, output, links), _tag_pairs(taken)
    closing, replaced = set(pairs.values()), _stand_in_spans(output, links, taken)
    places: dict[int, list[int]] = {}  # in the output, at the end of a word: the items there
    for index, item in enumerate(taken):
        if index in pairs:
            found = list(zip(gaps.around(item.place, taken[pairs[index]].place), (index, pairs[index])))
        else:
            found = [] if index in closing or index in replaced else [(gaps.best(item.place), index)]
        for place, which in found:
            places.setdefault(len(output[:place].rstrip(" ")), []).append(which)
    edits = [(begin, end, [index]) for index, (begin, end) in replaced.items()] + [(place, -1, sorted(which)) for place, which in places.items()]
    for begin, end, indices in sorted(edits, reverse=True):  # from right to left; a replacement before what is put in front of it
        if end < 0:
            output = _put(output, begin, [taken[index] for index in indices])
        else:
            output = output[:begin] + taken[indices[0]].text + output[end:]
    return output


def _stand_in_spans(output: str, links: Sequence[Link], taken: Sequence[Taken]) -> dict[int, Span]:
    """Where the translations of stand-ins are: the words that are known to be, as many as there are stand-ins; else what is linked."""
    found: dict[int, Span] = {}
    groups: dict[StandIn, list[int]] = {}
    for index, item in enumerate(taken):
        if item.stand_in:
            groups.setdefault(item.stand_in, []).append(index)
    named: dict[StandIn, list[Span]] = {}
    for stand_in, indices in groups.items():
        words = "|".join(map(re.escape, sorted(stand_in.translations, key=len, reverse=True)))
        named[stand_in] = [match.span() for match in re.finditer(rf"(?<![\w.,])(?:{words})(?!\w|[.,]\d)", output, re.IGNORECASE)] if words else []
        if len(named[stand_in]) == len(indices):
            found |= dict(zip(indices, named[stand_in]))
    outputs: dict[Span, list[Span]] = {}
    for one, other in links:
        outputs.setdefault(one, []).append(other)
    for index in sorted({index for indices in groups.values() for index in indices} - set(found)):
        own, begin = taken[index].stand_in, taken[index].place
        assert own
        linked = [other for other in outputs.get((begin, begin + len(own.word)), ()) if output[other[0]].isalnum()]
        for span in [span for span in linked if span in named[own]] or linked:
            if all(span[1] <= first or last <= span[0] for first, last in found.values()):
                found[index] = span
                break
    return found


def tail(text: str) -> str:
    """Symbols, marks and spaces at the end of `text`."""
    return text[max((match.end() for match in TEXT.finditer(text) if match[1]), default=0) :]


def move_last(source: str, output: str, links: Sequence[Link]) -> str:
    """`output` with the symbols at its end, that don't end `source`, where their neighbours' translations meet.

    A search that must put symbols, and has no place for them, puts them at the end (decoding/required.py). source: as the model got it.
    """
    closing = tail(source)
    moved = [symbol for symbol in SYMBOL.findall(tail(output)) if symbol in source and symbol not in closing]
    if not moved:
        return output
    rest = output
    for symbol in moved:
        begin = rest.rindex(symbol)
        before, after = rest[:begin].rstrip(" "), rest[begin + len(symbol) :]
        rest = f"{before} {after}" if before and SYMBOL.match(after) else before + after
    taken = [Taken(symbol, source.index(symbol), "", False, False) for symbol in sorted(moved, key=source.index)]
    return place_items(rest, [link for link in links if link[1][1] <= len(rest)], taken, source)


def _groups(text: str, items: Sequence[Item], words: Sequence[StandIn | None] | None) -> list[list[int]]:
    """Items that only marks and spaces separate belong together; tags only if nothing does; never one with a stand-in."""
    groups: list[list[int]] = []
    for index, item in enumerate(items):
        between = text[items[index - 1].end : item.begin] if index else ""
        tags = index and "tags" in (item.kind, items[index - 1].kind)
        alone = words and index and (words[index] or words[index - 1])
        if index and not alone and (not between or not tags and not any(map(str.isalnum, between)) and not re.search(r"[.!?]\s", between)):
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _with_brackets(text: str, items: Sequence[Item], group: Sequence[int], written: Sequence[str] | None) -> tuple[int, int, str]:
    """Begin and end of a group and what belongs to it alone; and what is to be put back for all that."""
    put, end = "", items[group[0]].begin
    for index in group:
        item = items[index]
        put += text[end : item.begin] + (written[index] if written else text[item.begin : item.end])
        end = item.end
    begin = items[group[0]].begin
    low = items[group[0] - 1].end if group[0] else 0
    high = items[group[-1] + 1].begin if group[-1] + 1 < len(items) else len(text)
    opening = text[items[group[-1]].begin - 1] if len(group) > 1 else ""
    if opening in tuple("([{<") and end < high and text[end] == BRACKETS[opening]:  # of "3:1 (1:0)"
        put, end = put + text[end], end + 1
    while low < begin and end < high and text[end] in BRACKETS.get(text[begin - 1], ""):
        put = text[begin - 1] + put + text[end]
        begin, end = begin - 1, end + 1
    if end < high and COMPOUND.match(text, end):
        put, end = put + "-", end + 1
    for mark in (UNIT, ADDRESS):
        match = mark.match(text, end)
        if match and match.end() <= high and (mark is UNIT or not text[:begin].strip()):
            put, end = put + match[0], match.end()
    return begin, end, put


def _tag_pairs(taken: Sequence[Taken]) -> dict[int, int]:
    """Opening tags and the closing ones that belong to them."""
    pairs: dict[int, int] = {}
    open_tags: list[tuple[str, int]] = []
    for index, item in enumerate(taken):
        match = NAME.match(item.text) if item.kind == "tags" and not item.text.endswith("/>") else None
        name = match[2] or match[3] if match else ""
        if match and not match[1]:
            open_tags.append((name, index))
        elif match:
            depth = next((depth for depth in range(len(open_tags) - 1, -1, -1) if open_tags[depth][0] == name), None)
            if depth is not None:
                pairs[open_tags[depth][1]] = index
                del open_tags[depth:]
    return pairs


def _put(text: str, place: int, items: Sequence[Taken]) -> str:
    """`text` with the items at `place`, where no space precedes, and spaces beside them as their neighbours need."""
    before, after = text[:place], text[place:].lstrip(" ")
    space = text[place : len(text) - len(after)]
    put = items[0].text
    for item in items[1:]:
        put += _between(put, item.text, " ") + item.text
    left = right = space
    if items[0].close_before or not before or before[-1] == items[0].before:
        left = ""
    elif not space and (before[-1].isalnum() or before[-1] not in OPENING):
        left = " "
    if items[-1].close_after or not after or after[0] == items[-1].after:
        right = ""
    elif not space and (after[0].isalnum() or after[0] in "([{„“«‚<" or (items[-1].after == " " and after[0] in "\"'-–—")):
        right = " "
    return f"{before}{left and _between(before, put, left)}{put}{right and _between(put, after, right)}{after}"


def _between(text: str, next_text: str, space: str) -> str:
    """The space between two texts, with a comma between two numbers: 800 and 600 are not 800 600."""
    return f",{space}" if text[-1].isdecimal() and next_text[0].isdecimal() else space
