"""Arithmetic on next-token logits (N, V), the costly part of a search step: normalising, banning, and the few likeliest tokens of each row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def ban(logits: Tensor, banned: Sequence[int]) -> Tensor:
    """`logits` (N, V) as contiguous float32, the columns in `banned` at -inf; overwritten where they already are that."""
    logits = logits.float().contiguous()
    for token in banned:
        logits[:, token] = float("-inf")
    return logits


def block_repeats(logits: Tensor, tokens: Tensor, n: int) -> Tensor:
    """`logits` (N, V) with -inf for each token that would end an n-gram which the row of `tokens` (N, T) already holds; overwritten."""
    if tokens.shape[1] >= n:
        grams = tokens.unfold(1, n, 1)  # (N, T - n + 1, n)
        again = (grams[:, :, :-1] == tokens[:, None, tokens.shape[1] - n + 1 :]).all(-1)
        rows, places = again.nonzero(as_tuple=True)
        logits[rows, grams[rows, places, -1]] = float("-inf")
    return logits


def log_normalizer(logits: Tensor, largest: Tensor) -> Tensor:
    """The logarithm of sum(exp(logits)) over V: what turns logits into log-probabilities. Finite where all of a row are -inf.

    `logits` (N, V) are overwritten, which spares two temporaries of that size; `largest` (N, 1) is each row's maximum.
    """
    lowest = torch.finfo(logits.dtype).min
    largest = largest.clamp(min=lowest)
    return (logits.sub_(largest).exp_().sum(-1, keepdim=True).log_() + largest).clamp_(min=lowest)


def best_tokens(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Log-probabilities and ids of the `count` likeliest tokens of each row (fewer if V is less): (N, V) -> two of (N, C), best first.

    Overwrites `logits`.
    """
    values, ids = largest(logits, min(count, logits.shape[1]))
    return values - log_normalizer(logits, values[:, :1]), ids


def largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """`values.topk(count)` of (N, V), found in the `count` chunks with the greatest maxima: on a CPU two to four times as fast."""
    N, V = values.shape
    size = math.gcd(V, 64)
    chunks = V // size
    if size < 8 or chunks <= count:
        return values.topk(count)
    best = values.view(N, chunks, size).amax(-1).topk(count, sorted=False).indices  # (N, count)
    rows = torch.arange(N, device=values.device)[:, None] * chunks + best
    candidates = values.view(N * chunks, size).index_select(0, rows.flatten()).view(N, count * size)
    found, places = candidates.topk(count)
    return found, best.gather(1, places // size) * size + places % size


def check_numbers(log_probabilities: Tensor) -> None:
    """ValueError where a log-probability is not a number: the logits held NaN or +inf."""
    if log_probabilities.isnan().any():
        raise ValueError("the model's scores are not numbers (NaN or infinite): its weights are damaged or its training diverged")


def no_token() -> ValueError:
    return ValueError("the model gives every next token probability 0: it allows no hypothesis at all")
