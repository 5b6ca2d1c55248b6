"""Checks of the corpora: all for `translate check`, the cheap ones at the start of training.

Reads the corpora through their cache and writes nothing else. Training text is streamed; only a few blocks of SAMPLE contiguous lines are
searched for shifted lines and swapped languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from translate.checks.alignment import MIN_LINES, find_shifts
from translate.checks.finding import Finding
from translate.checks.overlap import overlaps, pairs_or_sentences
from translate.config import Config, CorpusConfig, DataConfig
from translate.data.corpora import find_corpus
from translate.data.corpus import CachedCorpus, Table
from translate.data.pairs import Pairs
from translate.data.rows import Pair
from translate.data.sides import PAIRS, sides_of, unit
from translate.errors import UserError
from translate.evaluation.metrics import check_tokenizer, default_tokenizer, too_short_for_bleu
from translate.text.language import UNKNOWN, LanguageJudge, language_code, text_language
from translate.text.quality import text_warnings
from translate.text.sentences import sentence_spans
from translate.tokenizer import LONGEST_LINE

SAMPLE = 5_000  # lines of one block
BLOCKS = 6  # of a corpus, spread evenly
QUICK = 500_000  # training pairs that the cheap check compares with the held-out sets
TEXTS = 3_000  # lines that are checked for unsuitable text
LANGUAGE_LINES = 500  # that tell the language of a corpus
FOREIGN = 0.01  # share of lines in another language from which they count
FUNCTION_WORDS = {
    "de": set("der die das und ist nicht ein eine einen einem einer zu mit auf für von dem den im ich sie er wir es sich auch".split()),
    "en": set("the and is not a an to with on for of in i you he she we it are was that this at by from have has".split()),
}


def check_data(config: Config, cheap: bool = False) -> Iterator[Finding]:
    """Yield findings about the corpora. One that can't be read is a finding too, and the others are still checked.

    cheap: only the first and last block of each corpus, and the first QUICK training pairs for overlaps, so that the time does not grow with
    the corpus.
    """
    data, sides = config.data, sides_of(config.model)
    training = _read({f"train {n}": c for n, c in enumerate(data.train, 1)}, data, sides)
    held_out = [*_read({f"validation {n}": c for n, c in enumerate(data.validation, 1)}, data, sides), *_read(data.test, data, sides)]
    for name, read in (*training, *held_out):
        if isinstance(read, Finding):
            yield read
            continue
        table = read.table
        if not cheap:
            needs, what = all if sides == PAIRS else any, unit(sides)
            blank = sum(not needs(map(str.strip, pair)) for pair in Pairs([table]))
            severity = "warning" if blank > len(table) / 100 else "note" if blank else "ok"
            text = f"{len(table):,} {what[:-1] if len(table) == 1 else what}, {blank:,} blank"
            yield Finding(severity, name, text, f"blank {what} are left out of training" if blank else "")
        if read.skipped_summary:
            yield Finding("warning", name, read.skipped_summary, "look at that line of the file")
        if read.long and name.startswith("train "):
            longer = f"have a side of more than {LONGEST_LINE:,} bytes, which the tokenizer is not trained on"
            text = f"{read.long:,} of {len(table):,} {unit(sides)} {longer} (the first: {unit(sides)[:-1]} {read.first_long:,})"
            yield Finding("warning", name, text, "put one sentence on each line")
        if sides == PAIRS:
            yield from _alignment(name, table, 2 if cheap else BLOCKS)
        yield from _languages(name, table, data)
        if not cheap:
            yield from _foreign(name, table, data)
        yield from _texts(name, table, 2 if cheap else BLOCKS)
        if name.startswith("train ") and sides == PAIRS:
            yield from _sentences(name, table, config)
    tables = [read.table for _, read in training if not isinstance(read, Finding)]
    readable = {name: list(Pairs([read.table])) for name, read in held_out if not isinstance(read, Finding)}
    if not cheap:
        yield from _test_sets(readable, default_tokenizer(data.target_language) if sides == PAIRS else None)
    if tables:
        yield from overlaps(readable, tables, QUICK if cheap else sum(map(len, tables)))


def _read(corpora: dict[str, CorpusConfig], data: DataConfig, sides: str) -> list[tuple[str, CachedCorpus | Finding]]:
    results: list[tuple[str, CachedCorpus | Finding]] = []
    for name, corpus in corpora.items():
        try:
            results.append((name, find_corpus(corpus, data, sides).read()))
        except UserError as error:
            results.append((name, Finding("error", name, str(error))))
    return results


def _sample(table: Table, blocks: int) -> Iterator[tuple[int, list[str], list[str]]]:
    """At most `blocks` evenly spaced blocks of SAMPLE lines: number of the first line (from 0), sources, targets."""
    size = len(table)
    count = min(blocks, -(-size // SAMPLE))
    for block in range(count):
        start = 0 if count == 1 else block * max(0, size - SAMPLE) // (count - 1)
        rows = table[start : start + SAMPLE]
        yield start, rows["source"], rows["target"]


def _alignment(name: str, table: Table, blocks: int) -> Iterator[Finding]:
    if len(table) < MIN_LINES:
        yield Finding("note", name, f"{len(table):,} lines are too few to look for shifted lines")
        return
    seen, shifted = 0, False
    for start, sources, targets in _sample(table, blocks):
        seen += len(sources)
        for shift in find_shifts(sources, targets):
            shifted = True
            lines = f"lines {start + shift.first:,} to {start + shift.last:,} look shifted by {shift.offset:+d}"
            yield Finding("warning", name, lines, "look there for a line that is missing from one file, and align the files again")
    if not shifted:
        checked = "" if seen >= len(table) else f" in {seen:,} of {len(table):,} lines"
        yield Finding("ok", name, f"no run of shifted lines{checked}")


def _texts(name: str, table: Table, blocks: int) -> Iterator[Finding]:
    """Text that is not plain sentences: tokenised, wrongly decoded, with markup, ..."""
    sides: dict[str, list[str]] = {"source": [], "target": []}
    numbers: list[int] = []
    for start, sources, targets in _sample(table, blocks):
        numbers += range(start + 1, start + 1 + len(sources))
        sides["source"] += sources
        sides["target"] += targets
    step = max(1, len(numbers) // TEXTS)
    numbers = numbers[::step]
    for side, lines in sides.items():
        if not any(lines):
            continue
        for warning in text_warnings(f"the {side} side", lines[::step], None if len(numbers) == len(table) else numbers):
            text, closing, hint = warning.partition("): ")
            yield Finding("warning", name, text + closing[:1], hint)


def _sentences(name: str, table: Table, config: Config) -> Iterator[Finding]:
    """Lines of several sentences in training, and single ones in translation; or the other way round."""
    lines = [line for _, sources, _ in _sample(table, 2) for line in sources]
    lines = lines[:: max(1, len(lines) // TEXTS)]
    several = sum(len(sentence_spans(line, config.data.source_language)) > 1 for line in lines)
    share = several / max(1, len(lines))
    text = f"{share:.0%} of the source lines have several sentences, and decoding.split is {config.decoding.split}"
    if config.decoding.split == "sentence" and share > 0.75:
        yield Finding("warning", name, f"{text}: the model is trained on other texts than it will get", "decoding.split=line")
    if config.decoding.split == "line" and share < 0.05 and not config.data.join:
        yield Finding("warning", name, f"{text}: the model is trained on other texts than it will get", "decoding.split=sentence, or data.join=0.1")


def _languages(name: str, table: Table, data: DataConfig) -> Iterator[Finding]:
    languages = (data.source_language, data.target_language)
    _, *sides = next(_sample(table, 1))
    if set(languages) == set(FUNCTION_WORDS):
        for side, language, other, lines in zip(("source", "target"), languages, languages[::-1], sides):
            words = re.findall(r"[^\W\d_]+", " ".join(lines).casefold())
            own, foreign = (sum(word in FUNCTION_WORDS[code] for word in words) for code in (language, other))
            if foreign > own:
                yield Finding("error", name, f"the {side} side looks like {other}, not {language}", "swap source and target of this corpus")
        return
    codes = [language_code(language) for language in languages]
    for side, language, code, lines in zip(("source", "target"), languages, codes, sides):
        if not any(lines):
            continue
        found = text_language(lines[:: max(1, len(lines) // LANGUAGE_LINES)], code)
        if found not in (code, UNKNOWN):
            hint = "swap source and target of this corpus" if found in codes else f"set data.{side}_language"
            yield Finding("error" if found in codes else "warning", name, f"the {side} side looks like {found}, not {language}", hint)


def _foreign(name: str, table: Table, data: DataConfig) -> Iterator[Finding]:
    """Single lines in another language, where the side as a whole is in the right one."""
    codes = [language_code(language) for language in (data.source_language, data.target_language)]
    if codes[0] == codes[1] or UNKNOWN in codes:
        return
    _, *sides = next(_sample(table, 1))
    for side, judge, lines in zip(("source", "target"), (LanguageJudge(*codes), LanguageJudge(*codes[::-1])), sides):
        found = [number for number, line in enumerate(lines, 1) if judge.foreign(line)]
        if FOREIGN * len(lines) <= len(found) < len(lines) / 2:
            text = f"{len(found):,} of {len(lines):,} lines of the {side} side are in another language (first: line {found[0]:,})"
            yield Finding("warning", name, text, "leave them out: the model learns to copy them")


def _test_sets(held_out: dict[str, list[Pair]], tokenize: str | None) -> Iterator[Finding]:
    """Sets on which BLEU is always 0, and test sets that share pairs with validation, which inflates their scores. tokenize: None if nothing is
    translated."""
    try:
        check_tokenizer(tokenize or "13a")
    except UserError as error:
        yield Finding("error", "scores", str(error))
        return
    validation = {pair for name, pairs in held_out.items() if name.startswith("validation ") for pair in pairs}
    for name, pairs in held_out.items():
        if pairs and tokenize and too_short_for_bleu([target for _, target in pairs], tokenize):
            hint = "chrF++ decides instead, as with training.metric=chrf" if name.startswith("validation ") else "use chrF++"
            yield Finding("warning", name, "BLEU is 0 on this set: no line has four tokens", hint)
        shared = 0 if name.startswith("validation ") else sum(pair in validation for pair in pairs)
        if shared:
            what, severity = pairs_or_sentences(pairs), "note" if shared * 10 < len(pairs) else "warning"
            hint = f"the weights are chosen on them, which inflates the score: test on other {what}"
            yield Finding(severity, name, f"{shared:,} of {len(pairs):,} {what} are also in validation", hint)
