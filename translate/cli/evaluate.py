"""`translate evaluate`: translates and scores test sets; the figures go to stdout and into the report.json of the run."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from translate.cli.paths import user_path
from translate.cli.score import add_scoring, check_effects, metric_names, tell
from translate.errors import UserError

if TYPE_CHECKING:
    from translate.config import Config
    from translate.evaluation.testsets import Sentences

HELP = "Translate and score test sets: those of a run's recipe, or others."
EPILOG = """\
examples:
  translate evaluate -m runs/quickstart
  translate evaluate -m runs/multi30k_de_en --beam 1 --device cpu
  translate evaluate -m runs/multi30k_de_en --data my/multi30k           the recipe's test sets, from the files in that folder
  translate evaluate -m runs/multi30k_de_en --test news.de news.en       files of your own
  translate evaluate -m runs/multi30k_de_en --testset wmt14 --metrics bleu,chrf

Prints a table of BLEU, chrF++ and TER with 95% bootstrap intervals, sacreBLEU's signatures and a few translations, and puts them into
report.json of the run folder. Without --data, --test and --testset the recipe's test sets are read from where it says, as training did.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "-m", "--model", required=True, type=user_path, metavar="RUN", help="run folder of `translate train`, or a copy of its bundle files"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result (default: %(default)s)")
    sets = parser.add_argument_group("test sets (default: the recipe's; --test and --testset take their place)")
    sets.add_argument("--data", type=user_path, metavar="FOLDER", help="read the files of the recipe's test sets from this folder")
    sets.add_argument(
        "--test", nargs="+", type=user_path, metavar="FILE", help="SOURCE REFERENCE: two files, line by line; more references may follow"
    )
    sets.add_argument("--testset", nargs="+", metavar="NAME", help="test sets of sacreBLEU's list, such as wmt14, in the languages of the model")
    add_scoring(parser.add_argument_group("scores"), "by the target language: 13a, zh, ja-mecab, ko-mecab")
    search = parser.add_argument_group("search (default: as the recipe says)")
    search.add_argument("--beam", type=int, metavar="N", help="hypotheses kept open; 1 is greedy and fastest")
    search.add_argument("--length-penalty", type=float, metavar="ALPHA", help="above 0 favours longer output (GNMT's alpha)")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--batch-tokens", type=int, metavar="N", help="source tokens a batch, times the beam: lower it if memory runs out")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    machine.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="default: auto, the fastest here")


def run(arguments: argparse.Namespace) -> int:
    from translate.bundle.bundle import ModelFolder, model_folder
    from translate.decoding import Options
    from translate.evaluation.evaluation import ScoringOptions, evaluate
    from translate.evaluation.report import REPORT, format_samples, format_table, read_report, write_report
    from translate.evaluation.resampling import seed
    from translate.translation.translator import Translator

    metrics = metric_names(arguments.metrics)
    check_effects(arguments, metrics)
    if arguments.test and len(arguments.test) < 2:
        raise UserError(f"--test takes SOURCE and REFERENCE, and got {arguments.test[0]} alone")
    folder = model_folder(arguments.model)
    config = ModelFolder(folder).config
    # the cache of this machine, not of whoever made the bundle
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, cache=None))
    options = Options(arguments.beam, arguments.length_penalty, arguments.batch_tokens).fill(config.decoding)
    seed()  # SACREBLEU_SEED, too
    check_tokenizer_asked_for(arguments, config, metrics)
    read_report(folder)  # a damaged one is an error now, not after the work
    sets = chosen_sets(arguments, config)
    for name, sentences in sets.items():
        tell(f"test set {name}: {len(sentences.sources):,} sentences of {sentences.origin}")
        for warning in text_problems(name, sentences, arguments, config):
            tell(f"warning: {warning}")
    translator = Translator.load(folder, arguments.device, arguments.precision, fork=True)
    tests = evaluate(translator, config, sets, options, ScoringOptions(metrics, arguments.tokenize, arguments.lowercase))
    if arguments.format == "json":
        print(json.dumps({"model": str(folder), "test": tests}, ensure_ascii=False, indent=2), flush=True)
    else:
        print(f"{format_table(tests)}\n\n{format_samples(tests)}", flush=True)
    try:
        write_report(folder, {}, tests)
    except (UserError, OSError) as error:  # a model may be read-only here
        tell(f"warning: the figures could not be saved: {error}")
    else:
        print(f"translate: written to {folder / REPORT}", file=sys.stderr)
    return 0


def check_tokenizer_asked_for(arguments: argparse.Namespace, config: Config, metrics: Sequence[str] | None) -> None:
    """UserError, before the work, for a tokenizer that can't be used, if it or BLEU was asked for; else BLEU is left out, with a warning."""
    from translate.evaluation.scoring import check_tokenizer, default_tokenizer

    if arguments.tokenize or (metrics and "bleu" in metrics):
        check_tokenizer(arguments.tokenize or default_tokenizer(config.data.target_language))


def chosen_sets(arguments: argparse.Namespace, config: Config) -> dict[str, Sentences]:
    from translate.evaluation.testsets import check_files, file_set, origin, published_set, recipe_sets

    sets: dict[str, Sentences] = {}
    if arguments.data or not (arguments.test or arguments.testset):
        if not arguments.data:
            check_files(config)
        for name, corpus in config.data.test.items():
            if corpus.kind == "hub" and not arguments.data and not config.data.folder:  # a download, which takes a while
                tell(f"test set {name}: {origin(corpus)}")
        try:
            sets |= recipe_sets(config, arguments.data)
        except UserError as error:
            if arguments.data or "data.folder" not in str(error):
                raise
            raise UserError(f"{error}; for `translate evaluate` that is --data FOLDER") from None
    found = [file_set(arguments.test[0], arguments.test[1:])] if arguments.test else []
    found += [(name, published_set(name, config, tell)) for name in arguments.testset or ()]
    for name, sentences in found:
        if name in sets:
            raise UserError(f"two test sets are called {name}: evaluate them in two commands")
        sets[name] = sentences
    return sets


def text_problems(name: str, sentences: Sentences, arguments: argparse.Namespace, config: Config) -> list[str]:
    """What in its texts makes scores on this set doubtful."""
    from translate.evaluation.score_warnings import tokenizer_warnings
    from translate.evaluation.scoring import check_tokenizer, default_tokenizer
    from translate.text.quality import text_warnings

    found = text_warnings(f"{name}, source,", sentences.sources)
    for number, lines in enumerate(sentences.references, 1):
        found += text_warnings(f"{name}, reference{f' {number}' if len(sentences.references) > 1 else ''},", lines)
    tokenize = arguments.tokenize or default_tokenizer(config.data.target_language)
    if "bleu" in (metric_names(arguments.metrics) or ["bleu"]):
        try:
            check_tokenizer(tokenize)
        except UserError:  # BLEU is left out, with a warning of its own
            return found
        found += [f"{name}: {text}" for text in tokenizer_warnings(sentences.references, tokenize)]
    return found
