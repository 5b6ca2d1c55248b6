"""Numbers in text, by what they may mean: 3,5 is 3.5, 1.234,56 is 1,234.56, 14:30 is 2:30, XII is 12, and "three" is 3.

How a number is written depends on the language, which isn't known here, so each gets all values that it may have. Used by
translation/findings.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

ROMAN = r"(?<![\w.])(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})(?!\w)"
DATE = r"(?<![\d.,/-])\d{1,4}(?P<mark>[./-])\d{1,2}(?P=mark)\d{2,4}(?![\d/-]|[.,]\d)"
DAY = r"(?<![\d.,])\d{1,2}\.\d{1,2}\.(?!\d)"  # 3.10., without a year
NUMBER = r"\d{1,3}(?:['’\u00a0\u2009\u202f]\d{3})+(?![\d])(?:[.,]\d+)?|\d+(?:[.,:]\d+)*"
TOKEN = re.compile(f"(?P<roman>{ROMAN})|(?P<date>{DATE})|(?P<day>{DAY})|(?P<number>{NUMBER})")

ENGLISH = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
GERMAN = "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
UNITS = {"en": ENGLISH.split(), "de": GERMAN.split()}
TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety".split(),
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split(),
}
ORDINALS = {
    1: "first once erste ersten erster erstes einmal ein eine einen einem einer eines", 2: "second twice both zweite zweiten zweiter zweimal beide",
    3: "third dritte dritten dritter dreimal", 4: "fourth vierte vierten vierter", 5: "fifth fünfte fünften fünfter", 6: "sixth sechste sechsten",
    7: "seventh siebte siebten", 8: "eighth achte achten", 9: "ninth neunte neunten", 10: "tenth zehnte zehnten", 11: "eleventh elfte elften",
    12: "twelfth dozen zwölfte zwölften dutzend", 20: "twentieth zwanzigste", 100: "hundred hundredth hundert einhundert",
    1000: "thousand tausend eintausend", 1_000_000: "million",
}  # fmt: skip

LONGEST = 100  # characters; a longer number is compared as text
Value = Decimal | int | tuple[object, ...]  # tuples: dates, times and anything without a numeric value


def _words() -> dict[str, int]:
    values = {word: value for value, words in ORDINALS.items() for word in words.split()}
    for language, units in UNITS.items():
        values |= {word: value for value, word in enumerate(units)}
        for ten, tens in enumerate(TENS[language], 2):
            values[tens] = 10 * ten
            for unit in range(1, 10):
                name = units[unit].removesuffix("s") if language == "de" and unit == 1 else units[unit]
                values[f"{tens}-{name}" if language == "en" else f"{name}und{tens}"] = 10 * ten + unit
    return values


WORDS = _words()


class _Numbers:
    """The numbers of a text. Each can be taken once, by its spelling or a value; number words by their value."""

    def __init__(self, text: str) -> None:
        self.left: set[int] = set()  # indices of numbers not taken yet
        self.indices: dict[Any, list[int]] = {}  # spelling or value -> numbers that have it
        for index, match in enumerate(TOKEN.finditer(text)):
            self.left.add(index)
            for key in (match[0].rstrip("."), *meanings(match)):
                self.indices.setdefault(key, []).append(index)
        self.words: Counter[int] = Counter()
        for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)?", text.casefold()):
            parts = [word] if word in WORDS else word.split("-")
            self.words.update(WORDS[part] for part in parts if part in WORDS)

    def take(self, keys: Iterable[Any]) -> bool:
        for key in keys:
            indices = self.indices.get(key, [])
            while indices:
                index = indices.pop(0)
                if index in self.left:
                    self.left.remove(index)
                    return True
        return False

    def has(self, key: Any, count: int) -> bool:
        return sum(index in self.left for index in self.indices.get(key, [])) >= count

    def take_word(self, values: Iterable[Any]) -> bool:
        for value in values:
            if self.words.get(value, 0) > 0:
                self.words[value] -= 1
                return True
        return False


def missing_numbers(source: str, output: str) -> list[str]:
    """Numbers of `source` that `output` lacks in any spelling, each as often as it is missing."""
    available = _Numbers(output)
    # same spellings first, before one is taken for another number of the same value
    rest = [match for match in TOKEN.finditer(source) if not available.take([match[0].rstrip(".")])]
    lost = []
    for match in rest:
        values = sorted(meanings(match), key=repr)  # the order of a set changes from process to process
        if not (available.take(values) or available.take_word(values) or _take_parts(match, available)):
            lost.append(match[0])
    return lost


def _take_parts(match: re.Match[str], available: _Numbers) -> bool:
    """27.11.2026 as 27 November 2026: day and year are separate, the month may be a word."""
    if not (match["date"] or match["day"]):
        return False
    numbers = [Decimal(part) for part in re.findall(r"\d+", match[0])]
    needed = Counter([number for number in numbers if number > 12] or [numbers[0]])
    if not all(available.has(number, count) for number, count in needed.items()):
        return False
    for number in needed.elements():
        available.take([number])
    return True


def meanings(match: re.Match[str]) -> frozenset[Value]:
    """All possible values of a match of TOKEN: numbers, and tuples for dates, times and the like."""
    text = match[0]
    if match["roman"]:
        return frozenset({_roman(text)})
    if len(text) > LONGEST:  # nobody reads such a number, and Python rejects integers of thousands of digits
        return frozenset({("literal", text)})
    parts = [int(part) for part in re.findall(r"\d+", text)]
    if match["date"]:
        return frozenset({("date", *sorted(parts))} | {("date", *sorted([*parts[:2], parts[2] + century])) for century in (1900, 2000)})
    if match["day"]:
        return frozenset({("day", *sorted(parts))})
    if ":" in text:
        return _time(parts) if len(parts[1:]) and re.fullmatch(r"\d{1,2}:\d{2}(?::\d{2})?", text) else frozenset({("parts", *parts)})
    if text.isdecimal() and int(text) < 25 and re.match(r"\s*Uhr\b", match.string[match.end() :]):
        return _time([int(text)]) | {("literal", text)}
    return _number(re.sub(r"['’\s]", "", text))


def _time(parts: list[int]) -> frozenset[Value]:
    """On the 12-hour and 24-hour clock, and as a plain number for a full hour."""
    hour, minute = parts[0], parts[1:]
    times = {("time", h, *minute) for h in {hour, hour % 12, hour % 12 or 12}}
    return frozenset(times | ({hour, hour % 12 or 12} if not any(minute) else set()))


def _number(text: str) -> frozenset[Value]:
    whole = re.split(r"[.,]", text)
    if len(whole) == 1:
        return frozenset({("literal", text)} | (set() if text.startswith("0") and len(text) > 2 else {Decimal(text)}))
    marks = re.findall(r"[.,]", text)
    grouped = len(whole[0]) <= 3 and not whole[0].startswith("0")
    values: set[Value] = {("parts", *map(int, whole))}
    if grouped and len(set(marks)) == 1 and all(len(part) == 3 for part in whole[1:]):
        values.add(Decimal("".join(whole)))
    if len(marks) == 1 or (marks[-1] not in marks[:-1] and len(set(marks[:-1])) == 1 and grouped and all(len(part) == 3 for part in whole[1:-1])):
        values.add(Decimal(f"{''.join(whole[:-1])}.{whole[-1]}"))
    if len(whole) == 2 and len(whole[1]) == 2 and int(whole[0]) < 25 and int(whole[1]) < 60:  # 14.30 Uhr
        values |= _time([int(whole[0]), int(whole[1])]) - {int(whole[0]), int(whole[0]) % 12 or 12}
    if len(whole) == 3 and len(set(marks)) == 1:
        values.add(("date", *sorted(map(int, whole))))
    return frozenset(values)


def _roman(text: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in text]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0]))
