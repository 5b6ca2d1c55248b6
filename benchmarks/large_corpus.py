"""Shows that training works on a corpus larger than memory: memory stays flat as the corpus grows from 10,000 to 5 million pairs.

    python benchmarks/large_corpus.py --pairs 5000000 --json large_corpus.json

For each size, in a separate process: generates a corpus of random words in a temporary folder, trains a small tokenizer on part of it,
prepares it (read, filter, tokenise, cache), opens it again as a second run would, and draws batches of random rows. The table gives seconds
and peak memory of each step: anonymous memory, allocated by the process, and resident memory, which includes cached pages of mapped files
that the kernel drops when memory is short.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
BATCHES, ROWS = 500, 60


def main() -> None:
    parser = argparse.ArgumentParser(description="Resident memory against the size of the corpus.")
    parser.add_argument("--pairs", type=int, default=SIZES[-1], help="largest size (default: %(default)s)")
    parser.add_argument("--json", help="write the results here")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.size:
        print(json.dumps(measure(arguments.size)))
        return
    results = []
    print("                   first start                          second start")
    print("    pairs  text MB   seconds  anonymous MB  resident MB   seconds    ms/batch  anonymous MB  resident MB")
    for size in sorted({*(size for size in SIZES if size < arguments.pairs), arguments.pairs}):
        process = subprocess.run([sys.executable, __file__, "--size", str(size)], stdout=subprocess.PIPE, text=True, check=True)
        result = json.loads(process.stdout)
        results.append(result)
        prepare, draw = result["prepare"], result["draw"]
        print(
            f"{size:>9,}  {result['text_mb']:>7.0f}  {prepare['seconds']:>8.1f}  {prepare['anonymous_mb']:>12.0f}  {prepare['resident_mb']:>11.0f}"
            f"  {result['reopen']['seconds']:>8.2f}  {draw['batch_ms']:>10.2f}  {draw['anonymous_mb']:>12.0f}  {draw['resident_mb']:>11.0f}",
            flush=True,
        )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def measure(pairs: int) -> dict:
    import numpy

    from translate.config import CorpusConfig, DataConfig, TokenizerConfig
    from translate.data.pairs import training_texts
    from translate.data.prepare import prepare
    from translate.tokenizer import train_tokenizer

    with tempfile.TemporaryDirectory() as folder:
        source, target = generate(Path(folder), pairs)
        data = DataConfig(train=[CorpusConfig(source=str(source), target=str(target))], cache=str(Path(folder) / "cache"))
        result: dict = {"pairs": pairs, "text_mb": (source.stat().st_size + target.stat().st_size) / 1e6}
        with watched(result, "read"):
            texts = training_texts(data)
        with watched(result, "tokenizer"):  # same number of lines for all sizes: SentencePiece holds them in memory
            tokenizer = train_tokenizer(texts, TokenizerConfig(vocabulary=8000, sentences=20_000), Path(folder) / "tokenizer")
        with watched(result, "tokenise"):
            prepare(data, tokenizer, lambda line: None)
        result["prepare"] = {
            "seconds": result["read"]["seconds"] + result["tokenise"]["seconds"],
            **{name: max(result["read"][name], result["tokenise"][name]) for name in ("anonymous_mb", "resident_mb")},
        }
        with watched(result, "reopen"):
            prepared = prepare(data, tokenizer, lambda line: None)
        assert prepared.kept > 0.9 * pairs
        rows = numpy.random.default_rng(1).integers(0, prepared.kept, (BATCHES, ROWS))
        with watched(result, "draw"):
            for batch in rows:
                prepared.ids(batch)
                prepared.texts(batch)
        result["draw"]["batch_ms"] = result["draw"]["seconds"] / BATCHES * 1000
        result["cache_mb"] = sum(file.stat().st_size for file in Path(data.cache).rglob("*") if file.is_file()) / 1e6
    return result


def generate(folder: Path, pairs: int) -> tuple[Path, Path]:
    """Lines of 5 to 25 words out of 50,000 made-up ones with Zipfian frequencies; the target is a word-for-word translation."""
    import numpy

    chance, letters = numpy.random.default_rng(1), numpy.array(list("abcdefghijklmnoprstuvwz"))
    vocabularies = [["".join(chance.choice(letters, 2 + int(length))) for length in chance.exponential(4, 50_000)] for _ in range(2)]
    paths = folder / "train.source", folder / "train.target"
    with open(paths[0], "w", encoding="utf-8") as source, open(paths[1], "w", encoding="utf-8") as target:
        for start in range(0, pairs, 10_000):
            lengths = chance.integers(5, 26, min(10_000, pairs - start))
            words = (50_000 ** chance.random(lengths.sum())).astype(int) - 1  # frequency proportional to 1 / rank
            for numbers in numpy.split(words, numpy.cumsum(lengths)[:-1]):
                numbers = numbers.tolist()
                source.write(" ".join([vocabularies[0][number] for number in numbers]) + "\n")
                target.write(" ".join([vocabularies[1][number] for number in numbers]) + "\n")
    return paths


@contextlib.contextmanager
def watched(result: dict, name: str):
    """Seconds of the block, and peak memory of this process and its children, sampled 20 times a second."""
    stop, peak = threading.Event(), {"anonymous_mb": 0.0, "resident_mb": 0.0}

    def watch() -> None:
        while True:
            anonymous, resident = memory()
            peak["anonymous_mb"], peak["resident_mb"] = max(peak["anonymous_mb"], anonymous), max(peak["resident_mb"], resident)
            if stop.wait(0.05):
                return

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - start
        stop.set()
        thread.join()
        result[name] = {"seconds": seconds, **peak}


def memory() -> tuple[float, float]:
    """Anonymous and resident memory in MB, children included."""
    anonymous = resident = 0
    for process in process_tree(os.getpid()):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{process}/status", encoding="utf-8") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    anonymous += int(line.split()[1])
                elif line.startswith("VmRSS:"):
                    resident += int(line.split()[1])
    return anonymous / 1024, resident / 1024


def process_tree(process: int) -> list[int]:
    processes = [process]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/children", encoding="utf-8") as children:
                for child in children.read().split():
                    processes += process_tree(int(child))
    return processes


if __name__ == "__main__":
    main()
