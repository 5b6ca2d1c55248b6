"""`translate average`: the mean of several checkpoints of a run, as a model of its own."""

from __future__ import annotations

import argparse
import sys

from translate.cli.paths import user_path
from translate.errors import UserError

HELP = "Average checkpoints of a run into a new model."
EPILOG = """\
examples:
  translate average runs/long --last 5 -o runs/long-last5          the five newest checkpoints
  translate average runs/long --best 3 -o runs/long-best3          those with the best validations, by the run's training.metric
  translate average runs/long --steps 4000 4500 -o runs/long-two   these
  translate evaluate -m runs/long-last5

At its end, training does the same with the newest training.average checkpoints, and keeps the mean if it is better. A run keeps training.keep
checkpoints. The new model's confidence isn't known until `translate evaluate -m NEW --calibrate`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("run", type=user_path, metavar="RUN", help="run folder of `translate train`, with its folder `checkpoints`")
    parser.add_argument("-o", "--output", required=True, type=user_path, metavar="NEW", help="run folder to write; must be new or empty")
    parser.add_argument("--last", type=int, metavar="N", help="the N newest checkpoints (default: all that the run has kept)")
    parser.add_argument("--best", type=int, metavar="N", help="the N checkpoints with the best validations")
    parser.add_argument("--steps", type=int, nargs="+", metavar="STEP", help="the checkpoints of these steps")


def run(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    given = [f"--{name}" for name in ("last", "best", "steps") if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are both given: choose one")
    for name in ("last", "best"):
        if (count := getattr(arguments, name)) is not None and count < 1:
            raise UserError(f"--{name} is {count}: it must be at least 1")
    if arguments.steps and len(set(arguments.steps)) < len(arguments.steps):
        raise UserError(f"--steps has a step twice: {' '.join(map(str, arguments.steps))}")
    from translate.training.averaging import average_checkpoints

    steps = average_checkpoints(Path(arguments.run), Path(arguments.output), arguments.last, arguments.best, arguments.steps)[1]
    listed = ", ".join(f"{step:,}" for step in steps)
    print(f"translate: the mean of {len(steps):,} checkpoints (steps {listed}), written to {arguments.output}", file=sys.stderr)
    return 0
