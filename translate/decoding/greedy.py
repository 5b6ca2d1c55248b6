"""Greedy search, and the loop it shares with sampling: one hypothesis a sentence, sentences leave the batch as soon as they have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from translate.decoding.hypothesis import Hypothesis, S, Step, check_limits, penalty, without
from translate.decoding.logits import ban, block_repeats, largest, log_probabilities, no_token


def greedy(
    step: Step[S],
    state: S,
    max_lengths: Tensor,
    bos: int,
    eos: int,
    length_penalty: float = 0.0,
    banned: Sequence[int] = (),
    no_repeat: int = 0,
) -> list[list[Hypothesis]]:
    """The likeliest token at each step.

    Arguments as in `beam_search`; `length_penalty` changes the score only, never the tokens.

    Returns:
        One hypothesis for each of the B sentences, each in a list of its own.
    """

    def choose(scores: Tensor, sentences: Tensor, length: int) -> Tensor:
        return largest(scores, 1)[1].squeeze(1)

    return follow(step, state, max_lengths, bos, eos, length_penalty, banned, choose, no_repeat)


def follow(
    step: Step[S],
    state: S,
    max_lengths: Tensor,
    bos: int,
    eos: int,
    length_penalty: float,
    banned: Sequence[int],
    choose: Callable[[Tensor, Tensor, int], Tensor],
    no_repeat: int = 0,
) -> list[list[Hypothesis]]:
    """Extend one hypothesis a sentence by `choose(log_probabilities (N, V), sentences (N,), length) -> ids (N,)` until each has ended.

    `sentences` are the places in the batch of those still present, `length` counts the tokens before this one.
    """
    check_limits(max_lengths, length_penalty)
    limits, device = max_lengths, max_lengths.device
    longest = int(limits.max()) if len(limits) else 0
    tokens = torch.full((len(limits), longest), eos, device=device)
    totals = torch.zeros(len(limits), dtype=torch.float64, device=device)
    sentences = torch.arange(len(limits), device=device)
    last = torch.full_like(sentences, bos)
    for length in range(longest):
        raw, state = step(last, state)
        logits = ban(raw, banned)
        if no_repeat:
            logits = block_repeats(logits, tokens[sentences, :length], no_repeat)
        scores = log_probabilities(logits, raw)
        last = choose(scores, sentences, length)
        chosen = scores.gather(1, last[:, None]).squeeze(1)
        if chosen.isneginf().any():
            raise no_token()
        tokens[sentences, length] = last
        totals[sentences] += chosen
        ended = (last == eos) | (limits[sentences] == length + 1)
        if ended.any():
            keep = without(ended)
            if not len(keep):
                break
            state = state.select(keep, keep)
            sentences, last = sentences[keep], last[keep]
    return [
        [_hypothesis(ids[:limit], total, eos, length_penalty)]
        for ids, limit, total in zip(tokens.tolist(), limits.tolist(), totals.tolist(), strict=True)
    ]


def _hypothesis(ids: list[int], log_probability: float, eos: int, alpha: float) -> Hypothesis:
    complete = eos in ids
    if complete:
        ids = ids[: ids.index(eos)]
    return Hypothesis(ids, log_probability / penalty(len(ids) + complete, alpha), log_probability, complete)
