"""Features + labels -> loss (Vaswani et al. 2017, section 5.4; Szegedy et al. 2016 for label smoothing; Liang et al. 2021 for R-Drop)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, linear

from translate.kernels import use_kernels
from translate.kernels.loss import chunked_loss, chunked_twin_loss
from translate.tokenizer import PAD


def loss_sum(features: Tensor, weight: Tensor, labels: Tensor, smoothing: float, r_drop: float = 0.0) -> tuple[Tensor, Tensor]:
    """Label-smoothed cross-entropy, summed over the labels that are not PAD.

    The target distribution is (1 - smoothing) on the label + smoothing / V on every piece. With R-Drop, `features` has the batch twice, with two
    draws of dropout: the loss is the mean of both cross-entropies plus r_drop / 2 times the mean of the two Kullback-Leibler divergences between
    their distributions, which is half of Liang et al.'s equation 4.

    Args:
        features: (B, T, D), or (2B, T, D) with R-Drop.
        weight: (V, D), the embedding matrix.
        labels: (B, T).
        smoothing: share of the target distribution that is spread over all pieces.
        r_drop: weight of the divergences; 0 = no R-Drop.

    Returns:
        The smoothed loss, with gradient, and the plain negative log-likelihood, without, in nats.
    """
    if not use_kernels():
        return plain_loss(features, weight, labels, smoothing, r_drop)
    halves, labels = list(features.flatten(0, 1).chunk(2 if r_drop else 1)), labels.flatten()  # (B * T, D) each
    real = labels != PAD
    if not real.is_cuda:  # on a GPU, indexing by a mask would wait for the device
        halves, labels, real = [half[real] for half in halves], labels[real], real[real]
    if r_drop:
        return chunked_twin_loss(halves[0], halves[1], weight, labels, real, smoothing, r_drop)
    return chunked_loss(halves[0], weight, labels, real, smoothing)


def plain_loss(features: Tensor, weight: Tensor, labels: Tensor, smoothing: float, r_drop: float) -> tuple[Tensor, Tensor]:
    """`loss_sum` with torch's functions only, and all logits (B, T, V) in memory."""
    copies, real = 2 if r_drop else 1, labels != PAD
    logits = [half[real] for half in linear(features, weight).to(weight.dtype).chunk(copies)]  # (M, V)
    labels = labels[real]
    loss = sum(cross_entropy(half, labels, reduction="sum", label_smoothing=smoothing) for half in logits) / copies
    likelihood = sum(cross_entropy(half.detach(), labels, reduction="sum") for half in logits) / copies
    if r_drop:
        p, q = (half.log_softmax(dim=1) for half in logits)
        divergences = kl_div(q, p, reduction="sum", log_target=True) + kl_div(p, q, reduction="sum", log_target=True)
        loss = loss + r_drop / 4 * divergences
    return torch.as_tensor(loss), torch.as_tensor(likelihood)
