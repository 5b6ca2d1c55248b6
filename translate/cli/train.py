"""`translate train recipe=NAME key=value ...`: composes the configuration, trains, prints the results.

All configurations of a sweep are composed and checked before the first run starts; training gets plain dataclasses.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from translate.cli.train_options import add_arguments, split
from translate.compose.recipe_files import GROUPS, choices, shipped
from translate.config import Config
from translate.values import flatten, to_values

if TYPE_CHECKING:
    from translate.compose.compose import Job

__all__ = ["HELP", "add_arguments", "compose", "run"]

HELP = "Train a model from a recipe."

USAGE = """\
usage: translate train recipe=NAME [GROUP=CHOICE ...] [KEY=VALUE ...]

Train a model from a recipe into the folder runs/NAME. If it is interrupted, the same command resumes it.

examples:
  translate train recipe=quickstart
  translate train recipe=quickstart model=tiny training.minutes=1 run=runs/first
  translate train recipe=multi30k_de_en data.folder=DIR      local files instead of the hub
  translate train recipe=quickstart data=text data.folder=my your own pairs: my/train.de, my/train.en, dev.*, test.*
  translate train recipe=quickstart --cfg job                show the whole configuration and exit
  translate train -m recipe=quickstart model=tiny,small      one run after the other
  translate train recipe=my/mine.yaml                        your own recipe, a path to a file
  translate train --config-dir my recipe=mine                your own recipe, my/recipe/mine.yaml
"""
COMMON_KEYS = {
    "run": "the run folder",
    "resume": "false: rename the existing run folder and start over",
    "verify_resume": "true: instead of training, prove that a killed run resumes to the same weights",
    "training.minutes": "stop after this many minutes (0: no limit)",
    "training.min_steps": "but not before this many steps, on a slow or busy machine",
    "training.steps": "stop after this many steps (0: no limit)",
    "training.batch_tokens": "target tokens per batch",
    "training.validate_every": "steps between validations",
    "training.metric": "chooses the best checkpoint on the development set: bleu, chrf or loss",
    "training.patience": "stop after this many validations without improvement (0: never)",
    "training.seed": "the same seed and training.steps give the same weights; with minutes they vary",
    "training.device": "auto, cpu, cuda",
    "optim.rate": "peak learning rate (noam: factor of the paper's formula)",
    "model.dropout": "",
    "tokenizer.vocabulary": "pieces",
    "decoding.beam": "beam of the final test and of `translate file`",
}


def run(argv: list[str]) -> int:
    """Compose, check, train. Returns the exit code, the greatest of several runs. UserError for a user's mistake."""
    if "--help" in argv or "-h" in argv:
        print(describe(), end="")
        return 0
    from translate.cli.sweep import sweep

    jobs = jobs_of(argv)
    if len(jobs) > 1:
        return sweep(jobs, train_one)
    return train_one(jobs[0].config) if jobs else 0


def compose(argv: list[str]) -> list[Config]:
    """The checked configurations of a command line, one per run; none with --cfg or --info, which print."""
    return [job.config for job in jobs_of(argv)]


def jobs_of(argv: list[str]) -> list[Job]:
    options, overrides = split(argv)
    from translate.compose.compose import jobs
    from translate.compose.show import show

    if "--cfg" in options or "--info" in options:
        show(options, overrides)
        return []
    return jobs(options, overrides)


def train_one(config: Config) -> int:
    """Train and print the results. Returns 0, 1 if verify_resume finds a difference, or 128 + the number of the signal that stopped the run."""
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
    from translate.evaluation.report import format_changes, format_samples, format_table

    tests = {name: report["test"][name] for name in config.data.test}
    parts = [format_table(tests), format_samples(tests)] if tests else []
    if changes := report.get("before_and_after"):
        parts.append(format_changes(changes))
    if shown := list(filter(None, parts)):
        print(*shown, sep="\n\n", end="\n\n")
    if (command := report.get("command", "file")) != "file":
        print(f"next: translate {command} -m {config.run}")
    elif config.data.source_language == "de":
        print(f"next: echo 'Guten Morgen.' | translate file -m {config.run}")
    else:
        print(f"next: translate file -m {config.run} input.{config.data.source_language} -o output.{config.data.target_language}")


def describe() -> str:
    """The text of `translate train --help`."""
    recipes = {path.stem: first_comment(path) for path in sorted(shipped("recipes").glob("*.yaml"))}
    defaults = flatten(to_values(Config(run="runs/RECIPE")))
    lines = [USAGE, "recipes:"]
    lines += [f"  {name:<{max(map(len, recipes))}}  {text}" for name, text in recipes.items()]
    lines += ["", "groups and their choices (GROUP=CHOICE):"]
    lines += [f"  {group:<10} {', '.join(choices(group))}" for group in GROUPS]
    lines += ["", "common keys (KEY=VALUE) with their defaults, which a recipe may change:"]
    yaml_values = {key: str(value).lower() if isinstance(value, bool) else value for key, value in defaults.items()}
    lines += [f"  {f'{key}={yaml_values[key]}':<32} {text}".rstrip() for key, text in COMMON_KEYS.items()]
    lines += ["", "--cfg job shows all keys; --info defaults-tree shows which files they come from."]
    return "\n".join(lines) + "\n"


def first_comment(path: Path) -> str:
    """The first line of a recipe's header comment, after Hydra's own `# @package`."""
    lines = (line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#"))
    return next((line for line in lines if line and not line.startswith("@")), "")
