"""Warnings about doubtful scores, from the texts alone: unfit text, different case, blank lines, duplicate files, too few tokens for BLEU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from translate.errors import UserError
from translate.evaluation.metrics import check_tokenizer, too_short_for_bleu
from translate.text.quality import is_upper, text_warnings

_WITHOUT_SPACES = (  # scripts; Japanese comes first, as it also uses Chinese characters
    (re.compile("[\u3040-\u30ff]"), "Japanese", "ja-mecab"),
    (re.compile("[\u4e00-\u9fff]"), "Chinese", "zh"),
    (re.compile("[\uac00-\ud7a3]"), "Korean", "ko-mecab"),
    (re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"), "in a script without spaces", "flores200"),
)


def warnings(hypotheses: Sequence[str], references: Sequence[Sequence[str]], cased: bool = True) -> list[str]:
    """One sentence for each reason to doubt a score of these texts. Arguments as for `score`; cased: also compare their case.

    Swapped inputs show only in blank reference lines: BLEU itself is nearly symmetric.
    """
    names = ["the reference" if len(references) == 1 else f"reference {number}" for number in range(1, len(references) + 1)]
    messages: list[str] = []
    for name, texts in [("the hypothesis", hypotheses), *zip(names, references, strict=True)]:
        messages += text_warnings(name, texts)
    messages += _blank_lines(hypotheses, dict(zip(names, references, strict=True)))
    for name, texts in zip(names, references, strict=True):
        if list(texts) == list(hypotheses):
            messages.append(f"the hypothesis and {name} are the same in every line: was one file given twice?")
    for index, texts in enumerate(references):
        for earlier in range(index):
            if list(texts) == list(references[earlier]):
                messages.append(f"{names[earlier]} and {names[index]} are the same in every line: the second adds nothing")
    return [*messages, *(_other_case(hypotheses, references) if cased else ())]


def tokenizer_warnings(references: Sequence[Sequence[str]], tokenize: str) -> list[str]:
    """Why BLEU with this tokenizer means little with these references."""
    texts = [text for texts in references for text in texts]
    for script, name, better in _WITHOUT_SPACES if tokenize in ("13a", "intl", "none") else ():
        if sum(bool(script.search(text)) for text in texts) * 2 > len(texts):
            return [f"the reference is {name}, and BLEU's tokenizer {tokenize} does not split it into words: use --tokenize {better}"]
    if all(too_short_for_bleu(texts, tokenize) for texts in references):
        return ["BLEU is 0 on this set even for a perfect translation: no line has four tokens; look at chrF++"]
    return []


def _blank_lines(hypotheses: Sequence[str], references: dict[str, Sequence[str]]) -> Iterable[str]:
    blank = {index for index, text in enumerate(hypotheses) if not text.strip()}
    missing = sorted(index for index in blank if any(texts[index].strip() for texts in references.values()))
    if missing:
        yield f"the hypothesis is blank {_where(missing, hypotheses)} where a reference is not"
    for name, texts in references.items():
        blank_here = [index for index, text in enumerate(texts) if not text.strip() and index not in blank]
        if blank_here:
            swapped = "" if missing else "; are hypothesis and reference swapped?"
            yield f"{name} is blank {_where(blank_here, texts)} where the hypothesis is not{swapped}"


def _other_case(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Iterable[str]:
    if not any(map(_has_capital, hypotheses)) and all(sum(map(_has_capital, texts)) * 2 > len(texts) for texts in references):
        yield "the hypothesis has no capital letters, the reference does: scores are case-sensitive, so lower-cased text scores lower"
    capitals = [index for index, text in enumerate(hypotheses) if is_upper(text) and not any(is_upper(texts[index]) for texts in references)]
    if 0.1 <= len(capitals) / len(hypotheses) <= 0.5:  # text_warnings warns of more
        yield f"the hypothesis is in capitals {_where(capitals, hypotheses)} where the reference is not: scores are case-sensitive"


def _has_capital(text: str) -> bool:
    return any(character.isupper() for character in text)


def _where(indices: Sequence[int], texts: Sequence[str]) -> str:
    return f"in {len(indices):,} of {len(texts):,} lines (first: line {indices[0] + 1:,})"


def set_warnings(name: str, sources: Sequence[str], references: Sequence[Sequence[str]], tokenize: str, metrics: Sequence[str] | None) -> list[str]:
    """Reasons to doubt the scores on this set, from its texts."""
    result = text_warnings(f"{name}, source,", sources)
    for number, lines in enumerate(references, 1):
        result += text_warnings(f"{name}, reference{f' {number}' if len(references) > 1 else ''},", lines)
    if metrics is None or "bleu" in metrics:
        try:
            check_tokenizer(tokenize)
        except UserError:  # BLEU is left out, which evaluate_sets reports
            return result
        result += [f"{name}: {text}" for text in tokenizer_warnings(references, tokenize)]
    return result
