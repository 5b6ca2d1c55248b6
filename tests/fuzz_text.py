"""Hostile lines and damaged profiles for tests/fuzz.py: any line gives one line, with the items that it had."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any, Sequence

import numpy

from tests.fuzz_cases import Case
from tests.mutations import altered
from translate.config import DecodingConfig, TokenizerConfig
from translate.decoding import Hypothesis
from translate.profile import Calibration, LengthRatio, Profile, read_profile
from translate.text.placeholders import SYMBOLS
from translate.tokenizer import Tokenizer, train_tokenizer
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.doubts import doubts
from translate.translation.translator import Translator

WORDS = (
    "der Hund die Katze schläft und heute nicht Haus kostet zwei Das Ist NICHT WAHR z. B. Dr. Müller usw. am 3. Oktober Straße the quick brown fox "
    "jumps over Le chat est sur Привет мир 日本語 مرحبا שלום สวัสดี Gemüse-suppe"
).split()
MARKS = [
    "\t", " ", "  ", "     ", "\u00a0", "\u2003", "\u3000", "\u2028", "\x85", "\x0b", "\x1c", "\x1f", "\x00", "\x7f", "\u00ad", "\u200b",
    "\u200d", "\ufeff", "\u202e", "\u202c", "\u2066", "\u2069", "\u200f", "\u061c", "\U000e0041", "\u0301", "\u0323\u0301", "\u20e3", "\ufe0f",
    "\U0001d573", "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\U0010ffff", "\ue000", "\ufffd", "\uac00",
    "\u1100\u1161", "ﬁ", "ß", "ŉ", "İ", "ǰ", "- ", "* ", "1. ", "a) ", "> ", "# ", "[x] ", "• ", "...", "…", "?!", "!!!", "„", "“", "»", "«", '"',
    "'", "(", ")", "[", "]", "{", "}", "<", ">", "<b", "</", "<!--", "-->", "{{", "}}", "{%", "%}", "&", "&#", ";", "`", "\\", "/", "//", "://",
    "@", "#", "%", "%%", "$", "${", "|", "](", "![", "~", "^", "_", "⟦0⟧", "⟦7⟧", "⟦", "▁", "<unk>", "<s>", "12", "3,5", "1.234,56", "0", "-7",
    "½", "٣", "१२", "²", "IV", "MMXXIV", "18:30", "27.11.2026", "+49341 5550199", "0341 555-0199", "5 km", "1e999",
]  # fmt: skip
ITEMS = [  # number -> an item that no other number makes
    "{{{}}}", "{{n{}}}", "https://example.org/{}", "www.a{}.example.org/x?y=1&z=2", "anna{}@example.org", "<b{}>", "</i{}>", "<br{}/>", "%{}$s",
    "@name{}", "#tag{}", "/usr/share/doc{}.txt", "C:\\Users\\a{}", "`git commit {}`", "snake_case_{}", "&#90{};", "${{x{}}}", "datei{}.pdf",
    "--option{}", "%(x{})d",
]  # fmt: skip
REPEATED = [  # ten thousand times
    "9", "9.", "9,9 ", "a.", "a. ", "(", "<", "<a ", "{", "[", "„", "\u0301", "\u0323", "\u200d", "-", "--", "&a", "&amp;", "@a", "a@", "a@a.", "/a",
    "://",
    "a_", "%", "`", "]( ", "![](", "A", "A ", "\t", " ", "\u00a0", "\U0001f600", "\U0001f1e6", "I", "IX ", "+49 ", "zwei", "hundert", "und ",
    "z. B. ", "|", "| ", "⟦0⟧", "<!--", "{%", "{n, plural, ", "#", "www.", "ö", "Ab", "a-", "\\", "1/", "1:", "1-", "a)", "1. ", "!", "?\" ", "«",
    "...", "\u00ad", "\ufeff", "漢", "Das ist gut. ",
]  # fmt: skip
ENDS = ("\n", "\r")


class Noise:
    """An engine that repeats, shuffles, drops, multiplies or makes up tokens, and attends to anything. It may lose what is required."""

    max_tokens, at_once, forkable, alignment = 60, 1, False, AlignmentHeads(0, (0,), 0)
    machine = {"device": "cpu", "precision": "fp32"}

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.size, self.rng = tokenizer.target_size, random.Random(0)

    def search(
        self,
        sources: Sequence[list[int]],
        limits: Sequence[int],
        options: Any,
        seeds: Any,
        no_repeat: int = 0,
        align: bool = False,
        required: Any = None,
    ) -> list[list[Hypothesis]]:
        wanted = required or [[]] * len(sources)
        return [[self.output(*row, align) for _ in range(options.draws or options.n_best)] for row in zip(sources, limits, wanted)]

    def output(self, source: list[int], limit: int, required: list[int], align: bool) -> Hypothesis:
        assert len(source) <= self.max_tokens
        rng, ids = self.rng, source[:-1]
        chance = rng.random()
        if chance < 0.3:
            rng.shuffle(ids)
        elif chance < 0.5:
            ids = [rng.randrange(4, self.size) for _ in ids]
        elif chance < 0.6:
            ids = ids[: rng.randrange(3)] * rng.randrange(5)
        if rng.random() < 0.8:
            ids += [number for number in required if number not in ids]
        ids = ids[:limit]
        weights = numpy.random.default_rng(rng.randrange(1 << 30)).dirichlet([0.2] * len(source), len(ids)).astype(numpy.float32) if align else None
        return Hypothesis(ids, -rng.random(), -rng.random() * (len(ids) + 1), rng.random() < 0.9, weights)


def line_of(rng: random.Random, most: int) -> tuple[str, list[str]]:
    """A line without line ends, and its items, each with spaces around it. most: repetitions."""
    parts, items = [], []
    for number in range(rng.choice((1, 5, 30))):
        chance = rng.random()
        if chance < 0.5:
            parts.append(rng.choice(WORDS))
        elif chance < 0.85:
            parts.append("".join(rng.choices(MARKS, k=rng.choice((1, 1, 2, 5)))))
        elif chance < 0.95:
            items.append(rng.choice(ITEMS).format(number + 1))
            parts.append(f" {items[-1]} ")
        else:
            parts.append(chr(rng.choice((rng.randrange(32, 0xD800), rng.randrange(0xE000, 0x110000)))))
        parts.append(rng.choice(("", " ", " ", " ")))
    chance = rng.random()
    if chance < 0.05:  # many of one kind
        items = [rng.choice(ITEMS).format(number + 1000) for number in range(min(most, 1000))]
        parts = [" ".join(items)]
    elif chance < 0.25:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(REPEATED) * min(most, rng.choice((20, 500, 10_000))))
        items = []  # it may make the items around it part of something
    line = "".join(parts).upper() if rng.random() < 0.05 and not items else "".join(parts)
    return "".join(character for character in line if character not in ENDS), items


def tokenizers(folder: Path) -> list[Tokenizer]:
    lines = [" ".join(WORDS), "0123456789 .,;:!?()<>{}[]%&/@#-", "Guten Morgen! Das ist gut."] * 3
    return [
        train_tokenizer([(line, line) for line in lines], TokenizerConfig(vocabulary=400, symbols=symbols, normalization=rules), folder)
        for symbols, rules in (([], "nmt_nfkc"), (list(SYMBOLS), "nfc"))
    ]


def text(folder: Path, most: int = 10_000) -> Case:
    """A few lines, hostile and ordinary, through a translator: as many come back, none with a line end in it, each item as often as it was there."""
    both = tokenizers(folder)
    known = Profile(
        longest_source=30, cases={"hund": "Hund", "haus": "Haus", "müller": "Müller"}, lengths=LengthRatio(base=0.16, least=-3.0, most=3.0),
        source_language="de", target_language="en", calibration=Calibration(500, [-2.0, 0.0], [0.0, 0.8], -2.2, 0.3, 0.05),
    )  # fmt: skip

    def case(rng: random.Random) -> str:
        engine = Noise(tokenizer := rng.choice(both))
        engine.rng = rng
        translator = Translator(engine, tokenizer, DecodingConfig(beam=2), False, rng.choice((None, known)), rng.choice((("de", "en"), ("en", "de"))))
        lines, items = zip(*(line_of(rng, most) for _ in range(3)))
        options = {"split": rng.choice(("sentence", "line")), "foreign": rng.choice(("copy", "translate"))}
        chosen = {name: rng.random() < 0.5 for name in ("alignment", "coverage")}
        search = rng.choice(({"beam": 2}, {"beam": 4, "diverse": 2}, {"mbr": "chrf", "samples": rng.choice((2, 5)), "seed": rng.randrange(9)}))
        results = translator.translate(list(lines), scores=True, n_best=rng.choice((1, 2)), **search, **options, **chosen)
        for line, wanted, result in zip(lines, items, results, strict=True):
            check(line, wanted, result)
            doubts(result, 0.5, translator.languages)
        return "translated"

    return case


def check(line: str, items: list[str], result: Any) -> None:
    if any(end in output for output, _ in result.alternatives for end in ENDS):
        raise AssertionError(f"a line end in the translation of {line!r}")
    if not line.strip() and result.text != line:
        raise AssertionError(f"a blank line came back as {result.text!r}")
    spans = [*result.spans, *((begin, end) for begin, end, _ in result.passed)]
    if not all(0 <= begin < end <= len(line) for begin, end in spans):
        raise AssertionError(f"spans outside of {line!r}: {spans}")
    for source, output in result.alignment or ():
        if not (0 <= source[0] < source[1] <= len(line) and 0 <= output[0] < output[1] <= len(result.text)):
            raise AssertionError(f"{source}, {output} of {len(line)}, {len(result.text)} characters: {line[:100]!r}")
    for item in items:
        if result.text.count(item) != line.count(item):
            raise AssertionError(f"{item} {result.text.count(item)} times, not {line.count(item)}: {line!r} -> {result.text!r}")


def profile(folder: Path) -> Case:
    """The profile of a manifest with something wrong in it: refused, or a translator that works."""
    tokenizer = tokenizers(folder)[0]
    values = dataclasses.asdict(
        Profile(
            30,
            {"hund": "Hund"},
            1,
            [0, 2],
            0,
            LengthRatio(0.1, 0.9, 0.1, 0.5, -3.0, 3.0),
            "de",
            "en",
            Calibration(9, [-2.0, 0.0], [0.1, 0.8], -2.2, 0.3, 0.1),
        )
    )

    def case(rng: random.Random) -> str:
        changed = values
        for _ in range(rng.choice((1, 1, 2, 4))):
            changed = altered(changed, rng)
        found = read_profile(changed, "model.safetensors")
        results = Translator(Noise(tokenizer), tokenizer, DecodingConfig(beam=2), False, found).translate([line_of(rng, 100)[0]], scores=True)
        doubts(results[0])
        return "read"

    return case
