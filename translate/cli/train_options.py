"""The options of `translate train` and `check`: the part of Hydra's command line that is supported."""

from __future__ import annotations

import argparse

from translate.cli.parser import reject_repeat
from translate.config import Config
from translate.errors import UserError
from translate.values import hints_of, inner_keys, suggestion

OPTIONS = {"--config-dir": "DIR", "--multirun": None, "--cfg": "job", "--package": "KEY", "--resolve": None, "--info": "defaults-tree"}
SHORT = {"-m": "--multirun", "-c": "--cfg", "-p": "--package", "-i": "--info", "-cd": "--config-dir"}
SHOWS = {"--cfg": ("job",), "--info": ("defaults-tree", "defaults", "searchpath", "config")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """For tab completion only: `split` parses the arguments, since options may be anywhere among them."""
    from translate.cli.completion import complete_word

    for name, metavar in OPTIONS.items():
        short = [short for short, long in SHORT.items() if long == name]
        if metavar:
            parser.add_argument(name, *short, metavar=metavar, choices=SHOWS.get(name))
        else:
            parser.add_argument(name, *short, action="store_true")
    words = parser.add_argument("words", nargs="*", metavar="KEY=VALUE")
    words.completer = complete_word  # type: ignore[attr-defined]  # argcomplete's own attribute


def split(argv: list[str]) -> tuple[dict[str, str], list[str]]:
    """Options with their values, and the other arguments. UserError for an option that is unknown, given twice or lacks its value."""
    options: dict[str, str] = {}
    spellings: dict[str, str] = {}
    rest: list[str] = []
    remaining = list(argv)
    while remaining:
        word = remaining.pop(0)
        if word == "--":
            continue
        if not word.startswith("-"):
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        spelling, name = name, SHORT.get(name, name)
        if name not in OPTIONS:
            raise UserError(f"unknown option {word}: {hint_for(name, value or ''.join(remaining[:1]))}")
        spellings[name] = reject_repeat(spellings.get(name, ""), spelling)
        if OPTIONS[name] is None:
            if equals:
                raise UserError(f"{name} takes no value")
        elif name == "--info" and not equals and (not remaining or "=" in remaining[0] or remaining[0].startswith("-")):  # its value is optional
            value = "defaults-tree"
        else:
            value = value if equals else remaining.pop(0) if remaining else ""
            if not value:
                raise UserError(f"{name} needs a value, {name} {OPTIONS[name]}")
        options[name] = value
    return checked(options), rest


def hint_for(option: str, value: str) -> str:
    """What to write in place of an unknown option: a setting is KEY=VALUE, without dashes."""
    name, hints = option.lstrip("-").replace("-", "_"), hints_of(Config)
    keys = [key for key in ("recipe", *hints, *inner_keys(hints)) if name in (key, key.rpartition(".")[2])]
    if keys:
        return "write " + " or ".join(f"{key}={value or 'VALUE'}" for key in keys)
    near = suggestion(option, OPTIONS)
    return f"{near + ' ' if near else ''}see `translate train --help`"


def checked(options: dict[str, str]) -> dict[str, str]:
    """Return the options; UserError for one without effect."""
    for name, allowed in SHOWS.items():
        if name in options and options[name] not in allowed:
            raise UserError(f"{name} takes {' or '.join(allowed)}, not {options[name] or 'nothing'}")
    for name in ("--package", "--resolve"):
        if name in options and "--cfg" not in options:
            raise UserError(f"{name} needs --cfg job")
    shows = [name for name in ("--cfg", "--info") if name in options]
    if len(shows) > 1:
        raise UserError("--cfg and --info can't be combined: each prints something and exits")
    if shows and "--multirun" in options:
        raise UserError(f"{shows[0]} shows one configuration: leave out -m")
    return options
