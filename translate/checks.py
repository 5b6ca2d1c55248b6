"""What may be wrong with a configuration's data before hours of training: `translate check` prints it, and training its cheap part.

Reads the corpora as data.py does, through their cache; writes nothing else. Memory is bounded: training text is streamed, and of it only
SAMPLE contiguous lines a corpus are looked at for shifted lines and swapped languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from translate.alignment import FEWEST_LINES, shifted
from translate.config import Config, CorpusConfig, DataConfig
from translate.corpora import ROWS, load_corpus
from translate.data import Pairs
from translate.errors import UserError

SAMPLE = 5_000  # lines of one block
BLOCKS = 6  # of a corpus, spread evenly
QUICK = 500_000  # pairs of training that the cheap part looks through for development and test sentences
SHOWN = 3  # examples in a finding
FUNCTION_WORDS = {
    "de": set("der die das und ist nicht ein eine einen einem einer zu mit auf für von dem den im ich sie er wir es sich auch".split()),
    "en": set("the and is not a an to with on for of in i you he she we it are was that this at by from have has".split()),
}
SIDES = (  # of pairs: what may stand in training too
    lambda pairs: [source for source, _ in pairs],
    lambda pairs: [target for _, target in pairs],
    lambda pairs: pairs,
)


@dataclass(frozen=True)
class Finding:
    """severity: ok, note, warning or error. way_out: what to do, or nothing where all is well."""

    severity: str
    name: str
    text: str
    way_out: str = ""

    def line(self) -> str:
        return f"{self.severity:<8} {self.name:<16} {self.text}{': ' if self.way_out else ''}{self.way_out}"


def check_data(config: Config, cheap: bool = False) -> Iterator[Finding]:
    """The findings about the corpora, as they are made. What cannot be read is a finding, and the rest is looked at all the same.

    cheap: the first block of a corpus and its last, and only the first QUICK training pairs for the overlap, so that the time does not grow with
    the corpus.
    """
    data = config.data
    training = _tables({f"train {n}": c for n, c in enumerate(data.train, 1)}, data)
    held_out = [*_tables({f"validation {n}": c for n, c in enumerate(data.validation, 1)}, data), *_tables(data.test, data)]
    for name, table in (*training, *held_out):
        if isinstance(table, Finding):
            yield table
            continue
        if not cheap:
            blank = sum(not (source.strip() and target.strip()) for source, target in Pairs([table]))
            severity = "warning" if blank > len(table) / 100 else "note" if blank else "ok"
            yield Finding(severity, name, f"{len(table):,} pairs, {blank:,} blank", "blank pairs are left out of training" if blank else "")
        if not len(table):
            yield Finding("error", name, "it has no pairs", "name a file that has some")
            continue
        yield from _alignment(name, table, 2 if cheap else BLOCKS)
        yield from _languages(name, table, data)
    tables = [table for _, table in training if not isinstance(table, Finding)]
    readable = {name: list(Pairs([table])) for name, table in held_out if not isinstance(table, Finding)}
    if tables:
        yield from _overlaps(readable, tables, QUICK if cheap else sum(map(len, tables)))


def cheap_checks(config: Config, say: Callable[[str], None]) -> list[Finding]:
    """Say what is a warning, a line each, at every start of training; returns what is an error."""
    errors = []
    for finding in check_data(config, cheap=True):
        if finding.severity == "warning":
            say(finding.line())
        elif finding.severity == "error":
            errors.append(finding)
    return errors


def _tables(corpora: dict[str, CorpusConfig], data: DataConfig) -> list[tuple]:
    found = []
    for name, corpus in corpora.items():
        try:
            found.append((name, load_corpus(corpus, data)))
        except UserError as error:
            found.append((name, Finding("error", name, str(error))))
    return found


def _sample(table, blocks: int) -> Iterator[tuple[int, list[str], list[str]]]:
    """Contiguous lines, at most `blocks` times SAMPLE: number of the first (from 0), sources, targets."""
    size = len(table)
    count = min(blocks, -(-size // SAMPLE))
    for block in range(count):
        start = 0 if count == 1 else block * max(0, size - SAMPLE) // (count - 1)
        rows = table[start : start + SAMPLE]
        yield start, rows["source"], rows["target"]


def _alignment(name: str, table, blocks: int) -> Iterator[Finding]:
    if len(table) < FEWEST_LINES:
        yield Finding("note", name, f"{len(table):,} lines are too few to look for shifted ones")
        return
    seen, found = 0, False
    for start, sources, targets in _sample(table, blocks):
        seen += len(sources)
        for shift in shifted(sources, targets):
            found = True
            lines = f"lines {start + shift.first:,} to {start + shift.last:,} look shifted by {shift.offset:+d}"
            yield Finding("warning", name, lines, "look there for a line that one file lacks, and align the files anew")
    if not found:
        looked = "" if seen >= len(table) else f" in {seen:,} of {len(table):,} lines looked at"
        yield Finding("ok", name, f"no run of shifted lines{looked}")


def _languages(name: str, table, data: DataConfig) -> Iterator[Finding]:
    languages = (data.source_language, data.target_language)
    if set(languages) != set(FUNCTION_WORDS):
        yield Finding("note", name, f"languages {languages[0]} and {languages[1]}: not checked (only de and en are)")
        return
    _, *sides = next(_sample(table, 1))
    for side, language, other, lines in zip(("source", "target"), languages, languages[::-1], sides):
        words = re.findall(r"[^\W\d_]+", " ".join(lines).casefold())
        own, foreign = (sum(word in FUNCTION_WORDS[each] for word in words) for each in (language, other))
        if foreign > own:
            yield Finding("error", name, f"the {side} side looks like {other}, not {language}", "swap source and target of this corpus")


def _overlaps(held_out: dict[str, list[tuple[str, str]]], tables: list, limit: int) -> Iterator[Finding]:
    """What of each held-out set stands among the first `limit` training pairs, which are read once for all sets."""
    wanted = [{key for pairs in held_out.values() for key in keys(pairs)} for keys in SIDES]
    found: list[set] = [set(), set(), set()]
    for _, sources, targets in islice(Pairs(tables).batches(), -(-limit // ROWS)):
        for keys, seen, these in zip(wanted, found, (sources, targets, zip(sources, targets))):
            seen |= keys.intersection(these)
    size = sum(map(len, tables))
    place = "training" if limit >= size else f"the first {limit:,} of {size:,} training pairs"
    for name, pairs in held_out.items():
        counts = [len(set(keys(pairs)) & seen) for keys, seen in zip(SIDES, found)]
        text = f"{counts[0]:,} sources, {counts[1]:,} targets and {counts[2]:,} pairs of {len(pairs):,} also stand in {place}"
        which = 2 if counts[2] else 0
        lines = [number for number, key in enumerate(SIDES[which](pairs), 1) if key in found[which]]
        if lines:
            where = ", ".join(map(str, lines[:SHOWN])) + (", ..." if len(lines) > SHOWN else "")
            text += f" ({'pairs' if which else 'sources'}: line {where})"
        if counts[2]:
            yield Finding("warning", name, text, "take them out of training")
        else:
            yield Finding("note" if any(counts) else "ok", name, text)
