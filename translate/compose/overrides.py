"""Parses and checks the overrides of the command line, `KEY=VALUE` in Hydra's grammar, and expands a sweep into its runs.

A recipe may be the path of a file; test sets may be added by name.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translate.compose.recipe_files import GROUPS, SUFFIXES, choices, find
from translate.compose.recipe_reader import HYDRA, TARGET
from translate.config import Config
from translate.errors import UserError
from translate.values import find_error, hints_of

MOST_RUNS = 1000  # of a sweep
TEST_SETS = re.compile(r"data\.test(\.(?P<name>[^.]+)(\.(?P<field>\w+))?)?$")


@dataclass
class CommandLine:
    """A parsed command line. runs: Hydra's overrides of each run; swept: those that differ between runs, as text."""

    user_folder: Path | None  # the folder of --config-dir
    runs: list[list[Any]]
    swept: list[list[str]]
    recipes: dict[str, Path]  # recipes given as a path: name -> file


def parse_command_line(options: dict[str, str], overrides: list[str]) -> CommandLine:
    """Parse the overrides and expand the sweep. UserError for invalid overrides."""
    user_folder = None
    if "--config-dir" in options:
        user_folder = Path(options["--config-dir"]).expanduser()
        if not user_folder.is_dir():
            raise UserError(f"--config-dir {options['--config-dir']}: the folder was not found")
    command_line = CommandLine(user_folder, [], [], {})
    for word in filter(lambda word: word.startswith("recipe="), overrides):  # first: its folder may have groups that other overrides choose from
        parse(word, command_line, "--multirun" in options)
    parsed = [parse(word, command_line, "--multirun" in options) for word in overrides]
    keys = [override.key_or_group for override in parsed]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise UserError(f"{twice} is given twice: {' '.join(word for word, key in zip(overrides, keys) if key == twice)}")
    if "recipe" not in keys:
        raise UserError(f"no recipe is given: add recipe=NAME, one of {', '.join(choices('recipe', user_folder))}")
    values = [values_of(override, user_folder) for override in parsed]
    if (count := math.prod(map(len, values))) > MOST_RUNS:
        raise UserError(f"the sweep has {'at least ' if max(map(len, values)) > MOST_RUNS else ''}{count:,} runs: at most {MOST_RUNS:,} are allowed")
    for chosen in itertools.product(*values):
        overrides_of_run = zip(chosen, values, parsed)
        command_line.runs.append([parse(text, command_line, True) if len(texts) > 1 else override for text, texts, override in overrides_of_run])
        command_line.swept.append([text for text, texts in zip(chosen, values) if len(texts) > 1])
    return command_line


