"""The results of an evaluation: report.json in a run folder, and a readable table."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from translate.errors import UserError
from translate.files.atomic import atomic_text

REPORT = "report.json"
PACKAGES = ("translate-nmt", "torch", "sentencepiece", "datasets", "sacrebleu")  # versions recorded


def format_table(tests: Mapping[str, Mapping[str, Any]]) -> str:
    """The results of `evaluate` as text: a row per test set, the signatures, confidence, then the metrics left out."""
    metrics = list(dict.fromkeys(metric for test in tests.values() for metric in test["scores"]))
    rows = [["test set", "sentences", *metrics, "seconds"]]
    for name, test in tests.items():
        rows.append([name, f"{test['sentences']:,}", *(_value(test["scores"].get(metric)) for metric in metrics), f"{test['seconds']:.1f}"])
    first, *widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], widths))]) for row in rows]
    lines.append("")
    for metric in metrics:
        names_of: dict[str, list[str]] = {}  # signature -> test sets
        for name, test in tests.items():
            if metric in test["scores"]:
                names_of.setdefault(test["scores"][metric]["signature"], []).append(name)
        lines += [f"{metric}{' (' + ', '.join(names) + ')' if len(names_of) > 1 else ''}  {signature}" for signature, names in names_of.items()]
    lines += [f"confidence of {name}  {_confidence(test['confidence'])}" for name, test in tests.items() if "confidence" in test]
    lines += [f"{metric} of {name} is left out: {reason}" for name, test in tests.items() for metric, reason in test.get("left_out", {}).items()]
    return "\n".join(lines)


def _confidence(figures: Mapping[str, Any]) -> str:
    size = f"{figures['lines']:,} line{'s' if figures['lines'] > 1 else ''}, {figures['bins']} bins"
    return f"{figures['mean']:.3f} on average, sentence chrF++ / 100 {figures['chrf']:.3f}; expected calibration error {figures['ece']:.3f} ({size})"


def _value(score: Mapping[str, Any] | None) -> str:
    """Formatted as in `translate score`."""
    if score is None:
        return "-"
    interval = f" [{score['low']:.2f}, {score['high']:.2f}]" if "low" in score else ""
    return f"{score['value']:.2f}{interval}"


def change_rows(changes: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """`before_and_after` of a report as a table: its head, then a row for each set."""
    metrics = list(dict.fromkeys(metric for change in changes.values() for metric in change["before"]))
    rows = [["before and after", "search", *metrics]]
    for name, change in changes.items():
        before, after, decoding = change["before"], change["after"], change["decoding"]
        search = f"beam {decoding['beam']}" if decoding else "-"
        if decoding and decoding["length_penalty"] is not None:
            search += f", length penalty {decoding['length_penalty']:g}"
        rows.append([name, search, *(f"{before[m]:.2f} -> {after[m]:.2f}" if m in before and m in after else "-" for m in metrics)])
    return rows


def format_changes(changes: Mapping[str, Mapping[str, Any]]) -> str:
    """The scores of each set before and after the training, for a terminal."""
    rows = change_rows(changes)
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def format_samples(tests: Mapping[str, Mapping[str, Any]], count: int = 3) -> str:
    """A few translations, each with its source and reference; nothing for models that don't translate."""
    return "\n\n".join(
        "\n".join(f"{key:<12} {sample[key]}" for key in ("source", "reference", "translation"))
        for test in tests.values()
        for sample in test["samples"][:count]
    )


def write_report(folder: str | Path, values: Mapping[str, Any], tests: Mapping[str, Any]) -> None:
    """Merge `values` (of a training run; may be empty) and `tests` into the folder's report.json, atomically; keep other entries."""
    report = read_report(folder)
    versions = {"versions": _versions()} if values else {}
    with atomic_text(Path(folder) / REPORT) as file:
        json.dump({**report, **values, **versions, "test": {**report.get("test", {}), **tests}}, file, indent=2, ensure_ascii=False)
        file.write("\n")


def save_results(folder: str | Path, tests: Mapping[str, Any], log: Callable[[str], None]) -> None:
    """Write the results of `evaluate` into the folder's report.json; if that fails, only say so."""
    try:
        write_report(folder, {}, tests)
    except (UserError, OSError) as error:  # for example a read-only folder
        log(f"warning: the scores are not saved: {error}")
    else:
        log(f"written to {Path(folder) / REPORT}")


def read_report(folder: str | Path) -> dict[str, Any]:
    """The folder's report.json; empty if missing. UserError if it is damaged."""
    path = Path(folder) / REPORT
    if not path.exists():
        return {}
    if not path.is_file():  # reading a pipe would block
        raise UserError(f"{path} is not a file: move it away")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(report, dict) or not isinstance(report.get("test", {}), dict):
            raise ValueError(path)
    except (ValueError, RecursionError):
        raise UserError(f"{path} is damaged: it is not valid JSON; move it away") from None
    return report


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # running from a checkout
            versions[package] = "unknown"
    return versions
