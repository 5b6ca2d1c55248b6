"""`translate check recipe=NAME key=value ...`: finds problems in the data before hours of training. Takes the arguments of `train`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from translate.errors import UserError

HELP = "Look for problems in the data before training."
USAGE = """\
usage: translate check recipe=NAME [GROUP=CHOICE ...] [KEY=VALUE ...] [--json]

Look for problems in the data of a recipe before training on it. Takes the same arguments as `translate train`. Nothing is written to the
run folder. The exit code is 1 if a finding is an error.

examples:
  translate check recipe=quickstart
  translate check recipe=multi30k_de_en data.folder=DIR
  translate check recipe=quickstart --json                one JSON object on stdout
"""


def add_arguments(parser: Any) -> None:
    """For tab completion: the arguments of `train`, and --json."""
    from translate.cli import train

    train.add_arguments(parser)
    parser.add_argument("--json", action="store_true")


def run(argv: list[str]) -> int:
    """Compose, check, print. Returns 1 if a finding is an error, else 0. UserError for arguments that can't be parsed."""
    if "--help" in argv or "-h" in argv:
        print(USAGE, end="")
        return 0
    from translate.cli.train import compose

    if argv.count("--json") > 1:
        raise UserError("--json is given twice")
    configs = compose([argument for argument in argv if argument != "--json"])
    if len(configs) > 1:
        raise UserError("`translate check` takes one configuration at a time: leave out -m")
    if not configs:  # --cfg and --info have printed their output
        return 0
    from translate.checks.finding import Finding
    from translate.training.trial import check_all

    findings: list[Finding] = []
    for finding in check_all(configs[0]):
        findings.append(finding)
        if "--json" not in argv:
            print(finding.line(), flush=True)
    if "--json" in argv:
        print(json.dumps({"findings": [dataclasses.asdict(finding) for finding in findings]}, ensure_ascii=False))
    return int(any(finding.severity == "error" for finding in findings))
