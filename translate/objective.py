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
        """hidden (M, D), labels (M,). The gradient for an incoming gradient of 1 is computed here, while the logits exist.

        d loss / d logits = softmax - target distribution. Only the softmax needs (M, V) products: what the target distribution adds is one row
        of the weights for the label, and their sum for the smoothing. Nor is the softmax normalised: its exponentials keep the products' own
        precision, and the (M, 1) normalisers are applied to what comes out.
        """
        precision = torch.get_autocast_dtype(hidden.device.type) if torch.is_autocast_enabled(hidden.device.type) else weight.dtype
        matrix, inputs = weight.to(precision), hidden.to(precision)
        weight_gradient = torch.zeros_like(weight)
        hidden_gradient = torch.empty_like(hidden, dtype=weight.dtype)
        normalizer = weight.new_empty((len(hidden), 1))  # log of the sum of exp(logits)
        logits = inputs.new_empty((min(ROWS, len(hidden)), len(weight)))
        for start in range(0, len(hidden), ROWS):
            part = inputs[start : start + ROWS]
            exponentials = torch.mm(part, matrix.T, out=logits[: len(part)])  # (M', V)
            largest = exponentials.amax(dim=1, keepdim=True)
            exponentials.sub_(largest).exp_()
            total = exponentials.to(weight.dtype).sum(dim=1, keepdim=True)  # `sum(dtype=...)` is far slower: its cast is not vectorised
            normalizer[start : start + ROWS] = total.log() + largest
            hidden_gradient[start : start + ROWS] = (exponentials @ matrix) / total
            weight_gradient += exponentials.T @ (part / total).to(precision)

        hidden, label_rows, share = inputs.to(weight.dtype), matrix[labels].to(weight.dtype), smoothing / len(weight)
        likelihood = normalizer.sum() - (hidden * label_rows).sum()
        hidden_gradient -= (1 - smoothing) * label_rows
        weight_gradient.index_add_(0, labels, hidden, alpha=smoothing - 1)
        smoothed = (1 - smoothing) * likelihood
        if smoothing:
            sum_of_rows, sum_of_hidden = matrix.sum(dim=0, dtype=weight.dtype), hidden.sum(dim=0)
            smoothed += smoothing * normalizer.sum() - share * (sum_of_hidden @ sum_of_rows)
            hidden_gradient -= share * sum_of_rows
            weight_gradient -= share * sum_of_hidden
        context.save_for_backward(hidden_gradient, weight_gradient)
        context.mark_non_differentiable(likelihood)
        return smoothed, likelihood

    @staticmethod
    def backward(context, incoming: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        hidden_gradient, weight_gradient = context.saved_tensors
        return hidden_gradient * incoming, weight_gradient * incoming, None, None
