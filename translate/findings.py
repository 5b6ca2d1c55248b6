"""What may be wrong with a translation, seen from its two texts alone: a loop, a copy of the source, an odd length, numbers that are gone.

Knows neither model nor files; `translate file --report` writes what it finds. Everything here is a hint: a name is rightly a copy, and a
number may be rightly written out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

LONGEST_LOOP = 16  # tokens of the n-gram that repeats
REPEATS = 4  # of it, in a row; and twice as many as in the source
ODD_RATIO, ODD_TOKENS = 3.0, 12  # of the longer side to the shorter, where the longer has so many tokens
COPY_WORDS, COPY_SHARE = 4, 0.8

WORD = re.compile(r"[^\W\d_]+")
KINDS = {  # in this order: what one kind has found is gone for the next
    "placeholders": re.compile(r"\{[^{}\s]*\}"),
    "emails": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "urls": re.compile(r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)\]']"),
    "numbers": re.compile(r"\d+(?:[.,:]\d+)*"),
}


def repeats(tokens: Sequence) -> int:
    """How often in a row an n-gram of at most LONGEST_LOOP tokens comes, at most: 1 where none follows itself, 0 for no token."""
    most = min(1, len(tokens))
    for n in range(1, min(LONGEST_LOOP, len(tokens) // 2) + 1):
        run = 0
        for place in range(n, len(tokens)):
            run = run + 1 if tokens[place] == tokens[place - n] else 0
            most = max(most, run // n + 1)
    return most


def is_loop(source: Sequence, output: Sequence) -> bool:
    """Whether `output` repeats itself past what the source does; both in tokens."""
    found = repeats(output)
    return found >= REPEATS and found >= 2 * repeats(source)


def is_copy(source: str, output: str) -> bool:
    """Whether nearly all words of the source stand in the output: of at least COPY_WORDS words; a name alone is no copy."""
    before, after = (Counter(WORD.findall(text.casefold())) for text in (source, output))
    return before.total() >= COPY_WORDS and (before & after).total() >= COPY_SHARE * max(before.total(), after.total())


def is_odd_length(source_tokens: int, output_tokens: int) -> bool:
    longer, shorter = max(source_tokens, output_tokens), min(source_tokens, output_tokens)
    return longer >= ODD_TOKENS and longer > ODD_RATIO * shorter


def missing(source: str, output: str) -> dict[str, list[str]]:
    """What of the source is not in the output, by kind, only kinds that lack something: placeholders, e-mail addresses, URLs as they stand, and
    numbers by their digits, so that 1.234,5 is found in 1,234.5."""
    lost = {}
    for kind, pattern in KINDS.items():
        left = Counter(_key(kind, text) for text in pattern.findall(output))
        for text in pattern.findall(source):
            if left[_key(kind, text)] > 0:
                left[_key(kind, text)] -= 1
            else:
                lost.setdefault(kind, []).append(text)
        source, output = pattern.sub(" ", source), pattern.sub(" ", output)
    return lost


def _key(kind: str, text: str) -> str:
    return re.sub(r"\D", "", text) if kind == "numbers" else text
