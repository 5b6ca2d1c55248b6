"""The functions of `import translate`: the commands as Python functions.

Each function imports the libraries it needs, so that `import translate` is fast.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from translate.config import Config
from translate.errors import UserError

if TYPE_CHECKING:
    pass

BOOTSTRAP = 1000  # resamples for the confidence intervals


def train(recipe: str | os.PathLike[str] | Config, *settings: str) -> dict[str, Any]:
    """Train a model, as `translate train recipe=RECIPE SETTINGS` does, and return the report.

    The model and report.json are written to the run folder, by default runs/RECIPE. The same call resumes an interrupted run. Logs to stderr.
    Works in any thread, but only one training per process at a time.

    Args:
        recipe: name of a recipe, path of a recipe file, or a configuration that `load_recipe` returned.
        settings: such as "model=tiny" or "training.minutes=1"; only with a name or path.

    Returns:
        The content of report.json: steps, epochs, seconds, the choices made on the development set, the scores of the test sets under "test", ...
        If the run was finished already, also "finished_before": True. Under torchrun only the first process gets it, the others an empty dict.

    Raises:
        UserError: for an unknown recipe or setting, and for data that can't be used.
        KeyboardInterrupt: in the main thread, if a signal stopped the run, after a save.
    """
    from translate.compose.compose import load_recipe
    from translate.training.run import train as train_config

    if not isinstance(recipe, Config):
        config = load_recipe(recipe, *settings)
    elif settings:
        raise UserError(f"settings ({' '.join(settings)}) need the name of a recipe: give them to load_recipe, or change the configuration")
    else:
        config = recipe
    if config.verify_resume:
        raise UserError("verify_resume trains nothing: use the command, `translate train recipe=... verify_resume=true`")
    return train_config(config)


def evaluate(
    model: str | os.PathLike[str],
    *,
    data: str | None = None,
    test: Sequence[str] = (),
    testset: Sequence[str] = (),
    metrics: Sequence[str] | None = None,
    tokenize: str | None = None,
    lowercase: bool = False,
    beam: int | None = None,
    length_penalty: float | None = None,
    diverse: int = 1,
    mbr: str | None = None,
    samples: int | None = None,
    seed: int = 1,
    batch_tokens: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    fork: bool = False,
    calibrate: bool = False,
    fuse: str | None = None,
    fuse_weight: float | None = None,
    ensemble: Sequence[str | os.PathLike[str]] = (),
    rerank: str | os.PathLike[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Translate and score test sets, as `translate evaluate` does; the scores also go into report.json of the model's folder.

    Args:
        model: run folder, or a copy of its bundle files.
        data: folder with the files of the recipe's test sets, if they are not where the recipe says.
        test: source file and one or more reference files, instead of the recipe's test sets; for a model of one language one file.
        testset: names of sacreBLEU's test sets, such as wmt14, instead of the recipe's.
        metrics: any of bleu, chrf, ter; default: all.
        tokenize: BLEU's tokenizer; default: that of the target language.
        lowercase: ignore case in BLEU and chrF++.
        beam, length_penalty, diverse, mbr, samples, seed, batch_tokens: see `Translator.translate`.
        device, precision, fork: see `Translator.load`.
        calibrate: first measure confidence on the recipe's development set, and write it into the model, as training does at its end. Without
            test sets, only this.
        fuse, fuse_weight, ensemble, rerank: see `Translator.load`.

    Returns:
        For each test set, by name: "scores" (by metric: "value", the 95% interval "low" to "high", sacreBLEU's "signature"), "sentences", "seconds",
        "samples", the decoding settings and, if the model is calibrated, "confidence" ("ece": the expected calibration error). The scores of a model
        that doesn't translate are "perplexity" (per piece), "word perplexity" and "bits/character"; it has no decoding settings.

    Raises:
        UserError: for a folder that is not a model, test sets that can't be read, and a setting that is unknown or has no effect.
    """
    from translate.bundle.bundle import ModelFolder, load_bundle, model_folder
    from translate.decoding import Options
    from translate.evaluation.evaluation import ScoringOptions, log_to_stderr
    from translate.evaluation.evaluation import evaluate as evaluate_sets
    from translate.evaluation.metrics import check_tokenizer, default_tokenizer
    from translate.evaluation.perplexity import evaluate_model
    from translate.evaluation.report import read_report, save_results
    from translate.evaluation.resampling import seed as bootstrap_seed
    from translate.evaluation.score_warnings import set_warnings
    from translate.evaluation.scoring import check_settings
    from translate.evaluation.testsets import chosen_sets, development_pairs
    from translate.files.paths import expand_path
    from translate.model.families import FAMILIES
    from translate.training.calibration import calibrate_bundle
    from translate.training.development import set_name
    from translate.translation.fusion import check_fusion
    from translate.translation.translator import Translator

    scoring = ScoringOptions(metrics, tokenize, lowercase, BOOTSTRAP)
    _check_effects(metrics, tokenize, lowercase)
    if metrics is not None:
        check_settings(metrics, BOOTSTRAP, randomise=False)
    for name, values in (("test", test), ("testset", testset)):
        if isinstance(values, str):
            raise UserError(f"{name} is one string, {values!r}: give a list of {'files' if name == 'test' else 'names'}")
    folder, test = model_folder(expand_path(model)), [expand_path(path) for path in test]
    config = ModelFolder(folder).config
    if not FAMILIES[config.model.family].translates:
        scores = {"metrics": metrics, "tokenize": tokenize, "lowercase": lowercase}
        search: dict[str, Any] = {"beam": beam, "length_penalty": length_penalty, "calibrate": calibrate, "fuse": fuse, "fuse_weight": fuse_weight}
        search |= {"diverse": diverse if diverse != 1 else None, "mbr": mbr, "samples": samples, "seed": seed if seed != 1 else None}
        search |= {"ensemble": tuple(ensemble) or None, "rerank": rerank}
        for name, value in {**scores, **search}.items():
            if value not in (None, False):
                family = f"model.family={config.model.family}"
                raise UserError(f"{name} has no effect: {folder} ({family}) doesn't translate, and is measured by perplexity")
        return evaluate_model(folder, data, test, testset, device, precision, batch_tokens)
    if len(test) == 1:
        raise UserError(f"test has only {test[0]}: it takes a source and one or more references")
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, cache=None))  # this machine's cache, not that of the bundle's author
    drawing: dict[str, Any] = {"mbr": mbr, "samples": samples, "seed": seed}
    options = Options(beam=beam, length_penalty=length_penalty, batch_tokens=batch_tokens, diverse=diverse, **drawing)
    options.fill(config.decoding)  # check the options before the model is loaded
    check_fusion(fuse, fuse_weight)
    if calibrate and (fuse is not None or ensemble or rerank):
        other = "fuse" if fuse else "rerank" if rerank else "several models"
        raise UserError(f"calibrate has no effect with {other}: confidence is that of a model alone; leave one out")
    bootstrap_seed()  # checks SACREBLEU_SEED
    if tokenize or (metrics and "bleu" in metrics):  # by default BLEU is left out if its tokenizer can't be used
        check_tokenizer(tokenize or default_tokenizer(config.data.target_language))
    read_report(folder)  # fail now if it is damaged, not after the work
    development = development_pairs(config, data) if calibrate else []
    sets = chosen_sets(config, data, test, testset, log_to_stderr) if config.data.test or test or testset or not calibrate else {}
    for name, sentences in sets.items():
        log_to_stderr(f"test set {name}: {len(sentences.sources):,} sentences of {sentences.origin}")
        by = scoring.tokenize or default_tokenizer(config.data.target_language)
        for warning in set_warnings(name, sentences.sources, sentences.references, by, metrics):
            log_to_stderr(f"warning: {warning}")
    with Translator.load(folder, device, precision, fork=fork, fuse=fuse, fuse_weight=fuse_weight, ensemble=ensemble, rerank=rerank) as translator:
        if calibrate:
            log_to_stderr(calibrate_bundle(load_bundle(folder), translator, development, set_name(config.data.validation)))
        results = evaluate_sets(translator, config, sets, options, scoring)
    if fuse is not None:
        for result in results.values():
            result["decoding"] |= {"fuse": os.path.basename(os.path.abspath(fuse)), "fuse_weight": fuse_weight}
    if ensemble:
        for result in results.values():
            result["decoding"] |= {"ensemble": [os.path.basename(os.path.abspath(other)) for other in ensemble]}
    if rerank is not None:
        for result in results.values():
            result["decoding"] |= {"rerank": os.path.basename(os.path.abspath(rerank))}
    if results:
        save_results(folder, results, log_to_stderr)
    return results


