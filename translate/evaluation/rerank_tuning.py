"""Tunes the weights of a reranking (translation/rerank.py) on a development set, for `translate rerank`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy

from translate.bundle.bundle import ModelFolder, model_folder, package_version
from translate.decoding import FilledOptions, Hypothesis, Options
from translate.device import choose_device
from translate.errors import UserError
from translate.evaluation.mert import Lists, bleu_of, tune
from translate.evaluation.metrics import Metric, check_tokenizer, default_tokenizer
from translate.evaluation.resampling import bootstrap_values, paired_bootstrap
from translate.evaluation.testsets import Sentences, development_pairs, file_set, origin
from translate.files.atomic import check_writable
from translate.files.paths import expand_path
from translate.translation.engine import load_engine
from translate.translation.pieces import Line, Piece
from translate.translation.rerank import RerankingEngine, Rescored, Rescorer, Scorer
from translate.translation.rerank_file import (
    LANGUAGE_MODEL,
    LENGTH,
    REVERSE,
    Development,
    Reranking,
    named_model,
    scoring_model,
    write_reranking,
)  # fmt: skip
from translate.translation.restore import Restorer
from translate.translation.translator import Translator

MOST = 10.0  # of a weight; a reverse model's and a language model's are at least 0
WINDOW = 256  # lines whose hypotheses are in memory
BOOTSTRAP = 1000
FOLDS = 5


@dataclass(frozen=True)
class Tuned:
    """What the tuning found. p: how often chance alone makes as great a difference on the development set (paired bootstrap)."""

    reranking: Reranking
    p: float


@dataclass(frozen=True)
class Candidate:
    """A translation of a line. score: of its search; features: those of the reranking; both summed over the line's pieces."""

    text: str
    score: float
    features: tuple[float, ...]


def development_set(model: str, files: Sequence[str], data: str | None) -> Sentences:
    """What to tune on: `files`, a source and its references, or the development set of the model's recipe. data: folder of its files."""
    if files and data:
        raise UserError(f"dev ({files[0]}) and data ({data}) are both given: data is for the recipe's own development set; leave one of them out")
    if len(files) == 1:
        raise UserError(f"dev has only {files[0]}: it takes a source and one or more references")
    if files:
        return file_set(files[0], list(files[1:]))[1]
    config = ModelFolder(model_folder(expand_path(model))).config
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, cache=None))  # this machine's cache, not that of the bundle's author
    sources, references = map(list, zip(*development_pairs(config, data)))
    return Sentences(
        sources, [references], f"the recipe's development set ({'; '.join(origin(corpus, config.data.folder) for corpus in config.data.validation)})"
    )


def tune_reranking(
    folders: Sequence[str], reverse: str | None, language_model: str | None, output: str, development: Sentences, n_best: int, options: Options,
    device: str, precision: str, log: Callable[[str], None],
) -> Tuned:  # fmt: skip
    """Tune, and write the file `output`. folders: of the models that translate, the first one's recipe says how. See `api.rerank`."""
    if reverse is None and language_model is None:
        raise UserError("there is nothing to score translations with: give reverse, language_model or both")
    check_writable(output)
    models = [ModelFolder(model_folder(expand_path(folder))) for folder in folders]
    config = models[0].config
    options = dataclasses.replace(options, beam=max(config.decoding.beam, n_best) if options.beam is None else options.beam, n_best=n_best)
    filled = options.fill(config.decoding)
    if n_best < 2:
        raise UserError(f"n_best is {n_best}: reranking needs at least 2")
    languages = config.data.source_language, config.data.target_language
    tokenize = default_tokenizer(languages[1])
    check_tokenizer(tokenize)
    others = {kind: scoring_model(path, kind, languages) for kind, path in ((REVERSE, reverse), (LANGUAGE_MODEL, language_model)) if path}
    chosen, began = choose_device(device), time.perf_counter()
    running, tokenizer, _, profile = load_engine(folders[0], device, precision, "torch", "default", ensemble=folders[1:])
    rescorer = Rescorer(tokenizer, **{kind: Scorer.load(folder, chosen) for kind, folder in others.items()})
    engine = RerankingEngine(running, rescorer, [0.0] * len(rescorer.names), n_best)  # the order of the search
    with Translator(engine, tokenizer, config.decoding, True, profile, languages) as translator:
        log(f"the {n_best} best translations of {len(development.sources):,} sentences of {development.origin}, beam {filled.beam}")
        found = list(candidates(translator, development.sources, filled))
    metric = Metric("bleu", tokenize)
    lists = _lists(found, development.references, metric)
    log(f"{sum(map(len, found)):,} translations in {time.perf_counter() - began:.0f} s; weights of {', '.join(rescorer.names)}")
    least = numpy.array([-MOST if name == LENGTH else 0.0 for name in rescorer.names])
    most = numpy.full(len(least), MOST)
    weights = tune(lists, least, most).round(6)
    zero = numpy.zeros(len(least))
    before, after, held_out = lists.chosen(zero), lists.chosen(weights), _held_out(lists, least, most)
    values = bootstrap_values([metric], [[before], [after]], BOOTSTRAP)
    figures = [float(bleu_of(table.sum(0)[None])[0]) for table in (before, after, held_out)]
    bleu = dict(zip(("before", "after", "held_out"), (round(value, 2) for value in figures)))
    measured = Development(development.origin, len(found), **bleu, signature=str(metric.signature()))
    named = {kind: named_model(folder, output) for kind, folder in others.items()}
    reranking = Reranking(
        version=package_version(), models=[named_model(model, output) for model in models], reverse=named.get(REVERSE),
        language_model=named.get(LANGUAGE_MODEL), n_best=n_best, beam=filled.beam, length_penalty=filled.length_penalty,
        weights=dict(zip(rescorer.names, weights.tolist())), development=measured,
    )  # fmt: skip
    write_reranking(output, reranking)
    return Tuned(reranking, paired_bootstrap(values[0][0], values[1][0], figures[1] - figures[0]))


