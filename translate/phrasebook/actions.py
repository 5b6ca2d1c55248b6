"""Draws sentences in which somebody does something: statements, questions, requests.

Each function takes a Grammar and returns the meaning of one sentence; `ACTIONS` has their weights.
"""

from __future__ import annotations

from translate.phrasebook.action_clauses import action
from translate.phrasebook.grammar import QUESTION, Grammar, overlap
from translate.phrasebook.lexicon import Adverbial
from translate.phrasebook.meaning import ASKS, Clause, Nominal, Phrase, Prepositional, Sentence, bare


def statement(g: Grammar) -> Sentence:
    return Sentence(action(g))


def yes_no(g: Grammar) -> Sentence:
    item = action(g, QUESTION, plain=g.chance(0.7))
    item.question, item.gern = True, item.gern and g.chance(0.5)
    if item.modal in ("können", "dürfen", "sollen") and g.chance(0.5) and not item.past and item.object not in ("ich", "wir"):
        item.subject = g.choose(("ich", "wir"))
        _without_reference(g, item)
    if item.negated and g.chance(0.6):
        item.negated = False
    return Sentence(item)


def question_word(g: Grammar) -> Sentence:
    item = action(g, QUESTION, plain=True)
    while item.verb.key == "kommen aus":
        item = action(g, QUESTION, plain=True)
    item.gern = False
    verb, draw = item.verb, g.random.random()
    if item.time is not None and "frequency" in item.time.kinds:
        item.time = None
    if verb.object and draw < 0.5 and item.recipient is None:
        thing = verb.object.isdisjoint(("person", "relative", "close", "name"))
        if isinstance(item.object, Phrase) and draw < 0.2 and item.object.noun.plural and thing and not verb.preposition:
            many = (
                g.chance(0.6)
                and not item.object.noun.plural_only
                and verb.more.get("det") not in ("def", "own", "ein")
                and "instrument" not in verb.object
            )
            item.object = Phrase(item.object.noun, "wieviele" if many else "welcher", many)
            return Sentence(item)
        item.object, item.manner = "was" if thing and "turn" not in verb.object else "wer", None
        if "IN" not in verb.more:
            item.place = None
        if "~on" in verb.english:  # What did you put on on Monday?
            item.time = None
        return Sentence(item)
    if draw < 0.62:
        item.subject = "wer"
        _without_reference(g, item)
        return Sentence(item)
    if draw < 0.85 and ("TO" in verb.more or "IN" in verb.more or item.place is not None):
        item.ask, item.place, item.clock = ASKS["wohin" if "TO" in verb.more or "to" in verb.more else "wo"], None, None
    elif draw < 0.92 and not verb.more.keys() & {"still", "timeless"} and not bare(item.object) and (item.past or verb.aspect != "s"):
        item.ask, item.time, item.clock = ASKS["wann"], None, None
    elif not item.past and "once" not in verb.more and "still" not in verb.more and draw < 0.95:
        item.ask, item.time, item.clock, item.object = ASKS["wie oft"], None, None, _generic(g, item)
    else:
        item.ask, item.negated = ASKS["warum"], g.chance(0.3)
        if item.negated and isinstance(item.object, Phrase) and (item.object.quantity or item.object.content):
            item.object = Phrase(item.object.noun, "der")
    return Sentence(item)


def _generic(g: Grammar, item: Clause) -> Phrase | str | None:
    return g.thing(item.verb, item.subject, True) if item.object is not None else None


def _without_reference(g: Grammar, item: Clause) -> None:
    """Without possessives and pronouns that refer to another subject."""
    item.object, item.recipient = (_without_possessive(value) if value is not None else None for value in (item.object, item.recipient))
    if isinstance(item.object, str) and overlap(item.object, item.subject):
        item.object = g.other(item.subject)
    if isinstance(item.recipient, str) and overlap(item.recipient, item.subject):
        item.recipient = g.other(item.subject)
    if isinstance(item.manner, Prepositional):
        phrase = _without_possessive(item.manner.phrase)
        item.manner = item.manner._replace(phrase=g.other(item.subject) if isinstance(phrase, str) else phrase)


def _without_possessive(item: Nominal) -> Nominal:
    if isinstance(item, Phrase) and item.determiner not in ("0", "der", "ein", "dieser"):
        return item._replace(determiner="mein" if item.noun.kinds & {"relative", "close"} else "der")
    return item


def request(g: Grammar) -> Sentence:
    while True:
        item = action(g, ("ich",), past=False, plain=True)
        if (
            item.verb.imperative
            and not item.past
            and item.verb.key not in ("weinen", "einschlafen", "aufwachen", "lachen", "rauchen", "tragen", "treffen")
        ):
            break
    item.subject, item.gern, item.front = g.choose(("du", "Sie", "ihr")), False, False
    obj = item.object
    if isinstance(obj, str) or isinstance(obj, Phrase) and obj.noun.kinds & {"person", "close", "relative", "name"} and g.chance(0.5):
        item.object = g.choose(("ich", "wir"))
    elif isinstance(obj, Phrase):
        keep = obj.determiner in ("der", "dieser") or bare(obj) and not obj.plural and not obj.adjective or obj.content
        item.object = obj._replace(
            determiner="mein" if obj.noun.kinds & {"relative", "close"} else "der",
            quantity=0,
            plural=obj.noun.plural_only or "many" in obj.noun.kinds,
        )
        item.object = obj if keep else item.object if not obj.noun.proper else obj
    item.time = item.time if item.time and "future" in item.time.kinds and g.chance(0.3) else None
    item.recipient = g.choose(("ich", "wir")) if item.recipient is not None else None
    item.manner = item.manner if isinstance(item.manner, Adverbial) and item.manner.german not in ("viel", "schlecht", "gut") else None
    definite = isinstance(item.object, Phrase) and item.object.determiner in ("der", "dieser")
    item.imperative, item.negated = True, item.verb.key == "vergessen" or definite and g.chance(0.12)
    return Sentence(item)


ACTIONS = ((36, statement), (12, yes_no), (12, question_word), (5, request))
