"""Minimum Bayes risk: chrF of all pairs against sacreBLEU's, and the choice against one by hand over the same samples."""

from __future__ import annotations

import json
import shutil

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import CHRF

from tests.conftest import lines_of, one_line
from translate.cli.main import main
from translate.decoding import Hypothesis, Options
from translate.translation import mbr
from translate.translation.mbr import by_expected_utility, chrf_matrix
from translate.translation.translator import Translator, piece_seed

ALPHABET = st.text("aab \t\u00a0\u2003cé漢😀.", max_size=12)  # few characters, so that n-grams recur
WORDS = st.lists(st.sampled_from(["the", "then", "a", "dog", "dogs", "is", "isis"]), max_size=15).map(" ".join)
LINES = ["Der Hund schläft.", "Guten Morgen!", "Wo ist der Bahnhof? Das Haus ist alt.", ""]


@given(st.lists(st.one_of(ALPHABET, WORDS, st.text(max_size=8), st.just("")), min_size=1, max_size=7))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_utility_is_sacrebleus_chrf(texts):
    found = chrf_matrix(texts)
    expected = [[CHRF().sentence_score(text, [reference]).score for reference in texts] for text in texts]
    assert found.shape == (len(texts), len(texts))
    numpy.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_many_long_texts_are_compared_in_parts(monkeypatch):
    texts = [f"{' '.join(str(number * place) for number in range(40))} end" for place in range(20)] + ["aaaaaaaaaaaaaaaaaaaa", "aaa"]
    expected = chrf_matrix(texts)
    monkeypatch.setattr(mbr, "CELLS", 50)
    numpy.testing.assert_array_equal(chrf_matrix(texts), expected)
    assert expected[0, 1] == pytest.approx(CHRF().sentence_score(texts[0], [texts[1]]).score, abs=1e-9)


@given(st.lists(st.sampled_from(["a dog", "the dog", "the dogs", "", "cats", "the dog sleeps"]), min_size=2, max_size=12), st.integers(1, 4))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_text_drawn_twice_counts_twice(texts, n_best):
    samples = [Hypothesis([number], -1.0, -1.0 - number, True) for number in range(len(texts))]
    found = by_expected_utility(samples, texts, n_best)
    utilities = {text: sum(CHRF().sentence_score(text, [other]).score for other in texts) / len(texts) for text in texts}
    assert len(found) == min(n_best, len(utilities))
    for sample, text, utility in found:
        assert utility == pytest.approx(utilities[text], abs=1e-9)
        assert sample == samples[texts.index(text)]  # the likeliest
    values = [utility for _, _, utility in found]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(max(utilities.values()), abs=1e-9)


@pytest.fixture(scope="module")
def translator(untrained):
    with Translator.load(untrained, "cpu", "fp32") as loaded:
        yield loaded


@pytest.mark.parametrize("sampling", [{}, {"temperature": 2.0, "top_k": 20, "top_p": 0.95}])
def test_the_best_of_the_samples_is_chosen(translator, sampling):
    """The candidates are those that sampling with the same seeds gives, as the model writes them."""
    chosen = translator.translate(LINES[:2], scores=True, mbr="chrf", samples=12, n_best=3, seed=4, **sampling)
    sources = translator.tokenizer.encode_source(LINES[:2])
    options = Options(sample=True, n_best=12, seed=4, **sampling).fill(translator.decoding)
    seeds = [piece_seed(4, line, 0, rank) for line in range(2) for rank in range(12)]
    drawn = translator.engine.search(sources, [translator.limit(len(ids)) for ids in sources], options, seeds)
    for samples, result in zip(drawn, chosen):
        texts = translator.tokenizer.decode([sample.ids for sample in samples])
        expected = {text: sum(CHRF().sentence_score(text, [other]).score for other in texts) / len(texts) for text in texts}
        assert len(expected) > 3 and result.confidence is None
        assert result.score == pytest.approx(max(expected.values()), abs=1e-6) == expected[result.parts[0].text]
        assert [utility for _, utility in result.alternatives] == pytest.approx(sorted(expected.values(), reverse=True)[:3], abs=1e-6)


def test_sentences_of_a_line_are_chosen_one_by_one(translator):
    (whole,) = translator.translate(LINES[2:3], scores=True, mbr="chrf", samples=8)
    assert whole.pieces >= 2 and all(part.text in whole.text for part in whole.parts)
    assert 0 < whole.score <= 100
    assert translator.translate(LINES, mbr="chrf", samples=8)[3] == ""


