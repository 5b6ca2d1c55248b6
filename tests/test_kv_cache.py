"""The cache of search against plain lists: each hypothesis sees the keys and values of its own tokens, in their order, and no others."""

from __future__ import annotations

import pytest
import torch

from translate.model import KVCache
from translate.model.kv_cache import CAPACITY

L, H, d, S = 2, 1, 3, 4


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(5)


def empty_cache(B: int) -> KVCache:
    """The memory of sentence b is the number b; its first b tokens are real."""
    memory = torch.arange(B).float()[:, None, None, None].expand(L, 2, B, H, S, d).contiguous()
    return KVCache(memory, (torch.arange(S) <= torch.arange(B)[:, None])[:, None, None, :])


def append(cache: KVCache, histories: list[list[float]]) -> None:
    """One token for each hypothesis: a number, which is its key in layer 0; its value, and layer 1, differ from it by a constant."""
    B, R = cache.sentences, len(histories) // cache.sentences
    numbers = torch.rand(B * R)
    for history, number in zip(histories, numbers.tolist()):
        history.append(number)
    new = numbers.view(B, 1, R, 1).expand(B, H, R, d)
    for layer, of_layer in enumerate(cache.extend(R)):
        of_layer.append(torch.stack([new, new + 10]) + 100 * layer)


def seen(cache: KVCache, layer: int, which: int) -> list[list[float]]:
    """The keys (0) or values (1) that each hypothesis holds, in the order of its tokens."""
    B, stored = cache.sentences, cache.key_value[layer, :, : cache.length, which, 0, 0] - 100 * layer - 10 * which
    rows = cache.position and (B if cache.ancestors is None else len(cache.ancestors))
    ancestors = torch.arange(cache.length).expand(rows, -1) if cache.ancestors is None else cache.ancestors
    return stored.repeat_interleave(rows // B, 0).gather(1, ancestors).tolist()


def check(cache: KVCache, histories: list[list[float]]) -> None:
    assert cache.position == len(histories[0])
    for layer in range(L):
        for which in range(2):
            torch.testing.assert_close(torch.tensor(seen(cache, layer, which)), torch.tensor(histories), atol=1e-4, rtol=0)


def test_one_hypothesis_a_sentence_needs_no_ancestors():
    cache, histories = empty_cache(3), [[] for _ in range(3)]
    for _ in range(CAPACITY + 5):
        append(cache, histories)
    assert cache.ancestors is None and cache.length == CAPACITY + 5
    check(cache, histories)
    assert all(layer.mask is None for layer in cache.extend(1))


def test_sentences_leave_and_move():
    cache, histories = empty_cache(4), [[] for _ in range(4)]
    append(cache, histories)
    kept = torch.tensor([3, 1])
    cache = cache.reorder(kept, kept)
    histories = [histories[3], histories[1]]
    append(cache, histories)
    check(cache, histories)
    assert cache.memory[0, 0, :, 0, 0, 0].tolist() == [3, 1]
    assert (cache.memory_mask == 0).sum(-1).flatten().tolist() == [4, 2]


@pytest.mark.parametrize("R", [2, 5])
def test_hypotheses_branch_and_end(R):
    """Random reordering for many steps, through several enlargements; sentences leave on the way."""
    B = 4
    cache, histories = empty_cache(B), [[] for _ in range(B)]
    append(cache, histories)
    rows, sentences = torch.arange(B).repeat_interleave(R), torch.arange(B)
    for step in range(40):
        cache = cache.reorder(rows, sentences)
        histories = [list(histories[row]) for row in rows.tolist()]
        append(cache, histories)
        check(cache, histories)
        if step in (10, 25):
            sentences = torch.randperm(B)[: B - 1]
            B -= 1
        else:
            sentences = torch.arange(B)
        rows = (sentences[:, None] * R + torch.randint(R, (B, R))).flatten()
    assert cache.key_value.shape[2] < 2 * 41 + 8 * R  # keys of hypotheses that ended are dropped


def test_the_mask_allows_a_hypothesis_its_own_tokens():
    cache, histories = empty_cache(2), [[], []]
    append(cache, histories)
    cache.reorder(torch.tensor([0, 0, 1, 1]), torch.arange(2))
    first = cache.extend(2)[0].mask
    cache.reorder(torch.tensor([1, 1, 2, 3]), torch.arange(2))
    second = cache.extend(2)[0].mask
    assert (first == 0).tolist() == [[[[True, True, False], [True, False, True]]]] * 2
    one, two = [True, False, True, True, False], [True, False, True, False, True]  # both go on from the second hypothesis
    assert (second == 0).tolist() == [[[one, two]], [[[True, True, False, True, False], [True, False, True, False, True]]]]
    assert first[first != 0].tolist() == [float("-inf")] * 4
