"""Arithmetic on next-token logits (N, V), the costly part of a search step: banning, normalising, and the few likeliest tokens."""

from __future__ import annotations

import math
from typing import Optional

import torch
from torch import Tensor

from translate.errors import UserError


def ban(logits: Tensor, banned: Tensor) -> Tensor:
    """`logits` (N, V) as contiguous float32 with -inf in the columns `banned`. Logits that are contiguous float32 already are overwritten."""
    return logits.float().contiguous().index_fill_(1, banned, float("-inf"))


def block_repeats(logits: Tensor, tokens: Tensor, n: int) -> Tensor:
    """`logits` (N, V) with -inf for each token that would repeat an n-gram in its row of `tokens` (N, T). `logits` is overwritten."""
    if tokens.shape[1] >= n:
        grams = tokens.unfold(1, n, 1)  # (N, T - n + 1, n)
        again = (grams[:, :, :-1] == tokens[:, None, tokens.shape[1] - n + 1 :]).all(-1)
        rows, places = again.nonzero(as_tuple=True)
        logits[rows, grams[rows, places, -1]] = float("-inf")
    return logits


def log_probabilities(scores: Tensor, banned: Tensor, history: Optional[Tensor] = None, no_repeat: int = 0) -> Tensor:
    """Log softmax of the model's `scores` (N, V) over the tokens that are allowed. `scores` may be overwritten.

    Args:
        banned: ids that are never allowed.
        history: (N, T) tokens so far, needed for `no_repeat`.
        no_repeat: no n-gram of this length may occur twice in a row; 0 = no such rule.

    Returns:
        (N, V). A row is NaN if it allows no token, or if its scores are NaN or +inf; `check_scores` tells which.
    """
    logits = ban(scores, banned)
    if no_repeat and history is not None:
        logits = block_repeats(logits, history, no_repeat)
    return normalise(logits, in_place=logits is not scores)  # the scores themselves are still needed, by check_scores


def normalise(logits: Tensor, in_place: bool) -> Tensor:
    """Log softmax of (N, V). `in_place` overwrites `logits`, which takes 20% less time."""
    return torch.log_softmax(logits, -1, out=logits) if in_place else logits.log_softmax(-1)


def replace_undefined(log_probs: Tensor, scores: Tensor) -> Tensor:
    """Replace NaN by -inf, in place, in rows that allow no token. UserError if the `scores` of such a row are NaN or +inf."""
    undefined = log_probs[:, 0].isnan()  # then the whole row is
    if undefined.any():
        check_scores(scores[undefined])
        log_probs[undefined] = float("-inf")
    return log_probs


def check_scores(scores: Tensor) -> None:
    """UserError if any of the model's scores is NaN or +inf."""
    if scores.isnan().any() or scores.isposinf().any():
        raise UserError("the model's scores are not numbers (NaN or infinite): its weights are damaged or its training diverged")


def best_continuations(log_probs: Tensor, open_totals: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `count` likeliest continuations of each sentence, from all of its R hypotheses (fewer if there are fewer).

    log_probs (B * R, V) are those of the next tokens, open_totals (B, R) those of the hypotheses so far. Returns totals, rows (0 to R - 1) and
    tokens, (B, C) each, best first. In plain PyTorch:

        totals = log_probs.view(B, R, V) + open_totals[:, :, None]
        totals, places = totals.flatten(1).topk(count)
        return totals, places // V, places % V

    On a CPU, top-k of (B, R * V) is slow. The best tokens must be in the `count` chunks of the vocabulary that have the greatest maxima, so only
    those chunks are searched (320 rows of 8,000 tokens: 0.7 ms instead of 2.0, Zen 5).
    """
    B, R = open_totals.shape
    V = log_probs.shape[1]
    size = chunk_size(V, R, count)
    chunks = V // size
    maxima = log_probs.view(B, R, chunks, size).amax(-1)
    chosen = (maxima + open_totals[:, :, None]).view(B, R * chunks).topk(min(count, R * chunks), sorted=False).indices  # (B, C')
    flat = chosen + torch.arange(B, device=chosen.device)[:, None] * (R * chunks)
    candidates = log_probs.view(B * R * chunks, size).index_select(0, flat.flatten()).view(*chosen.shape, size)
    candidates = (candidates + open_totals.gather(1, chosen // chunks)[:, :, None]).flatten(1)  # (B, C' * size)
    totals, places = candidates.topk(min(count, R * V))
    chosen = chosen.gather(1, places // size)
    return totals, chosen // chunks, chosen % chunks * size + places % size


def chunk_size(V: int, R: int, count: int) -> int:
    """Number of tokens per chunk, at most 64, such that all chunks are equal; 1 if these would be small, or too few to choose from."""
    size = math.gcd(V, 64)
    return size if size >= 8 and R * (V // size) >= count else 1


def fast_topk(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """`values.topk(min(count, V))` of (N, V), two to four times as fast on a CPU."""
    greatest, _, places = best_continuations(values, values.new_zeros(len(values), 1), count)
    return greatest, places


def fast_max(values: Tensor) -> tuple[Tensor, Tensor]:
    """`values.max(1)` of (N, V), many times as fast on a CPU: maxima and their columns, (N,) each; of equal values, the first."""
    N, V = values.shape
    size = chunk_size(V, 1, 1)
    greatest, chunk = values.view(N, V // size, size).amax(-1).max(1)
    candidates = values.view(-1, size).index_select(0, chunk + torch.arange(0, N * V // size, V // size, device=chunk.device))
    return greatest, chunk * size + candidates.argmax(1)


def no_token() -> UserError:
    return UserError("the model gives every next token probability 0: no hypothesis is possible")
