"""What makes lines of text unfit to train on, translate or score: one set of rules for `check`, `train`, `evaluate` and `score`.

Knows text only, neither files nor models. Every rule needs a share of the lines, so that a few spoilt lines of a large corpus say nothing, and
none fires on the corpora that the recipes use. Some thousand lines are enough: of a large corpus, give it a sample.
"""

from __future__ import annotations

import html.entities
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

# A full stop or comma after a space, or joined to its word. Not "?!:;", which French puts after a space; not "..." and not the dot in 3.5.
_SPACED_MARK = re.compile(r"\S[ \t]+[.,](?=\s|$)")
_JOINED_MARK = re.compile(r"[^\s.,][.,](?=\s|$)")
# English clitics, separate as in the Penn Treebank ("dog 's", "do n't") or joined. Only between words, so that quoted words don't count.
_SPACED_CLITIC = re.compile(r"\w (?:['’](?:s|m|d|ll|re|ve)|n['’]t)(?=\s|$)")
_JOINED_CLITIC = re.compile(r"\w['’](?:s|m|d|ll|re|ve|t)\b")
_MOSES_HYPHEN = re.compile(r"\w @-@ \w")
_NOTHING = re.compile(r"(?!)")
_TOKENISED = (  # text is tokenised if more lines have the first than the second, and at least this many in a hundred do
    ("a space before the full stop or comma", _SPACED_MARK, _JOINED_MARK, 1),
    ("endings like 's or n't separate from their word", _SPACED_CLITIC, _JOINED_CLITIC, 2),  # German "gibt 's" is rarer
    ("hyphens as @-@", _MOSES_HYPHEN, _NOTHING, 0),
)
# a corpus that is partly tokenised: more than so many lines in a hundred, and at least so many; plain text has at most 1 in a hundred
MIXED, FEWEST = 10, 20

# Marks that only a subword tokeniser writes: SentencePiece (also a byte), byte-level BPE (inside a word: Maltese words begin with it), older BPE.
_SUBWORD_SIGN = re.compile(r"▁|<0x[0-9A-F]{2}>|[a-z]Ġ|</w>")
# Marks that may be in genuine text once in a while: subword-nmt "wo@@ rd", WordPiece "wo ##rd".
_SUBWORD_AFFIX = re.compile(r"\w@@(?=\s|$)|\S ##\w")

_TAG = re.compile(
    r"</(?!w>)[A-Za-z][\w:.-]*\s*>"
    r"|<[A-Za-z][\w:.-]*(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>=]+))+\s*/?>"
    r"|<(?:[A-Za-z][\w:.-]*\s*/|br|hr|p|b|i|u|em|strong|li|td|tr|div|span)>",
    re.IGNORECASE,
)
_MARKUP_START = re.compile(r"\s*<(?:\?xml|!doctype|(?:srcset|refset|tstset|mteval|dataset|tmx|xliff|html|docs?)\b[^<>]*>)", re.IGNORECASE)
_SEGMENT = re.compile(r"<(?:h?seg|tuv|tu)\b[^<>]*>", re.IGNORECASE)
_JSON = re.compile(r"\s*\{\s*\".*\}\s*,?\s*$")
_JSON_MEMBER = re.compile(r"\s*\"[^\"]+\"\s*:\s")
_NUMBER_COLUMN = re.compile(r"(?:\d+\t)?-?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf|nan)\t", re.IGNORECASE)
_CSV_ROW = re.compile(r"\"[,;]\"")
_QUOTED = re.compile(r"\s*\"(.*)\"\s*$")
_HEADER = frozenset(  # a whole first line, small letters, other characters as _
    (
        "id source src target tgt trg reference ref hypothesis hyp translation translated translation_de translation_en text sentence sentence1 "
        "sentence2 sentences source_text target_text src_text tgt_text source_sentence target_sentence source_language target_language source_lang "
        "target_lang de en fr es it nl pt pl cs ru zh ja ko ar tr deu ger eng de_de en_us en_gb german english deutsch englisch german_sentence "
        "english_sentence source_segment target_segment quelle ziel quelltext zieltext"
    ).split()
)

# Letters and marks of European text in UTF-8, as they look when read in another encoding: "RÃ¶m", "R√∂m", "R├Âm".
_LETTERS = "ÄÖÜ" + "".join(map(chr, range(0xDF, 0x100))).replace("÷", "")
_MARKS = "’‘“”„‚–—…•€™" + "".join(map(chr, range(0xA0, 0xC0)))
_CENTRAL = "".join(map(chr, range(0x100, 0x180)))  # Polish, Czech, Turkish: "Ä…" may be genuine, and counts only after a small letter
_CONTINUATION = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"


def _misread(characters: str, encoding: str) -> Iterator[str]:
    for character in characters:
        data = character.encode("utf-8")
        yield "".join(_decoded(byte, encoding) for byte in data)


def _decoded(byte: int, encoding: str) -> str:
    try:
        return bytes([byte]).decode(encoding)
    except UnicodeDecodeError:  # five bytes mean nothing in Windows-1252; programs leave them as they are
        return chr(byte)


