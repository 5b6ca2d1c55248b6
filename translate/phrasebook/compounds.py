"""Draws sentences of two clauses: reasons, conditions, purposes, reported speech; and fixed sayings.

What fits together is listed in lexicon/situations.tsv (causes and results by topic) and lexicon/purposes.tsv.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache, lru_cache

from translate.phrasebook.action_clauses import action
from translate.phrasebook.grammar import INSIDE, Grammar
from translate.phrasebook.lexicon import Adverbial, rows
from translate.phrasebook.meaning import ASKS, Clause, Nominal, Phrase, Quality, Saying, Sentence, bare, parse_clause, parse_phrase
from translate.phrasebook.quantities import timetable
from translate.phrasebook.topics import description, having, health, quality_of, somewhere, there_is, weather, whereabouts

MATRICES = {
    "dass": (
        "S; wissen", "S; glauben", "S; hoffen", "S; sagen", "S; hören; past", "S; sagen; past", "S; glauben; not", "du; wissen; ?", "Sie; wissen; ?",
        "S; denken",
    ),
    "ob": ("S; wissen; not", "S; fragen", "du; wissen; ?", "Sie; wissen; ?", "S; fragen; past", "ihr; wissen; ?"),
    "zu": (
        "es; sein; is=wichtig", "es; sein; is=schwierig", "es; sein; is=langweilig", "es; sein; is=einfach",
        "S; versuchen", "S; versuchen; past", "S; vergessen; past", "S; versprechen; past",
    ),
}  # fmt: skip
WHO = ("ich", "ich", "du", "er", "er", "sie", "sie", "wir", "ihr", "sie+")
NAMED = {
    "er": ("mein Bruder", "mein Vater", "mein Sohn", "Peter", "Jan", "der Junge", "mein Kollege", "dein Onkel"),
    "sie": ("mein Schwester", "mein Mutter", "Anna", "mein Tante", "Lena", "dein Tochter", "der Ärztin"),
    "sie+": ("mein Eltern+", "der Kind+", "mein Großeltern+"),
}
# infinitives with zu: what is easy, hard or important, and what one tries, forgets or promises
TASKS = frozenset(
    "kaufen verkaufen reparieren aufräumen putzen waschen anrufen lernen beantworten erklären aufstehen finden suchen füttern zumachen ausmachen"
    " buchen bezahlen schreiben abholen kochen helfen mieten mitbringen".split()
)  # fmt: skip


def reported(g: Grammar) -> Sentence:
    """Ich weiß, dass ...; sie fragt, ob ..."""
    conjunction, draw = g.choose(("dass", "ob")), g.random.random()
    if draw < 0.5:
        second = action(g, INSIDE)
    else:
        second = g.choose((description, description, timetable, there_is, somewhere, having, health, weather, whereabouts))(g).main
    if second.verb.infinitive == "wehtun" or second.verb.key == "stellen" and second.place is None:
        return reported(g)
    if second.ask is not None:
        return reported(g)
    second = replace(second, question=False, front=False)
    matrix = g.choose(MATRICES[conjunction])
    if matrix.endswith("glauben; not") or conjunction == "ob":
        second.negated = False
    if second.past and "hoffen" in matrix:
        matrix = "S; glauben"
    if isinstance(second.subject, str) and (matrix.startswith(second.subject + ";") or "?" in matrix and second.subject in ("ich", "wir")):
        return reported(g)  # Weißt du, dass du ...
    if "hören" in matrix and isinstance(second.subject, str):
        second.subject = g.name()
    speech = "sagen" in matrix or "fragen" in matrix
    return Sentence(
        clause_of(matrix, g.choose(("er", "sie", "sie+", "er", "sie") if speech else ("ich", "ich", "er", "sie", "wir", "sie+"))), conjunction, second
    )


def reason(g: Grammar) -> Sentence:
    """Weil, wenn, deshalb, aber: a cause and its result."""
    conjunction = g.choose(("weil", "weil", "weil", "wenn", "wenn", "wenn", "deshalb", "aber"))
    causes, results = situations()[g.choose(list(situations()))]
    who = g.choose(WHO)
    main, second = replace(clause_of(g.choose(results), who)), replace(clause_of(g.choose(causes), who))
    if conjunction == "aber":
        main.negated = not main.negated
        if bare(main.object) and main.time is None:  # aber ich esse heute kein Eis: not in general
            main.time = g.words.adverbs["heute"]
        return Sentence(_named(g, second, who), "aber", main)
    if conjunction == "deshalb":
        return Sentence(_named(g, second, who), "deshalb", main)
    if conjunction == "wenn" and second.past:
        conjunction = "weil"
    if conjunction == "weil" and g.chance(0.4):
        main.past = second.past = True
        main.time = g.choose(g.near["past"]) if g.chance(0.3) else None
    elif conjunction == "weil" and g.chance(0.25):
        main.time = g.words.adverbs["heute"]
    if conjunction == "wenn" and g.chance(0.25) and not main.negated:
        main.modal = g.choose(("müssen", "können", "sollen"))
    first = conjunction == "wenn" and g.chance(0.6)
    return Sentence(main if first else _named(g, main, who), conjunction, second, first)


def _named(g: Grammar, item: Clause, who: str) -> Clause:
    """The person who acts, by name or kin in some cases; the other clause has the pronoun."""
    if item.subject == who and who in NAMED and g.chance(0.45):
        item.subject = parse_phrase(g.choose(NAMED[who]))
    return item


def task(g: Grammar) -> Sentence:
    """Es ist wichtig, früh aufzustehen; ich habe versucht, das Fenster zuzumachen."""
    main = clause_of(g.choose(MATRICES["zu"]), g.choose(WHO))
    while True:
        second = action(g, ("ich",), past=False, plain=True)
        if second.verb.key.rstrip("0") in TASKS and (second.object is not None or second.manner or second.clock):
            break
    subject = "du" if main.subject == "es" else main.subject
    second.subject, second.time, second.gern, second.manner = subject, None, False, None if second.object is not None else second.manner
    if isinstance(second.object, str) or second.recipient is not None:
        return task(g)
    if isinstance(second.object, Phrase) and second.object.determiner not in ("0", "der", "ein", "dieser"):
        people = second.object.noun.kinds & {"relative", "close"}
        second.object = second.object._replace(determiner="der" if main.subject == "es" or not people else g.own(subject))
        if people and main.subject == "es":
            return task(g)
    return Sentence(main, "zu", second)


def purpose(g: Grammar) -> Sentence:
    """Ich gehe in den Supermarkt, um Brot zu kaufen."""
    who = g.choose(WHO)
    main, second = (replace(clause_of(text, who)) for text in g.choose(purposes()))
    draw = g.random.random()
    if draw < 0.3:
        main.past, main.time = True, g.choose(g.near["past"]) if g.chance(0.6) else None
    elif draw < 0.5:
        main.modal, main.time = g.choose(("müssen", "wollen", "möchten")), g.choose(g.near["future"]) if g.chance(0.5) else None
    elif draw < 0.75:
        main.time = g.choose(g.near["future"])
    main.front = main.time is not None and g.chance(0.4)
    if isinstance(second.object, Phrase) and second.object.determiner == "mein":
        second.object = second.object._replace(determiner=g.own(who))
    return Sentence(_named(g, main, who) if not main.front else main, "um", second)


def relative_clause(g: Grammar) -> Sentence:
    """Der Mann, der im Büro arbeitet, ist nett; das Buch, das ich gelesen habe, ist interessant."""
    if g.chance(0.5):
        noun = g.noun("profession", "child", "adult")
        head = Phrase(noun, "der", g.chance(0.2))
        while True:
            second = action(g, ("er",), plain=True)
            if not second.verb.reflexive and isinstance(second.subject, str) and (second.object is None or not isinstance(second.object, str)):
                break
        second.subject, second.gern = head, False
        if isinstance(second.object, Phrase) and second.object.determiner not in ("0", "der", "ein", "dieser"):
            return relative_clause(g)
        if second.manner is not None and not isinstance(second.manner, Adverbial) or second.recipient is not None:
            return relative_clause(g)
        if not second.past:
            second.time = None
        quality = Quality(
            g.words.adjectives[g.choose(("nett", "freundlich", "klug", "fleißig", "glücklich", "müde", "zufrieden"))], g.choose(("", "", "sehr"))
        )
        return Sentence(Clause(head, g.verb("sein"), predicate=quality, negated=not quality.intensifier and g.chance(0.15)), "who", second)
    while True:
        second = action(g, ("ich", "ich", "du", "er", "sie", "wir", "sie+"), plain=True, past=g.chance(0.8))
        thing = second.object
        if isinstance(thing, Phrase) and second.verb.case == "acc" and not second.verb.preposition and not second.verb.more.keys() & {"like", "swap"}:
            if thing.noun.kinds & {"thing", "clothing", "vehicle", "home", "device", "reading", "furniture", "dish", "film"} and g.adjectives_for(
                thing.noun, True
            ):
                break
    head = Phrase(thing.noun, "der", thing.noun.plural_only or bool(thing.noun.plural) and g.chance(0.2))
    second.object, second.gern, second.manner = None, False, None
    if not second.past:
        second.time = None
    quality = quality_of(g, head)
    return Sentence(Clause(head, g.verb("sein"), predicate=quality, negated=not quality.intensifier and g.chance(0.15)), "that", second)


def two_sentences(g: Grammar) -> Sentence:
    """A pronoun takes the gender of the German noun: Wo ist der Schlüssel? Er liegt auf dem Tisch."""
    if g.chance(0.5):
        while True:
            where = whereabouts(g).main
            if where.verb.key == "liegen" and not where.negated and not where.question:
                break
        return Sentence(Clause(where.subject, g.verb("sein"), ask=ASKS["wo"]), ".", replace(where, subject=_it(where.subject)))
    noun = g.noun("thing", "clothing", "vehicle", "furniture", "gift", "picture")
    phrase = g.modified(Phrase(noun, "ein", noun.plural_only), 0.8)
    verb = g.verb(g.choose(("kaufen", "suchen", "mögen", "brauchen", "nehmen", "bestellen", "verkaufen")))
    past = verb.key in ("kaufen", "nehmen", "bestellen") and g.chance(0.6)
    item = Clause(g.choose(("ich", "wir")), verb, object=_it(phrase), past=past)
    item.time = g.choose(g.near["past"]) if past and g.chance(0.5) else None
    return Sentence(Clause("das", g.verb("sein"), predicate=phrase), ".", item)


def _it(phrase: Nominal) -> str:
    """The pronoun for a thing; they in English if the noun is plural there."""
    assert isinstance(phrase, Phrase)
    if phrase.plural or phrase.noun.plural_only:
        return "sie+:it"
    pronoun = {"m": "er", "f": "sie", "n": "es"}[phrase.noun.gender]
    return f"{pronoun}:it" if phrase.noun.english else f"{pronoun}:them"


def saying(g: Grammar) -> Saying:
    """A fixed phrase; N is somebody's name, D a day."""
    german, english = g.choose(sayings())
    name = g.name().noun
    day, english_day = g.choose(DAYS)
    german, english = (re.sub(r"\bN\b", value, text) for text, value in ((german, name.german), (english, name.english)))
    return Saying(re.sub(r"\bD\b", day, german), re.sub(r"\bD\b", english_day, english))


DAYS = (
    ("Montag", "Monday"),
    ("Dienstag", "Tuesday"),
    ("Mittwoch", "Wednesday"),
    ("Donnerstag", "Thursday"),
    ("Freitag", "Friday"),
    ("Samstag", "Saturday"),
)


@cache
def clause_of(text: str, who: str) -> Clause:
    """The clause of a row of the tables, with `who` for S. Cached: copy it before changing it."""
    return parse_clause(re.sub(r"\bS\b", who, text))


@lru_cache(maxsize=1)
def situations() -> dict[str, tuple[list[str], list[str]]]:
    """For each topic its causes and its results."""
    topics: dict[str, tuple[list[str], list[str]]] = {}
    for topic, role, text in (row[:3] for row in rows("situations", 3)):
        topics.setdefault(topic, ([], []))[role == "result"].append(text)
    return topics


@lru_cache(maxsize=1)
def purposes() -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in rows("purposes", 2)]


@lru_cache(maxsize=1)
def sayings() -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in rows("sayings", 2)]


COMPOUNDS = ((9, reported), (13, reason), (4, task), (4, purpose), (6, relative_clause), (4, two_sentences), (2, saying))
