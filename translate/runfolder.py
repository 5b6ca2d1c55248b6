"""Opening a run folder: is it new, half done or finished, and does its configuration agree? Then its tokenizer and its training data."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from translate.bundle import CONFIG, load_tokenizer, read_config, write_config
from translate.checks import cheap_checks
from translate.config import Config, first_difference
from translate.data import Prepared, load_pairs, prepare, training_texts
from translate.errors import UserError
from translate.files import remove_unfinished
from translate.lock import alone
from translate.runlog import RunLog
from translate.tokenizer import Tokenizer, train_tokenizer

REPORT = "report.json"
# settings that say how and where a run is done, not what it computes
MAY_DIFFER = ("run", "resume", "data.workers", "data.cache", "training.device", "training.threads", "training.tensorboard")
# what a run leaves behind that was killed before its config.yaml was written
BEGINNINGS = {"train.log", "metrics.jsonl", "spm.model", "spm.target.model", "tensorboard"}


def claim(folder: Path, config: Config, stack: contextlib.ExitStack) -> bool:
    """Make the folder, or check that what is in it is this very run; it is locked until `stack` closes. Returns whether it is finished already.

    UserError for a folder with another run (names the first setting that differs), with anything else, or in which another process trains.
    """
    lock = alone(folder / ".lock", f"another process is training in {folder}: wait for it, or choose another folder with run=FOLDER")
    if not config.resume and (folder / CONFIG).exists():
        with lock:
            put_aside(folder)
        lock = alone(folder / ".lock", f"another process has begun in {folder}: choose another folder with run=FOLDER")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the run folder {folder}: {error.strerror}; choose another with run=FOLDER") from None
    if (folder / CONFIG).exists():
        difference = first_difference(read_config(folder)[0], config, MAY_DIFFER)
        if difference:
            raise UserError(
                f"{folder} holds a run with another configuration: {difference}; undo that, choose another folder with run=FOLDER, "
                "or begin anew with resume=false"
            )
        if (folder / REPORT).exists():
            return True
    else:
        foreign = sorted(path.name for path in folder.iterdir() if path.name not in BEGINNINGS and not path.name.startswith("."))
        if foreign:
            raise UserError(f"{folder} is not empty and holds no run ({foreign[0]} is in it): choose another folder with run=FOLDER")
    stack.enter_context(lock)
    remove_unfinished(folder)
    return False


def put_aside(folder: Path) -> None:
    """Rename the folder of a run to FOLDER.1, or the first number that is free, so that another run can begin in its place."""
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    folder.rename(aside)
    (aside / ".lock").unlink(missing_ok=True)
    print(f"the run in {folder} is now in {aside}", file=sys.stderr)


def open_run(folder: Path, config: Config, log: RunLog) -> tuple[Tokenizer, Prepared, Sequence[tuple[str, str]]]:
    """The tokenizer (loaded, copied or trained now), the training pairs (from the cache where that has them) and the development pairs.

    UserError for data that can't be used, test sets included: one that is missing is better found now than when the training has ended.
    """
    cheap_checks(config, log.say)
    tokenizer = open_tokenizer(folder, config, log)
    data = prepare(config.data, tokenizer, log.say)
    validation = load_pairs(config.data.validation, config.data)
    for corpus in config.data.test.values():
        load_pairs([corpus], config.data)
    return tokenizer, data, validation


def open_tokenizer(folder: Path, config: Config, log: RunLog) -> Tokenizer:
    """With the tokenizer stands config.yaml, and so the run exists."""
    if (folder / CONFIG).exists():
        return load_tokenizer(folder)[1]
    began = time.perf_counter()
    tokenizer = train_tokenizer(lambda: training_texts(config.data), config.tokenizer, folder)
    write_config(folder, config, tokenizer)
    origin = f"copied from {config.tokenizer.path}" if config.tokenizer.path else f"trained in {time.perf_counter() - began:.1f} s"
    log.say(f"tokenizer: {tokenizer.target_size:,} pieces, {origin}")
    return tokenizer
