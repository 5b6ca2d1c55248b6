"""Embeddings of a trained model for a new tokenizer: rows of pieces that both know are carried over, the rest begin as means of their parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from translate.tokenizer import UNK, Tokenizer

# names of parameters; a model has SOURCE unless source and target share their embedding
SOURCE, TARGET, BIAS = "source_embedding.weight", "target_embedding.weight", "output_bias"
LONGEST = 64  # characters of a piece that is looked up


def carried_over(weights: dict[str, Tensor], ours: dict[str, Tensor], old: Tokenizer, new: Tokenizer) -> str:
    """Replace the embeddings, and the output layer's bias, in `weights` by such for the new tokenizer. Returns the counts, for the log.

    weights: those of the trained model, SOURCE among them; ours: those of the new model, which tell whether it has SOURCE.
    """
    targets = old.target_pieces(), new.target_pieces()
    said = []
    if SOURCE in ours:
        sources = old.source_pieces(), new.source_pieces()
        weights[SOURCE] = mapped(weights[SOURCE], parts_of(*sources))
        said.append(f"{_count(*sources)} source pieces")
    parts = parts_of(*targets)
    weights[TARGET] = mapped(weights[TARGET], parts)
    if BIAS in weights:
        weights[BIAS] = mapped(weights[BIAS], parts)
    said.append(f"{_count(*targets)} {'target ' if said else ''}pieces")
    return f"{' and '.join(said)} are known to the other tokenizer; the rest begin as means of their parts"


def _count(old: Sequence[str], new: Sequence[str]) -> str:
    return f"{len(set(old) & set(new)):,} of {len(new):,}"


def parts_of(old: Sequence[str], new: Sequence[str]) -> list[list[int]]:
    """Of each new piece the ids of the old pieces that it is made of, from left to right the longest that fits; UNK where none does."""
    ids = {piece: number for number, piece in enumerate(old)}
    longest = min(LONGEST, max(map(len, old)))

    def parts(piece: str) -> list[int]:
        if piece in ids:
            return [ids[piece]]
        found, at = list[int](), 0
        while at < len(piece):
            end = next((end for end in range(min(len(piece), at + longest), at, -1) if piece[at:end] in ids), None)
            found.append(UNK if end is None else ids[piece[at:end]])
            at = at + 1 if end is None else end
        return found

    return [parts(piece) for piece in new]


def mapped(rows: Tensor, parts: Sequence[Sequence[int]]) -> Tensor:
    """(V, ...) -> (V', ...): the mean of the rows of each piece's parts."""
    return torch.stack([rows[list(ids)].mean(0) for ids in parts])
