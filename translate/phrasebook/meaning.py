"""The meaning of a sentence, before it is German or English: phrases, clauses and compounds of them.

`parse` reads the short notation of tests/phrasebook_pairs.tsv: fields between `;`, the subject and the verb first, then `key=value` and flags:

    ich; kaufen; object=ein neu Haus; time=gestern; past; front      Gestern habe ich ein neues Haus gekauft.
    er; bleiben; place=Hause / weil / er; sein; is=krank             Er bleibt zu Hause, weil er krank ist.

A noun takes `+` for the plural; an adjective `+` for the comparative, `++` for the superlative; `0` means no determiner; a noun phrase may end in
`: noun` (a cup of coffee) or `of phrase` (a genitive). `sie+` is they, `er:it` is a masculine pronoun for a thing,
`sie:them` a feminine one that is plural in English (the glasses).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from translate.phrasebook import numbers
from translate.phrasebook.lexicon import Adjective, Adverbial, Noun, Verb, lexicon

PRONOUNS = ("ich", "du", "er", "sie", "es", "wir", "ihr", "sie+", "Sie", "wer", "was", "das", "er:it", "sie:it", "es:it", "sie+:it", "sie:them")
DETERMINERS = ("0", "der", "ein", "dieser", "jeder", "welcher", "wieviele", "mein", "dein", "sein", "ihr", "unser", "euer", "ihr+", "Ihr")
WHEN, HABIT = frozenset(["future"]), frozenset(["habit"])
ASKS = {
    "wo": Adverbial("wo", "where"), "wohin": Adverbial("wohin", "where"), "wann": Adverbial("wann", "when"), "warum": Adverbial("warum", "why"),
    "wie lange": Adverbial("wie lange", "how long"), "wie oft": Adverbial("wie oft", "how often", HABIT), "wie": Adverbial("wie", "how"),
    "um wie viel Uhr": Adverbial("um wie viel Uhr", "what time"), "wie viel": Adverbial("wie viel", "how much"),
    "mit wem": Adverbial("mit wem", "who with"),
}  # fmt: skip
PREPOSITIONS = {
    "in": "in", "auf": "on", "unter": "under", "neben": "next to", "hinter": "behind", "vor": "in front of", "an": "at", "mit": "with",
    "für": "for", "ohne": "without", "gegenüber": "opposite", "aus": "from", "bei": "with", "zu": "to", "von": "from", "nach": "after",
}  # fmt: skip
TWO_WAY = frozenset(["in", "auf", "unter", "neben", "hinter", "vor", "an"])
ACCUSATIVE = frozenset(["für", "ohne"])


class Phrase(NamedTuple):
    noun: Noun
    determiner: str = "der"
    plural: bool = False
    adjective: Adjective | None = None
    degree: int = 0  # 1 comparative, 2 superlative
    quantity: int = 0
    content: Phrase | None = None  # eine Tasse Kaffee
    owner: Phrase | None = None  # das Auto meines Bruders


Nominal: TypeAlias = "Phrase | str | Adverbial"  # str: one of PRONOUNS; Adverbial: heute ist der dritte Mai


class Prepositional(NamedTuple):
    preposition: str
    phrase: Nominal


class Quality(NamedTuple):
    """A predicate adjective: sehr müde; älter als ich; so alt wie ich."""

    adjective: Adjective
    intensifier: str = ""  # sehr, zu
    comparative: bool = False
    than: Nominal | None = None


@dataclass(eq=False, slots=True)
class Clause:
    subject: Nominal
    verb: Verb
    object: Nominal | None = None
    recipient: Nominal | None = None
    predicate: Quality | Nominal | None = None
    modal: str = ""
    past: bool = False
    negated: bool = False
    time: Adverbial | None = None
    clock: Adverbial | None = None  # a time of day, a date, since when
    manner: Adverbial | Prepositional | None = None
    place: Adverbial | Prepositional | None = None
    gern: bool = False
    front: bool = False  # the time comes first
    ask: Adverbial | None = None  # a question word that is neither subject nor object
    question: bool = False  # yes or no
    imperative: bool = False


class Sentence(NamedTuple):
    """One clause, or two with a conjunction, which may also be one of

    `.`            two sentences
    `zu`, `um`     the second clause is an infinitive: es ist wichtig, früh aufzustehen; ich gehe auf den Markt, um Brot zu kaufen
    `who`, `that`  the second is a relative clause on the subject, which is its subject or object: der Mann, der dort wohnt; das Buch, das ich lese
    """

    main: Clause
    conjunction: str = ""
    second: Clause | None = None
    first: bool = False  # the conjunction opens the sentence: Wenn es regnet, ...


class Saying(NamedTuple):
    """A fixed phrase."""

    german: str
    english: str


def bare(phrase: object) -> bool:
    """Whether the phrase is indefinite, so that its negation is kein."""
    return isinstance(phrase, Phrase) and phrase.determiner in ("0", "ein") and not phrase.noun.proper and not phrase.owner and not phrase.quantity


def asks(phrase: object) -> bool:
    if isinstance(phrase, str):
        return phrase in ("wer", "was")
    return isinstance(phrase, Phrase) and phrase.determiner in ("welcher", "wieviele")


def direction(verb: Verb) -> bool:
    """Whether the verb's place is a direction (whereto) rather than a location."""
    return "to" in verb.more or "TO" in verb.more or verb.key in ("legen", "stellen")


