"""The search options among the keyword arguments of `Translator.translate`: their types, and their conversion to `Options`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypedDict

from translate.decoding import Options
from translate.errors import UserError
from translate.values import short_repr, suggestion

NAMES = [field.name for field in dataclasses.fields(Options)]


class SearchOptions(TypedDict, total=False):
    """Names and values as in `decoding.Options`; None means the recipe's value."""

    beam: int | None
    length_penalty: float | None
    split: str | None
    foreign: str
    batch_tokens: int | None
    n_best: int
    diverse: int
    sample: bool
    mbr: str | None
    samples: int | None
    temperature: float
    top_k: int
    top_p: float
    seed: int
    alignment: bool
    coverage: bool


def to_options(keywords: Mapping[str, Any]) -> Options:
    """TypeError for an unknown name, as for any keyword argument; `Options.fill` checks the values."""
    for name in keywords:
        if name not in NAMES:
            raise TypeError(f"unknown option {name!r}: {suggestion(name, NAMES) or 'choose from ' + ', '.join(NAMES)}")
    return Options(**keywords)


def one_of(options: Options | None, keywords: SearchOptions) -> Options:
    """The options, given either as `Options` or as keyword arguments."""
    if options is None:
        return to_options(keywords)
    if keywords:
        raise TypeError(f"options and {', '.join(keywords)} are both given: use one or the other")
    return options


def check_effects(options: Options, scores: bool) -> None:
    """UserError for an option without effect on the result. scores: whether scores and alternatives are returned."""
    if scores:
        return
    if options.n_best != 1:
        raise UserError(f"n_best is {short_repr(options.n_best)}, but only scores=True returns alternatives: add it, or leave n_best out")
    for name in ("alignment", "coverage"):
        if getattr(options, name):
            raise UserError(f"{name} is True, but only scores=True returns it: add it, or leave {name} out")
    if options.length_penalty is not None and (options.sample or options.beam == 1):
        why = "sampling" if options.sample else "beam 1"
        raise UserError(f"length_penalty has no effect with {why} unless scores are returned: leave it out, or add scores=True")
