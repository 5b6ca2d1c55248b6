"""Start-up, and how time and memory of `translate file` grow: with the file, with the length of a sentence, with one giant line.

    pip install matplotlib
    python benchmarks/growth.py -m runs/multi30k_de_en --data DIR/train.de --plot growth.svg --json growth.json

Lines are taken from the file over and over. Time should be linear in them and memory flat; a line of 5,000 tokens should cost its own time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (1_000, 10_000, 100_000)
LENGTHS = (10, 25, 50, 100, 200, 400)  # source tokens


def main() -> None:
    parser = argparse.ArgumentParser(description="Start-up, time and memory of translate file.")
    parser.add_argument("-m", "--model", type=Path, required=True, help="run folder")
    parser.add_argument("--data", type=Path, required=True, help="a text file, one sentence a line")
    parser.add_argument("--lines", type=int, default=SIZES[-1], help="the greatest size (default: %(default)s)")
    parser.add_argument("--plot", type=Path, help="draw time and memory here (needs matplotlib)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    lines = arguments.data.read_text(encoding="utf-8").split("\n")[:-1]
    figures = {
        "start_up": start_up(arguments.model),
        "lines": growth(arguments.model, lines, arguments.lines),
        "tokens": lengths(arguments.model, lines),
        "giant": giant(arguments.model, lines),
    }
    if arguments.plot:
        draw(figures, arguments.plot)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def timed(*words: str, source: bytes = b"") -> tuple[float, float]:
    """Seconds and peak resident memory in MB of `translate WORDS...`."""
    with tempfile.TemporaryFile() as given:
        given.write(source)
        given.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "translate", *words], stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"translate {' '.join(words)} failed with exit code {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def start_up(model: Path) -> dict:
    code = f"""
import time; began = time.perf_counter()
import torch; imported = time.perf_counter()
from translate.translator import Translator; ours = time.perf_counter()
translator = Translator.load({str(model)!r}); loaded = time.perf_counter()
translator.translate(["Guten Morgen."]); done = time.perf_counter()
print(imported - began, ours - imported, loaded - ours, done - loaded)
"""
    parts = [list(map(float, subprocess.check_output([sys.executable, "-c", code], text=True).split())) for _ in range(5)]
    result = {
        "help": statistics.median(timed("--help")[0] for _ in range(9)),
        "line": statistics.median(timed("file", "-m", str(model), source=b"Guten Morgen.\n")[0] for _ in range(5)),
        "parts": dict(zip(("import torch", "import the rest", "load the model", "translate"), map(statistics.median, zip(*parts)))),
    }
    print(f"translate --help {result['help']:.2f} s; a line through translate file {result['line']:.2f} s, of that in Python:")
    print("  " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in result["parts"].items()), flush=True)
    return result


def growth(model: Path, lines: list[str], most: int) -> list[dict]:
    rows = []
    print("    lines    seconds  lines/s  peak resident MB")
    with tempfile.TemporaryDirectory() as folder:
        for size in sorted({*(size for size in SIZES if size < most), most}):
            path = Path(folder) / "input"
            path.write_text("".join(line + "\n" for line in itertools.islice(itertools.cycle(lines), size)), encoding="utf-8")
            seconds, memory = timed("file", "-m", str(model), str(path), "-o", str(Path(folder) / "output"))
            rows.append({"lines": size, "seconds": seconds, "peak_mb": memory})
            print(f"{size:>9,}  {seconds:>9.1f}  {size / seconds:>7,.0f}  {memory:>16,.0f}", flush=True)
    return rows


def lengths(model: Path, lines: list[str]) -> list[dict]:
    from translate.translator import Translator

    translator = Translator.load(model)
    words = itertools.cycle(" ".join(lines[:1000]).split())
    rows = []
    print("source tokens  target tokens  seconds  ms a target token   (a sentence by itself)")
    for length in (length for length in LENGTHS if length < translator.max_tokens):
        text = next(words)
        while len(translator.tokenizer.encode_source([text])[0]) <= length:
            text += " " + next(words)
        taken, result = [], None
        for _ in range(3):
            began = time.perf_counter()
            (result,) = translator.translate_stream([text])
            taken.append(time.perf_counter() - began)
        row = {"source": result.tokens_in, "target": result.tokens_out, "seconds": statistics.median(taken)}
        rows.append(row)
        each = row["seconds"] / max(1, row["target"]) * 1000
        print(f"{row['source']:>13,}  {row['target']:>13,}  {row['seconds']:>7.3f}  {each:>17.2f}", flush=True)
    return rows


def giant(model: Path, lines: list[str]) -> dict:
    """1,000 short lines, the same with a line of some 5,000 tokens among them, and that line alone."""
    long = " ".join(lines[:400])
    files = {"short": lines[:1000], "both": [*lines[:500], long, *lines[500:1000]], "alone": [long]}
    result = {name: timed("file", "-m", str(model), source="\n".join(some).encode()) for name, some in files.items()}
    (short, _), (both, memory), (alone, _) = result["short"], result["both"], result["alone"]
    print(f"1,000 lines {short:.1f} s; with a line of {len(long.split()):,} words among them {both:.1f} s, {memory:,.0f} MB; that line {alone:.1f} s")
    return {name: {"seconds": seconds, "peak_mb": memory} for name, (seconds, memory) in result.items()}


def draw(figures: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
    sizes = [row["lines"] for row in figures["lines"]]
    for axis, key, label in ((axes[0], "seconds", "seconds"), (axes[1], "peak_mb", "peak resident memory, MB")):
        axis.plot(sizes, [row[key] for row in figures["lines"]], "o-")
        axis.set(xlabel="lines of the file", ylabel=label, xscale="log", ylim=0)
    axes[0].set(yscale="log", ylim=None)
    axes[2].plot([row["target"] for row in figures["tokens"]], [row["seconds"] for row in figures["tokens"]], "o-")
    axes[2].set(xlabel="target tokens of a sentence by itself", ylabel="seconds", ylim=0, xlim=0)
    figure.savefig(path)


if __name__ == "__main__":
    main()
