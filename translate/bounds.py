"""The bounds of a setting, written beside its field: `width: int = bounded(256, least=1, most=1 << 20)`; and the loop that checks them."""

from __future__ import annotations

import dataclasses
import math
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

from translate.errors import UserError
from translate.values import short_repr

T = TypeVar("T")
BOUNDS = "bounds"  # key of a field's metadata


@dataclass(frozen=True)
class Bounds:
    """What a value may be. `most` lies far beyond any use: what is greater is a slip, or would take memory or time without end before it fails."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    choices: tuple[str, ...] = ()

    def check(self, key: str, value: Any) -> None:
        """UserError where `value` is out of bounds, or is a number but not a finite one. None (a setting that is left open) never is."""
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{key} is {value}: it must be a finite number")
        if fault := None if value is None else self._fault(value):
            raise UserError(f"{key} is {short_repr(value)}: {fault}")

    def _fault(self, value: Any) -> str | None:
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


def choice(default: str, *others: str) -> str:
    """A dataclass field that holds one of these words."""
    return dataclasses.field(default=default, metadata={BOUNDS: Bounds(choices=(default, *others))})


def bounds_of(section: Any, key: str) -> Bounds:
    """Of a dataclass's field, such as "beam" or, further down, "decoding.beam"; without any where the key does not exist."""
    name, _, rest = key.partition(".")
    field = next((field for field in dataclasses.fields(section) if field.name == name), None)
    if field is None:
        return Bounds()
    kind = typing.get_type_hints(section)[name]
    if rest:
        return bounds_of(kind, rest) if dataclasses.is_dataclass(kind) else Bounds()
    return _bounds(field)


def _bounds(field: dataclasses.Field[Any]) -> Bounds:
    found = field.metadata.get(BOUNDS, Bounds())
    assert isinstance(found, Bounds)
    return found


def check_bounds(value: Any, key: str = "", bounds: Bounds = Bounds()) -> None:
    """Every field of the dataclass `value`, those of dataclasses in it, in its lists and its mappings too. UserError names the first that is out."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            check_bounds(getattr(value, field.name), f"{key}.{field.name}" if key else field.name, _bounds(field))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            check_bounds(item, f"{key}[{place}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            check_bounds(item, f"{key}.{name}")
    else:
        bounds.check(key, value)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
