"""Diverse beam search against a plain one on lists, as the paper's algorithm has it, and through a model."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.conftest import one_line
from tests.table_model import BOS, EOS, assert_same, divisor, log_probabilities, random_table, start, step
from translate.cli.main import main
from translate.decoding import Hypothesis, Options, beam_search, diverse_beam_search
from translate.translation.translator import Translator

LIMIT = 4


def plain_diverse(table: Tensor, limit: int, beam: int, groups: int, alpha: float, n_best: int, diversity: float) -> list[Hypothesis]:
    """Algorithm 1 of Vijayakumar et al. with Hamming diversity, on lists, without batching and without early stopping."""
    width = beam // groups
    going: list[list[tuple]] = [[((), 0.0, 0.0)] for _ in range(groups)]  # tokens, sum of log-probabilities and penalties, log-probability
    complete: list[list[Hypothesis]] = [[] for _ in range(groups)]
    for length in range(1, limit + 1):
        taken = Counter[int]()
        for group in range(groups):
            options = [
                ((*tokens, token), total + new - diversity * taken[token], log_probability + new)
                for tokens, total, log_probability in going[group]
                for token, new in enumerate(log_probabilities(table, tokens))
            ]
            options = sorted(options, key=lambda option: -option[1])[: 2 * width]
            complete[group] += [Hypothesis(list(h[:-1]), p / divisor(length, alpha), p, True) for h, _, p in options[:width] if h[-1] == EOS]
            going[group] = [option for option in options if option[0][-1] != EOS][:width]
            taken.update(tokens[-1] for tokens, _, _ in going[group])
    ranked = []
    for group in range(groups):
        cut = [Hypothesis(list(h), p / divisor(limit, alpha), p, False) for h, _, p in going[group]]
        ranked.append((sorted(complete[group], key=lambda h: -h.score) + cut)[: min(n_best, width)])
    chosen: list[Hypothesis] = []
    for rank in itertools.zip_longest(*ranked):
        for hypothesis in sorted((h for h in rank if h), key=lambda h: (not h.complete, -h.score)):
            if len(chosen) < n_best and all(hypothesis.ids != other.ids for other in chosen):
                chosen.append(hypothesis)
    return sorted(chosen, key=lambda h: (not h.complete, -h.score))


@given(
    seed=st.integers(0, 10**6), vocabulary=st.integers(4, 6), shape=st.sampled_from([(2, 2), (4, 2), (6, 2), (6, 3), (5, 5), (3, 1)]),
    limits=st.lists(st.integers(1, LIMIT), min_size=1, max_size=3), alpha=st.sampled_from([0.0, 0.6, 1.0]),
    diversity=st.sampled_from([0.0, 0.2, 0.5, 3.0]), n_best=st.integers(1, 6),
)  # fmt: skip
@settings(max_examples=60, deadline=None, derandomize=True)
def test_it_is_the_plain_algorithm(seed, vocabulary, shape, limits, alpha, diversity, n_best):
    (beam, groups), table = shape, random_table(seed, len(limits), vocabulary, LIMIT)
    n_best = min(n_best, beam)
    found = diverse_beam_search(step, start(table), torch.tensor(limits), BOS, EOS, beam, groups, alpha, n_best, diversity=diversity)
    for sentence, limit in enumerate(limits):
        assert_same(found[sentence], plain_diverse(table[sentence].double(), limit, beam, groups, alpha, n_best, diversity))


@pytest.mark.parametrize(("beam", "n_best", "alpha"), [(2, 1, 0.6), (4, 4, 1.0), (5, 3, 0.0), (3, 2, 1.7)])
def test_one_group_is_beam_search_exactly(beam, n_best, alpha):
    table, limits = random_table(beam, 5, 6, 5), torch.tensor([5, 3, 1, 4, 5])
    expected = beam_search(step, start(table.clone()), limits, BOS, EOS, beam, alpha, n_best, banned=[0])
    assert diverse_beam_search(step, start(table), limits, BOS, EOS, beam, 1, alpha, n_best, banned=[0]) == expected


def test_the_first_words_of_the_groups_differ_where_there_are_others():
    table = random_table(3, 1, 8, 3)
    (found,) = diverse_beam_search(step, start(table), torch.tensor([3]), BOS, EOS, 4, 4, 0.0, 4, diversity=1000.0, banned=[EOS])
    for place in range(3):
        assert len({hypothesis.ids[place] for hypothesis in found}) == 4


@pytest.mark.parametrize(("beam", "groups", "n_best"), [(4, 3, 1), (2, 4, 1), (4, 0, 1), (4, 2, 5), (4, 2, 0)])
def test_impossible_groups_are_refused(beam, groups, n_best):
    with pytest.raises(ValueError, match="it must be"):
        diverse_beam_search(step, start(random_table(0, 1, 4, 2)), torch.tensor([2]), BOS, EOS, beam, groups, 1.0, n_best)


def test_a_line_does_not_depend_on_its_neighbours_and_what_is_kept_is_there(untrained):
    lines = ["Der Hund schläft.", "Guten Morgen! Wo ist der Bahnhof?", "Schreib an anna@example.org.", "x"]
    options = Options(beam=6, diverse=3, n_best=6)

    def texts(result):  # scores are equal up to rounding only
        return [text for text, _ in result.alternatives]

    with Translator.load(untrained, "cpu", "fp32") as translator:
        together = list(translator.translate_stream(lines, options))
        alone = [translator.translate(line, scores=True, beam=6, diverse=3, n_best=6) for line in lines]
        assert list(map(texts, together)) == list(map(texts, alone))
        assert all("anna@example.org" in text for text, _ in together[2].alternatives)
        plain = translator.translate(lines, scores=True, beam=6, n_best=6)
        assert list(map(texts, plain)) != list(map(texts, together))
        assert translator.translate(lines, scores=True, beam=6, n_best=6, diverse=1) == plain


@pytest.mark.parametrize(
    "words, message",
    [
        ("--diverse 3 --beam 5", "beam (5) is no multiple of diverse (3), the groups that share it: give beam 6"),
        ("--diverse 4 --beam 2", "beam (2) is no multiple of diverse (4), the groups that share it: give beam 4"),
        ("--diverse 0", "diverse is 0: it must be at least 1"),
        ("--diverse 2 --sample", "--diverse has no effect with --sample"),
        ("--diverse 2 --mbr chrf --samples 4", "--diverse has no effect with --mbr"),
        ("--diverse 2 --engine ctranslate2", "--diverse has no effect with --engine ctranslate2"),
    ],
)
def test_a_mistake_is_one_line(untrained, source, capsys, words, message):
    assert main(["file", "-m", str(untrained), str(source), *words.split()]) == 2
    one_line(capsys, message)
