"""Is a text in the language that a model reads, in the one that it writes, or in another?

py3langid answers: naive Bayes over byte n-grams, after Lui and Baldwin 2012, "langid.py: An Off-the-shelf Language Identification Tool". It takes
half a second to load and some 40 µs a text, so the common words of the model's own language are looked up first.
"""

from __future__ import annotations

import copy
import functools
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from translate.errors import UserError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

TARGET, OTHER = "target language", "other language"
UNKNOWN = "und"  # ISO 639-2: undetermined

# What a text may be in, besides the model's two languages. Among all that py3langid knows, unlikely ones are often the closest to an odd line.
WIDESPREAD = tuple(
    """af ar bg bn ca cs da de el en es et eu fa fi fr ga gl he hi hr hu hy id it ja ka ko lt lv mk ms nl no pl pt ro ru sk sl sq sr sv sw ta th
    tl tr uk vi zh""".split()
)
SAME = {"nb": "no", "iw": "he", "in": "id", "ji": "yi", "cmn": "zh", "fil": "tl"}  # other codes of some languages

# Common words. A text with several of them, one of which few other languages have, needs no further look.
COMMON_WORDS = {
    "de": frozenset(
        """aber allen andere anderen anderer auch auf aus beide beiden beim bereits bis bitte dabei dafür damit dann darauf darf dass davon dazu daß
        deine deinen denn deren dich diese diesem diesen dieser dieses doch dort drei durch ein eine einem einen einer eines einige einmal etwas
        euch euer frau frauen fünf für ganz gegen geht gerade gibt habe haben hallo halten hatte hatten heute hinter hält ihm ihn ihnen ihr ihre
        ihrem ihren ihrer im immer ist jahr jahre jahren jede jedem jeden jeder jedoch jetzt junge kann kannst kein keine keinen keiner kinder kommt
        konnte können könnte lang leute machen macht mann mehr mehrere mein meine meinen meiner menschen mich mir mit muss musste mädchen männer
        möchte müssen nachdem neben nein nicht nichts noch nur ob oder ohne paar schon sehr sein seine seinem seinen seiner seit sich sie sieht sind
        sitzen sitzt soll sollen sollte sondern sowie stehen steht tragen trägt uhr und uns unser unsere unter viel viele vielen vier vom von wann
        warum weil welche wenn wer werde werden wie wieder wir wird wirklich wo wurde wurden während wäre würde zeit zu zum zur zurück zusammen
        zwei zwischen über
        """.split()
    ),
    "en": frozenset(
        """about after again against all also although always another any anything are around away because been before behind being between both but
        by can can't cannot children could did didn't different does doesn't doing don't during each either ever every everything few first four
        from get going good had has have having he her here him his holding how however i'll i'm i've if into it it's its just know large like
        little looking made man many may men might more most much must my never next not nothing now off often only or other our out own
        people please quite said says several she should since sitting some someone something standing still such take than that that's the their
        them then there these they they're thing things think this those three through today together too two until up upon us using very walking
        want wearing well were what when where whether which while white who whose why will with without woman women would year years yes yet you
        you're young your
        """.split()
    ),
}
SHARED_WORDS = {
    "de": frozenset("alle alles als am an bei da das dem den der des die er es hat hier ich in ja man nach so um vor war was will".split()),
    "en": frozenset("a an and as at be do down for i in is me no of on one over so to under was we".split()),
}
LETTERS = {"de": "äöüßÄÖÜẞ"}  # besides those of English
FEWEST = 3  # words that a verdict needs
FAMILIAR, SHARE = 2, 5  # so many of them common in the source language, and one in so many: no further look
SHORT = 7  # words of a text that needs only one of them, if nothing else in it is odd
# Differences of log-probabilities, of the best language and the model's own. Of words in lower case alone, lest names decide, half of it.
MARGIN = {TARGET: 10.0, OTHER: 15.0}
LONGEST = 1000  # characters that are looked at
ENOUGH, MOST = 200, 0.95  # characters that tell a language nearly for certain; share of them, and of the lines, that are in the language of a corpus

_NO_LATIN = re.compile("[\u0370-\u1dff\u2c80-\ua63f\ua800-\ud7ff]{2,}")
# Nothing that is written like an address, a path, a placeholder or code
_WORD = re.compile(r"(?<![\w@/\\#&%$.:={}<_-])[^\W\d_]+(?:['’-][^\W\d_]+)*(?![\w@/\\({=_]|[.:][^\W_])")


def language_code(name: str) -> str:
    """The code of a language, as py3langid has it: de_DE -> de, nb -> no. UNKNOWN for one that it doesn't know."""
    code = re.split("[-_]", name.strip().lower())[0]
    code = SAME.get(code, code)
    return code if code in WIDESPREAD or code in _identifier(()).labels else UNKNOWN  # no need to load the model for most


