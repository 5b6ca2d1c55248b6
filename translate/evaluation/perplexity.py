"""How well a model predicts text: the likelihood of its labels, and what is computed from it, for models that don't translate.

Perplexity is exp(nats / N), nats the negative log-likelihood of a text with its end marks, and N what it is divided by:

    pieces       tokens of the model's own tokenizer, an end mark for each line: only comparable between models that have the same one
    words        what white space separates in the text as it was given, and an end for each line: comparable whatever the tokenizer
    characters   of that text, and an end for each line; the usual unit is then bits, nats / ln 2 / N
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from translate.bundle.bundle import ModelFolder, load_bundle
from translate.config import DecodingConfig
from translate.data.objectives import OBJECTIVES, target_part
from translate.data.sides import OF_OBJECTIVE, TARGET, sides_of
from translate.decoding import Options
from translate.device import autocast, choose_device, choose_precision, is_out_of_memory, release_memory
from translate.errors import UserError
from translate.evaluation.evaluation import BOOTSTRAP, log_to_stderr
from translate.evaluation.report import read_report, save_results
from translate.evaluation.resampling import interval, resampled_sums, seed
from translate.evaluation.testsets import Sentences, chosen_sets
from translate.model import Model
from translate.tokenizer import PAD, SOURCE_FILE, TARGET_FILE, Tokenizer
from translate.translation.batching import length_batches

ROWS = 512  # of logits at a time
BATCH_TOKENS = 4096  # padding included
MOST = 700.0  # nats whose exponential is still a number
Ids = list[list[int]]


@dataclasses.dataclass(frozen=True)
class Likelihoods:
    """Of N sentences: negative log-likelihood in nats, and the number of labels that it is the sum of, (N,) each."""

    nats: numpy.ndarray
    labels: numpy.ndarray

    @property
    def mean(self) -> float:
        """Nats per label."""
        return float(self.nats.sum() / max(1, self.labels.sum()))


def likelihoods(
    model: Model, sources: Ids, targets: Ids, device: torch.device, precision: torch.dtype, batch_tokens: int = BATCH_TOKENS
) -> Likelihoods:
    """What `model` makes of sentences in ids, without dropout and label smoothing: of one that translates, of the targets.

    In batches of `batch_tokens`, padding included; smaller ones if memory runs out.
    """
    try:
        return _likelihoods(model, sources, targets, device, precision, batch_tokens)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or batch_tokens < model.config.max_tokens:  # a single sentence is too much
            raise
    release_memory()
    return likelihoods(model, sources, targets, device, precision, batch_tokens // 2)


@torch.no_grad()
def _likelihoods(model: Model, sources: Ids, targets: Ids, device: torch.device, precision: torch.dtype, batch_tokens: int) -> Likelihoods:
    nats, counts = numpy.zeros(len(targets)), numpy.zeros(len(targets), dtype=numpy.int64)
    objective = OBJECTIVES[model.objective]
    model.eval()
    for rows in length_batches([max(map(len, pair)) for pair in zip(sources, targets)], batch_tokens, 1):
        tensors = objective([sources[row] for row in rows], [targets[row] for row in rows], (rows[0],))
        source, target, labels = (tensor.to(device) for tensor in tensors)
        if model.translates:  # a source is given, also where the model learnt to predict it
            labels = torch.cat([torch.full_like(labels[:, : -target.shape[1]], PAD), target_part(labels, target)], dim=1)
        with autocast(device, precision):
            nats[rows] = label_nats(model, source, target, labels).sum(dim=1, dtype=torch.float64).cpu().numpy()
        counts[rows] = (labels != PAD).sum(dim=1).cpu().numpy()
    return Likelihoods(nats, counts)


def label_nats(model: Model, source: Tensor, target: Tensor, labels: Tensor) -> Tensor:
    """Negative log-likelihood of each label of a batch, 0 for PAD, in the shape of `labels`. Never has all logits in memory."""
    real, result = labels != PAD, torch.zeros(labels.shape, device=labels.device)
    features = model.features(source, target)[real]
    parts = zip(features.split(ROWS), labels[real].split(ROWS))
    result[real] = torch.cat([cross_entropy(model.logits(part).float(), wanted, reduction="none") for part, wanted in parts])
    return result


def evaluate_model(
    folder: Path, data: str | None, test: Sequence[str], testset: Sequence[str], device: str, precision: str, batch_tokens: int | None
) -> dict[str, dict[str, Any]]:
    """`translate evaluate` for a model that doesn't translate; see api.py. In fp32, unless `precision` is another one."""
    chosen = choose_device(device)
    if precision == "fp16":
        raise UserError("precision fp16 is for search: a likelihood is computed in fp32 (auto) or bf16")
    products = torch.float32 if precision == "auto" else choose_precision(precision, chosen)
    Options(batch_tokens=batch_tokens).fill(DecodingConfig())  # checks it
    seed()
    read_report(folder)  # fail now if it is damaged, not after the work
    config = ModelFolder(folder).config
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, cache=None))  # this machine's cache, not that of the bundle's author
    if len(test) > 1 and sides_of(config.model) == TARGET:
        raise UserError(f"test has {len(test)} files, but {folder} (model.family={config.model.family}) reads text of one language: give one file")
    sets = chosen_sets(config, data, test, testset, log_to_stderr)
    bundle = load_bundle(folder, chosen)
    for name, sentences in sets.items():
        log_to_stderr(f"test set {name}: {len(sentences.sources):,} sentences of {sentences.origin}")
    results = evaluate_perplexity(bundle.model, bundle.tokenizer, sets, chosen, products, batch_tokens, BOOTSTRAP)
    save_results(folder, results, log_to_stderr)
    return results