def _any_of(texts: Iterable[str]) -> str:
    return "|".join(sorted(set(map(re.escape, texts))))


_SEQUENCES = (
    [_any_of(_misread(_LETTERS + _MARKS, encoding)) for encoding in ("cp1252", "latin-1")]
    + [_any_of(_misread("äöüßÄÖÜéèáàñç’“”„–—…", encoding)) for encoding in ("mac_roman", "cp850")]
    + [f"(?<=[a-z])(?:{_any_of(_misread(_CENTRAL, 'cp1252'))})", f"(?:[ÐÑÎÏØÙ]{_CONTINUATION}){{2}}"]  # the last: Cyrillic, Greek, Arabic
    + ["[\x80-\x84\x86-\x9f]"]  # quotes and dashes of Windows-1252, read as Latin-1
)
_MOJIBAKE = re.compile("|".join(_SEQUENCES))
_MOJIBAKE_STARTS = re.compile("[ÃÂâÄÅÐÑÎÏØÙ√¬‚├┬Ô\x80-\x84\x86-\x9f]")  # few lines have one, and this search is fast
_ENTITY = re.compile(rf"&(?:{'|'.join(html.entities.name2codepoint)}|apos|bar|#\d{{2,6}}|#x[0-9a-fA-F]{{2,6}});")
# Scripts that need such marks; and a joiner counts between Latin letters only: it also joins emoji.
_NEEDS_MARKS = re.compile("[\u0590-\u08ff\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069]|(?<=[A-Za-z\u00c0-\u024f])[\u200c\u200d]")
_COMBINING = re.compile("[^\\W\\d_][\u0300-\u036f]")


def _mojibake(text: str) -> re.Match[str] | None:
    return _MOJIBAKE.search(text) if _MOJIBAKE_STARTS.search(text) else None


def _invisible(text: str) -> re.Match[str] | None:
    return None if _NEEDS_MARKS.search(text) else _INVISIBLE.search(text)


def _decomposed(text: str) -> re.Match[str] | None:
    """A letter and its accent as two characters where there is one for both."""
    found = _COMBINING.search(text)
    return found if found and not unicodedata.is_normalized("NFC", text) else None


# what, how to find it in a line, lines in a thousand from which on it counts, what to do
_CHARACTERS: tuple[tuple[str, Callable[[str], re.Match[str] | None], int, str], ...] = (
    ("HTML entities", _ENTITY.search, 2, "unescape them first"),
    ("JSON escapes", re.compile(r"\\u[0-9a-fA-F]{4}").search, 2, "read the file with a JSON parser and write only the text"),
    ("text decoded in the wrong encoding", _mojibake, 2, "convert it again from the original, as UTF-8 (the Python package ftfy mends it)"),
    ("replacement characters, put where bytes were not valid in the encoding,", re.compile("\ufffd").search, 5, "convert it again from the original"),
    ("soft hyphens", re.compile("\u00ad").search, 5, "remove them: they are invisible, and split words"),
    ("invisible characters", _invisible, 10, "remove them: zero-width and direction marks split words"),
    ("letters and accents as two characters (NFD)", _decomposed, 2, "normalise it to NFC"),
)


def text_warnings(name: str, texts: Sequence[str], numbers: Sequence[int] | None = None) -> list[str]:
    """One sentence for each thing that makes these lines unfit: what, in how many lines, the first of them, what to do. Empty if all looks well.

    name: what to call the text, such as "the reference" or "train.de". numbers: the line number of each text where they are a sample; default:
    they are counted from 1. A header row is looked for in line 1 only.
    """
    place = _Place(texts, numbers)
    if not texts:
        return []
    found = list(_structure(place))
    found += [*_tokenised(place), *_subwords(place)]
    for what, search, per_mille, advice in _CHARACTERS:
        if what == "JSON escapes" and any(text.startswith("is JSON") for text in found):
            continue
        lines = [index for index, text in enumerate(texts) if search(text)]
        if place.share(lines) * 1000 >= per_mille:
            found.append(f"has {what} like {place.example(search, lines[0])} {place.where(lines)}: {advice}")
    capitals = [index for index, text in enumerate(texts) if is_upper(text)]
    if place.share(capitals) > 0.5:
        found.append(f"is in capitals {place.where(capitals)}: models and scores are case-sensitive, use text in normal case")
    return [f"{name} {text}" for text in found]


class _Place:
    """The lines looked at, and how to say where among them something is."""

    def __init__(self, texts: Sequence[str], numbers: Sequence[int] | None) -> None:
        self.texts, self.numbers = texts, numbers

    def number(self, index: int) -> int:
        return index + 1 if self.numbers is None else self.numbers[index]

    def share(self, lines: Sequence[int]) -> float:
        return len(lines) / len(self.texts)

    def where(self, lines: Sequence[int]) -> str:
        looked = "" if self.numbers is None else " looked at"
        return f"in {len(lines):,} of {len(self.texts):,} lines{looked} (first: line {self.number(lines[0]):,})"

    def lines(self, pattern: re.Pattern[str]) -> list[int]:
        return [index for index, text in enumerate(self.texts) if pattern.search(text)]

    def example(self, search: Callable[[str], re.Match[str] | None], index: int) -> str:
        match = search(self.texts[index])
        return visible(match[0]) if match else ""

    def starting(self, pattern: re.Pattern[str]) -> list[int]:
        return [index for index, text in enumerate(self.texts) if pattern.match(text)]


