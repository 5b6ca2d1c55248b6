"""The training run: recipe in, run folder out. Sets up, loops, validates with the real decoder, saves, stops, resumes.

Vaswani et al. 2017, section 5 (training) and 6.1 (checkpoint averaging). `train` reads top to bottom as a run does.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

import torch

from translate.batches import Batch, BatchStream
from translate.bundle import Bundle, build_model, put_weights, write_model
from translate.checkpoints import Checkpoints, Progress
from translate.config import Config
from translate.data import Prepared
from translate.device import choose_device, choose_precision, choose_search_precision, keep_few_kernels, keep_memory, set_threads
from translate.errors import UserError
from translate.evaluation import DevelopmentSet, evaluate_tests, samples, table, write_report
from translate.optim import learning_rate
from translate.ranks import Ranks, join_ranks
from translate.runfolder import claim, open_run
from translate.runlog import RunLog
from translate.torch_engine import TorchEngine
from translate.translator import Translator
from translate.update import Updater

SKIPPED_IN_A_ROW = 20  # steps with a non-finite gradient before the run goes back
EXPLODED = 1.5  # times the lowest loss and 1 nat more: so far a loss does not rise while it learns
RETURNS = 3  # to the last save before the run gives up


def train(config: Config) -> int:
    """Train until the budget of `config.training` is used up, then evaluate on the test sets.

    Everything goes to the folder `config.run`; the same call on a run that was interrupted goes on at the same batch.
    Returns 0, or 128 + the signal's number where SIGINT or SIGTERM stopped it (saved). UserError for settings or data that can't be used.
    """
    folder, device = Path(config.run), choose_device(config.training.device)
    with contextlib.ExitStack() as stack:
        ranks = stack.enter_context(join_ranks(device))
        if ranks.from_first(lambda: claim(folder, config, stack)):
            if ranks.first:
                ways = f"translate with `translate file -m {folder}`, choose another folder with run=FOLDER, or begin anew with resume=false"
                print(f"{folder} is finished: {ways}", file=sys.stderr)
            return 0
        set_threads(config.training.threads)
        keep_memory()
        keep_few_kernels()
        log = stack.enter_context(RunLog(folder, config.training.tensorboard, silent=not ranks.first))
        tokenizer, data, validation = ranks.after_first(lambda: open_run(folder, config, log))
        torch.manual_seed(config.training.seed)
        model = build_model(config, tokenizer).to(device)
        run = Run(Bundle(folder, config, tokenizer, model), data, validation, device, ranks, log)
        stopped = run.loop()
        if stopped:
            return 128 + stopped
        if not ranks.first:
            return 0
        chosen = run.choose()
        log.say(f"the model is in {folder}: its weights are {chosen['weights']}")
        tests = evaluate_tests(run.translator(), config) if config.data.test else {}
        write_report(folder, run.report(chosen), tests)
    if tests:
        print(f"{table(tests)}\n\n{samples(tests)}\n")
    print(f"next: echo 'Guten Morgen.' | translate file -m {folder}")
    return 0


class Run:
    """One start of a run: the model, its optimizer, and where it stands."""

    def __init__(
        self, bundle: Bundle, data: Prepared, validation: Sequence[tuple[str, str]], device: torch.device, ranks: Ranks, log: RunLog
    ) -> None:
        self.bundle, self.data, self.device, self.ranks, self.log = bundle, data, device, ranks, log
        self.config, self.settings, self.model = bundle.config, bundle.config.training, bundle.model
        self.precision = choose_precision(self.settings.precision, device)
        self.updater = Updater(self.model, self.config, device, self.precision, ranks)
        self.checkpoints = Checkpoints(bundle.folder, self.settings.keep)
        sentences = self.settings.validate_sentences or len(validation)
        self.development = DevelopmentSet(validation[:sentences], self.settings.validate_beam)
        self.validation_seconds = 0.0
        self.stop_signal, self.late = 0, False
        self.before, self.started = 0.0, time.perf_counter()  # seconds of earlier starts; of this one
        self.restore()
        self.before = self.progress.seconds
        self.told_seconds += self.before
        if self.progress.data != data.fingerprint:
            raise UserError(
                f"the training data changed since {bundle.folder} was started: its fingerprint is {data.fingerprint}, it was {self.progress.data};"
                " restore the data, choose another folder with run=FOLDER, or begin anew with resume=false"
            )
        log.forget_after(self.progress.step)
        if self.progress.step:
            self.log.say(f"resumed at step {self.progress.step:,}")

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.started

    def restore(self) -> None:
        """The model, its optimizer and where the run stands, as they were saved last; of a run that begins, as they are."""
        self.progress = self.checkpoints.load(self.model, self.updater.optimizer, self.log.say) or Progress(data=self.data.fingerprint)
        self.unlogged = torch.zeros((), device=self.device)
        self.told_tokens, self.told_seconds = self.progress.tokens, self.seconds
        self.skipped_in_a_row = 0
        self.batches: Optional[Iterator[Batch]] = None  # the coming ones, once the loop has asked for them

    def used(self) -> float:
        """The share of the budget that is used up, 0 to 1, by the first rank's clock. Of the minutes, the two last validations are held back."""
        settings, step, limit = self.settings, self.progress.step, self.settings.minutes * 60
        shares = [step / settings.steps if settings.steps else 0.0]
        if limit:
            # unknown before the first validation: a twentieth
            reserve = 2.5 * self.validation_seconds + 1 if self.validation_seconds else limit / 20
            share = self.seconds / max(limit - reserve, limit / 2)
            if share >= 1 and step < settings.min_steps and not self.late:
                self.late = True
                self.log.say(f"the {settings.minutes:g} minutes are over at step {step:,}: on to step {settings.min_steps:,} (training.min_steps)")
            shares.append(min(share, step / settings.min_steps) if settings.min_steps else share)
        return self.ranks.from_first(lambda: min(1.0, max(shares)))

    def loop(self) -> int:
        """Step until the budget, the patience or a signal ends it. Returns the signal's number, or 0."""
        sampling, longest = self.config.tokenizer.sampling, self.config.model.max_tokens
        stream = BatchStream(self.data, self.bundle.tokenizer, self.settings.batch_tokens, self.settings.seed, sampling, longest)
        with stream, _marking_signals(self):
            if not self.progress.step:
                self.save()  # to go back to
            while (used := self.used()) < 1 and not self.out_of_patience():
                if self.batches is None:  # at first, and where the run went back
                    self.batches = stream.batches_from(self.progress.epoch, self.progress.position)
                self.step(list(itertools.islice(self.batches, self.settings.accumulate)), used)
                if self.progress.step > self.progress.validated and self.progress.step % self.settings.validate_every == 0:
                    self.validate()
                if stop := self.ranks.greatest(self.stop_signal):
                    self.save()
                    name = signal.Signals(stop).name
                    self.log.say(f"stopped by {name} at step {self.progress.step:,} and saved; the same command goes on from here")
                    return stop
            if self.progress.validated < self.progress.step:
                self.validate()
        return 0

    def out_of_patience(self) -> bool:
        return 0 < self.settings.patience <= self.progress.worse

    def step(self, batches: list[Batch], used: float) -> None:
        """One update at `used` of the budget; counts and tells it. Where training has gone wrong, back to the last save."""
        progress = self.progress
        rate = progress.rate_factor * learning_rate(self.config.optim, self.config.model.width, progress.step + 1, used)
        done = self.updater.update(batches, progress.step, rate, self.log.say)
        progress.step += 1
        progress.epoch, progress.position = batches[-1].epoch, batches[-1].position + 1
        if done.finite:
            progress.tokens += done.tokens
            self.unlogged += done.likelihood
            self.skipped_in_a_row = 0
        else:
            progress.skipped += 1
            self.skipped_in_a_row += 1
            self.log.say(f"step {progress.step:,}: the gradient is not finite, so this step is left out")
        if self.skipped_in_a_row >= SKIPPED_IN_A_ROW:
            self.go_back(f"{SKIPPED_IN_A_ROW} steps in a row had a gradient that is not finite")
        elif progress.step % self.settings.log_every == 0 and progress.tokens > self.told_tokens:
            self.tell(done.norm, rate, used)

    def go_back(self, reason: str) -> None:
        """To the last save, at half the rate. UserError, with the way out, where that has been tried often enough."""
        returns, factor, wrong = self.progress.returns, self.progress.rate_factor, self.progress.step
        if returns >= RETURNS:
            raise UserError(
                f"{reason}, at step {wrong:,}, and going back to the last save at half the rate did not help {RETURNS} times: "
                "lower optim.rate, set optim.clip=1 or training.precision=fp32"
            )
        self.restore()
        self.progress.returns, self.progress.rate_factor = returns + 1, factor / 2
        self.log.say(f"{reason}, at step {wrong:,}: going back to step {self.progress.step:,}, on with {factor / 2:g} of the recipe's rate")
        self.log.forget_after(self.progress.step)
        self.save()

    def tell(self, norm: float, rate: float, used: float) -> None:
        """Log the mean loss and the speed since the last time; validations don't count as time here."""
        progress, seconds = self.progress, self.seconds
        tokens = progress.tokens - self.told_tokens
        loss, speed = float(self.ranks.total(self.unlogged)) / tokens, tokens / max(seconds - self.told_seconds, 1e-9)
        if loss > EXPLODED * progress.lowest_loss + 1:
            self.go_back(f"the loss rose from {progress.lowest_loss:.2f} to {loss:.2f}")
            return
        progress.lowest_loss = min(progress.lowest_loss, loss)
        self.told_tokens, self.told_seconds, self.unlogged = progress.tokens, seconds, torch.zeros((), device=self.device)
        best = f", BLEU {progress.best_bleu:.1f}" if progress.best_step else ""
        self.log.progress(used, f"step {progress.step:,}, loss {loss:.3f}{best}, {speed:,.0f} tokens/s")
        values = {"loss": loss, "gradient_norm": norm, "rate": rate, "tokens_per_second": speed, "epoch": progress.epoch, "seconds": seconds}
        self.log.record(progress.step, **values)

    def validate(self) -> None:
        """The first rank validates and saves; the others learn how it went."""
        if self.ranks.first:
            self._validate()
        self.progress = self.ranks.from_first(lambda: self.progress)

    def _validate(self) -> None:
        """BLEU of the development set by the real decoder; keep these weights, note whether they are the best, save.

        Without a development set the newest weights count as the best.
        """
        progress, began = self.progress, time.perf_counter()
        bleu = 0.0
        if len(self.development):
            outputs, bleu = self.development.bleu(self.translator())
            self.development.write_samples(self.bundle.folder / "samples.txt", progress.step, outputs)
        better = bleu > progress.best_bleu or not len(self.development)
        progress.worse = 0 if better else progress.worse + 1
        if better:
            progress.best_bleu, progress.best_step = bleu, progress.step
            write_model(self.bundle, self.data.fingerprint)
        progress.validated = progress.step
        self.checkpoints.keep_weights(self.model, progress)
        self.save()
        self.checkpoints.drop_unneeded(progress)
        self.validation_seconds = time.perf_counter() - began
        self.told_seconds += self.validation_seconds
        if not len(self.development):
            self.log.say(f"step {progress.step:,}: saved; there is no development set")
            return
        self.log.record(progress.step, bleu=bleu, best_bleu=progress.best_bleu, validation_seconds=self.validation_seconds, seconds=self.seconds)
        self.log.say(f"step {progress.step:,}: BLEU {bleu:.2f} on the development set, best {progress.best_bleu:.2f} at step {progress.best_step:,}")

    def translator(self) -> Translator:
        """Of the present weights, as users will have it."""
        precision = choose_search_precision(self.settings.precision, self.device)
        return Translator(TorchEngine.owning(copy.deepcopy(self.model), self.device, precision), self.bundle.tokenizer, self.config.decoding)

    def save(self) -> None:
        self.progress.seconds = self.seconds
        if self.ranks.first:
            self.checkpoints.save(self.model, self.updater.optimizer, self.progress)

    def choose(self) -> dict:
        """Put the best weights in place: those of the best validation or the average of the last few, by development BLEU."""
        progress = self.progress
        steps = progress.kept[-self.settings.average :]
        put_weights(self.model, self.checkpoints.weights(progress.best_step), "the best checkpoint")
        chosen = {"weights": f"of step {progress.best_step:,}", "dev_bleu": progress.best_bleu}
        if len(steps) > 1 and len(self.development):
            put_weights(self.model, self.checkpoints.average(steps), "the average")
            bleu = self.development.bleu(self.translator())[1]
            self.log.say(f"BLEU {bleu:.2f} on the development set with the average of the last {len(steps)} checkpoints")
            if bleu > progress.best_bleu:
                chosen = {"weights": f"the average of steps {', '.join(f'{step:,}' for step in steps)}", "dev_bleu": bleu}
            else:
                put_weights(self.model, self.checkpoints.weights(progress.best_step), "the best checkpoint")
        write_model(self.bundle, self.data.fingerprint)
        progress.seconds = self.seconds
        return chosen

    def report(self, chosen: dict) -> dict:
        progress, settings = self.progress, self.settings
        return {
            **chosen,
            "dev_decoding": {"beam": settings.validate_beam, "sentences": len(self.development)},
            "steps": progress.step,
            "epochs": progress.epoch,
            "target_tokens": progress.tokens,
            "seconds": round(progress.seconds, 1),
            "skipped_steps": progress.skipped,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "precision": str(self.precision).removeprefix("torch."),
            "device": self.device.type,
            "threads": torch.get_num_threads(),
            "processes": self.ranks.size,
            "data": {"fingerprint": self.data.fingerprint, "read": self.data.read, "kept": self.data.kept, "left_out": self.data.counts},
        }


@contextlib.contextmanager
def _marking_signals(run: Run) -> Iterator[None]:
    """While the loop runs, SIGINT and SIGTERM only set a mark, so that the step under way ends and is saved. A second one acts at once."""

    def mark(number: int, _: object) -> None:
        run.stop_signal = number
        if run.ranks.size == 1:  # torchrun hands on what every process of a terminal has got already
            signal.signal(number, old[number])

    old = {number: signal.signal(number, mark) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