def parse(word: str, command_line: CommandLine, many: bool) -> Any:
    """Parse and check one KEY=VALUE. A recipe given as a path is added to `command_line.recipes` and replaced by its name."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key, equals, value = word.partition("=")
    if key == "recipe" and value.endswith(SUFFIXES) and Path(value).expanduser().is_file():  # Hydra's grammar doesn't allow all paths
        word = recipe_path(value, command_line)
    if value.startswith("~") and not re.search(r"['\",]", value):
        word = f"{key}='{value}'"
    if not key.strip("+~"):
        raise UserError(f"{word!r} is not KEY=VALUE")
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        if not equals and not word.startswith("~"):
            known = word in choices("recipe", command_line.user_folder) or word.endswith(SUFFIXES)
            raise UserError(f"{word!r} is not KEY=VALUE: write {f'recipe={word}' if known else f'{word}=VALUE'}") from None
        hint = f"\"{key}='{value}'\"" if "'" not in value else "\"KEY='VALUE'\""
        raise UserError(f"{word!r} can't be read as KEY=VALUE: put a value with special characters in quotes, {hint}") from None
    check_override(word, override, command_line, many)
    key = override.key_or_group
    if key == "recipe" and not override.is_sweep_override():
        chosen = override.value()
        if override.is_delete() or override.is_add() or not isinstance(chosen, str):
            raise UserError(f"{word}: give one recipe, recipe=NAME; with -m several, one after the other: recipe=NAME,NAME")
        if chosen.endswith(SUFFIXES) or (
            chosen not in command_line.recipes and not find("recipe", chosen, command_line.user_folder) and re.search(r"[/\\]|^[~.]", chosen)
        ):
            return parse(recipe_path(chosen, command_line), command_line, many)
    return override


def check_override(word: str, override: Any, command_line: CommandLine, many: bool) -> None:
    """UserError for an override that is invalid or changes more than settings. many: a sweep is allowed."""
    key, value = override.key_or_group, word.partition("=")[2]
    if re.split(r"[./]", key)[0] == "hydra" or "hydra" in (override.package or "").split("."):
        raise UserError(f"{word}: settings of Hydra can't be given: {HYDRA}")
    if override.package is not None:
        raise UserError(f"{word}: a choice can't be moved: write {key}=CHOICE")
    if TARGET in key.split(".") or TARGET in keys_in(override.value()):
        raise UserError(f"{word}: `{TARGET}` names code to run: it is not allowed in a configuration")
    if override.is_sweep_override() and not many:
        if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", value):
            raise UserError(f"{word}: write the number without commas, {key}={value.replace(',', '')}; with -m it is a list, one run each")
        hint = f"or, if the comma is part of the value, quote it: \"{key}='{value}'\""
        raise UserError(f"{word} has a comma: add -m to train one after the other, {hint}" if "," in value else f"{word} is a sweep: add -m")
    if re.search(r",0\d*(,|$)", value) and re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", value):
        raise UserError(f"{word}: write the number without commas, {key}={value.replace(',', '')}")
    if not override.is_sweep_override() and not override.is_delete() and (message := value_error(key, override.value(), command_line.user_folder)):
        raise UserError(message)
    if override.is_delete() and "." in key and not TEST_SETS.match(key):
        raise UserError(f"{word}: a setting can't be deleted, only set to another value: {key}=VALUE; ~data.test.NAME drops a test set")
    if override.is_delete() and key == "data.test":
        raise UserError(f"{word}: ~data.test.NAME drops a test set, one at a time")


def value_error(key: str, value: Any, user_folder: Path | None) -> str | None:
    """The message for a wrong key or value. None if it is right, or can't be checked here: an item of a list, a group's choice."""
    parts = key.split(".")
    if (
        key in (*GROUPS, "recipe")
        or (user_folder and (user_folder / key).is_dir() and key not in hints_of(Config))
        or any(part.isdecimal() or not part.isidentifier() for part in parts)
    ):
        return None
    for part in reversed(parts):
        value = {part: value}
    error = find_error(value, Config, known=["recipe"])
    return error[1] if error else None


def recipe_path(text: str, command_line: CommandLine) -> str:
    """`recipe=NAME` for the path of a file, with or without .yaml."""
    path = Path(text).expanduser()
    candidates = (path, *(Path(f"{path}{suffix}") for suffix in SUFFIXES))
    file = next((candidate for candidate in candidates if candidate.suffix in SUFFIXES and candidate.is_file()), None)
    if file is None:
        name = path.stem
        known = choices("recipe", command_line.user_folder)
        hint = f"did you mean recipe={name}?" if name in known else f"recipe=NAME takes one of {', '.join(known)}"
        raise UserError(f"recipe={text}: there is no such .yaml or .yml file; {hint}")
    name = re.sub(r"[^\w.+-]", "_", file.stem)
    while command_line.recipes.get(name, file) != file:
        name += "_"
    command_line.recipes[name] = file
    if command_line.user_folder is None:  # as with --config-dir, it can build on the files beside it
        folder = file.absolute().parent
        command_line.user_folder = folder.parent if folder.name == "recipe" else None
    return f"recipe='{name}'"


def keys_in(value: Any) -> set[str]:
    """Every key of the mappings in a value of the command line."""
    if isinstance(value, dict):
        return {str(key) for key in value} | {key for item in value.values() for key in keys_in(item)}
    items = value if isinstance(value, list) else getattr(value, "list", None) or []
    return {key for item in items for key in keys_in(item)}


def values_of(override: Any, user_folder: Path | None) -> list[str]:
    """The override as text; with a sweep, one text for each value."""
    from hydra.core.override_parser.types import Glob

    if not override.is_sweep_override():
        return [override.input_line]
    key, value = override.get_key_element(), override.value()
    if isinstance(value, Glob):
        names = value.filter(choices(override.key_or_group, user_folder))
        if not names:
            raise UserError(f"{override.input_line} matches none of {', '.join(choices(override.key_or_group, user_folder))}")
        return [f"{key}={name}" for name in names]
    if not override.is_discrete_sweep():
        raise UserError(f"{override.input_line}: an interval is not a list of values: write {key}=VALUE,VALUE")
    texts = [f"{key}={text}" for text in itertools.islice(override.sweep_string_iterator(), MOST_RUNS + 1)]
    if not texts:
        raise UserError(f"{override.input_line} has no value")
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        raise UserError(f"{override.input_line}: {twice} is given twice")
    return texts


def adds_test_set(override: Any) -> bool:
    return not override.is_delete() and TEST_SETS.match(override.key_or_group) is not None


def test_set(override: Any) -> dict[str, Any]:
    """{name: {field: value}} of `data.test.NAME={...}`, with or without +. UserError for any other form."""
    match, value = TEST_SETS.match(override.key_or_group), override.value()
    name, field = (match["name"], match["field"]) if match else (None, None)
    if name and field:
        return {name: {field: value}}
    if value == {} and not name:
        raise UserError(f"{override.input_line} changes nothing: ~data.test.NAME drops a test set")
    if not isinstance(value, dict):
        raise UserError(f"{override.input_line}: a test set is a corpus, such as data.test.NAME='{{kind: text, source: a.de, target: a.en}}'")
    return {name: value} if name else value
