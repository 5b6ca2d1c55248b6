"""Greedy search, and the loop it shares with sampling: one hypothesis a sentence, sentences leave the batch as soon as they have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from translate.decoding.hypothesis import Hypothesis, S, Step, check_limits, penalty
from translate.decoding.logits import ban, check_numbers, log_normalizer, no_token


def greedy(
    step: Step[S],
    state: S,
    max_lengths: Tensor,
    bos: int,
    eos: int,
    length_penalty: float = 0.0,
    banned: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """The likeliest token at each step.

    Arguments as in `beam_search`; `length_penalty` changes the score only, never the tokens.

    Returns:
        One hypothesis for each of the B sentences, each in a list of its own.
    """
    return follow(step, state, max_lengths, bos, eos, length_penalty, banned, lambda logits, sentences, length: logits.argmax(-1))


def follow(
    step: Step[S],
    state: S,
    max_lengths: Tensor,
    bos: int,
    eos: int,
    length_penalty: float,
    banned: Sequence[int],
    choose: Callable[[Tensor, Tensor, int], Tensor],
) -> list[list[Hypothesis]]:
    """Extend one hypothesis a sentence by `choose(logits (N, V), sentences (N,), length) -> ids (N,)` until each has ended.

    `sentences` are the places in the batch of those still present, `length` counts the tokens before this one.
    """
    check_limits(max_lengths, length_penalty)
    limits, device = max_lengths, max_lengths.device
    longest = int(limits.max()) if len(limits) else 0
    tokens = torch.full((len(limits), longest), eos, device=device)
    log_probabilities = torch.zeros(len(limits), dtype=torch.float64, device=device)
    sentences = torch.arange(len(limits), device=device)
    last = torch.full_like(sentences, bos)
    for length in range(longest):
        logits, state = step(last, state)
        logits = ban(logits, banned)
        last = choose(logits, sentences, length)
        chosen = logits.gather(1, last[:, None])
        chosen = (chosen - log_normalizer(logits, logits.amax(-1, keepdim=True))).squeeze(1)
        check_numbers(chosen)
        if chosen.isneginf().any():
            raise no_token()
        tokens[sentences, length] = last
        log_probabilities[sentences] += chosen
        ended = (last == eos) | (limits[sentences] == length + 1)
        if ended.any():
            keep = (~ended).nonzero().squeeze(1)
            if not len(keep):
                break
            state = state.select(keep, keep)
            sentences, last = sentences[keep], last[keep]
    return [
        [_hypothesis(ids[:limit], log_probability, eos, length_penalty)]
        for ids, limit, log_probability in zip(tokens.tolist(), limits.tolist(), log_probabilities.tolist(), strict=True)
    ]


def _hypothesis(ids: list[int], log_probability: float, eos: int, alpha: float) -> Hypothesis:
    complete = eos in ids
    if complete:
        ids = ids[: ids.index(eos)]
    return Hypothesis(ids, log_probability / penalty(len(ids) + complete, alpha), log_probability, complete)
