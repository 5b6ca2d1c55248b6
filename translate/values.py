"""Plain values, as YAML and JSON hold them, to dataclasses and back; and how a message shows one. Knows no setting by name."""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing
from typing import Any, Dict, Optional

from translate.errors import UserError


def build(values: Any, kind: type, at: str = "") -> Any:
    """Dataclass `kind` from plain values, as read from YAML. ValueError names an unknown key or a wrong type."""
    if not isinstance(values, dict):
        raise UserError(f"{at or 'the configuration'} must be a mapping, not {shown(values)}")
    hints = typing.get_type_hints(kind)
    for key in values:
        if key not in hints:
            raise UserError(unknown_key(at, str(key), hints))
    return kind(**{key: _convert(value, hints[key], f"{at}.{key}" if at else key) for key, value in values.items()})


def unknown_key(at: str, key: str, known: Any) -> str:
    """The message for a key that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    way_out = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    key = key if len(key) <= 200 else f"{key[:199]}…"
    return f"{at + '.' if at else ''}{key} is no known key: {way_out}"


def _convert(value: Any, hint: Any, at: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:  # Optional[X]
        return None if value is None else _convert(value, arguments[0], at)
    if origin is list:
        if not isinstance(value, list):
            raise UserError(f"{at} must be a list, not {shown(value)}")
        return [_convert(item, arguments[0], f"{at}[{place}]") for place, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise UserError(f"{at} must be a mapping, not {shown(value)}")
        return {str(key): _convert(item, arguments[1], f"{at}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return build(value, hint, at)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise UserError(f"{at} is {shown(value)}: it is too great") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{at} is {shown(value)}: it must be of type {hint.__name__}")
    return value


def line_range(text: str) -> tuple[int, Optional[int]]:
    """First and last line, from 1, of "1-1000"; of "1001-" the last is None. UserError for anything else."""
    found = re.fullmatch(r"([0-9]{1,12})-([0-9]{1,12})?", text)
    first, last = (int(found[1]), int(found[2]) if found[2] else None) if found else (0, None)
    if first < 1 or (last is not None and last < first):
        raise UserError(f"lines of a corpus is {shown(text)}: give the first and the last, such as 1-1000, or 1001- for all from there on")
    return first, last


def shown(value: Any) -> str:
    """`value` as Python writes it, cut so that a message stays one short line."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply; an integer of thousands of digits
        text = f"a {type(value).__name__} that is too long to show"
    return text if len(text) <= 200 else f"{text[:199]}…"


def flatten(values: Any, at: str = "") -> Dict[str, Any]:
    """{'model': {'width': 256}} -> {'model.width': 256}; a list's items are numbered."""
    if isinstance(values, (dict, list)) and values:
        items = values.items() if isinstance(values, dict) else enumerate(values)
        return {k: v for key, value in items for k, v in flatten(value, f"{at}.{key}" if at else str(key)).items()}
    return {at: values}
