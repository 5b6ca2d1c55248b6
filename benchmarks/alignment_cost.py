"""CPU time of translation, one thread: what alignments add to it, and an older tree of this repository in comparison.

    python benchmarks/alignment_cost.py -m RUN --data DIR/test_2016_flickr.de
    python benchmarks/alignment_cost.py -m RUN --data DIR/test_2016_flickr.de --engine ctranslate2
    python benchmarks/alignment_cost.py -m RUN --data DIR/test_2016_flickr.de --before OLDER_TREE

Each tree has a process of its own. They take turns, with and without alignments, for `--rounds` rounds of `--lines` lines each, so that whatever
else the machine does meets all of them. The table has medians, with quartiles, of the ratios within a round. Lines with a digit are few; with
`--words` there are none, as before numbers were compared.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU time of translation with and without alignments, by this tree and an older one.")
    parser.add_argument("-m", "--model", type=Path, required=True, help="run folder")
    parser.add_argument("--data", type=Path, required=True, help="source text")
    parser.add_argument("--before", type=Path, help="an older tree of this repository, to compare with")
    parser.add_argument("--engine", default="torch", choices=["torch", "ctranslate2"])
    parser.add_argument("--beams", type=int, nargs="*", default=[1, 5])
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--words", action="store_true", help="leave out lines with a digit")
    arguments = parser.parse_args()
    trees = {"now": ROOT, **({"before": arguments.before.resolve()} if arguments.before else {})}
    tasks = {"lines": lines_of(arguments), "model": str(arguments.model.resolve()), "engine": arguments.engine}
    workers = {name: start(tree, tasks) for name, tree in trees.items()}
    for beam in arguments.beams:
        compare(workers, beam, arguments.rounds, len(tasks["lines"]))


def lines_of(arguments: argparse.Namespace) -> list[str]:
    lines = [line for line in arguments.data.read_text(encoding="utf-8").split("\n") if line.strip()]
    return [line for line in lines if not (arguments.words and re.search(r"\d", line))][: arguments.lines]


def start(tree: Path, tasks: dict) -> Callable[[int, bool], float]:
    """A process with the code in `tree`. Returns a function that has it translate with a beam, with or without alignments, and gives the CPU time."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), "--worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdin and process.stdout

    def ask(request: object) -> float:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            sys.exit(f"{tree}: the process ended")
        return float(answer)

    ask(tasks)
    return lambda beam, alignment: ask([beam, alignment])


def compare(workers: dict[str, Callable[[int, bool], float]], beam: int, rounds: int, count: int) -> None:
    kinds = [(name, alignment) for name in workers for alignment in (False, True) if not (alignment and name == "before")]
    seconds: dict[tuple[str, bool], list[float]] = {kind: [] for kind in kinds}
    for number in range(rounds + 1):
        for kind in kinds if number % 2 else reversed(kinds):
            measured = workers[kind[0]](beam, kind[1])
            if number:  # the first round fills caches
                seconds[kind].append(measured)
    plain = seconds["now", False]
    print(f"beam {beam}, {count:,} lines, {rounds} rounds: {statistics.median(plain):.2f} s")
    print("  with alignments / without:", spread([a / b for a, b in zip(seconds["now", True], plain)]))
    if "before" in workers:
        print("  speed relative to before:", spread([a / b for a, b in zip(seconds["before", False], plain)]), flush=True)


def spread(ratios: list[float]) -> str:
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def worker() -> None:
    """Reads what to do from stdin, a line of JSON each, and writes CPU seconds."""
    import torch

    from translate import Translator

    torch.set_num_threads(1)
    tasks = json.loads(sys.stdin.readline())
    translator = Translator.load(tasks["model"], "cpu", engine=tasks["engine"])
    print(0.0, flush=True)
    for request in sys.stdin:
        beam, alignment = json.loads(request)
        begin = time.process_time()
        translator.translate(tasks["lines"], beam=beam, scores=True, **({"alignment": True} if alignment else {}))
        print(time.process_time() - begin, flush=True)


if __name__ == "__main__":
    worker() if sys.argv[1:] == ["--worker"] else main()
