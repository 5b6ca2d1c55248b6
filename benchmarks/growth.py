"""Start-up time, and how time and memory of `translate file` grow with file size, sentence length, and one giant line.

    pip install matplotlib
    python benchmarks/large_corpus.py --json large_corpus.json
    python benchmarks/growth.py -m runs/multi30k_de_en --data DIR/train.de --preparation large_corpus.json --plot growth.svg --json growth.json

The lines of the file are repeated as needed. Time should be linear in their number and memory flat; a line of 5,000 tokens should add only its
own time. Before a cold start the kernel is asked to drop the files (Python, its packages, the model) from its cache; no other process may use
them.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

SIZES = (1_000, 10_000, 100_000)
LENGTHS = (10, 25, 50, 100, 200, 400)  # tokens


def main() -> None:
    parser = argparse.ArgumentParser(description="Start-up, time and memory of translate file.")
    parser.add_argument("-m", "--model", type=Path, required=True, help="run folder")
    parser.add_argument("--data", type=Path, required=True, help="a text file, one sentence a line")
    parser.add_argument("--lines", type=int, default=SIZES[-1], help="the greatest size (default: %(default)s)")
    parser.add_argument("--preparation", type=Path, help="results of large_corpus.py, to plot as well")
    parser.add_argument("--plot", type=Path, help="plot time and memory to this file (needs matplotlib)")
    parser.add_argument("--json", type=Path, help="write the results here")
    arguments = parser.parse_args()
    lines = arguments.data.read_text(encoding="utf-8").split("\n")[:-1]
    figures = {
        "start_up": start_up(arguments.model),
        "lines": growth(arguments.model, lines, arguments.lines),
        "tokens": lengths(arguments.model, lines),
        "giant": giant(arguments.model, lines),
    }
    if arguments.preparation:
        figures["preparation"] = json.loads(arguments.preparation.read_text(encoding="utf-8"))
    if arguments.plot:
        draw(figures, arguments.plot)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def timed(*words: str, source: bytes = b"") -> tuple[float, float]:
    """Seconds and peak memory in MB of `translate WORDS...`, over all its processes; shared memory counts once."""
    peak = 0.0
    with tempfile.TemporaryFile() as stdin:
        stdin.write(source)
        stdin.seek(0)
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "translate", *words], stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(0.1):
                peak = max(peak, memory(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        process.wait()
        seconds = time.perf_counter() - start
        ended.set()
        watcher.join()
    if process.returncode:
        sys.exit(f"translate {' '.join(words)} failed with exit code {process.returncode}")
    return seconds, peak


def memory(pid: int) -> float:
    """Current MB of a process and its children (proportional set size)."""
    total = 0
    with contextlib.suppress(OSError):  # a process has just ended
        for process in (pid, *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            total += next(int(line.split()[1]) for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
    return total / 1024


def start_up(model: Path) -> dict:
    code = f"""
