"""Draws sentences about how and where somebody or something is: descriptions, comparisons, health, the weather, possession.

Each function takes a Grammar and returns the meaning of one sentence; `TOPICS` has their weights.
"""

from __future__ import annotations

from translate.phrasebook.grammar import INSIDE, QUESTION, Grammar, overlap
from translate.phrasebook.lexicon import Adjective, Adverbial
from translate.phrasebook.meaning import ASKS, Clause, Phrase, Prepositional, Quality, Sentence, spot

THINGS = frozenset(
    "vehicle home building furniture clothing room device food drink film reading event transport town animal appliance story thing "
    "question exam".split()
)  # fmt: skip
EXCESSES = ("teuer", "klein", "groß", "alt", "kurz", "lang", "dunkel", "laut", "kalt", "heiß", "warm", "schwierig", "langsam", "süß", "langweilig")
TEMPORARY = ("krank", "müde", "zufrieden", "glücklich", "traurig", "nervös", "böse", "allein", "fertig", "pünktlich", "freundlich", "nett")


def describable(g: Grammar, plural: bool | None = None) -> Phrase:
    """A thing that an adjective can describe."""
    while True:
        noun = g.noun_of(THINGS)
        if g.adjectives_for(noun, True):
            break
    plural = bool(noun.plural) and "one" not in noun.kinds and (g.chance(0.2) if plural is None else plural) or noun.plural_only
    plural = plural or "many" in noun.kinds
    if noun.kinds & {"one", "food", "drink"}:
        return Phrase(noun, "der", plural)
    determiner = g.choose(("der", "der", "der", "dieser", "mein", "dein", "unser"))
    if determiner in ("mein", "dein", "unser") and noun.kinds & {"building", "transport", "town", "story", "event", "film", "question", "reading"}:
        determiner = "der"
    return Phrase(noun, determiner, plural)


def quality_of(g: Grammar, subject: Phrase | str) -> Quality:
    if isinstance(subject, str) or subject.noun.kinds & {"person", "relative", "name"} and g.chance(0.7):
        adjective = g.words.adjectives[g.choose(TEMPORARY)]
    else:
        adjective = g.choose(g.adjectives_for(subject.noun, True))
    intensified = bool(adjective.comparative) and adjective.german != "lecker" or adjective.german in ("müde", "krank", "böse")
    excess = adjective.german in EXCESSES and isinstance(subject, Phrase) and not subject.noun.kinds & {"person", "relative", "name"}
    draw = g.random.random()
    return Quality(adjective, "sehr" if intensified and draw < 0.3 else "zu" if excess and draw < 0.55 else "")


def description(g: Grammar) -> Sentence:
    """Somebody or something is a certain way."""
    question = g.chance(0.15)
    subject = g.subject(QUESTION if question else INSIDE[:9]) if g.chance(0.5) else describable(g)
    quality = quality_of(g, subject)
    item = Clause(subject, g.verb("sein"), predicate=quality, question=question)
    temporary = quality.adjective.german in TEMPORARY
    item.past = g.chance(0.35 if temporary else 0.15)
    item.negated = not question and quality.intensifier != "zu" and g.chance(0.2)
    if temporary and g.chance(0.5):
        item.time = g.choose(g.near["past"]) if item.past else _present_time(g, item, quality)
        item.front = item.past and not question and g.chance(0.4)
    return Sentence(item)


def _present_time(g: Grammar, item: Clause, quality: Quality) -> Adverbial:
    plain = not item.negated and not item.question and not quality.intensifier
    return g.choose((*g.times["frequency"], g.words.adverbs["heute"])) if plain else g.words.adverbs["heute"]


def comparison(g: Grammar) -> Sentence:
    people, plural = g.chance(0.4), g.chance(0.15)
    while True:
        one = g.subject(INSIDE[:9]) if people else describable(g, plural)
        two = g.subject(("ich", "du", "er", "sie")) if people else describable(g, plural)
        if isinstance(one, str) and isinstance(two, str) and overlap(two, one) or one == two:
            continue
        if (
            isinstance(one, Phrase)
            and isinstance(two, Phrase)
            and (one.noun is two.noun or not people and not one.noun.kinds & two.noun.kinds - {"thing", "device"})
        ):
            continue
        common = [adjective for adjective in _said_of(g, one) if adjective.comparative and _fits(adjective, one) and _fits(adjective, two)]
        if common:
            break
    quality = Quality(g.choose(common), "", g.chance(0.6), two)
    return Sentence(Clause(one, g.verb("sein"), predicate=quality, negated=not quality.comparative and g.chance(0.4), past=g.chance(0.1)))


