"""How to search, as a user says it: what is left open, the model's recipe decides."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import DecodingConfig
from translate.errors import UserError

LENGTH_PENALTY = 1.0  # where none was chosen yet: while training, and where it makes no difference


@dataclass(frozen=True)
class Options:
    """How to search; None stands for the bundle's `decoding` setting of that name."""

    beam: int | None = None
    length_penalty: float | None = None
    batch_tokens: int | None = None  # source tokens a batch, padding included, each counted `beam` times
    n_best: int = 1  # alternatives of a line: at most `beam`, or that many samples
    sample: bool = False  # draw from the model's distribution in place of searching
    temperature: float = 1.0
    top_k: int = 0  # draw among the k likeliest tokens; 0 = all
    top_p: float = 1.0  # draw among the likeliest tokens that share this probability
    seed: int = 1

    def fill(self, decoding: DecodingConfig) -> Options:
        """These options with no None left. UserError for a value that cannot be."""
        beam, length_penalty, batch_tokens = (
            default if value is None else value
            for value, default in (
                (self.beam, decoding.beam),
                (self.length_penalty, LENGTH_PENALTY if decoding.length_penalty is None else decoding.length_penalty),
                (self.batch_tokens, decoding.batch_tokens),
            )
        )
        for name, value, least in (
            ("beam", beam, 1), ("length_penalty", length_penalty, 0), ("batch_tokens", batch_tokens, 1),
            ("n_best", self.n_best, 1), ("top_k", self.top_k, 0), ("seed", self.seed, 0),
        ):  # fmt: skip
            if not value >= least:
                raise UserError(f"{name} is {value}: it must be at least {least}")
        if not self.temperature > 0:
            raise UserError(f"temperature is {self.temperature}: it must be more than 0")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p is {self.top_p}: it must be more than 0 and at most 1")
        if self.n_best > beam and not self.sample:
            raise UserError(f"n_best ({self.n_best}) is more than beam ({beam}): a search keeps `beam` hypotheses, so raise beam as well")
        return Options(beam, length_penalty, batch_tokens, self.n_best, self.sample, self.temperature, self.top_k, self.top_p, self.seed)
