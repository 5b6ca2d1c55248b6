"""Greedy search, and the loop that it shares with sampling: one hypothesis per sentence, which leaves the batch when it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from translate.decoding.hypothesis import Hypothesis, S, Step, check_limits, penalty, sentences_to_keep
from translate.decoding.logits import check_scores, fast_max, log_probabilities, no_token
from translate.decoding.required import Required


def greedy(
    step: Step[S],
    state: S,
    max_lengths: Tensor,
    bos: int,
    eos: int,
    length_penalty: float = 0.0,
    banned: Sequence[int] = (),
    no_repeat: int = 0,
    required: Sequence[Sequence[int]] | None = None,
    symbols: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """Choose the likeliest token at each step.

    The arguments are those of `beam_search`; `length_penalty` affects the score, not the tokens.

    Returns:
        For each of the B sentences, a list with one hypothesis.
    """

    def choose(log_probs: Tensor, sentences: Tensor, length: int) -> tuple[Tensor, Tensor]:
        return fast_max(log_probs)

    return generate(step, state, max_lengths, bos, eos, length_penalty, banned, choose, no_repeat, required, symbols)


def generate(
    step: Step[S],
    state: S,
    max_lengths: Tensor,
    bos: int,
    eos: int,
    length_penalty: float,
    banned: Sequence[int],
    choose: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]],
    no_repeat: int = 0,
    required: Sequence[Sequence[int]] | None = None,
    symbols: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """Extend one hypothesis per sentence, until all have ended, by

        choose(log_probabilities (N, V), sentences (N,), length) -> (log-probabilities (N,), ids (N,)) of the chosen tokens.

    `sentences` are the indices in the batch of those still open, `length` is the number of tokens before this one.
    """
    check_limits(max_lengths, length_penalty)
    if not len(max_lengths):
        return []
    device, limits = max_lengths.device, max_lengths
    banned_ids = torch.tensor(banned, dtype=torch.int64, device=device)
    sentences = torch.arange(len(limits), device=device)
    last = torch.full_like(sentences, bos)
    force = Required(required, eos, device, symbols) if required and any(required) else None
    steps: list[tuple[Tensor, Tensor, Tensor]] = []  # of each: the open sentences, their tokens, the log-probabilities of these
    for length in range(int(limits.max())):
        scores, state = step(last, state)
        history = None
        if (no_repeat or force) and steps:  # assembled again at each step, since few lines need it: those with a loop or with symbols
            history = assemble(steps, len(max_lengths), eos)[0].to(device)[sentences]
        if force:
            scores = force.force(scores, last[:, None][:, :0] if history is None else history, sentences, limits - length)
        chosen, last = choose(log_probabilities(scores, banned_ids, history, no_repeat), sentences, length)
        if not chosen.min().item() > float("-inf"):  # not "<=", so that NaN fails too
            check_scores(scores)
            raise no_token()
        steps.append((sentences, last, chosen))
        ended = (last == eos) | (limits == length + 1)
        if ended.any():
            keep = sentences_to_keep(ended)
            if not len(keep):
                break
            state = state.reorder(keep, keep)
            sentences, last, limits = sentences[keep], last[keep], limits[keep]
    tokens, totals = assemble(steps, len(max_lengths), eos)
    return [
        [_hypothesis(ids[:limit], total, eos, length_penalty)]
        for ids, limit, total in zip(tokens.tolist(), max_lengths.tolist(), totals.tolist(), strict=True)
    ]


def assemble(steps: list[tuple[Tensor, Tensor, Tensor]], count: int, eos: int) -> tuple[Tensor, Tensor]:
    """Tokens (B, T) of the `count` sentences after T steps, filled with `eos`, and their log-probabilities (B,) in float64; both on the CPU.

    This is done once at the end, because every operation inside a step costs time.
    """
    sentences, ids, chosen = (torch.cat(parts).cpu() for parts in zip(*steps))
    places = torch.arange(len(steps)).repeat_interleave(torch.tensor([len(last) for _, last, _ in steps]))
    tokens = ids.new_full((count, len(steps)), eos).index_put_((sentences, places), ids)
    return tokens, torch.zeros(count, dtype=torch.float64).index_add_(0, sentences, chosen.double())


def _hypothesis(ids: list[int], log_probability: float, eos: int, alpha: float) -> Hypothesis:
    complete = eos in ids
    if complete:
        ids = ids[: ids.index(eos)]
    return Hypothesis(ids, log_probability / penalty(len(ids) + complete, alpha), log_probability, complete)
