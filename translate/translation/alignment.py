"""From cross-attention to pairs of spans: which words of a source became which words of its translation.

Attention is between the tokenizer's pieces. Here it is summed up to words, whatever the cuts of the pieces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from translate.text.words import Span, word_spans
from translate.tokenizer import Tokenizer

Link = tuple[Span, Span]  # of a source word and of an output word


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
    return [(source_words[i], output_words[j]) for j, i in sorted(pairs(weights))]


def word_weights(
    source_words: Sequence[Span], output_words: Sequence[Span], source_spans: Sequence[Span], output_spans: Sequence[Span], attention: numpy.ndarray
) -> numpy.ndarray:
    """How much each output word takes from each source word, (output words, source words): the sum over the tokens of a source word, the mean over
    those of an output word (Chen et al. 2020, section 5.1)."""
    columns = shares(source_spans, source_words)  # (S, source words)
    rows = shares(output_spans, output_words)  # (T, output words)
    rows /= numpy.maximum(rows.sum(axis=0), 1e-9)
    weights: numpy.ndarray = rows.T @ (attention @ columns)
    return weights


def shares(tokens: Sequence[Span], words: Sequence[Span]) -> numpy.ndarray:
    """(tokens, words): 1 for the word that a token is of, equal shares where it is of several. A token without text is of the word after it.

    A piece that is a space belongs to the next word, as do the first bytes of a character; the end mark to none.
    """
    found = numpy.zeros((len(tokens), len(words)), dtype=numpy.float32)
    first = 0
    for token, (begin, end) in enumerate(tokens):
        while first < len(words) and words[first][1] <= begin:
            first += 1
        last = first
        while last < len(words) and words[last][0] < end:
            last += 1
        last = max(last, min(first + 1, len(words)))
        found[token, first:last] = 1 / max(1, last - first)
    return found


def pairs(weights: numpy.ndarray) -> set[tuple[int, int]]:
    """Linked words: each output word with the source word that it takes most from."""
    return {(j, int(i)) for j, i in enumerate(weights.argmax(axis=1))}
