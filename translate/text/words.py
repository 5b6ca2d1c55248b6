"""Words and punctuation marks of a text, as spans that cut no character in two.

A word is a run of letters and digits, with apostrophes and hyphens inside (`T-Shirt`, `don't`) and the points of a number (`3.5`). Every other
character is a word of its own. A character is what a reader takes for one (UAX #29, extended grapheme clusters): with its accents, an emoji sequence
as a whole.
"""

from __future__ import annotations

import re

import regex

from translate.text.tracked import Span

# Below U+0300 each code point is a character of its own, and Python's own expressions are three times as fast.
_PLAIN = re.compile(r"\w[\w\xad]*(?:(?:[-'\u2019]|(?<=\d)[.,:](?=\d))\w[\w\xad]*)*|[^\s\x00-\x1f\x7f-\x9f\xad]")
_RUN = r"(?=[\w\p{N}])\X(?:(?=[\w\p{N}\p{Cf}])\X)*"
_ANY = regex.compile(rf"{_RUN}(?:(?:(?=[-'\u2019])\X|(?<=\d)(?=[.,:])\X(?=\d)){_RUN})*|(?![\s\p{{Cc}}\p{{Cf}}])\X")


def word_spans(text: str) -> list[Span]:
    """Begin and end of each word, in order, in characters of `text`. White space and lone invisible characters belong to none."""
    pattern = _PLAIN if text.isascii() or max(text) < "\u0300" else _ANY
    return [match.span() for match in pattern.finditer(text)]
