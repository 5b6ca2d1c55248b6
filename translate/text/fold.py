"""Characters that a tokenizer has never seen, written with those that it has: „ as ", … as ..., é as e.

For the model's eyes only. An unknown character is a run of bytes to it, which it has learned nothing about, and it may lose the words around.
What training had is never changed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from translate.text.protected import find_items
from translate.text.tracked import Tracked

# what may stand for a character, the best first; a character without an entry has its compatibility form, its base letter, or its other case
SUBSTITUTES = {
    "„": "“\"«", "“": "”\"„»", "”": "“\"»", "‟": "“\"", "«": "\"„“", "»": "\"“”", '"': "”“„«", "″": '"”', "＂": '"', "〝": '"“', "〞": '"”',
    "‚": "‘'’", "‘": "’'‚", "’": "'‘", "‛": "‘'", "‹": "'‚‘", "›": "'‘’", "'": "’‘", "`": "'’", "´": "'’", "ʼ": "'’", "′": "'’",
    "–": "—-", "—": "–-", "―": "—–-", "‒": "–-", "−": "-–", "‐": "-", "‑": "-", "-": "‐–", "⁄": "/", "∕": "/", "•": "·-", "·": "•-", "×": "x",
    "ß": "", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ı": "i", "ð": "d",
}  # fmt: skip
SEVERAL = {
    "ß": "ss",
    "ẞ": "SS",
    "æ": "ae",
    "Æ": "Ae",
    "œ": "oe",
    "Œ": "Oe",
    "þ": "th",
    "Þ": "Th",
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "Ä": "Ae",
    "Ö": "Oe",
    "Ü": "Ue",
}
MOST_STEPS = 4  # from a character to one that is known


class Folding:
    """Rewrites what is unknown to one tokenizer."""

    def __init__(self, known: Iterable[str]) -> None:
        """known: the characters that its pieces are made of."""
        self.known = frozenset(known) | {" "}
        self._unknown = re.compile(f"[^{''.join(map(re.escape, sorted(self.known)))}]")
        self._found: dict[str, str] = {}

    def fold(self, text: Tracked) -> Tracked:
        """`text` with other characters for those that are unknown, where there are any for them; digits keep their value.

        Addresses, placeholders and the like, which are not words, stay as they are.
        """
        if not self._unknown.search(text.text):
            return text
        edits, items, following = [], find_items(text.text), 0
        for match in self._unknown.finditer(text.text):
            while following < len(items) and items[following].end <= match.start():
                following += 1
            if following < len(items) and items[following].begin <= match.start():
                continue
            character, before = match[0], text.text[match.start() - 1 : match.start()]
            new = self._found.get(character)
            if new is None:
                new = self._found[character] = self._substitute(character, MOST_STEPS) or character
            if new != character and before.isdecimal() and unicodedata.category(character) == "No":
                new = f" {new}" if "/" in new else character  # 5½ is 5 1/2; 10² is not 102
            if new != character:
                edits.append((match.start(), match.end(), new))
        return text.replace(edits)

    def _substitute(self, character: str, steps: int) -> str | None:
        """What is known and stands for `character`, or None."""
        if character in self.known:
            return character
        if not steps:
            return None
        for candidate in SUBSTITUTES.get(character, ""):
            if candidate in self.known:
                return candidate
        base = unicodedata.normalize("NFD", character)[0] if character.isalpha() else ""  # but no = for ≠
        for form in (unicodedata.normalize("NFKC", character), SEVERAL.get(character, ""), base, character.swapcase()):
            parts = [self._substitute(part, steps - 1) for part in form] if form != character else []
            if parts and None not in parts:
                return "".join(filter(None, parts))
        return None
