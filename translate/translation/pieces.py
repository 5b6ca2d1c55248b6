"""The parts of a line: sentences, which are translated on their own, and pieces, one for each source that the model gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from translate.decoding import FilledOptions, Hypothesis, penalty
from translate.text.tracked import Tracked

Span = tuple[int, int]  # begin and end, in characters


@dataclass(frozen=True)
class Translation:
    """One line of input and its translation."""

    source: str
    text: str
    score: float  # of `text`: log-probability over length penalty, both over all pieces
    alternatives: list[tuple[str, float]]  # the n best with scores, `text` first; sentences of equal rank are joined
    pieces: int  # number of sources that the model got: sentences, or parts of long ones; 0 for a line that it does not see
    cut: bool  # an output reached its length limit, or a piece was too long for the model
    number: int = 0  # of the line in the input, from 1
    spans: tuple[Span, ...] = ()  # start and end of each piece in `source`, in characters
    tokens_in: int = 0  # of the pieces, without end marks
    tokens_out: int = 0  # of `text`, without end marks
    looped: bool = False  # a piece repeated itself (findings.is_loop) and was searched again without repeats
    split: bool = False  # a sentence was longer than those of the training, and was translated in parts
    passed: tuple[tuple[int, int, str], ...] = ()  # start and end of the parts of `source` that are not translated, and why


@dataclass
class Piece:
    """One source for the model: a sentence, or part of a long one."""

    text: Tracked  # what the model gets, with its places in the line
    line: int  # index of its line
    place: int  # among the pieces of its line
    ids: list[int]  # end in EOS
    cut: bool  # the ids are not the whole text
    hypotheses: list[Hypothesis] = field(default_factory=list)  # set by the search
    ranked: list[tuple[str, float]] = field(default_factory=list)  # text and score of each hypothesis
    looped: bool = False

    @property
    def span(self) -> Span:
        return self.text.span(0, len(self.text))

    def output(self, rank: int) -> str:
        """The text of an alternative; if there are fewer, that of the last one."""
        return self.ranked[min(rank, len(self.ranked) - 1)][0]

    def score(self, rank: int) -> float:
        return self.ranked[min(rank, len(self.ranked) - 1)][1]


@dataclass
class Sentence:
    """A part of a line that is translated on its own, or passed as it is."""

    text: Tracked  # with its places in the line
    pieces: list[Piece] = field(default_factory=list)  # none if passed
    passed: str = ""  # why it is not translated
    output: str = ""  # if it is not

    @property
    def span(self) -> Span:
        return self.text.span(0, len(self.text))


@dataclass
class Line:
    source: str
    text: str  # the same without line ends, each character in its place
    number: int  # in the input, from 1
    sentences: list[Sentence]

    @property
    def pieces(self) -> list[Piece]:
        return [piece for sentence in self.sentences for piece in sentence.pieces]


def join(line: Line, options: FilledOptions) -> Translation:
    """The translation of a line, from the texts and scores of its pieces, rank by rank.

    The score is that of a single output as long as all pieces together. All alternatives are scored with the lengths of the first ones:
    with its own length, one with a longer piece could score better than the first.
    """
    pieces, ranks = line.pieces, range(options.n_best)
    texts = [_joined(line, rank) for rank in ranks]
    scores = [0.0] * options.n_best
    if pieces:
        lengths = [len(piece.hypotheses[0].ids) + piece.hypotheses[0].complete for piece in pieces]
        whole = float(penalty(sum(lengths), options.length_penalty))
        shares = [float(penalty(length, options.length_penalty)) / whole for length in lengths]
        scores = [sum(piece.score(rank) * share for piece, share in zip(pieces, shares)) for rank in ranks]
    return Translation(
        line.source, texts[0], scores[0], list(zip(texts, scores)), len(pieces),
        any(piece.cut or not piece.hypotheses[0].complete for piece in pieces), line.number,
        spans=tuple(piece.span for piece in pieces),
        tokens_in=sum(len(piece.ids) - 1 for piece in pieces),
        tokens_out=sum(len(piece.hypotheses[0].ids) for piece in pieces),
        looped=any(piece.looped for piece in pieces),
        split=any(len(sentence.pieces) > 1 for sentence in line.sentences),
        passed=tuple((*sentence.span, sentence.passed) for sentence in line.sentences if sentence.passed),
    )  # fmt: skip


def _joined(line: Line, rank: int) -> str:
    """The sentences' translations, with everything between them as in the source."""
    parts, position = [], 0
    for sentence in line.sentences:
        begin, end = sentence.span
        parts += [line.text[position:begin], _output(sentence, rank)]
        position = end
    return "".join([*parts, line.text[position:]])


def _output(sentence: Sentence, rank: int) -> str:
    if not sentence.pieces:
        return sentence.output
    return " ".join(text for piece in sentence.pieces if (text := piece.output(rank)))


def find_spans(line: str, pieces: Sequence[str]) -> list[Span]:
    """Start and end of the `pieces`, in order and without overlap, in `line`, in characters."""
    spans, end = [], 0
    for piece in pieces:
        begin = line.index(piece, end)
        end = begin + len(piece)
        spans.append((begin, end))
    return spans
