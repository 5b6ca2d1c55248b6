"""Where the sentences of a text begin and end. German and English by rules of our own, other languages by the package sentencex if it is there.

The rules are after Mikheev 2002 (Periods, capitalized words, etc.). The word before a full stop decides whether it may belong to an abbreviation or a
number. If so, the word after it decides whether a sentence begins there: it does if the word is in capitals, but usually is not.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator
from typing import Any

from translate.text.abbreviations import BEFORE_NUMBER, ENGLISH, GERMAN, OTHER, Words
from translate.text.tracked import Span

_BREAKS = "\t\x0b\x0c\x1c-\x1f\x85\u2028\u2029"  # white space that always divides
_WIDE = "。！？"  # need no white space after them
_CLOSE = r"(?:[\"'”“’»«)\]*_¹²³]|\[\d{1,3}\]|</\w{1,10}>)*"
_OPEN = r"[\"'„“‘‚”»«¿¡(\[*_]*"
_EMOJI = "[\u203c-\u2bff\ufe0f\u200d\U0001f000-\U0001faff]"
# Most texts are one sentence and should cost no time: the first pattern finds the simplest ones, the second one all without a place to divide at.
_is_plain = re.compile(r"[ \"-\-/->@-~\xa0-\xff]*[.!?]?").fullmatch
_may_divide = re.compile(rf"[.!?…؟۔।॥{_WIDE}{_BREAKS}].", re.DOTALL).search
_LEADER = r"\.{6,}|\.{4,5}(?=\s*[\dIVXLCivxlc]{1,6}\s*\Z)|(?:\.\s){4,}|_{3,}"  # dots of a table of contents, lines of a form
_GAP = re.compile(rf"(?:\s|(?<!\S)\|(?!\S)|{_LEADER})+")  # white space, bars between spaces
_BREAK = re.compile(rf"[{_BREAKS}|._]| {{4}}")
_LABEL = re.compile(r"[^\w*]*(?P<mark>\*\*|__)[^*_\n]{1,60}(?::(?P=mark)|(?P=mark):)(?P<gap>\s+)(?=\S)")  # **Note:** The door is open.
# Full stops and the like, closing quotes and brackets, emoji, white space. The look-behinds keep 100,000 dots from being tried one by one.
_END = re.compile(
    rf"(?P<mark>[.!?…؟۔।॥](?<![.!?…][.!?…])[.!?…]*)(?P<close>{_CLOSE}(?:\s[\"”“](?=\s))?)(?:[ ]?{_EMOJI})*(?P<gap>\s+)"
    rf"(?={_OPEN}(?:[–—-]{{1,2}}\s?{_OPEN})?(?P<next>\w[\w'’]{{0,24}}|[^\w\s.,;:!?…)\]}}\"'”’/–—-]))"
    rf"|(?P<wide>[{_WIDE}](?<![{_WIDE}][{_WIDE}])[{_WIDE}]*[”’」』）〉》\"]*)(?P<none>\s*)(?=[^\s{_WIDE}])"
)
_WORD = re.compile(r"(?:\b[^\W\d_]\.\s?){1,4}(?:[^\W\d_]|Chr)$|\w+(?:['’]\w+)*$")
_NUMBER = re.compile(r"(?:[\w.,:/-]*[.,:/-])?\d+$")
_ROMAN = re.compile(r"[IVXLC]{2,}")
_SHORT = re.compile(r"[B-DF-HJ-NP-TV-XZ][b-df-hj-np-tv-xzß]{1,4}")  # no vowel: Wr., Bd., Sgt.
_WHOLE = re.compile(r"(?=.{5})[^\W\d_]+[aeiouyäöü](?:[^\W\d_]{0,2}|[^\W\d_]{0,3}[ths])|\d{4}")  # hardly an abbreviation
_START = re.compile(rf"{_OPEN}(?:(?:https?|ftp)://|www\.|\w{{1,3}}\)\s|[a-z][A-Z])")  # begins a sentence in spite of its small letter


def _unmarked(letters: str, words: str) -> re.Pattern[str]:
    """Finds the first letter of one of `words`, three words before more, and a letter in `letters` and a space behind. Fast where there is none."""
    first = "".join(sorted({word[0] for word in words.split()}))
    rest = "|".join(f"(?<={word[0]}){word[1:]}" for word in words.split())
    return re.compile(rf"[{first}](?<=[{letters}] [{first}])(?:{rest})(?= \w+ \w+ \w)")


# A capital that only the first word of a sentence has: an end without any mark, as in captions and chats. Three words on both sides.
_UNMARKED = {
    "de": _unmarked("a-zäöüß", "Ein Eine Einer Der Die Das Dieser Diese Dieses Zwei Drei Vier Mehrere Einige Es Er Wir"),
    "en": _unmarked("a-z", r"A(?!\s(?:and|or|is)\s) An Two Three Four Several This These It He She They We"),
}
_NAMED = re.compile(  # after these, a capital is that of a name or a title: in Den Haag, das Buch Der Vorleser
    r"(?:^| )(?:de[rnms]|die|das|eine?[rnms]?|an?|the|in|im|of|von|vom|mit|with|und|and|oder|or|als|as|wie|like|für|for|am|at|by|to|nach|Film|Buch)$"
)
_ADDRESS = frozenset("/=@&:.#\\")  # before a word that is part of an address or file name
_QUOTES = frozenset("\"'”“’»«")
_LAST = 40  # characters; no word that the rules know is longer
_BRACKETS = 1000  # characters within a pair of brackets, at most


def sentence_spans(text: str, language: str = "de") -> list[Span]:
    """Begin and end of each sentence in `text`, in characters; white space before, between and after them is in none.

    Whatever separates `cells` divides too. No sentence is blank. Takes time in proportion to the length of `text`.

    Args:
        text: any; a line of one sentence costs about a microsecond.
        language: code such as de or en-GB. For another than German and English the package sentencex is used if it is installed; else only
            the rules that hold in most languages, with one note on stderr.
    """
    code = language if language in _LANGUAGES else re.split("[-_]", language, maxsplit=1)[0].lower()
    unmarked = _UNMARKED.get(code[:2]) if code in _LANGUAGES else None
    if (_is_plain(text) or _may_divide(text) is None) and not _has_layout(text) and not (unmarked and unmarked.search(text)):
        if text and not text[0].isspace() and not text[-1].isspace():
            return [(0, len(text))]
        span = _strip(text, 0, len(text))
        return [span] if span[0] < span[1] else []
    spans, small = list[Span](), text.islower()
    for begin, end in _after_labels(text, spans):
        if unmarked:
            spans += [part for span in _divide(text, begin, end, _LANGUAGES[code], small) for part in _divide_unmarked(text, *span, unmarked)]
        elif package := _sentencex(language):
            spans += _divide_by(package, text, begin, end, code)
        else:
            spans += _divide(text, begin, end, OTHER, small)
    return spans


def cells(text: str) -> list[Span]:
    """The parts of `text` that no sentence crosses: between tabs, line separators, gaps of four spaces, the bars of a table and dotted lines."""
    spans, begin = [], 0
    for match in _GAP.finditer(text):
        if match.start() == 0:
            begin = match.end()
        elif match.end() == len(text) or _BREAK.search(match[0]):
            spans.append((begin, match.start()))
            begin = match.end()
    return [*spans, (begin, len(text))] if begin < len(text) else spans


def _has_layout(text: str) -> bool:
    return "    " in text or "|" in text or "**" in text or "__" in text


def _after_labels(text: str, spans: list[Span]) -> Iterator[Span]:
    """The cells of `text`, each without the label that it begins with, which is put among the `spans`."""
    for begin, end in cells(text):
        if label := _LABEL.match(text, begin, end):
            spans.append((begin, label.start("gap")))
            begin = label.end()
        yield begin, end


def _divide(text: str, begin: int, end: int, words: Words, small: bool) -> list[Span]:
    """By our rules. The text from begin to end is not blank, and has no white space around. small: whether the whole text has no capitals."""
    spans = []
    for match in _END.finditer(text, begin, end):
        if match["wide"]:
            gap = match.span("none")
        elif _ends(text, begin, end, match, words, small):
            gap = match.span("gap")
        else:
            continue
        spans.append((begin, gap[0]))
        begin = gap[1]
    return [*spans, (begin, end)]


def _divide_unmarked(text: str, begin: int, end: int, unmarked: re.Pattern[str]) -> list[Span]:
    """The parts of a sentence that are sentences of their own, though no mark stands between them."""
    spans = []
    for match in unmarked.finditer(text, begin, end) if _has_small_words(text[begin:end]) else ():
        end_before = match.start() - 1
        before = text[max(begin, end_before - 4 * _LAST) : end_before]
        if before.count(" ") >= 2 and not _NAMED.search(before):
            spans.append((begin, end_before))
            begin = match.start()
    return [*spans, (begin, end)]


def _has_small_words(text: str) -> bool:
    """Whether a third of the words begin with a small letter; In A Title Most Have A Capital, which tells nothing there."""
    words = text.split()
    return 3 * sum(word[0].islower() for word in words) >= len(words)


def _ends(text: str, begin: int, end: int, match: re.Match[str], words: Words, small_text: bool) -> bool:
    """Whether the sentence from `begin` ends at `match`. small_text: whether there are no capitals in the text."""
    mark, close, following, stop = match["mark"], match["close"], match["next"], match.start()
    starts = following.lower() in words.starters
    small = following[0].islower() and not _START.match(text, match.end("gap"), end) and not small_text
    if ")" in close or "]" in close:
        opened = max(text.rfind(bracket, max(begin, stop - _BRACKETS), stop) for bracket in "([")
        if opened == stop - 1:  # [...]
            return starts and not small
        if opened > begin + 1 and (mark != "." or not starts):
            return False  # Er kaufte (endlich!) Brot
        if opened >= begin and text.count(" ", opened, stop) > 1:
            return not small  # (Er kam um 9 p.m.) Dann
    if mark != ".":
        if small:  # a name may end in an exclamation mark
            return not close and mark[0] in "!?" and starts and following not in words.verbs
        if mark[0] in ".…" and text[stop - 1].isspace() and stop > begin:
            return starts  # a pause or an omission
        return not (words.speech and not _QUOTES.isdisjoint(close) and _speech(words.speech).match(text, match.end("gap"), end))
    word = _WORD.search(text, max(begin, stop - _LAST), stop)
    if word is None:
        return not (small and close)
    if small and (close or not (_WHOLE.fullmatch(word[0]) or (len(word[0]) > 1 and word[0].lower() in words.starters))):
        return False
    if text[word.start() - 1 : word.start()] in _ADDRESS and word.start() > begin:
        return True
    return not _belongs(text, begin, word, following, words)


def _belongs(text: str, begin: int, word: re.Match[str], following: str, words: Words) -> bool:
    """Whether the full stop after `word` belongs to it and does not end a sentence."""
    last, starts = word[0].lower(), following.lower() in words.starters
    if last.isdecimal():
        return _is_ordinal(text, begin, word, following.lower(), words)
    roman = _ROMAN.fullmatch(word[0]) is not None
    if word.start() <= begin + 1 and (len(last) == 1 or roman):
        return True  # a list mark
    number = following[0].isdigit() or _ROMAN.fullmatch(following) is not None
    if "." in last:
        last = "".join(letter for letter in last if letter.isalpha())
        return last in words.never_dotted or not (starts or (last in words.ends and not following.isupper()))  # 5 p.m. EST
    if last in words.never or (number and (last in BEFORE_NUMBER or last.endswith("str"))):
        return True
    return not starts and (len(last) == 1 or roman or last in words.may_end or _SHORT.fullmatch(word[0]) is not None)


def _is_ordinal(text: str, begin: int, word: re.Match[str], following: str, words: Words) -> bool:
    """Whether the full stop belongs to a number: am 3. Oktober, 3. 10. 2026, 1. Punkt."""
    found = _NUMBER.search(text, max(begin, word.end() - _LAST), word.end())
    number = found[0] if found else word[0]
    start = word.end() - len(number)
    if start <= begin + 1:
        return len(number) <= 3  # a list mark
    if not words.ordinals or not re.fullmatch(r"(?:\d{1,2}(?:\. ?[-–/]? ?|[-–/]))?\d{1,3}", number):
        return False
    if following in words.after_ordinals or following[0].isdigit():
        return True
    if following in words.starters:
        return False
    before = re.search(r"(\w+)[ \u00a0]$", text[max(begin, start - _LAST) : start])
    last = before[1].lower() if before else ""
    return last in words.before_ordinals or (len(number) < 3 and last not in words.before_cardinals)


@functools.cache
def _speech(verbs: str) -> re.Pattern[str]:
    return re.compile(rf"(?:\w+\s){{1,3}}(?:{verbs})\b")


_LANGUAGES = {"de": GERMAN, "deu": GERMAN, "en": ENGLISH, "eng": ENGLISH}


@functools.cache
def _sentencex(language: str) -> Any:
    """The package, or None if it is not installed."""
    try:
        import sentencex
    except ImportError:
        print(
            f"translate: sentences of {language} are divided by rules that hold in most languages; better ones: pip install sentencex",
            file=sys.stderr,
        )
        return None
    return sentencex


def _divide_by(package: Any, text: str, begin: int, end: int, code: str) -> list[Span]:
    spans = []
    for sentence in package.segment(code, text[begin:end]):
        span = _strip(text, begin, begin + len(sentence))
        begin += len(sentence)
        if span[0] < span[1]:
            spans.append(span)
    return spans


def _strip(text: str, begin: int, end: int) -> Span:
    """The span without white space at its ends."""
    part = text[begin:end]
    left = len(part) - len(part.lstrip())
    return (begin + left, begin + len(part.rstrip())) if left < len(part) else (end, end)
