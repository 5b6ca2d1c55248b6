"""The speed-up of each kernel: CPU time of a training step or a search with all kernels, and without each in turn.

    python benchmarks/kernels.py --rounds 15

Width 256, 3+3 layers, feedforward 1,024, 8,000 pieces, about 2,500 target tokens a step; random weights and sentences of 5 to 30 tokens. Each
round has new batches with new shapes. "1.10x" = without the kernel it takes 1.1 times as long: the median and quartiles over the rounds. A
kernel must gain 5% in a row on some CPU to be kept (CONTRIBUTING.md, proof of value).
"""

from __future__ import annotations

import argparse
import copy
import itertools
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from unittest import mock

import torch
from torch import nn

from translate.config import Config, DecodingConfig, ModelConfig
from translate.data.batches import Batch
from translate.decoding import Options
from translate.device import keep_freed_memory, limit_kernel_cache
from translate.kernels import packed
from translate.kernels.direct_calls import call_directly
from translate.kernels.dropout import ByteDropout
from translate.model import Transformer
from translate.tokenizer import BOS, EOS, PAD
from translate.tokenizer.padding import pad
from translate.training.ranks import Ranks
from translate.training.update import Updater
from translate.translation.torch_engine import TorchEngine

CPU, PIECES, TOKENS, SENTENCES = torch.device("cpu"), 8000, 2500, 64
CONFIG = Config(model=ModelConfig(width=256, heads=4, feedforward=1024, encoder_layers=3, decoder_layers=3, dropout=0.1))
PLAIN = {"TRANSLATE_KERNELS": "plain"}
Variant = Callable[[int], None]  # runs one round


def main() -> None:
    parser = argparse.ArgumentParser(description="The speed-up of each kernel.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="only rows whose title contains this text")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    limit_kernel_cache()
    torch.manual_seed(1)
    model = Transformer(CONFIG.model, PIECES, PIECES)
    rows = {f"training step, {precision}": (training, model, precision) for precision in (torch.bfloat16, torch.float32)}
    for precision, beam, size in itertools.product((torch.float32, torch.bfloat16, torch.float16), (1, 5), (SENTENCES, 1)):
        rows[f"search, {precision}, beam {beam}, batches of {size}"] = (searching, model, precision, beam, size)
    for title, (variants, *settings) in rows.items():
        if arguments.only in title:
            compare(title, variants(*settings), arguments.rounds)


def compare(title: str, variants: dict[str, Variant], rounds: int) -> None:
    """Print how long the other variants take, relative to the first, which has all kernels."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        names = list(variants)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            start = time.process_time()
            variants[name](number)
            if number:  # the first warms up
                times[name].append(time.process_time() - start)
    baseline, *others = times.values()
    print(f"{title}: {statistics.median(baseline) * 1000:.0f} ms")
    for name, other in zip(list(times)[1:], others):
        low, middle, high = statistics.quantiles([without / base for without, base in zip(other, baseline)], n=4)
        print(f"    without {name:<20} {middle:.2f}x ({low:.2f} to {high:.2f})", flush=True)


def sentence(lengths: random.Random) -> list[int]:
    return [lengths.randrange(4, PIECES) for _ in range(lengths.randint(4, 29))] + [EOS]


def training(model: Transformer, precision: torch.dtype) -> dict[str, Variant]:
    def new_updater(change: Callable[[Transformer], None] = lambda model: None) -> Updater:
        updater = Updater(copy.deepcopy(model), CONFIG, CPU, precision, Ranks())
        change(updater.model)
        return updater

    def torch_dropout(model: Transformer) -> None:
        for parent in list(model.modules()):
            for name, child in parent.named_children():
                if isinstance(child, ByteDropout):
                    setattr(parent, name, nn.Dropout(child.p))

    def fp32_states(model: Transformer) -> None:
        model.embedding_dropout = ByteDropout(CONFIG.model.dropout)

    def step(updater: Updater, number: int, plain_loss: bool = False) -> None:
        with mock.patch.dict("os.environ", PLAIN if plain_loss else {}):
            updater.update([batch(number)], number, 1e-4, print)

    everything = new_updater()
    variants: dict[str, Variant] = {"": lambda number: step(everything, number)}
    without = {"byte dropout": torch_dropout} | ({"bf16 states": fp32_states} if precision == torch.bfloat16 else {})
    for name, change in without.items():
        variants[name] = partial(step, new_updater(change))
    variants["loss in chunks"] = lambda number: step(everything, number, plain_loss=True)
    with mock.patch.dict("os.environ", PLAIN):
        plain = new_updater()
    variants["all of them"] = lambda number: step(plain, number, plain_loss=True)
    return variants


def batch(number: int) -> Batch:
    lengths = random.Random(number)
    target = lengths.randint(8, 28)
    count = TOKENS // target
    rows = [[sentence(lengths)[: target + shift] for _ in range(count)] for shift in (lengths.randint(-2, 3), 0)]
    source, labels = (pad(side) for side in rows)
    return Batch(0, 0, source, torch.cat([labels.new_full((count, 1), BOS), labels[:, :-1]], dim=1), labels, int((labels != PAD).sum()))


def searching(model: Transformer, precision: torch.dtype, beam: int, size: int) -> dict[str, Variant]:
    def new_engine(kernels: bool = True, direct: bool = True) -> TorchEngine:
        own = copy.deepcopy(model).eval().requires_grad_(False)
        packed_model = packed.pack(own, precision, kernels)
        if direct:
            call_directly(own)
        return TorchEngine(packed_model, CPU, precision)

    options = Options(beam=beam).fill(DecodingConfig())

    def search(engine: TorchEngine, number: int) -> None:
        lengths = random.Random(number)
        for _ in range(1 if size > 1 else 4):
            sources = sorted((sentence(lengths) for _ in range(size)), key=len, reverse=True)
            engine.search(sources, [len(ids) for ids in sources], options, [])  # with random weights each output reaches its limit

    def without_padding(number: int) -> None:
        with mock.patch.object(packed, "SIZES", 1 << 20):
            search(everything, number)

    everything, plain, indirect, unpacked = new_engine(), new_engine(False, False), new_engine(direct=False), new_engine(kernels=False)
    variants: dict[str, Variant] = {"": lambda number: search(everything, number)}
    variants["packed weights"] = lambda number: search(unpacked, number)
    variants["direct calls"] = lambda number: search(indirect, number)
    if precision != torch.float16:
        variants["padding of rows"] = without_padding
    variants["all of them"] = lambda number: search(plain, number)
    return variants


if __name__ == "__main__":
    main()
