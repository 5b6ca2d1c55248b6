"""What the scores of translations are worth, measured on the development set: the confidence of a model, and what is normal for it.

A translation's score is its log-probability per token. The expected chrF++ of a score is a monotone table, fitted by isotonic regression (Ayer et
al. 1955, "An empirical distribution function for sampling with incomplete information": pool adjacent violators). Other features, the length ratio
and the coverage by attention, were measured to add nothing to it (docs/experiments.md).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from translate.bundle.bundle import Bundle, write_model
from translate.data.profile import length_ratio
from translate.decoding import Options
from translate.errors import UserError
from translate.evaluation.calibration import calibration_error, sentence_worth
from translate.profile import Calibration
from translate.training.alignment_choice import choose_heads
from translate.training.development import spread
from translate.training.validation import Validation
from translate.translation.translator import Translator

FEWEST = 100  # sentences that a calibration needs
PER_KNOT, MOST_KNOTS = 25, 20
RARE = 0.005  # share of the development set's translations that are called unusual
FAR = 3.0  # standard deviations below the mean from which a score is called low, if that is further
SENTENCES = 2_000  # of the development set, at most


def calibrate(translator: Translator, sources: Sequence[str], references: Sequence[str]) -> tuple[Calibration, dict[str, Any]]:
    """Translate the `sources` and measure the calibration of the model, and its figures for report.json.

    Lines that the model does not translate as a whole count for nothing. Unknown, with no figures, if fewer than FEWEST are left.
    """
    results = [
        result for result in translator.translate_stream(sources, Options(coverage=True)) if result.parts and not (result.cut or result.passed)
    ]
    if len(results) < FEWEST:
        return Calibration(), {}
    parts = [part for result in results for part in result.parts]
    worth = sentence_worth([result.text for result in results], [[references[result.number - 1] for result in results]])
    scores = numpy.array(
        [sum(part.log_probability for part in result.parts) / sum(part.tokens_out + 1 for part in result.parts) for result in results]
    )
    normal = numpy.array([part.log_probability / (part.tokens_out + 1) for part in parts])
    knots, values = fit(scores, worth)
    least = min(rarely(normal), float(normal.mean() - FAR * normal.std()))
    calibration = Calibration(len(results), knots, values, least, rarely(part.coverage for part in parts), rarely(part.stretch for part in parts))
    figures = {"sentences": len(results), "ece": round(held_out_error(scores, worth), 4), "mean": round(float(worth.mean()), 4)}
    return calibration, figures


def rarely(values: Iterable[float | None]) -> float:
    """What only the share RARE of the values is below."""
    return float(numpy.quantile([value for value in values if value is not None], RARE))


def calibrate_run(validation: Validation, learnt: bool) -> dict[str, Any]:
    """Measure the chosen weights, and write the calibration into the bundle's manifest. Returns its entry in report.json.

    Nothing without a development set, or if the model has learnt nothing.
    """
    pairs, bundle = spread(validation.pairs, SENTENCES), validation.bundle
    if not (pairs and learnt):
        return {}
    calibration, figures = calibrate(validation.translator(), *map(list, zip(*pairs)))
    if not figures:
        validation.log.info(f"confidence is not measured: the development set has fewer than {FEWEST} sentences")
        return {}
    bundle.profile = dataclasses.replace(bundle.profile, calibration=calibration)
    write_model(bundle, validation.data)
    validation.log.info(described(figures, validation.development.name))
    return {"confidence": figures}


def calibrate_bundle(bundle: Bundle, translator: Translator, pairs: Sequence[tuple[str, str]], name: str) -> str:
    """Measure a finished model with its development set, and write the profile into the bundle. Returns what was measured.

    UserError if the set is too small. name: of the set.
    """
    if not bundle.profile.alignment_heads and (found := choose_heads(bundle, translator.engine, pairs)):  # coverage is read from them
        translator.engine.alignment = found[0]
    pairs = spread(pairs, SENTENCES)
    sources, references = [source for source, _ in pairs], [target for _, target in pairs]
    calibration, figures = calibrate(translator, sources, references)
    if not figures:
        raise UserError(f"the development set ({name}) has {len(pairs):,} sentences: {FEWEST} are needed to measure confidence")
    lengths = bundle.profile.lengths
    if not lengths.most:
        sides = bundle.tokenizer.encode_source(sources), bundle.tokenizer.encode_target(references)
        lengths = length_ratio(*(numpy.array([len(ids) - 1 for ids in side]) for side in sides))
    for profile in (bundle.profile, translator.profile):
        profile.calibration, profile.lengths = calibration, lengths
    write_model(bundle, bundle.data)
    return described(figures, name)


def described(figures: dict[str, Any], name: str) -> str:
    return (
        f"confidence: measured on {figures['sentences']:,} sentences of {name}, whose mean chrF++ is {100 * figures['mean']:.1f}; "
        f"expected calibration error {figures['ece']:.3f}, each half by the other"
    )


def fit(scores: numpy.ndarray, worth: numpy.ndarray) -> tuple[list[float], list[float]]:
    """The knots of a function that ascends from scores to the worth expected of them, both (N,): scores at the knots, worth there.

    The scores are divided into groups of equal size, and groups whose worth does not ascend are pooled. Scores below all of the development set's
    come from text unlike it: the worth falls on there as it does between the lowest group and the middle one, down to 0.
    """
    order = numpy.argsort(scores, kind="stable")
    groups = numpy.array_split(order, max(1, min(MOST_KNOTS, len(order) // PER_KNOT)))
    knots = [float(scores[group].mean()) for group in groups]
    values = pooled([float(worth[group].mean()) for group in groups], [len(group) for group in groups])
    middle = len(knots) // 2
    rise = values[middle] - values[0]
    if rise > 0 and values[0] > 0:
        fall = values[0] * (knots[middle] - knots[0]) / rise
        if math.isfinite(fall) and knots[0] - fall < knots[0]:
            knots, values = [knots[0] - fall, *knots], [0.0, *values]
    distinct = [index for index, knot in enumerate(knots) if index == 0 or knot > knots[index - 1]]
    return [knots[index] for index in distinct], [min(max(values[index], 0.0), 1.0) for index in distinct]


def pooled(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The values that ascend and are closest to `values`, in weighted squares: isotonic regression."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values, weights):
        mean, total, length = value, weight, 1
        while pools and pools[-1][0] >= mean:
            before, weight_before, length_before = pools.pop()
            mean = (before * weight_before + mean * total) / (weight_before + total)
            total, length = total + weight_before, length + length_before
        pools.append((mean, total, length))
    return [mean for mean, _, length in pools for _ in range(length)]


def held_out_error(scores: numpy.ndarray, worth: numpy.ndarray) -> float:
    """The expected calibration error of each half of the sentences by what the other half says, on average."""
    even = numpy.arange(len(scores)) % 2 == 0
    errors = []
    for half in (even, ~even):
        calibration = Calibration(int(half.sum()), *fit(scores[half], worth[half]))
        confidence = numpy.array([calibration.confidence(float(score)) for score in scores[~half]])
        errors.append(calibration_error(confidence, worth[~half]))
    return sum(errors) / len(errors)
