"""`translate train recipe=NAME key=value ...`: composes the configuration and hands it to training.

Words and options are those of Hydra's own command line as far as they have a use here (`-m`, `--cfg job`, `--info`, `--config-dir`). Every
configuration of a sweep is composed and checked (compose.py) before the first one trains, and training gets plain dataclasses.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from translate.cli.parser import once
from translate.compose.recipe_files import GROUPS, choices, shipped
from translate.config import Config
from translate.errors import UserError
from translate.values import flatten, suggestion

HELP = "train a model from a recipe"
OPTIONS = {"--config-dir": "DIR", "--multirun": None, "--cfg": "job", "--package": "KEY", "--resolve": None, "--info": "defaults-tree"}
SHORT = {"-m": "--multirun", "-c": "--cfg", "-p": "--package", "-i": "--info", "-cd": "--config-dir"}
SHOWS = {"--cfg": ("job",), "--info": ("defaults-tree", "defaults", "searchpath", "config")}

USAGE = """\
usage: translate train recipe=NAME [GROUP=CHOICE ...] [KEY=VALUE ...]

Train a model from a recipe, into the folder runs/NAME. The same command again goes on where it was interrupted.

examples:
  translate train recipe=quickstart
  translate train recipe=quickstart model=tiny training.minutes=1 run=runs/first
  translate train recipe=multi30k_de_en data.folder=DIR      local files in place of the hub
  translate train recipe=quickstart data=text data.folder=my your own pairs: my/train.de, my/train.en, dev.*, test.*
  translate train recipe=quickstart --cfg job                show the whole configuration and stop
  translate train -m recipe=quickstart model=tiny,small      one run after the other
  translate train recipe=my/mine.yaml                        your own recipe, a path to a file
  translate train --config-dir my recipe=mine                your own recipe, my/recipe/mine.yaml
"""
OFTEN_SET = {
    "run": "the run folder",
    "resume": "false: begin anew, and put the run that is in the folder aside",
    "verify_resume": "true: train nothing, but prove that a killed run goes on to the same weights",
    "training.minutes": "end after so many minutes (0: no limit)",
    "training.min_steps": "but not before so many steps, on a slow or busy machine",
    "training.steps": "end after so many steps (0: no limit)",
    "training.batch_tokens": "target tokens a batch",
    "training.validate_every": "steps from one validation to the next",
    "training.metric": "what makes a checkpoint the best on the development set: bleu, chrf or loss",
    "training.patience": "validations in a row that are no better before the end (0: go on)",
    "training.seed": "the same seed and training.steps give the same weights; minutes follow the clock",
    "training.device": "auto, cpu, cuda",
    "optim.rate": "learning rate at its peak (noam: factor of the paper's formula)",
    "model.dropout": "",
    "tokenizer.vocabulary": "pieces",
    "decoding.beam": "beam of the final test and of `translate file`",
}


def add_arguments(parser: Any) -> None:
    """What tab completion offers: `run` takes the words apart by itself (`split`), since options may stand anywhere among them."""
    from translate.cli.completion import complete_word

    for name, metavar in OPTIONS.items():
        short = [short for short, long in SHORT.items() if long == name]
        parser.add_argument(name, *short, **({"metavar": metavar, "choices": SHOWS.get(name)} if metavar else {"action": "store_true"}))
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE").completer = complete_word


def run(words: list[str]) -> int:
    """Compose, check, train. Returns the exit code; of several runs the greatest. UserError, in one line, for a user's mistake."""
    if "--help" in words or "-h" in words:
        print(describe(), end="")
        return 0
    options, overrides = split(words)
    from translate.cli.sweep import sweep
    from translate.compose.compose import jobs, show

    if "--cfg" in options or "--info" in options:
        show(options, overrides)
        return 0
    found = jobs(options, overrides)
    return sweep(found, train_one) if len(found) > 1 else train_one(found[0].config)


def compose(words: list[str]) -> list[Config]:
    """The checked configurations that the command line `words` asks for, one a run; none with --cfg or --info, which print."""
    from translate.compose.compose import jobs, show

    options, overrides = split(words)
    if "--cfg" in options or "--info" in options:
        show(options, overrides)
        return []
    return [job.config for job in jobs(options, overrides)]


