"""Damaged and hostile files against every reader: each case must end in one line of error, or in what was asked for.

    python -m tests.fuzz                      # 10,000 cases a kind, 1,000 of the slow ones: about 20 minutes on a core
    python -m tests.fuzz bundle tsv --cases 500 --seed 7

A case is a function of its kind and its seed. It runs in a process of its own with 1 GiB beyond what the libraries take and 20 seconds; a
crash, a hang, more memory, any other exception, another translation, or a file that a bundle's code would have made is a failure, and the
exit code is 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.fuzz_adapt import average, marian, start
from tests.fuzz_cases import Case, bundle, config, gaps, hostile, recipe, rerank, save, texts
from tests.fuzz_readers import array, bz2, column, gz, jsonl, key, quoted, tmx, tsv, xz, zst
from tests.fuzz_text import profile, text
from tests.mutations import RAN

SECONDS, MEMORY = 20, 1 << 30  # of a case: time, bytes beyond those at the start
KINDS = {
    kind.__name__: kind
    for kind in (
        bundle, gaps, texts, hostile, profile, save, start, average, marian, config, rerank, recipe, tsv, jsonl, array, quoted, tmx, gz, xz, bz2, zst,
        column, key, text,
    )
}  # fmt: skip
SLOW = {"recipe": 10}  # one case where the others have so many


def serve(pipe: Any) -> None:
    """The process that runs the cases asked for by (kind, seed), and answers each with its outcome."""
    import torch

    import translate.translation.translator  # noqa: F401  its memory is not the cases'
    from translate.cli.main import MESSAGE_LENGTH, explain
    from translate.errors import UserError

    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries say there belongs to no reader
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        cases: dict[str, Case] = {}
        while (request := pipe.recv()) is not None:
            kind, seed = request
            if kind not in cases:
                Path(kind).mkdir()
                cases[kind] = KINDS[kind](Path(kind).resolve())
                size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))
            try:
                outcome = cases[kind](random.Random(f"{kind} {seed}"))
            except (UserError, OSError) as error:
                message = explain(error)
                outcome = "refused" if message.isprintable() and 0 < len(message) <= MESSAGE_LENGTH else f"FAILED: no short line: {message[:300]!r}"
            except Exception as error:
                outcome = f"FAILED: {type(error).__name__}: {str(error)[:300]!r}"
            if Path(RAN).exists() or (Path(kind) / RAN).exists():
                outcome = "FAILED: code of the file was run"
            pipe.send(outcome)


class Worker:
    """Runs cases one by one; started anew after a crash or a hang."""

    def __init__(self) -> None:
        self.process: Any = None

    def run(self, kind: str, seed: int) -> str:
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, other = context.Pipe()
            self.process = context.Process(target=serve, args=(other,), daemon=True)
            self.process.start()
            other.close()
            self.pipe.send((kind, seed))
            in_time = self.pipe.poll(SECONDS + 60)  # the libraries come first
        else:
            self.pipe.send((kind, seed))
            in_time = self.pipe.poll(SECONDS)
        try:
            if in_time:
                return self.pipe.recv()
            self.process.kill()
            self.process.join()
            outcome = f"FAILED: no end after {SECONDS} s"
        except (EOFError, ConnectionResetError):
            self.process.join()
            outcome = f"FAILED: the process died ({self.process.exitcode})"
        self.process = None
        return outcome

    def stop(self) -> None:
        if self.process is not None:
            self.pipe.send(None)
            self.process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description="Damaged and hostile files against every reader.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)} (default: all)")
    parser.add_argument("--cases", type=int, default=10_000, help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the others follow (default: %(default)s)")
    arguments = parser.parse_args()
    worker, failed = Worker(), 0
    print(f"{'kind':<10}{'cases':>8}  outcome")
    for kind in arguments.kinds or KINDS:
        outcomes: Counter[str] = Counter()
        for seed in range(arguments.seed, arguments.seed + arguments.cases // SLOW.get(kind, 1)):
            outcome = worker.run(kind, seed)
            if outcome.startswith("FAILED"):
                failed += 1
                print(f"{kind}, seed {seed}: {outcome}", flush=True)
            outcomes[outcome.partition(":")[0]] += 1
        print(f"{kind:<10}{outcomes.total():>8,}  {', '.join(f'{outcome} {count:,}' for outcome, count in outcomes.most_common())}", flush=True)
    worker.stop()
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
