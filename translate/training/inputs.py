"""The inputs of a run: tokenizer, training data and development pairs. All data is checked before the tokenizer is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from translate.bundle.bundle import CONFIG, ModelFolder, write_config
from translate.checks.data_checks import check_data
from translate.checks.finding import Finding
from translate.config import Config
from translate.data.domain import sample_of
from translate.data.pairs import load_pairs, training_texts
from translate.data.placeholders import with_symbols
from translate.data.prepare import Prepared, prepare
from translate.data.sides import sides_of
from translate.errors import UserError
from translate.model.families import FAMILIES
from translate.tokenizer import Tokenizer, train_tokenizer
from translate.training.init import check_init, tokenizer_settings
from translate.training.optim import check_schedule
from translate.training.start_checks import check_rates


def open_inputs(folder: Path, config: Config, log: Callable[[str], None]) -> tuple[Tokenizer, Prepared, Sequence[tuple[str, str]]]:
    """The tokenizer (loaded, copied or trained), the training pairs (from the cache if possible) and the development pairs.

    UserError for data that can't be used, test sets included: before the work begins, not at the end of training.
    """
    resumed = (folder / CONFIG).exists()
    errors = cheap_checks(config, log)
    validation = load_held_out(config)
    for error in errors if resumed else errors[1:]:
        log(error.line())
    if errors and not resumed:
        raise UserError(": ".join(filter(None, (errors[0].name, errors[0].text, errors[0].hint))))
    tokenizer = open_tokenizer(folder, config, log)
    if not resumed:
        check_init(config, tokenizer)
        for finding in check_rates(config):
            if finding.severity == "warning":
                log(finding.line())
    return tokenizer, prepare(config.data, tokenizer, log, sides_of(config.model)), validation


def load_held_out(config: Config) -> list[tuple[str, str]]:
    """The development pairs. UserError if they, a test set or the text of data.filters.domain cannot be read."""
    data, sides = config.data, sides_of(config.model)
    sample_of(data.filters)
    for corpus in data.test.values():
        load_pairs([corpus], data, sides)
    return load_pairs(data.validation, data, sides)


def open_tokenizer(folder: Path, config: Config, log: Callable[[str], None]) -> Tokenizer:
    """The run's tokenizer, or a new one. A new one is saved with config.yaml, and from then on the run exists."""
    if (folder / CONFIG).exists():
        return ModelFolder(folder).tokenizer
    began = time.perf_counter()
    settings = with_symbols(tokenizer_settings(config), config.data)
    tokenizer = train_tokenizer(lambda: training_texts(config.data, sides_of(config.model)), settings, folder)
    write_config(folder, config, tokenizer)
    origin = f"copied from {settings.path}" if settings.path else f"trained in {time.perf_counter() - began:.1f} s"
    log(f"tokenizer: {tokenizer.target_size:,} pieces, {origin}")
    return tokenizer


def cheap_checks(config: Config, log: Callable[[str], None]) -> list[Finding]:
    """Check the schedule and the data, log the warnings and return the errors."""
    errors = []
    by_gradient = not FAMILIES[config.model.family].learns_by_counting
    schedule = [check_schedule(config, config.training.steps)] if config.training.steps and by_gradient else []
    for finding in (*schedule, *check_data(config, cheap=True)):
        if finding.severity == "warning":
            log(finding.line())
        elif finding.severity == "error":
            errors.append(finding)
    return errors
