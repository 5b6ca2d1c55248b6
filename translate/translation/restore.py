"""The model's outputs -> the translation of a line: everything that was set aside is put back in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from translate.decoding import FilledOptions, penalty
from translate.profile import Profile
from translate.text.case import CAPITALS, CaseModel
from translate.text.marks import match_end, restore_gaps
from translate.text.numerals import DIGIT, compare_numbers, mend_numbers, put_right
from translate.text.pairs import HAS_PAIRS, STRAY, loses_pairs
from translate.text.placeholders import SYMBOL, unmask
from translate.text.protected import find_items, without_items
from translate.text.tracked import Span, changes
from translate.tokenizer import Tokenizer
from translate.translation.alignment import Link, align_texts
from translate.translation.emphasis import emphasise, keep_acronyms
from translate.translation.findings import missing_units
from translate.translation.gaps import Gaps
from translate.translation.items import kept_items
from translate.translation.parts import Part, make_part, mean_confidence, mean_coverage
from translate.translation.pieces import Line, Piece, Sentence, Translation, Variant
from translate.translation.placing import move_last, place_items, tail


class Restorer:
    """Undoes what the plan did, see plan.py."""

    def __init__(self, tokenizer: Tokenizer, profile: Profile, languages: tuple[str, str]) -> None:
        self.tokenizer, self.profile, self.languages = tokenizer, profile, languages

    def restore(self, line: Line, options: FilledOptions) -> Translation:
        """The translation of a line, from the outputs of its pieces, rank by rank.

        The score is that of a single output as long as all pieces together. All alternatives are scored with the lengths of the first ones:
        with its own length, one with a longer piece could score better than the first. Expected utilities are averaged by length.
        """
        if options.n_best == 1 and len(line.sentences) == 1 and line.sentences[0].ordinary:
            sentence = line.sentences[0]
            if len(sentence.variants) == 1 and len(sentence.variants[0].pieces) == 1 and sentence.span == (0, len(line.text)):
                return self._ordinary(line, sentence, options)
        pieces, ranks = line.pieces, range(options.n_best)
        each = [list(self._parts(line, rank)) for rank in ranks]
        texts = ["".join(strings) for strings in each]
        scores = [0.0] * options.n_best
        if pieces:
            lengths = [len(piece.best.ids) + piece.best.complete for piece in pieces]
            if options.mbr is not None:
                shares = [length / sum(lengths) for length in lengths]
            else:
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
            alignment=tuple(self._alignment(line, each[0])) if options.alignment else None,
            confidence=mean_confidence(parts),
            coverage=mean_coverage(parts),
            parts=parts,
        )  # fmt: skip

    def _ordinary(self, line: Line, sentence: Sentence, options: FilledOptions) -> Translation:
        """The same for a line that is one ordinary sentence: in a tenth of the time."""
        piece, text = sentence.variants[0].pieces[0], self.sentence(line, sentence, 0)
        part, score = self._part(piece, options), piece.ranked[0][1]
        return Translation(
            line.source, text, score, [(text, score)], 1, piece.cut or not piece.best.complete, line.number, (part.span,), part.tokens_in,
            part.tokens_out, piece.looped, alignment=tuple(self._sentence_links(line, sentence, text)) if options.alignment else None,
            confidence=part.confidence, coverage=part.coverage, parts=(part,),
        )  # fmt: skip

    def _part(self, piece: Piece, options: FilledOptions) -> Part:
        def places() -> list[Span]:
            return [piece.text.span(*span) for span in self.tokenizer.source_spans([piece.text.text], [piece.ids])[0]]

        best, weights = piece.best, piece.best.attention if options.coverage else None
        whole, searched = not piece.cut, not options.draws
        return make_part(piece.span, piece.output(0), len(piece.ids) - 1, best, self.profile, whole, searched, weights, places)

    def _parts(self, line: Line, rank: int) -> Iterator[str]:
        """The sentences' translations, and everything between them as in the source."""
        position = 0
        for sentence in line.sentences:
            begin, end = sentence.span
            yield line.text[position:begin]
            yield self.sentence(line, sentence, rank)
            position = end
        yield line.text[position:]

    def sentence(self, line: Line, sentence: Sentence, rank: int) -> str:
        """The translation of a sentence, from one of its outputs."""
        return self.restored(line, sentence, sentence.variants[0], rank) if sentence.variants else sentence.output

    def restored(self, line: Line, sentence: Sentence, variant: Variant, rank: int) -> str:
        """The same from an output of one of its variants, made when it is first asked for: reviews ask again and again."""
        if rank not in variant.restored:
            variant.restored[rank] = self._restored(line, sentence, variant, rank)
        return variant.restored[rank]

    def _restored(self, line: Line, sentence: Sentence, variant: Variant, rank: int) -> str:
        source = line.text[slice(*sentence.span)]
        plain = variant.output(rank)
        output = CaseModel.restore(plain, sentence.style) if sentence.style else plain
        if sentence.ordinary:
            return match_end(source, output)
        if sentence.style == "emphasis":
            output = emphasise(line.text, variant.text, output, self._links(variant, rank))
        if sentence.style in ("", "emphasis") and CAPITALS.search(source):
            output = keep_acronyms(without_items(source), output)
        if not variant.numbers:  # before the items are back, whose digits stay
            words = without_items(source)
            output = put_right(words, mend_numbers(words, output, *self.languages), *self.languages)
        if variant.brackets:
            output = STRAY.sub("", output)  # it got none
        if variant.taken:
            output = match_end(variant.text.text, output)  # before something stands behind it
            moved = changes(plain, output)
            links = [(one, moved.range(*other)) for one, other in self._links(variant, rank)]
            output = place_items(output, links, variant.taken, variant.text.text)
        elif variant.kept:
            if SYMBOL.search(tail(output)):
                moved = changes(plain, output)
                output = move_last(variant.text.text, output, [(one, moved.range(*other)) for one, other in self._links(variant, rank)])
            output, lost = unmask(output, variant.kept)
            output = " ".join([output, *(variant.kept[index].text for index in lost)])
        items = [item.text for item in variant.taken] + [item.text for item in variant.kept]
        return with_marks(source, output, items, self._places(sentence, variant, rank, source, output) if sentence.align and "  " in source else None)

    def _places(self, sentence: Sentence, variant: Variant, rank: int, source: str, output: str) -> Callable[[int], int]:
        """Finds the place in the final `output` for one in the `source`."""
        moved, start = changes(variant.output(rank), output), sentence.span[0]
        spans = [(variant.text.span(*one), moved.range(*other)) for one, other in self._links(variant, rank)]
        return Gaps(source, output, [((begin - start, end - start), other) for (begin, end), other in spans if other[0] < other[1]]).best

    def faults(self, line: Line, sentence: Sentence) -> set[str]:
        """What is wrong with the best translation: "symbols" if it has lost one, "numbers" if their values differ, "brackets" if there are others."""
        variant, source = sentence.variants[0], line.text[slice(*sentence.span)]
        found, pairs = set[str](), HAS_PAIRS.search(source)
        if not (pairs or variant.kept or DIGIT.search(source) or DIGIT.search(variant.output(0))):
            return found  # as most
        if unmask(variant.output(0), variant.kept)[1]:
            found.add("symbols")
        if not self.keeps_numbers(line, sentence, variant):
            found.add("numbers")
        if pairs and not variant.brackets:
            output = self.restored(line, sentence, variant, 0)
            if loses_pairs(source, output, find_items(source), find_items(output)):
                found.add("brackets")
        return found

    def keeps_numbers(self, line: Line, sentence: Sentence, variant: Variant) -> bool:
        """Whether the best translation by `variant` has the numbers of its source, with their units, and no others."""
        source, output = map(without_items, (line.text[slice(*sentence.span)], self.restored(line, sentence, variant, 0)))
        return not (any(compare_numbers(source, output, *self.languages)) or missing_units(source, output))

    def _alignment(self, line: Line, texts: Sequence[str]) -> Iterator[Link]:
        """The linked words of the best outputs: their spans in the line, and in its translation. texts: what `_parts` gives."""
        position = 0
        for index, text in enumerate(texts):
            sentence = line.sentences[index // 2] if index % 2 else None
            if sentence and sentence.variants:
                for source, (begin, end) in self._sentence_links(line, sentence, text):
                    yield source, (begin + position, end + position)
            position += len(text)

    def _sentence_links(self, line: Line, sentence: Sentence, text: str) -> list[Link]:
        """The same of one sentence, whose translation is `text`: spans in the line, and in `text`."""
        variant = sentence.variants[0]
        plain, places = variant.output(0), variant.text
        words = [(places.span(*source), output) for source, output in self._links(variant, 0)]
        if text == plain:
            return words
        final, items = changes(plain, text), self._item_links(line, sentence, text)
        kept = {source for source, _ in items}
        found = {*items, *((source, final.range(*output)) for source, output in words if source not in kept)}
        return sorted(((source, output) for source, output in found if output[0] < output[1]), key=lambda link: (link[1], link[0]))

    def _item_links(self, line: Line, sentence: Sentence, text: str) -> list[Link]:
        """What was not translated: its spans in the line, and in the translation `text` of the sentence."""
        variant = sentence.variants[0]
        if not (variant.kept or variant.taken):
            return []
        items, written = kept_items(line.text, sentence.text, *self.languages, variant.numbers, variant.brackets)
        found, position = [], dict[str, int]()
        for item, string in zip(items, written):
            begin = text.find(string, position.get(string, 0))
            if begin >= 0:
                position[string] = begin + len(string)
                found.append((sentence.text.span(item.begin, item.end), (begin, begin + len(string))))
        return found

    def _links(self, variant: Variant, rank: int) -> list[Link]:
        """Linked words: spans in the text of the variant, and in its output."""
        linked, start = list[Link](), 0
        for piece, space in variant.joined(rank):
            start += len(space)
            hypothesis, output = piece.hypotheses[piece.rank(rank)], piece.output(rank)
            assert hypothesis.attention is not None, "the search was not asked for attention"
            found = align_texts(self.tokenizer, [piece.text.text], [piece.ids], [output], [hypothesis.ids], [hypothesis.attention])[0]
            if len(variant.pieces) == 1:
                return found
            linked += [((one[0] + piece.begin, one[1] + piece.begin), (two[0] + start, two[1] + start)) for one, two in found]
            start += len(output)
        return linked


def with_marks(source: str, output: str, items: Sequence[str], place: Callable[[int], int] | None = None) -> str:
    """`output` with the mark at its end and the wide gaps that `source` has, unless that changes an item: the end of an entity, a space in a tag."""
    for mend in (match_end, lambda source, output: restore_gaps(source, output, place)):
        mended = mend(source, output)
        if mended == output or all(mended.count(item) >= output.count(item) for item in set(items)):
            output = mended
    return output
