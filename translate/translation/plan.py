"""Lines -> sentences -> the pieces that the model gets. What isn't language never reaches it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from translate.profile import Profile
from translate.text.language import LanguageJudge
from translate.text.normalize import normalize_tracked
from translate.text.number_formats import convert_numbers
from translate.text.segments import split_line
from translate.text.sentences import sentence_spans
from translate.text.tracked import Tracked
from translate.tokenizer import EOS, ONE_LINE, Tokenizer
from translate.translation.foreign import find_judge
from translate.translation.pieces import Line, Piece, Sentence, Span, find_spans

SEPARATOR = re.compile("[\t\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")  # of cells, lines or paragraphs: no sentence goes across
LETTER = re.compile(r"[^\W\d_]")


class Planner:
    """Plans the translation of lines by one model."""

    def __init__(self, tokenizer: Tokenizer, profile: Profile, languages: tuple[str, str], max_tokens: int) -> None:
        """languages: of source and target. max_tokens: the longest source that the model can take, end mark included."""
        self.tokenizer, self.languages, self.max_tokens = tokenizer, languages, max_tokens
        self.judge = find_judge(profile, languages, tokenizer)
        self.longest = min(profile.longest_source or max_tokens, max_tokens)  # of a piece, in tokens, end mark included

    def plan(self, lines: Sequence[str], first: int, split: str, foreign: str) -> list[Line]:
        """The sentences and pieces of each line. first: number of the first line in the input, from 0. split, foreign: see Options."""
        plans, judge = [], self.judge if foreign == "copy" else None
        for number, source in enumerate(lines, first + 1):
            text = source.rstrip("\r\n").translate(ONE_LINE)
            plans.append(Line(source, text, number, self._sentences(text, split, judge)))
        self._make_pieces(plans)
        return plans

    def _sentences(self, line: str, split: str, judge: LanguageJudge | None) -> list[Sentence]:
        if not SEPARATOR.search(line):
            return [self._sentence(line, span, judge) for span in self._spans(line, split)]
        sentences, begin = [], 0
        for end in [*(match.start() for match in SEPARATOR.finditer(line)), len(line)]:
            spans = self._spans(line[begin:end], split)
            sentences += [self._sentence(line, (begin + first, begin + last), judge) for first, last in spans]
            begin = end + 1
        return sentences

    def _spans(self, text: str, split: str) -> list[Span]:
        """Of the sentences, or of all but the white space around them."""
        if split == "sentence":
            return sentence_spans(text, self.languages[0])
        begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
        return [(begin, end)] if begin < end else []

    def _sentence(self, line: str, span: Span, judge: LanguageJudge | None) -> Sentence:
        text = Tracked.of(line[slice(*span)], span[0])
        if not LETTER.search(text.text):
            return Sentence(span, text, "no letters", convert_numbers(text.text, *self.languages))
        if judge and (why := judge.foreign(text.text)):
            return Sentence(span, text, why, text.text)
        return Sentence(span, normalize_tracked(text))

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

        parts = split_line(text.text, fits, self.languages[0])
        spans = find_spans(text.text, parts)
        return [(text[begin:end], ids) for (begin, end), ids in zip(spans, self.tokenizer.encode_source(parts))]
