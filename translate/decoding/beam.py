"""Batched beam search, with the length penalty of "Google's neural machine translation system" (Wu et al. 2016, equation 14).

The search of a sentence stops when no open hypothesis can win within the next `HORIZON` tokens. Log-probabilities only fall, so with alpha >= 0 the
best score a hypothesis can reach in that time is its present log-probability, divided by the penalty of the greater length. With alpha above 1 the
search also stops once `PATIENCE` x beam hypotheses have ended. A sentence whose search has stopped leaves the batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from translate.decoding.greedy import greedy
from translate.decoding.hypothesis import Hypothesis, S, Step, check_limits, penalty, sentences_to_keep
from translate.decoding.logits import best_continuations, log_probabilities, no_token, replace_undefined
from translate.decoding.required import Required

# Looking ahead to the length limit takes 1.7 times as many rows and changes 2 of 4,521 translations (two models, Multi30k and Tatoeba, alpha 1); a
# horizon of 2 changes 17. Stopping when `beam` hypotheses are complete ("first come, first served", Kasai et al. 2022) takes more rows than this
# and changed 84 of 2,000.
HORIZON = 3
# CTranslate2 has this rule too. With alpha above 1, a hypothesis of more than 5 / (alpha - 1) tokens scores better the longer it gets, however bad
# it is, so some open hypothesis can nearly always still win. Without this rule, alpha 2 and 3 gave 7% and 42% more tokens, and 2.1 and 9.2 BLEU less
# (150 lines of Multi30k).
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
    required: Sequence[Sequence[int]] | None = None,
    symbols: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """Find the best hypotheses of each sentence, keeping at most `beam` open.

    Each step takes the 2 x beam best continuations of a sentence, so that enough remain open when some of them end. A continuation that ends counts
    if it is among the best `beam`. A beam of 1 is greedy search.

    Args:
        step, state: the model, see `hypothesis.py`. The initial state has one row per sentence.
        max_lengths: (B,) maximum number of tokens of each sentence's hypotheses, including the end mark.
        bos, eos: ids of the begin mark and the end mark.
        beam: number of open hypotheses per sentence.
        length_penalty: alpha; 0 ranks by log-probability.
        n_best: number of hypotheses to return for each sentence, at most `beam`.
        banned: ids that are never chosen, such as padding.
        no_repeat: no n-gram of this length may occur twice in a hypothesis; 0 = no such rule.
        required: for each sentence, ids that its hypotheses must contain, as often as they are listed; these ids may not occur more often, or in
            another sentence. See `required.py`.

    Returns:
        For each of the B sentences up to `n_best` hypotheses, best score first. If too few are complete, those cut off at the limit follow; there are
        fewer than `n_best` only if no more exist.

    Raises:
        ValueError: a limit, `beam`, `n_best` or `length_penalty` is out of range.
        UserError: the model's scores are NaN or infinite, or allow no token.
    """
    check_limits(max_lengths, length_penalty)
    if beam < 1:
        raise ValueError(f"beam is {beam}: it must be at least 1")
    if not 1 <= n_best <= beam:
        raise ValueError(f"n_best is {n_best}: it must be from 1 to the beam ({beam}); raise the beam")
    if beam == 1:
        return greedy(step, state, max_lengths, bos, eos, length_penalty, banned, no_repeat, required, symbols)
    if not len(max_lengths):
        return []

    banned_ids = torch.tensor(banned, dtype=torch.int64, device=max_lengths.device)
    force = Required(required, eos, max_lengths.device, symbols) if required and any(required) else None
    patience = PATIENCE * beam if length_penalty > 1 else None
    penalties = penalty(torch.arange(int(max_lengths.max()) + 1, dtype=torch.float64, device=max_lengths.device), length_penalty)  # of each length
    finished: list[list[Hypothesis]] = [[] for _ in range(len(max_lengths))]
    live = first_hypotheses(max_lengths, bos)
    while True:
        scores, state = step(live.last, state)
        if force:
            scores = force.force(scores, live.tokens, *live.rows_of())
        candidates = extend(live, scores, banned_ids, no_repeat, 2 * beam)
        is_end = candidates.ids == eos
        if is_end.any():
            collect_finished(live, candidates, is_end[:, :beam], finished, n_best, length_penalty)
            best = drop_ended(candidates, is_end, beam)
        else:
            best = Continuations(*(field[:, :beam] for field in candidates))
        done = is_done(live, best, penalties, patience)
        if done.any():
            collect_unfinished(live, best, done, finished, n_best, length_penalty)
            keep = sentences_to_keep(done)
        else:
            keep = torch.arange(len(done), device=done.device)
        if not len(keep):
            return finished
        live, rows = advance(live, best, keep)
        state = state.reorder(rows, keep)


@dataclass
class Live:
    """The open hypotheses: R for each of B sentences, first one, then `beam`. Hypothesis r of sentence b is row b * R + r of the batch.

    The B sentences are those still being searched. Below, a sentence is a number from 0 to B - 1.
    """

    sentences: list[int]  # (B,) their indices in the caller's batch
    limits: Tensor  # (B,) maximum number of tokens
    worst_finished: Tensor  # (B,) score of the n-th best complete hypothesis; -inf while there are fewer than n
    n_ended: Tensor  # (B,) number of hypotheses that have ended
    log_probs: Tensor  # (B, R) of the hypotheses, best first
    tokens: Tensor  # (B * R, T) of the hypotheses
    last: Tensor  # (B * R,) their last tokens; at first the begin mark

    @property
    def new_length(self) -> int:
        """Length of the open hypotheses after the next token, which may be the end mark."""
        return self.tokens.shape[1] + 1

    def rows_of(self) -> tuple[Tensor, Tensor]:
        """Of each row the sentence, among those given, and how many tokens it may still have, (B * R,) each."""
        R = self.log_probs.shape[1]
        sentences = torch.tensor(self.sentences, device=self.limits.device)
        return sentences.repeat_interleave(R), (self.limits - self.tokens.shape[1]).repeat_interleave(R)

    def rows(self, sentences: Tensor, hypotheses: Tensor) -> Tensor:
        """Rows in the batch of `hypotheses` (0 to R - 1) of `sentences` (0 to B - 1)."""
        return sentences * self.log_probs.shape[1] + hypotheses


class Continuations(NamedTuple):
    """Hypotheses with one more token: C for each of B sentences, best first."""

    log_probs: Tensor  # (B, C) of the whole hypothesis
    parents: Tensor  # (B, C) the hypothesis that is continued, 0 to R - 1
    ids: Tensor  # (B, C) the new token


def first_hypotheses(limits: Tensor, bos: int) -> Live:
    """One hypothesis per sentence, which consists of the begin mark."""
    B, device = len(limits), limits.device
    return Live(
        sentences=list(range(B)),
        limits=limits,
        worst_finished=torch.full((B,), float("-inf"), dtype=torch.float64, device=device),
        n_ended=torch.zeros_like(limits),
        log_probs=torch.zeros((B, 1), dtype=torch.float64, device=device),
        tokens=torch.empty((B, 0), dtype=torch.int64, device=device),
        last=torch.full((B,), bos, device=device),
    )


def extend(live: Live, scores: Tensor, banned: Tensor, no_repeat: int, count: int) -> Continuations:
    """The `count` best continuations of each sentence, given the model's `scores` (B * R, V) for the next token."""
    log_probs = log_probabilities(scores, banned, live.tokens, no_repeat)
    return Continuations(*best_continuations(replace_undefined(log_probs, scores), live.log_probs, count))