@functools.lru_cache
def _identifier(languages: tuple[str, ...]) -> LanguageIdentifier:
    """py3langid's model, for some languages or for all of them; loaded on first use."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    if not languages:
        try:
            return LanguageIdentifier.from_model_file(MODEL_FILE)
        except OSError as error:  # it is unpacked to a temporary file
            raise UserError(f"{tempfile.gettempdir()} cannot be written ({error.strerror or error}): py3langid unpacks its model there") from None
    identifier = copy.copy(_identifier(()))
    identifier.set_languages(list(languages))
    return identifier


def text_language(lines: Sequence[str], expected: str) -> str:
    """The language that nearly all of `lines` are in, at best a few hundred of them; UNKNOWN if there is none.

    expected: a code, as `language_code` gives it. A language that py3langid does not know is taken for the likeliest one that it does.
    """
    own = LanguageJudge(expected, UNKNOWN)
    if 2 * sum(own.is_plain(line.lower().split(), line) for line in lines) > len(lines):
        return expected
    identifier, votes, chunk = _identifier(own.languages), Counter[str](), ""
    for line in lines:
        chunk = f"{chunk} {line}"[-LONGEST:]
        if len(chunk) >= ENOUGH:
            votes[identifier.classify(chunk)[0]] += 1
            chunk = ""
    if not votes:
        return UNKNOWN
    language, most = votes.most_common(1)[0]
    if most < MOST * votes.total():
        return UNKNOWN
    judge = LanguageJudge(language, UNKNOWN)
    return language if sum(bool(judge.foreign(line)) for line in lines) <= (1 - MOST) * len(lines) else UNKNOWN


class LanguageJudge:
    """Finds the texts that a model from one language to another should not get."""

    def __init__(self, source: str, target: str) -> None:
        """source, target: codes of the model's languages, as `language_code` gives them."""
        self.source, self.target = source, target
        self.languages = tuple(sorted({*WIDESPREAD, source, target} - {UNKNOWN}))
        self.own = COMMON_WORDS.get(source, frozenset())
        self.common = self.own | SHARED_WORDS.get(source, frozenset())
        self.others = COMMON_WORDS.get(target, frozenset())
        self.odd_letter = re.compile(f"[^\\W\\d_a-zA-Z{LETTERS.get(source, '')}]")

    def foreign(self, text: str) -> str:
        """TARGET for a text in the target language, OTHER for one in a third language; "" for the source language, or where it isn't certain.

        A text of one or two words is never certain, except in a script that the source language is not written in.
        """
        words = text.lower().split()
        if self.is_plain(words, text):
            return ""
        if len(words) < FEWEST and (text.isascii() or not _NO_LATIN.search(text)):
            return ""
        return self._judge(text[:LONGEST])

    def may_follow(self, text: str) -> bool:
        """Whether a text that is too short for `foreign` may be taken for foreign beside a text that is."""
        words = re.findall(r"[^\W\d_]+", text.lower())
        return len(words) <= SHORT and self.common.isdisjoint(words) and self.best(" ".join(words))[1] > MARGIN[TARGET] / 2

    def is_plain(self, words: Sequence[str], text: str) -> bool:
        """Whether a text is in the source language beyond doubt. words: its words, in lower case. False where its common words aren't known."""
        common = self.common.intersection(words)
        if common.isdisjoint(self.own):
            return False
        if len(common) >= FAMILIAR:
            return len(common) * SHARE >= len(words)
        return len(words) <= SHORT and self.others.isdisjoint(words) and not self.odd_letter.search(text)

    def _judge(self, text: str) -> str:
        words = _WORD.findall(text)
        joined = " ".join(words)
        if joined.isupper():
            words, joined = joined.lower().split(), joined.lower()
        longer = sum(len(word) > 1 for word in words)
        if (longer < FEWEST or 2 * longer < len(words)) and not _NO_LATIN.search(joined):  # a name that is spelled out isn't Welsh
            return ""
        language, margin = self.best(joined)
        kind = TARGET if language == self.target else OTHER
        if margin <= MARGIN[kind]:
            return ""
        plain = [word for word in words if not word[0].isupper()]
        if len(plain) < len(words) and not _NO_LATIN.search(joined):
            if len(plain) < 2 or self.best(" ".join(plain))[1] <= MARGIN[kind] / 2:
                return ""
        return kind

    def best(self, text: str) -> tuple[str, float]:
        """The likeliest language, and by how much its log-probability is above that of the source language."""
        ranked = _identifier(self.languages).rank(text)
        return ranked[0][0], ranked[0][1] - dict(ranked)[self.source]
