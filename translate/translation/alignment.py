"""From cross-attention to pairs of spans: which words of a source became which words of its translation.

Attention is between the tokenizer's pieces. Here it is summed up to words, whatever the cuts of the pieces. Then it is read in both directions, where
each word of the output came from and where each word of the source went, and the two readings are united as those of two models are (Koehn, Och and
Marcu 2003, "Statistical phrase-based translation", section 3.1: grow-diag).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy

from translate.text.tracked import Span
from translate.text.words import word_spans
from translate.tokenizer import Tokenizer

Link = tuple[Span, Span]  # of a source word and of an output word
LEAST = 0.02  # of a weight
EQUAL = 10.0  # factor for words that are written alike
MARKS = {mark: marks[0] for marks in (".!?…", "\"„“”‟«»‹›‚‘’'", "-–—", ",;:") for mark in marks}  # what may stand for another one
AROUND = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]


def align_texts(
    tokenizer: Tokenizer,
    sources: Sequence[str],
    source_ids: Sequence[Sequence[int]],
    outputs: Sequence[str],
    output_ids: Sequence[Sequence[int]],
    attention: Sequence[numpy.ndarray],
) -> list[list[Link]]:
    """The links of each pair, see `links`: source texts as encoded, with their ids, and outputs as decoded, with theirs.

    attention: `Hypothesis.attention`, or the matrices of `Engine.align`.
    """
    source_spans, output_spans = tokenizer.source_spans(sources, source_ids), tokenizer.output_spans(outputs, output_ids)
    return [links(*values) for values in zip(sources, outputs, source_spans, output_spans, attention)]


def links(source: str, output: str, source_spans: Sequence[Span], output_spans: Sequence[Span], attention: numpy.ndarray) -> list[Link]:
    """Pairs of a source word and an output word that belong together, in the order of the output.

    Args:
        source, output: texts.
        source_spans, output_spans: of their tokens (`Tokenizer.source_spans`, `Tokenizer.output_spans`), S and T of them.
        attention: (T, S), how much each output token takes from each source token; rows add up to 1. The last column may be the end mark's.
    """
    source_words, output_words = word_spans(source), word_spans(output)
    if not source_words or not output_words or not attention.size:
        return []
    weights = word_weights(source_words, output_words, source_spans, output_spans, attention)
    weights *= likeness([source[begin:end] for begin, end in source_words], [output[begin:end] for begin, end in output_words])
    return [(source_words[i], output_words[j]) for j, i in sorted(united(mutual(weights)))]


def word_weights(
    source_words: Sequence[Span], output_words: Sequence[Span], source_spans: Sequence[Span], output_spans: Sequence[Span], attention: numpy.ndarray
) -> numpy.ndarray:
    """How much each output word takes from each source word, (output words, source words): the sum over the tokens of a source word, the mean over
    those of an output word (Chen et al. 2020)."""
    columns = shares(source_spans, source_words)  # (S, source words)
    rows = shares(output_spans, output_words)  # (T, output words)
    weights: numpy.ndarray = rows.T @ (attention @ columns) / numpy.maximum(rows.sum(axis=0), 1e-9)[:, None]
    return weights


def shares(tokens: Sequence[Span], words: Sequence[Span]) -> numpy.ndarray:
    """(tokens, words): 1 for the word that a token is of, equal shares where it is of several. A token without text is of the word after it.

    A piece that is a space belongs to the next word, as do the first bytes of a character; the end mark to none.
    """
    width = len(words)
    found = array("f", bytes(4 * len(tokens) * width))  # setting single values of a numpy array takes ten times as long
    first = 0  # word that ends after the token begins: both are in order, so each is looked at once
    for row, (begin, end) in enumerate(tokens):
        while first < width and words[first][1] <= begin:
            first += 1
        if first == width:
            break
        last = first + 1
        while last < width and words[last][0] < end:
            last += 1
        for place in range(row * width + first, row * width + last):
            found[place] = 1 / (last - first)
    return numpy.frombuffer(found, numpy.float32).reshape(len(tokens), width)


def likeness(source: Sequence[str], output: Sequence[str]) -> numpy.ndarray:
    """(output words, source words) factors: none between a word and a mark or different marks, more between equal words, as numbers and names are."""
    numbers = {"": 0}  # which numpy compares faster than texts
    rows, columns = (numpy.array([numbers.setdefault(kind(word), len(numbers)) for word in words]) for words in (output, source))
    factors: numpy.ndarray = (rows[:, None] == columns).astype(numpy.float32)
    places: dict[str, list[int]] = {}
    for place, word in enumerate(source):
        places.setdefault(word.lower(), []).append(place)
    for row, word in enumerate(output):
        for place in places.get(word.lower(), ()):
            factors[row, place] *= EQUAL
    return factors


def kind(word: str) -> str:
    """ "" for a word, else what the mark is for."""
    return "" if word[0].isalnum() or any(map(str.isalnum, word)) else MARKS.get(word, word)


def mutual(weights: numpy.ndarray) -> numpy.ndarray:
    """Each weight times its share in its column: what many output words take from, such as a source's article, explains none of them."""
    product: numpy.ndarray = weights * (weights / numpy.maximum(weights.sum(axis=0), 1e-9))
    return product


def united(weights: numpy.ndarray) -> set[tuple[int, int]]:
    """Links (row, column): those that are the largest of their row and of their column; then, of those that are either, the largest first, each
    that has a neighbour among the links, if its row or its column had none."""
    values = weights.tolist()
    rows = {(row, column) for row, column in enumerate(weights.argmax(axis=1).tolist()) if values[row][column] > LEAST}
    columns = {(row, column) for column, row in enumerate(weights.argmax(axis=0).tolist()) if values[row][column] > LEAST}
    chosen = rows & columns
    done_rows, done_columns = {row for row, _ in chosen}, {column for _, column in chosen}
    waiting = sorted(rows ^ columns, key=lambda link: (-values[link[0]][link[1]], link))
    grown = True
    while grown and waiting:
        grown, left = False, []
        for row, column in waiting:
            if row in done_rows and column in done_columns:
                continue
            if any((row + a, column + b) in chosen for a, b in AROUND):
                chosen.add((row, column))
                done_rows.add(row)
                done_columns.add(column)
                grown = True
            else:
                left.append((row, column))
        waiting = left
    return chosen
