"""Which words of a generated sentence belong together: known, since both texts are made of one meaning.

Sure and possible links as in Och and Ney 2003, "A systematic comparison of various statistical alignment models", section 5: sure where a word stands
for another one; possible too where it only helps, as auxiliaries, articles without a counterpart, and the parts of idioms do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from translate.phrasebook import english, english_clause, german, german_clause
from translate.phrasebook.english import CONJUNCTIONS, SUBJECT, gerund, third
from translate.phrasebook.german import CONTRACTIONS, PRESENT, PRETERITE, REFLEXIVE, present
from translate.phrasebook.lexicon import Adjective, Adverbial, Noun, Verb
from translate.phrasebook.marking import Marking, marks_of
from translate.phrasebook.meaning import PREPOSITIONS, Clause, Phrase, Prepositional, Quality, Sentence
from translate.text.words import word_spans

Links = frozenset[tuple[int, int]]
BE = frozenset("am is are was were be been 'm 's 're isn't aren't wasn't weren't".split())
HELPERS = frozenset("do does did don't doesn't didn't will 'll won't would 'd have has 've haven't hasn't".split()) | BE
HAVE = frozenset("have has had having 've haven't hasn't hadn't".split())
ARTICLES = frozenset("the a an my your his her its our their this these that those any every which many".split())
MODAL_FORMS = {
    "können": "can can't could couldn't", "könnten": "could", "sollen": "should shouldn't", "werden": "will 'll won't", "möchten": "would 'd like",
    "müssen": "have has had having", "wollen": "want wants wanted", "dürfen": "allowed",
}  # fmt: skip
PAIRS = {"bitte": "please", "gern": "like likes liked", "als": "than", "wie": "as", "so": "as", "sehr": "very", "zu": "too to", "nicht": "not"}


class Aligned(NamedTuple):
    """A pair and the links of its words, (German, English), counted as in `word_spans`. The possible ones include the sure ones."""

    german: str
    english: str
    sure: Links
    possible: Links


class Side:
    """The words of one text, in lower case, and the marks in each."""

    def __init__(self, marked: str) -> None:
        self.text, marks = marks_of(marked)
        self.spans = word_spans(self.text)
        self.words = [self.text[begin:end].lower() for begin, end in self.spans]
        self.marks: list[set[int]] = [{number for number, place in marks if begin <= place < end} for begin, end in self.spans]

    def of(self, *marks: int) -> list[int]:
        return [index for index, own in enumerate(self.marks) if not own.isdisjoint(marks)]

    def find(self, forms: Iterable[str], region: range) -> list[int]:
        """The unmarked words of a region that are one of `forms`; of a contraction, either part may be."""
        forms = frozenset(forms)
        return [index for index in region if not self.marks[index] and not forms.isdisjoint(self.parts(index))]

    def parts(self, index: int) -> set[str]:
        word = self.words[index]
        head, apostrophe, tail = word.partition("'")
        return {word, head, apostrophe + tail} if apostrophe and not word.endswith("n't") else {word}


def aligned(item: Sentence) -> Aligned:
    """The texts of a sentence, and its links."""
    marking = Marking()
    marked = marking.sentence(item)
    aligner = _Aligner(marking, Side(german_clause.sentence(marked)), Side(english_clause.sentence(marked)))
    assert aligner.de.text == german_clause.sentence(item) and aligner.en.text == english_clause.sentence(item)
    aligner.sentence(marked)
    return Aligned(aligner.de.text, aligner.en.text, frozenset(aligner.sure), frozenset(aligner.sure | aligner.possible))


class _Aligner:
    def __init__(self, marking: Marking, de: Side, en: Side) -> None:
        self.marking, self.de, self.en = marking, de, en
        self.sure: set[tuple[int, int]] = set()
        self.possible: set[tuple[int, int]] = set()

    def link(self, one: list[int], two: list[int], sure: bool = True) -> None:
        """Sure where it is clear which words are meant: one on either side, or as many on both, in order."""
        self.possible |= {(i, j) for i in one for j in two}
        if sure and len(one) == len(two) == 1:
            self.sure |= set(zip(one, two))

    def sentence(self, item: Sentence) -> None:
        for number, part in enumerate(self.marking.parts):
            if isinstance(part, (Noun, Adjective)):
                self.word(self.de.of(number), self.en.of(number))
            elif isinstance(part, Adverbial):
                self.adverbial(self.de.of(number), self.en.of(number))
        for clause in (item.main, item.second):
            if clause is not None:
                self.clause(clause, *self.regions(item, clause))
        whole = (range(len(self.de.words)), range(len(self.en.words)))
        if item.conjunction in CONJUNCTIONS:
            self.link(self.de.find([item.conjunction], whole[0]), self.en.find([CONJUNCTIONS[item.conjunction]], whole[1]))
        elif item.conjunction == "um":
            self.link(self.de.find(["um"], whole[0]), self.en.find(["to"], whole[1]), sure=False)
        elif item.conjunction in ("who", "that"):
            comma = self.de.words.index(",")
            self.link([comma + 1], self.en.find([item.conjunction], whole[1])[:1])
        self.sure.add((whole[0][-1], whole[1][-1]))  # the mark at the end
        for mark in ",.?!":
            one, two = ([index for index, word in enumerate(side.words[:-1]) if word == mark] for side in (self.de, self.en))
            self.sure |= set(zip(one, two)) if len(one) == len(two) else set()
            self.link(one, two, sure=False)
        self.leftovers(whole)

    def regions(self, item: Sentence, clause: Clause) -> tuple[range, range]:
        """The words of a clause in both texts: those from its first to its last marked word, and what stands around them up to the other clause's."""
        if item.second is None:
            return range(len(self.de.words)), range(len(self.en.words))
        second = item.second
        if item.conjunction in ("who", "that"):
            return range(len(self.de.words)), range(len(self.en.words))
        one = _find(self.de, [german_clause.infinitive(second), *(german_clause.clause(second, order) for order in ("last", "first", ""))])
        two = _find(self.en, [english_clause.infinitive(second), *(english_clause.clause(second, mood) for mood in ("if", ""))])
        if clause is item.second:
            return one, two
        return _rest(one, len(self.de.words)), _rest(two, len(self.en.words))

    def word(self, one: list[int], two: list[int]) -> None:
        """A noun or an adjective; of a German compound, each English word is a part."""
        if len(one) == 1:
            self.sure |= {(one[0], j) for j in two}
        elif len(one) == len(two):
            self.sure |= set(zip(one, two))
        self.link(one, two)

    def adverbial(self, one: list[int], two: list[int]) -> None:
        """Clear where it is one word, or as many in both, or a preposition and a noun; figures stand for themselves."""
        self.link(one, two)
        words, others = [self.de.words[i] for i in one], [self.en.words[j] for j in two]
        figures = {"".join(c for c in word if c.isdigit()): place for place, word in zip(two, others)}
        self.sure |= {(i, figures[value]) for i, word in zip(one, words) if (value := "".join(c for c in word if c.isdigit())) and value in figures}
        if others[-1:] == ["ago"]:
            self.sure |= {*zip(one[1:], two), (one[0], two[-1])}
        elif len(one) > 1 and len(two) > 1 and (words[0] in german.CONTRACTIONS.values() or words[0] in PREPOSITIONS) and "past" not in others:
            self.sure |= {(one[0], two[0])}
            if "to" not in others[1:] and words[-1] != "uhr":
                self.sure |= {(one[-1], j) for j, word in zip(two[1:], others[1:]) if word not in ARTICLES}
        elif len(one) == len(two):
            self.sure |= set(zip(one, two))

    def clause(self, item: Clause, one: range, two: range) -> None:
        de, en = self.de, self.en
        self.verbs(item, one, two)
        roles: list[object] = [item.subject, item.object, item.recipient]
        if isinstance(item.predicate, Quality):
            roles.append(item.predicate.than)
        else:
            roles.append(item.predicate)
        for role in (*roles, item.manner, item.place):
            nominal = role.phrase if isinstance(role, Prepositional) else role
            if isinstance(role, Prepositional):
                found = self.prepositions(role.preposition, one)
                self.link(found, self.en.find([*PREPOSITIONS[role.preposition].split(), "by"], two)[: len(found)])
            if isinstance(nominal, Phrase):
                self.phrase(nominal)
            elif isinstance(nominal, str):
                self.pronoun(nominal, item, one, two)
        for word, forms in PAIRS.items():
            self.link(de.find([word], one), en.find(forms.split(), two))
        negations = [j for j in two if en.words[j].endswith("n't")]
        self.link(de.find(["nicht"], one), negations)
        self.link([i for i in one if de.words[i].startswith("kein")], [*negations, *en.find(["not", "any", "a", "an", "no"], two)], sure=False)
        if isinstance(item.manner, Adverbial):
            self.link(de.find(item.manner.german.lower().split(), one), en.find(item.manner.english.split(), two))

    def phrase(self, item: Phrase) -> None:
        """Determiner or number: the word before the first marked one."""
        de, en, numbers = self.de, self.en, self.marking.numbers
        marks = [numbers[id(part)] for part in (item.noun, item.adjective) if part is not None]
        one, two = de.of(*marks), en.of(*marks)
        if one and two:
            before = [i for i in range(max(0, one[0] - 1), one[0]) if not de.marks[i]]
            front = [j for j in range(max(0, two[0] - 1), two[0]) if not en.marks[j] and (item.quantity or en.words[j] in ARTICLES)]
            negative = [i for i in before if de.words[i].startswith("kein")]
            if item.determiner == "0" and not item.quantity or item.determiner == "ein" and item.plural:
                before = negative  # whatever stands there is not of this phrase
            if item.determiner == "wieviele" and front:
                self.sure.add((before[0] - 1, front[0] - 1))
            contracted = [i for i in before if de.words[i] in CONTRACTIONS.values()]
            self.link(before, front, sure=not negative and not contracted)
            if not before or not front:
                self.link(before or one, front or two, sure=False)
        for part in (item.content, item.owner):
            if part is not None:
                self.phrase(part)
                self.link(one, en.find(["of"], range(len(en.words))), sure=False)

    def pronoun(self, name: str, item: Clause, one: range, two: range) -> None:
        base = name.split(":")[0]
        forms = {"it", "they", "them"} if ":" in name else {SUBJECT[base].lower(), english.OBJECT[base].lower()}
        if item.verb.key == "geben" and name == "es":
            forms = {"there"}
        if name == "das":
            forms |= {"those"}
        found = self.de.find(german.PRONOUNS[base], one)
        self.link(found if base != "das" else found[:1], self.en.find(forms, two)[: 1 if base == "das" else None])

    def prepositions(self, word: str, region: range) -> list[int]:
        contracted = [short for long, short in CONTRACTIONS.items() if long.startswith(word + " ")]
        return self.de.find([word, *contracted, "da" + word, "dar" + word, "wo" + word, "wor" + word], region)

    def verbs(self, item: Clause, one: range, two: range) -> None:
        """The main verb; its helpers belong to it, modal verbs and the future to their counterparts."""
        de, en, verb = self.de, self.en, item.verb
        mark = self.marking.numbers[id(verb)]
        original = self.marking.parts[mark]
        assert isinstance(original, Verb)
        main, there = [i for i in de.of(mark) if i in one], [j for j in en.of(mark) if j in two]
        particle = len(there) > 1 and " ~" in original.english
        if not main:
            main = de.find(german_forms(original), one)
        if not there:
            there = en.find(english_forms(item, original), two)
        prefix = [i for i in main if len(main) > 1 and de.words[i] == original.prefix.strip()]
        stems = [i for i in main if i not in prefix]
        self.link(main, there)
        self.link(stems, [j for j in there if len(there) == 1 or en.words[j] not in BE][:1])
        if particle:
            self.sure |= {(i, there[-1]) for i in prefix or stems}
        elif prefix and len(there) == 1:
            self.sure |= {(i, there[0]) for i in prefix}
        if original.preposition and len(there) > 1:
            self.link(self.prepositions(original.preposition, one), there[-1:])
        helpers = en.find(HELPERS, two)
        finite = de.find({form for name in (original.auxiliary, item.modal) if name for form in (*PRESENT[name], *PRETERITE.get(name, ()))}, one)
        finite = [i for i in finite if i not in main]
        if item.modal:
            modal = en.find(MODAL_FORMS[item.modal].split(), two)
            self.link(finite, modal[:1])
            self.link(finite, [*modal, *helpers, *en.find(["to"], two)], sure=False)
        elif finite:
            self.link(finite, there, sure=False)
        self.link([*main, *finite], [*helpers, *en.find(["to"], two)], sure=False)
        self.link(de.find([*REFLEXIVE.values(), "sich"], one) if verb.reflexive else [], there, sure=False)
        if item.imperative:
            self.link(de.find(["sie"], one)[:1], there, sure=False)

    def leftovers(self, whole: tuple[range, range]) -> None:
        """Function words without a counterpart: possible with each other."""
        linked = {i for i, _ in self.possible}, {j for _, j in self.possible}
        one, two = ([index for index in region if index not in done] for region, done in zip(whole, linked))
        self.link(one, two, sure=False)


