"""`translate rerank`: tunes the weights with which other models put a model's translations in order, and writes them to a file."""

from __future__ import annotations

import argparse

from translate.cli.parser import Several
from translate.cli.paths import user_path

HELP = "Tune how a reverse model and a language model choose among a model's translations."
EPILOG = """\
examples:
  translate rerank -m runs/de_en --reverse runs/en_de --language-model runs/english -o rerank.yaml
  translate rerank -m runs/de_en --reverse runs/en_de --dev dev.de dev.en -o rerank.yaml
  translate file -m runs/de_en --rerank rerank.yaml input.de -o output.en
  translate evaluate -m runs/de_en --rerank rerank.yaml

Finds the N best translations of each line of the development set by beam search, and scores them again: by the probability of the source given the
translation (--reverse: a model of the other direction), that of the translation alone (--language-model: of the target language) and their length.
Then it looks for the weights of these with the highest BLEU, by minimum error rate training. See docs/adapt.md.

OUT names the models with the SHA-256 of their weights, the search and the weights. It works with these models only; paths in it begin at its own
folder.

Prints the weights, and BLEU before and after. p tells how often chance alone makes such a difference. BLEU on the lines that chose the weights is too
high; that of each fifth with the weights of the rest is fair, as far as the development set didn't choose the checkpoint too.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "-m", "--model", required=True, type=user_path, metavar="RUN", action=Several,
        help="run folder of the model that translates; given several times: models that translate together",
    )  # fmt: skip
    parser.set_defaults(others=[])
    parser.add_argument("--reverse", type=user_path, metavar="RUN", help="a model that translates from the target language to the source language")
    parser.add_argument("--language-model", type=user_path, metavar="RUN", help="a model of the target language (language_model or markov)")
    parser.add_argument("-o", "--output", required=True, type=user_path, metavar="OUT", help="file to write, such as rerank.yaml")
    sets = parser.add_argument_group("development set (default: the recipe's)")
    sets.add_argument("--dev", nargs="+", type=user_path, metavar="FILE", help="SOURCE REFERENCE: line-aligned files, references may follow")
    sets.add_argument("--data", type=user_path, metavar="FOLDER", help="read the files of the recipe's development set from this folder")
    search = parser.add_argument_group("search")
    search.add_argument("--n-best", type=int, default=10, metavar="N", help="translations of each line to choose from (default: %(default)s)")
    search.add_argument("--beam", type=int, metavar="N", help="hypotheses kept open (default: the recipe's, at least --n-best)")
    search.add_argument("--length-penalty", type=float, metavar="ALPHA", help="of the search (default: the recipe's)")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--batch-tokens", type=int, metavar="N", help="source tokens per batch, times the beam: lower it if memory runs out")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    machine.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="of the search (default: auto, the fastest)")


def run(arguments: argparse.Namespace) -> int:
    from translate.decoding import Options
    from translate.evaluation.evaluation import log_to_stderr
    from translate.evaluation.rerank_tuning import development_set, summary, tune_reranking

    folders = [arguments.model, *arguments.others]
    options = Options(beam=arguments.beam, length_penalty=arguments.length_penalty, batch_tokens=arguments.batch_tokens)
    development = development_set(arguments.model, arguments.dev or (), arguments.data)
    tuned = tune_reranking(
        folders, arguments.reverse, arguments.language_model, arguments.output, development, arguments.n_best, options, arguments.device,
        arguments.precision, log_to_stderr,
    )  # fmt: skip
    print(summary(tuned, arguments.output))
    return 0
