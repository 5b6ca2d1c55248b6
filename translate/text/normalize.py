r"""One way of writing a text: composed characters (NFC), plain spaces, and nothing that can't be seen.

What nobody sees must not change a translation: soft hyphens, zero-width and bidirectional marks, and the other default-ignorable code points
are dropped (Unicode Standard Annex 44, property Default_Ignorable_Code_Point), control characters too. So is the zero-width space between two
words: whoever reads "Guten\u200bMorgen" sees one word, and in German text it marks where a long word may break. Every other white space is one
plain space. What makes up an emoji stays whole, and so do the joiners of scripts whose spelling needs them, as in Persian.
"""

from __future__ import annotations

import re
import unicodedata

from translate.text.tracked import Tracked

Edit = tuple[int, int, str]  # begin, end and the new text

SPACES = "\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
CONTROLS = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
IGNORABLES = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
JOINED = (
    "\u0600-\u109f\u1780-\u1cff\ua800-\ua8ff\ua980-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff"  # Arabic to Myanmar, Khmer to Vedic, ...
)
PICTURES = (
    "\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001f3fa\U0001f400-\U0001faff"
)
PICTURE = rf"[{PICTURES}](?:[\U0001f3fb-\U0001f3ff]?[\ufe0e\ufe0f]?)(?:[\U000e0020-\U000e007e]{{1,32}}\U000e007f)?"
KEPT = rf"{PICTURE}(?:\u200d{PICTURE})*|[0-9#*]\ufe0f\u20e3|(?<=[{JOINED}])[\u180b-\u180f\u200c\u200d]"
TOKEN = re.compile(f"(?P<kept>{KEPT})|(?P<space>[{SPACES}])|[{CONTROLS}{IGNORABLES}]+")
# Any other character may have to change, perhaps with its neighbours; those here begin no emoji and compose with nothing.
LATIN = "\x20-\x7e\xa1-\xa8\xaa-\xac\xaf-\xff"
PLAIN = (
    f"{LATIN}\u0100-\u02ff\u0370-\u0373\u0375-\u0377\u037a-\u037d\u0384-\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u0482\u048a-\u052f"
    "\u2010-\u2027\u2030-\u203b\u203d-\u2048\u204a-\u205e\u20a0-\u20c0"
)
SPECIAL_LATIN, SPECIAL = re.compile(f"[^{LATIN}]"), re.compile(f"[^{PLAIN}]")  # the first takes a third of the second's time


def normalize(text: str) -> str:
    """`text` in NFC, without invisible characters, each white space as a plain one. The same again for its own result."""
    if not SPECIAL_LATIN.search(text) or not SPECIAL.search(text):
        return text
    text = unicodedata.normalize("NFC", text)
    if edits := _edits(text):
        text = unicodedata.normalize("NFC", _apply(text, edits))  # what stood apart may compose now
    return text


def normalize_tracked(text: Tracked) -> Tracked:
    """As `normalize`, keeping the places of the characters in the original."""
    if not SPECIAL_LATIN.search(text.text) or not SPECIAL.search(text.text):
        return text
    text = _composed(text)
    if edits := _edits(text.text):
        text = _composed(text.replace(edits))
    return text


def _edits(text: str) -> list[Edit]:
    """What is dropped, and what becomes a space."""
    return [(*match.span(), " " if match["space"] else "") for match in TOKEN.finditer(text) if match["kept"] is None]


def _apply(text: str, edits: list[Edit]) -> str:
    parts, position = [], 0
    for begin, end, new in edits:
        parts += [text[position:begin], new]
        position = end
    return "".join([*parts, text[position:]])


def _composed(text: Tracked) -> Tracked:
    """In NFC. What is composed of several characters, or changes its order with others, has the span of all of them."""
    if unicodedata.is_normalized("NFC", text.text):
        return text
    parts, begins, ends, begin = [], list[int](), list[int](), 0
    for end in _starts(text.text):
        part = unicodedata.normalize("NFC", text.text[begin:end])
        changed = part != text.text[begin:end]
        first, last = text.span(begin, end)
        parts.append(part)
        begins += [first] * len(part) if changed else text.begins[begin:end]
        ends += [last] * len(part) if changed else text.ends[begin:end]
        begin = end
    whole, joined = unicodedata.normalize("NFC", text.text), "".join(parts)
    # letters may compose, in scripts newer than Python's tables of marks
    return Tracked(joined, begins, ends) if joined == whole else text.replace([(0, len(text), whole)])


def _starts(text: str) -> list[int]:
    """Where a base character begins, after the first one, and the end of the text: marks and the later letters of a Korean syllable follow it."""
    follows = [unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff" for character in text]
    return [index for index in range(1, len(text)) if not follows[index]] + [len(text)]
