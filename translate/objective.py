"""Hidden states + labels -> loss and its gradient (Vaswani et al. 2017, section 5.4; Szegedy et al. 2016 for label smoothing).

The output layer and the cross-entropy are one operation, done a few hundred rows at a time: a batch's logits (tokens x vocabulary) are the
largest thing in training, and this way they never exist as a whole, neither forward nor for the gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from translate.tokenizer import PAD

ROWS = 512  # rows of logits at a time


def loss_sum(hidden: Tensor, weight: Tensor, labels: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Label-smoothed cross-entropy, summed over the labels that are not PAD.

    hidden (B, T, D), weight (V, D), labels (B, T). The target distribution is (1 - smoothing) on the label + smoothing / V on every piece.
    Returns (smoothed loss with gradient, plain negative log-likelihood without), in nats.
    """
    real = labels != PAD
    return _OutputLoss.apply(hidden[real], weight, labels[real], smoothing)


class _OutputLoss(torch.autograd.Function):
    @staticmethod
    def forward(context, hidden: Tensor, weight: Tensor, labels: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        """hidden (M, D), labels (M,). The gradient for an incoming gradient of 1 is computed here, while the logits exist."""
        precision = torch.get_autocast_dtype(hidden.device.type) if torch.is_autocast_enabled(hidden.device.type) else weight.dtype
        matrix = weight.to(precision)
        hidden_gradient = torch.empty_like(hidden)
        weight_gradient = torch.zeros_like(weight)
        smoothed = hidden.new_zeros((), dtype=torch.float32)
        plain = hidden.new_zeros((), dtype=torch.float32)
        share = smoothing / len(weight)
        for start in range(0, len(hidden), ROWS):
            part = hidden[start : start + ROWS].to(precision)
            label = labels[start : start + ROWS, None]
            log_probs = (part @ matrix.T).float().log_softmax(dim=1)  # (M', V)
            likelihood = -log_probs.gather(1, label).sum()
            plain += likelihood
            smoothed += (1 - smoothing) * likelihood
            if smoothing:
                smoothed -= share * log_probs.sum()
            # d loss / d logits = softmax - target distribution
            gradient = log_probs.exp_()
            if smoothing:
                gradient -= share
            gradient.scatter_add_(1, label, gradient.new_full(label.shape, smoothing - 1))
            gradient = gradient.to(precision)
            hidden_gradient[start : start + ROWS] = gradient @ matrix
            weight_gradient += gradient.T @ part
        context.save_for_backward(hidden_gradient, weight_gradient)
        context.mark_non_differentiable(plain)
        return smoothed, plain

    @staticmethod
    def backward(context, incoming: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        hidden_gradient, weight_gradient = context.saved_tensors
        return hidden_gradient * incoming, weight_gradient * incoming, None, None
