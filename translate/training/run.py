"""The training run: recipe in, run folder out. Sets up, loops, validates with the real decoder, saves, stops, resumes.

Vaswani et al. 2017, section 5 (training) and 6.1 (checkpoint averaging). `train` reads top to bottom as a run does.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

import torch

from translate.bundle.bundle import Bundle, build_model
from translate.config import Config
from translate.data.batches import Batch, BatchStream
from translate.data.prepare import Prepared
from translate.device import choose_device, choose_precision, keep_freed_memory, limit_kernel_cache, set_threads
from translate.errors import UserError
from translate.evaluation.evaluation import evaluate_tests
from translate.evaluation.report import REPORT, format_samples, format_table, write_report
from translate.files.paths import expand_path
from translate.training import budget
from translate.training.checkpoints import Checkpoints, Progress
from translate.training.optim import learning_rate
from translate.training.ranks import Ranks, join_ranks
from translate.training.runfolder import claim, open_run
from translate.training.runlog import Meter, RunLog
from translate.training.selection import choose_length_penalty, choose_weights
from translate.training.stopping import Stop, marking_signals
from translate.training.update import Updater
from translate.training.validation import Validation

SKIPPED_IN_A_ROW = 20  # steps with a non-finite gradient before the run goes back
EXPLODED = 1.5  # times the lowest loss and 1 nat more: so far a loss does not rise while it learns
RETURNS = 3  # to the save of the last validation before the run gives up


def train(config: Config) -> int:
    """Train until the budget of `config.training` is used up, then evaluate on the test sets.

    Everything goes to the folder `config.run`; the same call on a run that was interrupted goes on at the same batch.
    Returns 0, or 128 + the number of the signal that stopped it (saved). UserError for settings or data that can't be used.
    """
    folder, device = Path(expand_path(config.run)), choose_device(config.training.device)
    with contextlib.ExitStack() as stack:
        ranks = stack.enter_context(join_ranks(device))
        if ranks.from_first(lambda: claim(folder, config, stack)):
            return 0
        set_threads(config.training.threads)
        keep_freed_memory()
        limit_kernel_cache()
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
        tests = evaluate_tests(run.validation.translator(), config) if config.data.test else {}
        (folder / REPORT).unlink(missing_ok=True)  # what it holds is of other weights
        write_report(folder, run.report(chosen), tests)
    if tests:
        print(f"{format_table(tests)}\n\n{format_samples(tests)}\n")
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
        self.validation = Validation(bundle, validation, data.fingerprint, device, self.precision, self.checkpoints, log)
        self.meter, self.stop = Meter(), Stop()
        self.restore()
        self.meter = Meter(self.progress.seconds)
        self.meter.forget(self.progress.tokens, device)
        log.forget_after(self.progress.step)
        if self.progress.step:
            self.log.say(f"resumed at step {self.progress.step:,}")
        self.introduce()
        self.take_limits()

    def introduce(self) -> None:
        """What is trained, on what, and for how long."""
        settings, processes = self.settings, f" in each of {self.ranks.size} processes" if self.ranks.size > 1 else ""
        limits = [f"{settings.minutes:g} minutes"] if settings.minutes else []
        limits += [f"{settings.steps:,} steps"] if settings.steps else []
        patience = f", or {settings.patience} validations without a better one" if settings.patience else ""
        precision, threads = str(self.precision).removeprefix("torch."), torch.get_num_threads()
        self.log.say(
            f"training {sum(parameter.numel() for parameter in self.model.parameters()):,} parameters on {self.data.kept:,} pairs, "
            f"up to {settings.batch_tokens * settings.accumulate:,} target tokens a step, for {' or '.join(limits)}{patience}"
        )
        self.log.say(f"on {self.device} in {precision}, {threads} thread{'s' if threads > 1 else ''}{processes}")

    def restore(self, validated: bool = False) -> None:
        """The model, its optimizer and where the run stands, as saved last, or at the last validation; of a run that begins, as they are."""
        progress = self.checkpoints.load(self.model, self.updater.optimizer, self.log.say, validated)
        self.progress = progress or Progress(data=self.data.fingerprint)
        self.ranks.wait()  # before the first writes the next save in place of what another still reads
        self.progress = self.ranks.from_first(lambda: self.validation.measured_again(self.progress))
        self.meter.forget(self.progress.tokens, self.device)
        self.skipped_in_a_row = 0
        self.batches: Optional[Iterator[Batch]] = None  # the coming ones, once the loop has asked for them

    def take_limits(self) -> None:
        """Those of this start, which may be others than before: a larger budget goes on where the smaller one ended."""
        progress = self.progress
        before, now = progress.limits, budget.limits(self.settings)
        if before and before != now:
            progress.finished, used = False, self.used()
            rate = self.rate(used)
            self.log.say(budget.change(before, now, used, f"the {self.config.optim.schedule} schedule goes on from there, at a rate of {rate:.3g}"))

    def used(self) -> float:
        """The share of the budget that is used up, 0 to 1, by the first rank's clock."""
        settings, progress, meter = self.settings, self.progress, self.meter
        if not meter.overtime_told and (line := budget.overtime(settings, progress, meter.seconds)):
            meter.overtime_told = True
            self.log.say(line)
        return self.ranks.from_first(lambda: budget.used(settings, progress, meter.seconds))

    def loop(self) -> int:
        """Step until the budget, the patience or a signal ends it. Returns the signal's number, or 0."""
        sampling, longest = self.config.tokenizer.sampling, self.config.model.max_tokens
        stream = BatchStream(self.data, self.bundle.tokenizer, self.settings.batch_tokens, self.settings.seed, sampling, longest)
        with stream, marking_signals(alone=self.ranks.size == 1) as self.stop:
            if not self.progress.step:
                self.save()  # to go back to
            while not self.progress.finished and (used := self.used()) < 1 and not budget.out_of_patience(self.settings, self.progress):
                if self.batches is None:  # at first, and where the run went back
                    self.batches = stream.batches_from(self.progress.epoch, self.progress.position)
                self.step(list(itertools.islice(self.batches, self.settings.accumulate)), used)
                if self.progress.step > self.progress.validated and self.progress.step % self.settings.validate_every == 0:
                    self.validate()
                if self.ranks.greatest(self.stop.number):
                    self.save()
                    return self.stopped()
                if self.ranks.first and self.checkpoints.due():
                    self.save()
            if not self.progress.finished:
                self.progress.finished = True  # whatever happens from here on, there is no further step
                self.validate() if self.progress.validated < self.progress.step else self.save()
            return self.stopped() if self.ranks.greatest(self.stop.number) else 0

    def stopped(self) -> int:
        """Say so; returns the number of the signal."""
        number = self.ranks.greatest(self.stop.number)
        self.log.say(f"stopped by {signal.Signals(number).name} at step {self.progress.step:,} and saved; the same command goes on from here")
        return number

    def rate(self, used: float) -> float:
        return self.progress.rate_factor * learning_rate(self.config.optim, self.config.model.width, self.progress.step + 1, used)

    def step(self, batches: list[Batch], used: float) -> None:
        """One update at `used` of the budget; counts and tells it. Where training has gone wrong, back to the last save."""
        progress = self.progress
        rate = self.rate(used)
        done = self.updater.update(batches, progress.step, rate, self.log.say)
        progress.step += 1
        progress.epoch, progress.position = batches[-1].epoch, batches[-1].position + 1
        if done.finite:
            progress.tokens += done.tokens
            self.meter.add(done.likelihood)
            self.skipped_in_a_row = 0
        else:
            progress.skipped += 1
            self.skipped_in_a_row += 1
            self.log.say(f"step {progress.step:,}: the gradient is not finite, so this step is left out")
        if self.skipped_in_a_row >= SKIPPED_IN_A_ROW:
            self.go_back(f"{SKIPPED_IN_A_ROW} steps in a row had a gradient that is not finite")
        elif progress.step % self.settings.log_every == 0 and progress.tokens > self.meter.told_tokens:
            self.tell(done.norm, rate, used)

    def go_back(self, reason: str) -> None:
        """To the save of the last validation, at half the rate. UserError, with a hint, where that has been tried often enough."""
        returns, factor, wrong = self.progress.returns, self.progress.rate_factor, self.progress.step
        if returns >= RETURNS:
            raise UserError(
                f"{reason}, at step {wrong:,}, and going back to the last save at half the rate did not help {RETURNS} times: "
                "lower optim.rate, set optim.clip=1 or training.precision=fp32"
            )
        self.restore(validated=True)
        self.progress.returns, self.progress.rate_factor, self.progress.finished = returns + 1, factor / 2, False
        self.log.say(f"{reason}, at step {wrong:,}: going back to step {self.progress.step:,}, on with {factor / 2:g} of the recipe's rate")
        self.log.forget_after(self.progress.step)
        self.save()

    def tell(self, norm: float, rate: float, used: float) -> None:
        """Log the mean loss and the speed since the last time; validations don't count as time here."""
        progress, meter = self.progress, self.meter
        loss = float(self.ranks.total(meter.unlogged)) / (progress.tokens - meter.told_tokens)
        speed, seconds = meter.speed(progress.tokens), meter.seconds
        if loss > EXPLODED * progress.lowest_loss + 1:
            self.go_back(f"the loss rose from {progress.lowest_loss:.2f} to {loss:.2f}")
            return
        progress.lowest_loss = min(progress.lowest_loss, loss)
        meter.forget(progress.tokens, self.device)
        best = f", {best}" if (best := self.validation.best(progress)) else ""
        self.log.progress(used, f"step {progress.step:,}, loss {loss:.3f}{best}, {speed:,.0f} tokens/s")
        values = {"loss": loss, "gradient_norm": norm, "rate": rate, "tokens_per_second": speed, "epoch": progress.epoch, "seconds": seconds}
        self.log.record(progress.step, **values)

    def validate(self) -> None:
        """The first rank validates and saves; the others learn how it went."""

        def measure() -> Progress:
            self.meter.pause(self.validation.validate(self.progress, self.save))
            return self.progress

        self.progress = self.ranks.from_first(measure)

    def save(self) -> None:
        self.progress.seconds, self.progress.limits = self.meter.seconds, budget.limits(self.settings)
        if self.ranks.first:
            with self.stop.put_off():
                self.checkpoints.save(self.model, self.updater.optimizer, self.progress)

    def choose(self) -> dict:
        """Put the best weights in place, and the length penalty with which they search best."""
        chosen = choose_weights(self.validation, self.progress)
        self.progress.seconds = self.meter.seconds  # as of the budget: the length penalty and the tests come after it
        return {**chosen, **choose_length_penalty(self.validation, chosen.get("learnt", False))}

    def report(self, chosen: dict) -> dict:
        progress = self.progress
        return {
            **chosen,
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
