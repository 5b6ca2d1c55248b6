"""Symbols that stand in a source for what isn't language, and come back out of the translation: ⟦0⟧ to ⟦9⟧.

A tokenizer may have them as pieces of their own, and training teaches to pass them on (data/placeholders.py). In the masked text a space stands
between a symbol and a letter, so that words beside it are cut as usual; what stood close is put close again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from translate.text.protected import Item
from translate.text.tracked import Tracked

SYMBOLS = tuple(f"⟦{number}⟧" for number in range(10))  # no letters, nor changed by any Unicode form; hardly ever in a text
SYMBOL = re.compile("|".join(SYMBOLS))
CLOSE = {"tags", "entities", "emoji", "signs", "opening", "closing", "edge"}  # what touched a word in the source touches its translation too
LETTERS = re.compile(r"\w+")


class Kept(NamedTuple):
    """What one symbol stands for: one item, or several without anything between them."""

    text: str
    before: str  # the letters that it touched in the source
    after: str
    close_before: bool  # whether it touches any word there
    close_after: bool


def mask(text: Tracked, items: Sequence[Item], written: Sequence[str] | None = None) -> tuple[Tracked, list[Kept]]:
    """`text` with a symbol in place of each of its `items`, at most as many as there are symbols; and what each symbol stands for.

    items: in order, of text.text. written: what to put back for each; themselves if None.
    """
    texts = written or [text.text[item.begin : item.end] for item in items]
    edits, kept = [], list[Kept]()
    for begin, end in _groups(items)[: len(SYMBOLS)]:
        opening, closing = items[begin], items[end - 1]
        before, after = _word_before(text.text, opening.begin), LETTERS.match(text.text, closing.end)
        kept.append(Kept("".join(texts[begin:end]), before, after[0] if after else "", opening.kind in CLOSE, closing.kind in CLOSE))
        symbol = SYMBOLS[len(kept) - 1]
        edits.append((opening.begin, closing.end, f"{' ' if before else ''}{symbol}{' ' if after else ''}"))
    return text.replace(edits), kept


def unmask(output: str, kept: Sequence[Kept]) -> tuple[str, list[int]]:
    """`output` with what the symbols stand for; and the indices of `kept` that it lacks. A symbol that stands there again is dropped."""
    parts, position, lost = [], 0, set(range(len(kept)))
    for match in SYMBOL.finditer(output):
        number, (begin, end) = int(match[0][1]), match.span()
        before = output[position:begin]
        if number in lost:
            lost.remove(number)
            item = kept[number]
            text = item.text
            if before.endswith(" ") and item.before and (item.close_before or _word_before(output, begin - 1) == item.before):
                before = before[:-1]
            elif not item.before and _word_before(before, len(before)):
                before += " "
            if output.startswith(" ", end) and item.after and (item.close_after or _word_after(output, end + 1) == item.after):
                end += 1
            elif not item.after and _word_after(output, end):
                text += " "
        else:
            text = ""
            end += output.startswith(" ", end) and (not before or before.endswith(" "))
        parts += [before, text]
        position = end
    return "".join([*parts, output[position:]]), sorted(lost)


def _groups(items: Sequence[Item]) -> list[tuple[int, int]]:
    """First and last + 1 of the items that follow each other without anything between."""
    groups: list[tuple[int, int]] = []
    for index, item in enumerate(items):
        if index and items[index - 1].end == item.begin:
            groups[-1] = (groups[-1][0], index + 1)
        else:
            groups.append((index, index + 1))
    return groups


def _word_before(text: str, end: int) -> str:
    begin = end
    while begin and text[begin - 1].isalnum():
        begin -= 1
    return text[begin:end]


def _word_after(text: str, begin: int) -> str:
    match = LETTERS.match(text, begin)
    return match[0] if match else ""
