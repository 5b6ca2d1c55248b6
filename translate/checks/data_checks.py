"""What may be wrong with a configuration's data before hours of training: `translate check` prints it, and training its cheap part.

Reads the corpora as data.py does, through their cache; writes nothing else. Memory is bounded: training text is streamed, and of it only
SAMPLE contiguous lines a corpus are looked at for shifted lines and swapped languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from translate.checks.alignment import FEWEST_LINES, shifted
from translate.config import Config, CorpusConfig, DataConfig
from translate.data.corpora import find_corpus
from translate.data.corpus import CachedCorpus
from translate.data.pairs import Pairs
from translate.data.rows import ROWS
from translate.errors import UserError
from translate.evaluation.scoring import check_tokenizer, default_tokenizer, too_short_for_bleu
from translate.text.quality import text_warnings
from translate.tokenizer import LONGEST_LINE

SAMPLE = 5_000  # lines of one block
BLOCKS = 6  # of a corpus, spread evenly
QUICK = 500_000  # pairs of training that the cheap part looks through for development and test sentences
LOOKED = 3_000  # lines whose characters are looked at
SHOWN = 3  # examples in a finding
FUNCTION_WORDS = {
    "de": set("der die das und ist nicht ein eine einen einem einer zu mit auf für von dem den im ich sie er wir es sich auch".split()),
    "en": set("the and is not a an to with on for of in i you he she we it are was that this at by from have has".split()),
}
# white space that has no width, soft hyphens and quotes: dropped where texts are compared
QUOTES = re.compile("[\"'`\u00b4\u201e\u201c\u201d\u201a\u2018\u2019\u00ab\u00bb\u2039\u203a\u00ad\u200b-\u200f\u2060\ufeff]+")
END_MARKS = " .!?\u2026\u3002\uff01\uff1f"
EMPTY = ("", ("", ""))  # keys of a text and a pair of which nothing is left
SIDES = (  # of pairs: what may stand in training too
    lambda pairs: [source for source, _ in pairs],
    lambda pairs: [target for _, target in pairs],
    lambda pairs: pairs,
)


@dataclass(frozen=True)
class Finding:
    """severity: ok, note, warning or error. hint: what to do, or nothing where all is well."""

    severity: str
    name: str
    text: str
    hint: str = ""

    def line(self) -> str:
        return f"{self.severity:<8} {self.name:<16} {self.text}{': ' if self.hint else ''}{self.hint}"


def check_data(config: Config, cheap: bool = False) -> Iterator[Finding]:
    """The findings about the corpora, as they are made. What cannot be read is a finding, and the rest is looked at all the same.

    cheap: the first block of a corpus and its last, and only the first QUICK training pairs for the overlap, so that the time does not grow with
    the corpus.
    """
    data = config.data
    training = _read({f"train {n}": c for n, c in enumerate(data.train, 1)}, data)
    held_out = [*_read({f"validation {n}": c for n, c in enumerate(data.validation, 1)}, data), *_read(data.test, data)]
    for name, read in (*training, *held_out):
        if isinstance(read, Finding):
            yield read
            continue
        table = read.table
        if not cheap:
            blank = sum(not (source.strip() and target.strip()) for source, target in Pairs([table]))
            severity = "warning" if blank > len(table) / 100 else "note" if blank else "ok"
            yield Finding(severity, name, f"{len(table):,} pairs, {blank:,} blank", "blank pairs are left out of training" if blank else "")
        if read.skipped_summary:
            yield Finding("warning", name, read.skipped_summary, "look at that line of the file")
        if read.long and name.startswith("train "):
            text = f"{read.long:,} of {len(table):,} pairs have a side of more than {LONGEST_LINE:,} bytes, which the tokenizer does not train on"
            yield Finding("warning", name, f"{text} (the first: pair {read.first_long:,})", "put one sentence in a line")
        yield from _alignment(name, table, 2 if cheap else BLOCKS)
        yield from _languages(name, table, data)
        yield from _texts(name, table, 2 if cheap else BLOCKS)
    tables = [read.table for _, read in training if not isinstance(read, Finding)]
    readable = {name: list(Pairs([read.table])) for name, read in held_out if not isinstance(read, Finding)}
    if not cheap:
        yield from _choosing(readable, default_tokenizer(data.target_language))
    if tables:
        yield from _overlaps(readable, tables, QUICK if cheap else sum(map(len, tables)))


def _read(corpora: dict[str, CorpusConfig], data: DataConfig) -> list[tuple[str, CachedCorpus | Finding]]:
    found: list[tuple[str, CachedCorpus | Finding]] = []
    for name, corpus in corpora.items():
        try:
            found.append((name, find_corpus(corpus, data).read()))
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


def _texts(name: str, table, blocks: int) -> Iterator[Finding]:
    """What makes its lines unfit as text: tokenised, wrongly decoded, with markup, ..."""
    sides: tuple[list[str], list[str]] = ([], [])
    numbers: list[int] = []
    for start, *texts in _sample(table, blocks):
        numbers += range(start + 1, start + 1 + len(texts[0]))
        for side, lines in zip(sides, texts):
            side += lines
    step = max(1, len(numbers) // LOOKED)
    numbers = numbers[::step]
    for side, texts in zip(("source", "target"), sides):
        for warning in text_warnings(f"the {side} side", texts[::step], None if len(numbers) == len(table) else numbers):
            text, closing, hint = warning.partition("): ")
            yield Finding("warning", name, text + closing[:1], hint)


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


def near_key(text: str) -> str:
    """What two texts have in common that a reader, or the model, would call the same: without white space, case, quotes and end marks."""
    return " ".join(QUOTES.sub("", unicodedata.normalize("NFKC", text).casefold()).split()).rstrip(END_MARKS)


class _Seen:
    """Which texts (or pairs) of the held-out sets stand in training: the very same, and those that differ in what `near_key` drops."""

    def __init__(self, keys: Iterable, near: Callable) -> None:
        self.near = near
        self.exact = dict.fromkeys(keys, False)
        self.alike = dict.fromkeys(map(near, self.exact), False)

    def look(self, texts: Iterable, alike: Iterable) -> None:
        for text in self.exact.keys() & set(texts):
            self.exact[text] = True
        for key in self.alike.keys() & set(alike):
            self.alike[key] = True

    def lines(self, texts: Sequence) -> tuple[list[int], list[int]]:
        """Numbers, from 1, of the lines whose very text stands in training, and of those that stand there but for what `near_key` drops."""
        exact = [number for number, text in enumerate(texts, 1) if self.exact[text]]
        found = set(exact)
        keys = [(number, self.near(text)) for number, text in enumerate(texts, 1) if number not in found]
        return exact, [number for number, key in keys if key not in EMPTY and self.alike[key]]


def _choosing(held_out: dict[str, list[tuple[str, str]]], tokenize: str) -> Iterator[Finding]:
    """Sets on which BLEU cannot be but 0; test sets that choose the checkpoint too, so that their figure is too good."""
    try:
        check_tokenizer(tokenize)
    except UserError as error:
        yield Finding("error", "scores", str(error))
        return
    chooses = {pair for name, pairs in held_out.items() if name.startswith("validation ") for pair in pairs}
    for name, pairs in held_out.items():
        if pairs and too_short_for_bleu([target for _, target in pairs], tokenize):
            hint = "chrF++ decides in its place, as with training.metric=chrf" if name.startswith("validation ") else "read chrF++"
            yield Finding("warning", name, "BLEU is 0 on this set: no line has four tokens", hint)
        shared = 0 if name.startswith("validation ") else sum(pair in chooses for pair in pairs)
        if shared:
            yield Finding(
                "note" if shared * 10 < len(pairs) else "warning", name, f"{shared:,} of {len(pairs):,} pairs also stand in validation",
                "the weights are chosen on them, so their score is too good: use others to test",
            )  # fmt: skip


def _overlaps(held_out: dict[str, list[tuple[str, str]]], tables: list, limit: int) -> Iterator[Finding]:
    """What of each held-out set stands among the first `limit` training pairs, which are read once for all sets."""
    every = [pair for pairs in held_out.values() for pair in pairs]
    sides = [_Seen(keys(every), near) for keys, near in zip(SIDES, (near_key, near_key, _near_pair))]
    for _, sources, targets in islice(Pairs(tables).batches(), -(-limit // ROWS)):
        near = (list(map(near_key, sources)), list(map(near_key, targets)))
        for side, texts, alike in zip(sides, (sources, targets, zip(sources, targets)), (*near, zip(*near))):
            side.look(texts, alike)
    size = sum(map(len, tables))
    place = "training" if limit >= size else f"the first {limit:,} of {size:,} training pairs"
    for name, pairs in held_out.items():
        found = [side.lines(keys(pairs)) for keys, side in zip(SIDES, sides)]
        exact, near = ([lines[which] for lines in found] for which in (0, 1))
        text = "{:,} sources, {:,} targets and {:,} pairs".format(*map(len, exact)) + f" of {len(pairs):,} also stand in {place}{_where(exact)}"
        if any(near):
            text += "; but for white space, case, quotes or end marks {:,}, {:,} and {:,} more".format(*map(len, near)) + _where(near)
        if exact[2] or near[2]:
            yield Finding("warning", name, text, "take them out of training")
        else:
            yield Finding("note" if any(exact) or any(near) else "ok", name, text)


def _near_pair(pair: tuple[str, str]) -> tuple[str, str]:
    return near_key(pair[0]), near_key(pair[1])


def _where(lines: list[list[int]]) -> str:
    """The first lines of the pairs, or if there are none of the sources."""
    which = 2 if lines[2] else 0
    if not lines[which]:
        return ""
    shown = ", ".join(map(str, lines[which][:SHOWN])) + (", ..." if len(lines[which]) > SHOWN else "")
    return f" ({'pairs' if which else 'sources'}: line {shown})"