def score(
    hypotheses: Iterable[str],
    references: Iterable[str] | Iterable[Iterable[str]],
    *,
    metrics: Sequence[str] | None = None,
    tokenize: str | None = None,
    lowercase: bool = False,
    bootstrap: int = BOOTSTRAP,
) -> dict[str, dict[str, Any]]:
    """BLEU, chrF++ and TER of detokenised, cased translations, as `translate score` and sacreBLEU compute them.

    Issues a Python warning for each reason to doubt the scores (tokenised or lower-cased text, blank lines, ...).

    Args:
        hypotheses: N translations.
        references: N texts; or several lists of N texts, one for each reference translation.
        metrics: any of bleu, chrf, ter; default: all, but without TER if a line is so long that TER takes minutes.
        tokenize: BLEU's tokenizer; default: 13a.
        lowercase: ignore case in BLEU and chrF++.
        bootstrap: resamples for the 95% interval; 0 for none.

    Returns:
        By metric, "BLEU", "chrF2++" and "TER": "value", "low" and "high" (without bootstrap, neither), and sacreBLEU's "signature".

    Raises:
        UserError: for an element that is not text, lists that are empty or differ in length, and a setting that is unknown or has no effect.
    """
    from translate.evaluation.score_warnings import tokenizer_warnings
    from translate.evaluation.score_warnings import warnings as score_warnings
    from translate.evaluation.scoring import check_texts, default_metrics
    from translate.evaluation.scoring import score as score_lists
    from translate.translation.windows import texts

    _check_effects(metrics, tokenize, lowercase)
    outputs = list(texts(hypotheses, name="hypotheses"))
    items: list[Any] = list(texts(references, name="references") if isinstance(references, str) else references)
    if items and not any(isinstance(item, str) for item in items):
        lists = [list(texts(item, name=f"reference {number}")) for number, item in enumerate(items, 1)]
    else:
        lists = [list(texts(items, name="references"))]
    check_texts(outputs, lists)
    messages = score_warnings(outputs, lists, not lowercase)
    if metrics is None:
        metrics, left_out = default_metrics([outputs], lists)
        messages += [f"TER is left out: {left_out}"] if left_out else []
    if "bleu" in metrics:
        messages += tokenizer_warnings(lists, tokenize or "13a")
    for message in messages:
        warnings.warn(message, stacklevel=2)
    return {
        result.name: {
            "value": result.value,
            **({} if result.low is None or result.high is None else {"low": result.low, "high": result.high}),
            "signature": result.signature,
        }
        for result in score_lists(outputs, lists, metrics, bootstrap, tokenize or "13a", lowercase)
    }


