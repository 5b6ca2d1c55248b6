"""The settings of the section `data`: corpora, filters, and what is made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional

from translate.bounds import bounded, choice, of_families, plain
from translate.errors import UserError
from translate.values import short_repr

TRANSLATING = ("encoder_decoder", "decoder_only", "recurrent")  # families of models
ONE_TEXT = ("masked_lm",)  # those that read two sides as one text
OF_PAIRS = (*TRANSLATING, *ONE_TEXT)  # those that read two sides


@dataclass
class CorpusConfig:
    """A source of aligned sentence pairs. Which fields are used depends on `kind`:

    ====================  ==========================================================================================
    ``text``              `source`, `target`: two files of the same number of lines; for models of one language `target` alone
    ``tsv``               `path`: one file; `source`, `target`: column number from 1; cells have no quotes
    ``csv``               `path`: one file; `source`, `target`: column, by its name in the first row or, without such a row, by number
    ``jsonl``             `path`: one file, one object per line or all in an array; `source`, `target`: key, `translation.de` for a nested one
    ``parquet``           `path`: one file, or a folder of them; `source`, `target`: columns as in `jsonl`
    ``tmx``               `path`: a translation memory; the languages are those of `data`
    ``wmt``               `path`: a test set of WMT in XML, `config`: the translator of the reference (null = the first); or `source`, `target`: .sgm
    ``hub``               `path`: name of a Hugging Face data set, `config`, `split`; `source`, `target`: columns, `translation.de` for a nested one
    ``saved``             `path`: a folder written by `Dataset.save_to_disk` or `DatasetDict.save_to_disk`, `split`, columns as above
    ``phrasebook``        the built-in generated corpus: `split`
    ====================  ==========================================================================================

    Files may be compressed (.gz, .xz, .bz2, .zst).
    """

    kind: str = choice("text", "tsv", "csv", "jsonl", "parquet", "tmx", "wmt", "hub", "saved", "phrasebook")
    path: str = ""
    source: str = ""
    target: str = ""
    config: Optional[str] = None
    revision: Optional[str] = None  # of a `hub` set: a branch, tag or commit; null = its newest
    split: str = "train"
    # `data.folder=DIR` reads DIR/<files>.<language> instead of the hub
    files: str = ""
    lines: Optional[str] = None  # a range of its pairs, such as 1-1000, or 1001- to the end; null = all
    # passes over this corpus per epoch: 2 = every pair twice, 0.5 = a different half of the pairs each time
    weight: float = bounded(1.0, above=0, most=10**9)


@dataclass
class FilterConfig:
    """Which training pairs are left out, besides those with a blank side; each rule is counted in the log and in report.json."""

    max_tokens: int = bounded(256, least=1)  # on either side, end mark included; at most model.max_tokens
    max_ratio: float = of_families(bounded(3.0, least=0, most=1e6), *OF_PAIRS)  # of the longer side to the shorter, in tokens; 0 = no limit
    # max_ratio applies if the longer side has at least this many tokens
    min_ratio_tokens: int = of_families(bounded(12, least=0, most=10**6), *OF_PAIRS)
    identical: bool = of_families(plain(True), *OF_PAIRS)  # drop pairs of the same text
    duplicates: bool = True  # drop repetitions of a pair; white space and Unicode forms are ignored, as in the tokenizer
    # text like what will be translated, a sentence a line: of the pairs that pass the other filters, only the most like it are kept (Moore and Lewis
    # 2010); null = all
    domain: Optional[str] = of_families(plain(None), *TRANSLATING, "language_model", "markov")
    domain_share: float = of_families(bounded(0.2, above=0, most=1.0), *TRANSLATING, "language_model", "markov")  # of the pairs, kept
    domain_side: str = of_families(choice("source", "target"), *TRANSLATING)  # the language of the text; models of one language have no choice


@dataclass
class DataConfig:
    source_language: str = "de"
    target_language: str = "en"
    folder: Optional[str] = None  # local text files instead of the hub: see CorpusConfig.files
    train: List[CorpusConfig] = field(default_factory=list)
    validation: List[CorpusConfig] = field(default_factory=list)
    test: Dict[str, CorpusConfig] = field(default_factory=dict)
    filters: FilterConfig = field(default_factory=FilterConfig)
    # share of the training examples made of two to four consecutive pairs, joined with a space, instead of one; every pair is in one example
    join: float = bounded(0.0, least=0, most=1.0)
    # share of the training pairs that get placeholder symbols at the same places of both sides, to teach that they are kept; 0 = no symbols
    placeholders: float = of_families(bounded(0.0, least=0, most=1.0), *OF_PAIRS)
    workers: int = bounded(0, least=0, most=4096)  # threads that tokenise; 0 = one per core
    cache: Optional[str] = None  # folder of the tokenised corpora; null = ~/.cache/translate-nmt


def check_domain(filters: FilterConfig) -> None:
    """UserError for a setting of the domain filter without its text."""
    default = FilterConfig()
    for key in ("domain_share", "domain_side"):
        if filters.domain is None and (value := getattr(filters, key)) != getattr(default, key):
            raise UserError(f"data.filters.{key} ({value}) has no effect without data.filters.domain: name a file of text there, or leave it out")


def line_range(text: str) -> tuple[int, Optional[int]]:
    """First and last line, from 1, of "1-1000"; of "1001-" the last is None. UserError for anything else."""
    match = re.fullmatch(r"([0-9]{1,12})-([0-9]{1,12})?", text)
    first, last = (int(match[1]), int(match[2]) if match[2] else None) if match else (0, None)
    if first < 1 or (last is not None and last < first):
        raise UserError(f"lines of a corpus is {short_repr(text)}: give the first and the last, such as 1-1000, or 1001- for all from there on")
    return first, last
