"""A translation depends on its line alone: not on the batch, nor on the order, nor on who else translates at the same time."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from translate.config import DecodingConfig
from translate.decoding import Hypothesis, Options
from translate.translation.translator import Translator


def test_the_batch_changes_no_translation(trained, corpus_folder):
    """In fp32, 150 sentences in batches of 1, 7 and 64, and in another order."""
    translator = Translator.load(trained, "cpu", "fp32")
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()[:150]
    options = Options(beam=5).fill(translator.decoding)
    sources = translator.tokenizer.encode_source(lines)

    def outputs(size, order):
        found = {}
        for start in range(0, len(order), size):
            some = order[start : start + size]
            results = translator.engine.search([sources[n] for n in some], [translator.limit(len(sources[n])) for n in some], options, [])
            found.update(zip(some, (hypotheses[0].ids for hypotheses in results)))
        return [found[place] for place in range(len(order))]

    places = list(range(len(sources)))
    expected = outputs(64, places)
    assert len({tuple(ids) for ids in expected}) > 50
    assert outputs(1, places) == outputs(7, places) == outputs(64, random.Random(1).sample(places, len(places))) == expected


def test_eight_threads_get_what_one_gets(trained, corpus_folder):
    translator = Translator.load(trained, "cpu", "fp32")
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()
    slices = [lines[start : start + 15] for start in range(0, 240, 15)]
    expected = [translator.translate(some) for some in slices]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(translator.translate, slices)) == expected


@pytest.mark.parametrize("options", [Options(beam=3, n_best=2, batch_tokens=300), Options(sample=True, n_best=2, seed=5, batch_tokens=300)])
def test_searches_at_once_find_what_one_after_the_other_finds(trained, corpus_folder, options):
    translator = Translator.load(trained, "cpu", "fp32")
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()[:150]
    translator.engine.at_once = 1
    expected = list(translator.translate_stream(lines, options))
    translator.engine.at_once = 3
    assert list(translator.translate_stream(lines, options)) == expected


class Together:
    """An engine whose searches end only when three of them have begun; a source of the piece `bad` is an error."""

    max_tokens, at_once, machine = 64, 3, {"device": "cpu"}

    def __init__(self, bad=None):
        self.bad, self.met, self.threads, self.begun = bad, threading.Barrier(3, timeout=30), [], 0

    def search(self, sources, limits, options, seeds, no_repeat=0, align=False, required=None):
        self.begun += 1
        self.met.wait()
        self.threads.append(torch.get_num_threads())
        if any(self.bad in source for source in sources):
            raise ValueError("bad")
        return [[Hypothesis(source[:-1], 0.0, 0.0, True)] for source in sources]


def test_searches_run_at_once_with_a_share_of_the_threads(trained):
    tokenizer, before = Translator.load(trained, "cpu", "fp32").tokenizer, torch.get_num_threads()
    torch.set_num_threads(6)
    try:
        engine = Together()
        lines = ["Guten Morgen."] * 12
        assert Translator(engine, tokenizer, DecodingConfig(batch_tokens=1)).translate(lines) == lines  # a line a batch
        assert engine.threads == [2] * 12
        assert torch.get_num_threads() == 6
        with ThreadPoolExecutor(1) as pool:  # a thread that begins later has all of them
            assert pool.submit(torch.get_num_threads).result() == 6
    finally:
        torch.set_num_threads(before)


def test_an_error_in_one_search_ends_them_all(trained):
    tokenizer = Translator.load(trained, "cpu", "fp32").tokenizer
    (bad, *_), _ = tokenizer.encode_source(["x", "y"])
    engine = Together(bad)
    with pytest.raises(ValueError, match="^bad$"):
        Translator(engine, tokenizer, DecodingConfig(batch_tokens=1)).translate(["x"] * 300)
    assert engine.begun < 300
