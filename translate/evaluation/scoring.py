"""How good a translation is: BLEU, chrF++ and TER as sacreBLEU computes them, each with its signature.

Validation, `translate score` and `translate evaluate` all come through here, so there is one BLEU: of detokenised, cased text, equal to
the `sacrebleu` command's. No score leaves without its signature.

BLEU: Papineni et al. 2002; chrF++: Popović 2017; TER: Snover et al. 2006; signatures: Post 2018, "A Call for Clarity in Reporting BLEU
Scores".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy
import sacrebleu.utils
from sacrebleu.metrics import BLEU, CHRF, TER

from translate.errors import UserError
from translate.evaluation.resampling import bootstrap_values, interval, paired_bootstrap, paired_randomisation, seed

METRICS = ("bleu", "chrf", "ter")
TOKENIZERS = ("13a", "zh", "ja-mecab", "ko-mecab", "intl", "char", "flores101", "flores200", "none")  # sacreBLEU's, for BLEU
LANGUAGES = {"zh": "zh", "zho": "zh", "cmn": "zh", "ja": "ja-mecab", "jpn": "ja-mecab", "ko": "ko-mecab", "kor": "ko-mecab"}
EXTRAS = {"ja-mecab": "ja", "ko-mecab": "ko"}  # of the sacrebleu package
MOST_SAMPLES = 1_000_000
TRIALS = 10_000  # of approximate randomisation, as the `sacrebleu` command
TER_WORDS = 1_000  # a line of so many words takes TER up to 20 seconds, more than 20,000 lines of 20 words
LINES = 1_000  # whose n-grams are held at once
TELL_AFTER = 10.0  # seconds


@dataclass(frozen=True)
class Score:
    """One metric's value on a corpus. BLEU and chrF++: 0 to 100, higher is better; TER: 0 and up, lower is better.

    `low` and `high` bound the 95% bootstrap interval, mean -+ half its width as sacreBLEU reports it (`value` need not be its middle);
    None where no bootstrap was asked for. `p_value`: of the difference to the first system; None for that one, and without a test.
    """

    name: str  # sacreBLEU's: "BLEU", "chrF2++", "TER"
    value: float
    signature: str
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


def score(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], metrics: Sequence[str] = METRICS, bootstrap: int = 0, tokenize: str = "13a",
    lowercase: bool = False, say: Callable[[str], None] | None = None,
) -> list[Score]:  # fmt: skip
    """Scores `hypotheses` (N texts) against `references` (one list of N texts for each reference translation, sacreBLEU's order).

    `metrics`: names out of METRICS; the result has their order. `bootstrap`: the number of resamples for the confidence interval, 0
    for none; sacreBLEU seeds them with 12345 (or the environment variable SACREBLEU_SEED) and says so in the signature. `tokenize`: of BLEU,
    out of TOKENIZERS. `lowercase`: BLEU and chrF++ without regard to case; TER never has any. `say` is told how far it is if it takes long.
    UserError if the lists are empty or of different length, or for a setting that is out of range.
    """
    return compare([hypotheses], references, metrics, bootstrap, False, tokenize, lowercase, say)[0]


def compare(
    systems: Sequence[Sequence[str]], references: Sequence[Sequence[str]], metrics: Sequence[str] = METRICS, bootstrap: int = 0,
    randomise: bool = False, tokenize: str = "13a", lowercase: bool = False, say: Callable[[str], None] | None = None,
) -> list[list[Score]]:  # fmt: skip
    """`score` of several systems' hypotheses: for each system the scores, those after the first with a p-value against the first.

    The test is the paired bootstrap over the resamples of the intervals, or, with `randomise`, approximate randomisation, which has no
    intervals (`bootstrap` must be 0). No p-value without either.
    """
    for hypotheses in systems:
        check_texts(hypotheses, references)
    check_settings(metrics, bootstrap, randomise)
    shown_seed = seed()[1] if bootstrap or randomise else ""
    measures = [_metric(name, tokenize, lowercase) for name in metrics]
    tables, results = [], []
    for hypotheses in systems:
        rows = [_statistics(metric, hypotheses, references, say) for metric in measures]
        found = [metric._aggregate_and_compute(own) for metric, own in zip(measures, rows)]
        tables.append([numpy.array(own, dtype=float) for own in rows])
        results.append([Score(result.name, float(result.score), "") for result in found])
    if bootstrap:
        results = _with_bootstrap(measures, tables, results, bootstrap)
    elif randomise and len(systems) > 1:
        differences = [[own.value - first.value for own, first in zip(result, results[0])] for result in results[1:]]
        for place, values in enumerate(paired_randomisation(measures, tables, differences, TRIALS), start=1):
            results[place] = [replace(result, p_value=p) for result, p in zip(results[place], values)]
    signatures = []
    for metric in measures:
        signature = metric.get_signature()
        for key, number in (("bs", bootstrap), ("ar", TRIALS if randomise else 0)):
            if number:
                signature.update(key, number)
                signature.update("seed", shown_seed)
        signatures.append(str(signature))
    return [[replace(result, signature=signature) for result, signature in zip(system, signatures)] for system in results]


def _with_bootstrap(measures: list, tables: list, results: list[list[Score]], samples: int) -> list[list[Score]]:
    values = bootstrap_values(measures, tables, samples)
    done = []
    for place, system in enumerate(results):
        done.append([])
        for number, (result, first) in enumerate(zip(system, results[0])):
            low, high = interval(values[place][number])
            p = paired_bootstrap(values[0][number], values[place][number], result.value - first.value) if place else None
            done[-1].append(replace(result, low=low, high=high, p_value=p))
    return done


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """BLEU of N texts against one reference translation (N texts), and its signature."""
    result = score(hypotheses, [references], metrics=("bleu",))[0]
    return result.value, result.signature


def too_short_for_bleu(references: Iterable[str], tokenize: str = "13a") -> bool:
    """Whether BLEU says nothing of translations of these: no line has four tokens, so that even a perfect translation scores 0."""
    metric = _metric("bleu", tokenize, False)
    return all(len(metric._preprocess_segment(line).split()) < metric.max_ngram_order for line in references)


def default_tokenizer(language: str) -> str:
    """The tokenizer that sacreBLEU takes for a target language (zh, zh-CN, zh_Hans; likewise ja, ko): 13a for all that set words apart."""
    return LANGUAGES.get(language.replace("_", "-").split("-")[0].lower(), "13a")


def check_tokenizer(tokenize: str) -> None:
    """UserError where BLEU's tokenizer is unknown, or needs what isn't installed or can't be downloaded."""
    _metric("bleu", tokenize, False)


def default_metrics(systems: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], str]:
    """The metrics where none is asked for: all, without TER where a line is so long that it takes minutes; and why it is left out, or ""."""
    for hypotheses in systems:
        if long := long_lines(hypotheses, references):
            line, words = long[0]
            return METRICS[:-1], f"line {line:,} has {words:,} words, and TER of such a line takes long; --metrics ter computes it"
    return METRICS, ""


