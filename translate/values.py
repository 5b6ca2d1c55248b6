"""Plain values, as in YAML and JSON, to dataclasses and back, and their form in messages. Independent of the actual settings."""

from __future__ import annotations

import dataclasses
import difflib
import keyword
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from translate.errors import UserError

T = TypeVar("T")
CUTOFF = 0.7  # difflib's ratio: `knid` is close to `kind` (0.75), `init` to nothing
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", list: "a list", dict: "a mapping"}


def key_of(name: str) -> str:
    """The key of a dataclass's field: `from_` has the key `from`, a word that Python reserves."""
    return name[:-1] if name.endswith("_") and keyword.iskeyword(name[:-1]) else name


def hints_of(kind: Any) -> dict[str, Any]:
    """The type of each key of a dataclass."""
    return {key_of(name): hint for name, hint in typing.get_type_hints(kind).items()}


def to_values(instance: Any) -> dict[str, Any]:
    """A dataclass as plain values, by its keys: what `build` reads."""
    values: dict[str, Any] = dataclasses.asdict(instance, dict_factory=lambda items: {key_of(name): value for name, value in items})
    return values


def build(values: Any, kind: type[T], at: str = "") -> T:
    """A dataclass `kind` from plain values, as read from YAML. UserError for an unknown key or a wrong type."""
    if not isinstance(values, dict):
        raise UserError(f"{at or 'the configuration'} must be a mapping, not {short_repr(values)}")
    hints = hints_of(kind)
    for key in values:
        if key not in hints:
            raise UserError(unknown_key(at, str(key), hints, inner_keys(hints)))
    return kind(
        **{f"{key}_" if keyword.iskeyword(key) else key: _convert(value, hints[key], f"{at}.{key}" if at else key) for key, value in values.items()}
    )


def unknown_key(at: str, key: str, known: Iterable[str], inner: Iterable[str] = ()) -> str:
    """The message for a key that does not exist, with a suggestion or all known keys.

    at: the section, "" for the top. known: its keys. inner: those of its own sections, as `inner_keys` returns them.
    """
    section = f"{at}." if at else ""
    same_name = [path for path in inner if path.rpartition(".")[2] == key]
    if match := closest(key, known):
        hint = f"did you mean {section}{match}?"
    elif same_name:
        hint = f"did you mean {' or '.join(section + path for path in same_name)}?"
    else:
        hint = f"known are {', '.join(known)}"
    key = key if len(key) <= 200 else f"{key[:199]}…"
    return f"unknown key {section}{key}: {hint}"


def inner_keys(hints: Mapping[str, Any]) -> list[str]:
    """`training.minutes` and so on: the keys of the dataclasses among a section's fields, at any depth."""
    sections = {name: hints_of(hint) for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    return [f"{name}.{key}" for name, own in sections.items() for key in (*own, *inner_keys(own))]


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` is probably a typo of."""
    return next(iter(difflib.get_close_matches(word.casefold(), list(known), n=1, cutoff=CUTOFF)), None)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean X?` if `word` is probably a typo of one of `known`, else ""."""
    match = closest(word, known)
    return f"did you mean {match}?" if match else ""


def describe_type(hint: Any) -> str:
    """A field's type in words: `a whole number`, `text or null`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:  # Optional[X]
        return f"{describe_type(arguments[0])} or null"
    kind = origin or hint
    return KINDS.get(kind, str(kind.__name__))


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
        raise UserError(f"{at} is {short_repr(value)}: it must be {describe_type(hint)}")
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
        hints = dict.fromkeys(values, arguments[1]) if origin is dict else hints_of(hint)
        for key, value in values.items():
            if key not in hints:
                return f"{at}.{key}" if at else key, unknown_key(at, str(key), [*hints, *known], inner_keys(hints))
            if error := find_error(value, hints[key], f"{at}.{key}" if at else str(key)):
                return error
        return None
    return None if _fits(values, hint) else (at, f"{at} is {short_repr(values)}: it must be {describe_type(hint)}")


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


def differences(old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """(key, old value, new value) of all settings that differ between two configurations; None for a missing one."""
    a, b = flatten(to_values(old)), flatten(to_values(new))
    return [(key, a.get(key), b.get(key)) for key in dict.fromkeys([*b, *a]) if a.get(key) != b.get(key)]


def first_difference(old: Any, new: Any, ignore: Sequence[str] = ()) -> str | None:
    """The first difference, with both values, except in the keys of `ignore` and below them; None if there is none."""
    for key, before, now in differences(old, new):
        if not any(key == name or key.startswith(f"{name}.") for name in ignore):
            return f"{key} is {now!r} now and was {before!r}"
    return None
