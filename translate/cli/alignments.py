"""What `translate file` writes about which words became which: the lines of --alignments and of --format pharaoh."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from translate.text.records import JSON_ESCAPES
from translate.text.tracked import Span

if TYPE_CHECKING:
    from translate.translation.pieces import Translation

TOKEN = re.compile(r"\S+")


def to_spans(result: Translation) -> str:
    """A JSON object: pairs of spans, in characters of source and translation."""
    values = {"line": result.number, "source": result.source, "translation": result.text, "alignment": result.alignment or ()}
    return json.dumps(values, ensure_ascii=False).translate(JSON_ESCAPES) + "\n"


def to_pharaoh(result: Translation) -> str:
    """Pairs such as `0-0 2-1`: numbers of the words of source and translation, as white space separates them, from 0."""
    sources, targets = ([match.span() for match in TOKEN.finditer(text)] for text in (result.source, result.text))
    pairs = {(i, j) for source, target in result.alignment or () for i in _overlapping(sources, source) for j in _overlapping(targets, target)}
    return " ".join(f"{i}-{j}" for i, j in sorted(pairs)) + "\n"


def _overlapping(tokens: Sequence[Span], span: Span) -> list[int]:
    return [index for index, (begin, end) in enumerate(tokens) if begin < span[1] and span[0] < end]
