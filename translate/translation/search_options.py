"""The keyword arguments of `Translator.translate` that say how to search, for type checkers and as `Options`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypedDict

from translate.decoding import Options
from translate.errors import UserError
from translate.values import short_repr, suggestion

NAMES = [field.name for field in dataclasses.fields(Options)]


class SearchOptions(TypedDict, total=False):
    """See `decoding.Options`, which has the same names, for the values; None stands for the recipe's."""

    beam: int | None
    length_penalty: float | None
    batch_tokens: int | None
    n_best: int
    sample: bool
    temperature: float
    top_k: int
    top_p: float
    seed: int


def to_options(given: Mapping[str, Any]) -> Options:
    """TypeError for a name that is unknown, as for any keyword argument; `Options.fill` checks the values."""
    for name in given:
        if name not in NAMES:
            raise TypeError(f"unknown option {name!r}: {suggestion(name, NAMES) or 'known are ' + ', '.join(NAMES)}")
    return Options(**given)


def one_of(options: Options | None, keywords: SearchOptions) -> Options:
    """The options that a caller gave in one of the two ways."""
    if options is None:
        return to_options(keywords)
    if keywords:
        raise TypeError(f"options and {', '.join(keywords)} are given: put all of them in one of the two")
    return options


def check_effects(options: Options, scores: bool) -> None:
    """UserError for an option that changes nothing in the result; scores: whether it shows scores and alternatives."""
    if scores:
        return
    if options.n_best != 1:
        raise UserError(f"n_best is {short_repr(options.n_best)}, but only scores=True returns alternatives: add it, or leave n_best out")
    if options.length_penalty is not None and (options.sample or options.beam == 1):
        why = "sampling" if options.sample else "beam 1"
        raise UserError(f"length_penalty has no effect with {why} where no score is shown: leave it out, or add scores=True")
