"""A translation depends on its line alone: not on the batch, nor on the order, nor on who else translates at the same time."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from translate.decoding import Options
from translate.translator import Translator


def test_the_batch_changes_no_translation(trained, corpus_folder):
    """In fp32, 1,000 sentences in batches of 1, 7 and 64, and in another order."""
    translator = Translator.load(trained, "cpu", "fp32")
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()[:1000]
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
    assert len({tuple(ids) for ids in expected}) > 100
    assert outputs(1, places) == outputs(7, places) == outputs(64, random.Random(1).sample(places, len(places))) == expected


def test_eight_threads_get_what_one_gets(trained, corpus_folder):
    translator = Translator.load(trained, "cpu", "fp32")
    lines = (corpus_folder / "train.de").read_text(encoding="utf-8").splitlines()
    slices = [lines[start : start + 40] for start in range(0, 960, 40)]
    expected = [translator.translate(some) for some in slices]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(translator.translate, slices)) == expected
