"""Finds text unfit to train on, translate or score: one set of rules for `check`, `train`, `evaluate` and `score`.

Knows nothing of files or models. Every rule has a minimum share of lines, so a few bad lines in a large corpus don't trigger it, and none
fires on the corpora that the recipes use. A few thousand lines are enough: pass a sample of a large corpus.
"""

from __future__ import annotations

import html.entities
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

# A full stop or comma after a space, or joined to its word. Not "?!:;", which French puts after a space; not "..." and not the dot in 3.5.
_SPACED_MARK = re.compile(r"\S[ \t]+[.,](?=\s|$)")
_JOINED_MARK = re.compile(r"[^\s.,][.,](?=\s|$)")
# English clitics, separate as in the Penn Treebank ("dog 's", "do n't") or joined. Only after a word, so that quotes don't count.
_SPACED_CLITIC = re.compile(r"\w (?:['’](?:s|m|d|ll|re|ve)|n['’]t)(?=\s|$)")
_JOINED_CLITIC = re.compile(r"\w['’](?:s|m|d|ll|re|ve|t)\b")
_MOSES_HYPHEN = re.compile(r"\w @-@ \w")
_NOTHING = re.compile(r"(?!)")
_TOKENISED = (  # tokenised if more lines match the first pattern than the second, and more than this percentage does
    ("a space before the full stop or comma", _SPACED_MARK, _JOINED_MARK, 1),
    ("endings like 's or n't separate from their word", _SPACED_CLITIC, _JOINED_CLITIC, 2),  # German "gibt 's" is rarer
    ("hyphens as @-@", _MOSES_HYPHEN, _NOTHING, 0),
)
# partly tokenised: above this percentage, and at least this many lines; plain text stays below 1%
MIXED, FEWEST = 10, 20

# Marks that only subword tokenisers write: SentencePiece (pieces, bytes), byte-level BPE (inside a word: Maltese words begin with Ġ), older BPE.
_SUBWORD_SIGN = re.compile(r"▁|<0x[0-9A-F]{2}>|[a-z]Ġ|</w>")
# Marks that occur now and then in genuine text: subword-nmt "wo@@ rd", WordPiece "wo ##rd".
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
_HEADER = frozenset(  # the whole first line, lower-cased, other characters as _
    (
        "id source src target tgt trg reference ref hypothesis hyp translation translated translation_de translation_en text sentence sentence1 "
        "sentence2 sentences source_text target_text src_text tgt_text source_sentence target_sentence source_language target_language source_lang "
        "target_lang de en fr es it nl pt pl cs ru zh ja ko ar tr deu ger eng de_de en_us en_gb german english deutsch englisch german_sentence "
        "english_sentence source_segment target_segment quelle ziel quelltext zieltext"
    ).split()
)

# Letters and marks of European text in UTF-8, decoded with the wrong encoding: "RÃ¶m", "R√∂m", "R├Âm".
_LETTERS = "ÄÖÜ" + "".join(map(chr, range(0xDF, 0x100))).replace("÷", "")
_MARKS = "’‘“”„‚–—…•€™" + "".join(map(chr, range(0xA0, 0xC0)))
_CENTRAL = "".join(map(chr, range(0x100, 0x180)))  # Polish, Czech, Turkish: "Ä…" may be genuine, so it counts only after a lower-case letter
_CONTINUATION = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"


def _misread(characters: str, encoding: str) -> Iterator[str]:
    for character in characters:
        data = character.encode("utf-8")
        yield "".join(_decoded(byte, encoding) for byte in data)


def _decoded(byte: int, encoding: str) -> str:
    try:
        return bytes([byte]).decode(encoding)
    except UnicodeDecodeError:  # five bytes are undefined in Windows-1252; programs leave them as they are
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
_MOJIBAKE_STARTS = re.compile("[ÃÂâÄÅÐÑÎÏØÙ√¬‚├┬Ô\x80-\x84\x86-\x9f]")  # a fast check that rules out most lines
_ENTITY = re.compile(rf"&(?:{'|'.join(html.entities.name2codepoint)}|apos|bar|#\d{{2,6}}|#x[0-9a-fA-F]{{2,6}});")
# Some scripts need these marks. A joiner counts only between Latin letters: it also joins emoji.
_NEEDS_MARKS = re.compile("[\u0590-\u08ff\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069]|(?<=[A-Za-z\u00c0-\u024f])[\u200c\u200d]")
_COMBINING = re.compile("[^\\W\\d_][\u0300-\u036f]")


