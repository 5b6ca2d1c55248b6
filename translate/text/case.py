"""Text in capitals, and Titles Like This, translated as if in normal case, and given back in capitals.

The normal case of a word is that of the training text (`case_statistics`). A model without these statistics has its tokenizer's vocabulary: the
form that is made of fewer and more frequent pieces is the usual one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from translate.text.protected import find_items
from translate.text.tracked import Tracked

Cost = Callable[[list[str]], list[float]]

# with the apostrophe of "don't"; without words that touch a digit or, inside, a full stop: AB12, z.B., STABW.S
WORD = re.compile(r"(?<!\w)(?<!\w\.)[^\W\d_]+(?:['’][^\W\d_]+)*(?!\w|\.\w)")
STARTS = re.compile(r"(?:^|[.!?:…]\s|[\"„“»«‚‘(]|[–—]\s)\W*[^\W\d_]+(?:['’][^\W\d_]+)*")  # up to the first word of a sentence
ROMAN = re.compile(r"(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})")
UPPER = "A-ZÀ-ÖØ-ÞΑ-ΫЀ-Я"
CAPITALS = re.compile(f"[{UPPER}][{UPPER}][{UPPER}]")  # faster than {3}
LOWER = re.compile(" [a-zß-öø-ÿ]{4}")  # most lines have it, but no title; the next one finds it in the rest
ANY_LOWER = re.compile(r"(?:^|[\s\"„“(])[a-zß-öø-ÿά-ώа-џ]{4}")
SHORTEST_SUFFIX, SHORTEST_REST = 4, 2  # letters of a compound's last part, and of what stands before it
LONG, EMPHASIS = 5, 4  # letters: abbreviations are shorter; a single word for emphasis has at least
NAMES = {"MAN", "ALS", "BIS"}  # of a company, a disease, a bank
CACHED = 100_000
PART = re.compile(rf"-[{UPPER}]")  # E-Mail, but not blau-weiß
OPENING = " \"„“‚'«»("
BEFORE_START = tuple(".:!?…–—/|;([•·→>")  # what a title begins anew after

# Words of a language that are never nouns. Sentences often begin with them, so a vocabulary has them with a capital, too.
FUNCTION_WORDS = {
    "de": frozenset(
        """der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner und oder aber denn sondern weil dass wenn ob als
        wie ich du er sie es wir ihr ihn ihm ihnen uns euch mich mir dich dir sich man mein meine meinen dein deine sein seine seinen seinem seiner
        ihre ihren ihrem ihrer unser unsere dieser diese dieses diesem diesen jener jede jeder jedes jeden alle allen aller viele vielen einige
        einigen mehrere mehreren manche beide beiden wer was wo wann warum wohin woher welche welcher welches in im an am auf aus bei beim mit nach
        seit von vom zu zum zur durch für gegen ohne um über unter vor hinter neben zwischen während wegen trotz bis ab entlang gegenüber ist sind
        war waren bin bist wird werden wurde wurden hat haben hatte hatten kann können konnte muss müssen soll sollen will wollen darf dürfen nicht
        nur auch noch schon sehr so da dort hier nun jetzt dann heute immer nie niemals mal doch ja nein bitte zwei drei vier fünf sechs sieben acht
        neun zehn elf zwölf""".split()
    ),
    "en": frozenset(
        """the a an and or but of to for with by from at on in is are was were be been has have had do does did not never always only very this that
        these those it he she they we you his her its their our your my who what when where why how which as if than then into over under can must
        will would should no all""".split()
    ),
}
# endings of German words that are not nouns, and of nouns that would be mistaken for one of those
SURE = re.compile(r"(?:lich|ig|isch|bar|sam|los|haft|weise|wärts|iert|en|te|ten|end)(?:e[nmrs]?)?\Z")
VOWEL = re.compile("[aeiouyäöüà-öø-ÿα-ωа-я]")
NO_NOUN = re.compile(r"(?:[^aeiouäöü]e[nmrs]?|t|te|ten|test|end|lich|ig|isch|bar|sam|los|haft|weise|wärts|ern|eln|iert)\Z")
NOUN = re.compile(r"(?:(?:ung|heit|keit|schaft|ion|or|in)(?:e?n|nen)?|tät|ling|ismus|chen|lein|nis|tum|er|ik|ei|e)\Z")
POLITE = frozenset("Sie Ihr Ihre Ihren Ihrem Ihrer Ihres Ihnen Du Dich Dir Dein Deine Deinen Deinem Deiner Euch Euer Eure".split())
SMALL = frozenset("a an and as at but by for from in nor of off on or per the to up via vs with".split())  # in English titles


class CaseModel:
    """The normal case of words."""

    def __init__(self, cases: Mapping[str, str], cost: Cost | None = None, language: str = "de") -> None:
        """cases: of `case_statistics`; may be empty. cost: of each word, the whole part its number of pieces, the rest less for frequent ones."""
        self.cases, self.cost, self.nouns = cases, cost, language == "de"
        self.function_words = FUNCTION_WORDS.get(language, frozenset())
        self._known: dict[str, tuple[str, bool]] = {}

    def plan(self, text: Tracked) -> tuple[Tracked, str]:
        """A sentence as the model should get it, and the style that its translation gets back from `restore`.

        Styles: "upper" for a sentence in capitals, "title" where every word begins with one, "headline" where all but the small words do,
        "emphasis" where single words are in capitals, which get them back by `restore_emphasis`; "" for any other.
        """
        line = text.text
        capitals, title = CAPITALS.search(line), not LOWER.search(line) and not ANY_LOWER.search(line)
        if not (capitals or title):
            return text, ""
        words = _words(line)
        shouted = [match for match in words if _is_upper(match[0])]
        mixed = sum(len(match[0]) > 1 for match in words) - len(shouted)
        if capitals and shouted and 6 * mixed <= len(shouted):
            return self._from_capitals(text, words, shouted)
        text, style = self._from_title(text, words) if title else (text, "")
        if style or not capitals:
            return text, style
        plain = self._from_emphasis(text, shouted)
        return plain, "" if plain is text else "emphasis"

    def _from_capitals(self, text: Tracked, words: Sequence[re.Match[str]], shouted: Sequence[re.Match[str]]) -> tuple[Tracked, str]:
        forms = [self.form(match[0]) for match in shouted]
        known = sum(known and len(form) >= EMPHASIS - (len(forms) > 2) for form, known in forms if not form.isupper())
        if 2 * known < len(forms) and all(len(form) < LONG or form.isupper() for form, _ in forms):
            return text, ""  # abbreviations and codes
        normal = dict(zip((match.start() for match in shouted), (form for form, _ in forms)))
        edits = []
        for match in words:
            before, after = text.text[match.start() - 1 : match.start()], text.text[match.end() : match.end() + 1]
            form = normal.get(match.start())
            if form is None and len(match[0]) == 1 and "-" not in (before, after):  # T-SHIRT keeps its T
                form = self.form(match[0])[0]
            if form is None or ROMAN.fullmatch(match[0]):
                continue
            edits.append((match, form[:1].upper() + form[1:] if match is words[0] else form))
        return _edited(text, edits), "upper"

    def _from_emphasis(self, text: Tracked, shouted: Sequence[re.Match[str]]) -> Tracked:
        edits, begin = [], len(text) - len(text.text.lstrip(OPENING))
        for match in shouted:
            if text.text[match.end() : match.end() + 1] == "(" or text.text[: match.start()].endswith("="):
                continue  # a function of a spreadsheet
            if form := self._emphasised(match[0]):
                edits.append((match, form if match.start() > begin else form[:1].upper() + form[1:]))
        return _edited(text, edits)

    def _emphasised(self, word: str) -> str:
        """The normal form of a word for emphasis; "" for what may be an abbreviation, a name or part of a program."""
        form, known = self.form(word)
        key = fold_case(word)
        if form.islower() and key in self.function_words:
            return form if len(word) >= EMPHASIS or (len(word) == EMPHASIS - 1 and word not in NAMES) else ""
        if len(word) < EMPHASIS or form.isupper():
            return ""
        if form.islower() and known and len(word) > EMPHASIS and self.nouns and SURE.search(form):
            return form
        if self.cost is None:
            return form if self.nouns and form.istitle() and key in self.cases else ""
        usual, upper = map(int, self.cost([form, word]))
        sure = (len(word) >= LONG and VOWEL.search(key)) or key in self.cases or (self.nouns and form.istitle() and known)
        return form if sure and usual < upper else ""

    def _from_title(self, text: Tracked, words: Sequence[re.Match[str]]) -> tuple[Tracked, str]:
        line = text.text
        small = any(match[0].islower() and line[match.start() - 1 : match.start()] != "-" for match in words)
        if len(words) < 3 or (small and self.nouns):
            return text, ""
        inner = [match for match in words[1:] if not line[max(0, match.start() - 9) : match.start()].rstrip(OPENING[:-1]).endswith(BEFORE_START)]
        alone = [match for match in inner if line[match.start() - 1] != "-" and not PART.match(line, match.end())]
        capitalised = [match for match in alone if match[0][0].isupper() and match[0][1:].islower() and match[0] not in POLITE]
        lowered = [(match, form) for match in capitalised if (form := self._inside_title(match[0])) != match[0]]
        function_words = sum(form in self.function_words for _, form in lowered)
        known = sum(self.form(form)[1] for _, form in lowered)
        if max(2 * function_words, known) < 2 + 2 * small or 4 * len(lowered) < len(inner):
            return text, ""  # names, and nouns with their adjective at the start
        return _edited(text, lowered), "headline" if small else "title"

    def _inside_title(self, word: str) -> str:
        form, _ = self.form(word)
        return form if form.islower() and len(form) == len(word) else word

    def form(self, word: str) -> tuple[str, bool]:
        """The usual form of a word away from sentence starts, and whether it is known, or only a guess."""
        key = fold_case(word)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= CACHED:
                self._known.clear()
            found = self._known[key] = self._look_up(key)
        return found

    def _look_up(self, key: str) -> tuple[str, bool]:
        guess = predict_case(key, self.cases)
        sure = key in self.cases
        if not sure and key in self.function_words:
            return key, True
        if not (sure or VOWEL.search(key)):
            return key.upper(), True
        if sure or guess[:1].isupper() or self.cost is None:
            return guess, sure
        lowers = _with_sharp_s(key)
        capitals = [form[:1].upper() + form[1:] for form in lowers]
        costs = dict(zip([*lowers, *capitals, key.upper()], self.cost([*lowers, *capitals, key.upper()])))
        lower, capital = (min(forms, key=lambda form: int(costs[form])) for forms in (lowers, capitals))
        best = capital if not self.cases and self._is_noun(lower, costs[lower], costs[capital]) else lower
        if int(costs[key.upper()]) < int(costs[best]):
            return key.upper(), True
        return best, costs[best] < 2

    def _is_noun(self, word: str, lower: float, capital: float) -> bool:
        """Whether a word is written with a capital, from the costs of both forms. In German a tie is decided by its ending."""
        if int(lower) != int(capital) or not self.nouns:
            return capital < lower if self.nouns else int(capital) < int(lower)
        return int(capital) == 1 or not NO_NOUN.search(word) or NOUN.search(word) is not None

    @staticmethod
    def restore(text: str, style: str, kept: Sequence[tuple[int, int]] = ()) -> str:
        """A translation in the style of its source, as found by `plan`. kept: spans whose case stays, in order, such as those of addresses."""
        if style in ("", "emphasis"):
            return text
        change = str.upper if style == "upper" else _title if style == "title" else _headline
        parts, position = [], 0
        for begin, end in kept:
            parts += [change(text[position:begin]), text[begin:end]]
            position = end
        return "".join([*parts, change(text[position:])])


def case_statistics(lines: Iterable[str], most: int) -> dict[str, str]:
    """Folded word -> its usual form in the `lines` of one language, away from sentence starts, for at most `most` of the most frequent words.

    Only where `predict_case` would be wrong without the entry: most words in lower case have none, and most compounds none either.
    """
    forms: Counter[str] = Counter()
    for line in lines:
        if LOWER.search(line) or ANY_LOWER.search(line):  # a heading says nothing about its words
            forms.update(WORD.findall(STARTS.sub(" ", line)))
            if len(forms) > 20 * most:  # enough to find the most frequent ones in any text
                forms = Counter(dict(forms.most_common(10 * most)))
    usual: dict[str, tuple[int, str]] = {}
    for form, count in forms.items():
        key = fold_case(form)
        usual[key] = max(usual.get(key, (0, "")), (count, form))
    cases: dict[str, str] = {}
    for key in sorted(usual, key=lambda key: (len(key), key)):  # last parts before their compounds
        if predict_case(key, cases) != usual[key][1]:
            cases[key] = usual[key][1]
    if len(cases) > most:
        cases = {key: cases[key] for key in sorted(sorted(cases, key=lambda key: (-usual[key][0], key))[:most])}
    return cases


def predict_case(key: str, cases: Mapping[str, str]) -> str:
    """The form of a folded word: that in `cases`, else after the longest last part in it (German writes compounds as their last part), else lower."""
    form = cases.get(key)
    if form is not None:
        return form
    for begin in range(SHORTEST_REST, min(len(key) - SHORTEST_SUFFIX, 60) + 1):
        form = cases.get(key[begin:])
        if form is not None and not form.isupper():
            return (key[:begin].capitalize() if form[0].isupper() else key[:begin]) + form.lower()
    return key


def fold_case(word: str) -> str:
    """One key for all forms of a word: straße, Straße, STRASSE and STRAßE are `strasse`."""
    return word.lower().upper().lower()


def _words(line: str) -> list[re.Match[str]]:
    """The words outside of addresses, placeholders and the like."""
    words, items = [], find_items(line)
    following = 0
    for match in WORD.finditer(line):
        while following < len(items) and items[following].end <= match.start():
            following += 1
        if following == len(items) or match.end() <= items[following].begin:
            words.append(match)
    return words


def _is_upper(word: str) -> bool:
    return len(word) > 1 and word.replace("ß", "").isupper()


def _with_sharp_s(key: str) -> list[str]:
    """`strasse` and `straße`, since capitals don't tell; the first two places of a word."""
    forms = [key]
    for match in list(re.finditer("ss", key))[1::-1]:
        forms += [form[: match.start()] + "ß" + form[match.end() :] for form in forms]
    return forms


def _edited(text: Tracked, forms: Iterable[tuple[re.Match[str], str]]) -> Tracked:
    return text.replace([(*match.span(), form) for match, form in forms if form != match[0]])


def _title(text: str) -> str:
    """Each word with a capital; capitals inside, as in McDonald, stay."""
    return WORD.sub(lambda match: match[0][0].upper() + match[0][1:], text)


def _headline(text: str) -> str:
    first = True

    def change(match: re.Match[str]) -> str:
        nonlocal first
        small, first = match[0] in SMALL and not first, False
        return match[0] if small else match[0][0].upper() + match[0][1:]

    return WORD.sub(change, text)
