"""Texts that know where their characters come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.text.tracked import Tracked, changes


def test_a_longer_replacement_has_the_whole_span():
    tracked = Tracked.of("sieh example.org an").replace([(5, 16, "⟦0⟧")])
    assert tracked.text == "sieh ⟦0⟧ an"
    assert tracked.span(5, 8) == (5, 16)
    assert tracked.span(6, 7) == (5, 16)
    assert tracked.span(9, 11) == (17, 19)


def test_a_replacement_of_the_same_length_keeps_each_place():
    tracked = Tracked.of("EIN MANN", start=10).replace([(0, 3, "ein"), (4, 8, "Mann")])
    assert tracked.text == "ein Mann"
    assert [tracked.span(index, index + 1) for index in (0, 4, 7)] == [(10, 11), (14, 15), (17, 18)]


def test_removed_and_inserted_text():
    tracked = Tracked.of("Mor\xadgen").replace([(3, 4, "")]).replace([(0, 0, "x"), (6, 6, "y")])
    assert tracked.text == "xMorgeny"
    assert tracked.span(1, 7) == (0, 7)
    assert tracked.span(0, 1) == (0, 0)
    assert tracked.span(7, 8) == (7, 7)
    assert tracked.span(8, 8) == (7, 7)


def test_parts():
    tracked = Tracked.of("Guten Morgen")[6:]
    assert (tracked.text, tracked.span(0, 6)) == ("Morgen", (6, 12))


def test_overlapping_edits():
    with pytest.raises(ValueError, match="overlaps"):
        Tracked.of("abcdef").replace([(0, 3, "x"), (2, 4, "y")])


@given(st.text(max_size=12), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.text(max_size=3)), max_size=4))
def test_any_edits(text, edits):
    chosen, position = [], 0
    for begin, end, new in sorted(edits):
        if position <= begin <= end <= len(text):
            chosen.append((begin, end, new))
            position = end
    expected = text
    for begin, end, new in reversed(chosen):
        expected = expected[:begin] + new + expected[end:]
    tracked = Tracked.of(text).replace(chosen)
    assert tracked.text == expected
    assert len(tracked.begins) == len(tracked.ends) == len(expected)
    assert all(0 <= begin <= end <= len(text) for begin, end in zip(tracked.begins, tracked.ends))
    assert list(tracked.begins) == sorted(tracked.begins) and list(tracked.ends) == sorted(tracked.ends)
    kept = [index for index, (begin, end) in enumerate(zip(tracked.begins, tracked.ends)) if end == begin + 1 and text[begin] == expected[index]]
    if not chosen:
        assert len(kept) == len(text)


def test_range_is_the_reverse_of_span():
    tracked = Tracked.of("sieh example.org an").replace([(5, 16, "⟦0⟧")])
    assert tracked.range(5, 16) == tracked.range(6, 7) == (5, 8)
    assert tracked.range(17, 19) == (9, 11)
    assert tracked.range(0, 19) == (0, 11)


@given(st.text("abcé ", max_size=10), st.text("abcé ", max_size=10))
def test_changes(old, new):
    tracked = changes(old, new)
    assert tracked.text == new
    assert list(tracked.begins) == sorted(tracked.begins) and list(tracked.ends) == sorted(tracked.ends)
    assert all(0 <= begin <= end <= len(old) for begin, end in zip(tracked.begins, tracked.ends))


def test_changes_of_case_and_of_words():
    upper = changes("a man", "A MAN")
    assert upper.range(2, 5) == (2, 5)
    longer = changes("see ⟦0⟧ now", "see https://example.org now")
    assert longer.text[slice(*longer.range(4, 7))] == "https://example.org"
    assert longer.text[slice(*longer.range(8, 11))] == "now"
