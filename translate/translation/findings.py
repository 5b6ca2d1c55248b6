"""Flags likely errors in a translation, from the two texts alone: loops, copies of the source, odd lengths, missing numbers.

`translate file --report` writes them. They are only hints: copying a name is right, and a number may be written out.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence

from translate.profile import LengthRatio
from translate.text.numerals import compare_numbers
from translate.text.protected import KINDS, has_items

LONGEST_LOOP = 16  # tokens of the repeated n-gram
REPEATS = 4  # times in a row, and at least twice as many as in the source
ODD_RATIO, ODD_TOKENS = 3.0, 12  # ratio of the longer to the shorter side, if the longer has at least 12 tokens
COPY_WORDS, COPY_SHARE = 4, 0.8

WORD = re.compile(r"[^\W\d_]+")
SIGNS = {  # equivalents of a sign, also in words; not inside a longer word
    "€": "€|eur|euros?",
    "$": r"\$|usd|dollars?",
    "£": "£|gbp|pounds?|pfund",
    "¥": "¥|yen|jpy|yuan",
    "%": "%|percent|per cent|pct|percentages?|prozent",
    "‰": "‰|per mille|promille",
    "°": "°|degrees?|grad",
    "§": "§|sections?|secs?|paragraphs?|articles?|art|para",
    "©": r"©|copyright|\(c\)",
    "®": r"®|\(r\)",
    "™": "™|tm",
}
METRE, KILOMETRE, LITRE, BYTE = "met(?:er|re)s?|metern?", "kilomet(?:er|re)s?|kilometern?", "lit(?:er|re)s?|litern?", "bytes?"
UNITS = {  # equivalents of a unit after a number
    "km/h": rf"km/h|kph|kmh|(?:{KILOMETRE}) (?:per|an|pro) (?:hour|stunde)",
    "km²": f"km²|km2|(?:square |quadrat)(?:km|{KILOMETRE})|sq ?km",
    "m²": f"m²|m2|sqm|(?:square |quadrat)(?:{METRE})",
    "m³": f"m³|m3|(?:cubic |kubik)(?:{METRE})",
    "km": f"km|{KILOMETRE}",
    "cm": f"cm|(?:centi|zenti)(?:{METRE})",
    "mm": f"mm|milli(?:{METRE})",
    "m": f"m|{METRE}",
    "kg": "kg|kilos?|kilogram(?:s|m|me|mes)?",
    "mg": "mg|milligram(?:s|m)?",
    "g": "g|gram(?:s|m|me|mes)?",
    "ml": f"ml|milli(?:{LITRE})",
    "l": f"l|{LITRE}",
    "kWh": "kwh|kilowatt[ -]?hours?|kilowattstunden?",
    "kW": "kw|kilowatts?",
    "MHz": "mhz|megahertz",
    "GHz": "ghz|gigahertz",
    "Hz": "hz|hertz",
    "KB": f"kb|kib|kilo{BYTE}",
    "MB": f"mb|mib|mega{BYTE}",
    "GB": f"gb|gib|giga{BYTE}",
    "TB": f"tb|tib|tera{BYTE}",
    "min": "min|mins?|minutes?|minuten?",
    "h": "h|hrs?|hours?|stunden?",
    "s": "s|secs?|seconds?|sekunden?",
    "k": "k|thousand|tausend",
    "t": "t|tons?|tonnes?|tonnen?",
}
UNIT = re.compile(rf"(?<=\d)[\s\u00a0]?(?P<unit>{'|'.join(sorted(UNITS, key=len, reverse=True))}|kB)(?![\w²³/.])")
NUMERIC = re.compile(rf"[\dIVX{re.escape(''.join(SIGNS))}](?:(?<![IVX])|[IVX])")  # a line without any of these has no number, sign or unit
DIGIT = re.compile(r"\d")
MINUS = re.compile(r"(?<![\w.,)/-])(?<!\d )[-\u2212](?=\d)")


def repeats(tokens: Sequence[object]) -> int:
    """The most consecutive occurrences of an n-gram of up to LONGEST_LOOP tokens: 1 if none repeats, 0 for no tokens."""
    longest = min(1, len(tokens))
    for n in range(1, min(LONGEST_LOOP, len(tokens) // 2) + 1):
        run = 0
        for index in range(n, len(tokens)):
            run = run + 1 if tokens[index] == tokens[index - n] else 0
            longest = max(longest, run // n + 1)
    return longest


def is_loop(source: Sequence[object], output: Sequence[object]) -> bool:
    """Whether `output` repeats itself far more than the source; both in tokens."""
    count = repeats(output)
    return count >= REPEATS and count >= 2 * repeats(source)


def is_copy(source: str, output: str) -> bool:
    """Whether the output has nearly all words of a source of at least COPY_WORDS words; a name alone is not a copy."""
    source_words, output_words = (Counter(WORD.findall(text.casefold())) for text in (source, output))
    common, longer = (source_words & output_words).total(), max(source_words.total(), output_words.total())
    return source_words.total() >= COPY_WORDS and common >= COPY_SHARE * longer


def is_odd_length(source_tokens: int, output_tokens: int, usual: LengthRatio | None = None) -> bool:
    """Whether the output is much longer or shorter than usual: than in training, or ODD_RATIO times if that is not known."""
    if usual and usual.most:
        return not usual.least <= usual.deviation(source_tokens, output_tokens) <= usual.most
    longer, shorter = max(source_tokens, output_tokens), min(source_tokens, output_tokens)
    return longer >= ODD_TOKENS and longer > ODD_RATIO * shorter


def missing(source: str, output: str, languages: tuple[str, str] = ("", "")) -> dict[str, list[str]]:
    """What the source has and the output lacks, by kind; only kinds with something missing. See `differences`."""
    return differences(source, output, languages)[0]


def differences(source: str, output: str, languages: tuple[str, str] = ("", "")) -> tuple[dict[str, list[str]], list[str]]:
    """What the source has and the output lacks, by kind, and numbers that only the output has.

    Compares things that must not change, numbers by value (text/numerals.py), and units and signs, which may also be written in words.
    languages: of source and output; numbers are read as there, or in every way if they are unknown.
    """
    lost: dict[str, list[str]] = {}
    items = has_items(source)
    if not (items or NUMERIC.search(source) or DIGIT.search(output)):
        return lost, []
    if items:
        source, output = (_unescape(text) for text in (source, output))
        for kind, pattern in KINDS.items():
            wanted = [match[0] for match in pattern.finditer(source)] if kind != "signs" else []  # which may also be written in words
            if not wanted:
                continue
            compounds = dict[str, int]()
            remaining = Counter(_key(kind, match[0]) for match in pattern.finditer(output))
            for item in wanted:
                if remaining[_key(kind, item)] > 0:
                    remaining[_key(kind, item)] -= 1
                elif compounds.setdefault(item, len(re.findall(rf"{re.escape(item)}(?=-[^\W\d_])", output))) > 0:
                    compounds[item] -= 1  # a word behind its hyphen looks like a part of it
                else:
                    lost.setdefault(kind, []).append(item)
            source, output = pattern.sub(" ", source), pattern.sub(" ", output)
    numbers = compare_numbers(source, output, *languages)
    if numbers.missing:
        lost["numbers"] = numbers.missing
    if units := missing_units(source, output):
        lost["units"] = units
    return lost, numbers.extra


def _unescape(text: str) -> str:
    return re.sub(r"&(?!(?:lt|gt|amp);)(?:[A-Za-z][A-Za-z0-9]*|#\d{1,7}|#x[0-9a-fA-F]{1,6});", lambda match: html.unescape(match[0]), text)


def _key(kind: str, text: str) -> str:
    """The part of a match that must be equal in both texts; of a tag only its name, since attributes may contain text."""
    if kind == "placeholders":
        return re.sub(r"\s", "", text)
    if kind == "tags":
        return re.sub(r"[\s/]*>|\s.*", "", text, flags=re.DOTALL).casefold()
    if kind == "mentions":  # a hashtag may be a word to translate
        return "#" if text.startswith("#") else text.casefold()
    return text.rstrip("/").replace("\ufe0f", "").replace("\u200d", "")


def missing_units(source: str, output: str) -> list[str]:
    """Units, signs and the minus of `source` that `output` lacks, also in words."""
    wanted = Counter({sign: source.count(sign) for sign in SIGNS if sign in source})
    wanted.update(match["unit"].replace("kB", "KB") for match in UNIT.finditer(source))
    lost = []
    for sign, count in wanted.items():
        present = len(re.findall(rf"(?<![^\W\d_])(?:{SIGNS.get(sign) or UNITS[sign]})(?![^\W\d_])", output, re.IGNORECASE))
        lost += [sign] * min(count - present, count)
    if MINUS.search(source) and not re.search(r"[-\u2212–]\s?\d|\b(?:minus|negative|below|unter)\b", output, re.IGNORECASE):
        lost.append("-")
    return lost