def _mojibake(text: str) -> re.Match[str] | None:
    return _MOJIBAKE.search(text) if _MOJIBAKE_STARTS.search(text) else None


def _invisible(text: str) -> re.Match[str] | None:
    return None if _NEEDS_MARKS.search(text) else _INVISIBLE.search(text)


def _decomposed(text: str) -> re.Match[str] | None:
    """A letter and its accent as two characters although a single one exists."""
    match = _COMBINING.search(text)
    return match if match and not unicodedata.is_normalized("NFC", text) else None


# name, search function, lines per thousand from which it counts, advice
_CHARACTERS: tuple[tuple[str, Callable[[str], re.Match[str] | None], int, str], ...] = (
    ("HTML entities", _ENTITY.search, 2, "unescape them first"),
    ("JSON escapes", re.compile(r"\\u[0-9a-fA-F]{4}").search, 2, "read the file with a JSON parser and write only the text"),
    ("text decoded in the wrong encoding", _mojibake, 2, "convert it again from the original, as UTF-8 (the Python package ftfy can repair it)"),
    ("replacement characters (U+FFFD), left by a failed decoding,", re.compile("\ufffd").search, 5, "convert it again from the original"),
    ("soft hyphens", re.compile("\u00ad").search, 5, "remove them: they are invisible and split words"),
    ("invisible characters", _invisible, 10, "remove them: zero-width and direction marks split words"),
    ("letters and accents as two characters (NFD)", _decomposed, 2, "normalise it to NFC"),
)


def text_warnings(name: str, texts: Sequence[str], numbers: Sequence[int] | None = None) -> list[str]:
    """One sentence per problem: what, in how many lines, the first of them, what to do. Empty if there are none.

    name: what to call the text, such as "the reference" or "train.de". numbers: the line number of each text in a sample; by default they
    count from 1. Only line 1 can be a header row.
    """
    sample = _Sample(texts, numbers)
    if not texts:
        return []
    problems = list(_structure(sample))
    problems += [*_tokenised(sample), *_subwords(sample)]
    for what, search, per_mille, advice in _CHARACTERS:
        if what == "JSON escapes" and any(text.startswith("is JSON") for text in problems):
            continue
        lines = [index for index, text in enumerate(texts) if search(text)]
        if sample.share(lines) * 1000 >= per_mille:
            problems.append(f"has {what} like {sample.example(search, lines[0])} {sample.where(lines)}: {advice}")
    capitals = [index for index, text in enumerate(texts) if is_upper(text)]
    if sample.share(capitals) > 0.5:
        problems.append(f"is in capitals {sample.where(capitals)}: models and scores are case-sensitive, use text in normal case")
    return [f"{name} {text}" for text in problems]


class _Sample:
    """The lines examined, and descriptions of where among them a problem is."""

    def __init__(self, texts: Sequence[str], numbers: Sequence[int] | None) -> None:
        self.texts, self.numbers = texts, numbers

    def number(self, index: int) -> int:
        return index + 1 if self.numbers is None else self.numbers[index]

    def share(self, lines: Sequence[int]) -> float:
        return len(lines) / len(self.texts)

    def where(self, lines: Sequence[int]) -> str:
        examined = "" if self.numbers is None else " examined"
        return f"in {len(lines):,} of {len(self.texts):,} lines{examined} (first: line {self.number(lines[0]):,})"

    def lines(self, pattern: re.Pattern[str]) -> list[int]:
        return [index for index, text in enumerate(self.texts) if pattern.search(text)]

    def example(self, search: Callable[[str], re.Match[str] | None], index: int) -> str:
        match = search(self.texts[index])
        return visible(match[0]) if match else ""

    def starting(self, pattern: re.Pattern[str]) -> list[int]:
        return [index for index, text in enumerate(self.texts) if pattern.match(text)]


