"""How well a source line and a target line fit together, by a lexicon learnt from the corpus itself.

The association of two words is Dice's coefficient, 2 n(a, b) / (n(a) + n(b)), where n counts the pairs that contain them (used for bilingual
lexicons by Smadja et al. 1996, "Translating collocations for bilingual lexicons"). A rare word that is the same on both sides, such as a
number or a name, has an association of 0.8 with itself. The fit of two lines is the mean over the target's words of
log(1 + 20 x the association with the best source word), minus half the difference of the lines' log lengths.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy

WORD = re.compile(r"\d+|[^\W\d_]+|[^\w\s]")
MAX_WORDS = 40  # of a line; the rest is ignored
MIN_COUNT = 3  # pairs in which two words must occur together
IDENTICAL = 0.8  # association of a rare word with itself
BLOCK = 4000  # lines per vectorized comparison


class LineFit:
    """Learns a lexicon from N pairs and compares any of their lines."""

    def __init__(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        vocabulary: dict[str, int] = {}
        left, right = _word_ids(sources, vocabulary), _word_ids(targets, vocabulary)
        self.words = len(vocabulary)
        self.left, self.left_size, self.left_start = _flatten(left)
        self.right, self.right_size, self.right_start = _flatten(right)
        self.keys, self.association = self._lexicon()  # sorted keys of word pairs, see `_word_pairs`

    def _lexicon(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        rows = numpy.arange(len(self.left_size))
        keys, counts = numpy.unique(self._word_pairs(rows, rows)[0], return_counts=True)
        frequent = counts >= MIN_COUNT
        keys, counts = keys[frequent], counts[frequent]
        left_count, right_count = (numpy.bincount(side, minlength=self.words) for side in (self.left, self.right))
        dice = 2 * counts / (left_count[keys // self.words] + right_count[keys % self.words])
        same = numpy.unique(numpy.intersect1d(self.left, self.right))
        rare = same[left_count[same] <= max(3, len(rows) // 100)]
        keys, dice = numpy.concatenate([keys, rare * self.words + rare]), numpy.concatenate([dice, numpy.full(len(rare), IDENTICAL)])
        order = numpy.lexsort((-dice, keys))  # of duplicate keys, the greater value first
        keys, first = numpy.unique(keys[order], return_index=True)
        return keys, dice[order][first]

    def fit(self, rows: numpy.ndarray, others: numpy.ndarray) -> numpy.ndarray:
        """(n,) fit of source lines `rows` (n,) and target lines `others` (n,); greater is better."""
        result = numpy.zeros(len(rows))
        for start in range(0, len(rows), BLOCK):
            block = slice(start, start + BLOCK)
            sources, targets = rows[block], others[block]
            keys, starts = self._word_pairs(sources, targets)
            source_words, target_words = self.left_size[sources], self.right_size[targets]
            if len(keys) and len(self.keys):
                indices = numpy.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
                association = numpy.where(self.keys[indices] == keys, self.association[indices], 0.0)
                best = numpy.log1p(20 * numpy.maximum.reduceat(association, starts))  # of each target word
                line = numpy.repeat(numpy.arange(len(sources)), numpy.where(source_words > 0, target_words, 0))
                result[block] = numpy.bincount(line, best, len(sources)) / numpy.maximum(target_words, 1)
            result[block] -= 0.5 * numpy.abs(numpy.log((source_words + 1) / (target_words + 1)))
        return result

    def _word_pairs(self, rows: numpy.ndarray, others: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Keys (source word x vocabulary size + target word) of all word pairs of the lines, and where those of each target word start."""
        source_words, target_words = self.left_size[rows], self.right_size[others]
        target_words = numpy.where(source_words > 0, target_words, 0)
        sizes = numpy.repeat(source_words, target_words)  # pairs of each target word
        starts = numpy.cumsum(sizes) - sizes
        in_line = numpy.arange(target_words.sum()) - numpy.repeat(numpy.cumsum(target_words) - target_words, target_words)
        target = self.right[numpy.repeat(self.right_start[others], target_words) + in_line]
        in_pairs = numpy.arange(sizes.sum()) - numpy.repeat(starts, sizes)
        source = self.left[numpy.repeat(numpy.repeat(self.left_start[rows], target_words), sizes) + in_pairs]
        return source * self.words + numpy.repeat(target, sizes), starts


def _word_ids(lines: Sequence[str], vocabulary: dict[str, int]) -> list[numpy.ndarray]:
    """The distinct words of each line; new ones are added to `vocabulary`."""
    return [
        numpy.array(sorted({vocabulary.setdefault(word.casefold(), len(vocabulary)) for word in WORD.findall(line)[:MAX_WORDS]}), dtype=numpy.int64)
        for line in lines
    ]


def _flatten(lines: list[numpy.ndarray]) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """All words in one array, and the number and the start of the words of each line."""
    sizes = numpy.array([len(ids) for ids in lines])
    return numpy.concatenate(lines), sizes, numpy.cumsum(sizes) - sizes
