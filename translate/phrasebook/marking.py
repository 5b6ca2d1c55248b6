"""Marks in the words of a sentence's meaning, so that its parts can be found again in both texts.

A mark is a private-use character inside a word, where no rule of inflection looks. The two clause modules make text of a marked meaning as of any
other: the same words, with marks in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from translate.phrasebook.english_clause import SIMPLE_MANNERS
from translate.phrasebook.german import PRESENT
from translate.phrasebook.lexicon import Adjective, Adverbial, Noun, Verb
from translate.phrasebook.meaning import Clause, Nominal, Phrase, Prepositional, Quality, Sentence

Part = TypeVar("Part")
FIRST_MARK = 0xE000
# inflected by tables of their own, or told by their English: found by their forms
IRREGULAR = frozenset([*PRESENT, "wehtun"])
IRREGULAR_ENGLISH = frozenset("be have do go would".split())


@dataclass
class Marking:
    """Of one sentence: what each mark is in."""

    parts: list[object] = field(default_factory=list)  # Noun, Adjective, Verb or Adverbial, unmarked; mark i is chr(FIRST_MARK + i)
    numbers: dict[int, int] = field(default_factory=dict)  # of the mark in a marked part, by the id of that
    phrases: dict[int, Phrase] = field(default_factory=dict)  # marked copies, by the id of the original: a head noun is in two clauses

    def sentence(self, item: Sentence) -> Sentence:
        return item._replace(main=self.clause(item.main), second=None if item.second is None else self.clause(item.second))

    def clause(self, item: Clause) -> Clause:
        predicate = item.predicate
        return replace(
            item,
            subject=self.nominal(item.subject),
            verb=self.verb(item.verb),
            object=None if item.object is None else self.nominal(item.object),
            recipient=None if item.recipient is None else self.nominal(item.recipient),
            predicate=self.quality(predicate) if isinstance(predicate, Quality) else None if predicate is None else self.nominal(predicate),
            time=self.adverbial(item.time),
            clock=self.adverbial(item.clock),
            ask=self.adverbial(item.ask),
            manner=self.adjunct(item.manner),
            place=self.adjunct(item.place),
        )

    def mark(self, part: object) -> str:
        self.parts.append(part)
        return chr(FIRST_MARK + len(self.parts) - 1)

    def marked(self, part: Part) -> Part:
        """`part`, which has the newest mark."""
        self.numbers[id(part)] = len(self.parts) - 1
        return part

    def nominal(self, item: Nominal) -> Nominal:
        if isinstance(item, Adverbial):
            return cast(Adverbial, self.adverbial(item))
        return item if isinstance(item, str) else self.phrase(item)

    def phrase(self, item: Phrase) -> Phrase:
        if id(item) not in self.phrases:
            self.phrases[id(item)] = item._replace(
                noun=self.noun(item.noun),
                adjective=None if item.adjective is None else self.adjective(item.adjective),
                content=None if item.content is None else self.phrase(item.content),
                owner=None if item.owner is None else self.phrase(item.owner),
            )
        return self.phrases[id(item)]

    def noun(self, item: Noun) -> Noun:
        sign = self.mark(item)
        names = ("german", "genitive", "plural", "english", "english_plural")
        changed: dict[str, Any] = {name: late(getattr(item, name), sign) for name in names}
        return self.marked(replace(item, **changed))

    def adjective(self, item: Adjective) -> Adjective:
        sign = self.mark(item)
        names = ("german", "stem", "comparative", "superlative", "english", "english_comparative", "english_superlative")
        changed: dict[str, Any] = {name: late(getattr(item, name), sign) for name in names}
        return self.marked(replace(item, **changed))

    def verb(self, item: Verb) -> Verb:
        sign, names = self.mark(item), list[str]()
        if item.infinitive not in IRREGULAR:
            names += ["infinitive", "prefix", "stem", "du", "er", "participle", "imperative"]
        if item.english.split(" ")[0] not in IRREGULAR_ENGLISH:
            names += ["english", "past", "ing"]
        changed: dict[str, Any] = {name: early(getattr(item, name), sign) for name in names}
        return self.marked(replace(item, **changed))

    def quality(self, item: Quality) -> Quality:
        return item._replace(adjective=self.adjective(item.adjective), than=None if item.than is None else self.nominal(item.than))

    def adverbial(self, item: Adverbial | None) -> Adverbial | None:
        if item is None or item.english in SIMPLE_MANNERS:  # the tense hangs on these words
            return item
        sign = self.mark(item)
        return replace(item, german=late(item.german, sign), english=late(item.english, sign))

    def adjunct(self, item: Adverbial | Prepositional | None) -> Adverbial | Prepositional | None:
        if isinstance(item, Prepositional):
            return item._replace(phrase=self.nominal(item.phrase))
        return self.adverbial(item)


def late(text: str, sign: str) -> str:
    """Before the last letter of each word: articles hang on the first letters, plurals on the last one."""
    return re.sub(r"\S+", lambda match: match[0][:-1] + sign + match[0][-1] if len(match[0]) > 1 else match[0] + sign, text)


def early(text: str, sign: str) -> str:
    """After the first letter of each word: the endings of verbs hang on the last ones."""
    return re.sub(r"(^| )(~?\S)", rf"\1\2{sign}", text)


def unmarked(text: str) -> str:
    return "".join(character for character in text if not is_mark(character))


def is_mark(character: str) -> bool:
    return FIRST_MARK <= ord(character) < FIRST_MARK + 256


def marks_of(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and each mark: its number, and the place of the character before it."""
    plain, found = list[str](), list[tuple[int, int]]()
    for character in text:
        if is_mark(character):
            found.append((ord(character) - FIRST_MARK, len(plain) - 1))
        else:
            plain.append(character)
    return "".join(plain), found