def _said_of(g: Grammar, subject: Phrase | str) -> list[Adjective]:
    return g.adjectives if isinstance(subject, str) else g.adjectives_for(subject.noun, True)


def _fits(adjective: Adjective, subject: Phrase | str) -> bool:
    return "relative" in adjective.predicate if isinstance(subject, str) else not adjective.predicate.isdisjoint(subject.noun.kinds)


def this_is(g: Grammar) -> Sentence:
    noun = g.noun(
        "thing", "clothing", "vehicle", "film", "idea", "home", "relative", "close", "building", "animal", "town", "story", "gift", "picture"
    )
    owned = bool(noun.kinds & {"relative", "close"})
    determiner = g.choose(("mein", "dein", "sein", "unser") if owned else ("ein", "ein", "ein", "mein", "dein", "unser"))
    if noun.kinds & {"building", "town", "film", "story"} and "home" not in noun.kinds:
        determiner = "ein"
    question = g.chance(0.25)
    if question and determiner == "mein":
        determiner = "Ihr"
    plural = noun.plural_only or bool(noun.plural) and "one" not in noun.kinds and g.chance(0.15)
    phrase = g.modified(Phrase(noun, determiner, plural), 0.6 if determiner == "ein" else 0.0 if owned else 0.15)
    if determiner == "ein" and not plural and g.chance(0.2) and not question:
        superlative = g.modified(Phrase(noun, "der"), 1.0)
        if superlative.adjective and superlative.adjective.comparative:
            place = spot(g.choose(g.spots["city"]), g.verb("sein")) if noun.kinds & {"building"} else None
            return Sentence(Clause("das", g.verb("sein"), predicate=superlative._replace(degree=2), place=place))
    return Sentence(Clause("das", g.verb("sein"), predicate=phrase, question=question, negated=not question and g.chance(0.2)))


def there_is(g: Grammar) -> Sentence:
    noun = g.noun("public", "stop", "green")
    phrase = g.modified(Phrase(noun, "ein"), 0.3) if g.chance(0.6) else g.modified(Phrase(noun, "0", True), 0.3)
    question = g.chance(0.4)
    place = spot(g.choose(("hier", "hier", "hier", "Stadt", *g.spots["city"])), g.verb("geben"))
    return Sentence(Clause("es", g.verb("geben"), object=phrase, place=place, question=question, negated=not question and g.chance(0.35)))


def whereabouts(g: Grammar) -> Sentence:
    """Wo ist der Schlüssel? Er liegt auf dem Tisch. Ich lege ihn in die Tasche."""
    noun = g.noun("thing", "pocket", "dishes", "clothing")
    subject = Phrase(noun, g.choose(("der", "der", "mein", "dein")), noun.plural_only or "many" in noun.kinds)
    draw = g.random.random()
    if draw < 0.2:
        return Sentence(Clause(subject._replace(determiner=g.choose(("der", "mein", "dein", "Ihr"))), g.verb("sein"), ask=ASKS["wo"]))
    place = furniture(g, noun.kinds)
    if isinstance(place.phrase, Phrase) and place.phrase.noun is noun:
        return whereabouts(g)
    if draw < 0.65:
        return Sentence(Clause(subject, g.verb("liegen"), place=place, negated=g.chance(0.15), question=g.chance(0.15)))
    verb = g.verb("stellen" if noun.kinds & {"dishes"} or noun.german in ("Koffer", "Tasche") else "legen")
    return Sentence(Clause(g.subject(), verb, object=subject._replace(determiner="der"), place=place, past=g.chance(0.5)))


