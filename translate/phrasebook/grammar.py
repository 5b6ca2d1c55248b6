"""Draws phrases that make sense: which noun, adjective and pronoun fit a verb and a subject.

All randomness comes from one `random.Random`, so a seed gives the same phrases in every process.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from translate.phrasebook.german import POSSESSIVE
from translate.phrasebook.lexicon import Adjective, Noun, Verb, lexicon
from translate.phrasebook.meaning import Nominal, Phrase

Item = TypeVar("Item")
# Repeated words are drawn more often. `Sie` never starts a statement, where it would look like `sie` (they).
STATEMENT = ("ich", "ich", "ich", "du", "er", "er", "sie", "sie", "wir", "wir", "ihr", "sie+")
QUESTION = ("du", "du", "du", "Sie", "Sie", "Sie", "er", "sie", "ihr", "sie+")
INSIDE = ("ich", "ich", "du", "er", "er", "sie", "sie", "wir", "ihr", "sie+", "Sie")  # after the verb or a conjunction
OTHERS = ("ich", "du", "er", "sie", "wir", "ihr", "Sie")  # as objects; `sie` is her there, never them
OVERLAP = (("ich", "wir"), ("du", "ihr", "Sie"), ("er",), ("sie", "sie+"))
SELDOM_DRAWN = frozenset(
    "sein haben werden geben wissen glauben denken hoffen sagen fragen hören0 möchten kosten liegen stehen hängen wehtun regnen schneien scheinen"
    " legen stellen dauern versuchen versprechen".split()
)  # fmt: skip


class Grammar:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.words = words = lexicon()
        self.verbs = [verb for verb in words.verbs.values() if verb.key not in SELDOM_DRAWN and "person" in verb.subject]
        adverbs = words.adverbs.values()
        self.times = {kind: [a for a in adverbs if kind in a.kinds] for kind in ("now", "future", "habit", "frequency", "past", "manner")}
        self.near = {kind: [a for a in items if "far" not in a.kinds] for kind, items in self.times.items()}
        self.adjectives = list(words.adjectives.values())
        self.spots: dict[str, list[str]] = {}
        for name, place in words.places.items():
            for kind in sorted(place.kinds):
                self.spots.setdefault(kind, []).append(name)
        self._nouns: dict[frozenset[str], list[Noun]] = {}
        self._suited: dict[tuple[Noun, bool], list[Adjective]] = {}

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def choose(self, items: Sequence[Item]) -> Item:
        return items[int(self.random.random() * len(items))]

    def number(self, least: int, most: int) -> int:
        return least + int(self.random.random() * (most - least + 1))

    def noun(self, *kinds: str) -> Noun:
        return self.noun_of(frozenset(kinds))

    def noun_of(self, kinds: frozenset[str]) -> Noun:
        if kinds not in self._nouns:
            self._nouns[kinds] = self.words.nouns_of(*kinds)
        return self.choose(self._nouns[kinds])

    def verb(self, key: str) -> Verb:
        return self.words.verbs[key]

    def adjectives_for(self, noun: Noun, predicate: bool = False) -> list[Adjective]:
        if (noun, predicate) not in self._suited:
            kinds = noun.kinds
            self._suited[noun, predicate] = [a for a in self.adjectives if not (a.predicate if predicate else a.attribute).isdisjoint(kinds)]
        return self._suited[noun, predicate]

    # ---------------------------------------------------------------- noun phrases

    def subject(self, pronouns: Sequence[str] = STATEMENT) -> Phrase | str:
        """Someone who acts; `pronouns`: those allowed here."""
        draw = self.random.random()
        if draw < 0.6:
            return self.choose(pronouns)
        if draw < 0.8:
            return self.relative(
                "mein" if pronouns is STATEMENT else self.choose(("mein", "dein", "dein", "Ihr") if pronouns is QUESTION else ("mein", "dein"))
            )
        if draw < 0.89:
            return self.name()
        noun = self.noun("person")
        if "close" in noun.kinds:
            return Phrase(noun, "mein" if pronouns is not QUESTION else "dein", self.chance(0.2))
        return self.modified(Phrase(noun, "der" if self.chance(0.85) else "dieser", self.chance(0.25)), 0.2)

    def name(self) -> Phrase:
        return Phrase(self.noun("name"), "0")

    def relative(self, possessor: str) -> Phrase:
        noun = self.noun("relative")
        phrase = Phrase(noun, possessor, noun.plural_only or ("one" not in noun.kinds and self.chance(0.15)))
        if noun.german in ("Bruder", "Schwester", "Sohn", "Tochter") and self.chance(0.12):
            return phrase._replace(adjective=self.words.adjectives[self.choose(("alt", "jung"))], degree=1 if self.chance(0.7) else 2)
        return phrase

    def own(self, subject: Nominal) -> str:
        """The possessive that refers to the subject: er sucht seinen Schlüssel. A neuter has none: das Mädchen sucht ihren or seinen."""
        if isinstance(subject, str):
            return POSSESSIVE.get(subject, "mein")
        assert isinstance(subject, Phrase)
        if subject.plural or subject.noun.plural_only:
            return "ihr+"
        return {"m": "sein", "f": "ihr", "n": "der"}[subject.noun.gender]

    def own_relative(self, subject: Nominal) -> Phrase:
        own = self.own(subject)
        return self.relative("mein" if own == "der" else own)

    def other(self, subject: Nominal, pronouns: Sequence[str] = OTHERS) -> str:
        """A pronoun for somebody other than the subject."""
        return self.choose([pronoun for pronoun in pronouns if not overlap(pronoun, subject)])

    def modified(self, phrase: Phrase, share: float, comparative: float = 0.0) -> Phrase:
        """Adds a fitting adjective with probability `share`; after ein, `comparative` of these are comparatives (ein größeres Haus)."""
        if "relative" in phrase.noun.kinds or not self.chance(share):
            return phrase
        adjectives = self.adjectives_for(phrase.noun)
        if not adjectives:
            return phrase
        adjective = self.choose(adjectives)
        degree = 1 if adjective.comparative and phrase.determiner == "ein" and comparative and self.chance(comparative) else 0
        return phrase._replace(adjective=adjective, degree=degree)

    def thing(self, verb: Verb, subject: Nominal, generic: bool = False) -> Phrase:
        """An object for the verb; `generic`: nothing that happens only once (he often reads books)."""
        noun = self.noun_of(verb.object)
        if "hers" in noun.kinds and (subject == "er" or isinstance(subject, Phrase) and subject.noun.gender == "m"):
            noun = self.words.nouns["Hemd"]
        kinds, own, draw, style = noun.kinds, self.own(subject), self.random.random(), verb.more.get("det", "")
        if noun.proper or kinds & {"language", "sport", "job"} and "indef" not in style:
            return Phrase(noun, "0") if "job" not in kinds else Phrase(noun, "ein" if verb.key in ("suchen", "finden", "haben") else "dieser")
        if "relative" in kinds:
            return Phrase(noun, own if own != "der" else "mein", noun.plural_only)
        if "instrument" in kinds and verb.key == "spielen":
            return Phrase(noun, "0")
        if "many" in kinds:
            return Phrase(noun, own if draw < 0.6 and own != "der" else "der", True)
        if kinds & {"one", "turn", "opening", "room", "holiday"} and "rentable" not in kinds:
            return Phrase(noun, own if "holiday" in kinds else "der", bool(noun.plural) and "opening" in kinds and draw < 0.15)
        if noun.plural_only or not noun.plural:
            return self._uncounted(noun, own, style, 0.99 if style == "def" else draw, style != "def" and (generic or style == "indef"))
        if "close" in kinds:
            return self.modified(Phrase(noun, own if own != "der" else "mein", draw < 0.15), 0.15)
        if "transport" in kinds:
            return self.modified(Phrase(noun, "dieser" if draw < 0.15 and not generic else "der"), 0.1)
        if "like" in verb.more:
            plural = bool(kinds & {"food", "animal"})
            return self.modified(Phrase(noun, "0" if plural else "dieser" if draw < 0.5 else "der", plural), 0.15)
        if generic and style in ("", "indef"):
            plain = draw < 0.6 or kinds & {"animal", "person", "transport"}
            return Phrase(noun, "0", True) if plain and not kinds & {"transport"} else Phrase(noun, "ein" if kinds & {"food", "reading"} else "der")
        ownable = own != "der" and not kinds & {
            "public",
            "building",
            "transport",
            "animal",
            "person",
            "food",
            "question",
            "word",
            "gift",
            "flower",
            "town",
        }
        if style == "own" and ownable and draw < 0.65:
            return self.modified(Phrase(noun, own, draw < 0.08), 0.15)
        if style in ("own", "def") or generic:
            determiner = own if ownable and draw > 0.8 else "dieser" if draw > 0.65 else "der"
            return self.modified(Phrase(noun, determiner, self.chance(0.15)), 0.18)
        if style == "ein" or style == "" and draw < 0.35:
            if style and draw < 0.7:
                return self.modified(Phrase(noun, "ein"), 0.6)
            determiner = "dieser" if draw < 0.1 else own if draw < 0.17 and ownable else "der"
            return self.modified(Phrase(noun, determiner, self.chance(0.15)), 0.2)
        if draw > 0.85 and not kinds & {"home", "dish", "vehicle", "building", "furniture"}:
            return Phrase(noun, "0", True, quantity=self.number(2, 6))
        if draw > 0.72 and not kinds & {"home", "dish"}:
            return self.modified(Phrase(noun, "0", True), 0.35)
        if kinds & {"cup", "kilo"} and draw < 0.5:
            return self.measure(noun)
        return self.modified(Phrase(noun, "ein"), 0.4, 0.25 if verb.key in ("suchen", "brauchen", "kaufen", "mieten") else 0.0)

    def _uncounted(self, noun: Noun, own: str, style: str, draw: float, generic: bool) -> Phrase:
        """Water, meat; the glasses, the trousers."""
        mass = "mass" in noun.kinds
        if mass and not generic and 0.75 < draw < 0.99 and not noun.kinds.isdisjoint(("cup", "bottle", "litre", "kilo")):
            return self.measure(noun)
        determiner = (
            ("0" if generic or draw < 0.65 else "der")
            if mass
            else own
            if own != "der" and draw < 0.5
            else "ein"
            if draw < 0.8 and not noun.plural_only and style != "own"
            else "der"
        )
        return self.modified(Phrase(noun, determiner, noun.plural_only), 0.2)

    def measure(self, content: Noun | None = None) -> Phrase:
        """Eine Tasse Kaffee, zwei Kilo Äpfel."""
        if content is None:
            content = self.noun("cup", "bottle", "kilo", "litre")
        kind = self.choose(sorted(content.kinds & {"cup", "bottle", "kilo", "litre"}))
        inside, unit = Phrase(content, "0", bool(content.plural)), self.noun(f"measure.{kind}")
        return Phrase(unit, "ein", content=inside) if self.chance(0.6) else Phrase(unit, "0", True, quantity=self.number(2, 6), content=inside)


def overlap(pronoun: str, subject: Nominal) -> bool:
    """Whether an object would be the subject, part of it (ich, uns), or ambiguous."""
    return isinstance(subject, str) and any(pronoun in group and subject in group for group in OVERLAP)
