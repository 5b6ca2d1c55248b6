"""Hidden states + labels -> loss and its gradient (Vaswani et al. 2017, section 5.4; Szegedy et al. 2016 for label smoothing; Liang et al.
2021 for R-Drop).

The output layer and the cross-entropy are one operation, done a few hundred rows at a time: a batch's logits (tokens x vocabulary) are the
largest thing in training, and this way they never exist as a whole, neither forward nor for the gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.tokenizer import PAD

ROWS = 512  # rows of logits at a time
GRAIN = 64  # the last of them are filled up to a multiple, so that there are few sizes (see `fill` in model/transformer.py)


def loss_sum(hidden: Tensor, weight: Tensor, labels: Tensor, smoothing: float, r_drop: float = 0.0) -> tuple[Tensor, Tensor]:
    """Label-smoothed cross-entropy, summed over the labels that are not PAD.

    hidden (B, T, D), weight (V, D), labels (B, T). The target distribution is (1 - smoothing) on the label + smoothing / V on every piece.
    With R-Drop, hidden (2B, T, D) holds the batch twice, under two draws of dropout: the loss is the mean of both cross-entropies plus
    r_drop / 2 times the mean of the two Kullback-Leibler divergences between their distributions, which is half of Liang et al.'s equation 4.
    Returns (smoothed loss with gradient, plain negative log-likelihood without), in nats.
    """
    real = labels != PAD
    if r_drop:
        first, second = hidden.chunk(2)
        return _TwinLoss.apply(first[real], second[real], weight, labels[real], smoothing, r_drop)
    return _OutputLoss.apply(hidden[real], weight, labels[real], smoothing)


def _product_precision(weight: Tensor) -> torch.dtype:
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype


class _OutputLoss(torch.autograd.Function):
    @staticmethod
    def forward(context, hidden: Tensor, weight: Tensor, labels: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        """hidden (M, D), labels (M,). The gradient for an incoming gradient of 1 is computed here, while the logits exist.

        d loss / d logits = softmax - target distribution. Only the softmax needs (M, V) products: what the target distribution adds is one row
        of the weights for the label, and their sum for the smoothing. The log-likelihood is that of the label's probability in the products' own
        precision: in bf16 within 0.004 of a token's, either way. It ends at 87 nats, where fp32 has no smaller probability.
        """
        precision, M = _product_precision(weight), len(hidden)
        matrix, filler = weight.to(precision), -M % GRAIN
        inputs = nn.functional.pad(hidden.to(precision), (0, 0, 0, filler))
        weight_gradient = torch.zeros_like(weight)
        hidden_gradient = weight.new_empty(inputs.shape)
        chosen = weight.new_empty((len(inputs), 1))  # probability of the label
        columns = nn.functional.pad(labels, (0, filler))[:, None]
        logits, probabilities = inputs.new_empty((2, min(ROWS, len(inputs)), len(weight)))
        for start in range(0, len(inputs), ROWS):
            rows = slice(start, start + ROWS)
            part = inputs[rows]
            softmax = torch.softmax(torch.mm(part, matrix.T, out=logits[: len(part)]), dim=1, out=probabilities[: len(part)])  # (M', V)
            chosen[rows] = softmax.gather(1, columns[rows]).to(weight.dtype)
            hidden_gradient[rows] = softmax @ matrix
            weight_gradient += softmax.T @ part

        chosen, hidden_gradient = chosen[:M], hidden_gradient[:M]
        hidden, label_rows, share = inputs[:M].to(weight.dtype), matrix[labels].to(weight.dtype), smoothing / len(weight)
        likelihood = -chosen.clamp(min=torch.finfo(torch.float32).tiny).log().sum()
        hidden_gradient -= (1 - smoothing) * label_rows
        weight_gradient.index_add_(0, labels, hidden, alpha=smoothing - 1)
        smoothed = (1 - smoothing) * likelihood
        if smoothing:
            normalizers = likelihood + (hidden * label_rows).sum()  # sum of the logs of the sums of exp(logits)
            sum_of_rows, sum_of_hidden = matrix.sum(dim=0, dtype=weight.dtype), hidden.sum(dim=0)
            smoothed += smoothing * normalizers - share * (sum_of_hidden @ sum_of_rows)
            hidden_gradient -= share * sum_of_rows
            weight_gradient -= share * sum_of_hidden
        context.save_for_backward(hidden_gradient, weight_gradient)
        context.mark_non_differentiable(likelihood)
        return smoothed, likelihood

    @staticmethod
    def backward(context, incoming: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        hidden_gradient, weight_gradient = context.saved_tensors
        return hidden_gradient * incoming, weight_gradient * incoming, None, None


class _TwinLoss(torch.autograd.Function):
    @staticmethod
    def forward(context, first: Tensor, second: Tensor, weight: Tensor, labels: Tensor, smoothing: float, r_drop: float) -> tuple[Tensor, Tensor]:
        """first, second (M, D), labels (M,). As above, in chunks of M' rows.

        With p and q the two distributions and d = log p - log q, the divergences are D = sum p d and E = -sum q d, and the gradient of D + E
        is p (d - D) + p - q for p's logits, q (-d - E) + q - p for q's.
        """
        precision, pull, share = _product_precision(weight), r_drop / 2, smoothing / len(weight)
        matrix = weight.to(precision)
        hidden_gradients = [torch.empty_like(hidden, dtype=weight.dtype) for hidden in (first, second)]
        weight_gradient, loss, likelihood = torch.zeros_like(weight), weight.new_zeros(()), weight.new_zeros(())
        for start in range(0, len(labels), ROWS // 2):
            rows = slice(start, start + ROWS // 2)
            label = labels[rows, None]
            parts = [hidden[rows].to(precision) for hidden in (first, second)]
            logs = [(part @ matrix.T).to(weight.dtype).log_softmax(dim=1) for part in parts]  # (M', V)
            p, q = (log.exp() for log in logs)
            d, apart = logs[0] - logs[1], (p - q).mul_(pull)
            for part, log, own, gradient, sign in zip(parts, logs, (p, q), hidden_gradients, (1, -1)):
                divergence = sign * torch.linalg.vecdot(own, d)[:, None]  # (M', 1)
                nll = -log.gather(1, label).sum()
                likelihood += nll
                loss += (1 - smoothing) * nll - share * log.sum() + pull * divergence.sum()
                of_logits = own.mul_((d * (sign * pull)).add_(1 - pull * divergence)).add_(apart, alpha=sign).sub_(share)
                of_logits.scatter_add_(1, label, of_logits.new_full(label.shape, smoothing - 1))
                of_logits = of_logits.to(precision)
                gradient[rows] = of_logits @ matrix
                weight_gradient += of_logits.T @ part
        context.save_for_backward(*hidden_gradients, weight_gradient)
        loss, likelihood = loss / 2, likelihood / 2
        context.mark_non_differentiable(likelihood)
        return loss, likelihood

    @staticmethod
    def backward(context, incoming: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return *(gradient * (incoming / 2) for gradient in context.saved_tensors), None, None, None
