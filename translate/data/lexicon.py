"""Which words of two languages belong together, learnt from sentence pairs: IBM Model 1 in both directions, and the words that choose each other.

Brown et al. 1993, "The mathematics of statistical machine translation", section 4.2.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy

from translate.text.tracked import Span

WORD = re.compile(r"[^\W\d_]+")
SHORTEST = 4  # letters; shorter words are articles, pronouns and prepositions, which often stand for something else
MAX_WORDS = 40  # of a sentence; the rest is not aligned
MAX_ENTRIES = 3_000_000  # word pairs of sentences; enough for 20,000 sentences of 12 words
ROUNDS = 5
LEAST = 0.15  # geometric mean of the two probabilities of words that belong together


class Lexicon:
    """Made of (source, target) texts, of which it reads as many as it needs."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        vocabularies: tuple[dict[str, int], dict[str, int]] = ({}, {})
        columns: list[list[numpy.ndarray]] = [[], [], [], []]  # source word, target word, number of the source token, of the target token
        entries, tokens = 0, [0, 0]
        for pair in pairs:
            words = [
                numpy.array([vocabulary.setdefault(word, len(vocabulary)) for word in WORD.findall(text.casefold())[:MAX_WORDS]], dtype=numpy.int64)
                for text, vocabulary in zip(pair, vocabularies)
            ]
            sizes = [len(side) for side in words]
            places = [numpy.arange(size) + start for size, start in zip(sizes, tokens)]
            for column, values in zip(columns[::2], (words[0], places[0])):
                column.append(numpy.repeat(values, sizes[1]))
            for column, values in zip(columns[1::2], (words[1], places[1])):
                column.append(numpy.tile(values, sizes[0]))
            tokens = [start + size for start, size in zip(tokens, sizes)]
            entries += sizes[0] * sizes[1]
            if entries > MAX_ENTRIES:
                break
        self.scores: dict[tuple[str, str], float] = {}
        if entries:
            self._learn([numpy.concatenate(column) for column in columns], vocabularies)

    def _learn(self, columns: list[numpy.ndarray], vocabularies: tuple[dict[str, int], dict[str, int]]) -> None:
        source, target, source_token, target_token = columns
        keys, inverse = numpy.unique(source * len(vocabularies[1]) + target, return_inverse=True)
        left, right = keys // len(vocabularies[1]), keys % len(vocabularies[1])
        forward, backward = _probabilities(inverse, left, target_token), _probabilities(inverse, right, source_token)
        scores = numpy.sqrt(forward * backward)
        sides = [list(vocabulary) for vocabulary in vocabularies]
        for key in numpy.flatnonzero(scores >= LEAST).tolist():
            self.scores[sides[0][left[key]], sides[1][right[key]]] = float(scores[key])

    def links(self, source: str, target: str) -> list[tuple[Span, Span]]:
        """Spans of words that belong together, in the order of the source: each other's best, and only words that stand once in their text."""
        sides = [list(WORD.finditer(text))[:MAX_WORDS] for text in (source, target)]
        words = [[match[0].casefold() for match in side] for side in sides]
        once = [{word for word, count in Counter(side).items() if count == 1 and len(word) >= SHORTEST} for side in words]
        best: tuple[dict[str, tuple[float, str]], dict[str, tuple[float, str]]] = ({}, {})
        for one in once[0]:
            for other in once[1]:
                if score := self.scores.get((one, other)):
                    best[0][one] = max(best[0].get(one, (0.0, "")), (score, other))
                    best[1][other] = max(best[1].get(other, (0.0, "")), (score, one))
        places = {word: match.span() for word, match in zip(words[1], sides[1])}
        return [
            (match.span(), places[best[0][word][1]])
            for word, match in zip(words[0], sides[0])
            if word in best[0] and word in once[0] and best[1][best[0][word][1]][1] == word
        ]


def _probabilities(inverse: numpy.ndarray, given: numpy.ndarray, token: numpy.ndarray) -> numpy.ndarray:
    """p(word | given word) of each key, by `ROUNDS` of expectation and maximisation. token: which word each entry explains."""
    values = numpy.ones(len(given))
    for _ in range(ROUNDS):
        weights = values[inverse]
        weights /= numpy.bincount(token, weights)[token]
        counts = numpy.bincount(inverse, weights, len(given))
        values = counts / numpy.bincount(given, counts)[given]
    return values
