"""Training throughput and memory compared with JoeyNMT, Eole, Hugging Face and torch.nn.Transformer: same pairs, pieces, dimensions, threads.

    python benchmarks/training_speed.py --data DIR --json training_speed.json      (DIR/train.de and DIR/train.en, such as Multi30k)

Width 256, 3+3 layers, 4 heads, feedforward 1,024, 8,000 joint pieces, about 4,500 target tokens per step (--tokens), dropout 0.1, label smoothing
0.1, Adam. The contestants run in turn, `--rounds` times. The table gives the median and range of target tokens per second, without padding, and
the peak memory of the process (--steps 5: over five times as many steps, as memory may grow with each new batch shape). JoeyNMT, Eole and ours
run their own commands and data pipelines, and are measured by their own logs; the plain loops get our batches. "of the peak" is relative to
the matrix-product rate (4096x512x512, measured in each round, in bf16 if the CPU supports it, else fp32); floating-point operations are
counted from the shapes of real steps, including padding. The bf16 contestants are skipped on CPUs without bf16 products, which torch emulates
ten times slower than fp32.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from rivals.environments import add_options, chosen, multiplies_bf16

WIDTH, HEADS, FEEDFORWARD, LAYERS, VOCABULARY = 256, 4, 1024, 3, 8000
CONTESTANTS = {  # name -> (environment, measured steps, warm-up steps)
    "translate-nmt bf16": ("", 40, 20),
    "translate-nmt fp32": ("", 20, 10),
    "JoeyNMT 2.3 fp32": ("joeynmt", 6, 2),
    "Eole 0.6 fp32": ("eole", 10, 5),
    "Hugging Face (Pegasus) fp32": ("huggingface", 12, 4),
    "Hugging Face (Pegasus) bf16": ("huggingface", 12, 4),
    "torch.nn.Transformer fp32": ("huggingface", 12, 4),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Training throughput compared with other toolkits.")
    parser.add_argument("--data", type=Path, required=True, help="folder with train.de and train.en")
    parser.add_argument("--tokens", type=int, default=4500, help="target tokens per step (default: 4500)")
    parser.add_argument("--steps", type=int, default=1, help="multiple of the usual number of steps")
    add_options(parser, list(CONTESTANTS))
    arguments = parser.parse_args()
    pythons = chosen(arguments, {name: environment for name, (environment, *_) in CONTESTANTS.items()})
    names = list(pythons)
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        operations, padding = prepare(arguments.data, work, arguments.tokens, arguments.steps)
        rates: dict[str, list[float]] = {name: [] for name in names}
        memory = dict.fromkeys(names, 0.0)  # GB
        peaks = []
        for number in range(arguments.rounds):
            peaks.append(matrix_peak())
            for name in names:
                rate, peak_memory = run(name, pythons[name], work, arguments)
                rates[name].append(rate)
                memory[name] = max(memory[name], peak_memory)
                print(f"round {number + 1}: {name} {rate:,.0f} target tokens/s, {peak_memory:.2f} GB", file=sys.stderr, flush=True)
    peak = statistics.median(peaks)
    ours = max((statistics.median(rates[name]) for name in names if name.startswith("translate")), default=float("nan"))
    print(
        f"\nmatrix products, {'bf16' if multiplies_bf16() else 'fp32'}: {peak / 1e9:,.0f} GFLOP/s; {operations / 1e6:,.1f} MFLOP per target token;"
        f" {padding:.1%} of target tokens are padding\n"
    )
    print("contestant                    target tokens/s (spread)       ours is   of the peak   memory, GB")
    for name in names:
        median = statistics.median(rates[name])
        spread = f"({min(rates[name]):,.0f}-{max(rates[name]):,.0f})"
        print(f"{name:<28}  {median:>8,.0f} {spread:<20}  {ours / median:>6.1f}x   {median * operations / peak:>10.1%}   {memory[name]:>10.2f}")
    if arguments.json:
        figures = {
            "rates": rates,
            "memory_gb": memory,
            "peak": peaks,
            "operations_per_token": operations,
            "padding": padding,
            "threads": arguments.threads,
        }
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def prepare(data: Path, work: Path, tokens: int, times: int) -> tuple[float, float]:
    """Write pieces and batches for all contestants. Returns floating-point operations per target token, and the padding share of target tokens."""
    from torch.utils.flop_counter import FlopCounterMode

    from translate.bundle.bundle import build_model
    from translate.config import Config, CorpusConfig, DataConfig, ModelConfig, TokenizerConfig
    from translate.data.batches import BatchStream
    from translate.data.pairs import training_texts
    from translate.data.prepare import prepare
    from translate.tokenizer import train_tokenizer
    from translate.training.loss import loss_sum

    corpus = CorpusConfig(source=str(data / "train.de"), target=str(data / "train.en"))
    config = Config(
        data=DataConfig(train=[corpus], cache=str(work / "cache")),
        tokenizer=TokenizerConfig(vocabulary=VOCABULARY),
        model=ModelConfig(width=WIDTH, heads=HEADS, feedforward=FEEDFORWARD, encoder_layers=LAYERS, decoder_layers=LAYERS),
    )
    tokenizer = train_tokenizer(training_texts(config.data), config.tokenizer, work)
    pairs = prepare(config.data, tokenizer, lambda line: None)
    for language, encode in (("de", tokenizer.encode_source), ("en", tokenizer.encode_target)):
        lines = (data / f"train.{language}").read_text(encoding="utf-8").split("\n")[:-1]
        pieces = [" ".join(f"p{piece}" for piece in ids[:-1]) for ids in encode(lines)]
        shutil.copy(data / f"train.{language}", work / f"text.{language}")
        (work / f"train.{language}").write_text("\n".join(pieces) + "\n", encoding="utf-8")
        (work / f"dev.{language}").write_text("\n".join(pieces[:20]) + "\n", encoding="utf-8")
    (work / "pieces.txt").write_text("".join(f"p{piece}\n" for piece in range(4, VOCABULARY)), encoding="utf-8")
    batches, real, padded, operations = [], 0, 0, 0
    model = build_model(config, tokenizer)
    with BatchStream(pairs, tokenizer, tokens, seed=1) as stream:
        for number, batch in zip(range(times * max(sum(numbers) for _, *numbers in CONTESTANTS.values())), stream.batches_from()):
            batches.append([[[piece for piece in row if piece] for row in side.tolist()] for side in (batch.source, batch.labels)])
            if number < 10:
                with FlopCounterMode(display=False) as counter:
                    features = model.features(batch.source, batch.target)
                    loss_sum(features, model.target_embedding.weight, batch.labels, 0.1)[0].backward()
                operations += counter.get_total_flops()
                real, padded = real + batch.tokens, padded + batch.labels.numel()
    (work / "batches.json").write_text(json.dumps({"vocabulary": VOCABULARY, "batches": batches}), encoding="utf-8")
    return operations / real, 1 - real / padded


def matrix_peak() -> float:
    """Floating-point operations per second of a product, 4096x512x512, in the faster precision: the best of 20 runs of 10."""
    precision = torch.bfloat16 if multiplies_bf16() else torch.float32
    a, b = torch.randn(4096, 512, dtype=precision), torch.randn(512, 512, dtype=precision)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(10):
            a @ b
        best = min(best, (time.perf_counter() - start) / 10)
    return 2 * 4096 * 512 * 512 / best


def run(name: str, python: str, work: Path, arguments: argparse.Namespace) -> tuple[float, float]:
    """Median target tokens per second over the measured steps of one run of `name`, and its peak memory in GB."""
    steps, warm_up = (number * arguments.steps for number in CONTESTANTS[name][1:])
    precision = name.split()[-1]
    if name.startswith("translate"):
        rates, memory = ours(work, precision, steps + warm_up, arguments.tokens)
    elif name.startswith("JoeyNMT"):
        rates, memory = joeynmt(python, work, steps + warm_up, 2 * arguments.tokens)
    elif name.startswith("Eole"):
        rates, memory = eole(python, work, steps + warm_up, arguments.tokens)
    else:
        kind = "torch" if name.startswith("torch") else "huggingface"
        loop = str(Path(__file__).parent / "rivals" / "training_loop.py")
        printed, memory = call([python, loop, kind, precision, str(work / "batches.json"), str(steps + warm_up), str(arguments.threads)])
        rates = json.loads(printed.splitlines()[-1])["rates"]
    return statistics.median(rates[-steps:]), memory


def call(command: list[str]) -> tuple[str, float]:
    """The output of `command`, and the peak memory of its process in GB."""
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, text=True)
        _, status, usage = os.wait4(process.pid, 0)
        printed.seek(0)
        text = printed.read()
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{text[-3000:]}")
    return text, usage.ru_maxrss * 1024 / 1e9


def ours(work: Path, precision: str, steps: int, tokens: int) -> tuple[list[float], float]:
    (work / "recipe").mkdir(exist_ok=True)
    corpus = {"kind": "text", "source": str(work / "text.de"), "target": str(work / "text.en")}
    recipe = {
        "defaults": [{"override /optim": "inverse_sqrt"}],
        "data": {"train": [corpus], "cache": str(work / "cache")},
        "tokenizer": {"path": str(work / "spm.model")},
        "training": {"steps": steps, "batch_tokens": tokens, "log_every": 1, "validate_every": 1_000_000, "precision": precision},
    }
    (work / "recipe" / "speed.yaml").write_text("# @package _global_\n" + yaml.safe_dump(recipe), encoding="utf-8")
    home = work / "ours"
    shutil.rmtree(home, ignore_errors=True)
    _, memory = call([sys.executable, "-m", "translate", "train", "--config-dir", str(work), "recipe=speed", f"run={home}"])
    records = [json.loads(line) for line in (home / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [record["tokens_per_second"] for record in records if "tokens_per_second" in record], memory


def joeynmt(python: str, work: Path, steps: int, tokens: int) -> tuple[list[float], float]:
    """JoeyNMT fills batches in random order and counts padding: about half of its tokens are real target tokens, hence twice as many."""
    side = {"level": "word", "max_length": 250, "lowercase": False, "normalize": False, "voc_file": str(work / "pieces.txt")}
    stack = {
        "type": "transformer", "num_layers": LAYERS, "num_heads": HEADS, "hidden_size": WIDTH, "ff_size": FEEDFORWARD,
        "dropout": 0.1, "layer_norm": "pre", "embeddings": {"embedding_dim": WIDTH, "scale": True, "dropout": 0.1},
    }  # fmt: skip
    config = {
        "name": "speed", "joeynmt_version": "2.3.0", "model_dir": str(work / "joeynmt"), "use_cuda": False, "fp16": False,
        "data": {
            "train": str(work / "train"), "dev": str(work / "dev"), "dataset_type": "plain",
            "src": {**side, "lang": "de"}, "trg": {**side, "lang": "en"},
        },
        "testing": {"beam_size": 1, "batch_size": 64, "batch_type": "sentence", "max_output_length": 20, "eval_metrics": ["bleu"]},
        "training": {
            "optimizer": "adam", "adam_betas": [0.9, 0.98], "learning_rate": 0.0005, "learning_rate_min": 1e-9,
            "scheduling": "warmupinversesquareroot", "learning_rate_warmup": 4000, "label_smoothing": 0.1,
            "normalization": "tokens", "loss": "crossentropy", "epochs": 100, "updates": steps, "logging_freq": 1, "validation_freq": 100_000,
            "batch_size": tokens, "batch_type": "token", "early_stopping_metric": "bleu", "shuffle": True, "overwrite": True,
        },
        "model": {
            "initializer": "xavier_uniform", "embed_initializer": "xavier_uniform", "tied_embeddings": True, "tied_softmax": True,
            "encoder": stack, "decoder": stack,
        },
    }  # fmt: skip
    (work / "joeynmt.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    printed, memory = call([python, "-m", "joeynmt", "train", str(work / "joeynmt.yaml"), "--skip-test"])
    return [float(rate) for rate in re.findall(r"Tokens per Sec: +([0-9.]+)", printed)], memory


def eole(python: str, work: Path, steps: int, tokens: int) -> tuple[list[float], float]:
    config = {
        "src_vocab": str(work / "pieces.txt"), "tgt_vocab": str(work / "pieces.txt"), "share_vocab": True, "vocab_size_multiple": 1,
        "src_vocab_size": VOCABULARY, "tgt_vocab_size": VOCABULARY, "overwrite": True, "report_every": 1, "transforms": [],
        "data": {"corpus": {"path_src": str(work / "train.de"), "path_tgt": str(work / "train.en"), "transforms": [], "weight": 1}},
        "training": {
            "model_path": str(work / "eole"), "world_size": 0, "train_steps": steps, "valid_steps": 100_000, "save_checkpoint_steps": 100_000,
            "batch_type": "tokens", "batch_size": tokens, "bucket_size": 29_000, "num_workers": 0, "normalization": "tokens", "accum_count": [1],
            "optim": "adam", "adam_beta2": 0.998, "learning_rate": 0.0001, "label_smoothing": 0.1, "dropout": [0.1], "dropout_steps": [0],
            "attention_dropout": [0.0], "compute_dtype": "fp32", "param_init_method": "xavier_uniform",
        },
        "model": {
            "architecture": "transformer", "hidden_size": WIDTH, "layers": LAYERS, "heads": HEADS, "transformer_ff": FEEDFORWARD,
            "share_embeddings": True, "share_decoder_embeddings": True,
            "embeddings": {"word_vec_size": WIDTH, "position_encoding_type": "SinusoidalInterleaved"},
        },
    }  # fmt: skip
    (work / "eole.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    printed, memory = call([python, "-m", "eole.bin.main", "train", "-config", str(work / "eole.yaml")])
    return [float(rate) for rate in re.findall(r"/ *([0-9.]+) tok/s", printed)], memory


if __name__ == "__main__":
    main()
