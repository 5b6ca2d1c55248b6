"""Joins consecutive training pairs, so that a model also sees several sentences at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from translate.config import FilterConfig
from translate.data.filters import fits

MOST = 4  # pairs in an example

Ids = list[list[int]]  # EOS at the end of each


def join_pairs(
    columns: Sequence[list[Any]], share: float, filters: FilterConfig, encode: Callable[[list[str], list[str]], tuple[Ids, Ids]], *key: int
) -> tuple[list[list[Any]], int]:
    """Examples from N consecutive pairs: some of one pair, some of two to four, joined with a space.

    Every pair is in exactly one example, so that there are fewer examples than pairs, but as many tokens. An example that the filters of lengths
    would drop gets fewer pairs.

    Args:
        columns: N source texts, target texts, source ids, target ids.
        share: of joined examples among all of them, 0 to 1; where the filters' limits forbid it, there are fewer.
        encode: the ids of source and target texts.
        key: what the random choice depends on, besides N and `share`.

    Returns:
        The columns of the examples, and how many of them are joined.
    """
    sources, targets, source_ids, target_ids = columns
    lengths = numpy.array([list(map(len, source_ids)), list(map(len, target_ids))], dtype=numpy.int64)
    groups = _groups(lengths, share, filters, numpy.random.Generator(numpy.random.PCG64(list(key))))
    several = [group for group in groups if len(group) > 1]
    texts = [[" ".join(side[row].strip() for row in group) for group in several] for side in (sources, targets)]
    joined = dict(zip(several, zip(*texts, *encode(*texts))))
    examples = []
    for group in groups:
        example = joined.get(group)
        # a tokenizer may need more pieces for a text than for its parts
        if example and fits(numpy.array([[len(example[2])], [len(example[3])]]), filters)[0]:
            examples.append(example)
        else:
            joined.pop(group, None)
            examples += [(sources[row], targets[row], source_ids[row], target_ids[row]) for row in group]
    return [list(column) for column in zip(*examples)], len(joined)


def _groups(lengths: numpy.ndarray, share: float, filters: FilterConfig, random: numpy.random.Generator) -> list[range]:
    """The pairs of each example. lengths: (2, N) ids of each side, EOS among them."""
    pairs = lengths.shape[1]
    sizes = numpy.where(random.random(pairs) < share, random.integers(2, MOST + 1, pairs), 1).tolist()
    groups, row = [], 0
    for size in sizes:  # fewer than N are needed if any is joined
        if row == pairs:
            break
        size = min(size, pairs - row)
        while size > 1 and not fits(lengths[:, row : row + size].sum(axis=1, keepdims=True) - size + 1, filters)[0]:
            size -= 1
        groups.append(range(row, row + size))
        row += size
    return groups