def collect_finished(live: Live, candidates: Continuations, is_end: Tensor, finished: list[list[Hypothesis]], n_best: int, alpha: float) -> None:
    """Add the candidates that end, `is_end` (B, K), to `finished` if they are among the `n_best` of their sentence so far."""
    live.n_ended = live.n_ended + is_end.sum(1)
    length = live.new_length
    scores = candidates.log_probs[:, : is_end.shape[1]] / penalty(length, alpha)
    sentences, ranks = (is_end & (scores > live.worst_finished[:, None])).nonzero(as_tuple=True)
    rows = live.rows(sentences, candidates.parents[sentences, ranks])
    improved = sentences.tolist()
    for b, ids, log_prob in zip(improved, live.tokens[rows].tolist(), candidates.log_probs[sentences, ranks].tolist()):
        finished[live.sentences[b]].append(_hypothesis(ids, log_prob, length, alpha, complete=True))
    for b in set(improved):
        ranked = finished[live.sentences[b]]
        ranked.sort(key=lambda hypothesis: -hypothesis.score)
        del ranked[n_best:]
        if len(ranked) == n_best:
            live.worst_finished[b] = ranked[-1].score


def drop_ended(candidates: Continuations, is_end: Tensor, beam: int) -> Continuations:
    """The best `beam` of the candidates that do not end. If there are fewer, the rest have log-probability -inf."""
    order = is_end.sort(dim=1, stable=True).indices[:, :beam]  # False sorts before True; within each, the best stay first
    log_probs = candidates.log_probs.masked_fill(is_end, float("-inf"))
    return Continuations(log_probs.gather(1, order), candidates.parents.gather(1, order), candidates.ids.gather(1, order))