def evaluate_perplexity(
    model: Model, tokenizer: Tokenizer, sets: Mapping[str, Sentences], device: torch.device, precision: torch.dtype = torch.float32,
    batch_tokens: int | None = None, bootstrap: int = 0,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Name -> scores of each set, in the form of `evaluate` in evaluation.py. bootstrap: resamples for the 95% intervals; 0: no intervals.

    Blank lines and those that are too long for the model are left out, and counted. UserError if none is left.
    """
    return {
        name: _evaluate(model, tokenizer, name, sentences, device, precision, batch_tokens or BATCH_TOKENS, bootstrap)
        for name, sentences in sets.items()
    }


def _evaluate(
    model: Model, tokenizer: Tokenizer, name: str, sentences: Sentences, device: torch.device, precision: torch.dtype, batch_tokens: int,
    bootstrap: int,
) -> dict[str, Any]:  # fmt: skip
    began = time.perf_counter()
    pairs = [pair for pair in zip(sentences.sources, sentences.references[0]) if any(map(str.strip, pair))]
    sides = tokenizer.encode_source([source for source, _ in pairs]), tokenizer.encode_target([target for _, target in pairs])
    most = model.config.max_tokens
    kept = [row for row, ids in enumerate(zip(*sides)) if max(map(len, ids)) <= most]
    if not kept:
        raise UserError(f"{name} has nothing to measure perplexity on: its lines are blank, or have more than {most:,} tokens (model.max_tokens)")
    sources, targets = ([side[row] for row in kept] for side in sides)
    found = likelihoods(model, sources, targets, device, precision, batch_tokens)
    columns = [found.nats, found.labels]
    if OF_OBJECTIVE[model.objective] == TARGET:  # every token of a text is predicted, so that this is the likelihood of the text
        texts = [pairs[row][1].strip() for row in kept]
        columns += [numpy.array([len(text.split()) + 1 for text in texts]), numpy.array([len(text) + 1 for text in texts])]
    blank, too_long = len(sentences.references[0]) - len(pairs), len(pairs) - len(kept)
    return {
        "sentences": len(kept),
        "from": sentences.origin,
        "scores": _scores(numpy.stack(columns, axis=1), signature_of(model, tokenizer), bootstrap),
        "nats": round(float(found.nats.sum()), 4),
        **{unit: int(column.sum()) for unit, column in zip(("pieces", "words", "characters"), columns[1:])},
        **({"blank": blank} if blank else {}),
        **({"too_long": too_long} if too_long else {}),
        "device": device.type,
        "precision": str(precision).removeprefix("torch."),
        "seconds": round(time.perf_counter() - began, 2),
        "samples": [],
    }


def signature_of(model: Model, tokenizer: Tokenizer) -> str:
    """What must be equal for two perplexities per piece to be comparable."""
    digests = tokenizer.digests()
    return f"per:piece|of:{model.objective}|end:yes|tok:{digests.get(TARGET_FILE, digests[SOURCE_FILE])[:8]}"


def _scores(columns: numpy.ndarray, signature: str, bootstrap: int) -> dict[str, dict[str, Any]]:
    """columns: (N, 2) or (N, 4) nats and labels of each sentence, words and characters."""
    kinds = [
        ("perplexity", 1, signature),
        ("word perplexity", 2, "per:word|words:white-space|end:yes"),
        ("bits/character", 3, "per:character|end:yes"),
    ]
    scores: dict[str, dict[str, Any]] = {}
    samples = resampled_sums(columns, bootstrap) if bootstrap else None
    for metric, column, text in kinds[: columns.shape[1] - 1]:
        scores[metric] = {"value": round(float(_value(metric, columns.sum(axis=0), column)), 4)}
        if samples is not None:
            low, high = interval(_value(metric, samples.T, column))
            scores[metric] |= {"low": round(low, 4), "high": round(high, 4)}
            text += f"|bs:{bootstrap}|seed:{seed()[1]}"
        scores[metric]["signature"] = text
    return scores


def _value(metric: str, sums: numpy.ndarray, column: int) -> Any:
    nats = sums[0] / sums[column]
    return nats / math.log(2) if metric.startswith("bits") else numpy.exp(numpy.minimum(nats, MOST))
