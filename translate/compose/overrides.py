"""The words of the command line, `KEY=VALUE` in Hydra's grammar: parsed, checked, and a sweep expanded into the words of each run.

A recipe may be given as the path of its file; test sets may be added by name.
"""

from __future__ import annotations

import itertools
import math
import re
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translate.compose.recipe_files import GROUPS, SUFFIXES, choices, find
from translate.compose.recipe_reader import HYDRA, TARGET
from translate.config import Config
from translate.errors import UserError
from translate.values import find_fault

MOST_RUNS = 1000  # of a sweep
TEST_SETS = re.compile(r"data\.test(\.(?P<name>[^.]+)(\.(?P<field>\w+))?)?$")


@dataclass
class Words:
    """A parsed command line. runs: the overrides of each run, as Hydra has them; swept: the texts that differ between runs."""

    user_folder: Path | None  # the folder of --config-dir
    runs: list[list[Any]]
    swept: list[list[str]]
    recipes: dict[str, Path]  # recipes given as a path: name -> file


def parse_words(options: dict[str, str], overrides: list[str]) -> Words:
    """Parse the overrides and expand the sweep. UserError for words that make no sense."""
    user_folder = None
    if "--config-dir" in options:
        user_folder = Path(options["--config-dir"]).expanduser()
        if not user_folder.is_dir():
            raise UserError(f"--config-dir {options['--config-dir']}: the folder was not found")
    words = Words(user_folder, [], [], {})
    for word in filter(lambda word: word.startswith("recipe="), overrides):  # first: its folder may hold groups that other words choose from
        parse(word, words, "--multirun" in options)
    parsed = [parse(word, words, "--multirun" in options) for word in overrides]
    keys = [override.key_or_group for override in parsed]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise UserError(f"{twice} is given twice: {' '.join(word for word, key in zip(overrides, keys) if key == twice)}")
    if "recipe" not in keys:
        raise UserError(f"no recipe is given: add recipe=NAME, one of {', '.join(choices('recipe', user_folder))}")
    values = [values_of(override, user_folder) for override in parsed]
    if (count := math.prod(map(len, values))) > MOST_RUNS:
        raise UserError(f"the sweep has {'at least ' if max(map(len, values)) > MOST_RUNS else ''}{count:,} runs: at most {MOST_RUNS:,} go together")
    for chosen in itertools.product(*values):
        words.runs.append([parse(text, words, True) if len(each) > 1 else override for text, each, override in zip(chosen, values, parsed)])
        words.swept.append([text for text, each in zip(chosen, values) if len(each) > 1])
    return words