def test_batches_and_neighbours_make_no_difference(translator):
    options = {"mbr": "chrf", "samples": 9, "n_best": 2, "seed": 3}

    def found(lines, **more):  # log-probabilities are equal up to rounding only
        return [result.alternatives for result in translator.translate(lines, scores=True, **options | more)]

    first = found(LINES)
    assert first == found(LINES, batch_tokens=1)
    assert first[0] == found(LINES[:1])[0]
    assert first != found(LINES, seed=5)


def test_copies_of_the_process_choose_alike(translator, untrained):
    options = Options(mbr="chrf", samples=6, batch_tokens=60)
    with Translator.load(untrained, "cpu", "fp32", fork=True) as forked:
        forked.pool.forks = 2
        both = (each.translate_stream(LINES * 3, options) for each in (forked, translator))
        assert len({tuple((result.text, result.score) for result in results) for results in both}) == 1


def test_alignments_are_those_of_the_choice(translator):
    results = translator.translate(LINES, scores=True, mbr="chrf", samples=6, alignment=True, coverage=True)
    assert [result.text for result in results] == translator.translate(LINES, mbr="chrf", samples=6)
    for result in results[:3]:
        assert result.alignment is not None and result.coverage is not None
        assert all(0 <= begin < end <= len(result.text) for _, (begin, end) in result.alignment)


def test_at_the_command_line(untrained, tmp_path, translator, capsys):
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    words = [
        "file",
        "-m",
        str(untrained),
        "--precision",
        "fp32",
        "--device",
        "cpu",
        str(tmp_path / "in"),
        "--mbr",
        "chrf",
        "--samples",
        "6",
        "--seed",
        "2",
    ]
    assert main([*words, "--format", "jsonl", "--n-best", "2"]) == 0
    found = [json.loads(line) for line in lines_of(capsys)]
    expected = translator.translate(LINES, scores=True, mbr="chrf", samples=6, n_best=2, seed=2)
    assert [line["translation"] for line in found] == [result.text for result in expected]
    assert [line["score"] for line in found] == [round(result.score, 6) for result in expected]
    assert all(line["confidence"] is None for line in found)


def test_evaluate_scores_what_file_writes(untrained, tmp_path, translator, capsys):
    references = translator.translate(LINES[:2], mbr="chrf", samples=6, seed=2)
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in LINES[:2]), encoding="utf-8")
    (tmp_path / "ref").write_text("".join(f"{line}\n" for line in references), encoding="utf-8")
    words = ["--test", str(tmp_path / "in"), str(tmp_path / "ref"), "--precision", "fp32", "--device", "cpu", "--metrics", "chrf", "--format", "json"]
    run = shutil.copytree(untrained, tmp_path / "run")  # whose report.json gets the scores
    assert main(["evaluate", "-m", str(run), *words, "--mbr", "chrf", "--samples", "6", "--seed", "2"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["test"].values()
    assert result["scores"]["chrF2++"]["value"] == 100
    assert result["decoding"] == {"mbr": "chrf", "samples": 6, "seed": 2}


MISTAKES = [
    ("--mbr chrf", "--mbr needs --samples N, how many translations to draw, such as 64"),
    ("--samples 4", "--samples has no effect without --mbr: add --mbr chrf, or leave it out"),
    ("--mbr chrf --samples 1", "samples is 1: it must be at least 2"),
    ("--mbr chrf --samples 1001", "samples is 1001: it must be at most 1,000"),
    ("--mbr chrf --samples 4 --n-best 5", "n_best (5) is more than samples (4)"),
    ("--mbr chrf --samples 4 --beam 5", "--beam has no effect with --mbr"),
    ("--mbr chrf --samples 4 --sample", "--sample has no effect with --mbr"),
    ("--mbr chrf --samples 4 --scores --length-penalty 1", "--length-penalty has no effect with --mbr"),
    ("--mbr chrf --samples 4 --min-confidence 0.5", "--min-confidence has no effect with --mbr"),
    ("--mbr chrf --samples 4 --engine ctranslate2", "--mbr has no effect with --engine ctranslate2"),
]  # fmt: skip


@pytest.mark.parametrize("words, message", MISTAKES)
def test_a_mistake_is_one_line(untrained, source, capsys, words, message):
    assert main(["file", "-m", str(untrained), str(source), *words.split()]) == 2
    one_line(capsys, message)