def tokens(model: str | os.PathLike[str], texts: Iterable[str], *, target: bool = False) -> Iterator[dict[str, Any]]:
    """What the model sees of each text, as `translate tokens --json` prints it. `texts` may be endless.

    Args:
        model: run folder, or a copy of its bundle files.
        texts: each is taken as one sentence, and normalised as the training text was.
        target: by the tokenizer of the target language, of a model that has one for each language.

    Yields:
        "text"; "normalized", as it is cut into pieces, with a space before the first word; and "tokens". Of a token: "id"; "piece", with U+2581 for
        a space; "kind", one of piece, byte (of a character that no piece has), symbol (never split), unknown, special, end; "bytes" of UTF-8 that
        it stands for, in hexadecimal; "span", where it comes from in the text, in characters; of a byte also "of", its character.

    Raises:
        UserError: for a folder that is not a model, an element that is not text, and `target` where both languages have the same tokenizer.
    """
    from translate.bundle.bundle import ModelFolder, model_folder
    from translate.files.paths import expand_path
    from translate.tokenizer.shown import shown, target_side
    from translate.translation.windows import texts as checked

    folder = ModelFolder(model_folder(expand_path(model)))
    tokenizer = folder.tokenizer
    if target and tokenizer.joint:
        raise UserError(f"target has no effect: {folder.path} has one tokenizer for both languages; leave --target (in Python target=True) out")
    return shown(target_side(tokenizer) if target else tokenizer, checked(texts, name="texts"))


def _check_effects(metrics: Sequence[str] | None, tokenize: str | None, lowercase: bool) -> None:
    """UserError for a setting that the metrics don't use."""
    if isinstance(metrics, str):
        raise UserError(f"metrics is one string, {metrics!r}: give a list of names, such as ['bleu']")
    if tokenize and metrics is not None and "bleu" not in metrics:
        raise UserError("tokenize has no effect: it is for BLEU, and metrics leaves BLEU out")
    if lowercase and metrics is not None and list(metrics) == ["ter"]:
        raise UserError("lowercase has no effect: TER ignores case")