def parse(word: str, words: Words, many: bool) -> Any:
    """One KEY=VALUE, parsed and checked. A recipe that is given as a path is put into `words.recipes`, and its name takes the path's place."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key, equals, value = word.partition("=")
    if key == "recipe" and value.endswith(SUFFIXES) and Path(value).expanduser().is_file():  # Hydra's grammar doesn't allow all paths
        word = recipe_path(value, words)
    if value.startswith("~") and not re.search(r"['\",]", value):
        word = f"{key}='{value}'"
    if not key.strip("+~"):
        raise UserError(f"{word!r} is not KEY=VALUE")
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        if not equals and not word.startswith("~"):
            known = word in choices("recipe", words.user_folder) or word.endswith(SUFFIXES)
            raise UserError(f"{word!r} is not KEY=VALUE: write {f'recipe={word}' if known else f'{word}=VALUE'}") from None
        hint = f"\"{key}='{value}'\"" if "'" not in value else "\"KEY='VALUE'\""
        raise UserError(f"{word!r} can't be read as KEY=VALUE: put a value with special characters in quotes, {hint}") from None
    check_override(word, override, words, many)
    key = override.key_or_group
    if key == "recipe" and not override.is_sweep_override():
        chosen = override.value()
        if override.is_delete() or override.is_add() or not isinstance(chosen, str):
            raise UserError(f"{word}: give one recipe, recipe=NAME; with -m several, one after the other: recipe=NAME,NAME")
        if chosen.endswith(SUFFIXES) or (
            chosen not in words.recipes and not find("recipe", chosen, words.user_folder) and re.search(r"[/\\]|^[~.]", chosen)
        ):
            return parse(recipe_path(chosen, words), words, many)
    return override


def check_override(word: str, override: Any, words: Words, many: bool) -> None:
    """UserError for a word that makes no sense, or that reaches beyond the settings. many: a sweep is allowed."""
    key, value = override.key_or_group, word.partition("=")[2]
    if re.split(r"[./]", key)[0] == "hydra" or "hydra" in (override.package or "").split("."):
        raise UserError(f"{word}: settings of Hydra can't be given: {HYDRA}")
    if override.package is not None:
        raise UserError(f"{word}: a choice can't be put elsewhere: write {key}=CHOICE")
    if TARGET in key.split(".") or TARGET in keys_in(override.value()):
        raise UserError(f"{word}: `{TARGET}` names code to run: it is not allowed in a configuration")
    if override.is_sweep_override() and not many:
        if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", value):
            raise UserError(f"{word}: write the number without commas, {key}={value.replace(',', '')}; with -m it is a list, one run each")
        hint = f"or, if the comma is part of the value, quote it: \"{key}='{value}'\""
        raise UserError(f"{word} has a comma: add -m to train one after the other, {hint}" if "," in value else f"{word} is a sweep: add -m")
    if re.search(r",0\d*(,|$)", value) and re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", value):
        raise UserError(f"{word}: write the number without commas, {key}={value.replace(',', '')}")
    if not override.is_sweep_override() and not override.is_delete() and (found := fault_of(key, override.value(), words.user_folder)):
        raise UserError(found)
    if override.is_delete() and "." in key and not TEST_SETS.match(key):
        raise UserError(f"{word}: a setting can't be dropped, only given another value: {key}=VALUE; ~data.test.NAME drops a test set")
    if override.is_delete() and key == "data.test":
        raise UserError(f"{word}: ~data.test.NAME drops a test set, one at a time")


def fault_of(key: str, value: Any, user_folder: Path | None) -> str | None:
    """What is wrong with a value for this key; None where that can't be told here: an item of a list, a group's choice."""
    parts = key.split(".")
    if (
        key in (*GROUPS, "recipe")
        or (user_folder and (user_folder / key).is_dir() and key not in typing.get_type_hints(Config))
        or any(part.isdecimal() or not part.isidentifier() for part in parts)
    ):
        return None
    for part in reversed(parts):
        value = {part: value}
    found = find_fault(value, Config, known=["recipe"])
    return found[1] if found else None


def recipe_path(text: str, words: Words) -> str:
    """`recipe=NAME` for the path of a file, with or without .yaml."""
    path = Path(text).expanduser()
    found = [each for each in (path, *(Path(f"{path}{suffix}") for suffix in SUFFIXES)) if each.suffix in SUFFIXES and each.is_file()]
    if not found:
        name = path.stem
        known = choices("recipe", words.user_folder)
        hint = f"did you mean recipe={name}?" if name in known else f"recipe=NAME takes one of {', '.join(known)}"
        raise UserError(f"recipe={text}: there is no such .yaml or .yml file; {hint}")
    name = re.sub(r"[^\w.+-]", "_", found[0].stem)
    while words.recipes.get(name, found[0]) != found[0]:
        name += "_"
    words.recipes[name] = found[0]
    if words.user_folder is None:  # as with --config-dir, it can build on its neighbours
        folder = found[0].absolute().parent
        words.user_folder = folder.parent if folder.name == "recipe" else None
    return f"recipe='{name}'"


def keys_in(value: Any) -> set[str]:
    """Every key of the mappings in a value of the command line."""
    if isinstance(value, dict):
        return {str(key) for key in value} | {key for each in value.values() for key in keys_in(each)}
    parts = value if isinstance(value, list) else getattr(value, "list", None) or []
    return {key for each in parts for key in keys_in(each)}


def values_of(override: Any, user_folder: Path | None) -> list[str]:
    """The words that an override stands for: itself, or one for each value of a sweep."""
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
        raise UserError(f"{override.input_line}: an interval is not a list of values: write, {key}=VALUE,VALUE")
    words = [f"{key}={text}" for text in itertools.islice(override.sweep_string_iterator(), MOST_RUNS + 1)]
    if not words:
        raise UserError(f"{override.input_line} has no value")
    if twice := next((word for word in words if words.count(word) > 1), None):
        raise UserError(f"{override.input_line}: {twice} is given twice")
    return words


def adds_test_set(override: Any) -> bool:
    return not override.is_delete() and TEST_SETS.match(override.key_or_group) is not None


def test_set(override: Any) -> dict[str, Any]:
    """{name: {field: value}} of `data.test.NAME={...}`, with or without +. UserError for any other form."""
    found, value = TEST_SETS.match(override.key_or_group), override.value()
    name, field = (found["name"], found["field"]) if found else (None, None)
    if name and field:
        return {name: {field: value}}
    if value == {} and not name:
        raise UserError(f"{override.input_line} changes nothing: ~data.test.NAME drops a test set")
    if not isinstance(value, dict):
        raise UserError(f"{override.input_line}: a test set is a corpus, such as data.test.NAME='{{kind: text, source: a.de, target: a.en}}'")
    return {name: value} if name else value
