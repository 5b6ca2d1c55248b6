"""Confidence against what translations are worth: sentence chrF++, and the error of a calibration.

A translation's worth is its chrF++ against the reference, over 100; its confidence is what the model's bundle expects of it (translate/profile.py).
The expected calibration error is that of Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning", section 2, with
the mean worth in place of the share of correct answers, and as many lines in each bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from translate.evaluation.metrics import Metric

BINS = 10


def sentence_worth(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> numpy.ndarray:
    """The chrF++ of each line, as sacreBLEU's `sentence_chrf(..., word_order=2)`, over 100: (N,). references: as for `score`."""
    metric = Metric("chrf")
    worth: numpy.ndarray = metric.values(numpy.array(metric.statistics(outputs, references), dtype=float).reshape(len(outputs), -1)) / 100
    return worth


def calibration_error(confidence: numpy.ndarray, worth: numpy.ndarray, bins: int = BINS) -> float:
    """The expected calibration error of (N,) values, 0 to 1: over bins of equal size, the mean distance of mean confidence and mean worth."""
    groups = numpy.array_split(numpy.argsort(confidence, kind="stable"), min(bins, len(confidence)))
    return float(sum(len(group) * abs(confidence[group].mean() - worth[group].mean()) for group in groups) / len(confidence))


def confidence_figures(
    confidences: Sequence[float | None], outputs: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, Any]:  # fmt: skip
    """How well confidence tells the worth of the outputs, for report.json; empty if no line has a confidence.

    mean, chrf: the mean confidence and sentence chrF++ / 100 of the `lines` that have one; ece: the expected calibration error.
    """
    known = [index for index, confidence in enumerate(confidences) if confidence is not None]
    if not known:
        return {}
    worth = sentence_worth([outputs[index] for index in known], [[texts[index] for index in known] for texts in references])
    values = numpy.array([confidences[index] for index in known], dtype=float)
    ece = calibration_error(values, worth)
    return {"lines": len(known), "mean": round(float(values.mean()), 4), "chrf": round(float(worth.mean()), 4), "ece": round(ece, 4), "bins": BINS}
