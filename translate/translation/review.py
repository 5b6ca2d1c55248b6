"""Between two rounds of search: keeps the better way to translate a sentence, and finds another one for what lost an item, number or bracket."""

from __future__ import annotations

from collections.abc import Sequence

from translate.text.numerals import DIGIT
from translate.translation.pieces import Line, Sentence, Variant
from translate.translation.placing import leaves_stand_ins
from translate.translation.plan import Planner
from translate.translation.restore import Restorer


class Reviewer:
    """Looks at what a search found for the sentences of `planner`."""

    def __init__(self, planner: Planner, restorer: Restorer) -> None:
        self.planner, self.restorer = planner, restorer

    def review(self, plans: Sequence[Line]) -> None:
        """Keep the likeliest variant of each sentence, or give it new ones, which have not been searched. At most twice for a sentence."""
        for line in plans:
            for sentence in line.sentences:
                if sentence.ordinary and not DIGIT.search(sentence.variants[0].output(0)):
                    continue
                if len(sentence.variants) > 1:
                    sentence.variants = [self._best(line, sentence)]
                if sentence.pieces and (others := self._others(line, sentence)):
                    sentence.variants = others

    def _best(self, line: Line, sentence: Sentence) -> Variant:
        searched = [variant for variant in sentence.variants if variant.pieces] or sentence.variants
        right = [variant for variant in searched if not variant.numbers or self.restorer.keeps_numbers(line, sentence, variant)]
        right = [variant for variant in right or searched if not leaves_stand_ins(variant.output(0), variant.taken)] or right
        return max(right or searched, key=lambda variant: variant.likelihood)

    def _others(self, line: Line, sentence: Sentence) -> list[Variant]:
        """New variants for a sentence whose best output lacks something; none if nothing is lost, or there is no other way."""
        variant = sentence.variants[0]
        faults = self.restorer.faults(line, sentence)
        numbers, brackets = variant.numbers or "numbers" in faults, variant.brackets or "brackets" in faults
        if not ("symbols" in faults or numbers > variant.numbers or brackets > variant.brackets):
            return []
        others = self.planner.without_symbols(line.text, sentence.text, numbers, brackets)  # words in place of numbers do better than symbols
        return others if any(map(self.planner.has_language, others)) else []
