"""Beam search with the length penalty of "Google's neural machine translation system" (Wu et al. 2016, equation 14), batched.

A sentence's search ends when no open hypothesis can win within the next `HORIZON` tokens: log-probabilities only fall, so with alpha >= 0 the best
that one can reach by then is its present log-probability over the penalty of that length. With alpha above 1 also when `PATIENCE` x beam
hypotheses have ended. A sentence that has ended leaves the batch at once.
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
    required: Sequence[Sequence[int]] | None = None,
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
        required: for each sentence, ids that its hypotheses must hold as often as they stand there; the ids of any sentence may not come more often
            or in another one. See `required.py`.

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
        return greedy(step, state, max_lengths, bos, eos, length_penalty, banned, no_repeat, required)
    if not len(max_lengths):
        return []

    banned_ids = torch.tensor(banned, dtype=torch.int64, device=max_lengths.device)
    force = Required(required, eos, max_lengths.device) if required and any(required) else None
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
    """The hypotheses still open: R for each of B sentences, at first one, then `beam`. Hypothesis r of sentence b is row b * R + r of the batch.

    The sentences are those whose search goes on; in all that follows they are numbered 0 to B - 1.
    """

    sentences: list[int]  # (B,) their places among the sentences given
    limits: Tensor  # (B,) the most tokens of a hypothesis
    worst_finished: Tensor  # (B,) the n-th best score of a complete hypothesis; -inf while there are fewer than n
    n_ended: Tensor  # (B,) how many hypotheses have ended
    log_probs: Tensor  # (B, R) of each hypothesis, best first
    tokens: Tensor  # (B * R, T) what it consists of
    last: Tensor  # (B * R,) the last of these, or the begin mark

    @property
    def new_length(self) -> int:
        """Tokens of a hypothesis that is one token longer, end mark included."""
        return self.tokens.shape[1] + 1

    def rows_of(self) -> tuple[Tensor, Tensor]:
        """Of each row the sentence, among those given, and how many tokens it may still have, (B * R,) each."""
        R = self.log_probs.shape[1]
        sentences = torch.tensor(self.sentences, device=self.limits.device)
        return sentences.repeat_interleave(R), (self.limits - self.tokens.shape[1]).repeat_interleave(R)

    def rows(self, sentences: Tensor, hypotheses: Tensor) -> Tensor:
        """The rows in the batch of `hypotheses`, 0 to R - 1, of `sentences`, 0 to B - 1."""
        return sentences * self.log_probs.shape[1] + hypotheses


class Continuations(NamedTuple):
    """Hypotheses longer by one token, C for each of B sentences, best first."""

    log_probs: Tensor  # (B, C) of the whole hypothesis
    parents: Tensor  # (B, C) which one it continues, 0 to R - 1
    ids: Tensor  # (B, C) the new token


def first_hypotheses(limits: Tensor, bos: int) -> Live:
    """The begin mark alone, for each sentence."""
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
    """The best `count` continuations of each sentence by the model's `scores` (B * R, V) of the next token."""
    log_probs = log_probabilities(scores, banned, live.tokens, no_repeat)
    return Continuations(*best_continuations(replace_undefined(log_probs, scores), live.log_probs, count))


def collect_finished(live: Live, candidates: Continuations, is_end: Tensor, finished: list[list[Hypothesis]], n_best: int, alpha: float) -> None:
    """Add to `finished` the candidates that end, `is_end` (B, K), if they are among the `n_best` of their sentence so far."""
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
    """The best `beam` of the candidates that go on; where fewer do, the rest are impossible."""
    order = is_end.sort(dim=1, stable=True).indices[:, :beam]  # False sorts before True, and stays best first
    log_probs = candidates.log_probs.masked_fill(is_end, float("-inf"))
    return Continuations(log_probs.gather(1, order), candidates.parents.gather(1, order), candidates.ids.gather(1, order))


def is_done(live: Live, best: Continuations, penalties: Tensor, patience: int | None) -> Tensor:
    """Whether the search of each sentence ends here, (B,). penalties: of each length, from 0 on. patience: endings that suffice; None = no rule."""
    at_limit = live.limits == live.new_length
    horizon = live.limits.clamp(max=live.new_length + HORIZON)
    cannot_win = live.worst_finished >= best.log_probs[:, 0] / penalties[horizon]
    done = at_limit | cannot_win
    if patience is not None:
        done = done | (live.n_ended >= patience)
    return done


def collect_unfinished(live: Live, best: Continuations, done: Tensor, finished: list[list[Hypothesis]], n_best: int, alpha: float) -> None:
    """Fill up `finished` with open hypotheses where a sentence is at its limit. UserError for a sentence that is done without any."""
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
    """The continuations of the sentences `keep` (B',) become the open hypotheses. Returns them and the rows (B' * K,) of their parents."""
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
