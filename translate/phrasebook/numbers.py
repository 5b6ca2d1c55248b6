"""Numbers, ordinals, times of day, dates and prices, in German and English. Each function returns (German, English)."""

from __future__ import annotations

GERMAN = "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn".split()
GERMAN_TENS = ". . zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
ENGLISH_TENS = ". . twenty thirty forty fifty sixty seventy eighty ninety".split()
MONTHS = (
    ("Januar", "January"), ("Februar", "February"), ("März", "March"), ("April", "April"), ("Mai", "May"), ("Juni", "June"),
    ("Juli", "July"), ("August", "August"), ("September", "September"), ("Oktober", "October"), ("November", "November"), ("Dezember", "December"),
)  # fmt: skip
_ENGLISH_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}


def cardinal(number: int) -> tuple[str, str]:
    """0 to 100 in words; 1 is `eins`, as in counting."""
    if number < 20:
        return GERMAN[number], ENGLISH[number]
    if number == 100:
        return "hundert", "a hundred"
    tens, units = divmod(number, 10)
    if not units:
        return GERMAN_TENS[tens], ENGLISH_TENS[tens]
    german_units = "ein" if units == 1 else GERMAN[units]
    return f"{german_units}und{GERMAN_TENS[tens]}", f"{ENGLISH_TENS[tens]}-{ENGLISH[units]}"


def ordinal(number: int) -> tuple[str, str]:
    """1 to 99; the German without its ending: `dritt`, to which the declension adds -e or -en."""
    german, english = cardinal(number)
    stem = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}.get(number) or german + ("t" if number < 20 else "st")
    head, dash, last = english.rpartition("-")
    last = _ENGLISH_ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return stem, head + dash + last


def clock(hour: int, minute: int) -> tuple[str, str]:
    """A time of day as spoken, to five minutes: 7:30 is (halb acht, half past seven)."""
    following = hour % 12 + 1
    german, english = GERMAN[hour], ENGLISH[hour]
    german_next, english_next = GERMAN[following], ENGLISH[following]
    if minute == 0:
        return f"{'ein' if hour == 1 else german} Uhr", f"{english} o'clock"
    if minute == 30:
        return f"halb {german_next}", f"half past {english}"
    if minute == 25:
        return f"fünf vor halb {german_next}", f"twenty-five past {english}"
    if minute == 35:
        return f"fünf nach halb {german_next}", f"twenty-five to {english_next}"
    distance = minute if minute < 30 else 60 - minute
    words = ("Viertel", "a quarter") if distance == 15 else cardinal(distance)
    if minute < 30:
        return f"{words[0]} nach {german}", f"{words[1]} past {english}"
    return f"{words[0]} vor {german_next}", f"{words[1]} to {english_next}"


def day_in_words(day: int, month: int) -> tuple[str, str]:
    stem, english = ordinal(day)
    return f"der {stem}e {MONTHS[month - 1][0]}", f"the {english} of {MONTHS[month - 1][1]}"


def day_in_figures(day: int, month: int) -> tuple[str, str]:
    return f"am {day}. {MONTHS[month - 1][0]}", f"on {day} {MONTHS[month - 1][1]}"


def price(amount: str) -> tuple[str, str]:
    """`3.50` is (3,50 Euro, 3.50 euros); `12` is (12 Euro, 12 euros); `1` is (1 Euro, 1 euro)."""
    return f"{amount.replace('.', ',')} Euro", f"{amount} {'euro' if amount == '1' else 'euros'}"
