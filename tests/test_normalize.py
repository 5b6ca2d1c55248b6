"""The normaliser: composed characters, plain spaces, nothing invisible, and the place of every character."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.text.normalize import CONTROLS, IGNORABLES, SPACES, SPECIAL, normalize, normalize_tracked
from translate.text.tracked import Tracked

FAMILY, SCOTLAND = "👩\u200d👩\u200d👧\u200d👦", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
PIECES = [
    *"aä1#e '-.é", "\u0308", "\u0327", "\u0338", "\u0345", "ﬁ", "Å", "\u212b", "½", "ç", "\xad", "\u200b", "\u200c", "\u200d", "\u200e", "\u2066",
    "\ufeff", "\ufe0f", "\ufe0e", "\u034f", "\u20e3", "\xa0", "\u2009", "\u3000", "\t", "\n", "\x85", "\x1f", "\x00", "\x07", "❤", "👩", "🏽", "🏴",
    "\U000e0067", "\U000e007f", "🇩", "🇪", "©", "≠", "←", "\u06cc", "\u0915", "\u094d", "\u180b", "\u1820", "\u1100", "\u1161", "\u11a8", "가",
    "\U00016d67",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=20)


@pytest.mark.parametrize(
    "text, normal",
    [
        ("Die Donau\xaddampf\u200bschiff\ufefffahrt.", "Die Donaudampfschifffahrt."),
        ("\u200eGuten\u2060\u200bMorgen\u202c.", "GutenMorgen."),  # nobody saw a space there
        ("Scho\u0308n, A\u030angstro\u0308m, \u212b", "Schön, Ångström, Å"),
        ("a\u034f\u0308", "ä"),  # composes once they are neighbours
        ("10\xa0km\u2009und\u202f5\u3000m\tweit\u2028oben\x85", "10 km und 5 m weit oben "),
        ("\ufeffAb\x07c\x00 \x1b[0m", "Abc [0m"),
        ("ﬁ ½ ² ™ … „Ａ“ x₂", "ﬁ ½ ² ™ … „Ａ“ x₂"),  # compatibility characters are the user's
        (f"Wir {FAMILY} in {SCOTLAND}: ❤\ufe0f 1\ufe0f\u20e3 👍🏽 🇩🇪!", f"Wir {FAMILY} in {SCOTLAND}: ❤\ufe0f 1\ufe0f\u20e3 👍🏽 🇩🇪!"),
        ("1\ufe0f a\ufe0f \u200d👩\u200d b\u200d👩 🏴\U000e0067", "1 a 👩 b👩 🏴"),  # no emoji is made of these
        ("می\u200cخواهم क\u094d\u200dष x\u200cy", "می\u200cخواهم क\u094d\u200dष xy"),
    ],
)  # fmt: skip
def test_examples(text, normal):
    assert normalize(text) == normal
    assert normalize_tracked(Tracked.of(text)).text == normal


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_normalising_again_changes_nothing_and_nothing_invisible_is_left(text):
    normal = normalize(text)
    assert normalize(normal) == normal and unicodedata.is_normalized("NFC", normal)
    assert not re.search(f"[{CONTROLS}\xad\u200b\u200e\u2066\ufeff]", normal) and not re.search(f"[{SPACES}]", normal.replace(" ", ""))
    assert visible(normal) == visible(text)


def visible(text):
    """What can be seen, regardless of composition and order of marks."""
    return sorted(re.sub(f"[{CONTROLS}{IGNORABLES}{SPACES} ]", "", unicodedata.normalize("NFD", text)))


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.integers(0, 50))
def test_places(text, start):
    tracked = normalize_tracked(Tracked.of(text, start))
    assert tracked.text == normalize(text) and len(tracked.begins) == len(tracked.ends) == len(tracked.text)
    assert all(start <= begin < end <= start + len(text) for begin, end in zip(tracked.begins, tracked.ends))
    assert list(tracked.begins) == sorted(tracked.begins) and list(tracked.ends) == sorted(tracked.ends)
    for index, character in enumerate(tracked.text):  # each comes from a part of the original that normalises to a text with it
        part = text[tracked.begins[index] - start : tracked.ends[index] - start]
        assert character in normalize(part) or character in part


def test_every_character_alone():
    """The classes against Python's tables: format characters, white space, controls, and what the fast path lets through."""
    visible_formats = {0x6DD, 0x70F, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606), 0x890, 0x891, *range(0xFFF9, 0xFFFC), *range(0x13430, 0x13440)}
    hidden = re.compile(f"[{IGNORABLES}]")
    for number in (*range(0xD800), *range(0xE000, sys.maxunicode + 1)):
        character = chr(number)
        category = unicodedata.category(character)
        ignorable = bool(hidden.match(character))
        if category == "Cf":
            assert ignorable == (number not in visible_formats), hex(number)
        elif ignorable:  # selectors and joiners among the marks, Korean fillers, and what Unicode reserves
            assert (
                category == "Cn"
                or (category == "Mn" and re.search("SELECTOR|JOINER|INHERENT", unicodedata.name(character)))
                or (category == "Lo" and "FILLER" in unicodedata.name(character))
            ), hex(number)
        if category == "Cc" or category[0] == "Z":
            assert normalize(character) == (" " if character.isspace() else ""), hex(number)
        if not SPECIAL.match(character):
            assert not ignorable and category[0] not in "CMZ" or character == " ", hex(number)
            assert unicodedata.is_normalized("NFC", character), hex(number)


@pytest.mark.parametrize("part", ["a\xad", "\u200d", "👩\u200d", "a\u0308\u0301", "🏴\U000e0067", "\u0915\u200d"])
def test_long_texts(part):
    text = part * 100_000
    assert normalize_tracked(Tracked.of(text)).text == normalize(text)
