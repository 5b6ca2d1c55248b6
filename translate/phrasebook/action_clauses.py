"""Draws clauses in which somebody does something, with what the verb allows: object, time, place, companion."""

from __future__ import annotations

from collections.abc import Sequence

from translate.phrasebook.grammar import OTHERS, STATEMENT, Grammar
from translate.phrasebook.lexicon import Adverbial, Verb
from translate.phrasebook.meaning import Clause, Nominal, Phrase, Prepositional, at_time, spot

OPTIONAL = ("schreiben", "schicken", "bringen", "erklären", "erzählen")  # the recipient may be left out
FOOD, GOODS = frozenset(["food", "drink", "grocery"]), frozenset(["clothing", "print", "device", "gift", "dishes", "toy"])


def action(g: Grammar, pronouns: Sequence[str] = STATEMENT, past: bool | None = None, plain: bool = False) -> Clause:
    """Someone does something. `plain`: neither negated nor with a modal; `past` None: either."""
    verb = g.choose(g.verbs)
    more, subject = verb.more, g.subject(pronouns)
    if past is None:
        past = g.chance(0.42)
    past = ("past" in more or past) and "still" not in more
    item = Clause(subject, verb, past=past)
    if not plain and not more.keys() & {"still", "past", "nomodal"} and g.chance(0.24):
        item.modal = g.choose(("können", "müssen", "müssen", "wollen", "dürfen", "sollen", "möchten", "werden"))
        item.past = past = past and item.modal in ("können", "müssen", "wollen", "dürfen")
    item.negated = not plain and item.modal != "möchten" and g.chance(0.2)
    item.time = draw_time(g, item)
    generic = item.time is not None and not item.time.kinds.isdisjoint(("habit", "frequency"))
    item.gern = "gern" in more and not past and not item.modal and not item.negated and item.time is None and g.chance(0.25)
    if verb.object:
        item.object = draw_object(g, verb, subject, generic or item.gern)
        if item.negated and isinstance(item.object, Phrase) and (item.object.quantity or item.object.content):
            item.object = Phrase(item.object.noun, "der") if not item.object.content else item.object.content
    if "recipient" in more and not item.gern and (verb.key not in OPTIONAL or g.chance(0.6)):
        item.recipient = g.other(subject, (*OTHERS, "sie+")) if g.chance(0.5) else g.name() if g.chance(0.25) else g.own_relative(subject)
    adjuncts(g, item)
    item.front = pronouns is STATEMENT and not plain and item.time is not None and "inside" not in item.time.kinds and g.chance(0.3)
    return item


def draw_time(g: Grammar, item: Clause) -> Adverbial | None:
    more = item.verb.more
    times = g.times if "big" in more else g.near
    if item.modal == "werden":
        return g.choose(times["future"])
    lasting_state = item.verb.aspect == "s" and item.verb.key != "brauchen" and not item.past and not item.modal
    if lasting_state or "still" in more or "timeless" in more or g.chance(0.42):
        return None
    if item.past:
        kind = "past"
    elif item.modal:
        kind = g.choose(("future", "future", "now"))
        return g.choose(times["future"]) if kind == "future" else g.words.adverbs["heute"]
    else:
        kind = g.choose(("future", "now") if item.negated or "once" in more else ("now", "future", "habit", "frequency"))
    moment = g.choose(times[kind])
    return None if "morning" in more and "evening" in moment.kinds else moment


def draw_object(g: Grammar, verb: Verb, subject: Phrase | str, generic: bool) -> Phrase | str:
    """The object; a person may be a pronoun."""
    people = not verb.object.isdisjoint(("person", "relative", "close"))
    return g.other(subject) if people and g.chance(0.25) else g.thing(verb, subject, generic)


def adjuncts(g: Grammar, item: Clause) -> None:
    """Where, with whom, by what, how, at what time: what the verb allows."""
    more, time = item.verb.more, item.time.kinds if item.time else frozenset()
    for key in ("IN", "TO", "in", "to"):
        if key in more and (key.isupper() or g.chance(0.3)):
            item.place = where(g, item, more[key])
    calm = not item.negated and not item.gern
    if "how" in more and calm and not item.modal and "frequency" not in time and g.chance(0.4):
        names = [name for name in more["how"].split(",") if item.past or name != "lange" and (item.time is None or name not in ("gut", "schlecht"))]
        if names:
            item.manner = g.words.adverbs[g.choose(names)]
    if item.manner is None and "by" in more and g.chance(0.3):
        item.manner = Prepositional("mit", Phrase(g.words.nouns[g.choose(("Bus", "Zug", "Straßenbahn", "Auto", "Fahrrad"))]))
    if item.manner is None and "with" in more and g.chance(0.15):
        item.manner = Prepositional("mit", company(g, item.subject))
    if item.manner is None and "for" in more and calm and g.chance(0.15):
        item.manner = Prepositional("für", g.own_relative(item.subject))
    if "clock" in more and calm and item.manner is None and (not time or "day" in time) and g.chance(0.4):
        item.clock = clock(g, "morning" in more)


def where(g: Grammar, item: Clause, kind: str) -> Adverbial | None:
    """A place of that kind; food is not bought where clothes are."""
    if item.verb.key == "kaufen":
        goods = item.object.noun.kinds if isinstance(item.object, Phrase) else frozenset()
        if goods.isdisjoint(FOOD) and goods.isdisjoint(GOODS):
            return None
        kind = "goods" if goods.isdisjoint(FOOD) else "groceries"
    if item.verb.key == "bestellen" and isinstance(item.object, Phrase) and item.object.noun.kinds.isdisjoint(FOOD):
        return None
    if (
        kind == "search"
        and isinstance(item.object, Phrase)
        and item.object.noun.kinds.isdisjoint(("thing", "pocket", "clothing", "animal", "person", "relative"))
    ):
        return None
    return spot(g.choose(g.spots[kind]), item.verb)


def company(g: Grammar, subject: Nominal) -> Phrase | str:
    draw = g.random.random()
    if draw < 0.3:
        return g.other(subject, (*OTHERS[:5], "sie+", "Sie"))
    if draw < 0.7:
        return g.own_relative(subject)
    own = g.own(subject)
    return g.name() if draw < 0.85 else Phrase(g.noun("close"), own if own != "der" else "mein", draw < 0.9)


def clock(g: Grammar, morning: bool = False) -> Adverbial:
    if g.chance(0.15) and not morning:
        return at_time(g.number(6, 22), g.choose((5, 10, 15, 20, 30, 40, 45, 50)), figures=True)
    return at_time(g.number(5, 10) if morning else g.number(1, 12), g.choose((0, 0, 0, 30, 30, 15, 45, 10, 20, 40)))
