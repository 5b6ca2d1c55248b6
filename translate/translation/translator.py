"""Lines to translations: divide them into sentences, batch by length, search, join. Also used for validation.

A translation does not depend on the batch that the line is in, up to rounding.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

from translate.config import DecodingConfig
from translate.decoding import FilledOptions, Options, sentence_seed
from translate.device import choose_device
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.profile import Calibration, Profile
from translate.tokenizer import Tokenizer
from translate.translation.batching import default_batch_tokens, length_batches
from translate.translation.engine import Engine, Search, load_engine
from translate.translation.findings import is_loop
from translate.translation.mbr import by_expected_utility
from translate.translation.pieces import Line, Piece, Translation
from translate.translation.plan import Planner
from translate.translation.rerank import rerank_with, reranking_for
from translate.translation.rerank_file import Reranking
from translate.translation.restore import Restorer
from translate.translation.review import Reviewer
from translate.translation.search_options import SearchOptions, check_effects, one_of, to_options
from translate.translation.search_pool import SearchPool
from translate.translation.windows import FIRST_WINDOW, WINDOW_LINES, texts, windows
from translate.values import short_repr

if TYPE_CHECKING:
    from typing_extensions import Unpack  # typing has it from Python 3.11 on

NO_REPEAT = 3  # after a loop, search again without repeating n-grams of this length

Progress = bool | Callable[[int, int], object] | None


class Translator:
    """A model with its tokenizer, ready to translate. Use `load`; training constructs one from its parts.

    Thread-safe. As a context manager it is closed when the block ends.
    """

    def __init__(
        self, engine: Engine, tokenizer: Tokenizer, decoding: DecodingConfig, fork: bool = False, profile: Profile | None = None,
        languages: tuple[str, str] = ("de", "en"),
    ) -> None:  # fmt: skip
        """fork: see `load`. profile: of the model; None = unknown. languages: of source and target."""
        self.pool = SearchPool(engine, fork)
        self.tokenizer = tokenizer
        batch_tokens = decoding.batch_tokens or default_batch_tokens(engine.machine["device"])
        self.decoding = dataclasses.replace(decoding, batch_tokens=batch_tokens)
        self.max_tokens = engine.max_tokens
        self.profile, self.languages = profile or Profile(), languages
        self.planner = Planner(tokenizer, self.profile, languages, engine.max_tokens)
        self.restorer = Restorer(tokenizer, self.profile, languages)
        self.reviewer = Reviewer(self.planner, self.restorer)
        self.reranking: Reranking | None = None  # what `load` was given
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
        fuse: str | None = None,
        fuse_weight: float | None = None,
        ensemble: Sequence[str | PathLike[str]] = (),
        rerank: str | PathLike[str] | None = None,
    ) -> Translator:
        """A translator with the model in a run folder, or in a copy of its bundle files.

        Args:
            folder: for engine ctranslate2 also one that `translate export` wrote.
            device: auto, cpu, cuda or cuda:N.
            precision: auto, fp32, bf16 or fp16; only for engine torch.
            engine: torch or ctranslate2.
            compute_type: only for engine ctranslate2, such as int8; `default` is the type of the exported weights.
            fork: search in copies of this process, with engine torch on a CPU: faster than threads, but only safe in programs without
                other threads.
            fuse: run folder of a language model with the same tokenizer, whose log-probabilities of each token are added in search, times
                `fuse_weight` (shallow fusion: Gulcehre et al. 2015); only for engine torch. Translations then have no confidence.
            ensemble: run folders of further models with the same tokenizer, whose probabilities of each token are averaged with those of the
                first; only for engine torch. Search options and alignments are those of the first; there is no confidence.
            rerank: file of `translate rerank`: the models that it names put the hypotheses of each search in order, and its beam and length
                penalty are the defaults. Scores are those of the reranking, and there is no confidence.

        Raises:
            UserError: for a folder that is not a model, damaged files, an unknown engine, or an unavailable device or type.
        """
        folder = expand_path(folder)
        fuse = None if fuse is None else os.path.abspath(expand_path(fuse))
        others = tuple(os.path.abspath(expand_path(other)) for other in ensemble)
        file = None if rerank is None else os.path.abspath(expand_path(rerank))
        reranking = None if file is None else reranking_for(file, (folder, *others), engine, fuse)
        running, tokenizer, config, profile = load_engine(folder, device, precision, engine, compute_type, fuse, fuse_weight, others)
        decoding, languages = config.decoding, (config.data.source_language, config.data.target_language)
        if reranking and file:
            running, profile = (
                rerank_with(running, tokenizer, reranking, file, languages, choose_device(device)),
                dataclasses.replace(profile, calibration=Calibration()),
            )
            decoding = dataclasses.replace(decoding, beam=reranking.beam, length_penalty=reranking.length_penalty)
        translator = cls(running, tokenizer, decoding, fork, profile, languages)
        translator.reranking = reranking
        translator.loaded = (os.path.abspath(folder), device, precision, engine, compute_type, fork, fuse, fuse_weight, others, file)
        return translator

    @property
    def engine(self) -> Engine:
        """The engine that runs the model. UserError once the translator is closed."""
        return self.pool.engine

    @property
    def calibrated(self) -> bool:
        """Whether translations have a confidence."""
        return self.profile.calibration.sentences > 0

    def close(self) -> None:
        """End the threads and processes, and free the memory of the model. Not while another thread translates."""
        self.pool.close()

    def __enter__(self) -> Translator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickling and copying load the model again from the same folder."""
        if self.loaded is None:
            raise TypeError("a Translator made without Translator.load can't be pickled or copied: use Translator.load in each process")
        return type(self).load, self.loaded

    # A str is an Iterable[str] too, hence the overlap of the overloads.
    @overload
    def translate(  # type: ignore[overload-overlap]
        self, lines: str, *, scores: Literal[False] = False, progress: Progress = None, **options: Unpack[SearchOptions]
    ) -> str: ...
    @overload
    def translate(  # type: ignore[overload-overlap]
        self, lines: str, *, scores: Literal[True], progress: Progress = None, **options: Unpack[SearchOptions]
    ) -> Translation: ...
    @overload
    def translate(
        self, lines: Iterable[str], *, scores: Literal[False] = False, progress: Progress = None, **options: Unpack[SearchOptions]
    ) -> list[str]: ...
    @overload
    def translate(
        self, lines: Iterable[str], *, scores: Literal[True], progress: Progress = None, **options: Unpack[SearchOptions]
    ) -> list[Translation]: ...
    def translate(
        self, lines: str | Iterable[str], *, scores: bool = False, progress: Progress = None, **options: Unpack[SearchOptions]
    ) -> str | Translation | list[str] | list[Translation]:
        """Translate `lines`, or one line. Search options default to those of the recipe.

        Args:
            lines: a str, for one result; or any iterable of str, for a list of results in the same order. A blank line comes back as it is.
            scores: return `Translation` objects, with scores and alternatives, instead of str.
            progress: True shows a bar on stderr; a function is called with the number of lines done and in total.
            beam: hypotheses kept per line, 1 to 1,000; 1 is greedy search.
            length_penalty: alpha of Wu et al. 2016, equation 14, 0 to 3.
            foreign: `copy` keeps sentences that aren't in the source language as they are, `translate` translates all.
            split: `sentence` translates each sentence of a line on its own, `line` the whole line at once.
            batch_tokens: source tokens per batch, including padding, each counted `beam` times.
            n_best: alternatives per line, at most `beam`; or the number of samples. Needs scores=True.
            diverse: groups that the beam is divided into, which avoid each other's tokens, for alternatives that differ; 1: none.
            sample: sample from the model's distribution instead of searching.
            mbr: `chrf` draws `samples` translations and returns the one that is most like all of them (minimum Bayes risk).
            samples: their number, 2 to 1,000.
            temperature, top_k, top_p, seed: how to sample.
            alignment: find out which words became which, see `Translation.alignment`. Needs scores=True.
            coverage: find out how much of the source attention covers, see `Translation.coverage`. Needs scores=True.

        Raises:
            UserError: for an element that is not text, before translating any; for an option out of range or without effect.
            TypeError: for an unknown option.
        """
        chosen = to_options(options)
        check_effects(chosen, scores)
        inputs = list(texts([lines] if isinstance(lines, str) else lines))
        # with nobody to show them to, the first ones need not come early
        ahead = windows(inputs, WINDOW_LINES, smallest=FIRST_WINDOW if progress else WINDOW_LINES)
        translations = list(_with_progress(self._translate_windows(ahead, chosen.fill(self.decoding)), len(inputs), progress))
        results: list[Translation] | list[str] = translations if scores else [translation.text for translation in translations]
        return results[0] if isinstance(lines, str) else results

    def translate_stream(
        self,
        lines: Iterable[str],
        options: Options | None = None,
        window: int = WINDOW_LINES,
        done: int = 0,
        **keywords: Unpack[SearchOptions],
    ) -> Iterator[Translation]:
        """One `Translation` per line, in order, reading at most `window` lines ahead, so memory stays bounded for endless input.

        Args:
            lines: any iterable of str.
            options: instead of `keywords`, which are those of `translate`.
            window: lines to read ahead.
            done: skip windows that are entirely within the first `done` lines; the others have the same batches, and so the same results.

        Raises:
            UserError: for an element that is not text, after the results of the lines before it; for a bad option, at once.
            TypeError: for an unknown option.
        """
        return self._translate_windows(windows(lines, window, done), one_of(options, keywords).fill(self.decoding))

    def _translate_windows(self, ahead: Iterable[tuple[int, list[str]]], options: FilledOptions) -> Iterator[Translation]:
        if self.reranking:
            self.reranking.check_options(options)
        return (result for first, lines in ahead for result in self.translate_window(lines, first, options))

    def translate_window(self, lines: Iterable[str], first: int, options: FilledOptions) -> list[Translation]:
        """Translate `lines` together. first: number of the first one in the whole input, from 0."""
        return [self.restorer.restore(line, options) for line in self.searched(lines, first, options)]

    def searched(self, lines: Iterable[str], first: int, options: FilledOptions) -> list[Line]:
        """The same before `restorer` makes translations of it: lines with the hypotheses of their pieces."""
        plans = self.planner.plan(list(texts(lines, first)), first, options.split, options.foreign)
        while pieces := self.planner.make_pieces(plans, options.split):
            self._search(pieces, first, options)
            if not options.draws:
                looped = [piece for piece in pieces if is_loop(piece.ids, piece.best.ids)]
                self._search(looped, first, options, NO_REPEAT)
                for piece in looped:
                    piece.looped = True
            if options.mbr is None:
                outputs = iter(self.tokenizer.decode([hypothesis.ids for piece in pieces for hypothesis in piece.hypotheses]))
                for piece in pieces:
                    piece.ranked = [(next(outputs), hypothesis.score) for hypothesis in piece.hypotheses]
            self.reviewer.review(plans)
        return plans

    def _search(self, pieces: list[Piece], first: int, options: FilledOptions, no_repeat: int = 0) -> None:
        """Set `hypotheses` of the `pieces`, and with `mbr` their texts. Each sample has its own seed."""
        ranks = range(options.draws)

        def search_batch(indices: list[int], search: Search) -> None:
            batch = [pieces[index] for index in indices]
            sources = [piece.ids for piece in batch]
            seeds = [piece_seed(options.seed, first + piece.line, piece.place, rank) for piece in batch for rank in ranks]
            align = options.alignment or options.coverage or any(piece.align for piece in batch)
            required = [piece.required for piece in batch] if any(piece.required for piece in batch) else None
            results = search(sources, [self.limit(len(ids)) for ids in sources], options, seeds, no_repeat, align, required)
            for piece, hypotheses in zip(batch, results):
                piece.hypotheses = hypotheses
                if options.mbr is not None:  # here, where batches take turns on all cores
                    best = by_expected_utility(hypotheses, self.tokenizer.decode([sample.ids for sample in hypotheses]), options.n_best)
                    piece.hypotheses, piece.ranked = [sample for sample, _, _ in best], [(text, utility) for _, text, utility in best]

        batches = length_batches([len(piece.ids) for piece in pieces], options.batch_tokens, len(ranks) or options.beam)
        if left := self.pool.run(search_batch, batches):
            piece = pieces[min(left)]
            rows = f"{options.draws} samples" if options.draws else f"beam {options.beam}"
            lower = "samples" if options.mbr is not None else "n-best" if options.sample else "beam"
            raise UserError(
                f"line {first + piece.line + 1} does not fit in memory, even alone ({len(piece.ids):,} tokens, {rows}): lower --{lower}; "
                f"--batch-tokens ({options.batch_tokens}) does not help"
            )

    def limit(self, tokens: int) -> int:
        """The most output tokens, including the end mark, for a source of `tokens`."""
        ratio = int(min(self.decoding.max_ratio * tokens, self.max_tokens))  # the product may be infinite
        return max(1, min(ratio + self.decoding.max_extra, self.max_tokens))


def piece_seed(seed: int, line: int, place: int, rank: int) -> int:
    """The seed of a sample: different for each, and dependent on the piece's place in the input, not on its batch."""
    return sentence_seed(sentence_seed(sentence_seed(seed, line), place), rank)


def _with_progress(results: Iterator[Translation], total: int, progress: Progress) -> Iterator[Translation]:
    """Pass on `results`, showing a progress bar or calling a function with the count so far."""
    if progress is True:
        from tqdm import tqdm

        yield from tqdm(results, total=total, unit=" lines", dynamic_ncols=True, file=sys.stderr)
    elif callable(progress):
        for done, result in enumerate(results, 1):
            yield result
            progress(done, total)
    elif progress is None or progress is False:
        yield from results
    else:
        raise UserError(f"progress is {short_repr(progress)}: it must be True, or a function of two numbers")
