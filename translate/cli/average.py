"""`translate average`: the mean of several checkpoints of a run, or of several runs, as a model of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from translate.cli.paths import user_path
from translate.errors import UserError

MOST = 1000  # of a share
HELP = "Average checkpoints of a run, or several runs, into a new model."
EPILOG = """\
examples:
  translate average runs/long --last 5 -o runs/long-last5          the five newest checkpoints
  translate average runs/long --best 3 -o runs/long-best3          those with the best validations, by the run's training.metric
  translate average runs/long --steps 4000 4500 -o runs/long-two   these
  translate average runs/new runs/old --shares 0.8 0.2 -o runs/both    a model, and the one that it started from (init.from)
  translate evaluate -m runs/long-last5

At its end, training does the same with the newest training.average checkpoints, and keeps the mean if it is better. A run keeps training.keep
checkpoints. Of several runs the final weights are averaged, and all else is the first one's. The new model's confidence isn't known until
`translate evaluate -m NEW --calibrate`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("runs", nargs="+", type=user_path, metavar="RUN", help="run folder of `translate train`; a single one with its checkpoints")
    parser.add_argument("-o", "--output", required=True, type=user_path, metavar="NEW", help="run folder to write; must be new or empty")
    parser.add_argument("--last", type=int, metavar="N", help="the N newest checkpoints (default: all that the run has kept)")
    parser.add_argument("--best", type=int, metavar="N", help="the N checkpoints with the best validations")
    parser.add_argument("--steps", type=int, nargs="+", metavar="STEP", help="the checkpoints of these steps")
    parser.add_argument("--shares", type=float, nargs="+", metavar="S", help="how much each of several runs counts (default: the same)")


def run(arguments: argparse.Namespace) -> int:
    given = [f"--{name}" for name in ("last", "best", "steps") if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are both given: choose one")
    for name in ("last", "best"):
        if (count := getattr(arguments, name)) is not None and count < 1:
            raise UserError(f"--{name} is {count}: it must be at least 1")
    if arguments.steps and len(set(arguments.steps)) < len(arguments.steps):
        raise UserError(f"--steps has a step twice: {' '.join(map(str, arguments.steps))}")
    if len(arguments.runs) > 1:
        return average_several(arguments, given)
    if arguments.shares is not None:
        raise UserError("--shares has no effect with a single run: name another one, or leave it out")
    from translate.training.averaging import average_checkpoints

    steps = average_checkpoints(Path(arguments.runs[0]), Path(arguments.output), arguments.last, arguments.best, arguments.steps)[1]
    listed = ", ".join(f"{step:,}" for step in steps)
    print(f"translate: the mean of {len(steps):,} checkpoints (steps {listed}), written to {arguments.output}", file=sys.stderr)
    return 0


def average_several(arguments: argparse.Namespace, given: list[str]) -> int:
    runs, shares = arguments.runs, arguments.shares
    if given:
        raise UserError(f"{given[0]} has no effect with several runs, of which the final weights are averaged: leave it out")
    if repeated := [run for number, run in enumerate(runs) if Path(run).resolve() in [Path(other).resolve() for other in runs[:number]]]:
        raise UserError(f"{repeated[0]} is given twice: a mean needs different models")
    if shares is not None and len(shares) != len(runs):
        raise UserError(f"--shares has {len(shares)} numbers for {len(runs)} runs: give one for each")
    if shares is not None and not all(0 < share <= MOST for share in shares):
        raise UserError(f"--shares is {' '.join(f'{share:g}' for share in shares)}: each must be above 0, at most {MOST:,}")
    from translate.training.averaging import average_runs

    average_runs([Path(run) for run in runs], Path(arguments.output), shares)
    print(f"translate: the mean of {len(runs):,} models, written to {arguments.output}", file=sys.stderr)
    return 0
