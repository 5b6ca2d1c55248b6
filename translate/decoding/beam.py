"""Beam search with the length penalty of "Google's neural machine translation system" (Wu et al. 2016, equation 14), batched.

A sentence's search ends when no open hypothesis can still win, and not before: log-probabilities only fall, so with alpha >= 0 the best an open
one can reach is its present log-probability over the penalty of the greatest length allowed. A sentence that has ended leaves the batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from translate.decoding.greedy import greedy
from translate.decoding.hypothesis import Hypothesis, S, Step, check_limits, penalty
from translate.decoding.logits import ban, best_tokens, block_repeats, check_numbers, no_token


def beam_search(
    step: Step[S],
    state: S,
    max_lengths: Tensor,
    bos: int,
    eos: int,
    beam: int,
    length_penalty: float,
    n_best: int = 1,
    banned: Sequence[int] = (),
    no_repeat: int = 0,
) -> list[list[Hypothesis]]:
    """The best hypotheses found with at most `beam` open ones a sentence.

    Each step looks at the 2 x beam best continuations of a sentence, so that the end mark never narrows the beam. One that ends counts if it is
    among the best `beam` of them. A beam of 1 is greedy search.

    Args:
        step, state: the model, see `hypothesis.py`. At first the state has one row a sentence.
        max_lengths: (B,) the most tokens each sentence's hypothesis may have, end mark included.
        bos, eos: ids of the begin and the end mark.
        beam: open hypotheses a sentence.
        length_penalty: alpha of the penalty; 0 ranks by log-probability.
        n_best: hypotheses to return for each sentence, at most `beam`.
        banned: ids never to be chosen, such as padding.
        no_repeat: n of the n-grams that no hypothesis may hold twice; 0 = any may.

    Returns:
        For each of the B sentences up to `n_best` hypotheses, best score first; after the complete ones, where they are too few, those cut at
        the limit. Fewer only where no more exist.

    Raises:
        ValueError: a limit, `beam`, `n_best` or `length_penalty` out of range; the model's scores are NaN or allow no token.
    """
    check_limits(max_lengths, length_penalty)
    if beam < 1:
        raise ValueError(f"beam is {beam}: it must be at least 1")
    if not 1 <= n_best <= beam:
        raise ValueError(f"n_best is {n_best}: it must be from 1 to the beam ({beam}); raise the beam")
    if beam == 1 and not no_repeat:
        return greedy(step, state, max_lengths, bos, eos, length_penalty, banned)
    if not len(max_lengths):
        return []

    device, limits = max_lengths.device, max_lengths
    results: list[list[Hypothesis]] = [[] for _ in range(len(limits))]
    present = list(range(len(limits)))  # the place in the batch of each of the B sentences still here
    limit_penalties = penalty(limits.double(), length_penalty)  # (B,)
    last = torch.full((len(limits),), bos, device=device)  # (B * R,): R rows a sentence, one at first, then `beam`
    tokens = last.new_empty((len(limits), 1, 0))  # (B, R, T) what each open hypothesis consists of
    open_log_probabilities = torch.zeros((len(limits), 1), dtype=torch.float64, device=device)  # (B, R)
    worst = torch.full((len(limits),), float("-inf"), dtype=torch.float64, device=device)  # (B,) the n-th best complete score so far
    length = 0
    while present:
        length += 1
        logits, state = step(last, state)
        B, R = open_log_probabilities.shape
        logits = ban(logits, banned)
        if no_repeat:
            logits = block_repeats(logits, tokens.view(B * R, length - 1), no_repeat)
        values, ids = best_tokens(logits, 2 * beam)  # (B * R, C)
        check_numbers(values)
        C = values.shape[1]
        totals = (open_log_probabilities.view(B * R, 1) + values).view(B, R * C)
        totals, places = totals.topk(min(2 * beam, R * C))  # (B, up to 2K), best first
        parents, ids = places // C, ids.view(B, R * C).gather(1, places)
        ended = ids == eos

        # complete hypotheses that belong to the n best so far
        wins = ended & (totals / penalty(length, length_penalty) > worst[:, None])
        changed = set()
        for b, k in wins[:, :beam].nonzero().tolist():
            results[present[b]].append(_hypothesis(tokens[b, parents[b, k]], totals[b, k], length, length_penalty, True))
            changed.add(b)
        for b in changed:
            best = results[present[b]]
            best.sort(key=lambda hypothesis: -hypothesis.score)
            del best[n_best:]
            if len(best) == n_best:
                worst[b] = best[-1].score

        # the best that go on; a stable sort keeps them in order
        order = ended.sort(dim=1, stable=True).indices[:, :beam]
        going = totals.masked_fill(ended, float("-inf")).gather(1, order)
        parents, ids = parents.gather(1, order), ids.gather(1, order)
        cut = limits == length
        done = cut | (worst >= going[:, 0] / limit_penalties)
        keep = torch.arange(B, device=device)
        if done.any():
            for b in done.nonzero().squeeze(1).tolist():
                best = results[present[b]]
                for k in range(min(n_best - len(best), going.shape[1]) if cut[b] else 0):
                    if going[b, k] > float("-inf"):
                        ids_so_far = torch.cat([tokens[b, parents[b, k]], ids[b, k : k + 1]])
                        best.append(_hypothesis(ids_so_far, going[b, k], length, length_penalty, False))
                if not best:
                    raise no_token()
            keep = (~done).nonzero().squeeze(1)
            present = [present[b] for b in keep.tolist()]
            if not present:
                break
            limits, limit_penalties, worst = limits[keep], limit_penalties[keep], worst[keep]
            going, parents, ids = going[keep], parents[keep], ids[keep]
        state = state.select((keep[:, None] * R + parents).flatten(), keep)
        tokens = torch.cat([tokens[keep[:, None], parents], ids[:, :, None]], dim=2)
        open_log_probabilities, last = going, ids.flatten()
    return results


def _hypothesis(ids: Tensor, log_probability: Tensor, length: int, alpha: float, complete: bool) -> Hypothesis:
    total = float(log_probability)
    return Hypothesis(ids.tolist(), total / penalty(length, alpha), total, complete)
