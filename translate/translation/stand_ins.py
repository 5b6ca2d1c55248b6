"""Words that any model knows, in place of what none does: a house for a name of a file, three for 17. The translation is put where theirs stands.

A stand-in keeps a sentence whole where an item is one of its parts ("in {city} leben"), and disturbs it where it is not: so both ways are searched,
and the model's score chooses. With a noun's place filled in this way, 300 captions gained 6 to 7 BLEU over leaving it out; where the item was put
in beside a word, leaving it out gained 3 over filling in (Multi30k, development set, greedy). Choosing by score is within 1 of the better way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from translate.text.number_formats import written_numbers
from translate.text.number_words import UNITS
from translate.text.numerals import ROMAN
from translate.text.pairs import WORD
from translate.text.protected import Item, find_items

MARKS = {"tags", "opening", "closing", "edge"}  # kinds that stand beside words
NUMBERS = "numbers"  # the kind of a number as an item
NOUN_KINDS = {"urls", "emails", "code", "placeholders", "paths", "mentions"}
NOUNS = {  # by source and target language: a noun, and what becomes of it
    ("de", "en"): ("Haus", ("house", "home", "building")),
    ("en", "de"): ("house", ("Haus", "Hauses", "Häuser", "Hause", "Gebäude")),
}
POSSESSIVE = {  # for {name}s of a German text, {name}'s of an English one
    ("de", "en"): ("sein", ("his", "its", "her", "their")),
    ("en", "de"): ("his", ("sein", "seine", "seinen", "seinem", "seiner", "seines")),
}
GENITIVE = re.compile(r"\}['’]?s\Z")
ENDING = re.compile(r"['’]?[^\W\d_]{1,3}(?!\w)")  # {n}te, {name}s
UNIT = re.compile(  # as short in every language; its number goes nowhere without it
    r"[ \u00a0\u202f]?(?:[%‰€$£¥]|°(?: ?[CF]\b)?|(?:km/h|m/s|[kcmµ]?m[²³23]?|[kmµ]?g|[mchk]?l|[kMG]?Wh?|[kMGT]i?B|[kMG]?Hz|k?cal|kJ|mAh|dB"
    r"|EUR|USD)(?![\w/]))"
)
MEASURES = re.compile(  # 100 GB, 3 x 5 cm: the same in every language
    rf"(?=.{{1,40}}\Z)[^\w.,:/×–-]*(?:\d[\d.,:/×–-]*(?:{UNIT.pattern}|[kMGT]i?B|[A-Za-z])?(?!\w)(?: x (?=\d))?[^\w.,:/×–-]*)+(?<!x )\Z"
)
ROMAN_NUMBER = re.compile(ROMAN)
PHONE = re.compile(r"(?<![\w.,+])(?:\+|00)[1-9]\d{0,2}(?:[ /-]?\(?\d{1,7}\)?){2,6}(?!\d)|(?<![\w.,])0\d{2,5}[ /-]\d{3,}(?:[ -]\d{2,}){0,4}(?!\w)")
GOES_ON = re.compile(r"-?[^\W_]")
PREFIX = re.compile(r"(?:(?<![\w-])(?:[A-Z]{2,}|utf|iso)-|[A-Za-z]+)\Z")
SUFFIX = re.compile(r"[A-Za-z](?!\w)")  # 10k, 3D
ORDINAL = re.compile(r"\.(?=\s+\w)")


class StandIn(NamedTuple):
    word: str
    translations: tuple[str, ...]  # what may become of it, in small letters; none: only the alignment tells


def all_items(text: str, source_language: str, target_language: str) -> tuple[list[Item], list[str]]:
    """Items and numbers of a sentence, in order; and what is to stand for each in the translation.

    A number has the short name of its unit with it, an ordinal its point (3. Oktober), and what is part letter is whole (A4).
    """
    found = [(item, text[item.begin : item.end]) for item in find_items(text)]
    inside = bytearray(len(text))  # 1: part of one of these
    for item, _ in found:
        inside[item.begin : item.end] = bytes([1]) * (item.end - item.begin)
    for match in PHONE.finditer(text):
        if not any(inside[slice(*match.span())]):
            found.append((Item(NUMBERS, *match.span()), match[0]))
            inside[slice(*match.span())] = bytes([1]) * len(match[0])
    for (begin, end), written in written_numbers(text, source_language, target_language):
        if prefix := PREFIX.search(text, max(0, begin - 20), begin):  # A4, MP3, UTF-8
            begin, written = prefix.start(), prefix[0] + written
        if text[begin - 1 : begin] in ("+", "-", "\u2212") and (begin == 1 or text[begin - 2] in " (\u00a0"):  # +49, -5
            begin, written = begin - 1, text[begin - 1] + written
        if not any(inside[begin:end]):
            after = UNIT.match(text, end) or SUFFIX.match(text, end) or (ORDINAL.match(text, end) if len(written) <= 2 else None)
            if after and not any(inside[begin : after.end()]):
                end, written = after.end(), written + after[0]
            found.append((Item(NUMBERS, begin, end), written))
            inside[begin:end] = bytes([1]) * (end - begin)
    for match in ROMAN_NUMBER.finditer(text):
        if not any(inside[slice(*match.span())]):
            found.append((Item(NUMBERS, *match.span()), match[0]))
    found.sort(key=lambda each: each[0].begin)
    return [item for item, _ in found], [written for _, written in found]


def with_endings(text: str, items: Sequence[Item], written: Sequence[str], target_language: str) -> tuple[list[Item], list[str]]:
    """The same with the letters behind a placeholder as part of it. A genitive is written as the target language does: {name}'s in English."""
    found, texts = [], []
    for item, string, following in zip(items, written, [*(item.begin for item in items[1:]), len(text)]):
        ending = ENDING.match(text, item.end) if item.kind == "placeholders" and string.endswith("}") else None
        if ending and ending.end() <= following:
            item, string = item._replace(end=ending.end()), string + ending[0]
            if GENITIVE.search(string):
                string = string.rstrip("s").rstrip("'’") + {"en": "'s", "de": "s"}.get(target_language.lower()[:2], ending[0])
        found.append(item)
        texts.append(string)
    return found, texts