def _held_out(lists: Lists, least: numpy.ndarray, most: numpy.ndarray) -> numpy.ndarray:
    """The statistics of all sentences, each with the weights that the other parts of the set choose: (L, 10). A single sentence chooses its own."""
    part = numpy.arange(len(lists.scores)) % FOLDS
    others = [(part == number, (part != number) | (len(part) == 1)) for number in range(FOLDS) if (part == number).any()]
    return numpy.concatenate([lists.select(own).chosen(tune(lists.select(rest), least, most)) for own, rest in others])


def candidates(translator: Translator, sources: Sequence[str], options: FilledOptions) -> Iterator[list[Candidate]]:
    """The translations that can be chosen for each line, first the one that the search prefers."""
    for first in range(0, len(sources), WINDOW):
        for line in translator.searched(sources[first : first + WINDOW], first, options):
            yield list(_of_line(line, translator.restorer, dataclasses.replace(options, n_best=1)))


def _of_line(line: Line, restorer: Restorer, options: FilledOptions) -> Iterator[Candidate]:
    """One piece of the line at a time gets each of its hypotheses, while the others keep their first."""
    firsts = numpy.array([_values(piece.hypotheses[0]) for piece in line.pieces])
    total = firsts.sum(0) if len(firsts) else numpy.zeros(1)
    yield _candidate(line, restorer, options, total)
    for piece, own in zip(line.pieces, firsts):
        hypotheses, ranked = piece.hypotheses, piece.ranked
        for rank, hypothesis in enumerate(hypotheses):
            if rank and hypothesis.complete >= hypotheses[0].complete:  # one that is cut off can't come before a complete one
                _show(line, piece, [hypothesis], [ranked[rank]])
                yield _candidate(line, restorer, options, total - own + _values(hypothesis))
        _show(line, piece, hypotheses, ranked)


def _show(line: Line, piece: Piece, hypotheses: list[Hypothesis], ranked: list[tuple[str, float]]) -> None:
    """Give the piece these hypotheses, and forget what was restored from the others."""
    piece.hypotheses, piece.ranked = hypotheses, ranked
    for sentence in line.sentences:
        for variant in sentence.variants:
            variant.restored.clear()


def _candidate(line: Line, restorer: Restorer, options: FilledOptions, values: numpy.ndarray) -> Candidate:
    score, *features = values.tolist()
    return Candidate(restorer.restore(line, options).text, score, tuple(features))


def _values(hypothesis: Hypothesis) -> tuple[float, ...]:
    assert isinstance(hypothesis, Rescored)
    return hypothesis.features


def _lists(found: Sequence[Sequence[Candidate]], references: Sequence[Sequence[str]], metric: Metric) -> Lists:
    """UserError if no line has anything to choose from."""
    width = max((len(candidate.features) for each in found for candidate in each), default=0)
    if not any(len(each) > 1 for each in found):
        raise UserError("no line of the development set has more than one translation to choose from: is it text of the source language?")
    texts = [candidate.text for each in found for candidate in each]
    counts = [len(each) for each in found]
    repeated = [[text for text, count in zip(side, counts) for _ in range(count)] for side in references]
    statistics = numpy.array(metric.statistics(texts, repeated), dtype=float)
    scores = [numpy.array([candidate.score for candidate in each]) for each in found]
    features = [numpy.array([candidate.features or (0.0,) * width for candidate in each]) for each in found]  # none of a line without pieces
    return Lists(scores, features, numpy.split(statistics, numpy.cumsum(counts)[:-1]))


def summary(tuned: Tuned, output: str) -> str:
    """The result as text."""
    reranking, measured = tuned.reranking, tuned.reranking.development
    weights = ", ".join(f"{name} {weight:.4g}" for name, weight in reranking.weights.items())
    change = f"{measured.before:.2f} -> {measured.after:.2f} (p = {tuned.p:.4f})"
    return "\n".join(
        [
            f"weights   score 1, {weights}",
            f"BLEU      {change}; each fifth with the weights of the rest: {measured.held_out:.2f}",
            f"signature {measured.signature}",
            f"written to {output}: translate file -m RUN --rerank {output}",
        ]
    )
