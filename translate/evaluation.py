"""Test sets in, scores out: what `translate evaluate` does, and training once it has ended. Writes report.json.

Sits above translator.py and scoring.py and below training.py.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from translate.config import Config
from translate.data import load_pairs
from translate.decoding import Options
from translate.errors import UserError
from translate.scoring import score
from translate.text import written_whole
from translate.translator import Translator

REPORT = "report.json"
SAMPLES = 5  # translations of each test set that the report shows
BOOTSTRAP = 1000  # resamples for the confidence intervals
PACKAGES = ("translate-nmt", "torch", "sentencepiece", "datasets", "sacrebleu")


def evaluate_tests(translator: Translator, config: Config, options: Options = Options(), bootstrap: int = BOOTSTRAP) -> dict[str, dict[str, Any]]:
    """Translate and score every test set of the recipe: its name -> scores with signatures, what they were reached with, some translations.

    Plain values, as they stand under `test` in report.json. `bootstrap`: resamples for the intervals, 0 = none. UserError where the recipe
    has no test set, or one that is not there or empty: before any is translated.
    """
    if not config.data.test:
        raise UserError("data.test of this recipe is empty: there is nothing to evaluate on")
    options = options.fill(translator.decoding)
    tests = {name: load_pairs([corpus], config.data) for name, corpus in config.data.test.items()}
    for name, pairs in tests.items():
        if not len(pairs):
            raise UserError(f"data.test.{name} has no sentence pairs")
    return {name: _evaluate(translator, [s for s, _ in pairs], [t for _, t in pairs], options, bootstrap) for name, pairs in tests.items()}


def _evaluate(translator: Translator, sources: list[str], references: list[str], options: Options, bootstrap: int) -> dict[str, Any]:
    began = time.perf_counter()
    results = list(translator.translate_stream(sources, options))
    seconds = time.perf_counter() - began
    outputs = [result.text for result in results]
    scores = {}
    for metric in score(outputs, [references], bootstrap=bootstrap):
        interval = {} if metric.low is None else {"low": round(metric.low, 2), "high": round(metric.high, 2)}
        scores[metric.name] = {"value": round(metric.value, 2), **interval, "signature": metric.signature}
    texts = [place for place, source in enumerate(sources) if source.strip()]
    shown = texts[:: max(1, -(-len(texts) // SAMPLES))]
    return {
        "sentences": len(sources),
        "scores": scores,
        "decoding": {"beam": options.beam, "length_penalty": options.length_penalty},
        **translator.engine.machine,
        "seconds": round(seconds, 2),
        "split": sum(result.pieces > 1 for result in results),
        "cut": sum(result.cut for result in results),
        "samples": [{"source": sources[place], "reference": references[place], "translation": outputs[place]} for place in shown],
    }


def table(tests: Mapping[str, Mapping[str, Any]]) -> str:
    """The results of `evaluate_tests` for people: a row for each test set, then the signatures."""
    metrics = list(next(iter(tests.values()))["scores"])
    rows = [["test set", "sentences", *metrics, "seconds"]]
    for name, test in tests.items():
        rows.append([name, f"{test['sentences']:,}", *(_value(test["scores"][metric]) for metric in metrics), f"{test['seconds']:.1f}"])
    first, *widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], widths))]) for row in rows]
    signatures = dict.fromkeys(f"{metric}  {test['scores'][metric]['signature']}" for metric in metrics for test in tests.values())
    return "\n".join([*lines, "", *signatures])


def _value(score: Mapping[str, Any]) -> str:
    interval = f" [{score['low']:.1f}, {score['high']:.1f}]" if "low" in score else ""
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
    path = Path(folder) / REPORT
    report: dict[str, Any] = {}
    if path.exists():
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            tests = {**report.get("test", {}), **tests}
        except (ValueError, AttributeError, TypeError):
            raise UserError(f"{path} is not readable as JSON: it is damaged; move it away") from None
    versions = {"versions": _versions()} if values else {}
    with written_whole(path) as file:
        json.dump({**report, **values, **versions, "test": tests}, file, indent=2, ensure_ascii=False)
        file.write("\n")


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
            versions[package] = "unknown"
    return versions
