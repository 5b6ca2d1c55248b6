"""Batches of sentences of similar length, to minimise padding."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_TOKENS = 8  # shorter sentences count as this many tokens: scoring the vocabulary costs the same for them
SQUARE_TOKENS = 512  # a sentence of this length counts twice: attention scores grow with the square of the length


def default_batch_tokens(device: str) -> int:
    """Default tokens per batch on a `cpu` or `cuda` device.

    At beam 5, 4,096 are some 40 sentences of 20 tokens, too few to keep a large GPU busy.
    """
    return 32_768 if device == "cuda" else 4096


def length_batches(lengths: Sequence[int], batch_tokens: int, beam: int) -> list[list[int]]:
    """Indices into `lengths`, in batches of similar length, the longest first.

    Each batch has at most `batch_tokens` tokens, padding included and counted `beam` times; a longer sentence gets its own batch.
    """
    batches: list[list[int]] = []
    capacity = 0  # of the last batch, in sentences
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if not batches or len(batches[-1]) == capacity:
            longest = max(lengths[index], LEAST_TOKENS)  # of this batch: the others are padded to it
            capacity = max(1, int(batch_tokens / (beam * longest * (1 + longest / SQUARE_TOKENS))))
            batches.append([])
        batches[-1].append(index)
    return batches