def long_lines(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Lines that take TER long, by number from 1, and their words: they are long on both sides."""
    found = []
    for number, (hypothesis, *own) in enumerate(zip(hypotheses, *references), start=1):
        if len(hypothesis) > 2 * TER_WORDS and max(map(len, own)) > 2 * TER_WORDS:  # a word and a space take two characters
            words = min(len(hypothesis.split()), max(len(text.split()) for text in own))
            if words > TER_WORDS:
                found.append((number, words))
    return found


def _metric(name: str, tokenize: str, lowercase: bool) -> Any:
    if name == "chrf":
        return CHRF(word_order=2, lowercase=lowercase)
    if name == "ter":
        return TER()
    if tokenize not in TOKENIZERS:
        raise UserError(f"unknown tokenizer {tokenize!r}: choose from {', '.join(TOKENIZERS)}")
    try:
        # force=True only silences sacreBLEU's own log message on tokenised text: score_warnings.py covers that.
        return BLEU(force=True, tokenize=tokenize, lowercase=lowercase)
    except (RuntimeError, ImportError, AssertionError):
        if extra := EXTRAS.get(tokenize):
            raise UserError(f"BLEU's tokenizer {tokenize} needs packages that are not installed: pip install 'sacrebleu[{extra}]'") from None
        raise
    except (OSError, SystemExit) as error:  # sacreBLEU leaves by sys.exit after a download that failed
        models = Path(sacrebleu.utils.SACREBLEU_DIR, "models")
        for path in models.glob("*"):
            if path.suffix != ".lock" and path.is_file() and not path.stat().st_size:  # or it would be taken for the model
                path.unlink()
        reason = error if isinstance(error, OSError) else "the download failed"
        raise UserError(f"the model of BLEU's tokenizer {tokenize} could not be downloaded to {models} ({reason})") from None


def _statistics(metric: Any, hypotheses: Sequence[str], references: Sequence[Sequence[str]], say: Callable[[str], None] | None) -> list:
    """sacreBLEU's statistics of each line, some lines at a time: the n-grams of all at once would take gigabytes. Of TER line by line."""
    found: list = []
    block, told = 1 if isinstance(metric, TER) else LINES, time.monotonic()
    for start in range(0, len(hypotheses), block):
        if say and time.monotonic() > told + TELL_AFTER:
            told = time.monotonic()
            say(f"{type(metric).__name__}: {start:,} of {len(hypotheses):,} lines")
        place = slice(start, start + block)
        found += metric._extract_corpus_statistics(hypotheses[place], [texts[place] for texts in references])
    return found


def check_settings(metrics: Sequence[str], bootstrap: int, randomise: bool) -> None:
    """UserError for settings of `compare` that are unknown, or out of range."""
    if not metrics:
        raise UserError(f"no metric is named: choose from {', '.join(METRICS)}")
    for place, name in enumerate(metrics):
        if name not in METRICS:
            raise UserError(f"no metric {name!r}: choose from {', '.join(METRICS)}")
        if name in metrics[:place]:
            raise UserError(f"metric {name} is given twice")
    if bootstrap < 0 or bootstrap == 1 or bootstrap > MOST_SAMPLES:
        raise UserError(f"bootstrap ({bootstrap}) must be 0 (no interval) or at least 2 samples, and at most {MOST_SAMPLES:,}; 1000 is usual")
    if bootstrap and randomise:
        raise UserError("approximate randomisation has no bootstrap samples: bootstrap must be 0")


def check_texts(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """UserError unless the lists are of one length, and not empty."""
    if isinstance(hypotheses, str) or isinstance(references, str) or any(isinstance(texts, str) for texts in references):
        raise UserError("score takes a list of hypotheses and a list of reference lists: for one reference translation, [references]")
    if not references:
        raise UserError("nothing to score against: at least one list of references is needed")
    if not hypotheses:
        raise UserError("nothing to score: there are no hypotheses")
    for number, texts in enumerate(references, start=1):
        if len(texts) != len(hypotheses):
            raise UserError(
                f"{len(hypotheses):,} hypotheses, but {len(texts):,} lines in reference {number}: each reference translation is a list of its own "
                "with a line for every hypothesis"
            )
