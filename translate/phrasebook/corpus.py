"""The corpus: distinct sentence pairs from a seed, and its splits.

A pair's `combinations` are a verb with the noun of its object, or two verbs. Some are withheld for `test_unseen`: they occur in no other split,
while each of their words occurs in `train`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from translate.errors import UserError
from translate.phrasebook import english_clause, german_clause
from translate.phrasebook.actions import ACTIONS
from translate.phrasebook.compounds import COMPOUNDS
from translate.phrasebook.gold import Aligned, aligned
from translate.phrasebook.grammar import Grammar
from translate.phrasebook.meaning import Phrase, Saying, Sentence, addressed
from translate.phrasebook.quantities import QUANTITIES
from translate.phrasebook.topics import TOPICS

SPLITS = ("train", "validation", "test", "test_unseen")
DRAWN = 38_500  # distinct pairs before the split
VALIDATION, TEST, UNSEEN = 500, 1000, 500
WITHHELD = 0.05  # share of combinations
VERSION = 1  # part of cache keys: raise it whenever the pairs change


class Pair(NamedTuple):
    german: str
    english: str
    combinations: tuple[tuple[str, ...], ...] = ()


def combinations(sentence: Sentence) -> tuple[tuple[str, ...], ...]:
    """(verb, noun of its object) for each clause, even if the noun is in the other clause; (conjunction, verb, verb) for two clauses."""
    main, second = sentence.main, sentence.second
    found: list[tuple[str, ...]] = []
    for clause in (main, second):
        if clause is not None and isinstance(clause.object, Phrase):
            found.append((clause.verb.key, clause.object.noun.german))
            if clause.object.content:  # ein Kilo Birnen
                found.append((clause.verb.key, clause.object.content.noun.german))
    if second is not None:
        found.append((sentence.conjunction, main.verb.key, second.verb.key))
        if sentence.conjunction == "that" and isinstance(main.subject, Phrase):  # das Buch, das ich lese
            found.append((second.verb.key, main.subject.noun.german))
        elif sentence.conjunction == "." and isinstance(main.predicate, Phrase):  # Das ist ein Buch. Ich lese es.
            found.append((second.verb.key, main.predicate.noun.german))
    return tuple(found)


@lru_cache(maxsize=2)
def generate(seed: int = 1) -> dict[str, tuple[Pair, ...]]:
    """All splits for `seed`: the same in every process."""
    return split([pair for pair, _ in draw(seed)], random.Random(f"split {seed}"))


def draw(seed: int) -> list[tuple[Pair, Sentence | Saying]]:
    """Distinct pairs, with their meanings."""
    grammar = Grammar(seed)
    makers: list[Callable[[Grammar], Sentence | Saying]] = [
        maker for weight, maker in (*ACTIONS, *TOPICS, *QUANTITIES, *COMPOUNDS) for _ in range(weight)
    ]
    by_german: dict[str, tuple[Pair, Sentence | Saying]] = {}
    while len(by_german) < DRAWN:
        sentence = grammar.choose(makers)(grammar)
        if isinstance(sentence, Saying):
            by_german.setdefault(sentence.german, (Pair(*sentence), sentence))
            continue
        if len(addressed(*filter(None, (sentence.main, sentence.second)))) > 1:  # du and Sie in one sentence
            continue
        german = german_clause.sentence(sentence)
        if german not in by_german:
            by_german[german] = (Pair(german, english_clause.sentence(sentence), combinations(sentence)), sentence)
    return list(by_german.values())


def split(pool: list[Pair], generator: random.Random) -> dict[str, tuple[Pair, ...]]:
    """Divide the pool. Pairs that share an English sentence (du and Sie) stay together in train; elsewhere all but one are dropped."""
    every = sorted({combination for pair in pool for combination in pair.combinations})
    withheld = set(generator.sample(every, round(WITHHELD * len(every))))
    groups: dict[str, list[Pair]] = {}
    for pair in pool:
        groups.setdefault(pair.english, []).append(pair)
    unseen, seen = [], []
    for group in groups.values():
        with_withheld = [pair for pair in group if not withheld.isdisjoint(pair.combinations)]
        if with_withheld:
            unseen.append(with_withheld[0])
        else:
            seen.append(group)
    generator.shuffle(seen)
    validation = tuple(group[0] for group in seen[:VALIDATION])
    test = tuple(group[0] for group in seen[VALIDATION : VALIDATION + TEST])
    train = [pair for group in seen[VALIDATION + TEST :] for pair in group]
    generator.shuffle(train)
    words = vocabulary(train)
    known = [pair for pair in unseen if words >= vocabulary([pair])]
    generator.shuffle(known)
    return {"train": tuple(train), "validation": validation, "test": test, "test_unseen": tuple(known[:UNSEEN])}


def vocabulary(some: Sequence[Pair]) -> set[str]:
    """The words of both sides, in lower case and without punctuation, marked by language."""
    german = {word for pair in some for word in pair.german.split()}
    english = {word for pair in some for word in pair.english.split()}
    return {"de:" + word.strip(".,!?").lower() for word in german} | {"en:" + word.strip(".,!?").lower() for word in english}


def pairs(split: str, seed: int = 1) -> list[tuple[str, str]]:
    """The (German, English) sentence pairs of a split: train, validation, test or test_unseen. UserError for an unknown split."""
    if split not in SPLITS:
        raise UserError(f"the phrasebook has no split {split!r}: choose one of {', '.join(SPLITS)}")
    return [(pair.german, pair.english) for pair in generate(seed)[split]]


def aligned_pairs(split: str, seed: int = 1) -> list[Aligned]:
    """The pairs of a split with the links of their words, without the fixed sayings. UserError for an unknown split."""
    chosen = pairs(split, seed)
    meanings = {pair.german: sentence for pair, sentence in draw(seed) if isinstance(sentence, Sentence)}
    return [aligned(meanings[german]) for german, _ in chosen if german in meanings]
