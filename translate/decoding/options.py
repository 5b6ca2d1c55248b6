"""How to search, as a user says it: what is left open, the model's recipe decides. The one place where its bounds stand."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from translate.bounds import bounds_of
from translate.config import DecodingConfig
from translate.errors import UserError
from translate.values import short_repr

BEAM = bounds_of(DecodingConfig, "beam")
# The least and the greatest value. What is greater than any use would take memory or time without end, overflow, or give noise.
WHOLE = {
    "beam": (1, BEAM.most),
    "batch_tokens": (1, 10_000_000),
    "n_best": (1, BEAM.most),
    "top_k": (0, 1_000_000),
    "seed": (0, 2**63 - 1),
}
REAL = {
    "length_penalty": (0, bounds_of(DecodingConfig, "length_penalty").most),  # decoding/beam.py says what happens above 1
    "temperature": (1e-6, 100),  # at the one end the likeliest token for certain, at the other any token, whatever the model says
    "top_p": (0, 1),
}
FOR_SAMPLING = ("temperature", "top_k", "top_p", "seed")

CHOICES = {"split": bounds_of(DecodingConfig, "split").choices}
LENGTH_PENALTY = 1.0  # where none was chosen yet: while training, and where it makes no difference
BATCH_TOKENS = 4096  # where the device has no say


@dataclass(frozen=True)
class Options:
    """How to search; None stands for the bundle's `decoding` setting of that name."""

    beam: int | None = None  # not where `sample` is set
    length_penalty: float | None = None
    batch_tokens: int | None = None  # source tokens a batch, padding included, each counted `beam` times
    n_best: int = 1  # alternatives of a line: at most `beam`, or that many samples
    sample: bool = False  # draw from the model's distribution in place of searching; what follows is for that alone
    temperature: float = 1.0
    top_k: int = 0  # draw among the k likeliest tokens; 0 = all
    top_p: float = 1.0  # draw among the likeliest tokens that share this probability
    seed: int = 1
    split: str | None = None  # what the model gets as one source: `sentence` or `line`
    alignment: bool = False  # also find out which words became which
    coverage: bool = False  # also find out how much of each source the translation covers

    def fill(self, decoding: DecodingConfig) -> FilledOptions:
        """These options with the recipe's values in place of None. UserError for one out of its bounds, or without effect beside the others."""
        for name in ("sample", "alignment", "coverage"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} is {short_repr(getattr(self, name))}: it must be True or False")
        if self.sample and self.beam is not None:
            raise UserError(f"beam is {short_repr(self.beam)}, but sampling keeps no beam: leave it out")
        values: dict[str, Any] = {}
        for name in (*WHOLE, *REAL):
            value = getattr(self, name)
            if name in FOR_SAMPLING and not self.sample and value != getattr(Options, name):
                raise UserError(f"{name} is {short_repr(value)}, but only sampling uses it: sample as well, or leave it out")
            if name != "beam" or not self.sample:
                values[name] = _number(name, _default(name, decoding) if value is None else value)
        for name, choices in CHOICES.items():
            values[name] = value = _default(name, decoding) if (value := getattr(self, name)) is None else value
            if value not in choices:
                raise UserError(f"{name} is {short_repr(value)}: choose {' or '.join(choices)}")
        filled = FilledOptions(**values, sample=self.sample, alignment=self.alignment, coverage=self.coverage)
        if not self.sample and filled.n_best > filled.beam:
            raise UserError(f"n_best ({filled.n_best}) is more than beam ({filled.beam}): a search keeps `beam` hypotheses, so raise beam as well")
        return filled


@dataclass(frozen=True)
class FilledOptions(Options):
    """Options without None, as the engines take them."""

    beam: int = 1  # where `sample` is set, nothing looks at it
    length_penalty: float = LENGTH_PENALTY
    batch_tokens: int = BATCH_TOKENS
    split: str = "sentence"

    def fill(self, decoding: DecodingConfig) -> FilledOptions:
        return self


def _default(name: str, decoding: DecodingConfig) -> object:
    value = getattr(decoding, name, None)
    return {"length_penalty": LENGTH_PENALTY, "batch_tokens": BATCH_TOKENS}.get(name) if value is None else value


def _number(name: str, value: object) -> int | float:
    """`value` as int or float (numpy has numbers of its own). UserError unless it is a number within the bounds of `name`."""
    whole = name in WHOLE
    if not isinstance(value, Integral if whole else Real) or isinstance(value, bool):
        raise UserError(f"{name} is {short_repr(value)}: it must be {'a whole number' if whole else 'a number'}")
    number: int | float = int(value) if isinstance(value, Integral) else float(value)
    least, most = WHOLE[name] if whole else REAL[name]
    if not number >= least:  # this way round, so that NaN fails too
        raise UserError(f"{name} is {short_repr(value)}: it must be at least {least}")
    if number > most:
        raise UserError(f"{name} is {short_repr(value)}: it must be at most {most:{',' if isinstance(most, int) else 'g'}}")
    if name == "top_p" and number == 0:
        raise UserError("top_p is 0: it must be more than 0, the share of the likeliest tokens to draw from")
    return number if whole else float(number)
