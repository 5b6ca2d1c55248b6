"""Sampling with temperature, top-k (Fan et al. 2018) and top-p (Holtzman et al. 2020).

A sentence's translation depends only on its own seed, not on the rest of the batch: its random numbers are drawn in advance, one per step, and each
selects a token by the inverse of the cumulative distribution.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from translate.decoding.greedy import generate
from translate.decoding.hypothesis import Hypothesis, S, Step
from translate.decoding.logits import fast_topk


def sample(
    step: Step[S],
    state: S,
    max_lengths: Tensor,
    bos: int,
    eos: int,
    temperature: float,
    top_k: int,
    top_p: float,
    seeds: Sequence[int],
    length_penalty: float = 0.0,
    banned: Sequence[int] = (),
    required: Sequence[Sequence[int]] | None = None,
    symbols: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """Draw one hypothesis at random for each sentence.

    Args:
        step, state, max_lengths, bos, eos, length_penalty, banned, required, symbols: as in `greedy`.
        temperature: logits are divided by it. Below 1 the distribution gets sharper, above 1 flatter.
        top_k: draw from the k likeliest tokens; 0 = all.
        top_p: then from the fewest likeliest tokens that together have at least this share of the remaining probability; 1 = all.
        seeds: one for each of the B sentences, see `sentence_seed`.

    Returns:
        For each of the B sentences, a list with one hypothesis. `log_probability` is the model's, before temperature, top-k and top-p.
    """
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature is {temperature}: it must be more than 0")
    if top_k < 0:
        raise ValueError(f"top_k is {top_k}: it must be at least 0, where 0 draws among all tokens")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}: it must be more than 0 and at most 1")
    if len(seeds) != len(max_lengths):
        raise ValueError(f"{len(seeds)} seeds for {len(max_lengths)} sentences: give one for each")
    draws = _draws(seeds, max_lengths)

    def choose(log_probs: Tensor, sentences: Tensor, length: int) -> tuple[Tensor, Tensor]:
        ids = pick(log_probs / temperature, draws[sentences, length], top_k, top_p)
        return log_probs.gather(1, ids[:, None]).squeeze(1), ids

    return generate(step, state, max_lengths, bos, eos, length_penalty, banned, choose, 0, required, symbols)


def sentence_seed(seed: int, index: int) -> int:
    """The seed of sentence `index` of a file, from the user's `seed`. Different pairs give different seeds (for an index below 2**40)."""
    return (seed << 40) + index


def pick(logits: Tensor, draws: Tensor, top_k: int, top_p: float) -> Tensor:
    """The tokens (N,) selected by `draws` (N,), uniform in [0, 1), from `logits` (N, V) cut to `top_k` and `top_p`. Overwrites `logits`."""
    ids = None
    if 0 < top_k < logits.shape[1]:
        logits, ids = fast_topk(logits, top_k)  # (N, k)
    weights = logits.sub_(logits.amax(-1, keepdim=True)).exp_()  # proportional to the probabilities
    if top_p < 1:
        share = (top_p * weights.sum(-1, keepdim=True)).clamp_(min=torch.finfo(weights.dtype).tiny)  # (N, 1); 0 would keep no token
        # sorting all of V is slow and rarely needed; whether a row is sorted depends on that row only
        best, order = fast_topk(weights, min(64, weights.shape[1]))
        places = order.gather(1, invert(keep_share(best, share), draws))
        rows = (best.sum(-1) < share.squeeze(1)).nonzero().squeeze(1)
        if len(rows):
            best, order = weights[rows].sort(dim=-1, descending=True, stable=True)
            places[rows] = order.gather(1, invert(keep_share(best, share[rows]), draws[rows]))
    else:
        places = invert(weights, draws)
    return (places if ids is None else ids.gather(1, places)).squeeze(1)


def keep_share(weights: Tensor, share: Tensor) -> Tensor:
    """`weights` (N, C), sorted in descending order, with 0 after the one whose cumulative sum reaches `share` (N, 1)."""
    return weights.masked_fill(weights.cumsum(-1) - weights >= share, 0)


def invert(weights: Tensor, draws: Tensor) -> Tensor:
    """The columns (N, 1) of `weights` (N, C) that `draws` (N,) select, in proportion to the weights, never one of 0. Overwrites `weights`."""
    cumulative = weights.cumsum_(-1)
    total = cumulative[:, -1:]
    # rounding must not raise a draw to the total itself, which is beyond the last column
    target = torch.minimum(draws[:, None].to(total.dtype) * total, total.nextafter(torch.zeros_like(total)))
    places = torch.searchsorted(cumulative, target, right=True)  # the first column whose cumulative weight exceeds it
    return places.clamp_(max=weights.shape[1] - 1)  # only matters for NaN, which `generate` reports


def _draws(seeds: Sequence[int], max_lengths: Tensor) -> Tensor:
    """Uniform random numbers (B, T), a sequence per sentence. Python's generator takes seeds of any size; torch's uses only the low 32 bits."""
    longest = int(max_lengths.max()) if len(max_lengths) else 0
    rows = []
    for seed, limit in zip(seeds, max_lengths.tolist(), strict=True):
        generator = random.Random(seed)
        rows.append([generator.random() for _ in range(limit)] + [0.0] * (longest - limit))
    return torch.tensor(rows, dtype=torch.float64, device=max_lengths.device).view(len(rows), longest)
