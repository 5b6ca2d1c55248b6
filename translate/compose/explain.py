"""Translates an error of Hydra or OmegaConf into one line: its file and line or argument, what is wrong, what to do."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from translate.compose.recipe_files import GROUPS
from translate.compose.recipe_reader import RecipeFile
from translate.config import Config
from translate.values import describe_type, hints_of, inner_keys, short_repr, unknown_key

KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}  # OmegaConf's names of types


def explain(error: Exception, files: Mapping[tuple[str, str], RecipeFile], words: Sequence[str]) -> str:
    """The message for `error`. files: those that were composed, by group and name. words: the overrides of the command line."""
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

    text = str(error)
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__ or error.__context__
    if match := re.match(r"Could not delete from config\. '([^']+)'", text) or re.match(r"Could not delete '?([^'\s]+)'?\.", text):
        return f"~{match[1]}: there is no {match[1]} in the configuration"
    if match := re.match(r"Could not append to config\. An item is already at '([^']+)'", text):
        return f"{match[1]} has a value already: leave out the +"
    if match := re.match(r"In '([^']*)': Override '?([\w/@.]+)", text):
        return f"{location_of(match[1], files)}there is no group {match[2]} to override: groups are {', '.join(GROUPS)}"
    if match := re.match(r"(?:In '([^']*)': )?Could not override '([^']+)'\.\s*No match in the defaults list", text, re.DOTALL):
        return f"{location_of(match[1], files)}there is no group {match[2]} to override: groups are {', '.join(GROUPS)}"
    if not isinstance(cause, OmegaConfBaseException):
        return one_line(text)
    section = re.search(r"(\w+) is not a subclass of (\w+)Config\. value: (.*)", str(cause))
    key = section[2].lower() if section else str(cause.full_key or "")
    where = location_of(text, files, key) or argument_of(text, words, always=bool(section))
    if section:
        return f"{where}{key} must be a mapping of settings, not {section[3]}" if section[3] != "{}" else f"{where}there is no such item in the list"
    if isinstance(cause, (ConfigKeyError, ConfigAttributeError)) and cause.key is not None:
        return where + unknown(cause)
    return where + about(cause)


def location_of(text: str, files: Mapping[tuple[str, str], RecipeFile], key: str = "") -> str:
    """`FILE, line N: ` for the file that Hydra's message begins with (`In 'recipe/mine': ...`); "" if it names none."""
    match = re.match(r"(?:In '(?P<quoted>[^']+)'|(?P<bare>[\w./-]+)$)", text or "")
    group, _, name = (match["quoted"] or match["bare"]).rpartition("/") if match else ("", "", "")
    file = files.get((group, name.removesuffix(".yaml")))
    if file is None:
        return ""
    inside = key if file.package == "_global_" else key.partition(".")[2]
    return f"{file.location(inside)}: "


def argument_of(text: str, words: Sequence[str], always: bool) -> str:
    """`ARGUMENT: ` for the argument that Hydra's message names, unless our message names its key and value anyway."""
    match = re.match(r"Error merging override (.*)", text)
    return f"{match[1]}: " if match and match[1] in words and (always or re.search(r"[{\[]", match[1])) else ""


def unknown(cause: Any) -> str:
    """The message for a key that does not exist, with a suggestion."""
    kind: Any = cause.object_type if dataclasses.is_dataclass(cause.object_type) else None
    at, key = str(cause.full_key or "").rpartition(".")[0], str(cause.key)
    if kind is None:
        return f"unknown key {cause.full_key or key}"
    if not at and kind is not Config:  # an item of a list
        at = str(kind.__name__).removesuffix("Config").lower()
    hints = hints_of(kind)
    return unknown_key(at, key, [*hints, "recipe"] if kind is Config else hints, inner_keys(hints))


def about(cause: Any) -> str:
    """The message for an invalid value, or for a reference that can't be resolved."""
    from omegaconf import ListConfig
    from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue, ValidationError

    key, message = str(cause.full_key or ""), one_line(str(cause.msg or cause).partition("\n")[0])
    if isinstance(cause, MissingMandatoryValue):
        key = key or message.rpartition(" ")[2]
        return f"{key} is not set: add {key}=VALUE"
    if match := re.search(r"Unsupported interpolation type ([\w.]+)", message):
        hint = "write the value itself; on the command line the shell can put it in, KEY=$NAME" if match[1] == "oc.env" else "write the value itself"
        return f"{key + ': ' if key else ''}${{{match[1]}:...}} is not allowed in a configuration: {hint}"
    if match := re.search(r"Interpolation key '([^']*)' not found", message):
        return f"{key} refers to ${{{match[1]}}}, which does not exist"
    if isinstance(cause, InterpolationResolutionError):
        if "Recursive interpolation" in message:
            return f"{key} refers to itself"
        reference = re.search(r"\$\{[^']*\}", message)
        wrong = re.search(r"Value '(.*)' of type '\w+' could not be converted to (\w+)", message)
        why = f"which is {wrong[1]}: {KINDS.get(wrong[2], wrong[2])} is needed" if wrong else "which is not a value for it"
        return f"{key} refers to {reference[0]}, {why}" if reference else f"{key} has a reference ${{...}} that can't be resolved"
    if isinstance(cause, ValidationError) and dataclasses.is_dataclass(cause.object_type) and cause.key is not None and cause.value is not None:
        value = cause.value._content if isinstance(cause.value, ListConfig) else cause.value
        kind = hints_of(cause.object_type).get(str(cause.key), object)
        hint = "; start each item with `-`" if typing.get_origin(kind) is list and isinstance(value, dict) else ""
        return f"{key} is {short_repr(plain(value))}: it must be {describe_type(kind)}{hint}"
    return f"{key + ': ' if key else ''}{message}"


def plain(value: Any) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value


def one_line(text: str) -> str:
    return " ".join(text.split())