def spot(name: str, verb: Verb) -> Adverbial:
    """A place from the lexicon in the form that `verb` needs: zu Hause or nach Hause."""
    place = lexicon().places[name]
    return Adverbial(place.whereto, place.english_whereto) if direction(verb) else Adverbial(place.where, place.english_where)


def at_time(hour: int, minute: int, figures: bool = False) -> Adverbial:
    german, english = (f"{hour}.{minute:02d} Uhr", f"{hour}:{minute:02d}") if figures else numbers.clock(hour, minute)
    return Adverbial(f"um {german}", f"at {english}", frozenset(["clock"]))


def since(count: int, unit: Noun) -> Adverbial:
    german, english = numbers.cardinal(count)
    plural = unit.plural + ("" if unit.plural.endswith("n") else "n")
    if count == 1:
        return Adverbial(f"seit {'einer' if unit.gender == 'f' else 'einem'} {unit.german}", f"for a {unit.english}",
                         frozenset(["since"]))  # fmt: skip
    return Adverbial(f"seit {german} {plural}", f"for {english} {unit.english_plural}", frozenset(["since"]))


def lasting(count: int, unit: Noun) -> Adverbial:
    """How long, or how far: `zwei Stunden`."""
    german, english = numbers.cardinal(count)
    return Adverbial(f"{german} {unit.plural}", f"{english} {unit.english_plural}")


def age(years: int) -> Adverbial:
    german, english = numbers.cardinal(years)
    return Adverbial("ein Jahr alt", "one year old") if years == 1 else Adverbial(f"{german} Jahre alt", f"{english} years old")


def parse(text: str) -> Sentence:
    """Parse the notation of the module docstring. KeyError for an unknown word; ValueError for an unknown field or determiner."""
    parts = [part.strip() for part in text.split(" / ")]
    if parts[0] == "wenn":
        return Sentence(parse_clause(parts[2]), "wenn", parse_clause(parts[1]), first=True)
    if len(parts) == 1:
        return Sentence(parse_clause(parts[0]))
    return Sentence(parse_clause(parts[0]), parts[1], parse_clause(parts[2]))


