"""What an encoder that a masked language model has trained is worth to a translation model, by the number of pairs.

    python benchmarks/pretraining.py --data DIR --text tatoeba/train.de --output pretraining
    python benchmarks/pretraining.py training.threads=1 --data DIR --unit steps --budget 700 --pretraining 1500    # on a busy machine

DIR holds Multi30k: train.de, train.en, val.*, test_2016_flickr.*. For the first N of its 29,000 pairs, the recipe multi30k_de_en trains for the same
minutes from random weights, and with the encoder of a masked language model that has read the German side of all 29,000 captions, or that and --text.
It has read the N pairs too: the embedding is that of both languages, and pieces that are never guessed all end at one place, from where a translation
model has to bring them back. The time of the masked language model counts: one more run from random weights has it too.

All have one tokenizer, that of the 29,000 pairs. Every run is a `translate train` command that goes on where it was stopped, so the whole can be
stopped and started again. The table is written to OUTPUT/table.md after each run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

SIZES = (2000, 5000, 29000)
TEST = "test_2016_flickr"


def main() -> None:
    parser = argparse.ArgumentParser(description="The gain of init.encoder by the number of pairs.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of Multi30k")
    parser.add_argument("--text", type=Path, metavar="FILE", help="further German text, one sentence a line")
    parser.add_argument("--output", type=Path, default=Path("pretraining"), help="folder of the runs and the table (default: %(default)s)")
    parser.add_argument("--unit", choices=("minutes", "steps"), default="minutes", help="of the two budgets (default: %(default)s)")
    parser.add_argument("--budget", type=float, default=15, help="of each translation model (default: %(default)s)")
    parser.add_argument("--pretraining", type=float, default=15, help="of each masked language model (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of pairs (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of the translation models (default: %(default)s)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table into this page, between its marks")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="for every run, such as training.threads=1")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    tokenizer = bench.run("tokenizer", ["training.steps=1", "training.minutes=0", "data.validation=[]", f"~data.test.{TEST}"])
    captions = arguments.data / "train.de"
    texts = {"captions": [captions], **({"captions and text": [captions, arguments.text]} if arguments.text else {})}
    rows: dict[tuple[int, str], list[dict[str, Any]]] = {}
    longer = arguments.budget + arguments.pretraining
    plans = [("random", arguments.budget), *((name, arguments.budget) for name in texts), (f"random, {longer:,g} {arguments.unit}", longer)]
    for size, (name, budget) in itertools.product(arguments.sizes, plans):
        encoder = bench.masked(f"{size}-masked-{name.replace(' ', '-')}", tokenizer, texts[name], size) if name in texts else None
        for seed in arguments.seeds:
            settings = [f"data.train.0.lines=1-{size}", f"tokenizer.path={tokenizer}", f"training.seed={seed}", *bench.limit(budget)]
            settings += [f"init.encoder={encoder}"] if encoder else []
            folder = bench.run(f"{size}-{re.sub('[^a-z0-9]+', '-', name)}-{seed}", settings)
            rows.setdefault((size, name), []).append(json.loads((folder / "report.json").read_text(encoding="utf-8")))
            (arguments.output / "table.md").write_text(table(rows), encoding="utf-8")
    print(table(rows), end="")
    if arguments.page:
        text = arguments.page.read_text(encoding="utf-8")
        block = f"<!-- table: pretraining -->\n{table(rows)}<!-- end -->"
        text = re.sub(r"<!-- table: pretraining -->\n.*?<!-- end -->", lambda _: block, text, flags=re.DOTALL)
        arguments.page.write_text(text, encoding="utf-8")


class Bench:
    """Runs of one recipe in one folder."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.folder = arguments, arguments.output.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, name: str, settings: list[str], recipe: str = "multi30k_de_en") -> Path:
        """Train, or go on, or find it done (`translate train` does all three); returns the run folder."""
        folder: Path = self.folder / name
        command = [sys.executable, "-m", "translate", "train", f"recipe={recipe}", f"run={folder}", f"data.folder={self.arguments.data}"]
        command += [f"data.cache={self.folder / 'cache'}", *settings, *self.arguments.settings]
        print(shlex.join(command), file=sys.stderr, flush=True)
        with open(self.folder / f"{name}.log", "ab") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        return folder

    def limit(self, budget: float) -> list[str]:
        if self.arguments.unit == "steps":
            return ["training.minutes=0", f"training.steps={int(budget)}"]
        return [f"training.minutes={budget}"]

    def masked(self, name: str, tokenizer: Path, files: list[Path], size: int) -> Path:
        """A masked language model of the lines of `files` and of the first `size` pairs, as often as there are captions."""
        data = self.arguments.data
        corpora = ", ".join(f"{{kind: text, source: {file}}}" for file in files)
        corpora += f", {{kind: text, source: {data}/train.de, target: {data}/train.en, lines: 1-{size}, weight: {SIZES[-1] / size:g}}}"
        settings = [f"data.train=[{corpora}]", f"data.validation=[{{kind: text, source: {data / 'val.de'}}}]", f"~data.test.{TEST}"]
        settings += [f"tokenizer.path={tokenizer}", *self.limit(self.arguments.pretraining)]
        return self.run(name, settings, recipe="multi30k_masked_lm")


def table(rows: dict[tuple[int, str], list[dict[str, Any]]]) -> str:
    """A row for each number of pairs, a column for each start: BLEU on the test set, the mean over the seeds, and chrF++."""
    names = list(dict.fromkeys(name for _, name in rows))
    lines = [f"| pairs | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for size in sorted({size for size, _ in rows}):
        cells = [cell(rows[size, name]) if (size, name) in rows else "" for name in names]
        lines.append(f"| {size:,} | {' | '.join(cells)} |")
    scores = next(iter(rows.values()))[0]["test"][TEST]["scores"]
    return "\n".join([*lines, "", f"BLEU / chrF++ on {TEST} ({scores['BLEU']['signature']})", ""])


def cell(reports: list[dict[str, Any]]) -> str:
    scores = [report["test"][TEST]["scores"] for report in reports]
    bleu, chrf = ([score[name]["value"] for score in scores] for name in ("BLEU", "chrF2++"))
    spread = f" ({min(bleu):.1f} to {max(bleu):.1f})" if len(bleu) > 1 else ""
    return f"{sum(bleu) / len(bleu):.1f}{spread} / {sum(chrf) / len(chrf):.1f}"


if __name__ == "__main__":
    main()
