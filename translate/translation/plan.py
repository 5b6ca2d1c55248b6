"""Lines -> sentences -> the pieces that the model gets. What isn't language never reaches it."""

from __future__ import annotations

from collections.abc import Sequence

from translate.profile import Profile
from translate.text.segments import split_line
from translate.text.sentences import sentence_spans
from translate.text.tracked import Tracked
from translate.tokenizer import EOS, ONE_LINE, Tokenizer
from translate.translation.pieces import Line, Piece, Sentence, find_spans


class Planner:
    """Plans the translation of lines by one model."""

    def __init__(self, tokenizer: Tokenizer, profile: Profile, languages: tuple[str, str], max_tokens: int) -> None:
        """languages: of source and target. max_tokens: the longest source that the model can take, end mark included."""
        self.tokenizer, self.languages, self.max_tokens = tokenizer, languages, max_tokens
        self.longest = min(profile.longest_source or max_tokens, max_tokens)  # of a piece, in tokens, end mark included

    def plan(self, lines: Sequence[str], first: int, split: str) -> list[Line]:
        """The sentences and pieces of each line. first: number of the first line in the input, from 0. split: see DecodingConfig."""
        plans = []
        for number, source in enumerate(lines, first + 1):
            text = source.rstrip("\r\n").translate(ONE_LINE)
            plans.append(Line(source, text, number, self._sentences(text, split)))
        self._make_pieces(plans)
        return plans

    def _sentences(self, line: str, split: str) -> list[Sentence]:
        if split == "line":
            begin, end = len(line) - len(line.lstrip()), len(line.rstrip())
            spans = [(begin, end)] if begin < end else []
        else:
            spans = sentence_spans(line, self.languages[0])
        if spans == [(0, len(line))]:
            return [Sentence(Tracked.of(line))]
        return [Sentence(Tracked.of(line[begin:end], begin)) for begin, end in spans]

    def _make_pieces(self, plans: Sequence[Line]) -> None:
        """Encode all sentences at once, then those that are too long again, in parts."""
        todo = [(index, sentence) for index, line in enumerate(plans) for sentence in line.sentences if not sentence.passed]
        encoded = self.tokenizer.encode_source([sentence.text.text for _, sentence in todo])
        places = [0] * len(plans)
        for (line, sentence), ids in zip(todo, encoded):
            for text, part in [(sentence.text, ids)] if len(ids) <= self.longest else self._parts(sentence.text):
                if len(part) > 1:  # the tokenizer may read a text as empty
                    cut = len(part) > self.max_tokens
                    piece = Piece(text, line, places[line], [*part[: self.max_tokens - 1], EOS] if cut else part, cut)
                    sentence.pieces.append(piece)
                    places[line] += 1

    def _parts(self, text: Tracked) -> list[tuple[Tracked, list[int]]]:
        """A sentence that is too long, in parts that fit, with their ids."""

        def fits(part: str) -> bool:
            return len(self.tokenizer.encode_source([part])[0]) <= self.longest

        parts = split_line(text.text, fits)
        spans = find_spans(text.text, parts)
        return [(text[begin:end], ids) for (begin, end), ids in zip(spans, self.tokenizer.encode_source(parts))]
