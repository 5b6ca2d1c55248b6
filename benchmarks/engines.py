"""Compares the engines as users see them: seconds of the whole `translate file` command, BLEU, and lines equal to ours in fp32.

    pip install ctranslate2
    python benchmarks/engines.py -m runs/multi30k_de_en --data DIR/test_2016_flickr --json engines.json

DIR/test_2016_flickr.de is translated with the recipe's beam (.en is the reference). The commands run in turn, `--rounds` times. The table gives
medians, including start-up, and the size of the folder that the engine reads. decoding_speed.py times the search alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from rivals.environments import multiplies_bf16, multiplies_fp16

from translate.evaluation.scoring import corpus_bleu

TRANSLATE = [sys.executable, "-m", "translate"]
BUNDLE = ("config.yaml", "model.safetensors", "spm.model", "spm.target.model")


def main() -> None:
    parser = argparse.ArgumentParser(description="Times translate file with each engine.")
    parser.add_argument("-m", "--model", type=Path, required=True, help="run folder")
    parser.add_argument("--data", type=Path, required=True, help="test set without .de and .en")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the results here")
    arguments = parser.parse_args()
    references = Path(f"{arguments.data}.en").read_text(encoding="utf-8").split("\n")[:-1]
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "int8"
        export = ["export", "-m", str(arguments.model), "--to", "ctranslate2", "--quantization", "int8", "-o", str(exported)]
        subprocess.run([*TRANSLATE, *export], check=True)
        engines = {
            "torch fp32": (arguments.model, "--precision", "fp32"),
            "torch fp16": (arguments.model, "--precision", "fp16"),
            "torch bf16": (arguments.model, "--precision", "bf16"),
            "ctranslate2 float32": (arguments.model, "--engine", "ctranslate2"),
            "ctranslate2 int8": (exported, "--engine", "ctranslate2"),
        }
        if not multiplies_bf16():
            del engines["torch bf16"]
        if not multiplies_fp16():
            del engines["torch fp16"]
        seconds: dict[str, list[float]] = {name: [] for name in engines}
        outputs: dict[str, list[str]] = {}
        for _ in range(arguments.rounds):
            for name, (model, *options) in engines.items():
                output = Path(folder) / "output"
                start = time.perf_counter()
                subprocess.run([*TRANSLATE, "file", "-m", str(model), f"{arguments.data}.de", "-o", str(output), *options], check=True)
                seconds[name].append(time.perf_counter() - start)
                outputs[name] = output.read_text(encoding="utf-8").split("\n")[:-1]
        sizes = {name: sum((model / file).stat().st_size for file in files_of(model)) / 1e6 for name, (model, *_) in engines.items()}
    rows = []
    print(f"{len(references):,} lines            seconds (spread)     BLEU  equal lines  folder MB")
    for name, lines in outputs.items():
        equal, bleu = sum(map(str.__eq__, lines, outputs["torch fp32"])), corpus_bleu(lines, references)[0]
        spread = f"({min(seconds[name]):.1f}-{max(seconds[name]):.1f})"
        print(f"{name:<20}  {statistics.median(seconds[name]):>7.1f} {spread:<11}  {bleu:>7.2f}  {equal:>11,}  {sizes[name]:>9.1f}")
        rows.append({"engine": name, "seconds": seconds[name], "bleu": bleu, "equal": equal, "lines": len(lines), "megabytes": sizes[name]})
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def files_of(model: Path) -> list[str]:
    """The bundle files of a run folder; all files of any other."""
    names = [file.name for file in model.iterdir()]
    return [name for name in names if name in BUNDLE] if "model.safetensors" in names else names


if __name__ == "__main__":
    main()
