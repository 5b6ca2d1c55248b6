"""Beam search with the length penalty of "Google's neural machine translation system" (Wu et al. 2016, equation 14), batched.

A sentence's search ends when no open hypothesis can win within the next `HORIZON` tokens: log-probabilities only fall, so with alpha >= 0 the best
that one can reach by then is its present log-probability over the penalty of that length. With alpha above 1 also when `PATIENCE` x beam
hypotheses have ended. A sentence that has ended leaves the batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from translate.decoding.greedy import greedy
from translate.decoding.hypothesis import Hypothesis, S, Step, check_limits, penalty, remaining
from translate.decoding.logits import ban, best_continuations, block_repeats, log_probabilities, no_token

# Looking ahead to the greatest length allowed costs 1.7 times the rows and changes 2 of 4,521 translations (two models, Multi30k and Tatoeba, alpha
# 1); a horizon of 2 changes 17. Stopping once as many hypotheses as the beam holds are complete ("first come, first served", Kasai et al. 2022)
# takes more rows than this, and changed 84 of 2,000.
HORIZON = 3
# With alpha above 1 a search also ends once this many times `beam` hypotheses have ended, which is CTranslate2's rule. With such an alpha, a
# hypothesis of more than 5 / (alpha - 1) tokens scores better the longer it gets, however bad it is, so that one can nearly always still win:
# without this rule alpha 2 and 3 gave 7% and 42% more tokens and 2.1 and 9.2 BLEU less (150 lines of Multi30k).
PATIENCE = 2


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
    if beam == 1:
        return greedy(step, state, max_lengths, bos, eos, length_penalty, banned, no_repeat)
    if not len(max_lengths):
        return []

    device, limits = max_lengths.device, max_lengths
    banned_ids = torch.tensor(banned, dtype=torch.int64, device=device)
    results: list[list[Hypothesis]] = [[] for _ in range(len(limits))]
    present = list(range(len(limits)))  # the places in the batch of the B sentences still open
    last = torch.full((len(limits),), bos, device=device)  # (B * R,): R rows a sentence, one at first, then `beam`
    tokens = last.new_empty((len(limits), 0))  # (B * R, T) what each open hypothesis consists of
    totals = torch.zeros((len(limits), 1), dtype=torch.float64, device=device)  # (B, R) their log-probabilities
    worst = torch.full((len(limits),), float("-inf"), dtype=torch.float64, device=device)  # (B,) the n-th best complete score so far
    endings = torch.zeros_like(limits)  # (B,) how many have ended
    enough = PATIENCE * beam if length_penalty > 1 else beam * int(limits.max()) + 1  # which is never reached
    penalties = penalty(torch.arange(int(limits.max()) + 1, dtype=torch.float64, device=device), length_penalty)  # of each length
    length = 0
    while present:
        length += 1
        raw, state = step(last, state)
        B, R = totals.shape
        logits = ban(raw, banned_ids)
        if no_repeat:
            logits = block_repeats(logits, tokens, no_repeat)
        totals, parents, ids = best_continuations(log_probabilities(logits, raw), totals, 2 * beam)  # (B, up to 2K), best first
        ended = ids == eos
        if ended.any():
            endings = endings + ended[:, :beam].sum(1)
            # complete hypotheses that belong to the n best so far
            wins = (ended & (totals / penalty(length, length_penalty) > worst[:, None]))[:, :beam]
            sentences, ranks = wins.nonzero(as_tuple=True)
            found = tokens[sentences * R + parents[sentences, ranks]].tolist(), totals[sentences, ranks].tolist()
            places = sentences.tolist()
            for b, ids_so_far, total in zip(places, *found):
                results[present[b]].append(_hypothesis(ids_so_far, total, length, length_penalty, True))
            for b in set(places):
                best = results[present[b]]
                best.sort(key=lambda hypothesis: -hypothesis.score)
                del best[n_best:]
                if len(best) == n_best:
                    worst[b] = best[-1].score
            # the best that go on; a stable sort keeps them in order
            order = ended.sort(dim=1, stable=True).indices[:, :beam]
            totals = totals.masked_fill(ended, float("-inf")).gather(1, order)
            parents, ids = parents.gather(1, order), ids.gather(1, order)
        else:
            totals, parents, ids = totals[:, :beam], parents[:, :beam], ids[:, :beam]

        cut = limits == length
        done = cut | (endings >= enough) | (worst >= totals[:, 0] / penalties[limits.clamp(max=length + HORIZON)])
        if done.any():
            for b in done.nonzero().squeeze(1).tolist():
                best = results[present[b]]
                for k in range(min(n_best - len(best), totals.shape[1]) if cut[b] else 0):
                    if totals[b, k] > float("-inf"):
                        ids_so_far = [*tokens[b * R + parents[b, k]].tolist(), int(ids[b, k])]
                        best.append(_hypothesis(ids_so_far, float(totals[b, k]), length, length_penalty, False))
                if not best:
                    raise no_token()
            keep = remaining(done)
            present = [present[b] for b in keep.tolist()]
            if not present:
                break
            limits, worst, endings = limits[keep], worst[keep], endings[keep]
            totals, parents, ids = totals[keep], parents[keep], ids[keep]
        else:
            keep = torch.arange(B, device=device)
        rows, last = (keep[:, None] * R + parents).flatten(), ids.flatten()
        state = state.reorder(rows, keep)
        tokens = torch.cat([tokens.index_select(0, rows), last[:, None]], dim=1)
    return results


def _hypothesis(ids: list[int], log_probability: float, length: int, alpha: float, complete: bool) -> Hypothesis:
    return Hypothesis(ids, log_probability / penalty(length, alpha), log_probability, complete)
