"""`translate check recipe=NAME key=value ...`: what may be wrong with the data, before hours of training. Its words are those of `train`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from translate.errors import UserError

HELP = "Look for problems in the data before training."
USAGE = """\
usage: translate check recipe=NAME [GROUP=CHOICE ...] [KEY=VALUE ...] [--json]

Look for what is wrong with the data of a recipe before training on it. The words are those of `translate train`. Nothing is written to
the run folder. The exit code is 1 where a finding is an error.

examples:
  translate check recipe=quickstart
  translate check recipe=multi30k_de_en data.folder=DIR
  translate check recipe=quickstart --json                one JSON object on stdout
"""


def add_arguments(parser: Any) -> None:
    """What tab completion offers: the words are those of `train`."""
    from translate.cli import train

    train.add_arguments(parser)
    parser.add_argument("--json", action="store_true")


def run(words: list[str]) -> int:
    """Compose, check, print. Returns 1 where a finding is an error, else 0. UserError, in one line, for words that can't be understood."""
    if "--help" in words or "-h" in words:
        print(USAGE, end="")
        return 0
    from translate.cli.train import compose

    if words.count("--json") > 1:
        raise UserError("--json is given twice")
    configs = compose([word for word in words if word != "--json"])
    if len(configs) > 1:
        raise UserError("`translate check` takes one configuration at a time: leave out -m")
    if not configs:  # --cfg, --info: Hydra has printed what was asked for
        return 0
    from translate.checks.finding import Finding
    from translate.training.trial import check_all

    findings: list[Finding] = []
    for finding in check_all(configs[0]):
        findings.append(finding)
        if "--json" not in words:
            print(finding.line(), flush=True)
    if "--json" in words:
        print(json.dumps({"findings": [dataclasses.asdict(finding) for finding in findings]}, ensure_ascii=False))
    return int(any(finding.severity == "error" for finding in findings))
