"""Translates test sets and scores the translations, for `translate evaluate` and at the end of training."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from translate.config import Config
from translate.decoding import FilledOptions, Options
from translate.errors import UserError
from translate.evaluation.calibration import confidence_figures
from translate.evaluation.metrics import check_tokenizer, default_tokenizer
from translate.evaluation.resampling import seed
from translate.evaluation.scoring import default_metrics, score
from translate.evaluation.testsets import Sentences, recipe_sets
from translate.translation.translator import Translator

SAMPLES = 5  # translations of each test set in the report
BOOTSTRAP = 1000  # resamples for the confidence intervals


def log_to_stderr(text: str) -> None:
    print(f"translate: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class ScoringOptions:
    metrics: Sequence[str] | None = None  # None: `default_metrics`
    tokenize: str | None = None  # BLEU's tokenizer; None: by the target language
    lowercase: bool = False
    bootstrap: int = BOOTSTRAP  # resamples for the intervals; 0: no intervals


def evaluate_tests(translator: Translator, config: Config, options: Options = Options(), bootstrap: int = BOOTSTRAP) -> dict[str, dict[str, Any]]:
    """`evaluate` on the recipe's test sets, at the end of training: scores that can't be computed are left out, with a message.

    UserError, before translating anything, if the recipe has no test set, or one is missing or empty.
    """
    return evaluate(translator, config, recipe_sets(config), options, ScoringOptions(bootstrap=resamples(bootstrap)))


def resamples(bootstrap: int = BOOTSTRAP) -> int:
    """`bootstrap`, or 0 with a message if the seed in the environment is unusable: a finished training still gets its scores."""
    try:
        seed()
    except UserError as error:
        log_to_stderr(f"the scores have no intervals: {error}")
        return 0
    return bootstrap


def evaluate(
    translator: Translator, config: Config, sets: Mapping[str, Sentences], options: Options, scoring: ScoringOptions,
    log: Callable[[str], None] = log_to_stderr,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Translate and score every set. Returns name -> scores with signatures, decoding options, device, sample translations.

    The values are plain, as under `test` in report.json. log: called with metrics left out, and the progress of slow ones.
    """
    filled = options.fill(translator.decoding)
    return {name: _evaluate(translator, config, name, sentences, filled, scoring, log) for name, sentences in sets.items()}


def _evaluate(
    translator: Translator,
    config: Config,
    name: str,
    sentences: Sentences,
    options: FilledOptions,
    scoring: ScoringOptions,
    log: Callable[[str], None],
) -> dict[str, Any]:
    sources, references = sentences.sources, sentences.references
    start = time.perf_counter()
    results = list(translator.translate_stream(sources, options))
    seconds = time.perf_counter() - start
    outputs = [result.text for result in results]
    tokenize = scoring.tokenize or default_tokenizer(config.data.target_language)
    metrics, left_out = chosen_metrics(scoring, tokenize, outputs, references)
    for metric, reason in left_out.items():
        log(f"{name}: {metric} is left out: {reason}")
    scores = {}
    for result in score(outputs, references, metrics, scoring.bootstrap, tokenize, scoring.lowercase, log):
        interval = {} if result.low is None or result.high is None else {"low": round(result.low, 2), "high": round(result.high, 2)}
        scores[result.name] = {"value": round(result.value, 2), **interval, "signature": result.signature}
    not_blank = [number for number, source in enumerate(sources) if source.strip()]
    confidence = confidence_figures([result.confidence for result in results], outputs, references)
    samples = not_blank[:: max(1, -(-len(not_blank) // SAMPLES))]
    return {
        "sentences": len(sources),
        "from": sentences.origin,
        "scores": scores,
        **({"left_out": left_out} if left_out else {}),
        **({"confidence": confidence} if confidence else {}),
        "decoding": how_decoded(options),
        **translator.engine.machine,
        "seconds": round(seconds, 2),
        "split": sum(result.pieces > 1 for result in results),
        "cut": sum(result.cut for result in results),
        "samples": [{"source": sources[i], "reference": references[0][i], "translation": outputs[i]} for i in samples],
    }


def how_decoded(options: FilledOptions) -> dict[str, Any]:
    """The options that chose the translations, by name."""
    if options.mbr is not None:
        return {"mbr": options.mbr, "samples": options.samples, "seed": options.seed}
    return {"beam": options.beam, "length_penalty": options.length_penalty, **({"diverse": options.diverse} if options.diverse > 1 else {})}


def chosen_metrics(
    scoring: ScoringOptions, tokenize: str, outputs: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[list[str], dict[str, str]]:
    """The metrics to compute, and those left out with the reason.

    Metrics named by the user are never left out; the defaults may be, so that a finished training run still gets its other scores.
    """
    if scoring.metrics is not None:
        return list(scoring.metrics), {}
    defaults, reason = default_metrics([outputs], references)
    metrics, left_out = list(defaults), {"TER": reason} if reason else {}
    try:
        check_tokenizer(tokenize)
    except UserError as error:
        metrics.remove("bleu")
        left_out["BLEU"] = str(error)
    return metrics, left_out