def parse_clause(text: str) -> Clause:
    words = lexicon()
    subject, name, *rest = [field.strip() for field in text.split(";")]
    fields = dict((field.split("=", 1) + [""])[:2] for field in rest)
    verb = words.verbs.get(name if "object" in fields else name + "0") or words.verbs[name]
    values: dict[str, Any] = {}
    for key, value in fields.items():
        if key in ("past", "front", "gern"):
            values[key] = True
        elif key in ("not", "?", "!"):
            values[{"not": "negated", "?": "question", "!": "imperative"}[key]] = True
        elif key in ("object", "recipient"):
            values[key] = parse_phrase(value)
        elif key == "modal":
            values[key] = value
        elif key == "time":
            values[key] = words.adverbs[value]
        elif key == "clock":
            values[key] = _moment(value)
        elif key == "since":
            count, unit = value.split()
            values["clock"] = since(int(count), words.nouns[unit])
        elif key == "ask":
            values[key] = ASKS[value]
        elif key in ("manner", "place"):
            values[key] = words.adverbs.get(value) or (spot(value, verb) if value in words.places else _prepositional(value))
        elif key == "is":
            values["predicate"] = _predicate(value, fields)
        elif key in ("age", "price"):
            values["predicate"] = age(int(value)) if key == "age" else Adverbial(*numbers.price(value))
        elif key not in ("than", "more"):
            raise ValueError(f"unknown field {key} of a clause in {text!r}")
    return Clause(parse_phrase(subject), verb, **values)


def parse_phrase(text: str) -> Nominal:
    if text in PRONOUNS:
        return text
    words = lexicon()
    if text in words.adverbs:  # Heute ist der dritte Mai
        return words.adverbs[text]
    return _noun_phrase(text)


def _noun_phrase(text: str) -> Phrase:
    words = lexicon()
    text, _, owner = text.partition(" of ")
    text, _, content = text.partition(" : ")
    if text in words.nouns and words.nouns[text].proper:
        return Phrase(words.nouns[text], "0")
    first, *rest = text.split(" ")
    count = int(first) if first.isdigit() and first != "0" else 0
    if not count and first not in DETERMINERS:
        raise ValueError(f"unknown determiner {first!r} in {text!r}: choose from {', '.join(DETERMINERS)}")
    adjective, degree = None, 0
    if len(rest) > 1:
        adjective, degree = words.adjectives[rest[0].rstrip("+")], rest[0].count("+")
    noun = words.nouns[rest[-1].rstrip("+")]
    inside = _noun_phrase("0 " + content) if content else None
    possessor = _noun_phrase(owner) if owner else None
    return Phrase(noun, "0" if count else first, rest[-1].endswith("+") or count > 1, adjective, degree, count, inside, possessor)


def _predicate(value: str, fields: dict[str, str]) -> Quality | Nominal:
    words = lexicon()
    if value[0].isdigit() and ":" in value:
        return Adverbial(*numbers.clock(*map(int, value.split(":"))))
    if value[0].isdigit() and value.endswith("."):
        return Adverbial(*numbers.day_in_words(*map(int, value.split(".")[:2])))
    *intensifier, name = value.split(" ")
    if name in words.adjectives and (not intensifier or intensifier[0] in ("sehr", "zu")):
        than = fields.get("than")
        other = None if than is None else words.adverbs.get(than) or parse_phrase(than)
        return Quality(words.adjectives[name], " ".join(intensifier), "more" in fields, other)
    return parse_phrase(value)


def _prepositional(text: str) -> Prepositional:
    preposition, _, rest = text.partition(" ")
    return Prepositional(preposition, parse_phrase(rest))


def _moment(value: str) -> Adverbial:
    if value.endswith("."):
        return Adverbial(*numbers.day_in_figures(*map(int, value.split(".")[:2])), frozenset(["date"]))
    figures = "." in value
    hour, minute = map(int, value.replace(".", ":").split(":"))
    return at_time(hour, minute, figures)


ADDRESS = {"du": "du", "dein": "du", "euer": "ihr", "Sie": "Sie", "Ihr": "Sie"}


def addressed(*clauses: Clause) -> set[str]:
    """Which of du, ihr and Sie the clauses address."""
    found: set[str | None] = set()
    for clause in clauses:
        for part in (
            clause.subject,
            clause.object,
            clause.recipient,
            clause.predicate.than if isinstance(clause.predicate, Quality) else clause.predicate,
            clause.manner.phrase if isinstance(clause.manner, Prepositional) else None,
        ):
            if isinstance(part, str):
                found.add("ihr" if part == "ihr" else ADDRESS.get(part))
            elif isinstance(part, Phrase):
                found.add(ADDRESS.get(part.owner.determiner if part.owner else part.determiner))
    return {person for person in found if person is not None}
