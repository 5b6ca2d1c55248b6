"""Reranking of n-best lists (`--rerank`): a search finds hypotheses, which further models and their length then put in order.

"Simple and effective noisy channel modeling for neural machine translation" (Yee et al. 2019), equation 5, with a weight for each feature:

    score(y) = log p(y|x) / lp(|y|) + (w_r log p(x|y) + w_l log p(y) + w_n |y|) / lp(|x|)

p(x|y) is a reverse model's, p(y) a language model's; lp is the length penalty of the search (decoding/hypothesis.py), |y| and |x| count tokens of the
model that translates, end marks included. The first term is the score of the search. Both other models get text, so that each may have a
tokenizer of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional

import numpy
import torch

from translate.bundle.bundle import ModelFolder, model_folder
from translate.decoding import FilledOptions, Hypothesis, penalty
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.model import Model
from translate.tokenizer import EOS, Tokenizer
from translate.translation.engine import Engine
from translate.translation.likelihood import likelihoods
from translate.translation.rerank_file import FEATURES, LANGUAGE_MODEL, LENGTH, REVERSE, Reranking, check_models, read_reranking, tuned_model


@dataclass(frozen=True)
class Rescored(Hypothesis):
    """A hypothesis whose `score` is that of the reranking. features: the score of the search, then those of `Rescorer.features`."""

    features: tuple[float, ...] = ()


@dataclass(frozen=True)
class Scorer:
    """A model that scores texts."""

    model: Model
    tokenizer: Tokenizer
    device: torch.device

    @classmethod
    def load(cls, folder: ModelFolder, device: torch.device) -> Scorer:
        bundle = folder.load(device)
        return cls(bundle.model, bundle.tokenizer, device)

    def log_probabilities(self, texts: Sequence[str], sources: Sequence[str] | None = None) -> numpy.ndarray:
        """ln p(text), or ln p(text | source), each with its end mark: (N,).

        What is too long for the model is cut, and the logarithm of what is left taken as many times as it is longer.
        """
        targets = self.tokenizer.encode_target(list(texts))
        given = self.tokenizer.encode_source(list(sources)) if sources is not None else [[EOS]] * len(targets)
        lengths = numpy.array([len(ids) for ids in targets], dtype=float)
        found = likelihoods(self.model, self._cut(given), self._cut(targets), self.device, torch.float32)
        log_probabilities: numpy.ndarray = -found.nats * lengths / numpy.maximum(found.labels, 1)
        return log_probabilities

    def _cut(self, sentences: Sequence[list[int]]) -> list[list[int]]:
        most = self.model.config.max_tokens
        return [ids if len(ids) <= most else [*ids[: most - 1], EOS] for ids in sentences]


@dataclass(frozen=True)
class Rescorer:
    """Gives hypotheses their features. tokenizer: of the model that found them."""

    tokenizer: Tokenizer
    reverse: Optional[Scorer] = None
    language_model: Optional[Scorer] = None

    @property
    def names(self) -> list[str]:
        present = {REVERSE: self.reverse is not None, LANGUAGE_MODEL: self.language_model is not None, LENGTH: True}
        return [name for name in FEATURES if present[name]]

    def features(self, sources: Sequence[list[int]], found: Sequence[Sequence[Hypothesis]], alpha: float) -> list[numpy.ndarray]:
        """For each source the features of its hypotheses besides their score, (K, F), in the order of `names`. alpha: of the length penalty."""
        counts = [len(hypotheses) for hypotheses in found]
        outputs = self.tokenizer.decode([hypothesis.ids for hypotheses in found for hypothesis in hypotheses])
        columns = []
        if self.reverse:
            texts = [text for text, count in zip(self.tokenizer.decode(sources, source=True), counts) for _ in range(count)]
            columns.append(self.reverse.log_probabilities(texts, outputs))
        if self.language_model:
            columns.append(self.language_model.log_probabilities(outputs))
        columns.append(numpy.array([float(len(hypothesis.ids) + hypothesis.complete) for hypotheses in found for hypothesis in hypotheses]))
        scale = numpy.repeat([float(penalty(len(source), alpha)) for source in sources], counts)
        return numpy.split(numpy.stack(columns, axis=1) / scale[:, None], numpy.cumsum(counts)[:-1])


class RerankingEngine:
    """An engine (see engine.py) whose search returns the hypotheses of another one in a new order."""

    def __init__(self, engine: Engine, rescorer: Rescorer, weights: Sequence[float], n_best: int) -> None:
        """weights: of `rescorer.names`. n_best: hypotheses of each source that are compared."""
        self.engine, self.rescorer, self.weights, self.n_best = engine, rescorer, numpy.array(weights, dtype=float), n_best
        self.max_tokens, self.at_once, self.forkable = engine.max_tokens, engine.at_once, engine.forkable
        self.machine, self.alignment = engine.machine, engine.alignment

    def search(
        self,
        sources: list[list[int]],
        limits: list[int],
        options: FilledOptions,
        seeds: list[int],
        no_repeat: int = 0,
        align: bool = False,
        required: list[list[int]] | None = None,
    ) -> list[list[Hypothesis]]:
        """See `Engine`."""
        wide = replace(options, n_best=self.n_best)
        found = self.engine.search(sources, limits, wide, seeds, no_repeat, False, required)
        features = self.rescorer.features(sources, found, options.length_penalty)
        best = [reranked(each, own, self.weights)[: options.n_best] for each, own in zip(found, features)]
        return self._with_attention(sources, best) if align else best

    def align(self, sources: list[list[int]], outputs: list[list[int]]) -> list[numpy.ndarray]:
        """See `Engine`."""
        return self.engine.align(sources, outputs)

    def _with_attention(self, sources: list[list[int]], found: list[list[Hypothesis]]) -> list[list[Hypothesis]]:
        rows = [source for source, hypotheses in zip(sources, found) for _ in hypotheses]
        matrices = iter(self.engine.align(rows, [hypothesis.ids for hypotheses in found for hypothesis in hypotheses]))
        return [[replace(hypothesis, attention=next(matrices)) for hypothesis in hypotheses] for hypotheses in found]


def reranked(hypotheses: Sequence[Hypothesis], features: numpy.ndarray, weights: numpy.ndarray) -> list[Hypothesis]:
    """The hypotheses by their new score, best first; those of equal score as before, those that are cut off after all complete ones."""
    scored: list[Hypothesis] = []
    for hypothesis, row in zip(hypotheses, features):
        score = hypothesis.score + float(row[weights != 0] @ weights[weights != 0])
        scored.append(Rescored(hypothesis.ids, score, hypothesis.log_probability, hypothesis.complete, None, (hypothesis.score, *row.tolist())))
    return sorted(scored, key=lambda hypothesis: (not hypothesis.complete, -hypothesis.score))


def reranking_for(path: str, folders: Sequence[str], engine: str, fuse: str | None) -> Reranking:
    """The content of a rerank file, for the models in `folders`. UserError if it isn't for these, or can't be used with the other arguments."""
    if engine == "ctranslate2":
        raise UserError(f"rerank ({path}) is for engine torch: leave it out, or choose that engine")
    if fuse is not None:
        raise UserError(f"rerank ({path}) and fuse ({fuse}) are both given: a rerank file has a language model already; leave one of them out")
    reranking = read_reranking(path)
    check_models(reranking, [ModelFolder(model_folder(expand_path(folder))) for folder in folders], path)
    return reranking


def rerank_with(
    engine: Engine, tokenizer: Tokenizer, reranking: Reranking, origin: str, languages: tuple[str, str], device: torch.device
) -> RerankingEngine:
    """`engine` with the models and weights of a rerank file; `origin` is its name. UserError for a model that has changed."""
    scorers: dict[str, Scorer] = {}
    for kind, named in ((REVERSE, reranking.reverse), (LANGUAGE_MODEL, reranking.language_model)):
        if named:
            folder = tuned_model(named, kind, languages, origin)
            if reranking.weights[kind]:  # else it would be asked for nothing
                scorers[kind] = Scorer.load(folder, device)
    rescorer = Rescorer(tokenizer, scorers.get(REVERSE), scorers.get(LANGUAGE_MODEL))
    return RerankingEngine(engine, rescorer, [reranking.weights[name] for name in rescorer.names], reranking.n_best)
