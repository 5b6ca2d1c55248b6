"""`translate completion bash|zsh|fish`: tab completion, for commands, options, recipes, groups with their choices, and keys with their values.

argcomplete provides the shell code. The shell runs `translate` at each TAB, so import nothing heavy here.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from translate.bounds import bounds_of
from translate.compose.recipe_files import GROUPS, SUFFIXES, choices
from translate.config import Config
from translate.values import flatten, to_values

HELP = "Print the code that makes tab completion work in bash, zsh or fish."
SHELLS = ("bash", "zsh", "fish")
EXAMPLES = """\
examples:
  translate completion bash >> ~/.bashrc
  translate completion zsh >> ~/.zshrc                                           below the line with compinit
  translate completion fish > ~/.config/fish/completions/translate.fish
"""
PATHS = ("run", "data.folder", "data.cache", "tokenizer.path", "init.from", "init.encoder", "init.decoder")  # settings whose value is a path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}")


def run(arguments: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    print(shellcode(["translate"], shell=arguments.shell))
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Print completions and exit if a shell asks for them; otherwise return."""
    import argcomplete

    argcomplete.autocomplete(parser, always_complete_options=False)


def complete_word(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Completions of an argument of `train` or `check`: KEY= first, KEY=VALUE after the `=`. argcomplete passes the parameters by name."""
    user_folder = Path(parsed_args.config_dir).expanduser() if getattr(parsed_args, "config_dir", None) else None
    defaults: dict[str, Any] = flatten(to_values(Config()))
    key, equals, value = prefix.partition("=")
    if not equals:
        keys = [key for key in defaults if not key.startswith(("data.train", "data.validation", "data.test"))]
        return [f"{word}=" for word in ("recipe", *GROUPS, *keys)]
    before, comma = value.rpartition(",")[:2]  # of a sweep: model=tiny,sm
    return [f"{key}={before}{comma}{choice}" for choice in values(key, value[len(before + comma) :], user_folder, defaults)]


def values(key: str, prefix: str, user_folder: Path | None, defaults: dict[str, Any]) -> list[str]:
    if key == "recipe":
        return [*choices("recipe", user_folder), *paths(prefix, SUFFIXES)]
    if key in GROUPS:
        return choices(key, user_folder)
    if key in PATHS:
        return paths(prefix)
    if isinstance(defaults.get(key), bool):
        return ["true", "false"]
    return ["auto", "cpu", "cuda"] if key == "training.device" else list(bounds_of(Config, key).choices)


def paths(prefix: str, suffixes: tuple[str, ...] = ()) -> list[str]:
    """What the folder of `prefix` holds: folders, with a final `/`, and files with one of `suffixes` (no suffixes: all files)."""
    folder = os.path.dirname(prefix)
    try:
        entries = sorted(Path(folder or ".").expanduser().iterdir())
    except OSError:
        return []
    visible = [path for path in entries if not path.name.startswith(".") and (path.is_dir() or not suffixes or path.suffix in suffixes)]
    return [os.path.join(folder, path.name) + ("/" if path.is_dir() else "") for path in visible]
