"""German clauses and sentences: word order.

The topological fields (Drach, "Grundgedanken der deutschen Satzlehre", 1937): front | finite verb | middle | end. The finite verb is second in a
statement, first in a question, last after dass, weil, wenn, ob.
"""

from __future__ import annotations

from translate.phrasebook.german import (
    PRESENT,
    PRETERITE,
    REFLEXIVE,
    imperative,
    join,
    person,
    phrase,
    prepositional,
    present,
    quality,
    relative,
    with_zu,
)
from translate.phrasebook.lexicon import Adverbial
from translate.phrasebook.meaning import Clause, Phrase, Prepositional, Quality, Sentence, asks, bare, direction

VERB_LAST = ("dass", "weil", "wenn", "ob")


def sentence(item: Sentence) -> str:
    main, second = item.main, item.second
    if second is None:
        text = clause(main)
    elif item.conjunction == ".":
        return f"{sentence(Sentence(main))} {sentence(Sentence(second))}"
    else:
        text = _compound(main, item.conjunction, second, item.first)
    return text[0].upper() + text[1:] + ending(main)


def _compound(main: Clause, conjunction: str, second: Clause, conjunction_first: bool) -> str:
    if conjunction in ("zu", "um"):
        return f"{clause(main)}, {'um ' if conjunction == 'um' else ''}{infinitive(second)}"
    if conjunction in ("who", "that"):
        return _with_relative(main, conjunction, second)
    if conjunction_first:
        return f"{conjunction} {clause(second, 'last')}, {clause(main, 'first')}"
    if conjunction in VERB_LAST:
        return f"{clause(main)}, {conjunction} {clause(second, 'last')}"
    if conjunction == "deshalb":
        return f"{clause(main)}, deshalb {clause(second, 'first')}"
    return f"{clause(main)}{' ' if conjunction == 'und' else ', '}{conjunction} {clause(second)}"


def _with_relative(main: Clause, conjunction: str, second: Clause) -> str:
    """The relative clause follows the subject, which opens the main clause."""
    assert isinstance(main.subject, Phrase)
    head = phrase(main.subject, "nom")
    if conjunction == "who":
        text = f"{relative(main.subject, 'nom')} {clause(second, 'last').removeprefix(head + ' ')}"
    else:
        text = f"{relative(main.subject, 'acc')} {clause(second, 'last')}"
    return f"{head}, {text}, {clause(main).removeprefix(head + ' ')}"


def infinitive(item: Clause) -> str:
    early, middle, _ = _fields(item)
    return " ".join([*early, *middle, with_zu(item.verb)])


def ending(main: Clause) -> str:
    """The final punctuation mark."""
    if main.imperative:
        return "!"
    return "?" if main.question or main.ask or asks(main.subject) or asks(main.object) else "."


def verb_forms(item: Clause) -> tuple[str, list[str]]:
    """The finite verb, and the verbs at the end of the clause."""
    verb, number = item.verb, person(item.subject)
    if item.predicate is not None and isinstance(item.predicate, Phrase) and item.subject == "das":
        number = person(item.predicate)
    if item.modal:
        return (PRETERITE if item.past else PRESENT)[item.modal][number], [verb.infinitive]
    if item.past and verb.infinitive in ("sein", "haben"):
        return PRETERITE[verb.infinitive][number], []
    if item.past:
        return PRESENT[verb.auxiliary][number], [verb.participle]
    return present(verb, number), [verb.prefix.strip()] if verb.prefix else []


def clause(item: Clause, order: str = "") -> str:
    """`order`: first, last, or empty for the order of the clause itself (statement, question, imperative)."""
    if item.imperative:
        return _imperative(item)
    finite, end = verb_forms(item)
    subject = phrase(item.subject, "nom")
    early, middle, front = _fields(item)
    if order == "last":
        before = early if _before_subject(item) else []
        after = [] if before else early
        verb = [finite]
        if end and not item.modal and not item.past:
            verb, end = [item.verb.prefix + finite], []
        return " ".join([*front, *before, subject, *after, *middle, *end, *verb])
    if item.question or order == "first":
        words = [*front, finite]
    elif front:
        words = [*front, finite]
    elif item.verb.infinitive == "wehtun":
        return " ".join([*early, finite, subject, *middle, *end])
    else:
        return " ".join([subject, finite, *early, *middle, *end])
    if _before_subject(item):
        return " ".join([*words, *early, subject, *middle, *end])
    return " ".join([*words, subject, *early, *middle, *end])


def _before_subject(item: Clause) -> bool:
    """Whether pronouns precede a noun subject: a reflexive (morgen freut sich mein Vater) or, if the subject is a thing, the dative of a person."""
    return not isinstance(item.subject, str) and (item.verb.reflexive or (item.verb.case == "dat" and "person" not in item.verb.subject))


def _fields(item: Clause) -> tuple[list[str], list[str], list[str]]:
    """Unstressed pronouns, the rest of the middle field, and what precedes the finite verb instead of the subject."""
    verb, early = item.verb, list[str]()
    front = [item.ask.german] if item.ask else [item.time.german] if item.front and item.time else []
    if verb.reflexive:
        early.append(REFLEXIVE.get(item.subject, "sich") if isinstance(item.subject, str) else "sich")
    objects: list[str] = []
    prepositional_object = ""
    kein = item.negated and not verb.preposition and bare(item.object)
    if item.object is not None:
        text = join(verb.preposition, item.object, verb.case) if verb.preposition else phrase(item.object, verb.case, kein)
        if asks(item.object):
            front = [text]
        elif verb.preposition:
            prepositional_object = text
        elif isinstance(item.object, str) or verb.infinitive == "wehtun":
            early.append(text)
        else:
            objects.append(text)
    if item.recipient is not None:
        text = phrase(item.recipient, "dat")
        if asks(item.recipient):
            front = [text]
        else:
            early.append(text) if isinstance(item.recipient, str) else objects.insert(0, text)
    times = [moment.german for moment in (item.time, item.clock) if moment is not None and not (moment is item.time and item.front)]
    late = [prepositional_object] if prepositional_object else []
    manner = _adjunct(item.manner, False)
    place = _adjunct(item.place, direction(verb))
    predicate, kein_predicate = _predicate(item)
    gern = ["gern"] if item.gern else []
    no = ["nicht"] if item.negated and not kein and not kein_predicate else []
    if verb.key == "geben" and item.subject == "es":  # es gibt hier keine Restaurants
        return early, [*times, *place, *objects], front
    if no and objects:
        return early, [*objects, *times, *no, *gern, *manner, *late, *place], front
    if verb.key == "sprechen" and isinstance(item.manner, Adverbial):
        return early, [*times, *no, *gern, *manner, *objects, *place], front
    return early, [*times, *gern, *objects, *no, *manner, *late, *place, *predicate], front


def _adjunct(item: Adverbial | Prepositional | None, towards: bool) -> list[str]:
    if item is None:
        return []
    return [item.german if isinstance(item, Adverbial) else prepositional(item, towards)]


def _predicate(item: Clause) -> tuple[list[str], bool]:
    if item.predicate is None:
        return [], False
    if isinstance(item.predicate, Quality):
        return [quality(item.predicate)], False
    kein = item.negated and bare(item.predicate)
    return [phrase(item.predicate, "nom", kein)], kein


def _imperative(item: Clause) -> str:
    early, middle, _ = _fields(item)
    please = [] if item.negated else ["bitte"]
    prefix = [item.verb.prefix.strip()] if item.verb.prefix else []
    return " ".join([imperative(item.verb, str(item.subject)), *early, *please, *middle, *prefix])
