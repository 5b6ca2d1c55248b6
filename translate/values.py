"""Plain values, as in YAML and JSON, to dataclasses and back, and their form in messages. Independent of the actual settings."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from translate.errors import UserError

T = TypeVar("T")
CUTOFF = 0.7  # difflib's ratio: `knid` is close to `kind` (0.75), `init` to nothing


def build(values: Any, kind: type[T], at: str = "") -> T:
    """A dataclass `kind` from plain values, as read from YAML. UserError for an unknown key or a wrong type."""
    if not isinstance(values, dict):
        raise UserError(f"{at or 'the configuration'} must be a mapping, not {short_repr(values)}")
    hints = typing.get_type_hints(kind)
    for key in values:
        if key not in hints:
            raise UserError(unknown_key(at, str(key), hints))
    return kind(**{key: _convert(value, hints[key], f"{at}.{key}" if at else key) for key, value in values.items()})


def unknown_key(at: str, key: str, known: Any) -> str:
    """The message for a key that does not exist, with a suggestion or all known keys."""
    hint = suggestion(key, known) or f"known are {', '.join(known)}"
    key = key if len(key) <= 200 else f"{key[:199]}…"
    return f"unknown key {at + '.' if at else ''}{key}: {hint}"


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean X?` if `word` is probably a typo of one of `known`, else ""."""
    matches = difflib.get_close_matches(word.casefold(), list(known), n=1, cutoff=CUTOFF)
    return f"did you mean {matches[0]}?" if matches else ""


def _convert(value: Any, hint: Any, at: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:  # Optional[X]
        return None if value is None else _convert(value, arguments[0], at)
    if origin is list:
        if not isinstance(value, list):
            raise UserError(f"{at} must be a list, not {short_repr(value)}")
        return [_convert(item, arguments[0], f"{at}[{index}]") for index, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise UserError(f"{at} must be a mapping, not {short_repr(value)}")
        return {str(key): _convert(item, arguments[1], f"{at}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(value, hint, at)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise UserError(f"{at} is {short_repr(value)}: it is too large") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{at} is {short_repr(value)}: it must be of type {hint.__name__}")
    return value


def find_error(values: Any, hint: Any, at: str = "", known: Sequence[str] = ()) -> tuple[str, str] | None:
    """The first error in values that override all or some of a `hint` (a dataclass or a type), as (key, message); None without errors.

    As lenient as OmegaConf: "8" is also a number, a number is also a string, and `${...}` may be anything. `known`: more keys for messages.
    """
    if isinstance(values, str) and ("${" in values or values == "???"):
        return None
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:  # Optional[X]
        error = None if values is None else find_error(values, arguments[0], at)
        return (error[0], f"{error[1]} or null") if error else None
    if origin is list:
        if not isinstance(values, list):
            start = "; start each item with `- `" if isinstance(values, dict) else ""
            return at, f"{at} must be a list, not {short_repr(values)}{start}"
        return next(filter(None, (find_error(item, arguments[0], f"{at}[{number}]") for number, item in enumerate(values))), None)
    if origin is dict or dataclasses.is_dataclass(hint):
        if not isinstance(values, dict):
            return at, f"{at} must be a mapping of settings, not {short_repr(values)}"
        hints = dict.fromkeys(values, arguments[1]) if origin is dict else typing.get_type_hints(hint)
        for key, value in values.items():
            if key not in hints:
                return f"{at}.{key}" if at else key, unknown_key(at, str(key), [*hints, *known])
            if error := find_error(value, hints[key], f"{at}.{key}" if at else str(key)):
                return error
        return None
    return None if _fits(values, hint) else (at, f"{at} is {short_repr(values)}: it must be of type {hint.__name__}")


def _fits(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return kind is bool and (isinstance(value, (bool, int)) or str(value).lower() in ("true", "false", "yes", "no", "on", "off", "y", "n"))
    if kind is str or not isinstance(value, str):
        return isinstance(value, (str, int, float) if kind is str else (int, float) if kind is float else kind)
    try:
        kind(value)
    except ValueError:
        return False
    return True


def short_repr(value: Any) -> str:
    """`repr(value)`, truncated for a one-line message."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply; an integer of thousands of digits
        text = f"a {type(value).__name__} that is too long to show"
    return text if len(text) <= 200 else f"{text[:199]}…"


def flatten(values: Any, at: str = "") -> dict[str, Any]:
    """{'model': {'width': 256}} -> {'model.width': 256}; a list's items are numbered."""
    if isinstance(values, (dict, list)) and values:
        items = values.items() if isinstance(values, dict) else enumerate(values)
        return {k: v for key, value in items for k, v in flatten(value, f"{at}.{key}" if at else str(key)).items()}
    return {at: values}
