"""German inflection: noun phrases, pronouns, verbs.

The tables follow the Duden grammar: an adjective is strong where the determiner does not show the case, else weak.
"""

from __future__ import annotations

from functools import cache

from translate.phrasebook.lexicon import Adjective, Adverbial, Noun, Verb
from translate.phrasebook.meaning import ACCUSATIVE, TWO_WAY, Nominal, Phrase, Prepositional, Quality
from translate.phrasebook.numbers import cardinal

CASES = {"nom": 0, "acc": 1, "dat": 2, "gen": 3}
DEFINITE = {
    "m": ("der", "den", "dem", "des"),
    "f": ("die", "die", "der", "der"),
    "n": ("das", "das", "dem", "des"),
    "p": ("die", "die", "den", "der"),
}
STRONG = {"m": ("er", "en", "em", "es"), "f": ("e", "e", "er", "er"), "n": ("es", "es", "em", "es"), "p": ("e", "e", "en", "er")}
DER_WORDS = {"dieser": "dies", "jeder": "jed", "welcher": "welch"}
EIN_WORDS = {
    "ein": "ein",
    "kein": "kein",
    "mein": "mein",
    "dein": "dein",
    "sein": "sein",
    "ihr": "ihr",
    "unser": "unser",
    "euer": "eur",
    "ihr+": "ihr",
    "Ihr": "Ihr",
}
PRONOUNS = {
    "ich": ("ich", "mich", "mir"), "du": ("du", "dich", "dir"), "er": ("er", "ihn", "ihm"), "sie": ("sie", "sie", "ihr"), "es": ("es", "es", "ihm"),
    "wir": ("wir", "uns", "uns"), "ihr": ("ihr", "euch", "euch"), "sie+": ("sie", "sie", "ihnen"), "Sie": ("Sie", "Sie", "Ihnen"),
    "wer": ("wer", "wen", "wem"), "was": ("was", "was", "was"), "das": ("das", "das", "dem"),
}  # fmt: skip
REFLEXIVE = {"ich": "mich", "du": "dich", "wir": "uns", "ihr": "euch"}  # all others: sich
PERSONS = {"ich": 0, "du": 1, "wir": 3, "ihr": 4, "sie+": 5, "Sie": 5, "sie+:it": 5}  # all others: 2
POSSESSIVE = {"ich": "mein", "du": "dein", "er": "sein", "sie": "ihr", "es": "sein", "wir": "unser", "ihr": "euer", "sie+": "ihr+", "Sie": "Ihr"}
CONTRACTIONS = {
    "in dem": "im", "in das": "ins", "an dem": "am", "an das": "ans", "zu dem": "zum", "zu der": "zur", "von dem": "vom", "bei dem": "beim",
}  # fmt: skip
PRESENT: dict[str, tuple[str, ...]] = {
    "sein": ("bin", "bist", "ist", "sind", "seid", "sind"), "haben": ("habe", "hast", "hat", "haben", "habt", "haben"),
    "werden": ("werde", "wirst", "wird", "werden", "werdet", "werden"), "wissen": ("weiß", "weißt", "weiß", "wissen", "wisst", "wissen"),
    "können": ("kann", "kannst", "kann", "können", "könnt", "können"), "müssen": ("muss", "musst", "muss", "müssen", "müsst", "müssen"),
    "dürfen": ("darf", "darfst", "darf", "dürfen", "dürft", "dürfen"), "wollen": ("will", "willst", "will", "wollen", "wollt", "wollen"),
    "mögen": ("mag", "magst", "mag", "mögen", "mögt", "mögen"),
}  # fmt: skip
# sollen is always advice: solltest, should; möchten and könnten, subjunctives, are separate verbs
_PAST_STEMS = {
    "sein": "war", "haben": "hatte", "können": "konnte", "müssen": "musste", "dürfen": "durfte", "wollen": "wollte", "sollen": "sollte",
    "möchten": "möchte", "könnten": "könnte",
}  # fmt: skip
PRETERITE = {
    verb: tuple(stem + ending for ending in (("", "st", "", "en", "t", "en") if stem == "war" else ("", "st", "", "n", "t", "n")))
    for verb, stem in _PAST_STEMS.items()
}  # fmt: skip
for _verb in ("sollen", "möchten", "könnten"):
    PRESENT[_verb] = PRETERITE[_verb]


def determiner(word: str, case: str, gender: str) -> str:
    """`word` is a key of meaning.DETERMINERS or kein; gender is m, f, n or p for any plural."""
    if word == "0" or (word == "ein" and gender == "p"):
        return ""
    if word == "wieviele":
        return "wie viele"
    if word == "der":
        return DEFINITE[gender][CASES[case]]
    if word in DER_WORDS:
        return DER_WORDS[word] + STRONG[gender][CASES[case]]
    if _without_ending(case, gender):
        return "euer" if word == "euer" else EIN_WORDS[word]
    return EIN_WORDS[word] + STRONG[gender][CASES[case]]


def _without_ending(case: str, gender: str) -> bool:
    """Whether ein, kein and mein have no ending."""
    return (case == "nom" and gender in "mn") or (case == "acc" and gender == "n")


