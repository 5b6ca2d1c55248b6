"""Lines in, lines out: splits what is too long, batches by length, searches, restores the order. Training validates through it too.

Sits above bundle.py, model/ and decoding/, which know no text, and below training.py and cli/. Whatever the batches, a line is translated as if
it stood alone, up to the rounding of the arithmetic.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from translate.bundle.bundle import load_bundle
from translate.config import DecodingConfig
from translate.decoding import Hypothesis, Options, penalty, sentence_seed
from translate.device import choose_device, choose_search_precision, run_in_new_thread
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.text.segments import split_line
from translate.tokenizer import EOS, ONE_LINE, Tokenizer
from translate.translation.ctranslate2_engine import load_ctranslate2
from translate.translation.findings import is_loop
from translate.translation.forks import fork_count
from translate.translation.parallel import Engine, Search, Searches
from translate.translation.torch_engine import TorchEngine
from translate.translation.windows import WINDOW_LINES, texts, windows

# What one sentence takes of a batch is counted as at least so many tokens: the scores over the vocabulary cost the same for short ones.
LEAST_TOKENS = 8
NO_REPEAT = 3  # no n-gram of so many tokens may come twice where a loop is searched again
# A sentence of so many tokens counts twice for every beam, as the attention's scores grow with the square of the length.
SQUARE_TOKENS = 512


@dataclass(frozen=True)
class Translation:
    """One line of input and what became of it."""

    source: str
    text: str
    score: float  # of `text`: its log-probability over the length penalty, both of all pieces together
    alternatives: list[tuple[str, float]]  # the n best, `text` first; of a line in pieces, the first joins the first of each piece, and so on
    pieces: int  # how many the line was split into; 0 = blank, and the model was not asked
    cut: bool  # an output reached the limit of its length before it ended, or a piece could not be made to fit
    number: int = 0  # of the line in the input, from 1
    spans: tuple[tuple[int, int], ...] = ()  # where each piece begins and ends in `source`, in characters
    tokens_in: int = 0  # of the pieces and of `text`, without end marks
    tokens_out: int = 0
    looped: bool = False  # a piece came out repeating itself past reason (findings.is_loop) and was searched again without repeats


@dataclass
class _Piece:
    """What goes into the model as one source: `ids` end in EOS; `line` and `place` say where it belongs."""

    ids: list[int]
    line: int
    place: int
    span: tuple[int, int]
    cut: bool
    hypotheses: list[Hypothesis] = field(default_factory=list)
    ranked: list[tuple[str, float]] = field(default_factory=list)  # text and score of each hypothesis
    looped: bool = False


class Translator:
    """A model with its tokenizer, ready to translate: from a run folder by `load`, or from the parts while training."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer, decoding: DecodingConfig, forks: int = 0) -> None:
        """forks: so many copies of this process do the searches wherever there are several, see forks.py."""
        self.engine, self.searches = engine, Searches(engine, forks)
        self.tokenizer = tokenizer
        self.decoding = decoding
        self.max_tokens = engine.max_tokens
        self.loaded: tuple[Any, ...] | None = None  # the arguments of `load`

    @classmethod
    def load(
        cls,
        folder: str | PathLike[str],
        device: str = "auto",
        precision: str = "auto",
        engine: str = "torch",
        compute_type: str = "default",
        fork: bool = False,
    ) -> Translator:
        """From the run folder, or a copy of its bundle files; for engine ctranslate2 also from a folder that `translate export` wrote.

        device: auto, cpu, cuda, cuda:N. precision: auto, fp32, bf16, fp16, of engine torch. compute_type: of engine ctranslate2, such as int8;
        `default` is the type that the weights were exported with. fork: let copies of this process search, where engine torch runs on a CPU:
        faster than threads, and for programs that have none of their own. UserError for a missing or foreign bundle, an unknown engine, a
        device or a type that is not there.
        """
        folder = expand_path(folder)
        translator = cls(*run_in_new_thread(lambda: _parts(folder, device, precision, engine, compute_type, fork)))
        translator.loaded = (os.path.abspath(folder), device, precision, engine, compute_type, fork)
        return translator

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle, or a copy, is loaded anew from the same folder."""
        if self.loaded is None:
            raise TypeError("a Translator that was made of its parts can't be pickled or copied: use Translator.load, in each process")
        return type(self).load, self.loaded

    def translate(
        self,
        lines: Iterable[str],
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
        batch_tokens: int | None = None,
    ) -> list[str]:
        """The best translation of each of `lines`, in their order; "" for a blank one. Without options, as the recipe decodes.

        UserError for an element that is not text, before any is translated.
        """
        return [result.text for result in self.translate_stream(list(texts(lines)), Options(beam, length_penalty, batch_tokens))]

    def translate_stream(
        self, lines: Iterable[str], options: Options = Options(), window: int = WINDOW_LINES, done: int = 0
    ) -> Iterator[Translation]:
        """One `Translation` per line, in order, reading at most `window` lines ahead: memory stays the same for an endless input.

        Windows that lie wholly within the first `done` lines are left out: what follows is exactly what would have followed them, since
        the batches are the same ones. UserError for an element that is not text, after the results of those before it.
        """
        options = options.fill(self.decoding)
        parts = windows(lines, window, done)
        return (result for first, part in parts for result in self.translate_window(part, first, options))

    def translate_window(self, lines: Iterable[str], first: int, options: Options) -> list[Translation]:
        """`lines` are those from number `first` on (from 0) of the whole input; `options` are filled. A line end inside one is a space."""
        lines = list(texts(lines, first))
        pieces = self._split(lines)
        self._search(pieces, first, options)
        if not options.sample:
            looped = [piece for piece in pieces if is_loop(piece.ids, piece.hypotheses[0].ids)]
            self._search(looped, first, options, NO_REPEAT)
            for piece in looped:
                piece.looped = True
        outputs = iter(self.tokenizer.decode([hypothesis.ids for piece in pieces for hypothesis in piece.hypotheses]))
        of_line: list[list[_Piece]] = [[] for _ in lines]
        for piece in pieces:
            piece.ranked = [(next(outputs), hypothesis.score) for hypothesis in piece.hypotheses]
            of_line[piece.line].append(piece)
        return [_join(line, number, own, options) for number, (line, own) in enumerate(zip(lines, of_line), first + 1)]

    def _split(self, lines: list[str]) -> list[_Piece]:
        lines = [line.translate(ONE_LINE) for line in lines]  # as long as before
        pieces = []
        for number, (line, ids) in enumerate(zip(lines, self.tokenizer.encode_source(lines))):
            spans, parts = [(0, len(line))], [ids]
            if len(ids) > self.max_tokens:
                texts = split_line(line, self._fits)
                spans, parts = find_spans(line, texts), self.tokenizer.encode_source(texts)
            place = 0
            for span, part in zip(spans, parts):
                # what looks blank or is nothing to the tokenizer (a zero-width space) does not reach the model
                if len(part) > 1 and line.strip():
                    cut = len(part) > self.max_tokens
                    pieces.append(_Piece([*part[: self.max_tokens - 1], EOS] if cut else part, number, place, span, cut))
                    place += 1
        return pieces

    def _fits(self, text: str) -> bool:
        return len(self.tokenizer.encode_source([text])[0]) <= self.max_tokens

    def _search(self, pieces: list[_Piece], first: int, options: Options, no_repeat: int = 0) -> None:
        """Fill in the hypotheses of `pieces`. Of samples, each has a seed of its own."""
        ranks = range(options.n_best if options.sample else 0)

        def search(places: list[int], run: Search) -> None:
            batch = [pieces[place] for place in places]
            sources = [piece.ids for piece in batch]
            seeds = [piece_seed(options.seed, first + piece.line, piece.place, rank) for piece in batch for rank in ranks]
            found = run(sources, [self.limit(len(ids)) for ids in sources], options, seeds, no_repeat)
            for piece, hypotheses in zip(batch, found):
                piece.hypotheses = hypotheses

        batches = length_batches([len(piece.ids) for piece in pieces], options.batch_tokens, len(ranks) or options.beam)
        left = self.searches.run(search, batches)
        if left:
            piece = pieces[min(left)]
            rows, lower = (f"{options.n_best} samples", "n-best") if options.sample else (f"beam {options.beam}", "beam")
            raise UserError(
                f"line {first + piece.line + 1} takes more memory than there is, even alone ({len(piece.ids):,} tokens, {rows}): lower --{lower}; "
                f"--batch-tokens ({options.batch_tokens}) can't help"
            )

    def limit(self, tokens: int) -> int:
        """Most tokens of an output, end mark included, for a source of `tokens`."""
        ratio = int(min(self.decoding.max_ratio * tokens, self.max_tokens))  # it may be as great as a float gets
        return max(1, min(ratio + self.decoding.max_extra, self.max_tokens))


def _parts(folder: str, device: str, precision: str, engine: str, compute_type: str, fork: bool) -> tuple[Engine, Tokenizer, DecodingConfig, int]:
    """What `Translator.load` makes one of."""
    chosen = choose_device(device)
    if engine == "ctranslate2":
        if precision != "auto":
            raise UserError(f"precision {precision} is for engine torch: choose it, or use compute_type with engine ctranslate2")
        return *load_ctranslate2(folder, chosen, compute_type), 0
    if engine != "torch":
        raise UserError(f"engine is {engine!r}: choose torch or ctranslate2")
    if compute_type != "default":
        raise UserError(f"compute type {compute_type} is for engine ctranslate2: choose it, or use precision with engine torch")
    products = choose_search_precision(precision, chosen)
    bundle = load_bundle(folder, chosen)
    forks = fork_count() if fork and chosen.type == "cpu" else 0
    return TorchEngine.owning(bundle.model, chosen, products), bundle.tokenizer, bundle.config.decoding, forks


def piece_seed(seed: int, line: int, place: int, rank: int) -> int:
    """Depends on where the piece stands in the input and not on its batch; no two share one."""
    return sentence_seed(sentence_seed(sentence_seed(seed, line), place), rank)


def length_batches(lengths: Sequence[int], batch_tokens: int, beam: int) -> list[list[int]]:
    """Places of `lengths` in batches of like length, the longest first; each within the budget, or a single sentence that is beyond it."""
    batches: list[list[int]] = []
    room = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if not batches or len(batches[-1]) == room:
            longest = max(lengths[place], LEAST_TOKENS)  # of this batch: the others are padded to it
            room = max(1, int(batch_tokens / (beam * longest * (1 + longest / SQUARE_TOKENS))))
            batches.append([])
        batches[-1].append(place)
    return batches


def find_spans(line: str, pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Where the `pieces` of `line`, in their order and without overlap, begin and end, in characters."""
    spans, end = [], 0
    for piece in pieces:
        begin = line.index(piece, end)
        end = begin + len(piece)
        spans.append((begin, end))
    return spans


def _join(line: str, number: int, pieces: list[_Piece], options: Options) -> Translation:
    """The pieces' translations, rank by rank. A piece that has fewer alternatives than others lends its last.

    The score is that of one output as long as all together. Alternatives are given the lengths of the first, or a longer one of one piece could
    come before a better one.
    """
    alternatives = [("", 0.0)] * options.n_best
    if pieces:
        lengths = [len(piece.hypotheses[0].ids) + piece.hypotheses[0].complete for piece in pieces]
        whole = penalty(sum(lengths), options.length_penalty)
        shares = [penalty(length, options.length_penalty) / whole for length in lengths]
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
