"""BLEU, chrF++ and TER of translations, each with sacreBLEU's signature, intervals and p-values.

Validation, `translate score` and `translate evaluate` all use this file, so there is only one BLEU: detokenised, cased, equal to that of the
`sacrebleu` command.

BLEU: Papineni et al. 2002; chrF++: Popović 2017; TER: Snover et al. 2006; signatures: Post 2018, "A Call for Clarity in Reporting BLEU
Scores".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy

from translate.errors import UserError
from translate.evaluation.metrics import METRICS, Metric
from translate.evaluation.resampling import bootstrap_values, interval, paired_bootstrap, paired_randomisation, seed

MOST_SAMPLES = 1_000_000
TRIALS = 10_000  # of approximate randomisation, as in the `sacrebleu` command
TER_WORDS = 1_000  # TER of one line this long takes up to 20 seconds, more than 20,000 lines of 20 words


@dataclass(frozen=True)
class Score:
    """One metric's value on a corpus. BLEU and chrF++: 0 to 100, higher is better; TER: 0 and up, lower is better.

    `low` and `high`: the 95% bootstrap interval as sacreBLEU reports it, centred on the mean of the resamples rather than `value`; None
    without a bootstrap. `p_value`: of the difference from the first system; None for the first one, and without a test.
    """

    name: str  # sacreBLEU's: "BLEU", "chrF2++", "TER"
    value: float
    signature: str
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


def score(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], metrics: Sequence[str] = METRICS, bootstrap: int = 0, tokenize: str = "13a",
    lowercase: bool = False, log: Callable[[str], None] | None = None,
) -> list[Score]:  # fmt: skip
    """Scores N `hypotheses` against `references` (a list of N texts for each reference translation, as in sacreBLEU).

    `metrics`: names from METRICS, in the order of the result. `bootstrap`: resamples for the confidence interval, 0 for none; their seed is
    SACREBLEU_SEED from the environment or 12345, and part of the signature. `tokenize`: BLEU's tokenizer. `lowercase`: BLEU and chrF++
    ignore case; TER always does. `log`: called with the progress of slow metrics.
    UserError if the lists are empty or of different length, or a setting is out of range.
    """
    return compare([hypotheses], references, metrics, bootstrap, False, tokenize, lowercase, log)[0]


def compare(
    systems: Sequence[Sequence[str]], references: Sequence[Sequence[str]], metrics: Sequence[str] = METRICS, bootstrap: int = 0,
    randomise: bool = False, tokenize: str = "13a", lowercase: bool = False, log: Callable[[str], None] | None = None,
) -> list[list[Score]]:  # fmt: skip
    """`score` for several systems; all but the first get a p-value against the first.

    The test is the paired bootstrap on the resamples of the intervals or, with `randomise`, approximate randomisation, which gives no
    intervals (`bootstrap` must be 0). With neither there are no p-values.
    """
    for hypotheses in systems:
        check_texts(hypotheses, references)
    check_settings(metrics, bootstrap, randomise)
    seed_text = seed()[1] if bootstrap or randomise else ""
    computed = [Metric(name, tokenize, lowercase) for name in metrics]
    tables: list[list[numpy.ndarray]] = []
    results: list[list[Score]] = []
    for hypotheses in systems:
        statistics = [metric.statistics(hypotheses, references, log) for metric in computed]
        tables.append([numpy.array(rows, dtype=float) for rows in statistics])
        results.append([Score(*metric.corpus_score(rows), "") for metric, rows in zip(computed, statistics)])
    if bootstrap:
        results = _with_bootstrap(computed, tables, results, bootstrap)
    elif randomise and len(systems) > 1:
        differences = [[score.value - first.value for score, first in zip(system, results[0])] for system in results[1:]]
        for number, p_values in enumerate(paired_randomisation(computed, tables, differences, TRIALS), start=1):
            results[number] = [replace(score, p_value=p) for score, p in zip(results[number], p_values)]
    signatures = []
    for metric in computed:
        signature = metric.signature()
        for key, resamples in (("bs", bootstrap), ("ar", TRIALS if randomise else 0)):
            if resamples:
                signature.update(key, resamples)
                signature.update("seed", seed_text)
        signatures.append(str(signature))
    return [[replace(result, signature=signature) for result, signature in zip(system, signatures)] for system in results]


def _with_bootstrap(
    metrics: Sequence[Metric], tables: Sequence[Sequence[numpy.ndarray]], results: Sequence[Sequence[Score]], samples: int
) -> list[list[Score]]:
    """The scores with intervals and p-values."""
    values = bootstrap_values(metrics, tables, samples)
    scored: list[list[Score]] = []
    for number, system in enumerate(results):
        scored.append([])
        for metric, score, first, own, baseline in zip(metrics, system, results[0], values[number], values[0]):
            low, high = interval(own, metric.highest)
            p = paired_bootstrap(baseline, own, score.value - first.value) if number else None
            scored[-1].append(replace(score, low=low, high=high, p_value=p))
    return scored


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """BLEU of N texts against one reference translation, and its signature."""
    result = score(hypotheses, [references], metrics=("bleu",))[0]
    return result.value, result.signature


def default_metrics(systems: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], str]:
    """The default metrics: all, but not TER if a line is so long that it would take minutes. Also the reason for leaving it out, or ""."""
    for hypotheses in systems:
        if long := long_lines(hypotheses, references):
            line, words = long[0]
            return METRICS[:-1], f"line {line:,} has {words:,} words, for which TER is slow; --metrics ter computes it anyway"
    return METRICS, ""


def long_lines(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Lines for which TER is slow because both sides are long: (line number from 1, words)."""
    lines = []
    for number, (hypothesis, *texts) in enumerate(zip(hypotheses, *references), start=1):
        if len(hypothesis) > 2 * TER_WORDS and max(map(len, texts)) > 2 * TER_WORDS:  # a word and a space take at least two characters
            words = min(len(hypothesis.split()), max(len(text.split()) for text in texts))
            if words > TER_WORDS:
                lines.append((number, words))
    return lines


def check_settings(metrics: Sequence[str], bootstrap: int, randomise: bool) -> None:
    """UserError for settings of `compare` that are unknown or out of range."""
    if not metrics:
        raise UserError(f"no metrics given: choose from {', '.join(METRICS)}")
    for index, name in enumerate(metrics):
        if name not in METRICS:
            raise UserError(f"unknown metric {name!r}: choose from {', '.join(METRICS)}")
        if name in metrics[:index]:
            raise UserError(f"metric {name} is given twice")
    if bootstrap < 0 or bootstrap == 1 or bootstrap > MOST_SAMPLES:
        raise UserError(f"bootstrap ({bootstrap}) must be 0 (no interval) or at least 2 samples, and at most {MOST_SAMPLES:,}; 1000 is usual")
    if bootstrap and randomise:
        raise UserError("approximate randomisation has no bootstrap samples: bootstrap must be 0")


def check_texts(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """UserError unless the lists have the same length and are not empty."""
    if isinstance(hypotheses, str) or isinstance(references, str) or any(isinstance(texts, str) for texts in references):
        raise UserError("score takes a list of hypotheses and a list of reference lists: for a single reference translation, pass [references]")
    if not references:
        raise UserError("nothing to score against: at least one list of references is needed")
    if not hypotheses:
        raise UserError("nothing to score: there are no hypotheses")
    for number, texts in enumerate(references, start=1):
        if len(texts) != len(hypotheses):
            raise UserError(
                f"{len(hypotheses):,} hypotheses, but {len(texts):,} lines in reference {number}: each reference translation is a separate list "
                "with one line per hypothesis"
            )
