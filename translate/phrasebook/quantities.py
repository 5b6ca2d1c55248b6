"""Draws sentences with numbers: prices, ages, the time, dates, durations.

Each function takes a Grammar and returns the meaning of one sentence; `QUANTITIES` has their weights.
"""

from __future__ import annotations

from translate.phrasebook import numbers
from translate.phrasebook.action_clauses import action, clock
from translate.phrasebook.grammar import Grammar
from translate.phrasebook.lexicon import Adverbial
from translate.phrasebook.meaning import ASKS, Clause, Phrase, Sentence, age, lasting, since, spot


def telling_time(g: Grammar) -> Sentence:
    draw, day, month = g.random.random(), g.number(1, 28), g.number(1, 12)
    if draw < 0.35:
        return Sentence(Clause("es", g.verb("sein"), predicate=Adverbial(*numbers.clock(g.number(1, 12), 5 * g.number(0, 11)))))
    if draw < 0.6:
        moment = g.words.adverbs[g.choose(("heute", "morgen", "übermorgen"))]
        return Sentence(Clause(moment, g.verb("sein"), predicate=Adverbial(*numbers.day_in_words(day, month))))
    item = action(g, plain=True, past=g.chance(0.7))
    item.gern, item.time, item.clock, item.front = False, None, Adverbial(*numbers.day_in_figures(day, month), frozenset(["date"])), False
    if item.manner is not None or item.verb.more.keys() & {"still", "timeless", "morning"}:
        return telling_time(g)
    return Sentence(item)


def price(g: Grammar) -> Sentence:
    noun = g.noun("clothing", "food", "print", "device", "ticket", "furniture", "drink", "hotelroom", "breakable", "flower")
    phrase = Phrase(noun, g.choose(("der", "der", "dieser")), noun.plural_only or bool(noun.plural) and g.chance(0.3))
    cheap = bool(noun.kinds & {"food", "drink", "flower"})
    if noun.kinds & {"kilo", "cup", "bottle", "litre"} and g.chance(0.6):
        phrase = g.measure(noun)
    if g.chance(0.25):
        return Sentence(Clause(phrase, g.verb("kosten"), ask=ASKS["wie viel"]))
    euros = g.number(1, 15) if cheap else g.number(8, 150)
    if g.chance(0.3) and 1 < euros < 100:
        german, english = numbers.cardinal(euros)
        return Sentence(Clause(phrase, g.verb("kosten"), predicate=Adverbial(f"{german} Euro", f"{english} euros"), past=g.chance(0.2)))
    if noun.kinds & {"fruit"} and not phrase.content:
        euros = g.number(0, 3)
    cents = g.choose(("" if euros else ".30", f".{g.number(1, 19) * 5:02d}", ".99", ".50"))
    return Sentence(Clause(phrase, g.verb("kosten"), predicate=Adverbial(*numbers.price(f"{euros}{cents}")), past=g.chance(0.2)))


def ages(g: Grammar) -> Sentence:
    subject = g.subject(("ich", "du", "er", "sie"))
    while isinstance(subject, Phrase) and (subject.noun.plural_only or subject.plural or subject.adjective):
        subject = g.subject(("ich", "du", "er", "sie"))
    grown = isinstance(subject, Phrase) and subject.noun.kinds & {"old", "profession", "one", "close", "title"}
    young = isinstance(subject, Phrase) and "child" in subject.noun.kinds
    return Sentence(Clause(subject, g.verb("sein"), predicate=age(g.number(25, 95) if grown else g.number(1, 14) if young else g.number(2, 80))))


def timetable(g: Grammar) -> Sentence:
    verb = g.verb(g.choose(("abfahren", "ankommen", "anfangen", "aufhören")))
    subject = Phrase(g.noun_of(verb.subject - {"person", "work"}), g.choose(("der", "der", "dieser")))
    item = Clause(subject, verb, past=g.chance(0.3))
    if g.chance(0.25):
        item.ask = ASKS[g.choose(("wann", "um wie viel Uhr"))]
        return Sentence(item)
    if "flying" in subject.noun.kinds and verb.key == "abfahren":
        return timetable(g)
    item.clock = clock(g)
    item.time = None if item.past or g.chance(0.5) else g.choose([adverb for adverb in g.near["future"] if "day" in adverb.kinds])
    return Sentence(item)


def how_long(g: Grammar) -> Sentence:
    if g.chance(0.3):
        item = Clause(Phrase(g.noun("film", "event"), g.choose(("der", "dieser"))), g.verb("dauern"), past=g.chance(0.3))
        if g.chance(0.4):
            item.ask = ASKS["wie lange"]
        else:
            item.predicate = (
                lasting(g.number(2, 5), g.words.nouns["Stunde"]) if g.chance(0.6) else lasting(g.number(2, 18) * 5, g.words.nouns["Minute"])
            )
        return Sentence(item)
    verb = g.verb(g.choose(("wohnen", "leben")))
    moment = since(g.number(1, 11), g.words.nouns[g.choose(("Jahr", "Monat", "Woche"))])
    return Sentence(Clause(g.subject(), verb, place=spot(g.choose(g.spots[verb.more["IN"]]), verb), clock=moment))


QUANTITIES = ((3, price), (2, ages), (3, telling_time), (2, timetable), (2, how_long))
