"""Numbers in words, German and English: zweihundertfünfzig, two hundred and fifty, three point five, dritter, twice."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal

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
FACTORS = {
    "hundred": 100, "hundert": 100, "thousand": 1000, "tausend": 1000, "million": 10**6, "millions": 10**6, "millionen": 10**6,
    "billion": 10**9, "milliarde": 10**9, "milliarden": 10**9,
}  # fmt: skip
POINTS = {"point", "komma"}
LONGEST_WORD = 80  # letters
WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
ENDING = re.compile(
    r"(?:(?<=ste)[nrsm]|ste[nrsm]?|(?:prozent|jähr|fach|stünd|täg|monat|seit|stell)(?:ig)?e?[nrsm]?|mal|er)$"
)  # 27.: siebenundzwanzigsten
COMPOUND = re.compile(r"(?:(?P<thousands>\w*?)tausend(?:und)?)?(?:(?P<hundreds>\w*?)hundert(?:und)?)?(?P<rest>\w*)")


def _small() -> dict[str, int]:
    """The words for 0 to 99, and ordinals."""
    values = {word: value for value, words in ORDINALS.items() for word in words.split()}
    for language, units in UNITS.items():
        values |= {word: value for value, word in enumerate(units)}
        for ten, tens in enumerate(TENS[language], 2):
            values[tens] = 10 * ten
            for unit in range(1, 10):
                name = units[unit].removesuffix("s") if language == "de" and unit == 1 else units[unit]
                values[f"{tens}-{name}" if language == "en" else f"{name}und{tens}"] = 10 * ten + unit
        values |= {f"{tens[:-1]}ieth" if language == "en" else f"{tens}ste": 10 * ten for ten, tens in enumerate(TENS[language], 2)}
    values |= {
        f"{tens}-{word}": 10 * ten + unit for ten, tens in enumerate(TENS["en"], 2) for unit in range(1, 10) for word in ORDINALS[unit].split()
    }
    return {word.casefold(): value for word, value in values.items()}


SMALL = _small()
CARDINALS = (
    {word.casefold() for words in UNITS.values() for word in words}
    | {word.casefold() for words in TENS.values() for word in words}
    | {"ein", "eine", "a"}
)


def word_value(word: str) -> int | None:
    """The value of one word in small letters: zwölf, twenty-five, zweitausenddreihundert; None if it is not a number."""
    if (value := SMALL.get(word)) is not None:
        return value
    match = COMPOUND.fullmatch(word) if len(word) <= LONGEST_WORD else None
    if match is None or match["thousands"] is None and match["hundreds"] is None:
        short = ENDING.sub("", word) if len(word) <= LONGEST_WORD else word
        return word_value(short) if short != word else None
    total = 0
    for part, factor in ((match["thousands"], 1000), (match["hundreds"], 100), (match["rest"], 1)):
        if part is not None and (part or factor == 1):
            value = word_value(part) if part else 0
            if value is None:
                return None
            total += value * factor
        elif part is not None:
            total += factor
    return total


def number_words(text: str) -> Counter[Decimal]:
    """What the number words of `text` may mean and how often: each of them alone, and several in a row together."""
    counts: Counter[Decimal] = Counter()
    words = [word for match in WORD.findall(text.casefold()) for word in ([match] if word_value(match) is not None else match.split("-"))]
    row: list[str] = []
    for word in [*words, ""]:
        if value := word_value(word):
            counts[Decimal(value)] += 1
        elif value == 0:
            counts[Decimal(0)] += 1
        if word and (word in FACTORS or word in CARDINALS or value is not None or row and word in POINTS | {"and", "und"}):
            row.append(word)
            continue
        if len(row) > 1 and (together := _row_value(row)) is not None:
            counts[together] += 1
        row = []
    return counts


def _row_value(row: list[str]) -> Decimal | None:
    """two hundred and fifty thousand -> 250,000; three point one four -> 3.14; None if the words are several numbers: zwei drei."""
    total, below, last, digits = 0, 0, 10**12, ""
    in_fraction = False
    for word in row:
        if word in POINTS:
            in_fraction = True
        elif in_fraction:
            value = word_value(word)
            if value is None or value > 9:
                return None
            digits += str(value)
        elif word in ("and", "und"):
            continue
        elif (factor := FACTORS.get(word)) is not None:
            if factor == 100:
                below, last = max(1, below) * 100, 100
            else:
                total, below, last = total + max(1, below) * factor, 0, 10**12
        else:
            value = 1 if word == "a" else word_value(word)
            if value is None or value >= last:
                return None
            below, last = below + value, 10 if 20 <= value < 100 and value % 10 == 0 else 1 if value < 100 else 100
    return Decimal(f"{total + below}.{digits or 0}")
