"""Validation: measures the weights of a step on the development set, keeps them, and compares them with the best so far.

run.py calls `validate` in its loop; selection.py chooses the final weights.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from typing import Any

import torch

from translate.bundle.bundle import Bundle, write_model
from translate.bundle.weights import load_weights
from translate.data.cache import digest
from translate.device import choose_search_precision
from translate.evaluation.evaluation import evaluate_tests, resamples
from translate.evaluation.metrics import check_tokenizer, default_tokenizer, too_short_for_bleu
from translate.evaluation.perplexity import evaluate_perplexity
from translate.evaluation.testsets import recipe_sets
from translate.model import Model
from translate.text.placeholders import SYMBOLS
from translate.training.checkpoints import Checkpoints, Progress
from translate.training.development import NONE, DevelopmentSet, Result, set_name
from translate.training.runlog import SAMPLES, RunLog
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.generation import TOKENS, Generator, drawing
from translate.translation.torch_engine import TorchEngine
from translate.translation.translator import Translator

TOO_MUCH = 0.5  # share of the time above which validations cause a warning
TEXTS = 10  # made up at each validation, by a model that generates
USUAL = 0.1  # the share that the warning's hint aims for


def best_result(progress: Progress) -> Result:
    return Result(progress.best_bleu, progress.best_chrf, progress.best_loss, progress.best_learnt)


def set_best_result(progress: Progress, result: Result) -> None:
    progress.best_bleu, progress.best_chrf, progress.best_loss, progress.best_learnt = result.bleu, result.chrf, result.loss, result.learnt


def update_best(progress: Progress, result: Result, metric: str) -> bool:
    """Whether these weights are the new best: better than the best so far, or as good and newer. Only better ones reset the patience."""
    best, new = best_result(progress).key(metric), result.key(metric)
    better = not progress.best_step or new > best
    progress.worse = 0 if better else progress.worse + 1
    if better or new == best:
        progress.best_step = progress.step
        set_best_result(progress, result)
    return progress.best_step == progress.step


class Validation:
    """The validations of one start of a run."""

    def __init__(
        self, bundle: Bundle, pairs: Sequence[tuple[str, str]], data: str, device: torch.device, precision: torch.dtype, checkpoints: Checkpoints,
        log: RunLog,
    ) -> None:  # fmt: skip
        """pairs: the whole development set, which may be empty; data: fingerprint of the training data."""
        self.bundle, self.data, self.device, self.precision, self.checkpoints, self.log = bundle, data, device, precision, checkpoints, log
        config = bundle.config
        self.pairs, self.settings = pairs, config.training
        self.translates = bundle.model.translates
        self.metric = config.training.metric if self.translates else "loss"
        tokenize = default_tokenizer(config.data.target_language)
        if self.translates:
            check_tokenizer(tokenize)
        name, most = set_name(config.data.validation), self.settings.validate_sentences
        self.development = DevelopmentSet(pairs, name, most, self.settings.validate_beam, bundle.tokenizer, config.model.max_tokens, tokenize)
        self.without_bleu = self.translates and len(self.development) > 0 and too_short_for_bleu(self.development.references, tokenize)
        if self.without_bleu and self.metric == "bleu":
            self.metric = "chrf"
        self.ended = 0.0  # time of the last validation of this start

    def engine(self, model: Model | None = None) -> TorchEngine:
        """The engine that users will have, with the current weights or with another model."""
        model, precision = copy.deepcopy(model or self.bundle.model), choose_search_precision(self.settings.precision, self.device)
        symbols = self.bundle.tokenizer.symbol_ids(SYMBOLS) or ()
        alignment = AlignmentHeads.of(self.bundle.profile, self.bundle.config.model)
        return TorchEngine.owning(model, self.device, precision, alignment=alignment, symbols=symbols)

    def translator(self, model: Model | None = None) -> Translator:
        """A translator with the current weights or with another model."""
        config, profile = self.bundle.config, self.bundle.profile
        languages = config.data.source_language, config.data.target_language
        return Translator(self.engine(model), self.bundle.tokenizer, config.decoding, profile=profile, languages=languages)

    def measure(self, model: Model | None = None) -> tuple[list[str], Result]:
        """Translations of the development set by the current weights or by another model, and their scores; none by one that doesn't translate."""
        loss = self.development.loss(model or self.bundle.model, self.device, self.precision, self.settings.batch_tokens)
        if not self.translates:
            return [], Result(NONE, NONE, loss, loss < math.log(self.bundle.tokenizer.target_size))
        outputs = self.development.translate(self.translator(model))
        return outputs, self.development.result(outputs, loss)

    def test(self) -> dict[str, Any]:
        """The scores of the test sets, by the current weights."""
        bundle = self.bundle
        if self.translates:
            return evaluate_tests(self.translator(), bundle.config)
        return evaluate_perplexity(bundle.model, bundle.tokenizer, recipe_sets(bundle.config), self.device, bootstrap=resamples())

    def write_samples(self, step: int, outputs: list[str]) -> None:
        """Append some of the translations to the run's samples, or texts that the model makes up."""
        path = self.bundle.folder / SAMPLES
        if self.translates:
            self.development.write_samples(path, step, outputs)
        elif self.bundle.model.command == "generate":
            made_up = Generator(self.engine(), self.bundle.tokenizer).generate([""], TOKENS, drawing(TEXTS))[0]
            self.development.write_texts(path, step, [text.text for text in made_up])

    def validate(self, progress: Progress) -> Result | None:
        """Measure the current weights with the real decoder, keep them, and write them as the model if they are the best so far.

        Without a development set the newest weights count as the best, and the result is None.
        """
        began, result = time.perf_counter(), None
        if len(self.development):
            if self.without_bleu and self.settings.metric == "bleu" and not progress.validated:
                self.log.info(f"BLEU is 0 on this set ({self.development}): no line has four tokens; chrF++ decides, as with training.metric=chrf")
            outputs, result = self.measure()
            self.write_samples(progress.step, outputs)
            best = update_best(progress, result, self.metric)
        else:
            best, progress.best_step = True, progress.step
        if best:
            write_model(self.bundle, self.data)
        progress.validated, progress.validation_seconds = progress.step, time.perf_counter() - began
        self.checkpoints.keep_weights(self.bundle.model, progress)
        return result

    def remeasure_best(self, progress: Progress) -> Progress:
        """`progress`; the best checkpoint is measured again if it was chosen on another development set or by another metric."""
        now = digest(self.development.sources, self.development.references, self.development.beam, self.metric)
        before, progress.development = progress.development, now
        if not before or before == now or not progress.best_step:
            return progress
        old, result = best_result(progress), Result(NONE, NONE, math.inf, True)
        if len(self.development):
            model = copy.deepcopy(self.bundle.model)
            load_weights(model, self.checkpoints.weights(progress.best_step), "the best checkpoint")
            result = self.measure(model)[1]
        set_best_result(progress, result)
        best = f"the best checkpoint, of step {progress.best_step:,}, has {result} (before: {old})"
        self.log.info(f"the development set, or what decides on it, has changed since the last start: {best}")
        return progress

    def best(self, progress: Progress) -> str:
        """The best score so far by the metric that decides, or ""."""
        if not progress.best_step or not len(self.development):
            return ""
        if self.metric == "loss":
            return f"development loss {progress.best_loss:.3f}"
        return f"chrF++ {progress.best_chrf:.2f}" if self.metric == "chrf" else f"BLEU {progress.best_bleu:.2f}"

    def log_result(self, progress: Progress, result: Result | None, seconds: float) -> None:
        """seconds: duration of the validation, save included."""
        step, every = progress.step, self.settings.validate_every
        if result is None:
            self.log.info(f"step {step:,}: saved; there is no development set")
            return
        scores = (
            {"bleu": result.bleu, "chrf": result.chrf, "best_bleu": progress.best_bleu} if result.translated else {"best_loss": progress.best_loss}
        )
        times = {"validation_seconds": seconds, "seconds": progress.seconds}
        self.log.record(step, dev_loss=result.loss, **scores, best_step=progress.best_step, **times)
        self.log.info(f"step {step:,}: {result} on the development set, best {self.best(progress)} at step {progress.best_step:,}")
        now = time.perf_counter()
        share = seconds / (now - self.ended) if self.ended else 0.0
        self.ended = now
        if share > TOO_MUCH and step % every == 0:  # the last validation may come sooner
            how = f"{seconds:.1f} s every {every:,} steps, on {self.development}"
            self.log.once("validations", f"validations take {share:.0%} of the time ({how}): {fewer_validations(share, every)}")


def fewer_validations(share: float, every: int) -> str:
    """The hint on how to lower the share of the time that validations every `every` steps take."""
    steps = round(every * share / max(1 - share, 1e-6) * (1 - USUAL) / USUAL)
    return f"set training.validate_every={round(steps, 1 - len(str(steps)))} for {USUAL:.0%}, or lower training.validate_sentences"