def furniture(g: Grammar, kinds: frozenset[str]) -> Prepositional:
    preposition = g.choose(("auf", "auf", "unter", "in", "neben"))
    if preposition == "in":
        room = g.noun("inside") if kinds & {"pocket", "clothing"} else g.words.nouns["Schrank"]
    else:
        room = g.noun({"auf": "on", "unter": "under", "neben": "furniture"}[preposition])
    return Prepositional(preposition, g.modified(Phrase(room), 0.15) if "furniture" in room.kinds else Phrase(room))


def somewhere(g: Grammar) -> Sentence:
    """Meine Mutter ist in der Küche; wart ihr letztes Jahr in Italien?"""
    past, question = g.chance(0.5), g.chance(0.25)
    kind = g.choose(("stay", "walk", "live", "travel", "home")) if past else g.choose(("stay", "walk", "home", "live"))
    subject = g.subject(QUESTION) if question else g.subject()
    item = Clause(subject, g.verb("sein"), place=spot(g.choose(g.spots[kind]), g.verb("sein")), past=past, question=question)
    item.negated = not question and g.chance(0.15)
    if past:
        item.time = g.choose(g.times["past"]) if g.chance(0.6) else None
    elif g.chance(0.4):
        item.time = g.choose((*g.near["now"], *g.times["frequency"])) if not item.negated else g.words.adverbs["heute"]
    item.front = item.time is not None and not question and "inside" not in item.time.kinds and g.chance(0.3)
    return Sentence(item)


def having(g: Grammar) -> Sentence:
    """Ich habe zwei Brüder; wir haben keine Zeit."""
    verb, question, past = g.verb("haben"), g.chance(0.25), g.chance(0.25)
    subject = g.subject(QUESTION) if question else g.subject()
    draw = g.random.random()
    item = Clause(subject, verb, past=past, question=question, negated=not question and g.chance(0.3))
    if draw < 0.25:
        noun = g.words.nouns[g.choose(("Bruder", "Schwester", "Kind", "Sohn", "Tochter", "Cousin", "Katze", "Hund", "Pferd"))]
        count = 0 if item.negated or question else g.number(0, 5)
        item.past, item.object = (
            False,
            Phrase(noun, "0", True, quantity=count) if count > 1 else Phrase(noun, "0", True) if not count else Phrase(noun, "ein"),
        )
    elif draw < 0.45:
        item.object = Phrase(g.words.nouns[g.choose(("Zeit", "Geld"))], "0")
        item.time = g.choose(g.near["past"]) if past else g.choose((*g.near["future"], g.words.adverbs["heute"])) if g.chance(0.6) else None
    elif draw < 0.7:
        item.object = g.modified(Phrase(g.noun("appointment", "exam", "problem", "question", "idea"), "ein"), 0.35)
        if item.object.noun.kinds & {"appointment", "exam"}:
            item.time = g.choose(g.near["past"]) if past else g.choose(g.near["future"])
    else:
        noun = g.noun("owned", "home", "device", "pet", "instrument", "ticket", "appliance")
        item.object = g.modified(Phrase(noun, "ein"), 0.45, 0.1)
    item.front = item.time is not None and not question and "inside" not in item.time.kinds and g.chance(0.3)
    return Sentence(item)


def health(g: Grammar) -> Sentence:
    subject, draw = g.subject(), g.random.random()
    if draw < 0.65:
        noun = g.noun("ailment") if draw < 0.4 else g.noun("state")
        item = Clause(subject, g.verb("haben"), object=Phrase(noun, "0", noun.plural_only), past=g.chance(0.35), negated=g.chance(0.25))
        item.time = g.choose(g.near["past"]) if item.past and g.chance(0.6) else None
        item.front = item.time is not None and g.chance(0.3)
        if not item.past and not item.negated and g.chance(0.3):
            item.subject, item.question = g.subject(QUESTION), True
        return Sentence(item)
    part = g.noun("body", "limb", "tooth")
    plural = bool(part.kinds & {"limb"}) and g.chance(0.6)
    who = g.choose(("ich", "ich", "du", "er", "sie", "wir")) if g.chance(0.6) else g.relative("mein")
    if who == "wir" or isinstance(who, Phrase) and (who.plural or who.noun.plural_only):
        plural, part = True, g.noun("limb")
    return Sentence(Clause(Phrase(part, "der", plural), g.verb("wehtun"), object=who, past=g.chance(0.25), question=who == "du"))


