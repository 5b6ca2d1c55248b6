"""Finds the files of recipes and of the groups' choices: those of `--config-dir DIR` first, then the package's `conf/` and `recipes/`.

Imports nothing heavy, for help and tab completion. recipe_reader.py reads the files.
"""

from __future__ import annotations

from pathlib import Path

from translate.errors import UserError
from translate.values import suggestion

GROUPS = ("data", "tokenizer", "model", "optim", "training", "decoding")
SUFFIXES = (".yaml", ".yml")


def shipped(name: str) -> Path:
    """The folder `conf` or `recipes`: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise UserError(f"{package / name} is missing: install translate-nmt again")


def folders(group: str, user_folder: Path | None = None) -> list[Path]:
    """The folders with the files of `group`, the user's first; `conf/` itself for "", the primary configuration, which is always the package's."""
    own = [user_folder / group] if user_folder and group else []
    return [folder for folder in [*own, shipped("recipes") if group == "recipe" else shipped("conf") / group] if folder.is_dir()]


def choices(group: str, user_folder: Path | None = None) -> list[str]:
    """The names that `group` can be set to."""
    names = {
        path.relative_to(folder).with_suffix("") for folder in folders(group, user_folder) for path in folder.rglob("*") if path.suffix in SUFFIXES
    }
    return sorted(name.as_posix() for name in names)


def find(group: str, name: str, user_folder: Path | None = None) -> Path | None:
    """The file of a choice, or None. UserError if two files have its name."""
    for folder in folders(group, user_folder):
        files = [path for path in (folder / f"{name}{suffix}" for suffix in SUFFIXES) if path.is_file()]
        if len(files) > 1:
            raise UserError(f"{group}={name} is both {files[0]} and {files[1].name}: remove one of them")
        if files:
            return files[0]
    return None


def unknown_choice(group: str, name: str, user_folder: Path | None = None) -> str:
    """The message for a choice that does not exist."""
    known = choices(group, user_folder)
    if not known:
        return f"there is no group {group}: {suggestion(group, GROUPS) or 'groups are ' + ', '.join(GROUPS)}"
    own_file = "; a file of your own: recipe=PATH/NAME.yaml" if group == "recipe" else ""
    return f"{group}={name} is unknown: {suggestion(name, known)} choose one of {', '.join(known)}{own_file}".replace(":  ", ": ")
