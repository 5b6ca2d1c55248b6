"""sacreBLEU's BLEU, chrF++ and TER, computed from per-line statistics.

The only file that calls private methods of sacreBLEU: its public ones hold the n-grams of all lines and all bootstrap resamples in memory,
which takes gigabytes for 50,000 lines.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy
import sacrebleu.utils
from sacrebleu.metrics.base import Signature
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from translate.errors import UserError

METRICS = ("bleu", "chrf", "ter")
TOKENIZERS = ("13a", "zh", "ja-mecab", "ko-mecab", "intl", "char", "flores101", "flores200", "none")  # sacreBLEU's, for BLEU
LANGUAGES = {"zh": "zh", "zho": "zh", "cmn": "zh", "ja": "ja-mecab", "jpn": "ja-mecab", "ko": "ko-mecab", "kor": "ko-mecab"}
EXTRAS = {"ja-mecab": "ja", "ko-mecab": "ko"}  # pip extras of sacrebleu
LINES = 1_000  # processed at once
LOG_EVERY = 10.0  # seconds


class Metric:
    """One of METRICS. UserError for an unknown tokenizer, or one that isn't installed or can't be downloaded."""

    def __init__(self, name: str, tokenize: str = "13a", lowercase: bool = False) -> None:
        self._metric = _make_metric(name, tokenize, lowercase)
        self.highest = math.inf if name == "ter" else 100.0  # TER counts edits, of which there may be more than words

    def statistics(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], log: Callable[[str], None] | None = None
    ) -> list[list[Any]]:  # fmt: skip
        """sacreBLEU's statistics, k numbers per line. TER goes line by line, so that `log` can show its progress."""
        rows: list[list[Any]] = []
        block, logged = 1 if isinstance(self._metric, TER) else LINES, time.monotonic()
        for start in range(0, len(hypotheses), block):
            if log and time.monotonic() > logged + LOG_EVERY:
                logged = time.monotonic()
                log(f"{type(self._metric).__name__}: {start:,} of {len(hypotheses):,} lines")
            lines = slice(start, start + block)
            rows += self._metric._extract_corpus_statistics(hypotheses[lines], [texts[lines] for texts in references])
        return rows

    def corpus_score(self, statistics: list[list[Any]]) -> tuple[str, float]:
        """sacreBLEU's name for the metric, and its value."""
        score = self._metric._aggregate_and_compute(statistics)
        return score.name, float(score.score)

    def values(self, sums: numpy.ndarray) -> numpy.ndarray:
        """The metric for each row of summed statistics, (n, k) -> (n,)."""
        return numpy.array([self._metric._compute_score_from_stats(row).score for row in sums])

    def signature(self) -> Signature:
        """The signature for the last call of `statistics`, which set its number of references."""
        signature: Signature = self._metric.get_signature()
        return signature


def too_short_for_bleu(references: Iterable[str], tokenize: str = "13a") -> bool:
    """Whether even a perfect translation gets BLEU 0, because no line has four tokens."""
    bleu = _make_metric("bleu", tokenize, False)
    return all(len(bleu._preprocess_segment(line).split()) < bleu.max_ngram_order for line in references)


def default_tokenizer(language: str) -> str:
    """sacreBLEU's tokenizer for a target language (zh, zh-CN, zh_Hans; likewise ja, ko); 13a for languages with spaces between words."""
    return LANGUAGES.get(language.replace("_", "-").split("-")[0].lower(), "13a")


def check_tokenizer(tokenize: str) -> None:
    """UserError if BLEU's tokenizer is unknown, or needs something that isn't installed or can't be downloaded."""
    _make_metric("bleu", tokenize, False)


def _make_metric(name: str, tokenize: str, lowercase: bool) -> Any:
    if name == "chrf":
        return CHRF(word_order=2, lowercase=lowercase)
    if name == "ter":
        return TER()
    if tokenize not in TOKENIZERS:
        raise UserError(f"unknown tokenizer {tokenize!r}: choose from {', '.join(TOKENIZERS)}")
    try:
        # force=True only silences sacreBLEU's own log message on tokenised text: score_warnings.py covers that
        return BLEU(force=True, tokenize=tokenize, lowercase=lowercase)
    except (RuntimeError, ImportError, AssertionError):
        if extra := EXTRAS.get(tokenize):
            raise UserError(f"BLEU's tokenizer {tokenize} needs packages that are not installed: pip install 'sacrebleu[{extra}]'") from None
        raise
    except (OSError, SystemExit) as error:  # sacreBLEU calls sys.exit after a failed download
        models = Path(sacrebleu.utils.SACREBLEU_DIR, "models")
        for path in models.glob("*"):
            if path.suffix != ".lock" and path.is_file() and not path.stat().st_size:  # sacreBLEU would load it as the model
                path.unlink()
        reason = error if isinstance(error, OSError) else "the download failed"
        raise UserError(f"the model of BLEU's tokenizer {tokenize} could not be downloaded to {models} ({reason})") from None