def adjective_ending(word: str, case: str, gender: str) -> str:
    """Weak where the determiner shows the case, strong where it does not: dem alten, ein altes, altes."""
    shows_case = (
        word == "der" or word in DER_WORDS or (word in EIN_WORDS and not (word == "ein" and gender == "p") and not _without_ending(case, gender))
    )
    if shows_case:
        return "e" if (case == "nom" and gender != "p") or (case == "acc" and gender in "fn") else "en"
    return "en" if case == "gen" and gender in "mn" else STRONG[gender][CASES[case]]


def adjective_stem(adjective: Adjective, degree: int) -> str:
    return (adjective.stem, adjective.comparative, adjective.superlative)[degree]


def noun_form(noun: Noun, case: str, plural: bool) -> str:
    if plural:
        return noun.plural + ("n" if case == "dat" and noun.plural[-1] not in "ns" else "")
    if case == "gen" or (case != "nom" and noun.weak):
        return noun.genitive
    return noun.german


@cache
def phrase(item: Nominal, case: str, negative: bool = False) -> str:
    """A noun phrase or pronoun in `case`; `negative` turns ein and no article into kein."""
    if isinstance(item, Adverbial):
        return item.german
    if isinstance(item, str):
        return PRONOUNS[item.split(":")[0]][CASES[case]]
    plural = item.plural or item.noun.plural_only
    gender = "p" if plural else item.noun.gender
    word = "kein" if negative and item.determiner in ("0", "ein") else item.determiner
    words = []
    if item.quantity > 1:
        words.append(cardinal(item.quantity)[0])
    else:
        words.append(determiner(word, case, gender))
    if item.adjective:
        words.append(adjective_stem(item.adjective, item.degree) + adjective_ending(word, case, gender))
    if item.noun.proper:
        words.append(item.noun.genitive if item.noun.weak and case != "nom" else item.noun.german)
    else:
        words.append(noun_form(item.noun, case, plural))
    if item.content:
        words.append(phrase(item.content, "nom"))
    if item.owner and item.owner.noun.proper:
        return " ".join([item.owner.noun.genitive, *filter(None, words[1:])])
    if item.owner:
        words.append(phrase(item.owner, "gen"))
    return " ".join(filter(None, words))


@cache
def prepositional(item: Prepositional, towards: bool) -> str:
    """`towards`: a two-way preposition takes the accusative (auf den Tisch) rather than the dative (auf dem Tisch)."""
    accusative = item.preposition in ACCUSATIVE or (item.preposition in TWO_WAY and towards)
    return join(item.preposition, item.phrase, "acc" if accusative else "dat")


@cache
def join(preposition: str, item: Nominal, case: str) -> str:
    """Preposition and phrase, contracted (zum Arzt), worauf and darauf for things."""
    if item == "was" or (isinstance(item, str) and ":" in item):
        return ("wo" if item == "was" else "da") + ("r" if preposition[0] in "aeiouäöü" else "") + preposition
    text = phrase(item, case)
    start, _, rest = text.partition(" ")
    short = CONTRACTIONS.get(f"{preposition} {start}")
    return f"{short} {rest}" if short and isinstance(item, Phrase) else f"{preposition} {text}"


@cache
def quality(item: Quality, negative: bool = False) -> str:
    adjective = adjective_stem(item.adjective, 1) if item.comparative else item.adjective.german
    words = [item.intensifier, adjective]
    if item.than is not None:
        words = [item.intensifier, *(["", adjective, "als"] if item.comparative else ["so", adjective, "wie"]), phrase(item.than, "nom")]
    return " ".join(filter(None, words))


def person(subject: object) -> int:
    """0 to 5: ich du er wir ihr sie."""
    if isinstance(subject, Phrase):
        return 5 if subject.plural or subject.noun.plural_only else 2
    return PERSONS.get(subject, 2) if isinstance(subject, str) else 2


@cache
def present(verb: Verb, number: int) -> str:
    """Present of the verb without its prefix: (ankommen, 2) is `kommt`."""
    if verb.infinitive in PRESENT:
        return PRESENT[verb.infinitive][number]
    stem = verb.stem.removesuffix("n").removesuffix("e")
    if number in (3, 5):
        return verb.stem
    if number == 0:
        return stem + "e"
    if number == 1 and verb.du:
        return verb.du
    if number == 2 and verb.er:
        return verb.er
    link = "e" if stem[-1] in "dt" or (stem[-1] in "mn" and stem[-2] not in "aeiouäöülrhmn") else ""
    if number == 1:
        return stem + (link + "st" if stem[-1] not in "sßxz" else "t")
    return stem + link + "t"


def imperative(verb: Verb, subject: str) -> str:
    """Without the prefix: mach, macht, machen Sie."""
    if subject == "Sie":
        return f"{verb.stem if verb.infinitive != 'sein' else 'seien'} Sie"
    return verb.imperative if subject == "du" else present(verb, 4)


def relative(item: Phrase, case: str) -> str:
    """The relative pronoun for a phrase: der, den, die, das."""
    return DEFINITE["p" if item.plural or item.noun.plural_only else item.noun.gender][CASES[case]]


def with_zu(verb: Verb) -> str:
    """The infinitive with zu: zu lesen, einzukaufen, spazieren zu gehen."""
    return f"{verb.prefix}zu {verb.stem}" if not verb.prefix or verb.prefix.endswith(" ") else f"{verb.prefix}zu{verb.stem}"
