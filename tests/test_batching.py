"""Sentences of like length share a batch, within the budget of tokens."""

from __future__ import annotations

import random

from translate.translation.batching import length_batches


def test_batches_keep_to_the_budget_and_put_like_lengths_together():
    chosen = random.Random(1)
    lengths = [chosen.randint(2, 200) for _ in range(1000)]
    batches = length_batches(lengths, 2000, 4)
    assert sorted(place for batch in batches for place in batch) == list(range(1000))
    for batch in batches:
        longest = max(lengths[place] for place in batch)
        assert len(batch) * 4 * longest <= 2000 or len(batch) == 1
    padded = sum(len(batch) * max(lengths[place] for place in batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    assert length_batches([5000, 3], 100, 5) == [[0], [1]]
    assert length_batches([], 100, 5) == []
