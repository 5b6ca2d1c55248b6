"""Cuts lines too long for the model into pieces that fit: at sentence ends if possible, else clause ends, white space, anywhere.

Used by translation/pieces.py. Knows nothing of tokenizers or models.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable

# A capital or a digit must follow, perhaps after an opening quote; abbreviations are checked afterwards.
# The look-behinds keep runs of 100,000 dots or spaces from being tried at every position.
SENTENCE = re.compile(r"(?<![.!?…])[.!?…]+[\"'”“’»«)\]]*(?P<gap>\s+)(?=[\"'„“‘‚»«¿¡(\[–—-]*(?P<next>\w))")
CLAUSE = re.compile(
    r"[;:,–—][\"'”“’»«)\]]*(?P<after>\s+)|(?P<before>(?<!\s)\s+)(?=(?:und|oder|aber|denn|sondern|weil|dass|wenn|and|or|but|because|that|when|which)\s)"
)
SPACE = re.compile(r"\s+")
LAST_WORD = re.compile(r"\w+$")
# Single letters (z. B., d. h., J. S. Bach), ordinals (3. Oktober, XIV.) and these are followed by a full stop that does not end a sentence.
ORDINAL = re.compile(r"\d{1,2}|[IVX]+")
ABBREVIATIONS = frozenset(
    """abb abs allg art aufl bd bspw bzgl bzw ca co corp dipl dr etw evtl ev exkl fa feat fig ggf hr hrn hrsg inc ing inkl insb jan feb apr aug
    sept okt nov dez jh jhd jr kap ltd max med min mio mr mrd mrs ms mt nr phil prof rd rev sen sog sr st std str tel tsd ung urspr verf vgl vol vs
    zb zzgl zzt""".split()
)
FIRST_GUESS = 512  # characters


def split_line(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Cut `text` greedily into pieces that each satisfy `fits`; `[]` for blank text, `[text]` if it fits.

    Only white space at the cuts and the two ends is lost, and no piece is blank. If `fits` holds for a text, it should hold for its prefixes;
    otherwise pieces may be shorter than necessary. A single character that does not fit becomes a piece anyway.
    Each piece costs about twenty calls of `fits` on texts of at most twice its length, however long `text` is.
    """
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if begin >= end:
        return []
    if end - begin <= FIRST_GUESS and fits(text[begin:end]):
        return [text[begin:end]]
    levels = [_sentence_ends(text), _clause_ends(text), [match.span() for match in SPACE.finditer(text)]]
    pieces = []
    guess = FIRST_GUESS
    while begin < end:
        limit = begin + guess
        while limit < end and fits(text[begin:limit]):
            limit += limit - begin
        if limit >= end:
            if fits(text[begin:end]):
                pieces.append(text[begin:end])
                break
            limit = end
        cut, resume = _best_cut(text, begin, limit, levels, fits)
        pieces.append(text[begin:cut])
        guess = max(16, 2 * (cut - begin))
        begin = resume
        while begin < end and text[begin].isspace():
            begin += 1
    return pieces


def _best_cut(text: str, begin: int, limit: int, levels: list[list[tuple[int, int]]], fits: Callable[[str], bool]) -> tuple[int, int]:
    """End of the piece from `begin`, and start of the next: the last cut that fits, at the first level that has one."""

    def too_long(cut: tuple[int, int]) -> bool:
        return not fits(text[begin : cut[0]])

    for cuts in levels:
        first = bisect.bisect_right(cuts, (begin, len(text)))
        last = bisect.bisect_left(cuts, (limit, 0))
        index = bisect.bisect_left(cuts, True, first, last, key=too_long)
        if index > first:  # then the cut before `index` fits
            return cuts[index - 1]
    cut = bisect.bisect_left(range(limit), True, begin + 1, limit, key=lambda position: too_long((position, position))) - 1
    cut = max(cut, begin + 1)
    whole = cut
    while whole > begin + 1 and _inside_character(text, whole):
        whole -= 1
    if not _inside_character(text, whole) and fits(text[begin:whole]):
        cut = whole
    return cut, cut


def _sentence_ends(text: str) -> list[tuple[int, int]]:
    """White space between two sentences, as (start, end)."""
    cuts = []
    for match in SENTENCE.finditer(text):
        follower = match["next"]
        if follower.islower() or (text[match.start() : match.start("gap")] == "." and _is_abbreviation(text, match.start())):
            continue
        cuts.append(match.span("gap"))
    return cuts


def _is_abbreviation(text: str, stop: int) -> bool:
    """Whether the full stop at `stop` belongs to the word before it."""
    word = LAST_WORD.search(text[max(0, stop - 24) : stop])
    if word is None:
        return False
    last = word[0]
    return (len(last) == 1 and last.isalpha()) or bool(ORDINAL.fullmatch(last)) or last.lower() in ABBREVIATIONS


def _clause_ends(text: str) -> list[tuple[int, int]]:
    """White space after a comma, semicolon, colon or dash and before a conjunction, as (start, end)."""
    return [match.span("after" if match["after"] else "before") for match in CLAUSE.finditer(text)]


def _inside_character(text: str, position: int) -> bool:
    """Whether a cut at `position` would split a visible character: a base and its accents, an emoji and its modifiers."""
    if position >= len(text):
        return False
    joined = text[position] in "\u200d\ufe0e\ufe0f" or text[position - 1] == "\u200d" or "\U0001f3fb" <= text[position] <= "\U0001f3ff"
    return joined or unicodedata.combining(text[position]) != 0
