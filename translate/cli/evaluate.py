"""`translate evaluate`: translates and scores test sets, prints the scores and saves them in the run's report.json."""

from __future__ import annotations

import argparse
import json

from translate.cli.file_options import add_diverse, add_fusion, add_mbr, add_reranking, add_seed
from translate.cli.parser import Several
from translate.cli.paths import user_path
from translate.cli.score import add_scoring, check_effects, metric_names

HELP = "Translate and score test sets: those of a run's recipe, or others."
EPILOG = """\
examples:
  translate evaluate -m runs/quickstart
  translate evaluate -m runs/old --calibrate                             first make its confidence known
  translate evaluate -m runs/multi30k_de_en --beam 1 --device cpu
  translate evaluate -m runs/multi30k_de_en --data my/multi30k           the recipe's test sets, from the files in that folder
  translate evaluate -m runs/multi30k_de_en --test news.de news.en       files of your own
  translate evaluate -m runs/multi30k_language_model --test news.en      perplexity of a text
  translate evaluate -m runs/multi30k_de_en --mbr chrf --samples 64      the sample that is most like all of them
  translate evaluate -m runs/multi30k_de_en --testset wmt14 --metrics bleu,chrf

Prints a table of BLEU, chrF++ and TER with 95% bootstrap intervals, sacreBLEU's signatures and a few translations, and saves them in
report.json of the run folder. Without --data, --test and --testset, the recipe's test sets are read from the paths in the recipe.

A model that doesn't translate is measured by its perplexity: per token of its own tokenizer, and, comparable between tokenizers, per word and in
bits per character. Ends of lines count as one token, word and character each.

If the model's confidence is calibrated, as training does at its end, its expected calibration error on each test set is printed too. --calibrate
does it for the model of an older version, with the development set of its recipe.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "-m", "--model", required=True, type=user_path, metavar="RUN", action=Several,
        help="run folder of `translate train`, or a copy of its bundle files; given several times: models that translate together",
    )  # fmt: skip
    parser.set_defaults(others=[])
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result (default: %(default)s)")
    sets = parser.add_argument_group("test sets (default: the recipe's; --test and --testset replace them)")
    sets.add_argument("--data", type=user_path, metavar="FOLDER", help="read the files of the recipe's test sets from this folder")
    sets.add_argument(
        "--test",
        nargs="+",
        type=user_path,
        metavar="FILE",
        help="SOURCE REFERENCE: line-aligned files, references may follow; TEXT for a model of one language",
    )
    sets.add_argument("--testset", nargs="+", metavar="NAME", help="sacreBLEU's test sets, such as wmt14, in the model's languages")
    parser.add_argument(
        "--calibrate", action="store_true", help="first measure confidence on the recipe's development set, and write it into the model"
    )
    add_scoring(parser.add_argument_group("scores"), "by the target language: 13a, zh, ja-mecab, ko-mecab")
    search = parser.add_argument_group("search (default: the recipe's settings)")
    search.add_argument("--beam", type=int, metavar="N", help="hypotheses kept open; 1 is greedy and fastest")
    search.add_argument("--length-penalty", type=float, metavar="ALPHA", help="above 0 favours longer output (GNMT's alpha)")
    add_diverse(search)
    add_mbr(search)
    add_seed(search)
    add_fusion(search)
    add_reranking(search)
    machine = parser.add_argument_group("machine")
    machine.add_argument("--batch-tokens", type=int, metavar="N", help="source tokens per batch, times the beam: lower it if memory runs out")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    machine.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="default: auto, the fastest on this machine")


def run(arguments: argparse.Namespace) -> int:
    from translate.api import evaluate
    from translate.bundle.bundle import model_folder
    from translate.evaluation.report import format_samples, format_table

    metrics = metric_names(arguments.metrics)
    check_effects(arguments, metrics)
    results = evaluate(
        arguments.model,
        data=arguments.data,
        test=arguments.test or (),
        testset=arguments.testset or (),
        metrics=metrics,
        tokenize=arguments.tokenize,
        lowercase=arguments.lowercase,
        beam=arguments.beam,
        length_penalty=arguments.length_penalty,
        diverse=1 if arguments.diverse is None else arguments.diverse,
        mbr=arguments.mbr,
        samples=arguments.samples,
        seed=1 if arguments.seed is None else arguments.seed,
        batch_tokens=arguments.batch_tokens,
        device=arguments.device,
        precision=arguments.precision,
        fork=True,
        calibrate=arguments.calibrate,
        fuse=arguments.fuse,
        fuse_weight=arguments.fuse_weight,
        ensemble=arguments.others,
        rerank=arguments.rerank,
    )
    if not results:  # no test set, only --calibrate
        return 0
    if arguments.format == "json":
        print(json.dumps({"model": str(model_folder(arguments.model)), "test": results}, ensure_ascii=False, indent=2))
    else:
        print(*filter(None, (format_table(results), format_samples(results))), sep="\n\n")
    return 0