def is_done(live: Live, best: Continuations, penalties: Tensor, patience: int | None) -> Tensor:
    """Whether the search of each sentence stops now: (B,).

    penalties: by length, from 0. patience: the number of ended hypotheses at which to stop; None = no such rule.
    """
    at_limit = live.limits == live.new_length
    horizon = live.limits.clamp(max=live.new_length + HORIZON)
    cannot_win = live.worst_finished >= best.log_probs[:, 0] / penalties[horizon]
    done = at_limit | cannot_win
    if patience is not None:
        done = done | (live.n_ended >= patience)
    return done


def collect_unfinished(live: Live, best: Continuations, done: Tensor, finished: list[list[Hypothesis]], n_best: int, alpha: float) -> None:
    """Fill up `finished` with the open hypotheses of sentences at their limit. UserError if a sentence that is done has none at all."""
    R, length = live.log_probs.shape[1], live.new_length
    for b in done.nonzero().squeeze(1).tolist():
        hypotheses = finished[live.sentences[b]]
        if live.limits[b] == length:
            missing = n_best - len(hypotheses)
            for log_prob, parent, last in zip(*(field[b, :missing].tolist() for field in best)):
                if log_prob > float("-inf"):
                    ids = [*live.tokens[b * R + parent].tolist(), last]
                    hypotheses.append(_hypothesis(ids, log_prob, length, alpha, complete=False))
        if not hypotheses:
            raise no_token()


def advance(live: Live, best: Continuations, keep: Tensor) -> tuple[Live, Tensor]:
    """Make the continuations of the sentences `keep` (B',) the open hypotheses. Returns these, and the rows (B' * K,) of their parents."""
    if len(keep) < len(live.sentences):
        best = Continuations(*(field[keep] for field in best))
        live = replace(
            live,
            sentences=[live.sentences[b] for b in keep.tolist()],
            limits=live.limits[keep],
            worst_finished=live.worst_finished[keep],
            n_ended=live.n_ended[keep],
        )
    rows = live.rows(keep[:, None], best.parents).flatten()
    last = best.ids.flatten()
    tokens = torch.cat([live.tokens.index_select(0, rows), last[:, None]], dim=1)
    return replace(live, log_probs=best.log_probs, tokens=tokens, last=last), rows


def _hypothesis(ids: list[int], log_probability: float, length: int, alpha: float, complete: bool) -> Hypothesis:
    return Hypothesis(ids, log_probability / penalty(length, alpha), log_probability, complete)
