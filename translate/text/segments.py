"""Cuts a text too long for the model into pieces that fit, of similar length: at sentence ends if possible, else clause ends, white space, anywhere.

Used by translation/plan.py. Knows nothing of tokenizers or models.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable

from translate.text.sentences import sentence_spans

FIRST_GUESS = 512  # characters
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w{1,24}(?!\w)")
_LAST_WORD = re.compile(r"(?<!\w)\w{1,24}[.)\"'”“’»«]*$")
_NO_BREAK_SPACES = "\u00a0\u2007\u202f"

# Costs of a cut. One that is as far from the middle as can be costs 1 more than one in the middle.
SENTENCE, CLAUSE, COMMA, CONJUNCTION, PREPOSITION, OTHER, TIED, NO_BREAK = -1.0, 0.1, 0.35, 0.45, 0.7, 1.0, 2.0, 3.0
IN_BRACKETS = 0.7  # more
ONE_MORE = 0.5  # for a cut so early that there will be a piece more

# Begin a clause. After a comma, so do the pronouns and articles of relative clauses.
_CONJUNCTIONS = frozenset(
    """und oder aber denn sondern weil dass daß wenn während obwohl damit nachdem bevor sodass falls sobald solange sowie and or but because that
    which while when although so if after before since until unless whereas whose who""".split()
)
_RELATIVE = frozenset("der die das dem den dessen deren welche welcher welches was wo wobei wodurch wofür womit where whom".split())
_PREPOSITIONS = frozenset(
    """in im ins auf aufs mit vor an am bei beim über unter neben zu zum zur nach von vom aus durch für gegen ohne um bis seit wegen zwischen hinter
    entlang on at with by for from to into near over under between behind through across of during without about against""".split()
)
# What follows these belongs to them.
_TIED = _PREPOSITIONS | frozenset(
    """der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner sein seine seinen seinem seiner ihr ihre ihren ihrem
    ihrer mein meine meinen meinem meiner dieser diese dieses diesen diesem und oder sehr nicht zu so als wie ich du er wir man
    the a an his her its their my your our this these those and or very not no as than is are was were be been i you he she we they""".split()
)


def split_line(text: str, fits: Callable[[str], bool], language: str = "de") -> list[str]:
    """Cut `text` into pieces of similar length that each satisfy `fits`; `[]` for blank text, `[text]` if it fits.

    There are about as few pieces as possible. Only white space at the cuts and the two ends is lost, and no piece is blank. If `fits` holds for a
    text, it should hold for its prefixes; otherwise pieces may be shorter than necessary. A single character that does not fit becomes a piece
    anyway. Each piece costs about twenty calls of `fits` on texts of at most twice its length, however long `text` is.
    """
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if begin >= end:
        return []
    if end - begin <= FIRST_GUESS and fits(text[begin:end]):
        return [text[begin:end]]
    cuts = _cuts(text, begin, end, language)
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
        cut, resume = _best_cut(text, begin, end, limit, cuts, fits) or _cut_word(text, begin, limit, fits)
        pieces.append(text[begin:cut])
        guess = max(16, 2 * (cut - begin))
        begin = resume
        while begin < end and text[begin].isspace():
            begin += 1
    return pieces


Cut = tuple[int, int, float]  # start and end of the white space, cost


def _best_cut(text: str, begin: int, end: int, limit: int, cuts: list[Cut], fits: Callable[[str], bool]) -> tuple[int, int] | None:
    """End of the piece from `begin`, and start of the next; None if not even a word fits.

    The rest of the text needs a number of pieces; the first one should have its share of it.
    """
    first = bisect.bisect_right(cuts, (begin, len(text), 0.0))
    last = bisect.bisect_left(cuts, (limit, 0, 0.0))
    index = bisect.bisect_left(cuts, True, first, last, key=lambda cut: not fits(text[begin : cut[0]]))
    if index == first:
        return None
    longest = cuts[index - 1][0] - begin  # fits
    more = -(-(end - begin) // longest) - 1  # pieces after this one
    share = (end - begin) / (more + 1)

    def cost(cut: Cut) -> float:
        return cut[2] + abs(cut[0] - begin - share) / share + (ONE_MORE if end - cut[1] > more * longest else 0.0)

    best = min(cuts[first:index], key=cost)
    if not fits(text[begin : best[0]]):
        best = cuts[index - 1]
    return best[:2]


def _cut_word(text: str, begin: int, limit: int, fits: Callable[[str], bool]) -> tuple[int, int]:
    """As `_best_cut`, within a word."""
    cut = bisect.bisect_left(range(limit), True, begin + 1, limit, key=lambda position: not fits(text[begin:position])) - 1
    cut = max(cut, begin + 1)
    whole = cut
    while whole > begin + 1 and _inside_character(text, whole):
        whole -= 1
    if not _inside_character(text, whole) and fits(text[begin:whole]):
        cut = whole
    return cut, cut


def _cuts(text: str, begin: int, end: int, language: str) -> list[Cut]:
    """All white space in `text`, with what it costs to cut there."""
    ends = {last for _, last in sentence_spans(text, language)}
    cuts, depth, previous = [], 0, begin
    for match in _SPACE.finditer(text, begin, end):
        start, stop = match.span()
        depth = max(0, depth + text.count("(", previous, start) - text.count(")", previous, start))
        previous = start
        cost = SENTENCE if start in ends else _cost(text, start, stop) + (IN_BRACKETS if depth else 0.0)
        cuts.append((start, stop, cost))
    return cuts


def _cost(text: str, start: int, stop: int) -> float:
    """Of a cut at the white space from `start` to `stop`, within a sentence."""
    before, after = text[start - 1], text[stop]
    found = _WORD.match(text, stop)
    following = found[0] if found else ""
    if text[start] in _NO_BREAK_SPACES:
        return NO_BREAK
    if before in ";:–—" or after in "–—(" or (before == "-" and text[start - 2].isspace()):
        return CLAUSE
    if before == ",":
        return CLAUSE if following in _CONJUNCTIONS or following in _RELATIVE else COMMA
    if following in _CONJUNCTIONS:
        return CONJUNCTION
    last = _LAST_WORD.search(text, max(0, start - 40), start)
    word = last[0] if last else ""
    if word.lower() in _TIED or word.endswith(".") or (word[:1].isupper() and (after.isupper() or after.isdecimal())):
        return TIED
    if following in _PREPOSITIONS:
        return PREPOSITION
    return TIED if before.isdecimal() else OTHER


def _inside_character(text: str, position: int) -> bool:
    """Whether a cut at `position` would split a visible character: a base and its accents, an emoji and its modifiers."""
    if position >= len(text):
        return False
    joined = text[position] in "\u200d\ufe0e\ufe0f" or text[position - 1] == "\u200d" or "\U0001f3fb" <= text[position] <= "\U0001f3ff"
    return joined or unicodedata.combining(text[position]) != 0
