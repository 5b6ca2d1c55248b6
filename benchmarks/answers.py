"""Ways to choose a translation, and to give several: quality and cost of each, on a test set with references.

    python benchmarks/answers.py runs/multi30k_de_en --test test_2016_flickr.de test_2016_flickr.en --output answers --page docs/adapt.md
    python benchmarks/answers.py RUN --test SOURCE REFERENCE --output try --lines 20 --samples 4         to see that all of it runs
    python benchmarks/answers.py RUN ... --row "two models" "-m OTHER" --row "reranked" "--rerank ..."    further rows: words for `translate file`

Runs `translate file` and `translate score` as a user would. OUTPUT keeps what is written and results.json; a row that it has is not made again.
--page puts the tables into the page, which names them in comments. Seconds are those of the whole command, loading included: let the machine do
nothing else. CPU seconds are of one process, so that forked copies don't escape: --threads 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ALTERNATIVES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description="Ways to choose a translation: BLEU, chrF++ and seconds of each.")
    parser.add_argument("run", type=Path, help="run folder of a model")
    parser.add_argument("--test", type=Path, nargs=2, required=True, metavar=("SOURCE", "REFERENCE"))
    parser.add_argument("--output", type=Path, required=True, help="folder for translations and results")
    parser.add_argument("--lines", type=int, help="only the first ones")
    parser.add_argument("--samples", type=int, nargs="*", default=[16, 64, 256], metavar="N", help="of minimum Bayes risk (default: 16 64 256)")
    parser.add_argument("--row", nargs=2, action="append", default=[], metavar=("NAME", "WORDS"), help="a further row, by words for `translate file`")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--page", type=Path, help="put the tables into this page")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    source, reference = (cut(path, arguments.output / f"test{place}", arguments.lines) for place, path in enumerate(arguments.test))
    kept = arguments.output / "results.json"
    results: dict[str, Row] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    chosen, several = ways(arguments.samples, arguments.row), alternatives()
    for name, words, n_best in [*((name, words, 1) for name, words in chosen.items()), *((*each, ALTERNATIVES) for each in several.items())]:
        key = f"{name} ({n_best} best)" if n_best > 1 else name
        if key not in results or results[key]["words"] != words:
            print(f"{time.strftime('%H:%M:%S')} {key}: {words}", file=sys.stderr, flush=True)
            results[key] = measure(arguments.run, words, n_best, source, reference, arguments.output / f"output{len(results)}", arguments.threads)
            kept.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    texts = {
        "answers": answers_table({name: results[name] for name in chosen}),
        "alternatives": alternatives_table({name: results[f"{name} ({ALTERNATIVES} best)"] for name in several}),
    }
    print("\n\n".join(texts.values()))
    if arguments.page:
        put(texts, arguments.page)


def ways(samples: list[int], more: list[list[str]]) -> dict[str, str]:
    """Name -> words for `translate file`."""
    mbr = {f"minimum Bayes risk, {n} samples": f"--mbr chrf --samples {n}" for n in samples}
    sharp = {f"the same, {n} samples with top-p 0.9": f"--mbr chrf --samples {n} --top-p 0.9" for n in samples}
    return {"greedy": "--beam 1", "beam 5": "--beam 5", **mbr, **sharp, "diverse, 5 groups": "--beam 5 --diverse 5", **dict(more)}


def alternatives() -> dict[str, str]:
    return {
        "beam 5": "--beam 5", "diverse, 5 groups of 1": "--beam 5 --diverse 5", "beam 10": "--beam 10",
        "diverse, 5 groups of 2": "--beam 10 --diverse 5", "minimum Bayes risk, 64 samples, top-p 0.9": "--mbr chrf --samples 64 --top-p 0.9",
    }  # fmt: skip


def cut(path: Path, copy: Path, lines: int | None) -> Path:
    text = path.read_text(encoding="utf-8").split("\n")[:-1]
    copy.write_text("".join(f"{line}\n" for line in text[:lines]), encoding="utf-8")
    return copy


def measure(run: Path, words: str, n_best: int, source: Path, reference: Path, output: Path, threads: int) -> Row:
    """Scores and seconds of one way; of several alternatives also how they differ, and the scores of those nearest to the reference."""
    command = [sys.executable, "-m", "translate", "file", "-m", str(run), *words.split(), "--format", "jsonl", str(source), "-o", str(output)]
    command += ["--n-best", str(n_best)] if n_best > 1 else []
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": str(threads)}, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: {said}")
    row: Row = {"words": words, "wall": time.perf_counter() - start, "cpu": usage.ru_utime + usage.ru_stime}
    found = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    row |= scores([line["translation"] for line in found], reference, output.with_suffix(".best"))
    if n_best > 1:
        texts = [[each["translation"] for each in line["alternatives"]] for line in found]
        row |= difference(texts)
        row["best"] = scores(nearest(texts, reference), reference, output.with_suffix(".nearest"))
    return row


def scores(texts: list[str], reference: Path, output: Path) -> Row:
    """BLEU and chrF++ by `translate score`, with the signature of BLEU."""
    output.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    words = [str(reference), "-i", str(output), "--metrics", "bleu", "chrf", "--bootstrap", "0", "--format", "json"]
    found = json.loads(subprocess.check_output([sys.executable, "-m", "translate", "score", *words], stderr=subprocess.DEVNULL))["scores"]
    return {**{score["name"]: score["value"] for score in found}, "signature": found[0]["signature"]}


def difference(texts: list[list[str]]) -> Row:
    """Of the alternatives of each line: how many there are, the mean chrF between two of them, and the share of bigrams that no other one has."""
    from sacrebleu.metrics import CHRF

    chrf, counts, likeness, shares = CHRF(), list[int](), list[float](), list[float]()
    for line in texts:
        different = list(dict.fromkeys(line))
        counts.append(len(different))
        likeness += [chrf.sentence_score(one, [other]).score for one, other in itertools.permutations(different, 2)]
        bigrams = [pair for text in line for pair in itertools.pairwise(text.split())]
        shares += [len(set(bigrams)) / len(bigrams)] if bigrams else []
    return {"different": statistics.mean(counts), "likeness": statistics.mean(likeness), "distinct_bigrams": statistics.mean(shares)}


def nearest(texts: list[list[str]], reference: Path) -> list[str]:
    """Of each line the alternative with the highest chrF: what a reader who knows best would choose."""
    from sacrebleu.metrics import CHRF

    references = reference.read_text(encoding="utf-8").split("\n")[:-1]
    return [max(line, key=lambda text: CHRF().sentence_score(text, [wanted]).score) for line, wanted in zip(texts, references, strict=True)]


def answers_table(rows: dict[str, Row]) -> str:
    cells = [[name, f"{row['BLEU']:.2f}", f"{row['chrF2++']:.2f}", f"{row['wall']:,.0f}", f"{row['cpu']:,.0f}"] for name, row in rows.items()]
    return table(["", "BLEU", "chrF++", "seconds", "CPU seconds"], cells, rows)


def alternatives_table(rows: dict[str, Row]) -> str:
    cells = [
        [
            name,
            f"{row['different']:.1f}",
            f"{row['likeness']:.1f}",
            f"{row['distinct_bigrams']:.0%}",
            f"{row['BLEU']:.2f}",
            f"{row['best']['BLEU']:.2f}",
        ]
        for name, row in rows.items()
    ]
    return table([f"{ALTERNATIVES} best", "different", "chrF between two", "distinct bigrams", "BLEU", "BLEU of the nearest"], cells, rows)


def table(head: list[str], cells: list[list[str]], rows: dict[str, Row]) -> str:
    lines = [f"| {' | '.join(each)} |" for each in (head, ["---", *["---:"] * (len(head) - 1)], *cells)]
    return "\n".join([*lines, "", f"BLEU: `{next(iter(rows.values()))['signature']}`"])


def put(texts: dict[str, str], page: Path) -> None:
    """Each table in the place of `<!-- table: NAME -->` to `<!-- end -->`."""
    text = page.read_text(encoding="utf-8")
    for name, found in texts.items():
        block = f"<!-- table: {name} -->\n{found}\n<!-- end -->"
        text, count = re.subn(rf"<!-- table: {name} -->\n.*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
        if not count:
            print(f"{page} has no <!-- table: {name} -->", file=sys.stderr)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
