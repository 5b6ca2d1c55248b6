"""The choice at the end of a run, on the development set: the best checkpoint or the average of the last few, then the length penalty.

The run's progress is not changed, so if this is interrupted, the next start makes the same choice.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from translate.bundle.bundle import write_config, write_model
from translate.bundle.weights import load_weights
from translate.decoding import LENGTH_PENALTY
from translate.evaluation.scoring import score
from translate.training.checkpoints import Progress
from translate.training.development import Result, spread
from translate.training.validation import Validation, best_result

ALPHAS = (0.5, 0.75, 1.0, 1.25, 1.5)
SENTENCES = 500  # at most, on which each alpha is tried
METRICS = {"bleu": "BLEU", "chrf": "chrF++", "loss": "loss"}


def choose_weights(validation: Validation, progress: Progress) -> dict[str, Any]:
    """Load and write the weights of the best validation, or the average of the last few if it is better by the same metric.

    Returns the entries of report.json about the choice.
    """
    model, checkpoints, development, metric = validation.bundle.model, validation.checkpoints, validation.development, validation.metric
    steps, best, chosen = progress.kept[-validation.settings.average :], best_result(progress), f"of step {progress.best_step:,}"
    if len(development) and math.isinf(best.loss):  # saved by a version that measured only BLEU
        load_weights(model, checkpoints.weights(progress.best_step), "the best checkpoint")
        best = validation.measure()[1]
    if len(development) and len(steps) > 1:
        load_weights(model, checkpoints.average(steps), "the average")
        average = validation.measure()[1]
        validation.log.info(f"{average} on the development set with the average of the last {len(steps)} checkpoints")
        if average.key(metric) > best.key(metric):
            best, chosen = average, f"the average of steps {', '.join(f'{step:,}' for step in steps)}"
    if chosen.startswith("of"):
        load_weights(model, checkpoints.weights(progress.best_step), "the best checkpoint")
    write_model(validation.bundle, validation.data)
    if not len(development):
        return {"weights": chosen}
    by = METRICS[metric] if best.learnt else METRICS["loss"]
    validation.log.info(f"chosen on the development set ({development}) by {by}: the weights {chosen}")
    if not best.learnt:
        validation.log.info(_nothing_learnt(validation, best))
    size = {"set": development.name, "sentences": len(development), "of": development.total, "metric": metric}
    if not best.translated:
        return {"weights": chosen, "dev_loss": best.loss, "dev_perplexity": best.perplexity, "learnt": best.learnt, "chosen_on": size}
    scores = {"dev_bleu": best.bleu, "dev_chrf": best.chrf, "dev_loss": best.loss}
    return {"weights": chosen, **scores, "learnt": best.learnt, "chosen_on": {**size, "beam": development.beam}}


def _nothing_learnt(validation: Validation, best: Result) -> str:
    if not best.translated:
        guessing = math.log(validation.bundle.tokenizer.target_size)
        return (
            f"THE MODEL HAS LEARNT NOTHING: its loss ({best.loss:.3f}) is that of guessing among all pieces ({guessing:.3f}); train for longer, look "
            "at the data with `translate check`, or try another optim.rate"
        )
    outputs = validation.development.translate(validation.translator())
    blank, distinct = sum(not output.strip() for output in outputs), len(set(outputs))
    if 2 * blank > len(outputs):
        symptom = f"{blank:,} of {len(outputs):,} are empty"
    elif 10 * distinct < len(outputs) or distinct == 1:
        symptom = f"{len(outputs):,} sentences have {distinct:,} different translation{'s' if distinct > 1 else ''}"
    else:
        symptom = "they fit their references hardly better than those of other sentences"
    return (
        f"THE MODEL HAS LEARNT NOTHING: its translations of the development set hardly depend on their sources ({symptom}; {best}), so the "
        "loss chose its weights; train for longer, look at the data with `translate check`, or try another optim.rate"
    )


def choose_length_penalty(validation: Validation, learnt: bool) -> dict[str, Any]:
    """Search part of the development set with several length penalties, and write the best to config.yaml and the bundle's manifest.

    Only if decoding.length_penalty is null. Without a development set, with beam 1, or if the model has learnt nothing, it is LENGTH_PENALTY.
    Returns its entry in report.json.
    """
    bundle, decoding = validation.bundle, validation.bundle.config.decoding
    if decoding.length_penalty is not None:
        return {}
    alpha, figures = _best_alpha(validation) if learnt and decoding.beam > 1 else (LENGTH_PENALTY, {})
    decoding = dataclasses.replace(decoding, length_penalty=alpha)
    bundle.config = dataclasses.replace(bundle.config, decoding=decoding)
    write_config(bundle.folder, bundle.config, bundle.tokenizer)
    write_model(bundle, validation.data)  # its manifest has the length penalty
    return {"length_penalty": {"chosen": alpha, **figures}}


def _best_alpha(validation: Validation) -> tuple[float, dict[str, Any]]:
    pairs, translator, beam = spread(validation.pairs, SENTENCES), validation.translator(), validation.bundle.config.decoding.beam
    sources, references = [source for source, _ in pairs], [target for _, target in pairs]
    order = ("chrf", "bleu") if validation.metric == "chrf" or validation.without_bleu else ("bleu", "chrf")
    scores = {}
    for alpha in ALPHAS:
        outputs = translator.translate(sources, length_penalty=alpha)
        scores[alpha] = {
            metric: round(result.value, 2)
            for metric, result in zip(order, score(outputs, [references], metrics=order, tokenize=validation.development.tokenize))
        }
    alpha = max(ALPHAS, key=lambda alpha: (*scores[alpha].values(), -abs(alpha - LENGTH_PENALTY)))  # BLEU may be 0 for all
    metric = order[0]
    values = {alpha: scores[alpha][metric] for alpha in ALPHAS}
    figures = ", ".join(f"{value:.2f} with {alpha:g}" for alpha, value in values.items())
    size = f"{len(pairs):,} sentences of {validation.development.name}"
    validation.log.info(f"length penalty {alpha:g}: on {size}, beam {beam}, {METRICS[metric]} is {figures}")
    return alpha, {METRICS[metric]: values, "sentences": len(pairs), "of": validation.development.total, "beam": beam}
