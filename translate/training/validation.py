"""The development set: how good the weights of a run are, which of its checkpoints is the best, whether it has learnt anything at all.

Sits above translator.py and checkpoints.py and below selection.py, which makes the choice in the end, and training.py, whose loop calls `validate`.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from translate.bundle.bundle import Bundle, load_weights, write_model
from translate.config import Config, CorpusConfig
from translate.data.cache import digest
from translate.device import autocast, choose_search_precision
from translate.evaluation.scoring import check_tokenizer, default_tokenizer, score, too_short_for_bleu
from translate.model import Transformer
from translate.text.lines import COMPRESSED
from translate.tokenizer import BOS, Tokenizer
from translate.tokenizer.padding import pad
from translate.training.checkpoints import Checkpoints, Progress
from translate.training.loss import loss_sum
from translate.training.runlog import RunLog
from translate.translation.torch_engine import TorchEngine
from translate.translation.translator import Translator, length_batches

ASIDE = 10.0  # BLEU from which on nobody doubts that a model has learnt something
OWN = 5.0  # points of chrF++ that translations fit their own references better than those of other sentences, if they say anything of their sources
COMPARED = 300  # sentences, at most
ALIKE = 40.0  # chrF++ from which on references may be so much alike that the comparison says nothing
TOO_MUCH = 0.5  # share of the time that goes into validations and is worth a word
USUAL = 0.1  # the share that the word aims at


@dataclass(frozen=True)
class Result:
    """Of one validation. bleu, chrf (chrF++): 0 to 100; loss: nats a target token; learnt: whether the translations depend on their sources."""

    bleu: float
    chrf: float
    loss: float
    learnt: bool

    def key(self, metric: str) -> tuple[float, ...]:
        """By `training.metric`: of two results the greater one is better. Figures that look the same in the log are the same, and the next one
        decides: BLEU, then chrF++, then the loss. Of a model that has learnt nothing both scores are chance, and only the loss counts."""
        loss = -round(self.loss, 3)
        if metric == "loss":
            return (loss,)
        scores = (self.bleu, self.chrf) if metric == "bleu" else (self.chrf,)
        return (float(self.learnt), *(round(value, 2) if self.learnt else 0.0 for value in scores), loss)

    def shown(self) -> str:
        return f"BLEU {self.bleu:.2f}, chrF++ {self.chrf:.2f}, loss {self.loss:.3f}"


class DevelopmentSet:
    """Sentence pairs that a model in training is measured on, always with the same decoder settings.

    Of more than `most` pairs (0 = no limit) so many, spread evenly over the set: neighbours are often of one text.
    """

    def __init__(
        self, pairs: Sequence[tuple[str, str]], name: str, most: int, beam: int, tokenizer: Tokenizer, max_tokens: int, tokenize: str
    ) -> None:
        self.name, self.whole, self.beam, self.tokenize = name, len(pairs), beam, tokenize
        self.tokenizer, self.max_tokens = tokenizer, max_tokens
        pairs = spread(pairs, most)
        self.sources = [source for source, _ in pairs]
        self.references = [target for _, target in pairs]

    def __len__(self) -> int:
        return len(self.sources)

    def __str__(self) -> str:
        """Such as "500 of 1,014 sentences of val"."""
        size = f"{len(self):,}" if len(self) == self.whole else f"{len(self):,} of {self.whole:,}"
        return f"{size} sentence{'s' if self.whole > 1 else ''} of {self.name}"

    @cached_property
    def ids(self) -> tuple[list[list[int]], list[list[int]]]:
        """Of each side, cut to what the model takes."""
        sides = self.tokenizer.encode_source(self.sources), self.tokenizer.encode_target(self.references)
        return tuple([ids[: self.max_tokens] for ids in side] for side in sides)

    @torch.no_grad()
    def loss(self, model: Transformer, device: torch.device, precision: torch.dtype, batch_tokens: int) -> float:
        """Negative log-likelihood of the references, the mean over their tokens, in nats; without dropout and label smoothing."""
        sources, targets = self.ids
        total = 0.0
        for places in length_batches([max(map(len, pair)) for pair in zip(sources, targets)], batch_tokens, 1):
            source, labels = (pad([side[place] for place in places]).to(device) for side in (sources, targets))
            target = torch.cat([labels.new_full((len(labels), 1), BOS), labels[:, :-1]], dim=1)
            with autocast(device, precision):
                total += float(loss_sum(model(source, target), model.target_embedding.weight, labels, 0.0)[1])
        return total / sum(map(len, targets))

    def translate(self, translator: Translator) -> list[str]:
        return translator.translate(self.sources, beam=self.beam)

    def result(self, outputs: list[str], loss: float) -> Result:
        bleu, chrf = (metric.value for metric in score(outputs, [self.references], metrics=("bleu", "chrf"), tokenize=self.tokenize))
        return Result(bleu, chrf, loss, has_learnt(outputs, self.references, bleu))

    def write_samples(self, path: Path, step: int, outputs: list[str]) -> None:
        """Append ten sentences, the same each time, spread over the set."""
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"# step {step}\n")
            for place in range(0, len(outputs), max(1, len(outputs) // 10))[:10]:
                file.write(f"source     {self.sources[place]}\nreference  {self.references[place]}\noutput     {outputs[place]}\n\n")


def spread(pairs: Sequence[tuple[str, str]], most: int) -> Sequence[tuple[str, str]]:
    """`most` of `pairs` at even distances, in their order; all where there are no more, or `most` is 0."""
    if not 0 < most < len(pairs):
        return pairs
    return [pairs[place * len(pairs) // most] for place in range(most)]


def set_name(corpora: Sequence[CorpusConfig]) -> str:
    """What to call the development set: the names of its files, without language and packing, or of its splits."""
    names = []
    for corpus in corpora:
        pair = not (corpus.files or corpus.path)
        file = os.path.basename(corpus.source if pair else corpus.files or corpus.path)
        for ending in COMPRESSED:
            file = file.removesuffix(ending)
        if pair:
            file = os.path.splitext(file)[0]
        name = corpus.split if corpus.kind in ("hub", "saved", "phrasebook") and not corpus.files else file
        names.append(name if corpus.lines is None else f"{name}, lines {corpus.lines}")
    return "; ".join(dict.fromkeys(names))


def has_learnt(outputs: Sequence[str], references: Sequence[str], bleu: float) -> bool:
    """Whether the outputs depend on their sources: they fit their own references better than those of other sentences.

    It doesn't where the outputs are empty, all the same, or noise, whatever the score is that such outputs have on this set.
    """
    if not any(map(str.strip, outputs)):
        return False
    if len(set(references)) == 1:  # nothing to tell apart
        return True
    if len(set(outputs)) == 1:
        return False
    if bleu >= ASIDE:
        return True
    some = spread(list(zip(outputs, references)), COMPARED)
    outputs, references = [output for output, _ in some], [reference for _, reference in some]
    shifts = (0, len(some) // 3 or 1, len(some) * 2 // 3 or 1)
    own, *others = (score(outputs, [[*references[shift:], *references[:shift]]], metrics=("chrf",))[0].value for shift in shifts)
    return own >= ALIKE or own - sum(others) / len(others) >= OWN


def note(progress: Progress, result: Result, metric: str) -> bool:
    """Whether these weights are now the best: better than the best so far, or as good and newer. Patience counts only what is better."""
    best, new = best_result(progress).key(metric), result.key(metric)
    better = not progress.best_step or new > best
    progress.worse = 0 if better else progress.worse + 1
    if better or new == best:
        progress.best_step = progress.step
        progress.best_bleu, progress.best_chrf, progress.best_loss, progress.best_learnt = result.bleu, result.chrf, result.loss, result.learnt
    return progress.best_step == progress.step


def best_result(progress: Progress) -> Result:
    return Result(progress.best_bleu, progress.best_chrf, progress.best_loss, progress.best_learnt)


class Validation:
    """What the validations of one start of a run share. `data`: fingerprint of the training data."""

    def __init__(
        self, bundle: Bundle, pairs: Sequence[tuple[str, str]], data: str, device: torch.device, precision: torch.dtype, checkpoints: Checkpoints,
        log: RunLog,
    ) -> None:  # fmt: skip
        self.bundle, self.data, self.device, self.precision, self.checkpoints, self.log = bundle, data, device, precision, checkpoints, log
        config: Config = bundle.config
        self.pairs, self.settings, self.metric = pairs, config.training, config.training.metric
        tokenize = default_tokenizer(config.data.target_language)
        check_tokenizer(tokenize)
        name, most = set_name(config.data.validation), self.settings.validate_sentences
        self.development = DevelopmentSet(pairs, name, most, self.settings.validate_beam, bundle.tokenizer, config.model.max_tokens, tokenize)
        self.without_bleu = len(self.development) > 0 and too_short_for_bleu(self.development.references, tokenize)
        if self.without_bleu and self.metric == "bleu":
            self.metric = "chrf"
        self.ended, self.told = 0.0, False  # the last validation of this start; that they take too long

    def translator(self, model: Transformer | None = None) -> Translator:
        """Of the present weights, or of another model's, as users will have it."""
        model, precision = copy.deepcopy(model or self.bundle.model), choose_search_precision(self.settings.precision, self.device)
        return Translator(TorchEngine.owning(model, self.device, precision), self.bundle.tokenizer, self.bundle.config.decoding)

    def measure(self, model: Transformer | None = None) -> tuple[list[str], Result]:
        """The development set's translations by the present weights, or by another model, and how good they are."""
        loss = self.development.loss(model or self.bundle.model, self.device, self.precision, self.settings.batch_tokens)
        outputs = self.development.translate(self.translator(model))
        return outputs, self.development.result(outputs, loss)

    def measured_again(self, progress: Progress) -> Progress:
        """`progress`, with new figures of the best checkpoint where it was chosen on another development set or by another metric."""
        now = digest(self.development.sources, self.development.references, self.development.beam, self.metric)
        before, progress.development = progress.development, now
        if not before or before == now or not progress.best_step:
            return progress
        old, result = best_result(progress), Result(-1.0, -1.0, math.inf, True)
        if len(self.development):
            model = copy.deepcopy(self.bundle.model)
            load_weights(model, self.checkpoints.weights(progress.best_step), "the best checkpoint")
            result = self.measure(model)[1]
        progress.best_bleu, progress.best_chrf, progress.best_loss, progress.best_learnt = result.bleu, result.chrf, result.loss, result.learnt
        best = f"the best checkpoint, of step {progress.best_step:,}, has {result.shown()} (before: {old.shown()})"
        self.log.say(f"the development set, or what decides on it, has changed since the last start: {best}")
        return progress

    def best(self, progress: Progress) -> str:
        """The best figure so far by the metric that decides, or nothing."""
        if not progress.best_step or not len(self.development):
            return ""
        if self.metric == "loss":
            return f"development loss {progress.best_loss:.3f}"
        return f"chrF++ {progress.best_chrf:.2f}" if self.metric == "chrf" else f"BLEU {progress.best_bleu:.2f}"

    def validate(self, progress: Progress, save: Callable[[], None]) -> float:
        """Measure the weights of this step by the real decoder, keep them, note whether they are the best, save. Returns the seconds it took.

        Without a development set the newest weights count as the best.
        """
        began, result = time.perf_counter(), None
        if len(self.development):
            if self.without_bleu and self.settings.metric == "bleu" and not progress.validated:
                self.log.say(f"BLEU is 0 on this set ({self.development}): no line has four tokens; chrF++ decides, as with training.metric=chrf")
            outputs, result = self.measure()
            self.development.write_samples(self.bundle.folder / "samples.txt", progress.step, outputs)
            best = note(progress, result, self.metric)
        else:
            best, progress.best_step = True, progress.step
        if best:
            write_model(self.bundle, self.data)
        progress.validated, progress.validation_seconds = progress.step, time.perf_counter() - began
        self.checkpoints.keep_weights(self.bundle.model, progress)
        save()
        self.checkpoints.drop_unneeded(progress)
        seconds = time.perf_counter() - began
        self._tell(progress, result, seconds)
        return seconds

    def _tell(self, progress: Progress, result: Result | None, seconds: float) -> None:
        step = progress.step
        if result is None:
            self.log.say(f"step {step:,}: saved; there is no development set")
            return
        self.log.record(
            step, bleu=result.bleu, chrf=result.chrf, dev_loss=result.loss, best_bleu=progress.best_bleu, best_step=progress.best_step,
            validation_seconds=seconds, seconds=progress.seconds,
        )  # fmt: skip
        self.log.say(f"step {step:,}: {result.shown()} on the development set, best {self.best(progress)} at step {progress.best_step:,}")
        now = time.perf_counter()
        share = seconds / (now - self.ended) if self.ended else 0.0
        self.ended = now
        if share > TOO_MUCH and not self.told and step % self.settings.validate_every == 0:  # the last one comes out of turn
            self.told = True
            self.log.say(too_much(share, seconds, self.settings.validate_every, self.development))


def too_much(share: float, seconds: float, every: int, development: DevelopmentSet) -> str:
    """That validations take this share of the time, and what would mend it."""
    times = f"{seconds:.1f} s every {every:,} steps, on {development}"
    return f"validations take {share:.0%} of the time ({times}): {way_to_fewer(share, every)}"


def way_to_fewer(share: float, every: int) -> str:
    """Validations every `every` steps that take this share of the time: the settings that lower it."""
    steps = round(every * share / max(1 - share, 1e-6) * (1 - USUAL) / USUAL)
    return f"set training.validate_every={round(steps, 1 - len(str(steps)))} for {USUAL:.0%}, or lower training.validate_sentences"
