"""Splits lines into pieces that fit the model, and joins translated pieces into one translation per line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from translate.decoding import FilledOptions, Hypothesis, penalty
from translate.text.segments import split_line
from translate.tokenizer import EOS, ONE_LINE, Tokenizer


@dataclass(frozen=True)
class Translation:
    """One line of input and its translation."""

    source: str
    text: str
    score: float  # of `text`: log-probability over length penalty, both over all pieces
    alternatives: list[tuple[str, float]]  # the n best with scores, `text` first; for a split line, pieces of equal rank are joined
    pieces: int  # number of pieces; 0 for a blank line, which the model does not see
    cut: bool  # an output reached its length limit, or a piece was too long for the model
    number: int = 0  # of the line in the input, from 1
    spans: tuple[tuple[int, int], ...] = ()  # start and end of each piece in `source`, in characters
    tokens_in: int = 0  # of the pieces, without end marks
    tokens_out: int = 0  # of `text`, without end marks
    looped: bool = False  # a piece repeated itself (findings.is_loop) and was searched again without repeats


@dataclass
class Piece:
    """One source for the model: a line, or part of one."""

    ids: list[int]  # end in EOS
    line: int  # index of its line
    place: int  # among the pieces of its line
    span: tuple[int, int]
    cut: bool
    hypotheses: list[Hypothesis] = field(default_factory=list)  # set by the search
    ranked: list[tuple[str, float]] = field(default_factory=list)  # text and score of each hypothesis
    looped: bool = False


def split_lines(lines: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> list[Piece]:
    """The pieces of `lines`, in order: one for a line of up to `max_tokens` tokens, including the end mark; none for a blank line."""

    def fits(text: str) -> bool:
        return len(tokenizer.encode_source([text])[0]) <= max_tokens

    lines = [line.translate(ONE_LINE) for line in lines]  # each keeps its length
    pieces = []
    for number, (line, ids) in enumerate(zip(lines, tokenizer.encode_source(lines))):
        spans, piece_ids = [(0, len(line))], [ids]
        if len(ids) > max_tokens:
            texts = split_line(line, fits)
            spans, piece_ids = find_spans(line, texts), tokenizer.encode_source(texts)
        place = 0
        for span, ids in zip(spans, piece_ids):
            # skip blank lines, and those that the tokenizer reads as empty (a zero-width space)
            if len(ids) > 1 and line.strip():
                cut = len(ids) > max_tokens
                pieces.append(Piece([*ids[: max_tokens - 1], EOS] if cut else ids, number, place, span, cut))
                place += 1
    return pieces


def find_spans(line: str, pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of the `pieces`, in order and without overlap, in `line`, in characters."""
    spans, end = [], 0
    for piece in pieces:
        begin = line.index(piece, end)
        end = begin + len(piece)
        spans.append((begin, end))
    return spans


def join_pieces(line: str, number: int, pieces: Sequence[Piece], options: FilledOptions) -> Translation:
    """Join the `pieces` of line `number` (from 1), rank by rank; a piece with fewer alternatives repeats its last one.

    The score is that of a single output as long as all pieces together. All alternatives are scored with the lengths of the first ones:
    with its own length, one with a longer piece could score better than the first.
    """
    alternatives = [("", 0.0)] * options.n_best
    if pieces:
        lengths = [len(piece.hypotheses[0].ids) + piece.hypotheses[0].complete for piece in pieces]
        whole = float(penalty(sum(lengths), options.length_penalty))
        shares = [float(penalty(length, options.length_penalty)) / whole for length in lengths]
        columns = [[piece.ranked[min(rank, len(piece.ranked) - 1)] for piece in pieces] for rank in range(options.n_best)]
        alternatives = [
            (" ".join(text for text, _ in column if text), sum(score * share for (_, score), share in zip(column, shares))) for column in columns
        ]
    text, score = alternatives[0]
    return Translation(
        line, text, score, alternatives, len(pieces), any(piece.cut or not piece.hypotheses[0].complete for piece in pieces), number,
        spans=tuple(piece.span for piece in pieces),
        tokens_in=sum(len(piece.ids) - 1 for piece in pieces),
        tokens_out=sum(len(piece.hypotheses[0].ids) for piece in pieces),
        looped=any(piece.looped for piece in pieces),
    )  # fmt: skip
