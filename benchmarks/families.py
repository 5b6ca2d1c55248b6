"""Trains and measures the families of models on equal terms: every number of docs/families.md.

    pip install matplotlib
    python benchmarks/families.py --data DIR --text tatoeba/train.de --output families --page docs/families.md
    python benchmarks/families.py --data DIR --output try --minutes 0.1                       to see that all of it runs

DIR has Multi30k: train.de, train.en, val.*, test_2016_flickr.*. Runs `translate` as a user would. What OUTPUT has already is not made again, and a
training that was stopped goes on. OUTPUT gets a run folder and a file of results for each model, results.json, tables.md and pictures; --page puts
tables and pictures into the page, which names them in comments. Speed and memory are worth what the machine is: let it do nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import families_page
import families_search
from families_cases import FAMILIES, GENERATE, MINUTES, OWN_RESULTS, PARTS, PRETRAINING_STEPS, RECIPES, SEEDS, TESTS, TRANSLATE, Case
from growth import memory

BEAMS = (1, 5)
SAMPLE = ["--tokens", "30"]


def main() -> None:
    parser = argparse.ArgumentParser(description="The families of models on equal terms.")
    parser.add_argument("--data", type=Path, required=True, help="folder of Multi30k")
    parser.add_argument("--text", type=Path, metavar="FILE", help="further German text for the masked language model, such as Tatoeba's")
    parser.add_argument("--output", type=Path, required=True, help="folder of runs and results")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES, metavar="FAMILY", help="only the models of these")
    parser.add_argument("--minutes", type=float, help="of each training, in place of its minutes or steps, to try it out")
    parser.add_argument("--threads", type=int, default=2, help="of each training and search (default: %(default)s)")
    parser.add_argument("--page", type=Path, help="put the tables and pictures into this page")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of `finally`
    (arguments.output / "results").mkdir(parents=True, exist_ok=True)
    failed = []
    for part in arguments.only or PARTS:
        makers = {case.name: partial(measure, case, arguments) for case in PARTS[part] if case.family in arguments.families}
        if part in OWN_RESULTS:
            makers[part] = partial(measure_part, part, arguments)
        for name, make in makers.items():
            try:
                kept(name, arguments.output, make)
            except (RuntimeError, ValueError, subprocess.SubprocessError) as error:  # a day's work goes on; UserError is a ValueError
                failed.append(name)
                print(f"{name} failed: {error}", file=sys.stderr, flush=True)
    results = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted((arguments.output / "results").glob("*.json"))}
    (arguments.output / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    families_page.write(families_page.tables(results), results, arguments.output, arguments.page)
    if failed:
        sys.exit(f"failed, and tried again by the same command: {', '.join(failed)}")


def kept(name: str, output: Path, make: Callable[[], Any]) -> None:
    """The result of `make`, in a file; nothing if the file is there."""
    path = output / "results" / f"{name}.json"
    if not path.exists():
        print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)
        text = json.dumps(make(), indent=1, ensure_ascii=False) + "\n"
        path.with_suffix(".part").write_text(text, encoding="utf-8")
        path.with_suffix(".part").replace(path)


def measure(case: Case, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a model and measure it: parameters, steps, perplexity, speed and memory, scores at each beam, samples."""
    run = arguments.output / "runs" / case.name
    recipe = RECIPES.get((case.corpus, case.family), f"{case.corpus}_{case.family}")
    words = [f"recipe={recipe}", f"run='{run}'", f"training.threads={arguments.threads}"]
    if case.steps and not arguments.minutes:
        words += ["training.minutes=0", f"training.steps={case.steps}", "training.min_steps=0"]
    elif case.family != "markov":  # which counts once
        words += [f"training.minutes={arguments.minutes or MINUTES[case.corpus]}", "training.min_steps=0"]
    if case.corpus == "multi30k":
        words.append(f"data.folder='{arguments.data}'")
    if case.family in GENERATE:  # else they would have one of the target language alone
        words.append(f"tokenizer.path='{tokenizer(case.corpus, arguments)}'")
    _, training_mb = translate(["train", *words, *case.words], arguments.threads)
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    logged = (
        [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()] if (run / "metrics.jsonl").exists() else []
    )
    speeds = [line["tokens_per_second"] for line in logged if "tokens_per_second" in line]
    losses = [line["dev_loss"] for line in logged if line.get("dev_loss") is not None]
    result = {
        "family": case.family,
        "words": case.words,
        "report": {key: value for key, value in report.items() if key not in ("test", "versions")},
        "tokens_per_second": statistics.median(speeds) if speeds else None,
        "dev_loss": min(losses, default=None),
        "training_mb": training_mb,
    }
    for beam in BEAMS if case.family in TRANSLATE else (None,):
        said, search_mb = translate(["evaluate", "-m", str(run), "--format", "json", *(["--beam", str(beam)] if beam else [])], arguments.threads)
        result[f"beam_{beam}" if beam else "test"] = {"sets": without_samples(json.loads(said)["test"]), "search_mb": search_mb}
    if case.family in GENERATE:
        words = ["generate", "-m", str(run), *SAMPLE]
        result["samples"] = [translate([*words, "--seed", str(seed)], arguments.threads)[0].strip() for seed in SEEDS]
    return result


