"""Lines of hostile characters through a translator whose model makes noise: `python -m tests.fuzz text` has more of them, and longer ones."""

from __future__ import annotations

import random

import pytest

from tests.fuzz_text import text
from translate.text.tracked import LONG, changes


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return text(tmp_path_factory.mktemp("tokenizers"), most=60)


@pytest.mark.parametrize("seed", range(40))
def test_each_line_gives_a_line_with_its_items(case, seed):
    assert case(random.Random(seed)) == "translated"


def test_changes_of_a_long_text_are_found_by_words():
    old = " ".join(f"word{number}" for number in range(LONG // 4))
    new = old.replace("word7 ", "seven ").replace("word50 ", "")
    tracked = changes(old, new)
    for begin, end in ((0, 5), (new.index("word60"), new.index("word60") + 6), (len(new) - 3, len(new))):
        assert old[slice(*tracked.span(begin, end))] == new[begin:end]
    begin = new.index("seven")
    assert old[slice(*tracked.span(begin, begin + 5))] == "word7"
