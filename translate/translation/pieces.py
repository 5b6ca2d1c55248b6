"""The parts of a line: sentences, which are translated on their own, and pieces, one for each source that the model gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from translate.decoding import Hypothesis
from translate.text.placeholders import Kept
from translate.text.tracked import Span, Tracked
from translate.translation.items import Taken
from translate.translation.parts import Part


@dataclass(frozen=True)
class Translation:
    """One line of input and its translation."""

    source: str
    text: str
    score: float  # of `text`: log-probability over length penalty, both over all pieces; with `mbr` its expected utility
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
    alignment: tuple[tuple[Span, Span], ...] | None = None  # of words: span in `source`, span in `text`; None if it was not asked for
    confidence: float | None = None  # 0 to 1: expected chrF++ / 100; None if the model is not calibrated, or did not see the line
    coverage: float | None = None  # share of the source tokens that cross-attention covers, 0 to 1; None if it was not asked for
    parts: tuple[Part, ...] = ()  # one for each piece


@dataclass(slots=True)
class Piece:
    """One source for the model: a sentence, or part of a long one."""

    text: Tracked  # what the model gets, with its places in the line
    begin: int  # of `text` in the text of its variant
    line: int  # index of its line
    place: int  # among the pieces of its line
    ids: list[int]  # end in EOS
    cut: bool  # the ids are not the whole text
    required: list[int] = field(default_factory=list)  # ids that its outputs must have, see decoding/required.py
    align: bool = False  # the places of what was left out are found by attention
    hypotheses: list[Hypothesis] = field(default_factory=list)  # set by the search
    ranked: list[tuple[str, float]] = field(default_factory=list)  # of each hypothesis: its text, and the score or utility that it is ranked by
    looped: bool = False

    @property
    def span(self) -> Span:
        """In the line."""
        return self.text.span(0, len(self.text))

    @property
    def best(self) -> Hypothesis:
        return self.hypotheses[0]

    def rank(self, rank: int) -> int:
        """`rank`, or that of the last hypothesis if there are fewer."""
        return min(rank, len(self.hypotheses) - 1)

    def output(self, rank: int) -> str:
        return self.ranked[self.rank(rank)][0]

    def score(self, rank: int) -> float:
        return self.ranked[self.rank(rank)][1]


@dataclass(slots=True)
class Variant:
    """One way to put a sentence to the model. What it can't translate is replaced by symbols, or taken out."""

    text: Tracked  # with its places in the line
    kept: list[Kept] = field(default_factory=list)  # what the symbols in `text` stand for
    taken: list[Taken] = field(default_factory=list)  # what is missing in `text`
    numbers: bool = False  # numbers are among these
    brackets: bool = False  # so are brackets, quotation marks and dashes
    pieces: list[Piece] = field(default_factory=list)
    restored: dict[int, str] = field(default_factory=dict)  # by rank: the outputs with everything in its place, see restore.py

    def output(self, rank: int) -> str:
        """The outputs of the pieces, joined."""
        if len(self.pieces) == 1:
            return self.pieces[0].output(rank)
        return "".join([part for piece, space in self.joined(rank) for part in (space, piece.output(rank))])

    def joined(self, rank: int) -> Iterator[tuple[Piece, str]]:
        """The pieces, each with the space before its output: none where the source has none, inside a word too long for the model."""
        end = None
        for piece in self.pieces:
            has_text = bool(piece.output(rank))
            yield piece, " " if has_text and end is not None and piece.begin > end else ""
            end = piece.begin + len(piece.text) if has_text or end is not None else None

    @property
    def likelihood(self) -> float:
        return sum(piece.best.score for piece in self.pieces) / max(1, len(self.pieces))


@dataclass(slots=True)
class Sentence:
    """A part of a line that is translated on its own, or passed as it is."""

    span: Span  # in the line
    text: Tracked  # normalised, in normal case, with its places in the line
    style: str = ""  # of its capitals, see text/case.py
    passed: str = ""  # why it is not translated
    output: str = ""  # if it is not
    ordinary: bool = False  # it has words alone, and a mark at its end
    align: bool = False  # places in its translation are found by attention, whatever the variant
    variants: list[Variant] = field(default_factory=list)  # none if it is not; after the search the best one alone

    @property
    def pieces(self) -> list[Piece]:
        return [piece for variant in self.variants for piece in variant.pieces]


@dataclass(slots=True)
class Line:
    source: str
    text: str  # the same without line ends, each character in its place
    number: int  # in the input, from 1
    sentences: list[Sentence]

    @property
    def pieces(self) -> list[Piece]:
        return [piece for sentence in self.sentences for piece in sentence.pieces]


def find_spans(line: str, pieces: Sequence[str]) -> list[Span]:
    """Start and end of the `pieces`, in order and without overlap, in `line`, in characters."""
    spans, end = [], 0
    for piece in pieces:
        begin = line.index(piece, end)
        end = begin + len(piece)
        spans.append((begin, end))
    return spans
