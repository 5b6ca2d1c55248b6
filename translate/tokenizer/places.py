"""Where in a text its pieces come from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from translate.tokenizer.subwords import SPACE, message_fields

FIRST = 4  # smaller ids are special
Spans = list[tuple[int, int]]


class Places:
    """For one SentencePiece model. pieces: in its notation, by id."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = list(pieces)
        self.lengths = [len(piece) for piece in pieces]

    def of_line(self, text: str, ids: Sequence[int]) -> Spans | None:
        """The span of each id in `text`, if the pieces spell it letter by letter, as they nearly always do; else None."""
        pieces = self.pieces
        spelled = "".join([pieces[index] for index in ids if index >= FIRST])
        added = spelled[:1] == SPACE and text[:1] != " "  # SentencePiece puts a space before the first word
        if spelled[added:].replace(SPACE, " ") != text or SPACE in text:
            return None
        lengths = self.lengths
        ends = list(accumulate((lengths[index] if index >= FIRST else 0 for index in ids), initial=-added))
        ends[0] = 0
        return list(pairwise(ends))

    def parse(self, message: bytes, ids: Sequence[int], least: int) -> Spans:
        """The span of each id, from a SentencePieceText, whose places count bytes of UTF-8. Ids below `least` have no piece in it."""
        text, byte_spans = b"", list[tuple[int, int]]()
        for field, value in message_fields(message):
            if field == 1:
                text = value
            elif field == 2:  # a piece
                piece = dict(message_fields(value))
                byte_spans.append((piece.get(4, 0), piece.get(5, 0)))
        characters = [0]  # before each byte; inside a character: with it
        for character in text.decode("utf-8"):
            characters += [characters[-1] + 1] * len(character.encode("utf-8"))
        found = iter(byte_spans)
        spans, end = Spans(), 0
        for index in ids:
            if index >= least:
                begin, end = (characters[place] for place in next(found))
                spans.append((begin, end))
            else:
                spans.append((end, end))
        return spans
