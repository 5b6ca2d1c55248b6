"""Test sets in, scores out: what `translate evaluate` does, and training once it has ended. Writes report.json.

Sits above translator.py and scoring.py and below training.py.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translate.config import Config
from translate.decoding import Options
from translate.errors import UserError
from translate.evaluation.resampling import seed
from translate.evaluation.scoring import check_tokenizer, score, tokenizer_of, usual_metrics
from translate.evaluation.testsets import Sentences, recipe_sets
from translate.files.atomic import atomic_text
from translate.translation.translator import Translator

REPORT = "report.json"
SAMPLES = 5  # translations of each test set that the report shows
BOOTSTRAP = 1000  # resamples for the confidence intervals
PACKAGES = ("translate-nmt", "torch", "sentencepiece", "datasets", "sacrebleu")


def tell(text: str) -> None:
    print(f"translate: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Measures:
    """How translations are scored. metrics: None = all that are of use here; tokenize: of BLEU, None = by the target language."""

    metrics: Sequence[str] | None = None
    tokenize: str | None = None
    lowercase: bool = False
    bootstrap: int = BOOTSTRAP  # resamples for the intervals, 0 = none


def evaluate_tests(translator: Translator, config: Config, options: Options = Options(), bootstrap: int = BOOTSTRAP) -> dict[str, dict[str, Any]]:
    """`evaluate` on the test sets of the recipe, for a training that has ended: what can't be computed is left out, and said.

    UserError where the recipe has no test set, or one that is not there or empty: before any is translated.
    """
    try:
        seed()
    except UserError as error:
        tell(f"the scores have no intervals: {error}")
        bootstrap = 0
    return evaluate(translator, config, recipe_sets(config), options, Measures(bootstrap=bootstrap))


def evaluate(
    translator: Translator, config: Config, sets: Mapping[str, Sentences], options: Options, measures: Measures, say: Callable[[str], None] = tell
) -> dict[str, dict[str, Any]]:
    """Translate and score every set: its name -> scores with signatures, what they were reached with, some translations.

    Plain values, as they stand under `test` in report.json. say: is told what is left out, and how far a metric is that takes long.
    """
    options = options.fill(translator.decoding)
    return {name: _evaluate(translator, config, name, sentences, options, measures, say) for name, sentences in sets.items()}


def _evaluate(
    translator: Translator, config: Config, name: str, sentences: Sentences, options: Options, measures: Measures, say: Callable[[str], None]
) -> dict[str, Any]:
    sources, references = sentences.sources, sentences.references
    began = time.perf_counter()
    results = list(translator.translate_stream(sources, options))
    seconds = time.perf_counter() - began
    outputs = [result.text for result in results]
    tokenize = measures.tokenize or tokenizer_of(config.data.target_language)
    metrics, left_out = chosen_metrics(measures, tokenize, outputs, references)
    for metric, reason in left_out.items():
        say(f"{name}: {metric} is left out: {reason}")
    scores = {}
    for metric in score(outputs, references, metrics, measures.bootstrap, tokenize, measures.lowercase, say):
        interval = {} if metric.low is None else {"low": round(metric.low, 2), "high": round(metric.high, 2)}
        scores[metric.name] = {"value": round(metric.value, 2), **interval, "signature": metric.signature}
    texts = [place for place, source in enumerate(sources) if source.strip()]
    shown = texts[:: max(1, -(-len(texts) // SAMPLES))]
    return {
        "sentences": len(sources),
        "from": sentences.origin,
        "scores": scores,
        **({"left_out": left_out} if left_out else {}),
        "decoding": {"beam": options.beam, "length_penalty": options.length_penalty},
        **translator.engine.machine,
        "seconds": round(seconds, 2),
        "split": sum(result.pieces > 1 for result in results),
        "cut": sum(result.cut for result in results),
        "samples": [{"source": sources[place], "reference": references[0][place], "translation": outputs[place]} for place in shown],
    }


def chosen_metrics(
    measures: Measures, tokenize: str, outputs: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[list[str], dict[str, str]]:
    """The metrics to compute, and why one is left out: only where none was asked for by name, so that a finished training has its figures."""
    if measures.metrics is not None:
        return list(measures.metrics), {}
    usual, reason = usual_metrics([outputs], references)
    metrics, left_out = list(usual), {"TER": reason} if reason else {}
    try:
        check_tokenizer(tokenize)
    except UserError as error:
        metrics.remove("bleu")
        left_out["BLEU"] = str(error)
    return metrics, left_out


def table(tests: Mapping[str, Mapping[str, Any]]) -> str:
    """The results of `evaluate` for people: a row for each test set, then the signatures, then what was left out."""
    metrics = list(dict.fromkeys(metric for test in tests.values() for metric in test["scores"]))
    rows = [["test set", "sentences", *metrics, "seconds"]]
    for name, test in tests.items():
        rows.append([name, f"{test['sentences']:,}", *(_value(test["scores"].get(metric)) for metric in metrics), f"{test['seconds']:.1f}"])
    first, *widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], widths))]) for row in rows]
    lines.append("")
    for metric in metrics:
        users: dict[str, list[str]] = {}
        for name, test in tests.items():
            if metric in test["scores"]:
                users.setdefault(test["scores"][metric]["signature"], []).append(name)
        lines += [f"{metric}{' (' + ', '.join(names) + ')' if len(users) > 1 else ''}  {signature}" for signature, names in users.items()]
    lines += [f"{metric} of {name} is left out: {reason}" for name, test in tests.items() for metric, reason in test.get("left_out", {}).items()]
    return "\n".join(lines)


def _value(score: Mapping[str, Any] | None) -> str:
    """As `translate score` writes it."""
    if score is None:
        return "-"
    interval = f" [{score['low']:.2f}, {score['high']:.2f}]" if "low" in score else ""
    return f"{score['value']:.2f}{interval}"


def samples(tests: Mapping[str, Mapping[str, Any]], most: int = 3) -> str:
    """A few of the translations, each under its source and reference."""
    return "\n\n".join(
        f"source       {sample['source']}\nreference    {sample['reference']}\ntranslation  {sample['translation']}"
        for test in tests.values()
        for sample in test["samples"][:most]
    )


def write_report(folder: str | Path, values: Mapping[str, Any], tests: Mapping[str, Any]) -> None:
    """Put `values` (of a training, or none) and `tests` into the folder's report.json; what else it holds stays. Whole or not at all."""
    report = read_report(folder)
    versions = {"versions": _versions()} if values else {}
    with atomic_text(Path(folder) / REPORT) as file:
        json.dump({**report, **values, **versions, "test": {**report.get("test", {}), **tests}}, file, indent=2, ensure_ascii=False)
        file.write("\n")


def read_report(folder: str | Path) -> dict[str, Any]:
    """What the folder's report.json holds, nothing where there is none. UserError for a damaged one."""
    path = Path(folder) / REPORT
    if not path.exists():
        return {}
    if not path.is_file():  # a pipe would be waited for
        raise UserError(f"{path} is not a file: move it away")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(report, dict) or not isinstance(report.get("test", {}), dict):
            raise ValueError(path)
    except (ValueError, RecursionError):
        raise UserError(f"{path} is not readable as JSON: it is damaged; move it away") from None
    return report


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
            versions[package] = "unknown"
    return versions