def weather(g: Grammar) -> Sentence:
    draw, past = g.random.random(), g.chance(0.4)
    time = g.choose(g.times["past"]) if past else g.choose((g.words.adverbs["heute"], *g.near["future"]))
    item = Clause("es", g.verb("sein"), past=past, time=time, front=g.chance(0.5), negated=g.chance(0.2))
    item.modal = "" if past or "future" not in time.kinds else "werden"
    if draw < 0.35:
        item.verb = g.verb(g.choose(("regnen", "schneien")))
        return Sentence(item)
    names: tuple[str, ...] = ("warm", "kalt", "heiß")
    if draw > 0.7:
        item.subject, names = Phrase(g.words.nouns["Wetter"]), ("schön", "schlecht", "gut", "warm", "kalt")
    item.predicate = Quality(g.words.adjectives[g.choose(names)], g.choose(("", "sehr")))
    return Sentence(item)


def possession(g: Grammar) -> Sentence:
    """Das Auto meines Bruders; das Buch gehört mir."""
    noun = g.noun("owned", "thing", "clothing", "home", "pet")
    if g.chance(0.35):
        item = Clause(Phrase(noun, g.choose(("der", "dieser")), noun.plural_only), g.verb("gehören"), object=_receiver(g), negated=g.chance(0.2))
        item.question = not item.negated and g.chance(0.2)
        return Sentence(item)
    owner = g.relative(g.choose(("mein", "dein", "unser"))) if g.chance(0.7) else g.name()
    if "hers" in noun.kinds and owner.noun.gender != "f":
        return possession(g)
    if "title" in owner.noun.kinds:
        owner = g.relative("mein")
    owned = Phrase(noun, "der", noun.plural_only or "many" in noun.kinds, owner=owner)
    if g.chance(0.55) and g.adjectives_for(noun, True):
        return Sentence(Clause(owned, g.verb("sein"), predicate=quality_of(g, owned), past=g.chance(0.2)))
    verb = g.verb(g.choose(("sehen", "suchen", "finden", "nehmen", "fotografieren")))
    return Sentence(Clause(g.choose(("ich", "wir", "er", "sie")), verb, object=owned, past=verb.key == "finden" or g.chance(0.5)))


def _receiver(g: Grammar) -> Phrase | str:
    return g.choose(("ich", "du", "er", "sie", "wir", "ihr", "sie+", "Sie")) if g.chance(0.6) else g.name() if g.chance(0.3) else g.relative("mein")


def liking(g: Grammar) -> Sentence:
    verb = g.verb(g.choose(("gefallen", "schmecken", "passen")))
    noun = g.noun_of(verb.subject)
    while "sugar" in noun.english:
        noun = g.noun_of(verb.subject)
    subject = Phrase(noun, "der" if g.chance(0.6) else "dieser", noun.plural_only or bool(noun.plural) and g.chance(0.25))
    item = Clause(subject, verb, object=_receiver(g), negated=g.chance(0.25))
    if "hers" in noun.kinds and verb.key == "passen":
        item.object = g.choose(("ich", "du", "sie", "Sie"))
    item.question = not item.negated and item.object not in ("ich", "wir") and g.chance(0.25)
    return Sentence(item)


def profession(g: Grammar) -> Sentence:
    subject = g.relative("mein")
    while subject.plural or subject.noun.plural_only:
        subject = g.relative(g.choose(("mein", "unser")))
    job = Phrase(g.choose([noun for noun in g.words.nouns_of("profession") if noun.gender == subject.noun.gender]), "0")
    if g.chance(0.6):
        return Sentence(Clause(subject, g.verb("sein"), predicate=job, past=g.chance(0.3), negated=g.chance(0.15)))
    return Sentence(Clause(subject, g.verb("werden"), predicate=job, modal=g.choose(("möchten", "wollen"))))


TOPICS = (
    (9, description), (6, comparison), (4, this_is), (2, there_is), (4, whereabouts), (5, somewhere), (5, having), (4, health),
    (2, weather), (3, possession), (3, liking), (1, profession),
)  # fmt: skip
