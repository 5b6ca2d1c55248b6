"""Decoding throughput compared with CTranslate2, Hugging Face `generate` and JoeyNMT, all with the weights of one run.

    python benchmarks/decoding_speed.py -m runs/multi30k_de_en --data DIR/test_2016_flickr --json decoding_speed.json

DIR/test_2016_flickr.de is translated (.en is the reference). For each beam (1, 5) and batch size (64, 1) the contestants run in turn,
`--rounds` times. The table gives the median and range of target tokens per second of the search alone, the speed of ours relative to each,
BLEU, and the share of outputs identical to ours in fp32. The run must be pre-norm with a joint vocabulary. bf16 and fp16 are skipped on
CPUs without such products.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).parent))
from rivals.environments import add_options, chosen, multiplies_bf16, multiplies_fp16

CONTESTANTS = {  # name -> (environment, kind, precision)
    "translate-nmt fp32": ("", "ours", "fp32"),
    "translate-nmt fp16": ("", "ours", "fp16"),
    "translate-nmt bf16": ("", "ours", "bf16"),
    "CTranslate2 float32": ("ctranslate2", "ctranslate2", "float32"),
    "CTranslate2 int8": ("ctranslate2", "ctranslate2", "int8"),
    "Hugging Face fp32": ("huggingface", "huggingface", "fp32"),
    "Hugging Face bf16": ("huggingface", "huggingface", "bf16"),
    "JoeyNMT fp32": ("joeynmt", "joeynmt", "fp32"),
}
SINGLE = 100  # sentences with batches of one


def main() -> None:
    parser = argparse.ArgumentParser(description="Decoding throughput compared with other toolkits.")
    parser.add_argument("-m", "--model", type=Path, required=True, help="run folder")
    parser.add_argument("--data", type=Path, required=True, help="test set without .de and .en")
    parser.add_argument("--beams", type=int, nargs="*", default=[1, 5])
    parser.add_argument("--batches", type=int, nargs="*", default=[64, 1])
    add_options(parser, list(CONTESTANTS))
    arguments = parser.parse_args()
    pythons = chosen(arguments, {name: environment for name, (environment, *_) in CONTESTANTS.items()})
    names = list(pythons)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        task = prepare(arguments.model, arguments.data, Path(folder))
        for beam in arguments.beams:
            for batch in arguments.batches:
                figures += compare(names, pythons, task, Path(folder), beam, batch, arguments)
        for precision in ("fp32", *["fp16"] * multiplies_fp16(), *["bf16"] * multiplies_bf16()):
            figures.append(independence(arguments.model, task, precision))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def prepare(run: Path, data: Path, work: Path) -> dict:
    """Write the task for decoding_loop.py to `work`. Returns it, with what is needed to score the outputs."""
    import dataclasses

    from translate.bundle.bundle import load_bundle
    from translate.text.lines import read_lines
    from translate.translation.ctranslate2_engine import export
    from translate.translation.torch_engine import TorchEngine
    from translate.translation.translator import Translator

    bundle = load_bundle(run)
    shutil.copytree(run, work / "run", ignore=shutil.ignore_patterns("checkpoints"))
    export(bundle, work / "ctranslate2")
    weights = {name: parameter.numpy() for name, parameter in bundle.model.named_parameters()}
    numpy.savez(work / "weights.npz", positions=bundle.model.positions.numpy(), **weights)
    translator = Translator(TorchEngine(bundle.model, next(bundle.model.parameters()).device), bundle.tokenizer, bundle.config.decoding)
    lines, references = (list(read_lines(f"{data}.{language}")) for language in ("de", "en"))
    ids = bundle.tokenizer.encode_source(lines)
    order = sorted(range(len(ids)), key=lambda place: -len(ids[place]))
    task = {
        "model": dataclasses.asdict(bundle.config.model),
        "vocabulary": bundle.tokenizer.target_size,
        "pieces": bundle.tokenizer.target_pieces(),
        "sources": [ids[place] for place in order],
        "limits": [translator.limit(len(ids[place])) for place in order],
    }
    (work / "task.json").write_text(json.dumps(task), encoding="utf-8")
    return {**task, "references": [references[place] for place in order], "tokenizer": bundle.tokenizer}


def compare(names: list[str], pythons: dict[str, str], task: dict, work: Path, beam: int, batch: int, arguments: argparse.Namespace) -> list[dict]:
    from translate.evaluation.scoring import corpus_bleu

    every = max(1, len(task["sources"]) // SINGLE) if batch == 1 else 1  # for batches of one, a sample of all lengths
    chosen = {name: task[name][::every] for name in ("sources", "limits", "references")}
    (work / "task.json").write_text(json.dumps({**{k: task[k] for k in ("model", "vocabulary", "pieces")}, **chosen}), encoding="utf-8")
    rates: dict[str, list[float]] = {name: [] for name in names}
    seconds, outputs = {}, {}
    loop = str(Path(__file__).parent / "rivals" / "decoding_loop.py")
    for number in range(arguments.rounds):
        for name in names:
            _, kind, precision = CONTESTANTS[name]
            command = [pythons[name], loop, kind, precision, str(work), str(beam), str(batch), str(arguments.threads)]
            process = subprocess.run(command, capture_output=True, text=True)
            if process.returncode:
                sys.exit(f"{name} failed:\n{process.stderr[-3000:]}")
            result = json.loads(process.stdout.splitlines()[-1])
            outputs[name] = task["tokenizer"].decode(result["outputs"])
            tokens = sum(len(ids) + 1 for ids in result["outputs"])
            rates[name].append(tokens / result["seconds"])
            seconds[name] = result["seconds"]
            print(f"beam {beam}, batch {batch}, round {number + 1}: {name} {rates[name][-1]:,.0f} target tokens/s", file=sys.stderr, flush=True)
    best = max((statistics.median(rates[name]) for name in names if name.startswith("translate")), default=float("nan"))
    reference = outputs.get("translate-nmt fp32")
    print(f"\nbeam {beam}, batches of {batch}, {len(chosen['sources']):,} sentences, {arguments.threads} threads")
    print("contestant              target tokens/s (spread)        ours is    ms/sentence    BLEU  equal to ours in fp32")
    rows = []
    for name in names:
        median, bleu = statistics.median(rates[name]), corpus_bleu(outputs[name], chosen["references"])[0]
        equal = sum(a == b for a, b in zip(outputs[name], reference)) / len(reference) if reference else float("nan")
        spread, per_sentence = f"({min(rates[name]):,.0f}-{max(rates[name]):,.0f})", seconds[name] * 1000 / len(chosen["sources"])
        print(f"{name:<22}  {median:>8,.0f} {spread:<20}  {best / median:>7.2f}x  {per_sentence:>13.1f}  {bleu:>6.2f}  {equal:>21.1%}", flush=True)
        rows.append({"contestant": name, "beam": beam, "batch": batch, "rates": rates[name], "bleu": bleu, "equal": equal})
    return rows


def independence(model: Path, task: dict, precision: str) -> dict:
    """How many translations depend on the batch: beam 5, batches of 1, of 7, and a shuffled file, compared with batches of 64."""
    from translate.decoding import Options
    from translate.translation.translator import Translator

    translator = Translator.load(model, "cpu", precision)
    options = Options(5, 1.0).fill(translator.decoding)

    def outputs(size: int, order: list[int]) -> list[list[int]]:
        by_index = {}
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            results = translator.engine.search([task["sources"][n] for n in batch], [task["limits"][n] for n in batch], options, [])
            by_index.update(zip(batch, (hypotheses[0].ids for hypotheses in results)))
        return [by_index[place] for place in range(len(order))]

    places = list(range(len(task["sources"])))
    shuffled = random.Random(1).sample(places, len(places))
    expected = outputs(64, places)
    different = {
        name: sum(a != b for a, b in zip(outputs(size, order), expected))
        for name, size, order in (("batches of 1", 1, places), ("batches of 7", 7, places), ("a shuffled file", 64, shuffled))
    }
    summary = ", ".join(f"{count} in {name}" for name, count in different.items())
    print(f"ours in {precision}, beam 5: of {len(places):,} translations differ from those in batches of 64: {summary}", flush=True)
    return {"precision": precision, "different": different}


if __name__ == "__main__":
    main()
