"""Time and memory of attention against the length of the sequence, written out in full and by torch's memory-efficient kernel.

    pip install matplotlib
    python benchmarks/attention_cost.py --plot docs/attention_cost.svg --json attention_cost.json

One sequence attends to itself: four heads of 64, fp32, one thread. Written out (`attend` with weights) the scores are a table of length x length
for each head. The kernel (scaled_dot_product_attention) goes through the keys in blocks and keeps a running softmax, so that no such table is ever in
memory (Rabe and Staats 2021; Dao et al. 2022). Each case is a process of its own. Memory is what the peak is above inputs and libraries; backward
is forward and backward. A case that needs more memory than is free is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HEADS, DIMENSION, BYTES = 4, 64, 4
LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
WAYS = ("written out", "kernel")
PASSES = ("forward", "backward")
SHOWN = {"forward": "forward", "backward": "forward and backward"}
TABLES = {"forward": 2, "backward": 3}  # of length x length for each head, at the peak of the written-out way
Results = dict[tuple[str, str, int], dict[str, float]]  # by way, pass and length


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of attention against length.")
    parser.add_argument("--longest", type=int, default=LENGTHS[-1], help="tokens (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of repeats for each case (default: %(default)s)")
    parser.add_argument("--plot", type=Path, help="plot to this file (needs matplotlib)")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)  # way, pass, length: this process measures it
    arguments = parser.parse_args()
    if arguments.case:
        way, which, length = arguments.case
        print(json.dumps(measure(way, which, int(length), arguments.seconds)))
        return
    results: Results = {}
    for length in (length for length in LENGTHS if length <= arguments.longest):
        for way in WAYS:
            for which in PASSES:
                if way == "kernel" or fits(which, length):
                    words = [sys.executable, __file__, "--seconds", str(arguments.seconds), "--case", way, which, str(length)]
                    results[way, which, length] = json.loads(subprocess.check_output(words))
        print(f"{length:,} tokens measured", file=sys.stderr)
    print(table(results))
    if arguments.plot:
        draw(results, arguments.plot)
    if arguments.json:
        rows = [{"way": way, "pass": which, "length": length, **result} for (way, which, length), result in results.items()]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def fits(which: str, length: int) -> bool:
    """Whether the tables of the written-out way take at most two thirds of the memory that is free."""
    return TABLES[which] * HEADS * length**2 * BYTES < 2 / 3 * kilobytes("/proc/meminfo", "MemAvailable") * 1024


def kilobytes(path: str, name: str) -> int:
    """A value of a file of the kernel, such as the peak of this process."""
    return next(int(line.split()[1]) for line in Path(path).read_text().splitlines() if line.startswith(f"{name}:"))


def measure(way: str, which: str, length: int, seconds: float) -> dict[str, float]:
    """Median milliseconds of a pass, and the peak in MB above what was there before the first."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(1)
    one_pass(way, which, LENGTHS[0])()  # loads what is loaded once
    run = one_pass(way, which, length)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak is from now on
    before = kilobytes("/proc/self/status", "VmRSS")
    run()
    peak = kilobytes("/proc/self/status", "VmHWM") - before
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return {"milliseconds": statistics.median(times) * 1000, "peak_mb": peak / 1024, "rounds": len(times)}


def one_pass(way: str, which: str, length: int) -> Callable[[], None]:
    import torch

    from translate.model.attention import attend

    backward = which == "backward"
    query, key, value = (torch.randn(1, HEADS, length, DIMENSION, requires_grad=backward) for _ in range(3))
    grad = torch.randn(1, HEADS, length, DIMENSION)

    def run() -> None:
        with torch.set_grad_enabled(backward):
            if way == "kernel":
                output = torch.nn.functional.scaled_dot_product_attention(query, key, value)
            else:
                output, _ = attend(query, key, value, need_weights=True)
        if backward:
            query.grad = key.grad = value.grad = None
            output.backward(grad)

    return run


def table(results: Results) -> str:
    """In Markdown: a row for each length."""
    columns = [(way, which) for way in WAYS for which in PASSES]
    lines = ["| tokens | " + " | ".join(f"{way}, {SHOWN[which]}" for way, which in columns) + " |", "|---:" * (len(columns) + 1) + "|"]
    for length in sorted({length for _, _, length in results}):
        cells = [cell(results.get((way, which, length))) for way, which in columns]
        lines.append(f"| {length:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(result: dict[str, float] | None) -> str:
    if result is None:
        return "does not fit"
    time, memory = result["milliseconds"], result["peak_mb"]
    shown = f"{time:,.0f}" if time >= 10 else f"{time:.2g}"
    return f"{shown} ms, {f'{memory:,.0f}' if memory >= 1 else 'below 1'} MB"


def draw(results: Results, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "attention"  # the same picture from the same numbers
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, name, title, least in ((axes[0], "milliseconds", "time, ms", 0.0), (axes[1], "peak_mb", "peak memory, MB", 1.0)):
        for way, colour in zip(WAYS, ("C3", "C0")):
            for which, style in zip(PASSES, ("o-", "s--")):
                points = [(length, value[name]) for (w, p, length), value in results.items() if (w, p) == (way, which) and value[name] >= least]
                if points:
                    axis.plot(*zip(*points), style, color=colour, label=f"{way}, {SHOWN[which]}")
        axis.set(title=title, xlabel="tokens", xscale="log", yscale="log")
        lengths = sorted({length for _, _, length in results})
        axis.set_xticks(lengths, [f"{length:,}" for length in lengths], fontsize=8)
        axis.minorticks_off()
        low, high = axis.get_ylim()
        for power, end, style in ((2, high, ":"), (1, low * 20, "-.")):
            guide = [end * (length / lengths[-1]) ** power for length in lengths]
            axis.plot(lengths, guide, style, color="grey", linewidth=1, label="as the square of the length" if power == 2 else "as the length")
        axis.set_ylim(low, high)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
