"""`translate evaluate`: translates and scores the test sets of a run's recipe; the figures go to stdout and into its report.json."""

from __future__ import annotations

import argparse
import sys

HELP = "Translate and score the test sets of a run's recipe."
EPILOG = """\
examples:
  translate evaluate -m runs/quickstart
  translate evaluate -m runs/multi30k_de_en --beam 1 --device cpu

Prints a table of BLEU, chrF++ and TER with 95% bootstrap intervals, sacreBLEU's signatures and a few translations, and puts them into
report.json of the run folder. The test sets are read from where the recipe says, as training did.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("-m", "--model", required=True, metavar="RUN", help="run folder of `translate train`, or a copy of its bundle files")
    search = parser.add_argument_group("search (default: as the recipe says)")
    search.add_argument("--beam", type=int, metavar="N", help="hypotheses kept open; 1 is greedy and fastest")
    search.add_argument("--length-penalty", type=float, metavar="ALPHA", help="above 0 favours longer output (GNMT's alpha)")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--batch-tokens", type=int, metavar="N", help="source tokens a batch, times the beam: lower it if memory runs out")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    machine.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="default: auto, the fastest here")


def run(arguments: argparse.Namespace) -> int:
    from translate.bundle import read_config
    from translate.decoding import Options
    from translate.evaluation import REPORT, evaluate_tests, samples, table, write_report
    from translate.translator import Translator

    config, _ = read_config(arguments.model)
    translator = Translator.load(arguments.model, arguments.device, arguments.precision, fork=True)
    tests = evaluate_tests(translator, config, Options(arguments.beam, arguments.length_penalty, arguments.batch_tokens))
    write_report(arguments.model, {}, tests)
    print(f"{table(tests)}\n\n{samples(tests)}")
    print(f"translate: written to {arguments.model}/{REPORT}", file=sys.stderr)
    return 0
