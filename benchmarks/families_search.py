"""For families.py: greedy search with a context that is too short, and with keys and values computed again at each step."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONTEXTS = (8, 12, 16, 20, 24, 32, 48, 64, 128)  # tokens of source and translation together
LENGTHS = (16, 32, 64, 128, 250)  # tokens of a source, and of its translation
TEST = "test_2016_flickr"
ROUNDS = 3


def context(run: Path, data: Path, threads: int) -> list[dict[str, Any]]:
    """Scores of a decoder-only model that sees the last C tokens of source and translation, for each C."""
    import torch

    from translate.bundle.bundle import load_bundle

    torch.set_num_threads(threads)
    bundle = load_bundle(run)
    lines = (data / f"{TEST}.de").read_text(encoding="utf-8").split("\n")[:-1]
    sources = bundle.tokenizer.encode_source(lines)
    rows = []
    for size in CONTEXTS:
        outputs, fitting = cropped_search(bundle.model, sources, size)
        rows.append({"context": size, "fit": fitting, **scores(data / f"{TEST}.en", bundle.tokenizer.decode(outputs))})
    return rows


def cropped_search(model: Any, sources: list[list[int]], size: int) -> tuple[list[list[int]], float]:
    """The greedy translations, and the share of sentences that were in view as a whole to their end. Sentences of one length are a batch."""
    import torch

    from translate.tokenizer import BOS, EOS, PAD

    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for number, ids in enumerate(sources):
        by_length[len(ids)].append(number)
    outputs: list[list[int]] = [[]] * len(sources)
    with torch.no_grad():
        for length, numbers in by_length.items():
            source = torch.tensor([sources[number] for number in numbers])
            target = torch.full((len(numbers), 1), BOS)
            ended = torch.zeros(len(numbers), dtype=torch.bool)
            while not ended.all() and target.shape[1] <= min(2 * length + 20, model.config.max_tokens - 1):
                shown = max(0, size - target.shape[1])  # source tokens that are still in view
                logits = model.logits(model.features(source[:, max(0, length - shown) :], target[:, -size:])[:, -1])
                logits[:, [PAD, BOS]] = float("-inf")
                new = logits.argmax(dim=-1).masked_fill(ended, PAD)
                target, ended = torch.cat([target, new[:, None]], dim=1), ended | (new == EOS)
            for number, ids in zip(numbers, target[:, 1:].tolist()):
                outputs[number] = ids[: ids.index(EOS)] if EOS in ids else ids
    whole = sum(len(ids) + len(output) + 1 <= size for ids, output in zip(sources, outputs))
    return outputs, whole / len(sources)


def scores(reference: Path, lines: list[str]) -> dict[str, float]:
    """BLEU and chrF++ by `translate score`."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        words = [str(reference), "-i", str(output), "--metrics", "bleu", "chrf", "--bootstrap", "0", "--format", "json"]
        said = json.loads(subprocess.check_output([sys.executable, "-m", "translate", "score", *words], stderr=subprocess.DEVNULL))
    return {score["name"]: score["value"] for score in said["scores"]}


def cache(run: Path, data: Path) -> list[dict[str, Any]]:
    """CPU milliseconds for a sentence, greedily, one at a time on one thread, in fp32 without kernels. The translation is as long as the source."""
    import torch

    from translate.bundle.bundle import load_bundle
    from translate.tokenizer import EOS

    torch.set_num_threads(1)
    bundle = load_bundle(run)
    model, lines = bundle.model, (data / f"{TEST}.de").read_text(encoding="utf-8").split("\n")[:200]
    tokens = [token for ids in bundle.tokenizer.encode_source(lines) for token in ids[:-1]]
    rows = []
    with torch.no_grad():
        for length in (length for length in LENGTHS if length <= model.config.max_tokens):
            source = torch.tensor([[*tokens[: length - 1], EOS]])
            row: dict[str, Any] = {"tokens": length}
            for name, way in ways(model).items():
                way(source, 2)  # loads what is loaded once
                row[name] = min(timed(way, source, length) for _ in range(ROUNDS))
            rows.append(row)
    return rows


def timed(way: Callable[[Any, int], None], source: Any, length: int) -> float:
    start = time.process_time()
    way(source, length)
    return (time.process_time() - start) * 1000


def ways(model: Any) -> dict[str, Callable[[Any, int], None]]:
    """Name -> writes `length` tokens for a source of one sentence (1, S)."""
    import torch

    from translate.tokenizer import BOS

    def keep(source: Any, length: int) -> None:
        state, last = model.start(model.encode(source)), torch.tensor([BOS])
        for _ in range(length):
            logits, state = model.step(last, state)
            last = logits.argmax(dim=-1)

    def grow(next_features: Callable[[Any], Any], length: int) -> None:
        target = torch.tensor([[BOS]])
        for _ in range(length):
            last = model.logits(next_features(target)[:, -1]).argmax(dim=-1)
            target = torch.cat([target, last[:, None]], dim=1)

    def source_once(source: Any, length: int) -> None:
        memory = model.encode(source)
        grow(lambda target: model.decode(target, memory), length)

    def nothing(source: Any, length: int) -> None:
        grow(lambda target: model.features(source, target), length)

    both = {"keys kept": keep, "nothing kept": nothing}
    return {**both, "encoder once, no keys": source_once} if hasattr(model, "decode") else both
