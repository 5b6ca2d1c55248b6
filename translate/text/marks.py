"""What stands around the words of a sentence: white space, list marks, the mark at its end, wide gaps.

A model has learned none of it from single sentences. `split_marks` sets aside what the translation gets back as it is; `match_end` and
`restore_gaps` mend a translation afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable

BULLETS = "•‣◦⁃∙·▪▫●○■□▶►➢➤✓✔✗✘☐☑✅➔→"
ORDINAL_NOUNS = (  # "3. Oktober", "19. Jahrhundert": there the number is a word of the sentence
    "Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez|Jahr|Jh|Geburts|Lebens|Klasse|Stock|Etage|Platz|Rang|Mal|Tag|Woche|Monat|Minute|Stunde"
    "|Bataillon|Infanterie|Kavallerie|Division|Armee|Brigade|Staffel|Folge|Kapitel|Taste|Sinfonie|Sitzung|Weltkrieg|Liga|Bundes|Runde|Spiel|Auflage|Ausgabe|Semester|Advent|Hälfte|Generation|Grad"
)
NUMBER = rf"\d{{1,3}}\.(?!\s+(?:(?:{ORDINAL_NOUNS})|(?:und|oder|bis|and|or|to)\s|[a-zäöü]+\s+(?:{ORDINAL_NOUNS})))"
MARK = (
    rf"(?:[-–—*+]|[{BULLETS}]\ufe0f?|\#{{1,6}}|\[[ xX✓✔]?\]"  # "- ", "## ", "[x] "
    r"|\(?(?:\d{1,3}\.?|[A-Za-z]|[ivx]{1,5}|[IVX]{1,5})\)(?!\s+\d)"  # "1) ", "(a) ", "iv) "
    r"|\[\d{1,2}:\d{2}(?::\d{2})?\]"  # "[10:32] " of a chat
    rf"|{NUMBER}|\d{{1,2}}(?:\.\d{{1,2}}){{2,4}}\.?(?=\s+[A-ZÄÖÜ])"  # "1. ", "2.3.1 Einleitung"
    r"|[a-h]\.(?=\s+[A-ZÄÖÜ]\w))\s+|(?:>\s?)+(?=[^\s>=])"  # "a. ", "> > "
)
PREFIX = re.compile(rf"\s*(?:(?:{MARK}){{1,4}}(?=\S)|[{BULLETS}]\ufe0f?\s*(?=\w)|[-–—](?=[A-ZÄÖÜ][a-zäöüß ]))?")  # at last, "-Ja." of subtitles
SUFFIX = re.compile(r"(?:(?<=[.!?…\"“”»«)])\s*(?:\[\d{1,3}\])+|\s*\\)\Z")  # a footnote, a line that goes on

END_MARKS = ".!?…:;,"
CLOSERS = "\"'“”‘’‚„»«›‹)]}*_"
FULL_WIDTH = str.maketrans(
    {"。": ".", "．": ".", "！": "!", "？": "?", "：": ":", "；": ";", "，": ",", "、": ",", "؟": "?", "؛": ";", "،": ",", "।": "."}
)
TAIL = END_MARKS + CLOSERS + "".join(map(chr, FULL_WIDTH))
RUN = re.compile(f"[{re.escape(TAIL.translate(str.maketrans('', '', CLOSERS)))}]+")
SMILEY = re.compile(r"(?:^|\s)[:;=][-o^'’]?[)(\]\[*]\Z")
DOTTED = re.compile(r"(?:\b[^\W\d_]\.\s?)+[^\W\d_]\Z|\b(?:etc|Mr|Mrs|Ms|Dr|Prof|St|No|Nr|vs|Inc|Ltd|Co|Corp|Jr|Sr|usw|bzw|ca|ff|al)\Z", re.IGNORECASE)

GAP = re.compile(r"\s{2,}|[^\S ]")  # white space that is not one plain space


def split_marks(text: str) -> tuple[int, int]:
    """Begin and end of what is to be translated; white space and marks before and after it belong in the translation as they are.

    Marks are those of lists, headings and quotations ("- ", "2) ", "[x] ", "## ", "> "), footnotes such as [1] after the sentence, and all but
    the first of "!!!". Something is always left, unless `text` is blank.
    """
    begin, end, start = 0, len(text), text[:2]
    if not (start.isalpha() and ")" not in text[:6]) and (prefix := PREFIX.match(text)):
        begin = prefix.end()
    if text[-1:] == "." or text[-1:].isalnum():
        return begin, end
    end = max(begin, len(text.rstrip()))
    if suffix := SUFFIX.search(text, max(begin + 1, end - 40), end):
        end = suffix.start()
    if text[end - 2 : end] in ("!!", "!?", "?!", "??"):
        words = len(text[:end].rstrip("!?"))
        end = words + 1 if words > begin else end
    return begin, end


def match_end(source: str, output: str) -> str:
    """`output` with the mark at its end that `source` has, or none, inside or outside of closing quotes and brackets as before."""
    last, now = source[-2:], output[-2:]
    if not now or (last[-1:] == now[-1] and last[0] not in TAIL and now[0] not in TAIL):
        return output  # most lines: both end in one full stop
    wanted, had = source[len(source.rstrip(TAIL)) :], output[len(output.rstrip(TAIL)) :]
    body = output[: len(output) - len(had)]
    source_runs, runs = RUN.findall(wanted), [match.span() for match in RUN.finditer(had)]
    if not body or len(source_runs) > 1 or len(runs) > 1 or SMILEY.search(source[-4:]):
        return output
    before = source[: len(source) - len(wanted)][-1:]
    if not source_runs and not (before.isalnum() or before in "%‰€$£¥°"):
        return output  # ends in a dash or a symbol: nothing is known
    mark = source_runs[0].translate(FULL_WIDTH) if source_runs else ""
    begin, end = runs[0] if runs else _place(wanted, had)
    old = had[begin:end]
    if old.translate(FULL_WIDTH) == mark or {old, mark} == {";", "?"}:  # a Greek question mark is a semicolon
        return output
    if old.startswith(".") and DOTTED.search(body[-12:]):  # "etc.", "p.m."
        mark = mark.removeprefix(".")
        if not mark or begin or old[1:] == mark:
            return output
        begin += 1
    return f"{body}{had[:begin]}{mark}{had[end:]}"


def _place(wanted: str, had: str) -> tuple[int, int]:
    """Where a mark is inserted: inside the closing quotes and brackets if the source has it there, else after them."""
    place = 0 if wanted and wanted[0] not in CLOSERS else len(had)
    return place, place


def restore_gaps(source: str, output: str, place: Callable[[int], int] | None = None) -> str:
    """`output` with the white space of `source` between words that is not one plain space: no-break spaces, two spaces.

    Its place is known where a neighbour is the same on both sides, such as the number in "10 km", or where both have as many words. Elsewhere
    two spaces and more go where `place` says, which finds the place in the output for one in the source; a no-break space becomes a plain one.
    """
    if "  " not in source and source.isprintable():
        return output
    gaps = [match.span() for match in GAP.finditer(source.strip())]
    source, words, parts = source.strip(), source.split(), output.split(" ")
    between = [" "] * (len(parts) - 1)
    places = range(len(parts)) if len(words) == len(parts) else _same_words(words, parts)
    number = done = 0
    for begin, end in gaps:
        number += len(source[done:begin].split())  # words before the gap
        done = end
        left, right = places[number - 1], places[number]
        if left is not None and left < len(between):
            between[left] = source[begin:end]
        elif right:
            between[right - 1] = source[begin:end]
        elif place and end - begin > 1 and (index := output.count(" ", 0, place(begin))) < len(between):
            between[index] = source[begin:end]
    return "".join([part + gap for part, gap in zip(parts, [*between, ""])])


def _same_words(words: list[str], parts: list[str]) -> list[int | None]:
    """For each of `words` the index of the same one among `parts`, in order; None for those in lower case, which may be others."""
    indices: dict[str, list[int]] = {}
    for index in range(len(parts) - 1, -1, -1):
        indices.setdefault(parts[index].rstrip(TAIL), []).append(index)
    keys = [word.rstrip(TAIL) for word in words]
    return [indices[key].pop() if key and not key.islower() and indices.get(key) else None for key in keys]
