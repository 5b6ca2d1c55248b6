"""The words: reads the tables of `lexicon/` into small objects.

Each table is tab-separated with a header line; lines that start with `#` are comments. Verbs and adjectives say which `kinds` of nouns they
take, so that one drinks tea and reads books: the selectional restrictions of Katz and Fodor, "The structure of a semantic theory" (1963).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "lexicon"


@dataclass(frozen=True, eq=False)
class Noun:
    german: str
    gender: str  # m, f or n
    genitive: str
    plural: str  # empty: none
    english: str  # empty: plural only (glasses)
    english_plural: str  # empty: none (water)
    kinds: frozenset[str]
    plural_only: bool  # in German (die Leute)

    @property
    def weak(self) -> bool:
        """The n-declension: der Nachbar, den Nachbarn; recognised by a masculine genitive that does not end in -s."""
        return self.gender == "m" and not self.genitive.split(" ")[0].endswith("s")

    @property
    def proper(self) -> bool:
        """A name, which takes no article."""
        return not self.kinds.isdisjoint(("name", "country"))


@dataclass(frozen=True, eq=False)
class Adjective:
    german: str
    stem: str  # before endings: teuer, teur-
    comparative: str  # empty: has no degrees
    superlative: str
    english: str
    english_comparative: str
    english_superlative: str
    attribute: frozenset[str]  # kinds of nouns it can precede
    predicate: frozenset[str]  # kinds of nouns it can describe as a predicate


@dataclass(frozen=True, eq=False)
class Verb:
    key: str  # infinitive, plus its preposition (warten auf), plus 0 where the same verb without an object has its own entry
    infinitive: str
    prefix: str  # separable: ein, ab; "spazieren " stays a separate word
    stem: str  # infinitive without prefix
    du: str  # empty: regular
    er: str
    participle: str
    auxiliary: str  # haben or sein
    english: str
    past: str
    ing: str
    aspect: str  # d dynamic, r routine, s stative, t timetable
    subject: frozenset[str]
    preposition: str  # of the object
    case: str  # of the object: acc, dat; empty: takes none
    object: frozenset[str]
    more: dict[str, str]
    imperative: str
    reflexive: bool


@dataclass(frozen=True, eq=False)
class Place:
    where: str
    whereto: str
    english_where: str
    english_whereto: str
    kinds: frozenset[str]


@dataclass(frozen=True, eq=False)
class Adverbial:
    """Any phrase that never changes: an adverb, a time of day, a price; `kinds` determine the English tense."""

    german: str
    english: str
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Lexicon:
    nouns: dict[str, Noun]
    plurals: dict[str, Noun]
    adjectives: dict[str, Adjective]
    verbs: dict[str, Verb]
    places: dict[str, Place]
    adverbs: dict[str, Adverbial]

    def nouns_of(self, *kinds: str) -> list[Noun]:
        return [noun for noun in self.nouns.values() if not noun.kinds.isdisjoint(kinds)]


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    nouns = {noun.german: noun for noun in map(_noun, rows("nouns", 6))}
    places = {row[0]: Place(row[1], row[2], row[3], row[4], frozenset(row[5].split())) for row in rows("places", 6)}
    adverbs = {row[0]: Adverbial(row[0], row[1], frozenset(row[2].split())) for row in rows("adverbs", 3)}
    adjectives = {adjective.german: adjective for adjective in map(_adjective, rows("adjectives", 9))}
    verbs = {verb.key: verb for verb in map(_verb, rows("verbs", 12))}
    return Lexicon(nouns, {noun.plural: noun for noun in nouns.values() if noun.plural}, adjectives, verbs, places, adverbs)


def rows(name: str, columns: int) -> list[list[str]]:
    """The rows of a table of `lexicon/`, without header and comments, each padded to `columns` cells."""
    lines = (FOLDER / f"{name}.tsv").read_text(encoding="utf-8").split("\n")
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [row + [""] * (columns - len(row)) for row in rows[1:]]


def _noun(row: list[str]) -> Noun:
    article, _, german = row[0].partition(" ")
    plural_only = german.endswith("-")
    german = german.rstrip("-")
    genitive, plural, english, english_plural = row[1:5]
    gender = {"der": "m", "die": "f", "das": "n"}[article]
    return Noun(german, gender, genitive or german, plural.strip("-"), english, english_plural.strip("-"), frozenset(row[5].split()), plural_only)


def _adjective(row: list[str]) -> Adjective:
    attribute = frozenset(row[7].split())
    stem = row[1] or row[0]
    return Adjective(row[0], stem, row[2], row[3], row[4], row[5], row[6], attribute, attribute | frozenset(row[8].split()))


def _verb(row: list[str]) -> Verb:
    name, changed, participle, auxiliary, english, past, ing, aspect, subject, governs, more, imperative = row[:12]
    word, *preposition = name.rstrip("0").removeprefix("sich ").split(" ")
    prefix, _, stem = word.rpartition("/")
    prefix = prefix.replace("_", " ")
    du, _, er = changed.partition("/")
    way, _, kinds = governs.partition(": ")
    extra = dict((item.replace("=", ":").split(":") + [""])[:2] for item in more.split())
    return Verb(
        key=name.replace("/", "").replace("_", " "), infinitive=prefix + stem, prefix=prefix, stem=stem, du=du, er=er, participle=participle,
        auxiliary=auxiliary, english=english, past=past, ing=ing, aspect=aspect, subject=frozenset(subject.split()),
        preposition=preposition[0] if preposition else "", case=way.split("+")[-1], object=frozenset(kinds.split()), more=extra,
        imperative=imperative, reflexive=name.startswith("sich "),
    )  # fmt: skip
