"""How good a translation is: BLEU, chrF++ and TER as sacreBLEU computes them, each with its signature, and warnings on unfit text.

Validation, `translate score` and `translate evaluate` all come through here, so there is one BLEU: of detokenised, cased text, equal to
the `sacrebleu` command's. No score leaves without its signature. The only module that imports sacrebleu.

BLEU: Papineni et al. 2002; chrF++: Popović 2017; TER: Snover et al. 2006; signatures: Post 2018, "A Call for Clarity in Reporting BLEU
Scores"; bootstrap intervals: Koehn 2004.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sacrebleu.metrics import BLEU, CHRF, TER

from translate.errors import UserError
from translate.text_warnings import text_warnings

METRICS = ("bleu", "chrf", "ter")
LARGEST_BOOTSTRAP = 50_000_000  # samples x lines that sacreBLEU holds in memory at once, at about 100 bytes each


@dataclass(frozen=True)
class Score:
    """One metric's value on a corpus. BLEU and chrF++: 0 to 100, higher is better; TER: 0 and up, lower is better.

    `low` and `high` bound the 95% bootstrap interval, mean -+ half its width as sacreBLEU reports it (`value` need not be its middle);
    None where no bootstrap was asked for.
    """

    name: str  # sacreBLEU's: "BLEU", "chrF2++", "TER"
    value: float
    signature: str
    low: float | None = None
    high: float | None = None


def score(hypotheses: Sequence[str], references: Sequence[Sequence[str]], metrics: Sequence[str] = METRICS, bootstrap: int = 0) -> list[Score]:
    """Scores `hypotheses` (N texts) against `references` (one list of N texts for each reference translation, sacreBLEU's order).

    `metrics`: names out of METRICS; the result has their order. `bootstrap`: the number of resamples for the confidence interval, 0
    for none; sacreBLEU seeds them with 12345 (or the environment variable SACREBLEU_SEED) and says so in the signature.
    UserError if the lists are empty or of different length, or for a setting that is out of range.
    """
    _check_texts(hypotheses, references)
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise UserError(f"no metric {unknown[0]!r}: choose from {', '.join(METRICS)}")
    if bootstrap < 0 or bootstrap == 1:
        raise UserError(f"bootstrap ({bootstrap}) must be 0 (no interval) or at least 2 samples; 1000 is usual")
    if bootstrap * len(hypotheses) > LARGEST_BOOTSTRAP:
        raise UserError(
            f"{bootstrap:,} bootstrap samples of {len(hypotheses):,} lines do not fit in memory: "
            f"take at most {LARGEST_BOOTSTRAP // len(hypotheses):,} samples, or 0 for no interval"
        )
    return [_score_with(name, hypotheses, references, bootstrap) for name in metrics]


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """BLEU of N texts against one reference translation (N texts), and its signature."""
    result = score(hypotheses, [references], metrics=("bleu",))[0]
    return result.value, result.signature


def beyond_bleu(references: Iterable[str]) -> bool:
    """Whether BLEU says nothing of translations of these: no line has four tokens, so that even a perfect translation scores 0."""
    return not any(corpus_bleu([line], [line])[0] for line in references)


def _score_with(name: str, hypotheses: Sequence[str], references: Sequence[Sequence[str]], bootstrap: int) -> Score:
    # force=True only silences sacreBLEU's own log message on tokenised text: `warnings` covers that.
    metric = {"bleu": lambda: BLEU(force=True), "chrf": lambda: CHRF(word_order=2), "ter": TER}[name]()
    # A resample without any match scores a Python 0.0 among numpy's float32, which statistics.mean in sacreBLEU 2.6 refuses to add up.
    compute = metric._compute_score_from_stats

    def with_plain_float(statistics: Any) -> Any:
        result = compute(statistics)
        result.score = float(result.score)
        return result

    metric._compute_score_from_stats = with_plain_float
    result = metric.corpus_score(hypotheses, references, n_bootstrap=max(bootstrap, 1))
    low, high = (float(result._mean - result._ci), float(result._mean + result._ci)) if bootstrap else (None, None)
    return Score(result.name, float(result.score), str(metric.get_signature()), low, high)


def _check_texts(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
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


# ---------------------------------------------------------------------------------------------------------------------------------------
# Warnings


def warnings(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> list[str]:
    """One sentence for each thing that makes a score of these texts doubtful; empty if all looks well. Takes what `score` takes.

    It looks at the text alone: what text_warnings.py knows of each file, then lower-casing, blank lines, a hypothesis or reference given
    twice. Swapped inputs show only in what a reference should never have and this one has, blank lines: BLEU itself is nearly symmetric.
    """
    names = ["the reference" if len(references) == 1 else f"reference {number}" for number in range(1, len(references) + 1)]
    found: list[str] = []
    for name, texts in [("the hypothesis", hypotheses), *zip(names, references, strict=True)]:
        found += text_warnings(name, texts)
    found += _blank_lines(hypotheses, dict(zip(names, references, strict=True)))
    for name, texts in zip(names, references, strict=True):
        if list(texts) == list(hypotheses):
            found.append(f"the hypothesis and {name} are the same in every line: was one file given twice?")
    for index, texts in enumerate(references):
        for earlier in range(index):
            if list(texts) == list(references[earlier]):
                found.append(f"{names[earlier]} and {names[index]} are the same in every line: a reference counts once")
    if not any(map(_has_capital, hypotheses)) and all(sum(map(_has_capital, texts)) * 2 > len(texts) for texts in references):
        found.append("the hypothesis has no capital letter, the reference has: scores are case-sensitive, so lower-cased text loses")
    return found


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


def _has_capital(text: str) -> bool:
    return any(character.isupper() for character in text)


def _where(indices: Sequence[int], texts: Sequence[str]) -> str:
    return f"in {len(indices):,} of {len(texts):,} lines (first: line {indices[0] + 1:,})"