def stand_ins(text: str, items: Sequence[Item], source_language: str, target_language: str) -> list[StandIn | None]:
    """A word for each of the `items` of `text` for which there is one. All None: there is no other way than to leave them out."""
    languages = (source_language.lower()[:2], target_language.lower()[:2])
    noun = NOUNS.get(languages)
    words = set(re.findall(r"\w+", text.casefold()))
    numbers = iter([each for each in _number_words(languages) if each.word not in words])
    found: list[StandIn | None] = []
    begins, ends = ({item[side] for item in items if item.kind not in MARKS} for side in (1, 2))
    for item in items:
        touches = text[item.begin - 1 : item.begin].isalnum() or GOES_ON.match(text, item.end) is not None
        touches = touches or item.begin in ends or item.end in begins
        if item.kind == NUMBERS and text[item.begin].isdecimal() and not text[item.end - 1] == ".":
            found.append(next(numbers, None))
        elif GENITIVE.search(text, item.begin, item.end) and item.kind == "placeholders" and languages in POSSESSIVE:
            own, others = POSSESSIVE[languages]
            found.append(StandIn(own if WORD.search(text, 0, item.begin) else own.capitalize(), others))
        elif item.kind in NOUN_KINDS and noun and not touches and noun[0].casefold() not in words:
            found.append(StandIn(noun[0], tuple(word.casefold() for word in noun[1])))
        else:
            found.append(None)
    return found


def _number_words(languages: tuple[str, str]) -> list[StandIn]:
    """Small numbers from 2 on, each with its translations; in digits where the words of a language aren't known."""
    if languages[0] in UNITS and languages[1] in UNITS:
        pairs = list(enumerate(zip(UNITS[languages[0]], UNITS[languages[1]])))[2:]
        return [StandIn(source, (target.casefold(), str(value))) for value, (source, target) in pairs]
    return [StandIn(str(value), (str(value),)) for value in range(2, 10)]
