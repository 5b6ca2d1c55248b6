"""Long runs of `translate file` and of `Translator`: many lines, many processes, many threads.

    python benchmarks/reliability.py -m runs/multi30k_de_en --data DIR/test_2016_flickr.de --lines 1000000 --processes 24 --minutes 10

Three parts; 0 skips one. --lines: translates this many different lines with each of --engines, by greedy search; no line may be lost, and
memory must stay flat (measured at 10%, 50% and 100%). --processes: runs `translate file` this many times at once on one model; all outputs
must equal that of a single run. --minutes: eight threads share one Translator, which must give the same results as in one thread.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

THREADS = 8
MARKS = (0.1, 0.5, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Long runs of translate file and of Translator.")
    parser.add_argument("-m", "--model", type=Path, required=True, help="run folder")
    parser.add_argument("--data", type=Path, required=True, help="a text file, one sentence a line")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--engines", nargs="*", default=["torch", "ctranslate2"])
    parser.add_argument("--processes", type=int, default=24)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path, help="write the results here")
    arguments = parser.parse_args()
    lines = arguments.data.read_text(encoding="utf-8").split("\n")[:-1]
    figures: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        for engine in arguments.engines if arguments.lines else ():
            figures[f"lines, {engine}"] = many_lines(arguments.model, lines, arguments.lines, engine, Path(folder))
        if arguments.processes:
            figures["processes"] = many_processes(arguments.model, arguments.data, arguments.processes)
    if arguments.minutes:
        figures["threads"] = many_threads(arguments.model, lines, arguments.minutes)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def many_lines(model: Path, lines: list[str], count: int, engine: str, folder: Path) -> dict:
    """Each line contains its number, which is checked in the output."""
    source = folder / "input"
    with open(source, "w", encoding="utf-8") as file:
        file.writelines(f"{lines[number % len(lines)]} {number}\n" for number in range(count))
    words = ["file", "-m", str(model), "--engine", engine, "--beam", "1", "--format", "jsonl", str(source)]
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "translate", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    marks = {max(1, round(share * count)): share for share in MARKS}
    memory, seen = {}, 0
    for seen, line in enumerate(process.stdout, 1):
        if json.loads(line)["source"] != f"{lines[(seen - 1) % len(lines)]} {seen - 1}":
            sys.exit(f"{engine}: line {seen} of the output does not belong to line {seen} of the input")
        if seen in marks:
            memory[f"{marks[seen]:.0%}"] = resident(process.pid)
    if process.wait() or seen != count:
        sys.exit(f"{engine}: {seen:,} of {count:,} lines, exit code {process.returncode}")
    seconds = time.perf_counter() - start
    residents = ", ".join(f"{megabytes:,.0f} MB at {share}" for share, megabytes in memory.items())
    print(f"{engine}: {count:,} lines in {seconds:,.0f} s ({count / seconds:,.0f} lines/s), none lost, resident {residents}", flush=True)
    return {"lines": count, "seconds": seconds, "resident_mb": memory}


def resident(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def many_processes(model: Path, data: Path, count: int) -> dict:
    command = [sys.executable, "-m", "translate", "file", "-m", str(model), str(data)]

    def output(_: int) -> str:
        return hashlib.sha256(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout).hexdigest()

    start = time.perf_counter()
    expected = output(0)
    once = time.perf_counter() - start
    start = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        different = sum(digest != expected for digest in pool.map(output, range(count)))
    seconds = time.perf_counter() - start
    print(f"{count} processes at once in {seconds:,.0f} s (a single one {once:.1f} s): {different} outputs differ from it", flush=True)
    return {"processes": count, "seconds": seconds, "alone": once, "different": different}


def many_threads(model: Path, lines: list[str], minutes: float) -> dict:
    """Every thread translates slices of the file repeatedly, each in a different order."""
    from translate.translation.translator import Translator

    translator, size = Translator.load(model), 50
    slices = [lines[start : start + size] for start in range(0, len(lines), size)]
    expected = [translator.translate(batch) for batch in slices]
    end, wrong, done = time.perf_counter() + minutes * 60, [0] * THREADS, [0] * THREADS

    def work(thread: int) -> None:
        place = thread
        while time.perf_counter() < end:
            wrong[thread] += translator.translate(slices[place % len(slices)]) != expected[place % len(slices)]
            done[thread] += size
            place += 2 * thread + 1

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    memory = {}
    for share in MARKS:
        time.sleep(max(0.0, end - (1 - share) * minutes * 60 - time.perf_counter()))
        memory[f"{share:.0%}"] = resident(os.getpid())
    for thread in threads:
        thread.join()
    residents = ", ".join(f"{megabytes:,.0f} MB at {share}" for share, megabytes in memory.items())
    print(
        f"{THREADS} threads, {minutes:g} minutes, {sum(done):,} lines: {sum(wrong)} slices of {size} differ from one thread's; resident {residents}",
        flush=True,
    )
    return {"threads": THREADS, "minutes": minutes, "lines": sum(done), "different": sum(wrong), "resident_mb": memory}


if __name__ == "__main__":
    main()
