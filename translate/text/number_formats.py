"""How a language writes numbers: 1.234,56 in German is 1,234.56 in English. Reads them by a language's rule and rewrites them by another's.

A change of marks never changes the digits. What isn't a number by the source's rule stays as it is: times, dates, versions, addresses.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

SPACE = "\u202f"  # narrow, does not break
OTHER_GROUPS = "'’\u00a0\u2009\u202f"  # between groups in any language
# the decimal mark and the mark between groups of three digits, as in Unicode's Common Locale Data Repository
FORMATS = {
    **dict.fromkeys("en zh ja ko th he hi bn ga mt ms ur sw am ta te mr cy fil es-mx es-us".split(), (".", ",")),
    **dict.fromkeys("de nl it es pt da tr id el ro hr sl sr bs mk is vi ca gl eu".split(), (",", ".")),
    **dict.fromkeys("fr pl cs sk ru uk be bg hu fi sv nb nn no lt lv et hy ka kk sq eo af".split(), (",", SPACE)),
    **dict.fromkeys("de-ch de-li it-ch rm".split(), (".", "’")),
}
LONGEST = 100  # characters; nobody reads a longer number
NUMBER = re.compile(rf"\d{{1,3}}(?:[{OTHER_GROUPS}]\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,:]\d+)*")
# words before a version or the number of a part, whose point separates two numbers
LABELS = re.compile(
    r"(?:\b(?:version|release|kapitel|abschnitt|abb|abbildung|tabelle|ziffer|punkt|übung|chapter|section|sec|figure|fig|table|exercise|clause"
    r"|python|java|windows|android|ios|linux|kernel|ubuntu|debian)|§)\.?\s?$",
    re.IGNORECASE,
)
CLOCK = re.compile(r"\s?(?:uhr\b|[ap]\.?\s?m\b|o'clock\b)", re.IGNORECASE)


class Number(NamedTuple):
    """A number at text[begin:end], in digits with their marks."""

    begin: int
    end: int


def marks(language: str) -> tuple[str, str] | None:
    """The decimal and the group mark of `language` (de, pt-BR, de_CH); None for one that isn't in the table."""
    name = language.lower().replace("_", "-")
    return FORMATS.get(name) or FORMATS.get(name.split("-")[0])


def find_numbers(text: str) -> list[Number]:
    """The numbers of `text` from left to right. 27.11.2026, 18:30 and 1.2.3 are one each; the point of an ordinal is not part of it."""
    return [Number(*match.span()) for match in NUMBER.finditer(text)]


def convert_numbers(text: str, source_language: str, target_language: str) -> str:
    """`text` with its numbers written as `target_language` does; as it is where a language isn't known or both write alike."""
    source, target = marks(source_language), marks(target_language)
    if source is None or target is None or source == target:
        return text
    return NUMBER.sub(lambda match: _write(match, source, target), text)


def written_numbers(text: str, source_language: str, target_language: str) -> list[tuple[Number, str]]:
    """The numbers of `text`, each with how `target_language` writes it there."""
    source, target = marks(source_language), marks(target_language)
    if source is None or target is None or source == target:
        return [(number, text[number.begin : number.end]) for number in find_numbers(text)]
    return [(Number(*match.span()), _write(match, source, target)) for match in NUMBER.finditer(text)]


def write_number(text: str, source_language: str, target_language: str) -> str:
    """A number that stands alone, written as `target_language` does. What stands around it decides too: see `convert_numbers`."""
    return convert_numbers(text, source_language, target_language)


def _write(match: re.Match[str], source: tuple[str, str], target: tuple[str, str]) -> str:
    text, before = match[0], match.string[max(0, match.start() - 16) : match.start()]
    if text.isdecimal() or len(text) > LONGEST or before[-1:].isalpha() or before[-1:] in (".", ",", "_"):
        return text
    if "." in text and LABELS.search(before):
        return text
    if re.fullmatch(r"\d?\d\.\d\d", text) and CLOCK.match(match.string, match.end()):
        return text
    if clock := re.fullmatch(r"((?:\d+:)+\d\d)([.,])(\d+)", text):  # 3:44,16 min
        return f"{clock[1]}{target[0]}{clock[3]}" if clock[2] == source[0] else text
    parts = split_number(text, *source)
    if parts is None:
        return text
    groups, fraction = parts
    return target[1].join(groups) + (target[0] + fraction if fraction else "")


def split_number(text: str, decimal: str, group: str) -> tuple[list[str], str] | None:
    """Groups of digits, and the fraction ("" for none), of a number with these marks; None if it isn't one, such as 1.2.3 or 18:30.

    Groups between apostrophes or spaces may have either decimal mark.
    """
    for mark in (group, *OTHER_GROUPS):
        digits, point, fraction = text.partition(decimal if mark == group else "," if "," in text else ".")
        groups = digits.split(mark)
        whole = _are_groups(groups) if len(groups) > 1 else mark == group and digits.isdecimal()
        if whole and (fraction.isdecimal() or not point):
            return groups, fraction
    return None


def _are_groups(groups: list[str]) -> bool:
    """Whether 12, 345 and 678 are groups of one number. 192.168.100.200 is an address, unlike 100.000.000.000; and no number begins with 0."""
    if not all(map(str.isdecimal, groups)) or len(groups[0]) > 3 or groups[0].startswith("0") or any(len(group) != 3 for group in groups[1:]):
        return False
    return len(groups) != 4 or any(group.startswith("0") or int(group) > 255 for group in groups)


def read_number(text: str, language: str) -> Decimal | None:
    """The value of `text` by the rule of `language`; None if it isn't a number by that rule, is longer than `LONGEST`, or has no known rule."""
    known = marks(language)
    parts = split_number(text, *known) if known and len(text) <= LONGEST else None
    return Decimal(f"{''.join(parts[0])}.{parts[1] or 0}") if parts else None