def _structure(place: _Place) -> Iterator[str]:
    """Files that are no lines of text: markup, JSON, columns, CSV, a header row."""
    texts, tagged = place.texts, place.lines(_TAG)
    segments = place.lines(_SEGMENT)
    if (place.number(0) == 1 and _MARKUP_START.match(texts[0]) and tagged) or place.share(segments) > 0.5:
        yield (
            f"is SGML, XML or HTML, with tags {place.where(tagged or segments)}: take out the text, one segment a line "
            r"(for .sgm: sed -n 's:.*<seg[^>]*>\(.*\)</seg>.*:\1:p')"
        )
    elif place.share(tagged) * 100 >= 1:
        yield f"has HTML or XML tags like {place.example(_TAG.search, tagged[0])} {place.where(tagged)}: remove them"
    objects, members = place.starting(_JSON), place.starting(_JSON_MEMBER)
    if place.share(objects) > 0.5 or place.share(members) > 0.3:
        yield f"is JSON {place.where(sorted({*objects, *members}))}: write the field that holds the text, one a line"
    yield from _columns(place)
    if place.number(0) == 1 and len(texts) >= 3 and (first := _header(texts[0])) in _HEADER:
        if not any(len(text) <= len(texts[0]) + 4 and _header(text) == first for text in texts[1:]):
            yield f"begins with {visible(texts[0].strip())}, which looks like the header row of a table (line 1 of {len(texts):,}): remove that line"


def _header(text: str) -> str:
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_") if re.fullmatch(r"[\w\s\"'.-]+", text) else ""


def _columns(place: _Place) -> Iterator[str]:
    numbers, tabs = place.starting(_NUMBER_COLUMN), place.lines(re.compile("\t"))
    bars, rows = place.lines(re.compile(r" \|\|\| ")), place.lines(_CSV_ROW)
    if place.share(numbers) > 0.5:
        column = place.texts[numbers[0]].count("\t") + 1
        yield (
            f"has numbers and a tab before the text, as `translate file --scores` and --n-best write them, {place.where(numbers)}: "
            f"keep only the text, such as with cut -f {column}"
        )
    elif place.share(tabs) > 0.5:
        yield f"has columns, separated by tabs, {place.where(tabs)}: keep the one with the text, such as with cut -f 1"
    if place.share(bars) > 0.5:
        yield f"has columns, separated by |||, {place.where(bars)}: keep the one with the text"
    if place.share(rows) > 0.5:
        yield f"has columns in quotes, as in CSV, {place.where(rows)}: keep the one with the text"
        return
    quoted = place.starting(_QUOTED)
    doubled = [index for index in quoted if '""' in place.texts[index].strip().strip('"')]
    commas = place.lines(re.compile(","))
    quoted_commas = set(quoted).intersection(commas)
    minimal = len(commas) >= 5 and len(quoted_commas) >= 0.9 * len(commas)
    if (place.share(quoted) > 0.8 and len(quoted) >= 3) or minimal or place.share(doubled) * 100 >= 1:
        yield f"has quotes around the text, as cells of CSV have, {place.where(quoted)}: read the file with a CSV parser, which removes them"


def _tokenised(place: _Place) -> Iterator[str]:
    for what, spaced_pattern, joined_pattern, percent in _TOKENISED:
        spaced = place.lines(spaced_pattern)
        share = place.share(spaced) * 100
        if (share > MIXED and len(spaced) >= FEWEST) or (share > percent and len(spaced) > len(place.lines(joined_pattern))):
            yield f"looks tokenised: {what} {place.where(spaced)}; detokenise it first"
            return


def _subwords(place: _Place) -> Iterator[str]:
    signs, affixes = place.lines(_SUBWORD_SIGN), place.lines(_SUBWORD_AFFIX)
    if place.share(signs) * 1000 >= 2 or place.share(affixes) * 100 >= 1:
        yield f"still has subword marks {place.where(sorted({*signs, *affixes}))}: join the pieces first"


def is_upper(text: str) -> bool:
    """Whether a line is in capitals: at least four of them, no small letter, and not a few Latin capitals in Chinese or Japanese text."""
    capitals = sum(map(str.isupper, text))
    return capitals >= 4 and not any(map(str.islower, text)) and 2 * capitals > sum(map(str.isalpha, text))


def visible(text: str) -> str:
    """A short piece of text for a message; what is invisible by its number."""
    return "".join(c if c.isprintable() and not unicodedata.combining(c) else f"U+{ord(c):04X}" for c in text[:40])