import time; start = time.perf_counter()
import torch; imported = time.perf_counter()
from translate.translation.translator import Translator; ours = time.perf_counter()
translator = Translator.load({str(model)!r}); loaded = time.perf_counter()
translator.translate(["Guten Morgen."]); done = time.perf_counter()
print(imported - start, ours - imported, loaded - ours, done - loaded)
"""
    parts = [list(map(float, subprocess.check_output([sys.executable, "-c", code], text=True).split())) for _ in range(5)]
    cold = []
    for _ in range(3):
        forget(model)
        cold.append(timed("file", "-m", str(model), source=b"Guten Morgen.\n")[0])
    result = {
        "cold": statistics.median(cold),
        "help": statistics.median(timed("--help")[0] for _ in range(9)),
        "line": statistics.median(timed("file", "-m", str(model), source=b"Guten Morgen.\n")[0] for _ in range(5)),
        "parts": dict(zip(("import torch", "import the rest", "load the model", "translate"), map(statistics.median, zip(*parts)))),
    }
    line = f"{result['line']:.2f} s ({result['cold']:.2f} s cold)"
    print(f"translate --help {result['help']:.2f} s; a line through translate file {line}, of that in Python:")
    print("  " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in result["parts"].items()), flush=True)
    return result


def forget(model: Path) -> None:
    """Ask the kernel to drop the files read at start-up from its cache."""
    for folder in (sys.prefix, sysconfig.get_path("stdlib"), model):
        for home, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(home, name)
                if os.path.isfile(path) and os.access(path, os.R_OK):
                    with open(path, "rb") as file:
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def growth(model: Path, lines: list[str], largest: int) -> list[dict]:
    rows = []
    print("    lines    seconds  lines/s  peak MB")
    with tempfile.TemporaryDirectory() as folder:
        for size in sorted({*(size for size in SIZES if size < largest), largest}):
            path = Path(folder) / "input"
            path.write_text("".join(line + "\n" for line in itertools.islice(itertools.cycle(lines), size)), encoding="utf-8")
            seconds, memory = timed("file", "-m", str(model), str(path), "-o", str(Path(folder) / "output"))
            rows.append({"lines": size, "seconds": seconds, "peak_mb": memory})
            print(f"{size:>9,}  {seconds:>9.1f}  {size / seconds:>7,.0f}  {memory:>16,.0f}", flush=True)
    return rows


def lengths(model: Path, lines: list[str]) -> list[dict]:
    """A single line at beam 5, with an output of the same length: the end mark is banned."""
    from translate.decoding import Options
    from translate.tokenizer import EOS
    from translate.translation import torch_engine
    from translate.translation.translator import Translator

    torch_engine.BANNED = (*torch_engine.BANNED, EOS)
    translator = Translator.load(model)
    options = Options(beam=5).fill(translator.decoding)
    tokens = [token for ids in translator.tokenizer.encode_source(lines[:1000]) for token in ids[:-1]]
    rows = []
    print("tokens of source and target  seconds    ms/token   (single lines, up to the model's limit)")
    for length in sorted({min(length, translator.max_tokens) for length in LENGTHS}):
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            ((result, *_),) = translator.engine.search([[*tokens[: length - 1], EOS]], [length], options, [])
            seconds.append(time.perf_counter() - start)
        assert len(result.ids) == length
        rows.append({"tokens": length, "seconds": statistics.median(seconds)})
        print(f"{length:>27,}  {rows[-1]['seconds']:>7.3f}  {rows[-1]['seconds'] / length * 1000:>10.2f}", flush=True)
    return rows


def giant(model: Path, lines: list[str]) -> dict:
    """1,000 short lines, the same with a line of some 5,000 tokens in the middle, and that line alone."""
    long = " ".join(lines[:400])
    files = {"short": lines[:1000], "both": [*lines[:500], long, *lines[500:1000]], "alone": [long]}
    result = {name: timed("file", "-m", str(model), source="\n".join(group).encode()) for name, group in files.items()}
    (short, _), (both, memory), (alone, _) = result["short"], result["both"], result["alone"]
    print(f"1,000 lines {short:.1f} s; with a line of {len(long.split()):,} words among them {both:.1f} s, {memory:,.0f} MB; that line {alone:.1f} s")
    return {name: {"seconds": seconds, "peak_mb": memory} for name, (seconds, memory) in result.items()}


def draw(figures: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(12, 6), layout="constrained")
    for axis, values, title, along in (
        (axes[0][0], [(row["lines"], row["seconds"]) for row in figures["lines"]], "translate file, seconds", "lines of the file"),
        (axes[0][1], [(row["lines"], row["peak_mb"]) for row in figures["lines"]], "translate file, peak MB", "lines of the file"),
        (axes[1][0], [(row["pairs"], row["prepare"]["seconds"]) for row in figures.get("preparation", [])], "preparing a corpus, seconds", "pairs"),
        (axes[1][1], [(row["pairs"], row["prepare"]["anonymous_mb"]) for row in figures.get("preparation", [])], "the same, anonymous MB", "pairs"),
        (axes[0][2], [(row["tokens"], row["seconds"]) for row in figures["tokens"]], "one line at beam 5, seconds", "its tokens, source and target"),
    ):
        axis.plot(*zip(*values), "o-") if values else axis.set_axis_off()
        axis.set(title=title, xlabel=along)
        if along.startswith("its"):
            axis.set(xlim=0, ylim=0)
        elif "seconds" in title:
            axis.set(xscale="log", yscale="log")
        else:
            axis.set(xscale="log", ylim=(0, 1.2 * axis.get_ylim()[1]))
        axis.grid(alpha=0.3)
    parts, left = figures["start_up"]["parts"], 0.0
    rest = figures["start_up"]["line"] - sum(parts.values())
    for name, seconds in {"Python": rest, **parts}.items():
        axes[1][2].barh(["a line"], seconds, left=left, label=f"{name} {seconds:.2f}")
        left += seconds
    axes[1][2].set(title="a start, seconds", ylim=(-0.5, 2.5))
    axes[1][2].legend(loc="upper left")
    figure.savefig(path)


if __name__ == "__main__":
    main()
