"""The development set of a run: a model's scores on it, and whether its translations depend on their sources at all.

validation.py measures the model in training on it, selection.py the average of its checkpoints, trial.py the time of a validation.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from translate.config import CorpusConfig
from translate.evaluation.scoring import score
from translate.files.digest import COMPRESSED
from translate.model import Model
from translate.tokenizer import Tokenizer
from translate.translation.likelihood import likelihoods
from translate.translation.translator import Translator

CLEAR_BLEU = 10.0  # from here on a model has certainly learnt something
OWN_MARGIN = 5.0  # chrF++ points by which translations that depend on their sources fit their own references better than others'
COMPARED = 300  # sentences, at most
NONE = -1.0  # the score of what is not measured
SIMILAR_CHRF = 40.0  # from here on the references may be too similar for the comparison


@dataclass(frozen=True)
class Result:
    """Result of a validation.

    bleu, chrf (chrF++): 0 to 100, or NONE for a model that doesn't translate. loss: nats per predicted token. learnt: the translations depend on
    their sources; without translations, the loss is below that of guessing.
    """

    bleu: float
    chrf: float
    loss: float
    learnt: bool

    def key(self, metric: str) -> tuple[float, ...]:
        """Sort key by `training.metric`: greater is better. Values are rounded as in the log; ties go to the next of BLEU, chrF++ and loss. For
        a model that has learnt nothing the scores are chance, and only the loss counts."""
        loss = -round(self.loss, 3)
        if metric == "loss":
            return (loss,)
        scores = (self.bleu, self.chrf) if metric == "bleu" else (self.chrf,)
        return (float(self.learnt), *(round(value, 2) if self.learnt else 0.0 for value in scores), loss)

    @property
    def translated(self) -> bool:
        return self.bleu > NONE

    @property
    def perplexity(self) -> float:
        return math.exp(min(self.loss, 700.0))

    def __str__(self) -> str:
        if not self.translated:
            return f"loss {self.loss:.3f}, perplexity {self.perplexity:.2f}"
        return f"BLEU {self.bleu:.2f}, chrF++ {self.chrf:.2f}, loss {self.loss:.3f}"


class DevelopmentSet:
    """Sentence pairs that a model in training is measured on, always with the same decoder settings.

    Of a larger set, `most` pairs (0 = all) spread evenly over it: neighbours are often from the same text.
    """

    def __init__(
        self, pairs: Sequence[tuple[str, str]], name: str, most: int, beam: int, tokenizer: Tokenizer, max_tokens: int, tokenize: str
    ) -> None:
        self.name, self.total, self.beam, self.tokenize = name, len(pairs), beam, tokenize
        self.tokenizer, self.max_tokens = tokenizer, max_tokens
        pairs = spread(pairs, most)
        self.sources = [source for source, _ in pairs]
        self.references = [target for _, target in pairs]

    def __len__(self) -> int:
        return len(self.sources)

    def __str__(self) -> str:
        """Such as "500 of 1,014 sentences of val"."""
        size = f"{len(self):,}" if len(self) == self.total else f"{len(self):,} of {self.total:,}"
        return f"{size} sentence{'s' if self.total > 1 else ''} of {self.name}"

    @cached_property
    def ids(self) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids of sources and targets, cut to the model's max_tokens."""
        sources, targets = self.tokenizer.encode_source(self.sources), self.tokenizer.encode_target(self.references)
        return [ids[: self.max_tokens] for ids in sources], [ids[: self.max_tokens] for ids in targets]

    def loss(self, model: Model, device: torch.device, precision: torch.dtype, batch_tokens: int) -> float:
        """Mean negative log-likelihood of the references' tokens, in nats, without dropout and label smoothing.

        In batches of `batch_tokens`, padding included.
        """
        return likelihoods(model, *self.ids, device, precision, batch_tokens).mean

    def translate(self, translator: Translator) -> list[str]:
        return translator.translate(self.sources, beam=self.beam)

    def result(self, outputs: list[str], loss: float) -> Result:
        bleu, chrf = (metric.value for metric in score(outputs, [self.references], metrics=("bleu", "chrf"), tokenize=self.tokenize))
        return Result(bleu, chrf, loss, has_learnt(outputs, self.references, bleu))

    def write_texts(self, path: Path, step: int, texts: Sequence[str]) -> None:
        """Append texts that the model has made up."""
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"# step {step}\n" + "".join(f"sample       {text}\n" for text in texts) + "\n")

    def write_samples(self, path: Path, step: int, outputs: list[str]) -> None:
        """Append ten sentences, the same each time, spread over the set."""
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"# step {step}\n")
            for index in range(0, len(outputs), max(1, len(outputs) // 10))[:10]:
                file.write(f"source       {self.sources[index]}\nreference    {self.references[index]}\ntranslation  {outputs[index]}\n\n")


def spread(pairs: Sequence[tuple[str, str]], most: int) -> Sequence[tuple[str, str]]:
    """`most` of `pairs`, evenly spaced and in order; all if there are no more, or if `most` is 0."""
    if not 0 < most < len(pairs):
        return pairs
    return [pairs[index * len(pairs) // most] for index in range(most)]


def set_name(corpora: Sequence[CorpusConfig]) -> str:
    """The name of the development set: its files without language and compression suffix, or its splits."""
    names = []
    for corpus in corpora:
        pair = not (corpus.files or corpus.path)
        file = os.path.basename((corpus.source or corpus.target) if pair else corpus.files or corpus.path)
        for ending in COMPRESSED:
            file = file.removesuffix(ending)
        if pair:
            file = os.path.splitext(file)[0]
        name = corpus.split if corpus.kind in ("hub", "saved", "phrasebook") and not corpus.files else file
        names.append(name if corpus.lines is None else f"{name}, lines {corpus.lines}")
    return "; ".join(dict.fromkeys(names))


def has_learnt(outputs: Sequence[str], references: Sequence[str], bleu: float) -> bool:
    """Whether the outputs depend on their sources: they fit their own references better than those of other sentences.

    False for outputs that are empty, all the same, or noise, even if these score well on this set.
    """
    if not any(map(str.strip, outputs)):
        return False
    if len(set(references)) == 1:  # nothing to compare
        return True
    if len(set(outputs)) == 1:
        return False
    if bleu >= CLEAR_BLEU:
        return True
    sample = spread(list(zip(outputs, references)), COMPARED)
    outputs, references = [output for output, _ in sample], [reference for _, reference in sample]
    shifts = (0, len(sample) // 3 or 1, len(sample) * 2 // 3 or 1)
    own, *others = (score(outputs, [[*references[shift:], *references[:shift]]], metrics=("chrf",))[0].value for shift in shifts)
    return own >= SIMILAR_CHRF or own - sum(others) / len(others) >= OWN_MARGIN
