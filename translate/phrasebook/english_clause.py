"""English clauses and sentences: tense, do-support, negation and word order."""

from __future__ import annotations

from translate.phrasebook.english import (
    CONJUNCTIONS,
    CONTRACTED,
    MODALS,
    NEGATIVE,
    POSSESSIVE,
    gerund,
    is_plural,
    phrase,
    prepositional,
    quality,
    third,
)  # fmt: skip
from translate.phrasebook.german_clause import ending
from translate.phrasebook.lexicon import Adverbial
from translate.phrasebook.meaning import Clause, Nominal, Phrase, Prepositional, Quality, Sentence, asks, bare

HABITUAL = frozenset(["habit", "frequency"])
AROUND_NOW = frozenset(["now", "future"])
SIMPLE_MANNERS = frozenset(["well", "badly", "a lot", "quickly", "early", "late"])


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
        return f"{clause(main)} {infinitive(second)}"
    if conjunction in ("who", "that"):
        head = phrase(main.subject)
        return f"{head} {conjunction} {clause(second).removeprefix(head + ' ')} {clause(main).removeprefix(head + ' ')}"
    if conjunction == "wenn" and not main.imperative:
        parts = [clause(main, "will"), "if " + clause(second, "if")]
        return ", ".join([parts[1], parts[0]]) if conjunction_first else " ".join(parts)
    if conjunction_first:
        return f"{CONJUNCTIONS[conjunction]} {clause(second)}, {clause(main)}"
    comma = "," if conjunction in ("aber", "deshalb") else ""
    return f"{clause(main)}{comma} {CONJUNCTIONS[conjunction]} {clause(second, 'if' if conjunction == 'wenn' else '')}"


def clause(item: Clause, mood: str = "") -> str:
    """`mood`: `if` makes the verb simple (if it rains), `will` makes the present a future (we'll stay at home)."""
    if item.imperative:
        return _imperative(item)
    subject: Nominal = item.subject
    rest_object = item.object
    if "swap" in item.verb.more and item.object is not None:  # das Kleid gefällt mir: I like the dress
        subject, rest_object = item.object, item.subject
    subject_text = phrase(subject, False)
    if item.verb.infinitive == "wehtun":
        subject_text, rest_object = _owned(item), None
    elif item.verb.key == "geben" and subject == "es":
        subject_text = "there"
    elif subject == "das" and is_plural(item.predicate):
        subject_text = "those"
    finite, rest, complement = _verb(item, subject, mood)
    wh = _question_word(item, rest_object)
    if wh:
        rest_object = None if asks(rest_object) else rest_object
    frequency = item.time is not None and "frequency" in item.time.kinds
    front = [item.time.english] if item.front and item.time else []
    words = []
    if item.time is not None and frequency and not item.front:
        rest = [item.time.english, *rest] if finite or item.past or rest else rest
    if item.question or wh and not asks(item.subject):
        words = [*wh, _negate(finite) if item.negated else finite, subject_text, *rest]
    elif asks(item.subject):
        words = [subject_text, *_statement("", finite, item.negated), *rest]
    else:
        words = [*front, *_statement(subject_text, finite, item.negated), *rest]
    if item.question and front:
        words = [*front, *words]
    return " ".join(filter(None, [*words, *_after(item, rest_object, complement, frequency)]))


def _statement(subject: str, finite: str, negated: bool) -> list[str]:
    if not finite:
        return [subject]
    pronoun = subject in ("I", "you", "he", "she", "it", "we", "they", "that", "there")
    if negated and finite == "am":
        return [subject + "'m", "not"]
    if negated:
        return [subject, _negate(finite)]
    if pronoun and finite in CONTRACTED and not (subject in ("that", "there") and finite != "is"):
        return [subject + CONTRACTED[finite]]
    return [subject, finite]


def _negate(finite: str) -> str:
    return NEGATIVE.get(finite, finite + "n't")


def _be(subject: object, past: bool, plural: bool | None = None) -> str:
    many = is_plural(subject) if plural is None else plural
    if past:
        return "were" if many else "was"
    return "am" if subject == "ich" else "are" if many else "is"


