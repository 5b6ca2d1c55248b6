"""The model's outputs -> the translation of a line: everything that was set aside is put back in its place."""

from __future__ import annotations

from collections.abc import Iterator

from translate.decoding import FilledOptions, penalty
from translate.profile import Profile
from translate.text.tracked import changes
from translate.tokenizer import Tokenizer
from translate.translation.alignment import Link, align_texts
from translate.translation.parts import Part, Span, make_part, mean_confidence, mean_coverage
from translate.translation.pieces import Line, Piece, Sentence, Translation


class Restorer:
    """Undoes what the plan did, see plan.py."""

    def __init__(self, tokenizer: Tokenizer, profile: Profile, languages: tuple[str, str]) -> None:
        self.tokenizer, self.profile, self.languages = tokenizer, profile, languages

    def restore(self, line: Line, options: FilledOptions) -> Translation:
        """The translation of a line, from the outputs of its pieces, rank by rank.

        The score is that of a single output as long as all pieces together. All alternatives are scored with the lengths of the first ones:
        with its own length, one with a longer piece could score better than the first.
        """
        pieces, ranks = line.pieces, range(options.n_best)
        texts = ["".join(self._parts(line, rank)) for rank in ranks]
        scores = [0.0] * options.n_best
        if pieces:
            lengths = [len(piece.best.ids) + piece.best.complete for piece in pieces]
            whole = float(penalty(sum(lengths), options.length_penalty))
            shares = [float(penalty(length, options.length_penalty)) / whole for length in lengths]
            scores = [sum(piece.score(rank) * share for piece, share in zip(pieces, shares)) for rank in ranks]
        parts = tuple([self._part(piece, options) for piece in pieces])
        return Translation(
            line.source, texts[0], scores[0], list(zip(texts, scores)), len(pieces),
            any(piece.cut or not piece.best.complete for piece in pieces), line.number,
            spans=tuple([part.span for part in parts]),
            tokens_in=sum([part.tokens_in for part in parts]),
            tokens_out=sum([part.tokens_out for part in parts]),
            looped=any(piece.looped for piece in pieces),
            split=any(len(sentence.pieces) > 1 for sentence in line.sentences),
            passed=tuple((*sentence.span, sentence.passed) for sentence in line.sentences if sentence.passed),
            alignment=tuple(self._alignment(line)) if options.alignment else None,
            confidence=mean_confidence(parts),
            coverage=mean_coverage(parts),
            parts=parts,
        )  # fmt: skip

    def _part(self, piece: Piece, options: FilledOptions) -> Part:
        def places() -> list[Span]:
            return [piece.text.span(*span) for span in self.tokenizer.source_spans([piece.text.text], [piece.ids])[0]]

        best, weights = piece.best, piece.best.attention if options.coverage else None
        whole, searched = not piece.cut, not options.sample
        return make_part(piece.span, piece.output(0), len(piece.ids) - 1, best, self.profile, whole, searched, weights, places)

    def _parts(self, line: Line, rank: int) -> Iterator[str]:
        """The sentences' translations, and everything between them as in the source."""
        position = 0
        for sentence in line.sentences:
            begin, end = sentence.span
            yield line.text[position:begin]
            yield self._sentence(sentence, rank)
            position = end
        yield line.text[position:]

    def _sentence(self, sentence: Sentence, rank: int) -> str:
        if not sentence.pieces:
            return sentence.output
        return _joined(sentence, rank)

    def _alignment(self, line: Line) -> Iterator[Link]:
        """The linked words of the best outputs: their spans in the line, and in its translation."""
        position = 0
        for index, text in enumerate(self._parts(line, 0)):
            if index % 2:
                sentence = line.sentences[index // 2]
                final = changes(_joined(sentence, 0), text)
                for source, output in self._links(sentence):
                    begin, end = final.range(*output)
                    if begin < end:
                        yield source, (begin + position, end + position)
            position += len(text)

    def _links(self, sentence: Sentence) -> Iterator[Link]:
        """Spans in the line, and in the outputs of the sentence's pieces, joined."""
        start = 0
        for piece in sentence.pieces:
            text = piece.output(0)
            for source, (begin, end) in self.piece_links(piece):
                yield piece.text.span(*source), (begin + start, end + start)
            start += len(text) + bool(text)

    def piece_links(self, piece: Piece, rank: int = 0) -> list[Link]:
        """Spans in the text that the model got, and in its output."""
        hypothesis, output = piece.hypotheses[rank], piece.output(rank)
        assert hypothesis.attention is not None, "the search was not asked for attention"
        return align_texts(self.tokenizer, [piece.text.text], [piece.ids], [output], [hypothesis.ids], [hypothesis.attention])[0]


def _joined(sentence: Sentence, rank: int) -> str:
    return " ".join(text for piece in sentence.pieces if (text := piece.output(rank)))