def _structure(sample: _Sample) -> Iterator[str]:
    """Files that are not lines of text: markup, JSON, columns, CSV, a header row."""
    texts, tagged = sample.texts, sample.lines(_TAG)
    segments = sample.lines(_SEGMENT)
    if (sample.number(0) == 1 and _MARKUP_START.match(texts[0]) and tagged) or sample.share(segments) > 0.5:
        yield (
            f"is SGML, XML or HTML, with tags {sample.where(tagged or segments)}: extract the text, one segment per line "
            r"(for .sgm: sed -n 's:.*<seg[^>]*>\(.*\)</seg>.*:\1:p')"
        )
    elif sample.share(tagged) * 100 >= 1:
        yield f"has HTML or XML tags like {sample.example(_TAG.search, tagged[0])} {sample.where(tagged)}: remove them"
    objects, members = sample.starting(_JSON), sample.starting(_JSON_MEMBER)
    if sample.share(objects) > 0.5 or sample.share(members) > 0.3:
        yield f"is JSON {sample.where(sorted({*objects, *members}))}: extract the text field, one per line"
    yield from _columns(sample)
    if sample.number(0) == 1 and len(texts) >= 3 and (first := _header(texts[0])) in _HEADER:
        if not any(len(text) <= len(texts[0]) + 4 and _header(text) == first for text in texts[1:]):
            yield f"begins with {visible(texts[0].strip())}, which looks like the header row of a table (line 1 of {len(texts):,}): remove that line"


def _header(text: str) -> str:
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_") if re.fullmatch(r"[\w\s\"'.-]+", text) else ""


def _columns(sample: _Sample) -> Iterator[str]:
    numbers, tabs = sample.starting(_NUMBER_COLUMN), sample.lines(re.compile("\t"))
    bars, rows = sample.lines(re.compile(r" \|\|\| ")), sample.lines(_CSV_ROW)
    if sample.share(numbers) > 0.5:
        column = sample.texts[numbers[0]].count("\t") + 1
        yield (
            f"has numbers and a tab before the text, as `translate file --scores` and --n-best write them, {sample.where(numbers)}: "
            f"keep only the text, for example with cut -f {column}"
        )
    elif sample.share(tabs) > 0.5:
        yield f"has columns, separated by tabs, {sample.where(tabs)}: keep the one with the text, for example with cut -f 1"
    if sample.share(bars) > 0.5:
        yield f"has columns, separated by |||, {sample.where(bars)}: keep the one with the text"
    if sample.share(rows) > 0.5:
        yield f"has columns in quotes, as in CSV, {sample.where(rows)}: keep the one with the text"
        return
    quoted = sample.starting(_QUOTED)
    doubled = [index for index in quoted if '""' in sample.texts[index].strip().strip('"')]
    commas = sample.lines(re.compile(","))
    quoted_commas = set(quoted).intersection(commas)
    minimal = len(commas) >= 5 and len(quoted_commas) >= 0.9 * len(commas)
    if (sample.share(quoted) > 0.8 and len(quoted) >= 3) or minimal or sample.share(doubled) * 100 >= 1:
        yield f"has quotes around the text, as cells of CSV have, {sample.where(quoted)}: read the file with a CSV parser, which removes them"


def _tokenised(sample: _Sample) -> Iterator[str]:
    for what, spaced_pattern, joined_pattern, percent in _TOKENISED:
        spaced = sample.lines(spaced_pattern)
        share = sample.share(spaced) * 100
        if (share > MIXED and len(spaced) >= FEWEST) or (share > percent and len(spaced) > len(sample.lines(joined_pattern))):
            yield f"looks tokenised: {what} {sample.where(spaced)}; detokenise it first"
            return


def _subwords(sample: _Sample) -> Iterator[str]:
    signs, affixes = sample.lines(_SUBWORD_SIGN), sample.lines(_SUBWORD_AFFIX)
    if sample.share(signs) * 1000 >= 2 or sample.share(affixes) * 100 >= 1:
        yield f"still has subword marks {sample.where(sorted({*signs, *affixes}))}: join the pieces first"


def is_upper(text: str) -> bool:
    """Whether a line is in capitals: at least four of them, no lower-case letter, and not just a few Latin ones in Chinese or Japanese text."""
    capitals = sum(map(str.isupper, text))
    return capitals >= 4 and not any(map(str.islower, text)) and 2 * capitals > sum(map(str.isalpha, text))


def visible(text: str) -> str:
    """The start of `text` for a message, with invisible characters as U+XXXX."""
    return "".join(c if c.isprintable() and not unicodedata.combining(c) else f"U+{ord(c):04X}" for c in text[:40])
