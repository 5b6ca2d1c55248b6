"""Single words in capitals: the translation of "Das ist NICHT gut." is "That is NOT good.", that of "Die NATO tagt." keeps its NATO."""

from __future__ import annotations

import re
from collections.abc import Iterable

from translate.text.case import CAPITALS, FUNCTION_WORDS
from translate.text.tracked import Span, Tracked
from translate.translation.alignment import Link

SHORTEST = 3  # letters of an abbreviation that can't be taken for a word of the other language
ACRONYM = re.compile(rf"(?<!\w)(?={CAPITALS.pattern})[^\W\d_]{{{SHORTEST},}}(?!\w)")
WORDS = frozenset().union(*FUNCTION_WORDS.values())


def emphasise(line: str, text: Tracked, output: str, links: Iterable[Link]) -> str:
    """`output` in capitals where it translates a word that `line` has in capitals and `text`, which the model got, has not.

    Only what is certain: words that are linked with such words alone, and follow each other.
    """
    outputs, sources = dict[Span, list[Span]](), dict[Span, list[Span]]()
    for source, other in links:
        outputs.setdefault(source, []).append(other)
        sources.setdefault(other, []).append(source)
    loud = {source for source in outputs if _is_loud(line[slice(*text.span(*source))], text.text[slice(*source)])}
    places = set[Span]()
    for source in loud:
        found = sorted(span for span in outputs[source] if loud.issuperset(sources[span]))
        if not any(output[one[1] : other[0]].strip() for one, other in zip(found, found[1:])):
            places.update(found)
    for begin, end in sorted(places, reverse=True):
        output = output[:begin] + output[begin:end].upper() + output[end:]
    return output


def _is_loud(original: str, given: str) -> bool:
    return len(original) > 1 and original.isupper() and not given.isupper()


def keep_acronyms(source: str, output: str) -> str:
    """`output` with the capitals of what `source` has in capitals, and the output in other letters, once: Nato for NATO."""
    for match in ACRONYM.finditer(source):
        word = match[0]
        if word.isupper() and word.lower() not in WORDS and word not in output:
            found = list(re.finditer(rf"(?<!\w){word}(?!\w)", output, re.IGNORECASE))
            if len(found) == 1:
                output = output[: found[0].start()] + word + output[found[0].end() :]
    return output
