"""How well `data.filters.domain` finds the sentences of one kind in a mix: the share of them that is found against the share of the mix that is kept.

    pip install matplotlib
    python benchmarks/domain_filter.py --data DIR --plot docs/domain_filter.svg

DIR/multi30k, tatoeba, europarl20k and newstest2012 hold the corpora. Two searches, by the German side, each in all of Tatoeba and Europarl:
for 29,000 image captions by a sample of 1,014 others, and for the second half of a news set by its first half. The tokenizer is trained on the mix.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy

from translate.config import TokenizerConfig
from translate.data.domain import ORDER, choose, differences, flat
from translate.tokenizer import train_tokenizer

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the domain filter finds in a mix.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--orders", type=int, nargs="*", default=[ORDER], help="orders of the models (default: %(default)s)")
    parser.add_argument("--plot", type=Path, help="plot to this file (needs matplotlib)")
    arguments = parser.parse_args()
    folder = arguments.data
    others = lines(folder / "tatoeba" / "train.de") + lines(folder / "europarl20k" / "train.de")
    news = lines(folder / "newstest2012" / "test.de")
    half = len(news) // 2
    searches = {
        "captions": (lines(folder / "multi30k" / "val.de"), lines(folder / "multi30k" / "train.de")),
        "news": (news[:half], news[half:]),
    }
    curves = {}
    print("| wanted | in the mix | order | " + " | ".join(f"{share:.0%} kept" for share in SHARES) + " | area | CPU s |")
    print("|---|---|---:" + "|---:" * (len(SHARES) + 2) + "|")
    for name, (sample, wanted) in searches.items():
        mix, size, ids = tokenised(others + wanted, sample)
        for order in arguments.orders:
            began = time.process_time()
            scores = differences(mix, ids, size, order)
            seconds = time.process_time() - began
            found = [float(choose(scores, share)[len(others) :].mean()) for share in SHARES]
            curves[name] = (scores, len(others))
            cells = [name, f"{len(wanted):,} of {len(scores):,}", str(order), *(f"{value:.1%}" for value in found)]
            print("| " + " | ".join([*cells, f"{area(scores, len(others)):.3f}", f"{seconds:.1f}"]) + " |", flush=True)
    if arguments.plot:
        draw(curves, arguments.plot)


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def tokenised(texts: list[str], sample: list[str]):
    """The mix and the sample as `differences` takes them, and the number of pieces."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = train_tokenizer([(text, text) for text in texts], TokenizerConfig(vocabulary=8000), folder)
    return flat(tokenizer.encode_source(texts)), tokenizer.source_size, flat(tokenizer.encode_source(sample))


def area(scores: numpy.ndarray, others: int) -> float:
    """Under the curve of found against kept others: how often a wanted sentence comes before another one. 0.5 is chance."""
    ranks = numpy.empty(len(scores))
    ranks[numpy.argsort(scores, kind="stable")] = numpy.arange(len(scores))
    wanted = len(scores) - others
    return 1 - float((ranks[others:].sum() - wanted * (wanted - 1) / 2) / (wanted * others))


def draw(curves: dict[str, tuple[numpy.ndarray, int]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "domain"  # the same picture from the same numbers
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name, (scores, others) in curves.items():
        order = numpy.argsort(scores, kind="stable")
        found = (order >= others).cumsum() / (len(scores) - others)
        places = numpy.linspace(0, len(scores) - 1, 300).astype(int)
        axes.plot((places + 1) / len(scores), found[places], label=name)
    axes.plot([0, 1], [0, 1], linestyle="--", color="gray", label="chance")
    axes.set_xlabel("share of the mix that is kept")
    axes.set_ylabel("share of the wanted sentences in it")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
