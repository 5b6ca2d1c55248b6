"""Diverse beam search: alternatives that differ (Vijayakumar et al. 2018, "Diverse beam search for improved description of complex scenes").

The beam is divided into G equal groups. At each step they choose one after the other (algorithm 1), and to a group a token is the less likely the
more hypotheses of earlier groups have it at this place (Hamming diversity, section 4):

    log p(token | source, tokens so far) - DIVERSITY * number of open hypotheses of earlier groups that took it at this step

Each group is a beam search by the sums of these, the first one by probability alone. The end mark is not penalised: to end at the same place is no
repetition. What the groups find is ranked by the model's own scores.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from translate.decoding import beam as plain
from translate.decoding.beam import Continuations, Live, drop_ended
from translate.decoding.hypothesis import Hypothesis, S, Step, check_limits, penalty, sentences_to_keep
from translate.decoding.logits import best_continuations, log_probabilities, replace_undefined
from translate.decoding.required import Required

DIVERSITY = 0.5  # lambda: the paper found 0.2 to 0.8 good for most tasks


def diverse_beam_search(
    step: Step[S],
    state: S,
    max_lengths: Tensor,
    bos: int,
    eos: int,
    beam: int,
    groups: int,
    length_penalty: float,
    n_best: int = 1,
    banned: Sequence[int] = (),
    no_repeat: int = 0,
    required: Sequence[Sequence[int]] | None = None,
    symbols: Sequence[int] = (),
    diversity: float = DIVERSITY,
) -> list[list[Hypothesis]]:
    """Find good hypotheses of each sentence that differ.

    Args:
        groups: number of groups; each keeps `beam` / `groups` hypotheses open. One group is plain beam search.
        diversity: how much less likely a token is for each earlier hypothesis that has it, as a natural logarithm.
        The others: as in `beam_search`.

    Returns:
        For each of the B sentences up to `n_best` hypotheses, no two with the same tokens, best score first: the best one of each group, then the
        second best ones, until there are enough.

    Raises:
        ValueError: a limit, `beam`, `groups`, `n_best` or `length_penalty` is out of range.
        UserError: the model's scores are NaN or infinite, or allow no token.
    """
    check_limits(max_lengths, length_penalty)
    if groups < 1 or beam < groups or beam % groups:
        raise ValueError(f"beam is {beam}: it must be a multiple of the number of groups ({groups})")
    if not 1 <= n_best <= beam:
        raise ValueError(f"n_best is {n_best}: it must be from 1 to the beam ({beam}); raise the beam")
    if not len(max_lengths):
        return []
    device, width = max_lengths.device, beam // groups
    banned_ids = torch.tensor(banned, dtype=torch.int64, device=device)
    force = Required(required, eos, device, symbols) if required and any(required) else None
    patience = plain.PATIENCE * width if length_penalty > 1 else None
    penalties = penalty(torch.arange(int(max_lengths.max()) + 1, dtype=torch.float64, device=device), length_penalty)  # of each length
    # a group of a sentence is a search of its own: number b * G + g, with the same limit
    live = plain.first_hypotheses(max_lengths.repeat_interleave(groups), bos)
    finished: list[list[Hypothesis]] = [[] for _ in live.sentences]
    kept = min(n_best, width)
    sums = live.log_probs  # (B * G, R) of log-probabilities and penalties: what a group chooses by
    last = torch.full_like(max_lengths, bos)  # at first the groups of a sentence share one row
    while True:
        scores, state = step(last, state)
        scores = scores if live.tokens.shape[1] else scores.repeat_interleave(groups, 0)
        if force:
            searches, left = live.rows_of()
            scores = force.force(scores, live.tokens, searches // groups, left)
        log_probs = replace_undefined(log_probabilities(scores, banned_ids, live.tokens, no_repeat), scores)
        candidates, totals = choose_in_turn(live, sums, log_probs, groups, width, eos, diversity)
        is_end = candidates.ids == eos
        plain.collect_finished(live, candidates, is_end[:, :width], finished, kept, length_penalty)
        best, sums = drop_ended(candidates, is_end, width), drop_ended(candidates._replace(log_probs=totals), is_end, width).log_probs
        likeliest = best._replace(log_probs=best.log_probs.amax(1, keepdim=True))
        done = plain.is_done(live, likeliest, penalties, patience).view(-1, groups).all(1)  # (B,) the groups of a sentence end together
        keep = torch.arange(len(done), device=device)
        if done.any():
            plain.collect_unfinished(live, best, done.repeat_interleave(groups), finished, kept, length_penalty)
            keep = sentences_to_keep(done)
            if not len(keep):
                return [in_turn(finished[first : first + groups], n_best) for first in range(0, len(finished), groups)]
        searches = (keep[:, None] * groups + torch.arange(groups, device=device)).flatten()
        first_step = not live.tokens.shape[1]
        live, rows = plain.advance(live, best, searches)
        sums, last = sums[searches], live.last
        state = state.reorder(rows // groups if first_step else rows, keep)


def choose_in_turn(live: Live, sums: Tensor, log_probs: Tensor, groups: int, width: int, eos: int, diversity: float) -> tuple[Continuations, Tensor]:
    """The 2 x `width` best continuations of each group by sums of log-probabilities and penalties, with the former, and these sums (B * G, C).

    log_probs: (B * G * R, V) of the next tokens.
    """
    V, R = log_probs.shape[1], sums.shape[1]
    own, before = log_probs.view(-1, groups, R, V), sums.view(-1, groups, R)
    taken = log_probs.new_zeros(len(own), V)  # penalty of each token
    chosen, totals = list[Continuations](), list[Tensor]()
    for group in range(groups):
        penalised = (own[:, group] - taken[:, None]).flatten(0, 1)
        found = Continuations(*best_continuations(penalised, before[:, group].contiguous(), 2 * width))
        going = drop_ended(found, found.ids == eos, width)
        taken.scatter_add_(1, going.ids, (going.log_probs > float("-inf")).to(taken.dtype) * diversity)
        new = own[:, group].flatten(1).gather(1, found.parents * V + found.ids)
        totals.append(found.log_probs)
        chosen.append(found._replace(log_probs=live.log_probs.view(-1, groups, R)[:, group].gather(1, found.parents) + new))

    def joined(parts: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(parts), 1).flatten(0, 1)  # (B * G, C)

    return Continuations(*(joined(parts) for parts in zip(*chosen))), joined(totals)


def in_turn(found: Sequence[Sequence[Hypothesis]], n_best: int) -> list[Hypothesis]:
    """The best hypothesis of each group, then the second best ones, until there are `n_best` different ones; complete ones first, then by score."""
    chosen: dict[tuple[int, ...], Hypothesis] = {}
    for rank in itertools.zip_longest(*found):
        for hypothesis in sorted(filter(None, rank), key=_order):
            if len(chosen) < n_best:
                chosen.setdefault(tuple(hypothesis.ids), hypothesis)
    return sorted(chosen.values(), key=_order)


def _order(hypothesis: Hypothesis) -> tuple[bool, float]:
    return not hypothesis.complete, -hypothesis.score
