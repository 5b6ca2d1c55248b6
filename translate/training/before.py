"""What the weights of another run are worth before and after: on the development set and on each test set, by the same search.

They are measured at the start of a run with `init.from`, after its first save, and what they gave is kept in BEFORE: they are gone when the run
ends, or is resumed. Nothing here touches the training, and its time isn't counted, as that of the test sets at the end.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional

from translate.config import Config
from translate.data.cache import digest
from translate.decoding import LENGTH_PENALTY, Options
from translate.errors import UserError
from translate.evaluation.evaluation import ScoringOptions, evaluate
from translate.evaluation.perplexity import evaluate_perplexity
from translate.evaluation.testsets import Sentences, recipe_sets
from translate.files.atomic import atomic_text
from translate.model.families import FAMILIES
from translate.training.development import NONE, Result
from translate.training.init import starts
from translate.training.validation import Validation
from translate.values import build

BEFORE = "before.json"
METRICS = ("bleu", "chrf")


@dataclass
class Measured:
    """Scores on a set by their names, and the search; no search for models that don't translate."""

    text: str = ""  # digest of the set; "" = not measured
    scores: Dict[str, float] = field(default_factory=dict)
    beam: Optional[int] = None
    length_penalty: Optional[float] = None

    @property
    def decoding(self) -> dict[str, Any] | None:
        return {"beam": self.beam, "length_penalty": self.length_penalty} if self.beam else None


@dataclass
class Before:
    development: Measured = field(default_factory=Measured)
    test: Dict[str, Measured] = field(default_factory=dict)


def is_measured(config: Config) -> bool:
    """Whether the weights at the start are a model of this run's text: with a new tokenizer, many embeddings are only guesses."""
    return config.init.from_ is not None and config.init.tokenizer == "same" and not FAMILIES[config.model.family].learns_by_counting


def measure_before(validation: Validation) -> float:
    """Measure the initial weights, unless an earlier start has done it. Returns the seconds that it took."""
    config, path, log = validation.bundle.config, validation.bundle.folder / BEFORE, validation.log
    if not is_measured(config) or path.exists():
        return 0.0
    began, before = time.perf_counter(), Before()
    if len(validation.development):
        result = validation.measure()[1]
        before.development = Measured(_development(validation), _figures(result), config.training.validate_beam if result.translated else None)
        log.info(f"before training: {result} on the development set ({validation.development})")
    for name, sentences in _sets(config).items():
        beam, penalty = (config.decoding.beam, _length_penalty(config)) if validation.translates else (None, None)
        before.test[name] = Measured(_text(sentences), _scores(validation, name, sentences, beam, penalty), beam, penalty)
        scores = ", ".join(f"{metric} {value:.2f}" for metric, value in before.test[name].scores.items())
        log.info(f"before training: {scores} on test set {name} ({len(sentences.sources):,} sentences)")
    with atomic_text(path) as file:
        json.dump(dataclasses.asdict(before), file, indent=2)
        file.write("\n")
    return time.perf_counter() - began


def before_and_after(validation: Validation, chosen: dict[str, Any], tests: dict[str, Any]) -> dict[str, Any]:
    """The entry of report.json: scores of each set before and after. A set that has changed since the start is left out.

    chosen: the report's entries on the choice of the weights; tests: those on the test sets. If their search is another one, for example with the
    length penalty that was chosen at the end, the sets are searched again as before.
    """
    before, sets, found = _read(validation), _sets(validation.bundle.config), dict[str, Any]()
    if before.development.text and before.development.text == _development(validation):
        after = _figures(Result(chosen.get("dev_bleu", NONE), chosen.get("dev_chrf", NONE), chosen["dev_loss"], chosen["learnt"]))
        found["development set"] = {"before": before.development.scores, "after": after, "decoding": before.development.decoding}
    for name, measured in before.test.items():
        if name not in sets or measured.text != _text(sets[name]):
            continue
        if tests[name].get("decoding") == measured.decoding:
            after = {metric: tests[name]["scores"][metric]["value"] for metric in measured.scores if metric in tests[name]["scores"]}
        else:
            after = _scores(validation, name, sets[name], measured.beam, measured.length_penalty)
        found[name] = {"before": measured.scores, "after": after, "decoding": measured.decoding}
    return {"before_and_after": found} if found else {}


def _read(validation: Validation) -> Before:
    """What `measure_before` has written; nothing if it is not there or damaged."""
    path: Path = validation.bundle.folder / BEFORE
    if not path.is_file():
        return Before()
    try:
        return build(json.loads(path.read_text(encoding="utf-8")), Before)
    except (UserError, ValueError, RecursionError):
        validation.log.info(f"{path} is damaged: the report has no scores from before this training")
        return Before()


def _scores(validation: Validation, name: str, sentences: Sentences, beam: int | None, length_penalty: float | None) -> dict[str, float]:
    """Of the current weights on a test set."""
    bundle, sets = validation.bundle, {name: sentences}
    if validation.translates:
        options, scoring = Options(beam=beam, length_penalty=length_penalty), ScoringOptions(METRICS, bootstrap=0)
        result = evaluate(validation.translator(), bundle.config, sets, options, scoring)
    else:
        result = evaluate_perplexity(bundle.model, bundle.tokenizer, sets, validation.device)
    return {metric: score["value"] for metric, score in result[name]["scores"].items()}


def _figures(result: Result) -> dict[str, float]:
    """In the names of the test sets' scores."""
    if not result.translated:
        return {"loss": result.loss, "perplexity": result.perplexity}
    return {"BLEU": round(result.bleu, 2), "chrF2++": round(result.chrf, 2), "loss": result.loss}


def _length_penalty(config: Config) -> float:
    """This run's if it is fixed, else that of the other: this one's is chosen at its end."""
    own, beam = config.decoding.length_penalty, config.decoding.beam
    if own is None and beam > 1:
        try:
            own = next(starts(config)).folder.config.decoding.length_penalty
        except UserError:  # it is gone since the first save
            own = None
    return LENGTH_PENALTY if own is None else own


def _sets(config: Config) -> dict[str, Sentences]:
    return recipe_sets(config) if config.data.test else {}


def _text(sentences: Sentences) -> str:
    return digest(sentences.sources, sentences.references)


def _development(validation: Validation) -> str:
    development = validation.development
    return digest(development.sources, development.references, development.beam)
