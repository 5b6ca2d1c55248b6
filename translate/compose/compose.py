"""The arguments of `translate train` and `check` -> checked configurations, one per run; `load_recipe` for Python."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from translate.compose.overrides import CommandLine, parse_command_line
from translate.compose.session import composed
from translate.config import Config, check_budget, from_dict
from translate.errors import UserError
from translate.values import flatten

NAME_LENGTH = 120  # characters of a folder's name that sweep values may fill; file systems take 255 bytes


@dataclass
class Job:
    """One run of a command: its settings, the overrides that differ between the runs of a sweep, and a name for messages."""

    config: Config
    swept: list[str]
    label: str


def jobs(options: dict[str, str], overrides: list[str]) -> list[Job]:
    """The runs of a command line, all composed and checked; several only with --multirun. UserError for the first mistake."""
    command_line = parse_command_line(options, overrides)
    many = len(command_line.runs) > 1
    result = []
    for number, (run, swept) in enumerate(zip(command_line.runs, command_line.swept), start=1):
        label = f"run {number} of {len(command_line.runs)} ({' '.join(swept)})" if many else ""
        try:
            result.append(Job(to_config(run, command_line, number), swept, label))
        except UserError as error:
            raise UserError(f"{label}: {error}" if many else str(error)) from error
    if "--multirun" in options:
        name_folders(result, command_line)
    return result


def load_recipe(name: str | os.PathLike[str], *settings: str, folder: str | os.PathLike[str] | None = None) -> Config:
    """The checked configuration of a recipe, as `translate train recipe=NAME SETTINGS` would train it.

    name: a recipe of the package or in `folder`/recipe, or the path of a .yaml file. settings: such as "model=tiny" or "training.minutes=1".
    folder: has your own recipes and choices of groups, as --config-dir. UserError for an unknown name or setting, or an invalid value.
    """
    options = {} if folder is None else {"--config-dir": os.fspath(folder)}
    return jobs(options, [f"recipe={os.fspath(name)}", *settings])[0].config


def to_config(run: Sequence[Any], command_line: CommandLine, number: int) -> Config:
    """The checked settings of one run."""
    from omegaconf import OmegaConf

    with composed(run, command_line, number) as config:
        plain = OmegaConf.to_container(config, resolve=False)
        for key, text in flatten(plain).items():
            for name in re.findall(r"\$\{([\w.]+)\}", text) if isinstance(text, str) else ():
                if text != f"${{{name}}}" and OmegaConf.select(config, name) is None and OmegaConf.select(config, name, default=0) is None:
                    raise UserError(f"{key} is {text!r}, but {name} is null: set {name}=VALUE")
        result = check_budget(from_dict(OmegaConf.to_container(config, resolve=True, throw_on_missing=True)))
    result.run = os.path.expanduser(result.run)
    if result.run.startswith("~"):
        raise UserError(f"run is {result.run}: no user has that name; for a folder of that name write run=./{result.run}")
    return result


def name_folders(jobs: Sequence[Job], command_line: CommandLine) -> None:
    """Append the values that differ to the name of each run's folder, unless `run` differs already."""
    given = any(override.key_or_group == "run" for override in command_line.runs[0])
    if given and len({job.config.run for job in jobs}) == len(jobs):
        return
    named = [[text for text in swept if not text.startswith(("run=",) if given else ("run=", "recipe="))] for swept in command_line.swept]
    names = [re.sub(r"[^\w.,=+-]", "_", ",".join(parts)) for parts in named]
    paths = [(job.config.run, name) for job, name in zip(jobs, names)]
    for job, parts, (folder, name) in zip(jobs, named, paths):
        if len(name) > NAME_LENGTH or paths.count((folder, name)) > 1:
            name = f"{name[:NAME_LENGTH]},{hashlib.sha256(','.join(parts).encode()).hexdigest()[:8]}"
        job.config.run = f"{folder},{name}" if name else folder
