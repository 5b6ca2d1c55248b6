"""Compares the numbers of two texts by value: 3,5 is 3.5, 1.234,56 is 1,234.56, 14:30 is 2:30, XII is 12, and "three" is 3.

How a number reads depends on the language: German 3,5 is 3.5 and never 35. Where the languages aren't given, each number gets all values that
it may have in one of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from translate.text.number_formats import LONGEST, NUMBER, SPACE, convert_numbers, marks, read_number
from translate.text.number_words import number_words

ROMAN = r"(?<![\w.])(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})(?!\w)"
DATE = r"(?<![\d.,/-])\d{1,4}(?P<mark>[./-])\d{1,2}(?P=mark)\d{2,4}(?![\d/-]|[.,]\d)"
DAY = r"(?<![\d.,])\d{1,2}\.\d{1,2}\.(?!\d)"  # 3.10., without a year
TOKEN = re.compile(f"(?P<roman>{ROMAN})|(?P<date>{DATE})|(?P<day>{DAY})|(?P<number>{NUMBER.pattern})")
SPACED = re.compile(r"(?<![\d.,])(?<!\d )\d{1,3}(?: \d{3})+(?![\d]| \d|[.,]\d{3}\b)")  # 132 000, which could be two numbers too
PLAIN = re.compile(r"\d+(?:[.,]\d+)*")
DIGIT = re.compile(r"[\dIVX](?:(?<![IVX])|[IVX])")

Value = Decimal | int | tuple[object, ...]  # tuples: dates, times and anything without a numeric value


class Comparison(NamedTuple):
    """Numbers of the source that the output lacks, and numbers of the output that the source lacks, each as often as that."""

    missing: list[str]
    extra: list[str]


def compare_numbers(source: str, output: str, source_language: str = "", target_language: str = "") -> Comparison:
    """What of the numbers in digits is lost, and what is new. Only numbers in digits are looked for, and found also as words.

    A language that isn't known, or "", reads a number in every way there is.
    """
    if not DIGIT.search(source) and not DIGIT.search(output):
        return Comparison([], [])
    texts = source, output
    source, output = (SPACED.sub(lambda match: match[0].replace(" ", SPACE), text) for text in texts)
    available = _Numbers(output, target_language)
    matches = list(TOKEN.finditer(source))
    # same spellings first, before one is taken for another number of the same value
    rest = [match for match in matches if not available.take([_spelling(match, source_language)])]
    lost = []
    for match in rest:
        values = sorted(meanings(match, source_language), key=repr)  # the order of a set changes from process to process
        if not (available.take(values) or available.take_word(values) or _take_parts(match, available)):
            lost.append(match)
    words = number_words(source) if available.left else Counter()
    extra = []
    for match in available.rest():
        if value := next((value for value in meanings(match, target_language) if not isinstance(value, tuple) and words[Decimal(value)]), None):
            words[Decimal(value)] -= 1
        elif match["roman"]:
            continue  # the pronoun of the first person, a list mark: no evidence
        elif parts := _parts_among(match, lost):
            lost = [match for match in lost if match not in parts]
        else:
            extra.append(match)
    missing, new = ([text[match.start() : match.end()] for match in found] for text, found in zip(texts, (lost, extra)))
    return Comparison(missing, new)


def mend_numbers(source: str, output: str, source_language: str, target_language: str) -> str:
    """`output` with each number that it only copied from `source` written as its language does: 12.345 from German is 12,345 in English."""
    if not DIGIT.search(source):
        return output
    for lost in compare_numbers(source, output, source_language, target_language).missing:
        written = convert_numbers(lost, source_language, target_language)
        if written != lost:
            output = re.sub(rf"(?<![\d.,]){re.escape(lost)}(?!\d|[.,]\d)", written, output, count=1)
    return output


def put_right(source: str, output: str, source_language: str, target_language: str) -> str:
    """`output` with the only number that it has got wrong written as it should be, 1102 in place of 112. Of several, who knows which is which?"""
    missing, extra = compare_numbers(source, output, source_language, target_language)
    if len(missing) != 1 or len(extra) != 1 or not all(PLAIN.fullmatch(number) for number in (*missing, *extra)):
        return output
    places = [match.span() for match in re.finditer(rf"(?<![\w.,:]){re.escape(extra[0])}(?!\w|[.,:]\d)", output)]
    if len(places) != 1:
        return output
    begin, end = places[0]
    return output[:begin] + convert_numbers(missing[0], source_language, target_language) + output[end:]


def _spelling(match: re.Match[str], language: str) -> tuple[object, ...]:
    """Equal for two numbers that are spelled and read alike."""
    text = match[0].rstrip(".")
    return "spelled", text, read_number(text, language)


class _Numbers:
    """The numbers of a text. Each can be taken once, by its spelling or a value; number words by their value."""

    def __init__(self, text: str, language: str) -> None:
        self.matches = list(TOKEN.finditer(text))
        self.left = set(range(len(self.matches)))  # indices of numbers not taken yet
        self.indices: dict[Any, list[int]] = {}  # spelling or value -> numbers that have it
        for index, match in enumerate(self.matches):
            for key in (_spelling(match, language), *meanings(match, language)):
                self.indices.setdefault(key, []).append(index)
        self.words = number_words(text)

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

    def rest(self) -> list[re.Match[str]]:
        """Those not taken, in order."""
        return [self.matches[index] for index in sorted(self.left)]


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
    for number in set(numbers) - set(needed):  # a month in digits, where there is one
        available.take([number])
    return True


def _parts_among(match: re.Match[str], lost: list[re.Match[str]]) -> list[re.Match[str]]:
    """The numbers of `lost` that make up the date `match`: 27 and 2026 are 27.11.2026; none if they are not all there."""
    if not (match["date"] or match["day"]):
        return []
    parts = [int(part) for part in re.findall(r"\d+", match[0])]
    found = [each for each in lost if each[0].isdecimal() and len(each[0]) <= 4 and int(each[0]) in parts]
    needed = {part for part in parts if part > 12} or {parts[0]}
    return found if needed <= {int(each[0]) for each in found} else []


def meanings(match: re.Match[str], language: str = "") -> frozenset[Value]:
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
        value = read_number(text[:-1], language)  # at the end of an English sentence
        return frozenset({("day", *sorted(parts))} | ({value} if value is not None else set()))
    if ":" in text:
        return _time(parts) if len(parts[1:]) and re.fullmatch(r"\d{1,2}:\d{2}(?::\d{2})?", text) else frozenset({("parts", *parts)})
    if text.isdecimal() and int(text) < 25 and re.match(r"\s*Uhr\b", match.string[match.end() :]):
        return _time([int(text)]) | {("literal", text)}
    plain = re.sub(r"['’\s]", "", text)
    if text.isdecimal() or marks(language) is None:
        return _number(plain)
    if (value := read_number(text, language)) is None:
        return frozenset(value for value in _number(plain) if not _is_misread(value, text))
    return frozenset({value} | _clock_time(text))


def _is_misread(value: Value, text: str) -> bool:
    """Whether a number that isn't one by its language's rule was read as whole for all that: 3.567 and 1,234 are not 3567 and 1234."""
    return isinstance(value, Decimal) and len(re.findall(r"[.,]", text)) == 1 and value == value.to_integral() and "." not in str(value)


def _time(parts: list[int]) -> frozenset[Value]:
    """On the 12-hour and 24-hour clock, and as a plain number for a full hour."""
    hour, minute = parts[0], parts[1:]
    times = {("time", h, *minute) for h in {hour, hour % 12, hour % 12 or 12}}
    return frozenset(times | ({hour, hour % 12 or 12} if not any(minute) else set()))


def _clock_time(text: str) -> frozenset[Value]:
    """14.30 as a time."""
    hour, _, minute = text.replace(",", ".").partition(".")
    if not (minute.isdecimal() and len(minute) == 2 and hour.isdecimal() and int(hour) < 25 and int(minute) < 60):
        return frozenset()
    return _time([int(hour), int(minute)]) - {int(hour), int(hour) % 12 or 12}


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
    values |= _clock_time(text)
    if len(whole) == 3 and len(set(marks)) == 1:
        values.add(("date", *sorted(map(int, whole))))
    return frozenset(values)


def _roman(text: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in text]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0]))
