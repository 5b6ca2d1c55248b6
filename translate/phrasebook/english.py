"""English phrases and verb forms.

Contractions throughout, as in speech: a pronoun with be, will, would (I'm, it'll, I'd) and every negation (don't, isn't, can't). A German perfect
is a simple past; a German present is continuous for ongoing actions (I'm waiting) and simple for states, habits and timetables.
"""

from __future__ import annotations

from functools import cache

from translate.phrasebook.lexicon import Adverbial
from translate.phrasebook.meaning import PREPOSITIONS, Nominal, Phrase, Prepositional, Quality
from translate.phrasebook.numbers import cardinal

SUBJECT = {
    "ich": "I",
    "du": "you",
    "er": "he",
    "sie": "she",
    "es": "it",
    "wir": "we",
    "ihr": "you",
    "sie+": "they",
    "Sie": "you",
    "wer": "who",
    "was": "what",
    "das": "that",
}
OBJECT = {**SUBJECT, "ich": "me", "er": "him", "sie": "her", "wir": "us", "sie+": "them"}
DETERMINERS = {
    "der": "the", "dieser": "this", "jeder": "every", "welcher": "which", "wieviele": "how many", "mein": "my", "dein": "your",
    "sein": "his", "ihr": "her", "unser": "our", "euer": "your", "ihr+": "their", "Ihr": "your",
}  # fmt: skip
POSSESSIVE = {"ich": "my", "du": "your", "er": "his", "sie": "her", "es": "its", "wir": "our", "ihr": "your", "sie+": "their", "Sie": "your"}
CONJUNCTIONS = {"dass": "that", "weil": "because", "wenn": "if", "ob": "whether", "aber": "but", "und": "and", "oder": "or", "deshalb": "so"}
CONTRACTED = {"am": "'m", "is": "'s", "are": "'re", "will": "'ll", "would": "'d", "have": "'ve", "has": "'s"}
NEGATIVE = {"can": "can't", "will": "won't", "am": "am not"}  # all others: + n't
MODALS = {
    "können": ("can", ""), "könnten": ("could", ""), "sollen": ("should", ""), "werden": ("will", ""), "möchten": ("would", "like to"),
    "müssen": ("have", "to"), "wollen": ("want", "to"), "dürfen": ("be", "allowed to"),
}  # fmt: skip


def an(word: str) -> str:
    """The indefinite article before `word`, by its sound."""
    return "an" if word[0] in "aeiou" and not word.startswith(("uni", "use", "euro", "one")) else "a"


def is_plural(item: object) -> bool:
    if isinstance(item, Phrase):
        return item.plural and bool(item.noun.english_plural) or not item.noun.english
    return item in ("wir", "ihr", "sie+", "Sie", "du", "sie+:it", "sie:them")


@cache
def phrase(item: Nominal, objective: bool = True, negative: bool = False) -> str:
    """`objective`: me rather than I; `negative`: any before a bare noun (I don't have any time)."""
    if isinstance(item, Adverbial):
        return item.english
    if isinstance(item, str):
        if ":" in item:
            return ("them" if objective else "they") if is_plural(item) else "it"
        return (OBJECT if objective else SUBJECT)[item]
    plural = is_plural(item)
    words = []
    if item.adjective:
        words.append((item.adjective.english, item.adjective.english_comparative, item.adjective.english_superlative)[item.degree])
    words.append(item.noun.english_plural if plural else item.noun.english)
    if item.owner and any(kind in item.owner.noun.kinds for kind in ("person", "relative", "name", "group")):
        owner = phrase(item.owner)
        words.insert(0, owner + ("'" if is_plural(item.owner) and owner.endswith("s") else "'s"))
    elif item.quantity > 1:
        words.insert(0, cardinal(item.quantity)[1])
    elif item.quantity == 1:
        words.insert(0, "one")
    elif item.determiner == "ein" and not plural and item.noun.english_plural:
        words.insert(0, an(words[0]))
    elif item.determiner == "dieser" and plural:
        words.insert(0, "these")
    elif item.determiner in DETERMINERS:
        words.insert(0, DETERMINERS[item.determiner])
    elif item.determiner == "0" and not item.plural and item.noun.english_plural and "profession" in item.noun.kinds:
        words.insert(0, an(words[0]))  # Sie ist Ärztin
    elif "instrument" in item.noun.kinds and not plural:
        words.insert(0, "the")  # Er spielt Gitarre
    elif negative:
        words.insert(0, "any")
    if item.content:
        words.append(f"of {phrase(item.content)}")
    if item.owner and "'s" not in words[0] and not words[0].endswith("'"):
        words.append(f"of {phrase(item.owner)}")
    return " ".join(words)


@cache
def quality(item: Quality) -> str:
    adjective, than = item.adjective, "" if item.than is None else phrase(item.than)
    intensifier = {"sehr": "very ", "zu": "too "}.get(item.intensifier, "")
    if item.comparative:
        return f"{adjective.english_comparative} than {than}" if than else adjective.english_comparative
    return f"as {adjective.english} as {than}" if than else intensifier + adjective.english


@cache
def third(verb: str) -> str:
    """Third person singular of the first word: go -> goes, watch TV -> watches TV."""
    word, space, rest = verb.partition(" ")
    if word in ("have", "be", "do", "go"):
        word = {"have": "has", "be": "is", "do": "does", "go": "goes"}[word]
    elif word.endswith(("s", "sh", "ch", "x", "z", "o")):
        word += "es"
    elif word.endswith("y") and word[-2] not in "aeiou":
        word = word[:-1] + "ies"
    else:
        word += "s"
    return word + space + rest


@cache
def gerund(verb: str, irregular: str) -> str:
    word, space, rest = verb.partition(" ")
    if irregular:
        word = irregular
    elif word.endswith("e") and not word.endswith("ee") and word != "be":
        word = word[:-1] + "ing"
    else:
        word += "ing"
    return word + space + rest


@cache
def prepositional(item: Prepositional) -> str:
    if item.preposition == "mit" and isinstance(item.phrase, Phrase) and item.phrase.noun.kinds & {"transport", "vehicle"}:
        return f"by {item.phrase.noun.english}"
    return f"{PREPOSITIONS[item.preposition]} {phrase(item.phrase)}"
