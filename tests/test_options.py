"""Options of a search: filled once, they stay as they are."""

from __future__ import annotations

from translate.config import DecodingConfig
from translate.decoding import Options


def test_filled_options_stay_as_they_are():
    for options in (Options(), Options(beam=3, n_best=3, length_penalty=1), Options(sample=True, n_best=4, temperature=0.5, seed=3),
                    Options(mbr="chrf", samples=4, n_best=2, top_p=0.9), Options(beam=6, diverse=3)):  # fmt: skip
        filled = options.fill(DecodingConfig())
        assert filled.fill(DecodingConfig(beam=1, length_penalty=0.0)) == filled
