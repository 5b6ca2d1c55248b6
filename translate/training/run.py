"""The training run: configuration in, run folder out (Vaswani et al. 2017, section 5, and 6.1 for the averaging of checkpoints).

`train` sets up, `Run.loop` trains, validates and saves, `Run.finish` chooses the weights and evaluates them.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from translate.bundle.bundle import Bundle, build_model
from translate.config import Config, check_budget, from_dict
from translate.data.batches import Batch, BatchStream
from translate.data.prepare import Prepared
from translate.data.profile import text_profile
from translate.data.sides import sides_of, unit
from translate.device import choose_device, choose_precision, keep_freed_memory, limit_kernel_cache, set_threads
from translate.errors import UserError
from translate.evaluation.report import REPORT, read_report, write_report
from translate.files.paths import expand_path
from translate.training import budget
from translate.training.alignment_choice import choose_alignment
from translate.training.before import before_and_after, measure_before
from translate.training.calibration import calibrate_run
from translate.training.checkpoints import Checkpoints, Progress
from translate.training.counting import Counter
from translate.training.init import initialise
from translate.training.inputs import open_inputs
from translate.training.model_card import write_model_card
from translate.training.optim import learning_rate
from translate.training.ranks import Ranks, join_ranks
from translate.training.runfolder import claim
from translate.training.runlog import Meter, RunLog
from translate.training.selection import choose_length_penalty, choose_weights
from translate.training.stopping import Stop, Stopped, catch_signals
from translate.training.update import Update, Updater
from translate.training.validation import Validation
from translate.values import to_values

MAX_SKIPPED = 20  # steps in a row with a non-finite gradient, before the run goes back
EXPLODED = 1.5  # times the lowest loss, plus 1 nat: a loss does not rise that far while the model learns
MAX_RETURNS = 3  # to the save of the last validation, before the run gives up


def train(config: Config) -> dict[str, Any]:
    """Train until the budget of `config.training` is used up, then evaluate on the test sets. Returns the report, as in report.json.

    Everything is written to the folder `config.run`; the same call resumes an interrupted run at the same batch. Nothing is done for a finished
    run: its report has one more key, `finished_before`. Under torchrun the first process gets the report, the others {}. Works in any thread; in
    the main thread a signal raises Stopped, after a save. UserError for settings or data that can't be used.
    """
    config = check_budget(from_dict(to_values(config)))
    device = choose_device(config.training.device)
    with join_ranks(device) as ranks:
        return train_in(ranks, config, device)


def train_in(ranks: Ranks, config: Config, device: torch.device) -> dict[str, Any]:
    """`train` in one of the ranks. A function of its own: when it has returned, nothing holds on to the connection of the ranks."""
    folder = Path(expand_path(config.run))
    with contextlib.ExitStack() as stack:
        if ranks.from_first(lambda: claim(folder, config, stack)):
            return {**read_report(folder), "finished_before": True} if ranks.first else {}
        set_threads(config.training.threads)
        keep_freed_memory()
        limit_kernel_cache()
        log = stack.enter_context(RunLog(folder, config.training.tensorboard, silent=not ranks.first))
        tokenizer, data, development = ranks.after_first(lambda: open_inputs(folder, config, log.info))
        model, profile = build_model(config, tokenizer), text_profile(config.data, data, sides_of(config.model))
        if Checkpoints(folder, 1).peek() is None:  # a save has all weights
            initialise(model, config, tokenizer, log.info)
        model.to(device)
        run = Run(Bundle(folder, config, tokenizer, model, data.fingerprint, profile), data, development, device, ranks, log)
        run.loop()
        return run.finish() if ranks.first else {}


class Run:
    """One start of a run: the model, its optimizer, and its progress."""

    def __init__(
        self, bundle: Bundle, data: Prepared, development: Sequence[tuple[str, str]], device: torch.device, ranks: Ranks, log: RunLog
    ) -> None:
        self.bundle, self.data, self.device, self.ranks, self.log = bundle, data, device, ranks, log
        self.config, self.settings, self.model = bundle.config, bundle.config.training, bundle.model
        self.precision = torch.float32 if self.model.learns_by_counting else choose_precision(self.settings.precision, device)
        self.updater: Updater | Counter = (
            Counter(self.model, data) if self.model.learns_by_counting else Updater(self.model, self.config, device, self.precision, ranks)
        )
        self.checkpoints = Checkpoints(bundle.folder, self.settings.keep)
        self.validation = Validation(bundle, development, data.fingerprint, device, self.precision, self.checkpoints, log)
        self.stream = BatchStream(
            data, bundle.tokenizer, self.settings.batch_tokens, self.settings.seed, self.config.tokenizer.sampling, self.config.model.max_tokens,
            pin=device.type == "cuda", objective=self.model.objective,
        )  # fmt: skip
        self.meter, self.stop = Meter(device), Stop()
        self.restore()
        self.began = time.perf_counter() - self.progress.seconds  # earlier starts included
        log.cut_after(self.progress.step)
        if self.progress.step:
            log.info(f"resumed at step {self.progress.step:,}")
        self.log_start()
        self.apply_limits()

    def begin(self) -> None:
        """Save a new run, to go back to, and measure the weights that it has from another. This time is not training's."""
        if not self.progress.step:
            self.save()
            self.began += self.ranks.from_first(lambda: measure_before(self.validation))
            self.meter.reset()

    def loop(self) -> None:
        """Step until the budget or the patience is used up. A signal raises Stopped, after a save."""
        with self.stream, catch_signals(single=self.ranks.size == 1) as self.stop:
            self.begin()
            while not self.progress.finished and (used := self.used()) < 1 and not budget.out_of_patience(self.settings, self.progress):
                rate = self.rate(used)
                batches = list(itertools.islice(self.batches, self.settings.accumulate))
                update = self.updater.update(batches, self.progress.step, rate, self.log.info)
                self.count(batches, update)
                if self.skipped_in_a_row >= MAX_SKIPPED:
                    self.go_back(f"{MAX_SKIPPED} steps in a row had a gradient that is not finite")
                elif self.progress.step % self.settings.log_every == 0 and self.meter.tokens:
                    self.log_step(update.norm, rate, used)
                if self.progress.step % self.settings.validate_every == 0 and self.progress.step > self.progress.validated:
                    self.validate()
                self.end_if_stopped(save=True)
                if self.ranks.first and self.checkpoints.due():
                    self.save()
            if not self.progress.finished:
                self.progress.finished = True  # no more steps, even if the validation is interrupted
                self.validate() if self.progress.validated < self.progress.step else self.save()
            self.end_if_stopped(save=False)

    def used(self) -> float:
        """The share of the budget that is used up, 0 to 1, measured by the first rank."""
        if overtime := budget.overtime(self.settings, self.progress, self.seconds):
            self.log.once("overtime", overtime)
        return self.ranks.from_first(lambda: budget.used(self.settings, self.progress, self.seconds))

    @property
    def seconds(self) -> float:
        """The time of training so far, over all starts."""
        return time.perf_counter() - self.began

    def rate(self, used: float) -> float:
        return self.progress.rate_factor * learning_rate(self.config.optim, self.config.model.width, self.progress.step + 1, used)

    def count(self, batches: list[Batch], update: Update) -> None:
        """Count this step, done or skipped."""
        progress = self.progress
        progress.step += 1
        progress.epoch, progress.position = batches[-1].epoch, batches[-1].position + 1
        if update.finite:
            progress.tokens += update.counted
            self.meter.add(update)
            self.skipped_in_a_row = 0
        else:
            progress.skipped += 1
            self.skipped_in_a_row += 1
            self.log.info(f"step {progress.step:,}: the gradient is not finite, so this step is skipped")

    def validate(self) -> None:
        """Validate and save in the first rank; the others get its progress."""

        def measure() -> Progress:
            began = time.perf_counter()
            with self.updater.averaged():
                result = self.validation.validate(self.progress)
            self.save()
            seconds = time.perf_counter() - began
            self.validation.log_result(self.progress, result, seconds)
            self.meter.pause(seconds)
            return self.progress

        self.progress = self.ranks.from_first(measure)

    def save(self) -> None:
        self.progress.seconds, self.progress.limits = self.seconds, budget.limits(self.settings)
        if self.ranks.first:
            with self.stop.defer():
                self.checkpoints.save(self.model, self.updater.optimizer, self.progress)

    def restore(self, validated: bool = False) -> None:
        """Load model, optimizer and progress from the last save, or that of the last validation; a new run has none."""
        progress = self.checkpoints.load(self.model, self.updater.optimizer, self.log.info, validated) or Progress(data=self.data.fingerprint)
        self.ranks.barrier()  # the first must not write its next save while another reads this one
        self.progress = self.ranks.from_first(lambda: self.validation.remeasure_best(progress))
        self.batches = self.stream.batches_from(self.progress.epoch, self.progress.position)
        self.skipped_in_a_row = 0
        self.meter.reset()

    def go_back(self, reason: str) -> None:
        """Continue from the save of the last validation at half the rate. UserError after MAX_RETURNS times."""
        returns, factor, step = self.progress.returns, self.progress.rate_factor, self.progress.step
        if returns >= MAX_RETURNS:
            raise UserError(
                f"{reason}, at step {step:,}, and going back to the last save at half the rate did not help {MAX_RETURNS} times: "
                "lower optim.rate, set optim.clip=1 or training.precision=fp32"
            )
        self.restore(validated=True)
        self.progress.returns, self.progress.rate_factor, self.progress.finished = returns + 1, factor / 2, False
        self.log.info(f"{reason}, at step {step:,}: going back to step {self.progress.step:,}, with {factor / 2:g} of the recipe's rate")
        self.log.cut_after(self.progress.step)
        self.save()

    def end_if_stopped(self, save: bool) -> None:
        """Raise Stopped if any rank got a signal."""
        if number := self.ranks.maximum(self.stop.number):
            if save:
                self.save()
            stopped = Stopped(number, self.progress.step)
            self.log.info(str(stopped))
            raise stopped

    def log_start(self) -> None:
        """Log the size of model and data, the limits, and the hardware."""
        settings, processes = self.settings, f" in each of {self.ranks.size} processes" if self.ranks.size > 1 else ""
        limits = [f"{settings.minutes:g} minutes"] if settings.minutes else []
        limits += [f"{settings.steps:,} steps"] if settings.steps else []
        patience = f", or {settings.patience} validations without a better one" if settings.patience else ""
        precision, threads = str(self.precision).removeprefix("torch."), torch.get_num_threads()
        self.log.info(self.updater.plan(f"{self.data.kept:,} {unit(sides_of(self.config.model))}", f"{' or '.join(limits)}{patience}"))
        self.log.info(f"on {self.device} in {precision}, {threads} thread{'s' if threads > 1 else ''}{processes}")

    def apply_limits(self) -> None:
        """Log if the limits differ from those of the last start: a larger budget continues where the smaller one ended."""
        progress = self.progress
        before, now = progress.limits, budget.limits(self.settings)
        if before and before != now:
            progress.finished, used = False, self.used()
            rate = self.rate(used)
            schedule = f"the {self.config.optim.schedule} schedule continues from there, at a rate of {rate:.3g}"
            self.log.info(budget.change(before, now, used, schedule))

    def log_step(self, norm: float, rate: float, used: float) -> None:
        """Log the mean loss and the speed since the last log line. If the loss has exploded, go back to the last save."""
        progress = self.progress
        loss, speed = float(self.ranks.total(self.meter.likelihood)) / self.meter.labels, self.meter.tokens_per_second
        if loss > EXPLODED * progress.lowest_loss + 1:
            self.go_back(f"the loss rose from {progress.lowest_loss:.2f} to {loss:.2f}")
            return
        progress.lowest_loss = min(progress.lowest_loss, loss)
        self.meter.reset()
        best = f", best {best}" if (best := self.validation.best(progress)) else ""
        self.log.progress(used, f"step {progress.step:,}, loss {loss:.3f}{best}, {speed:,.0f} tokens/s")
        values = {"loss": loss, "gradient_norm": norm, "rate": rate, "tokens_per_second": speed, "epoch": progress.epoch, "seconds": self.seconds}
        self.log.record(progress.step, **values)

    def finish(self) -> dict[str, Any]:
        """Choose the best weights, length penalty and alignment heads, measure confidence, evaluate, write the report and return it."""
        folder = self.bundle.folder
        chosen = choose_weights(self.validation, self.progress)
        self.progress.seconds = self.seconds  # without the length penalty and the tests
        learnt = chosen.get("learnt", False)
        for choose in (choose_length_penalty, choose_alignment, calibrate_run) if self.model.translates else ():
            chosen = {**chosen, **choose(self.validation, learnt)}
        self.log.info(f"the model is in {folder}: its weights are {chosen['weights']}")
        tests = self.validation.test() if self.config.data.test else {}
        chosen = {**chosen, **before_and_after(self.validation, chosen, tests)}
        (folder / REPORT).unlink(missing_ok=True)  # it may be about other weights
        write_report(folder, self.report(chosen), tests)
        report = read_report(folder)
        write_model_card(folder, self.bundle.config, report)
        return report

    def report(self, chosen: dict[str, Any]) -> dict[str, Any]:
        progress = self.progress
        return {
            **chosen,
            "command": self.model.command,
            "steps": progress.step,
            "epochs": progress.epoch,
            "target_tokens": progress.tokens,
            "seconds": round(progress.seconds, 1),
            "skipped_steps": progress.skipped,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            **self.model.facts(),
            "precision": str(self.precision).removeprefix("torch."),
            "device": self.device.type,
            "threads": torch.get_num_threads(),
            "processes": self.ranks.size,
            "data": {
                "fingerprint": self.data.fingerprint,
                "read": self.data.read,
                "kept": self.data.kept,
                **({"joined": self.data.joined} if self.data.joined else {}),
                "left_out": self.data.counts,
            },
        }
