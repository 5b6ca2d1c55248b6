"""Bounds of a setting, declared with its field, `width: int = bounded(256, least=1, most=1 << 20)`, and their check."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, TypeVar

from translate.errors import UserError
from translate.values import hints_of, key_of, short_repr

T = TypeVar("T")
BOUNDS, FAMILIES = "bounds", "families"  # keys of a field's metadata


@dataclass(frozen=True)
class Bounds:
    """The values allowed. `most` is far beyond any use: a greater value is a typo, or would exhaust memory or time before it fails."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    choices: tuple[str, ...] = ()

    def check(self, key: str, value: Any) -> None:
        """UserError if `value` is out of bounds or not finite. None (a setting without a value) is always allowed."""
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{key} is {value}: it must be a finite number")
        if message := None if value is None else self._error(value):
            raise UserError(f"{key} is {short_repr(value)}: {message}")

    def _error(self, value: Any) -> str | None:
        if self.choices:
            return None if value in self.choices else f"choose one of {', '.join(self.choices)}"
        if not isinstance(value, (int, float)):
            return None
        if value < self.least:
            return f"it must be at least {_number(self.least)}"
        if value <= self.above:
            return f"it must be above {_number(self.above)}"
        if value > self.most:
            return f"it must be at most {_number(self.most)}"
        if value >= self.below:
            return f"it must be below {_number(self.below)}"
        return None


def bounded(default: T, *, least: float = -math.inf, most: float = math.inf, above: float = -math.inf, below: float = math.inf) -> T:
    """A dataclass field that holds a number."""
    return dataclasses.field(default=default, metadata={BOUNDS: Bounds(least, most, above, below)})


def plain(default: T) -> T:
    """A dataclass field with any value of its type."""
    return dataclasses.field(default=default)


def choice(default: str, *others: str) -> str:
    """A dataclass field that holds one of these words."""
    return dataclasses.field(default=default, metadata={BOUNDS: Bounds(choices=(default, *others))})


def of_families(setting: T, *families: str) -> T:
    """A field from `bounded` or `choice` that only these families of models use."""
    field: Any = setting
    restricted: T = dataclasses.field(default=field.default, metadata={**field.metadata, FAMILIES: families})
    return restricted


def used_settings(section: Any, family: str) -> dict[str, Any]:
    """The settings of `section` that models of `family` use, by name."""
    fields = (field for field in dataclasses.fields(section) if family in field.metadata.get(FAMILIES, (family,)))
    return {field.name: getattr(section, field.name) for field in fields}


def check_families(section: Any, key: str, family: str) -> None:
    """UserError for a setting of `section` that models of `family` don't use and that isn't at its default, and for a stack without layers."""
    settings = used_settings(section, family)
    for field in dataclasses.fields(section):
        name, value, used = f"{key}.{key_of(field.name)}", getattr(section, field.name), field.name in settings
        layers = field.name.endswith("_layers")
        if used and layers and value == 0:
            raise UserError(f"{name} is 0: model.family={family} needs at least 1")
        if not used and value != field.default and not (layers and value == 0):
            out = f"set {name}=0" if layers else f"leave it out, or set its default, {json.dumps(field.default)}"
            raise UserError(f"{name} ({short_repr(value)}) has no effect with model.family={family}: {out}")


def bounds_of(section: Any, key: str) -> Bounds:
    """The bounds of a dataclass's field, such as "beam" or, nested, "decoding.beam"; no bounds if the key does not exist."""
    name, _, rest = key.partition(".")
    field = next((field for field in dataclasses.fields(section) if key_of(field.name) == name), None)
    if field is None:
        return Bounds()
    kind = hints_of(section)[name]
    if rest:
        return bounds_of(kind, rest) if dataclasses.is_dataclass(kind) else Bounds()
    return _bounds(field)


def _bounds(field: dataclasses.Field[Any]) -> Bounds:
    bounds = field.metadata.get(BOUNDS, Bounds())
    assert isinstance(bounds, Bounds)
    return bounds


def check_bounds(value: Any, key: str = "", bounds: Bounds = Bounds()) -> None:
    """Check every field of the dataclass `value`, recursively, also in lists and mappings. UserError names the first that is out of bounds."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            check_bounds(getattr(value, field.name), f"{key}.{key_of(field.name)}" if key else key_of(field.name), _bounds(field))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_bounds(item, f"{key}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            check_bounds(item, f"{key}.{name}")
    else:
        bounds.check(key, value)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
