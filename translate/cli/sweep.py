"""Several runs, one after the other: a run that fails doesn't end the sweep, and a table at the end compares them."""

from __future__ import annotations

import json
import os
import statistics
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from translate.compose.compose import Job
from translate.config import Config
from translate.errors import UserError

SIGNAL = 128  # a greater exit code is that of a run stopped by a signal, which ends the sweep
SEED = "training.seed="


def sweep(jobs: Sequence[Job], train: Callable[[Config], int]) -> int:
    """Train each job. Returns the greatest exit code. A user's mistake in one run is logged with the run's name, and the next run starts."""
    codes: list[int] = []
    first = os.environ.get("RANK", "0") == "0"  # under torchrun every process gets here
    for job in jobs:
        if first:
            print(f"{job.label}: {job.config.run}", file=sys.stderr)
        try:
            codes.append(train(job.config))
        except BrokenPipeError:  # the reader of the output is gone
            raise
        except (UserError, OSError) as error:
            if os.environ.get("TRANSLATE_DEBUG") == "1":
                traceback.print_exc()
            print(f"translate: error: {job.label}: {' '.join(str(error).split())}", file=sys.stderr)
            codes.append(2)
        if codes[-1] > SIGNAL:
            break
    if first:
        print(table(jobs, codes))
    return max(codes)


def table(jobs: Sequence[Job], codes: Sequence[int]) -> str:
    """A row per run with its BLEU on the development and test sets; also the mean and deviation of runs that differ only in the seed."""
    scores = [scores_of(job.config) if code == 0 else {} for job, code in zip(jobs, codes)]
    columns = list(dict.fromkeys(name for run_scores in scores for name in run_scores))
    rows = [["run", *columns, ""]]
    for job, run_scores, code in zip(jobs, scores, codes):
        rows.append([" ".join(job.swept), *(cell(run_scores.get(name)) for name in columns), "" if code == 0 else f"failed (exit code {code})"])
    rows += [[" ".join(job.swept), *[""] * len(columns), "not started"] for job in jobs[len(codes) :]]
    rows += seeds(jobs, scores, columns)
    first, *widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join([row[0].ljust(first), *(text.rjust(width) for text, width in zip(row[1:], widths))]).rstrip() for row in rows]
    signatures = sorted({signature for job, code in zip(jobs, codes) if code == 0 for signature in signatures_of(job.config)})
    return "\n".join(["", *lines, *[f"BLEU  {signature}" for signature in signatures]])


def seeds(jobs: Sequence[Job], scores: Sequence[dict[str, float]], columns: Sequence[str]) -> list[list[str]]:
    """Rows of means over the runs that differ only in the seed."""
    groups: dict[tuple[str, ...], list[dict[str, float]]] = {}
    for job, run_scores in zip(jobs, scores):
        if run_scores and any(text.startswith(SEED) for text in job.swept):
            groups.setdefault(tuple(text for text in job.swept if not text.startswith(SEED)), []).append(run_scores)
    rows = []
    for swept, group in groups.items():
        if len(group) > 1:
            columns_values = [[run_scores[name] for run_scores in group if name in run_scores] for name in columns]
            cells = [f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}" if len(values) > 1 else "-" for values in columns_values]
            rows.append([" ".join([*swept, f"mean ± standard deviation of {len(group)} seeds"]), *cells, ""])
    return rows


def cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def report_of(config: Config) -> dict[str, Any]:
    path = Path(config.run) / "report.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def scores_of(config: Config) -> dict[str, float]:
    """BLEU by set: `dev BLEU`, and the name of each test set."""
    report = report_of(config)
    scores = {"dev BLEU": report["dev_bleu"]} if "dev_bleu" in report else {}
    for name, test in report.get("test", {}).items():
        if "BLEU" in test["scores"]:
            scores[f"{name} BLEU"] = test["scores"]["BLEU"]["value"]
    return scores


def signatures_of(config: Config) -> set[str]:
    tests = report_of(config).get("test", {}).values()
    return {test["scores"]["BLEU"]["signature"] for test in tests if "BLEU" in test["scores"]}