def german_forms(verb: Verb) -> set[str]:
    forms = {verb.infinitive, verb.participle, verb.stem, verb.prefix.strip(), *(present(verb, number) for number in range(6))}
    return forms | set(PRETERITE.get(verb.infinitive, ()))


def english_forms(item: Clause, verb: Verb) -> set[str]:
    base = verb.english.split(" ")[0]
    if base == "be" or verb.key == "geben" or verb.key == "haben" and isinstance(item.object, Phrase) and "state" in item.object.noun.kinds:
        return set(BE)
    rest = set(verb.english.replace("~", "").split(" ")[1:])
    return (set(HAVE) if base == "have" else {base, third(base), gerund(base, verb.ing), *verb.past.split(" ")[:1], "'d"}) | rest


def _find(side: Side, texts: Iterable[str]) -> range:
    """The words of the first of `texts`, marked, that occurs on this side; all words if none does, as where a relative clause has lost its head."""
    for text in texts:
        plain = marks_of(text)[0].lower()
        begin = side.text.lower().rfind(plain)
        if plain and begin >= 0:
            return range(sum(end <= begin for _, end in side.spans), sum(start < begin + len(plain) for start, _ in side.spans))
    return range(len(side.words))


def _rest(inner: range, count: int) -> range:
    """What a clause leaves to the other one, if it stands at either end."""
    if len(inner) == count:
        return inner
    return range(inner.stop, count) if inner.start <= 1 else range(inner.start)