def _verb(item: Clause, subject: object, mood: str) -> tuple[str, list[str], list[str]]:
    """The finite auxiliary (empty: none), the other verbs, and the verb's complement."""
    verb, past = item.verb, item.past
    base, _, particle = verb.english.partition(" ~")
    past_form = verb.past.partition(" ~")[0]
    complement = [particle] if particle else []
    plural = None
    if verb.key == "geben" and item.subject == "es":
        base, plural = "be", is_plural(item.object)
    elif verb.key == "haben" and isinstance(item.object, Phrase) and "state" in item.object.noun.kinds:
        base = "be"
    elif isinstance(item.predicate, Phrase) and subject == "das":
        plural = is_plural(item.predicate)
    elif verb.infinitive == "wehtun":
        plural = is_plural(item.subject)
    many = is_plural(subject) if plural is None else plural
    first_or_many = many or subject == "ich"
    since = item.clock is not None and "since" in item.clock.kinds
    if base == "would like":
        return "would", ["like"], complement
    if base == "be" or base.startswith("be "):
        rest = base.split(" ")[1:]
        if not item.modal:
            if mood == "will":
                return "will", ["be", *rest], complement
            return _be(subject, past, plural), rest, complement
    modal = item.modal or ("werden" if mood == "will" else "")
    helper, tail = MODALS.get(modal, ("", ""))
    need_do = item.negated or item.question or bool(_question_word(item, item.object)) and not asks(item.subject)
    do = "did" if past else "do" if first_or_many else "does"
    if helper in ("can", "could", "should", "will", "would"):
        helper = "could" if helper == "can" and past else helper
        return helper, [*tail.split(), base], complement
    if helper == "be":
        return _be(subject, past, plural), [*tail.split(), base], complement
    if helper:
        if need_do:
            return do, [helper, tail, base], complement
        form = ("had" if helper == "have" else "wanted") if past else helper if first_or_many else third(helper)
        return "", [form, tail, base], complement
    if since:
        return "have" if first_or_many else "has", [verb.past], complement
    if item.gern:
        like = "like" if need_do else "liked" if past else "like" if first_or_many else "likes"
        return do if need_do else "", [like, gerund(base, verb.ing)], complement
    if not past and _continuous(item, mood):
        return _be(subject, False, plural), [gerund(base, verb.ing)], complement
    if need_do:
        return do, [base], complement
    return "", [past_form if past else base if first_or_many else third(base)], complement


def _continuous(item: Clause, mood: str) -> bool:
    aspect, kinds = item.verb.aspect, item.time.kinds if item.time else frozenset()
    if aspect in "st" or mood == "if" or not kinds.isdisjoint(HABITUAL) or (item.ask and "habit" in item.ask.kinds):
        return False
    if isinstance(item.manner, Adverbial) and item.manner.english in SIMPLE_MANNERS and kinds.isdisjoint(AROUND_NOW):
        return False
    if aspect == "r" and (item.ask or item.clock):
        return not kinds.isdisjoint(AROUND_NOW)
    without_article = bare(item.object) and isinstance(item.object, Phrase) and item.object.determiner == "0"
    generic = "generic" in item.verb.more and without_article and (item.negated or item.question)
    return not (generic and kinds.isdisjoint(AROUND_NOW))


def _question_word(item: Clause, obj: Nominal | None) -> list[str]:
    if item.ask:
        return [item.ask.english]
    if obj is not None and asks(obj):
        return [phrase(obj, False)]
    return [phrase(item.recipient, False)] if item.recipient is not None and asks(item.recipient) else []


def _owned(item: Clause) -> str:
    """mir tut der Rücken weh: my back."""
    assert isinstance(item.subject, Phrase) and item.object is not None
    part = item.subject.noun.english_plural if item.subject.plural else item.subject.noun.english
    if isinstance(item.object, str):
        return f"{POSSESSIVE[item.object]} {part}"
    owner = phrase(item.object)
    return f"{owner}{chr(39) if is_plural(item.object) and owner.endswith('s') else chr(39) + 's'} {part}"


def _after(item: Clause, rest_object: Nominal | None, particle: list[str], frequency: bool) -> list[str]:
    """Everything after the verbs: objects, predicate, place, manner, time."""
    words: list[str] = []
    recipient = item.recipient if not asks(item.recipient) else None
    double = item.verb.more.get("recipient") != "to"
    if recipient is not None and double:
        words.append(phrase(recipient))
    if rest_object is not None:
        text = phrase(rest_object, True, _any(item, rest_object))
        words += [text, *particle] if isinstance(rest_object, str) else [*particle, text]
    else:
        words += particle
    if recipient is not None and not double:
        words.append(f"to {phrase(recipient)}")
    if asks(item.recipient):
        words.append("to")
    if item.predicate is not None:
        words.append(quality(item.predicate) if isinstance(item.predicate, Quality) else phrase(item.predicate))
    manner = [item.manner.english if isinstance(item.manner, Adverbial) else prepositional(item.manner)] if item.manner else []
    company = isinstance(item.manner, Prepositional) and item.manner.preposition == "mit"
    place = [item.place.english if isinstance(item.place, Adverbial) else prepositional(item.place)] if item.place else []
    words += [*place, *manner] if company else [*manner, *place]
    if item.clock:
        words.append(item.clock.english)
    if item.time and not item.front and not frequency:
        words.append(item.time.english)
    return words


def _any(item: Clause, obj: object) -> bool:
    """I don't have any time, but: I don't drink coffee, I don't like dogs."""
    if (
        not item.negated
        or not isinstance(obj, Phrase)
        or obj.determiner != "0"
        or obj.noun.proper
        or "language" in obj.noun.kinds
        or not obj.noun.kinds.isdisjoint(("ailment", "state"))
    ):
        return False
    generic = "generic" in item.verb.more and not item.past or "like" in item.verb.more
    return not generic


def infinitive(item: Clause) -> str:
    base, _, particle = item.verb.english.partition(" ~")
    return " ".join(["to", base, *_after(item, item.object, [particle] if particle else [], False)])


def _imperative(item: Clause) -> str:
    base, _, particle = item.verb.english.partition(" ~")
    opening = "don't" if item.negated else "please"
    return " ".join(filter(None, [opening, base, *_after(item, item.object, [particle] if particle else [], False)]))
