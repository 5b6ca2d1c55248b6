"""What the tables of a Markov chain must be like to be looked things up in, whoever wrote them; ngrams.py has the layout."""

from __future__ import annotations

import torch
from torch import Tensor


def check_level(names: list[str], tables: list[Tensor], lengths: list[int], limit: int) -> None:
    """ValueError unless the first table ascends from 0 to less than `limit`, and the others hold shares and have these lengths."""
    keys, *shares = tables
    if keys.dtype != torch.int64 or any(table.dim() != 1 for table in tables) or [len(table) for table in shares] != lengths:
        raise ValueError(f"{names[0]} must be a list of int64, and {', '.join(names[1:])} lists of {', '.join(map(str, lengths))} numbers")
    if len(keys) and not (0 <= keys[0] and keys[-1] < limit and bool((keys[1:] > keys[:-1]).all())):
        raise ValueError(f"{names[0]} must ascend from 0 to less than {limit}")
    if not all(bool(((table >= 0) & (table <= 1)).all()) for table in shares):
        raise ValueError(f"{', '.join(names[1:])} must hold numbers from 0 to 1")
