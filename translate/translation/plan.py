"""Lines -> sentences -> the pieces that the model gets. What isn't language never reaches it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from translate.profile import Profile
from translate.text.case import CAPITALS, CaseModel
from translate.text.fold import Folding
from translate.text.language import LanguageJudge
from translate.text.marks import split_marks
from translate.text.normalize import normalize_tracked
from translate.text.number_formats import convert_numbers
from translate.text.pairs import HAS_EMPHASIS
from translate.text.placeholders import SYMBOLS, mask
from translate.text.protected import find_items, has_items, has_long_word
from translate.text.segments import split_line
from translate.text.sentences import cells, sentence_spans
from translate.text.tracked import Span, Tracked
from translate.tokenizer import EOS, ONE_LINE, Tokenizer
from translate.translation.foreign import find_judge, pass_short_ones
from translate.translation.items import kept_items, ways
from translate.translation.pieces import Line, Piece, Sentence, Variant, find_spans
from translate.translation.stand_ins import MEASURES

# Words, commas, spaces, a mark at the end: nothing in it needs any care. Most lines are of this kind, and should cost no time.
is_ordinary = re.compile(r"(?=[A-Za-zÄÖÜäöüß])[A-Za-zÄÖÜäöüß ,-]*[a-zäöüß][.!?]?").fullmatch
LETTER = re.compile(r"[^\W\d_]")

# Of the longest training sources: models know few that are so long, and parts of a common length are translated better (docs/real-text.md).
PART = 0.6
UNKNOWN_LONGEST = 64  # tokens, where the training isn't known: of sentences


class Planner:
    """Plans the translation of lines by one model."""

    def __init__(self, tokenizer: Tokenizer, profile: Profile, languages: tuple[str, str], max_tokens: int) -> None:
        """languages: of source and target. max_tokens: the longest source that the model can take, end mark included."""
        self.tokenizer, self.languages, self.max_tokens = tokenizer, languages, max_tokens
        self.judge = find_judge(profile, languages, tokenizer)
        self.folding = Folding(tokenizer.source_characters())
        self.case = CaseModel(profile.cases, tokenizer.word_costs, languages[0])
        self.symbols = set(tokenizer.symbol_ids(SYMBOLS) or [])
        self.longest = profile.longest_source

    def plan(self, lines: Sequence[str], first: int, split: str, foreign: str) -> list[Line]:
        """The sentences of each line. first: number of the first line in the input, from 0. split, foreign: see Options."""
        plans, judge = [], self.judge if foreign == "copy" else None
        for number, source in enumerate(lines, first + 1):
            text = source.rstrip("\r\n").translate(ONE_LINE)
            sentences = self._sentences(text, split, judge)
            if judge and len(sentences) > 1:
                pass_short_ones(text, sentences, judge)
            plans.append(Line(source, text, number, sentences))
        return plans

    def _sentences(self, line: str, split: str, judge: LanguageJudge | None) -> list[Sentence]:
        spans = sentence_spans(line, self.languages[0]) if split == "sentence" else cells(line)
        if len(spans) > 1 and has_items(line):
            spans = _keep_whole(line, spans)
        return [self._sentence(line, span, judge) for span in spans]

    def _sentence(self, line: str, span: Span, judge: LanguageJudge | None) -> Sentence:
        if is_ordinary(line, *span) and line.find("  ", *span) < 0 and line.find(" - ", *span) < 0 and not has_long_word(line, *span):
            return self._ordinary(line, span, judge)
        begin, end = split_marks(line[slice(*span)])
        span = span[0] + begin, span[0] + end
        original = line[slice(*span)]
        if not LETTER.search(original) or MEASURES.fullmatch(original):
            why = "no language" if LETTER.search(original) else "no letters"
            return Sentence(span, Tracked.of(original), passed=why, output=convert_numbers(original, *self.languages))
        if judge and (why := judge.foreign(original)):
            return Sentence(span, Tracked.of(original), passed=why, output=original)
        text, style = self.case.plan(self.folding.fold(normalize_tracked(Tracked.of(original, span[0]))))
        variants = self.variants(line, text)
        if not any(map(self.has_language, variants)):
            return Sentence(span, text, passed="no language", output=original)
        return Sentence(span, text, style, variants=variants, align=style == "emphasis" or "  " in original)

    def _ordinary(self, line: str, span: Span, judge: LanguageJudge | None) -> Sentence:
        """The same for a sentence without marks, digits, items and characters that a normaliser changes."""
        original = line[slice(*span)]
        if judge and (why := judge.foreign(original)):
            return Sentence(span, Tracked.of(original), passed=why, output=original)
        text, style = self.case.plan(Tracked.of(original, span[0]))
        plain = style != "emphasis" and not CAPITALS.search(original)
        return Sentence(span, text, style, variants=[Variant(text)], ordinary=plain, align=style == "emphasis")

    def variants(self, line: str, text: Tracked) -> list[Variant]:
        """The ways to put a sentence of `line` to the model, one for most."""
        found = has_items(text.text) or HAS_EMPHASIS.search(text.text) or has_long_word(text.text)
        items, written = kept_items(line, text, *self.languages, numbers=False) if found else ([], [])
        if not items:
            return [Variant(text)]
        if self.symbols and len(items) <= len(self.symbols):
            masked, kept = mask(text, items, written)
            return [Variant(masked, kept=kept)]
        return self.without_symbols(line, text, numbers=False)

    def without_symbols(self, line: str, text: Tracked, numbers: bool, brackets: bool = False) -> list[Variant]:
        """The ways to put a sentence to a model that has no symbols, or loses them. None if it has no items.

        numbers, brackets: numbers are items too, and so are brackets, quotation marks and dashes.
        """
        found = ways(line, text, *self.languages, numbers, brackets)
        return [Variant(way.text, taken=way.taken, numbers=numbers, brackets=brackets) for way in found]

    def has_language(self, variant: Variant) -> bool:
        """Whether there is anything to translate, symbols apart."""
        return LETTER.search(variant.text.text) is not None

    def make_pieces(self, plans: Sequence[Line], split: str) -> list[Piece]:
        """The pieces of all variants that have none yet. All texts are encoded at once, then those that are too long again, in parts."""
        todo = [
            (index, sentence.align, variant)
            for index, line in enumerate(plans)
            for sentence in line.sentences
            for variant in sentence.variants
            if not variant.pieces and self.has_language(variant)
        ]
        encoded = self.tokenizer.encode_source([variant.text.text for _, _, variant in todo])
        places = Counter[int]()
        longest = min(self.longest or (UNKNOWN_LONGEST if split == "sentence" else self.max_tokens), self.max_tokens)
        longest_part = max(2, int(PART * longest)) if longest < self.max_tokens else longest
        for (line, align, variant), ids in zip(todo, encoded):
            for begin, text, part in [(0, variant.text, ids)] if len(ids) <= longest else self._parts(variant.text, longest_part):
                if len(part) > 1:  # the tokenizer may read a text as empty
                    cut = len(part) > self.max_tokens
                    piece = Piece(text, begin, line, places[line], [*part[: self.max_tokens - 1], EOS] if cut else part, cut)
                    piece.align = bool(align or variant.taken or variant.kept)
                    if variant.kept:
                        piece.required = [number for number in part if number in self.symbols]
                    variant.pieces.append(piece)
                    places[line] += 1
        return [piece for _, _, variant in todo for piece in variant.pieces]

    def _parts(self, text: Tracked, longest: int) -> list[tuple[int, Tracked, list[int]]]:
        """A text that is too long, in parts that fit: where each begins, and its ids."""

        def fits(part: str) -> bool:
            return len(self.tokenizer.encode_source([part])[0]) <= longest

        parts = split_line(text.text, fits, self.languages[0])
        spans = find_spans(text.text, parts)
        return [(begin, text[begin:end], ids) for (begin, end), ids in zip(spans, self.tokenizer.encode_source(parts))]


def _keep_whole(line: str, spans: Sequence[Span]) -> list[Span]:
    """The `spans` of sentences, those as one that an item holds together: a comment, a command, an attribute of several sentences."""
    items, whole, following = [item for item in find_items(line) if " " in line[item.begin : item.end]], [spans[0]], 0
    for begin, end in spans[1:]:
        last = whole[-1][1]
        while following < len(items) and items[following].end <= last:
            following += 1
        if following < len(items) and items[following].begin < last and begin < items[following].end:
            whole[-1] = whole[-1][0], end
        else:
            whole.append((begin, end))
    return whole
