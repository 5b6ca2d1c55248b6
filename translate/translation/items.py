"""Items for models that have no symbols for them: taken out of the source before the search, and put back into the translation.

Either a word stands in for an item (stand_ins.py), and the item takes the place of its translation. Or the item is left out, with the brackets or
quotation marks that hold nothing else, and put where the translations of its neighbours meet: links of words (alignment.py) tell these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from translate.text.placeholders import CLOSE
from translate.text.protected import Item, find_items
from translate.text.tracked import Tracked
from translate.text.words import word_spans
from translate.translation.stand_ins import StandIn, all_items, stand_ins

Span = tuple[int, int]
Link = tuple[Span, Span]  # of words of source and output

BRACKETS = {"(": ")", "[": "]", "{": "}", "„": "“”", "“": "”", "”": "”", "»": "«", "«": "»", '"': '"', "'": "'", "‚": "‘", "‘": "’"}
OPENING = "([{„“»«‚‘¿¡\"'"
ENDS = ".!?…:;\"'“”’»«)]"
UNIT = re.compile(r"[%°‰€$+]+")
ADDRESS = re.compile(r"[:,;]+(?=\s)")  # @anna: Wo bist du?
NAME = re.compile(r"[<\[](/?)([A-Za-z][\w:.-]*)")  # of a tag
NEXT = 1.1  # what follows an item tells its place a little better than what precedes: a number or a name stands before its noun
BEGIN = 0.5  # and what doesn't begin the source hardly ever begins the translation


class Taken(NamedTuple):
    """One item, or several with what stands between them. place: where it stood in the text without it."""

    text: str
    place: int
    kind: str  # "" for several
    close_before: bool  # touches the word before it, as in the source
    close_after: bool
    stand_in: StandIn | None = None  # stands at `place`


class Way(NamedTuple):
    """A source for the model without what it can't translate, and what is to be put into the translation (`place_items`)."""

    text: Tracked
    taken: list[Taken]


def ways(text: Tracked, source_language: str, target_language: str, numbers: bool = False) -> list[Way]:
    """The one or two ways to translate a sentence without its items; none if it has no items. The better one is the likelier translation.

    numbers: treat numbers as items too. A way may leave nothing of the text, which then needs no search.
    """
    found, written = all_items(text.text, source_language, target_language) if numbers else (find_items(text.text), None)
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
        close = (kinds[0] in CLOSE and before not in ("", " "), kinds[1] in CLOSE and after not in ("", " "))
        taken.append(Taken(put, first - removed + len(new), kinds[0] if len(group) == 1 else "", *close))
        removed += last - first - len(new)
        edits.append((first, last, new))
    return text.replace(edits), taken


def place_items(output: str, links: Sequence[Link], taken: Sequence[Taken], source: str) -> str:
    """`output` with all that was taken, each once, and nothing else changed but spaces beside them.

    links: words of `source`, the text without the items, and of `output` that belong together.
    """
    gaps, pairs = _Gaps(source, output, links), _tag_pairs(taken)
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
    for index in sorted({index for indices in groups.values() for index in indices} - set(found)):
        own, begin = taken[index].stand_in, taken[index].place
        assert own
        linked = [other for one, other in links if one == (begin, begin + len(own.word)) and output[other[0]].isalnum()]
        for span in [span for span in linked if span in named[own]] or linked:
            if all(span[1] <= first or last <= span[0] for first, last in found.values()):
                found[index] = span
                break
    return found


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
    while low < begin and end < high and text[end] in BRACKETS.get(text[begin - 1], ""):
        put = text[begin - 1] + put + text[end]
        begin, end = begin - 1, end + 1
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
        if match and not match[1]:
            open_tags.append((match[2], index))
        elif match:
            depth = next((depth for depth in range(len(open_tags) - 1, -1, -1) if open_tags[depth][0] == match[2]), None)
            if depth is not None:
                pairs[open_tags[depth][1]] = index
                del open_tags[depth:]
    return pairs


def _put(text: str, place: int, items: Sequence[Taken]) -> str:
    """`text` with the items at `place`, where no space precedes, and spaces beside them as their neighbours need."""
    before, after = text[:place], text[place:].lstrip(" ")
    space = text[place : len(text) - len(after)]
    left = right = space
    if items[0].close_before or not before:
        left = ""
    elif not space and (before[-1].isalnum() or before[-1] not in OPENING):
        left = " "
    if items[-1].close_after or not after:
        right = ""
    elif not space and (after[0].isalnum() or after[0] in "([{„“«‚<"):
        right = " "
    return f"{before}{left}{' '.join(item.text for item in items)}{right}{after}"


class _Gaps:
    """The places between the words of an output, and how well each fits a place in the source."""

    def __init__(self, source: str, output: str, links: Sequence[Link]) -> None:
        self.source, self.output = source, output
        self.source_words = word_spans(source)
        self.ranks = {span: rank for rank, span in enumerate(self.source_words)}
        words = word_spans(output)
        self.gaps = sorted({0, *(end for _, end in words)})
        self.inside = [(one, other) for one, other in links if one in self.ranks and source[one[0]].isalnum() and output[other[0]].isalnum()]
        self.links = self.inside + [link for link in _marks(source, output) if link[0] in self.ranks]
        begins = {begin: gap for gap, (begin, _) in zip([0, *(end for _, end in words)], words)}
        self.before = {other: begins.get(other[0], other[0]) for _, other in self.links}  # the gap before each linked word

    def best(self, place: int) -> int:
        """The gap for `place` in the source: there as few words as possible change sides, near ones counting most."""
        before, after = self.source[:place], self.source[place:]
        if not any(map(str.isalnum, before)):
            opening = re.match(r"[^\w\s]*", self.output) if before.strip() else None
            return opening.end() if opening else 0
        if not any(map(str.isalnum, after)):
            text = self.output.rstrip()
            return len(text.rstrip(ENDS)) if after.strip() else len(text)
        at = sum(end <= place for _, end in self.source_words)
        costs = dict.fromkeys(self.gaps, 0.0)
        costs[0] = BEGIN
        for one, other in self.links:
            precedes = self.ranks[one] < at
            distance = at - self.ranks[one] if precedes else self.ranks[one] - at + 1
            weight = (1.0 if precedes else NEXT) / distance**2
            side = other[1] if precedes else self.before[other]
            for gap in self.gaps:
                wrong = gap < side if precedes else gap > side
                costs[gap] += weight * (wrong + 1e-4 * abs(gap - side))  # and of equal ones the nearest
        return min(self.gaps, key=costs.__getitem__)

    def around(self, begin: int, end: int) -> Span:
        """The gaps before and after the words that stand between two places of the source."""
        found = [other for one, other in self.inside if begin <= one[0] and one[1] <= end]
        words = [word for word in self.source_words if self.source[word[0]].isalnum()]
        whole = all(begin <= word[0] and word[1] <= end for word in words)
        if whole or not found:
            first, last = self.best(begin), self.best(end)
            return min(first, last), last
        return min(self.before[other] for other in found), max(last for _, last in found)


def _marks(source: str, output: str) -> list[Link]:
    """Links of punctuation marks that stand equally often in both."""
    links: list[Link] = []
    for mark in ",.;:!?":
        places = [[match.start() for match in re.finditer(re.escape(mark) + r"(?!\w)", text)] for text in (source, output)]
        if len(places[0]) == len(places[1]):
            links += [((one, one + 1), (other, other + 1)) for one, other in zip(*places)]
    return links
