"""The options of a search, with their bounds. What the user leaves out comes from the model's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from translate.bounds import bounds_of
from translate.config import DecodingConfig
from translate.errors import UserError
from translate.values import short_repr

BEAM = bounds_of(DecodingConfig, "beam")
# (least, most). A larger value than anybody needs would exhaust memory or time, overflow, or produce noise.
WHOLE = {
    "beam": (1, BEAM.most),
    "batch_tokens": (1, 10_000_000),
    "n_best": (1, BEAM.most),
    "diverse": (1, BEAM.most),
    "samples": (2, 1000),  # one would win whatever it is
    "top_k": (0, 1_000_000),
    "seed": (0, 2**63 - 1),
}
REAL = {
    "length_penalty": (0, bounds_of(DecodingConfig, "length_penalty").most),  # decoding/beam.py says what happens above 1
    "temperature": (1e-6, 100),  # at the lower end always the likeliest token, at the upper end any token with equal probability
    "top_p": (0, 1),
}
FOR_SAMPLING = ("temperature", "top_k", "top_p", "seed")

UTILITIES = ("chrf",)  # of minimum Bayes risk, see translation/mbr.py
CHOICES = {"split": bounds_of(DecodingConfig, "split").choices, "foreign": ("copy", "translate")}
LENGTH_PENALTY = 1.0  # used if the recipe has none: during training, which chooses one at its end, and with a beam of 1
BATCH_TOKENS = 4096  # used if neither the user nor `default_batch_tokens` (translation/batching.py) sets it


@dataclass(frozen=True)
class Options:
    """How to search. None: the `decoding` setting of that name in the bundle."""

    beam: int | None = None  # must be None with `sample` and `mbr`
    length_penalty: float | None = None
    batch_tokens: int | None = None  # source tokens per batch, including padding, multiplied by `beam`
    n_best: int = 1  # translations per line: at most `beam` or `samples`, or any number with `sample`
    diverse: int = 1  # groups that the beam is divided into, which avoid each other's tokens: see diverse.py
    sample: bool = False  # draw from the model's distribution instead of searching
    mbr: str | None = None  # draw `samples` and return the one most like all of them by this utility (minimum Bayes risk): `chrf`
    samples: int | None = None  # only with `mbr`, which needs it
    temperature: float = 1.0  # this and the next three are for `sample` and `mbr`
    top_k: int = 0  # draw from the k likeliest tokens; 0 = all
    top_p: float = 1.0  # draw from the fewest likeliest tokens whose probabilities add up to this
    seed: int = 1
    split: str | None = None  # what the model translates at a time: a `sentence` or a `line`
    foreign: str = "copy"  # sentences that aren't in the source language: `copy` keeps them as they are, `translate` translates them all the same
    alignment: bool = False  # also return which source words each word of the translation comes from
    coverage: bool = False  # also return how much of each source the translation covers

    def fill(self, decoding: DecodingConfig) -> FilledOptions:
        """Replace None by the recipe's values. UserError for a value out of bounds, or for an option that has no effect with the others."""
        for name in ("sample", "alignment", "coverage"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} is {short_repr(getattr(self, name))}: it must be True or False")
        drawing = self._check_drawing()
        values: dict[str, Any] = {"mbr": self.mbr, "samples": self.samples}
        for name in (*WHOLE, *REAL):
            value = getattr(self, name)
            if (name == "beam" and drawing) or (name == "samples" and self.mbr is None):
                continue
            values[name] = _number(name, _default(name, decoding) if value is None else value)
        for name, choices in CHOICES.items():
            values[name] = value = _default(name, decoding) if (value := getattr(self, name)) is None else value
            if value not in choices:
                raise UserError(f"{name} is {short_repr(value)}: choose {' or '.join(choices)}")
        filled = FilledOptions(**values, sample=self.sample, alignment=self.alignment, coverage=self.coverage)
        if not drawing and filled.n_best > filled.beam:
            raise UserError(f"n_best ({filled.n_best}) is more than beam ({filled.beam}): a search keeps `beam` hypotheses, so raise beam as well")
        if filled.samples is not None and filled.n_best > filled.samples:
            raise UserError(f"n_best ({filled.n_best}) is more than samples ({filled.samples}): draw as many samples at least")
        if not drawing and filled.beam % filled.diverse:
            more = -(-filled.beam // filled.diverse) * filled.diverse
            raise UserError(f"beam ({filled.beam}) is no multiple of diverse ({filled.diverse}), the groups that share it: give beam {more}")
        return filled

    @property
    def draws(self) -> int:
        """How many samples are drawn for each source; 0 for a search."""
        return (self.samples or 0) if self.mbr is not None else self.n_best if self.sample else 0

    def _check_drawing(self) -> str:
        """What draws samples: "sampling", "mbr" or "". UserError for an option of theirs without them, or of a search with them."""
        if self.mbr is not None and self.mbr not in UTILITIES:
            raise UserError(f"mbr is {short_repr(self.mbr)}: choose {' or '.join(UTILITIES)}")
        if self.mbr is not None and self.samples is None:
            raise UserError(f"mbr is {self.mbr}, and samples is not given: say how many translations to draw, such as 64")
        if self.mbr is None and self.samples is not None:
            raise UserError(f"samples is {short_repr(self.samples)}, but only mbr uses it: give mbr as well, or leave it out")
        if self.mbr is not None and self.sample:
            raise UserError("sample is True, but mbr draws samples anyway: leave one of them out")
        if self.mbr is not None and self.length_penalty is not None:
            raise UserError(f"length_penalty is {short_repr(self.length_penalty)}, but mbr ranks by utility: leave it out")
        drawing = "mbr" if self.mbr is not None else "sampling" if self.sample else ""
        for name, given in (("beam", self.beam is not None), ("diverse", self.diverse != 1)):
            if drawing and given:
                raise UserError(f"{name} is {short_repr(getattr(self, name))}, but {drawing} does not use a beam: leave it out")
        for name in FOR_SAMPLING:
            if not drawing and getattr(self, name) != getattr(Options, name):
                raise UserError(f"{name} is {short_repr(getattr(self, name))}, but only sampling uses it: turn sampling or mbr on, or leave it out")
        return drawing


@dataclass(frozen=True)
class FilledOptions(Options):
    """Options without None, for the engines."""

    beam: int = 1  # ignored if samples are drawn
    length_penalty: float = LENGTH_PENALTY
    batch_tokens: int = BATCH_TOKENS
    split: str = "sentence"

    def fill(self, decoding: DecodingConfig) -> FilledOptions:
        return self


def _default(name: str, decoding: DecodingConfig) -> object:
    value = getattr(decoding, name, None)
    return {"length_penalty": LENGTH_PENALTY, "batch_tokens": BATCH_TOKENS}.get(name) if value is None else value


def _number(name: str, value: object) -> int | float:
    """`value` as a Python int or float, also if it is a numpy number. UserError unless it is a number within the bounds of `name`."""
    whole = name in WHOLE
    if not isinstance(value, Integral if whole else Real) or isinstance(value, bool):
        raise UserError(f"{name} is {short_repr(value)}: it must be {'a whole number' if whole else 'a number'}")
    number: int | float = int(value) if isinstance(value, Integral) else float(value)
    least, most = WHOLE[name] if whole else REAL[name]
    if not number >= least:  # this way round, so that NaN fails too
        instead = "; for the likeliest token each time set top_k to 1" if name == "temperature" else ""
        raise UserError(f"{name} is {short_repr(value)}: it must be at least {least}{instead}")
    if number > most:
        raise UserError(f"{name} is {short_repr(value)}: it must be at most {most:{',' if isinstance(most, int) else 'g'}}")
    if name == "top_p" and number == 0:
        raise UserError("top_p is 0: it must be more than 0, the share of the likeliest tokens to draw from")
    return number if whole else float(number)
