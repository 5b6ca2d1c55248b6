"""What the training text says about a model: the part of its profile that needs no weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy

from translate.config import DataConfig
from translate.data.cache import cache_folder, cached, digest
from translate.data.prepare import Prepared
from translate.data.sides import PAIRS, TARGET
from translate.profile import LEAST_DEVIATION, LengthRatio, Profile, read_profile
from translate.text.case import case_statistics
from translate.text.language import language_code, text_language

VERSION = 4  # of what is computed here
LONGEST = 0.999  # share of the training sources that are at most `longest_source` long
ODD, LEAST_ODD = 0.0025, 3.0  # share of the training pairs that are shorter, or longer, than usual; in standard deviations, never less than this
FEWEST = 100  # pairs to learn what is usual from
SAMPLE = 1000  # pairs that tell the languages
MOST_LINES, MOST_CASES = 1_000_000, 30_000  # that tell the usual forms of words; of those forms


def text_profile(data: DataConfig, prepared: Prepared, sides: str = PAIRS) -> Profile:
    """The profile of a training set; from the cache if an earlier run had the same one."""

    def build(folder: Path) -> dict[str, Any]:
        if sides == TARGET:
            return dataclasses.asdict(Profile(target_language=languages(data, prepared)[1]))
        longest = int(numpy.quantile(prepared.source_lengths, LONGEST, method="higher"))
        lengths = length_ratio(prepared.source_lengths - 1, prepared.target_lengths - 1)
        source, target = languages(data, prepared)
        cases = case_statistics(training_sources(prepared), MOST_CASES)
        return dataclasses.asdict(Profile(longest, cases, lengths=lengths, source_language=source, target_language=target))

    key = digest(VERSION, prepared.fingerprint, data.source_language, data.target_language)
    folder, values = cached(cache_folder(data), "profile", key, build)
    return read_profile(values, str(folder))


def training_sources(prepared: Prepared) -> Iterator[str]:
    """Source texts, evenly spread over the training set."""
    rows = numpy.arange(0, len(prepared.source_lengths), max(1, len(prepared.source_lengths) // MOST_LINES))
    for begin in range(0, len(rows), 10_000):
        yield from prepared.texts(rows[begin : begin + 10_000])[0]


def languages(data: DataConfig, prepared: Prepared) -> tuple[str, str]:
    """What the training sources and targets are written in, see `text_language`."""
    rows = numpy.linspace(0, len(prepared) - 1, min(len(prepared), SAMPLE)).astype(numpy.int64)
    sources, targets = prepared.texts(rows)
    return text_language(sources, language_code(data.source_language)), text_language(targets, language_code(data.target_language))


def length_ratio(source_lengths: numpy.ndarray, target_lengths: numpy.ndarray) -> LengthRatio:
    """How long translations are, by least squares. Lengths of the pairs in tokens, (N,), without end marks. Unknown for few pairs."""
    if len(source_lengths) < FEWEST:
        return LengthRatio()
    lengths = source_lengths.astype(numpy.float64) + 1
    ratios, inverse, ones = numpy.log((target_lengths + 1) / lengths), 1 / lengths, numpy.ones(len(lengths))
    line = numpy.stack([ones, numpy.log(lengths)], axis=1)
    intercept, slope = numpy.linalg.lstsq(line, ratios, rcond=None)[0]
    distances = ratios - line @ numpy.array([intercept, slope])
    base, per_source = numpy.linalg.lstsq(numpy.stack([ones, inverse], axis=1), distances**2, rcond=None)[0]
    deviations = distances / numpy.sqrt(numpy.maximum(base + per_source * inverse, LEAST_DEVIATION**2))
    least, most = numpy.quantile(deviations, [ODD, 1 - ODD])
    fitted = intercept, slope, base, per_source, min(least, -LEAST_ODD), max(most, LEAST_ODD)
    return LengthRatio(*map(float, fitted))
