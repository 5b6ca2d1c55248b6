"""Output layer and cross-entropy as one operation, a few hundred rows at a time.

The logits of a batch (tokens x vocabulary) are the largest tensor in training. Here they never exist as a whole: the gradient is computed
chunk by chunk in the forward pass. Plain twin: `plain_loss` in training/loss.py.
A bf16 training step is 1.19x as fast (1 core, Zen 5), and takes less memory, by two copies of the logits.
`torch.nn.functional.linear_cross_entropy` takes 1.1 times as long, works in chunks only without label smoothing, and returns no likelihood.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

ROWS = 512  # rows of logits at a time
MULTIPLE = 64  # the number of rows is padded to a multiple: oneDNN compiles a kernel for each number


def chunked_loss(features: Tensor, weight: Tensor, labels: Tensor, real: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """features (M, D), weight (V, D), labels (M,), real (M,) False for padding -> loss and negative log-likelihood, summed."""
    return _Loss.apply(features, weight, labels, real, smoothing)  # type: ignore[no-untyped-call]


def chunked_twin_loss(
    first: Tensor, second: Tensor, weight: Tensor, labels: Tensor, real: Tensor, smoothing: float, r_drop: float
) -> tuple[Tensor, Tensor]:
    """The same with R-Drop: first and second (M, D) are features under two dropout masks."""
    return _TwinLoss.apply(first, second, weight, labels, real, smoothing, r_drop)  # type: ignore[no-untyped-call]


def _product_precision(weight: Tensor) -> torch.dtype:
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, features: Tensor, weight: Tensor, labels: Tensor, real: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        """d loss / d logits = softmax - target distribution. Only the softmax needs (M, V) products: the target distribution adds one row of the
        weights for the label, and their sum for the smoothing. The likelihood uses the label's probability in the precision of the products:
        in bf16, within 0.004 nats per token. It is capped at 87 nats, the smallest fp32 probability.
        """
        precision, share, M = _product_precision(weight), smoothing / len(weight), len(features)
        padding = -M % MULTIPLE
        features, labels, counts = pad(features, (0, 0, 0, padding)), pad(labels, (0, padding)), pad(real, (0, padding))[:, None]
        inputs, matrix = (features * counts).to(precision), weight.to(precision)
        weight_gradient, features_gradient = torch.zeros_like(weight), weight.new_empty(inputs.shape)
        chosen = weight.new_empty((len(inputs), 1))  # probability of the label
        logits, probabilities = inputs.new_empty((2, min(ROWS, len(inputs)), len(weight)))
        for start in range(0, len(inputs), ROWS):
            rows = slice(start, start + ROWS)
            chunk = inputs[rows]
            softmax = torch.softmax(torch.mm(chunk, matrix.T, out=logits[: len(chunk)]), dim=1, out=probabilities[: len(chunk)])
            chosen[rows] = softmax.gather(1, labels[rows, None]).to(weight.dtype)
            features_gradient[rows] = softmax @ matrix
            weight_gradient += softmax.T @ chunk

        inputs, label_rows = inputs.to(weight.dtype), matrix[labels].to(weight.dtype)
        likelihood = -(chosen.clamp(min=torch.finfo(torch.float32).tiny).log() * counts).sum()
        features_gradient -= (1 - smoothing) * label_rows
        weight_gradient.index_add_(0, labels, inputs, alpha=smoothing - 1)
        loss = (1 - smoothing) * likelihood
        if smoothing:
            normalizers = likelihood + (inputs * label_rows).sum()  # sum of the logs of the sums of exp(logits)
            sum_of_rows, sum_of_inputs = matrix.sum(dim=0, dtype=weight.dtype), inputs.sum(dim=0)
            loss += smoothing * normalizers - share * (sum_of_inputs @ sum_of_rows)
            features_gradient -= share * sum_of_rows
            weight_gradient -= share * sum_of_inputs
        context.save_for_backward((features_gradient * counts)[:M], weight_gradient)
        context.mark_non_differentiable(likelihood)
        return loss, likelihood

    @staticmethod
    def backward(context: Any, incoming: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        features_gradient, weight_gradient = context.saved_tensors
        return features_gradient * incoming, weight_gradient * incoming, None, None, None


class _TwinLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, first: Tensor, second: Tensor, weight: Tensor, labels: Tensor, real: Tensor, smoothing: float, r_drop: float
    ) -> tuple[Tensor, Tensor]:
        """With p and q the two distributions and d = log p - log q, the divergences are D = sum p d and E = -sum q d, and the gradient of D + E
        is p (d - D) + p - q for p's logits, q (-d - E) + q - p for q's.
        """
        precision, pull, share = _product_precision(weight), r_drop / 2, smoothing / len(weight)
        matrix = weight.to(precision)
        gradients = [torch.empty_like(features, dtype=weight.dtype) for features in (first, second)]
        weight_gradient, loss, likelihood = torch.zeros_like(weight), weight.new_zeros(()), weight.new_zeros(())
        for start in range(0, len(labels), ROWS // 2):
            rows = slice(start, start + ROWS // 2)
            label, counts = labels[rows, None], real[rows, None]
            parts = [features[rows].to(precision) for features in (first, second)]
            logs = [(part @ matrix.T).to(weight.dtype).log_softmax(dim=1) for part in parts]  # (M', V)
            p, q = (log.exp() for log in logs)
            d, difference = logs[0] - logs[1], (p - q).mul_(pull)
            for part, log, own, gradient, sign in zip(parts, logs, (p, q), gradients, (1, -1)):
                divergence = sign * torch.linalg.vecdot(own, d)[:, None]  # (M', 1)
                nll = -log.gather(1, label)
                likelihood += (nll * counts).sum()
                loss += (((1 - smoothing) * nll - share * log.sum(1, keepdim=True) + pull * divergence) * counts).sum()
                of_logits = own.mul_((d * (sign * pull)).add_(1 - pull * divergence)).add_(difference, alpha=sign).sub_(share)
                of_logits.scatter_add_(1, label, of_logits.new_full(label.shape, smoothing - 1))
                of_logits = of_logits.to(precision)
                gradient[rows] = (of_logits @ matrix) * counts
                weight_gradient += of_logits.T @ (part * counts)
        context.save_for_backward(*gradients, weight_gradient)
        loss, likelihood = loss / 2, likelihood / 2
        context.mark_non_differentiable(likelihood)
        return loss, likelihood

    @staticmethod
    def backward(context: Any, incoming: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return *(gradient * (incoming / 2) for gradient in context.saved_tensors), None, None, None, None
