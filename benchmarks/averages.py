"""What averages of the weights are worth: the last weights, the mean of the last checkpoints, and an exponential moving average in training.

    python benchmarks/averages.py recipe=quickstart training.threads=1 --steps 1500 --every 100
    python benchmarks/averages.py recipe=multi30k_de_en data.folder=DIR --steps 2000 --schedules linear inverse_sqrt

For each schedule and seed the recipe is trained for the same number of steps: without an average, and with each of the decays as training.ema. A
decay doesn't change the weights that training goes on from, so the rows of a seed are averages of the same weights. There is no development set:
no run chooses anything. Losses are those of the test sets, in nats per token; the search is the recipe's.

Every run is a `translate train` command that goes on where it was stopped, so the whole can be stopped and started again.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from translate.bundle.bundle import load_bundle
from translate.evaluation.testsets import recipe_sets
from translate.translation.likelihood import likelihoods

LAST = 5  # checkpoints in the mean


def main() -> None:
    parser = argparse.ArgumentParser(description="Averages of the weights compared.")
    parser.add_argument("--steps", type=int, default=1500, help="of each run (default: %(default)s)")
    parser.add_argument("--every", type=int, default=100, help="steps from one checkpoint to the next (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="default: %(default)s")
    parser.add_argument("--decays", type=float, nargs="+", default=[0.99, 0.999], help="of training.ema (default: %(default)s)")
    parser.add_argument("--schedules", nargs="+", default=["linear"], help="of the learning rate (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("averages"), help="folder of the runs and the table (default: %(default)s)")
    arguments, settings = parser.parse_known_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows: dict[tuple[str, str], list[dict[str, dict[str, float]]]] = {}
    for seed in arguments.seeds:
        for schedule in arguments.schedules:
            common = [*settings, "data.validation=[]", f"optim.schedule={schedule}", f"training.seed={seed}", "training.minutes=0"]
            common += ["training.min_steps=0", f"training.steps={arguments.steps}", f"training.validate_every={arguments.every}"]
            common += [f"training.keep={LAST}", "training.average=1"]
            plain = train(arguments.output / f"{schedule}-{seed}", common)
            rows.setdefault((schedule, "last weights"), []).append(scores(plain))
            rows.setdefault((schedule, f"mean of the last {LAST}"), []).append(scores(mean_of(plain)))
            for decay in arguments.decays:
                averaged = train(arguments.output / f"{schedule}-{seed}-{decay:g}", [*common, f"training.ema={decay}"])
                rows.setdefault((schedule, f"training.ema={decay:g}"), []).append(scores(averaged))
            (arguments.output / "table.md").write_text(table(rows), encoding="utf-8")
    print(table(rows), end="")


def train(folder: Path, settings: list[str]) -> Path:
    """Train, or go on, or find it done (`translate train` does all three)."""
    run(folder, ["train", *settings, f"run={folder}"])
    return folder


def mean_of(folder: Path) -> Path:
    """A model of the mean of the run's last checkpoints, with the scores of the test sets in its report.json."""
    mean = folder.with_name(f"{folder.name}-mean")
    if not mean.exists():
        run(mean, ["average", str(folder), "--last", str(LAST), "-o", str(mean)])
    if not (mean / "report.json").exists():
        run(mean, ["evaluate", "-m", str(mean)])
    return mean


def run(folder: Path, words: list[str]) -> None:
    print(shlex.join(["translate", *words]), file=sys.stderr, flush=True)
    with open(folder.with_name(f"{folder.name}.log"), "ab") as log:
        command = [sys.executable, "-m", "translate", *words]
        subprocess.run(command, check=True, stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"})


def scores(folder: Path) -> dict[str, dict[str, float]]:
    """BLEU, chrF++ and loss of each test set."""
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))["test"]
    bundle, found = load_bundle(folder), {}
    for name, sentences in recipe_sets(bundle.config).items():
        ids = bundle.tokenizer.encode_source(sentences.sources), bundle.tokenizer.encode_target(sentences.references[0])
        loss = likelihoods(bundle.model, *ids, torch.device("cpu"), torch.float32).mean
        by = report[name]["scores"]
        found[name] = {"BLEU": by["BLEU"]["value"], "chrF++": by["chrF2++"]["value"], "loss": loss}
    return found


def table(rows: dict[tuple[str, str], list[dict[str, dict[str, float]]]]) -> str:
    """A row for each schedule and average; of each test set means over the seeds, and BLEU's least and greatest."""
    sets = list(next(iter(rows.values()))[0])
    titles = [f"{name}: {score}" for name in sets for score in ("BLEU", "chrF++", "loss")]
    lines = [f"| schedule | weights | seeds | {' | '.join(titles)} |", f"|---|---|---:|{'---:|' * len(titles)}"]
    for (schedule, weights), results in rows.items():
        cells = [str(len(results))]
        for name in sets:
            bleu, chrf, loss = ([result[name][score] for result in results] for score in ("BLEU", "chrF++", "loss"))
            cells += [f"{statistics.mean(bleu):.2f} ({min(bleu):.2f} to {max(bleu):.2f})", f"{statistics.mean(chrf):.2f}"]
            cells += [f"{statistics.mean(loss):.4f}"]
        lines.append(f"| {schedule} | {weights} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
