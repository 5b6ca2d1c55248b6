"""How likely a model finds sentences that it is given, without a search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from translate.data.objectives import OBJECTIVES, target_part
from translate.device import autocast, is_out_of_memory, release_memory
from translate.model import Model
from translate.tokenizer import PAD
from translate.translation.batching import length_batches

ROWS = 512  # of logits at a time
BATCH_TOKENS = 4096  # padding included
Ids = list[list[int]]


@dataclass(frozen=True)
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