def tokenizer(corpus: str, arguments: argparse.Namespace) -> Path:
    """A folder with the tokenizer that the translating families train, made by a run of one step."""
    run: Path = arguments.output / "runs" / f"{corpus}_tokenizer"
    if not (run / "report.json").exists():
        words = [f"recipe={RECIPES[corpus, 'encoder_decoder']}", f"run='{run}'", "training.minutes=0", "training.min_steps=0", "training.steps=1"]
        words += [f"data.folder='{arguments.data}'"] if corpus == "multi30k" else []
        translate(["train", *words, "data.validation=[]", *(f"~data.test.{name}" for name in TESTS[corpus])], arguments.threads)
    return run


def without_samples(sets: dict[str, Any]) -> dict[str, Any]:
    return {name: {key: value for key, value in values.items() if key != "samples"} for name, values in sets.items()}


def measure_part(part: str, arguments: argparse.Namespace) -> Any:
    """The results of a part of `OWN_RESULTS`."""
    runs = {family: arguments.output / "runs" / f"multi30k_{family}" for family in TRANSLATE[:2]}
    if part == "context":
        return families_search.context(runs["decoder_only"], arguments.data, arguments.threads)
    if part == "cache":
        return {family: families_search.cache(run, arguments.data) for family, run in runs.items()}
    if part == "attention":
        words = ["--seconds", "0.1", "--longest", "512"] if arguments.minutes else []
        benchmark("attention_cost", "--json", arguments.output / "attention_cost.json", *words)
        return json.loads((arguments.output / "attention_cost.json").read_text(encoding="utf-8"))
    unit, budget = ("minutes", arguments.minutes) if arguments.minutes else ("steps", PRETRAINING_STEPS)
    words = ["--text", arguments.text] if arguments.text else []
    words += ["--seeds", *SEEDS[:2], "--unit", unit, "--budget", budget, "--pretraining", budget]
    words += ["--data", arguments.data, "--output", arguments.output / "pretraining"]
    benchmark("pretraining", *words, f"training.threads={arguments.threads}")
    return (arguments.output / "pretraining" / "table.md").read_text(encoding="utf-8").strip()


def benchmark(name: str, *words: Any) -> None:
    """Run another program of this folder."""
    subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py")), *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def translate(words: Sequence[str], threads: int) -> tuple[str, float]:
    """stdout and peak MB of `translate WORDS...`, over all its processes; shared memory counts once. Its stderr is shown if it fails."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    peak, ended = [0.0], threading.Event()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "translate", *words], stdout=subprocess.PIPE, stderr=errors, env=environment, encoding="utf-8"
        )

        def watch() -> None:
            while not ended.wait(0.5):
                peak[0] = max(peak[0], memory(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            said, _ = process.communicate()
        finally:
            if process.poll() is None:  # this program is being stopped: a training saves what it has
                process.terminate()
                process.wait()
            ended.set()
            watcher.join()
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"translate {' '.join(words)} ended with exit code {process.returncode}:\n{errors.read()[-2000:]}")
    return said, peak[0]


if __name__ == "__main__":
    main()