def train_one(config: Config) -> int:
    """Train and print the results. Returns 0, 1 where verify_resume finds a difference, or 128 + the number of the signal that stopped the run."""
    if config.verify_resume:
        from translate.training.verify import verify_resume

        return verify_resume(config)
    from translate.training.run import train
    from translate.training.stopping import Stopped

    try:
        report = train(config)
    except Stopped as stopped:
        return 128 + stopped.number
    if report and "finished_before" not in report:
        show_results(config, report)
    return 0


def show_results(config: Config, report: dict[str, Any]) -> None:
    from translate.evaluation.report import format_samples, format_table

    if tests := {name: report["test"][name] for name in config.data.test}:
        print(f"{format_table(tests)}\n\n{format_samples(tests)}\n")
    print(f"next: echo 'Guten Morgen.' | translate file -m {config.run}")


def split(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Options with their values, in whatever order they stand, and the rest. UserError for an option that is unknown, given twice or alone."""
    options: dict[str, str] = {}
    spelt: dict[str, str] = {}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            continue
        if not word.startswith("-"):
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        spelling, name = name, SHORT.get(name, name)
        if name not in OPTIONS:
            hint = suggestion(name, OPTIONS)
            raise UserError(f"unknown option {word}: {hint + ' ' if hint else ''}see `translate train --help`")
        spelt[name] = once(spelt.get(name, ""), spelling)
        if not equals and OPTIONS[name] is not None:
            optional = name == "--info"
            if left and not (optional and ("=" in left[0] or left[0].startswith("-"))):
                value = left.pop(0)
            elif not optional:
                raise UserError(f"{name} needs a value, {name} {OPTIONS[name]}")
        elif equals and OPTIONS[name] is not None and not value:
            raise UserError(f"{name} needs a value, {name} {OPTIONS[name]}")
        elif equals and OPTIONS[name] is None:
            raise UserError(f"{name} takes no value")
        options[name] = value or ("defaults-tree" if name == "--info" else "")
    return checked(options), rest


def checked(options: dict[str, str]) -> dict[str, str]:
    """The options, if each has an effect."""
    for name, allowed in SHOWS.items():
        if name in options and options[name] not in allowed:
            raise UserError(f"{name} takes {' or '.join(allowed)}, not {options[name] or 'nothing'}")
    for name in ("--package", "--resolve"):
        if name in options and "--cfg" not in options:
            raise UserError(f"{name} has an effect with --cfg job only")
    shows = [name for name in ("--cfg", "--info") if name in options]
    if len(shows) > 1:
        raise UserError("--cfg and --info can't go together: each shows something and stops")
    if shows and "--multirun" in options:
        raise UserError(f"{shows[0]} shows one configuration: leave out -m")
    return options


def describe() -> str:
    """The text of `translate train --help`."""
    recipes = {path.stem: first_comment(path) for path in sorted(shipped("recipes").glob("*.yaml"))}
    defaults = flatten(dataclasses.asdict(Config(run="runs/RECIPE")))
    lines = [USAGE, "recipes:"]
    lines += [f"  {name:<20} {text}" for name, text in recipes.items()]
    lines += ["", "groups and their choices (GROUP=CHOICE):"]
    lines += [f"  {group:<10} {', '.join(choices(group))}" for group in GROUPS]
    lines += ["", "keys most often set (KEY=VALUE), with their defaults; a recipe may say otherwise:"]
    shown = {key: str(value).lower() if isinstance(value, bool) else value for key, value in defaults.items()}
    lines += [f"  {f'{key}={shown[key]}':<32} {text}".rstrip() for key, text in OFTEN_SET.items()]
    lines += ["", "--cfg job shows all keys; --info defaults-tree shows which files they come from."]
    return "\n".join(lines) + "\n"


def first_comment(path: Path) -> str:
    """The first line of a recipe's header comment, after Hydra's own `# @package`."""
    lines = (line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#"))
    return next((line for line in lines if line and not line.startswith("@")), "")
