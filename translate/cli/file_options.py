"""The options of `translate file`, and which combinations have no effect."""

from __future__ import annotations

import argparse

from translate.cli.parser import Several
from translate.cli.paths import user_path
from translate.errors import UserError

HELP = "Translate text files, or standard input to standard output: N lines in, N lines out."
EPILOG = """\
examples:
  echo "Guten Morgen." | translate file -m runs/quickstart
  translate file -m runs/quickstart input.de -o output.en
  translate file -m runs/quickstart --beam 1 --scores news.de.gz > news.en
  translate file -m runs/quickstart --format jsonl --n-best 5 --beam 5 input.de -o output.jsonl
  translate file -m runs/quickstart --column text products.csv -o products.en.csv

Output, one line for each line of input, blank ones too:
  (by default)     TRANSLATION
  --scores         SCORE <tab> TRANSLATION
  --n-best N       N lines for each line of input, best first: LINE NUMBER <tab> SCORE <tab> TRANSLATION
  --format jsonl   a JSON object: line, source, translation, score, confidence, pieces, cut, alternatives
  --format pharaoh no translation, but which words became which: pairs of a word of the line and a word of its translation, such as 0-0 2-1.
                   Words are what white space separates, counted from 0
SCORE is the natural logarithm of the probability, divided by the length penalty; with --mbr, the mean chrF against all samples, 0 to 100; with
--rerank, the weighted sum by which it chooses. Each sentence of a line is translated on its own, and one that is too long for the model in parts,
cut at clause ends; all share one score. stderr says how many lines have a sentence that is too long.

A file that is not plain text, by its name or its first lines (subtitles, HTML, JSON, ...), is refused; --as text translates its lines anyway.
In CSV and TSV, --column N or --column NAME translates one column (NAME is in the first row, which is not translated; with a number, the first
row is translated too); in JSON lines, --key NAME, or --key a.b, translates one text. Every other byte is unchanged.

With --paragraphs, the output has one line for each paragraph of INPUT, list item, headline, row of a table and blank line; words divided at the
end of a line are put together. A line number is that of the paragraph's first line.

OUT appears when everything is translated, or not at all. With --resume, finished lines are kept in OUT.part; the same command continues from
there and gives the same bytes. Invalid UTF-8 is an error before anything is written, so a pipe is read to its end first; with --window or
--errors replace it is translated as it arrives.

A translation that loops is searched again so that no three tokens occur twice in the same order; stderr lists these lines.

--alignments FILE gets a JSON object for each line of input: line, source, translation, alignment. The last is a list of pairs: where a word stands
in the source and where in the (best) translation, each as its begin and end in characters. A word may be in several pairs, or in none.

--report FILE gets a JSON object for each line of input. status is the first that applies of: blank, passed (not language), truncated, looped,
copied, suspect, split, translated. suspect: something is missing or new, or a sentence has an odd length, a low score, a confidence below
--min-confidence, or parts that attention does not cover. Spans are in characters of the line; docs/files.md names all keys. A flag is a hint, not a
verdict. stderr counts the statuses; without --report it names the suspect lines all the same, but copies and coverage are not looked at.

confidence, in the report and in JSON lines, is what the translation is expected to share with a human one: chrF++ / 100, 0 to 1. It is null for
a line that the model did not see, with --sample or --mbr, and if the model is not calibrated: see `translate evaluate --calibrate`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    names = "text files, one sentence a line (also .gz, .xz, .bz2, .zst; - or none: standard input)"
    parser.add_argument("input", nargs="*", type=user_path, metavar="INPUT", help=names)
    parser.add_argument(
        "-m", "--model", required=True, type=user_path, metavar="RUN", action=Several,
        help="run folder of `translate train`, or a copy of its bundle files; given several times: models that translate together",
    )  # fmt: skip
    parser.set_defaults(others=[])
    parser.add_argument(
        "-o", "--output", type=user_path, metavar="OUT", help="file to write, whole or not at all (.gz and .xz too; default: standard output)"
    )
    parser.add_argument("--resume", action="store_true", help="continue where an interrupted run with --resume stopped")
    parser.add_argument("--alignments", type=user_path, metavar="FILE", help="write which words became which, a JSON object per line")
    parser.add_argument("--report", type=user_path, metavar="FILE", help="write what happened and what looks wrong, a JSON object per line")
    parser.add_argument(
        "--min-confidence", type=float, metavar="P", help="mark lines with a sentence of a confidence below P, 0 to 1: on stderr and in the report"
    )
    parser.add_argument(
        "--as", choices=("text",), dest="format_in", help="text: translate every line of INPUT, even if it doesn't look like plain text"
    )
    parser.add_argument("--column", metavar="N|NAME", help="INPUT is CSV or TSV: translate this column and keep everything else")
    parser.add_argument("--key", metavar="NAME", help="INPUT is JSON lines: translate the text under this key and keep everything else")
    parser.add_argument("--errors", choices=("strict", "replace"), help="invalid UTF-8: stop, or replace it with U+FFFD (default: strict)")
    parser.add_argument("--format", choices=("text", "jsonl", "pharaoh"), help="output format (default: text)")
    parser.add_argument("--scores", action="store_true", help="put the score before each translation")
    parser.add_argument(
        "--split", choices=("sentence", "line"), help="what the model gets at once: a sentence, or a line (default: the recipe's, mostly sentence)"
    )
    parser.add_argument(
        "--paragraphs",
        action="store_true",
        help="INPUT is wrapped in the middle of sentences, with blank lines between paragraphs: one line for each",
    )
    parser.add_argument(
        "--foreign", choices=("copy", "translate"), help="sentences in another language than the model's: copy or translate them (default: copy)"
    )
    search = parser.add_argument_group("search (default: the settings of the model's recipe)")
    search.add_argument("--beam", type=int, metavar="N", help="hypotheses kept open; 1 is greedy and fastest")
    search.add_argument("--length-penalty", type=float, metavar="ALPHA", help="above 0 favours longer output (GNMT's alpha)")
    search.add_argument("--n-best", type=int, metavar="N", help="alternatives of each line, at most --beam or --samples; with --sample, N samples")
    add_diverse(search)
    add_fusion(search)
    add_reranking(search)
    drawing = parser.add_argument_group("sampling")
    drawing.add_argument("--sample", action="store_true", help="draw translations at random instead of searching for the best")
    add_mbr(drawing)
    drawing.add_argument("--temperature", type=float, metavar="T", help="below 1: closer to the most likely (default: 1)")
    drawing.add_argument("--top-k", type=int, metavar="K", help="draw from the K most likely tokens (default: 0, all)")
    drawing.add_argument("--top-p", type=float, metavar="P", help="draw from the most likely tokens that share P (default: 1, all)")
    add_seed(drawing)
    machine = parser.add_argument_group("machine")
    machine.add_argument("--batch-tokens", type=int, metavar="N", help="source tokens per batch, times the beam: lower it if memory runs out")
    machine.add_argument("--window", type=int, metavar="N", help="lines read ahead of the output (default: 2048; 1 at a terminal)")
    machine.add_argument("--workers", type=int, default=0, metavar="N", help="translate on N Ray workers at once (default: 0, in this process)")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    machine.add_argument(
        "--precision", choices=("auto", "fp32", "bf16", "fp16"), help="for --engine torch (default: auto, the fastest on this machine)"
    )
    machine.add_argument("--engine", choices=("torch", "ctranslate2"), default="torch", help="engine that runs the model (default: torch)")
    machine.add_argument(
        "--compute-type", metavar="TYPE", help="for --engine ctranslate2: int8, float32, ... (default: that of the exported weights)"
    )


def add_diverse(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--diverse", type=int, metavar="GROUPS", help="divide the beam into groups that avoid each other's words, for --n-best")


def add_fusion(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--fuse", type=user_path, metavar="RUN", help="a language model with the same tokenizer, which scores each token too")
    group.add_argument("--fuse-weight", type=float, metavar="W", help="of the language model's log-probabilities, such as 0.1")


def add_reranking(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--rerank", type=user_path, metavar="FILE", help="choose among translations as this file of `translate rerank` says")


def add_mbr(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--mbr", choices=("chrf",), help="draw --samples and choose the one most like all of them (minimum Bayes risk)")
    group.add_argument("--samples", type=int, metavar="N", help="how many --mbr draws, 2 to 1,000, such as 64")


def add_seed(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same samples (default: 1)")


DEFAULTS = {
    "errors": "strict", "format": "text", "foreign": "copy", "n_best": 1, "diverse": 1, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 1,
    "precision": "auto", "compute_type": "default",
}  # fmt: skip


def check_options(arguments: argparse.Namespace) -> None:
    """UserError for an option without effect. Fills in the defaults."""
    for option, reason in without_effect(arguments):
        raise UserError(f"{option} has no effect {reason}")
    if arguments.mbr and arguments.samples is None:
        raise UserError("--mbr needs --samples N, how many translations to draw, such as 64")
    if arguments.window is not None and arguments.window < 1:
        raise UserError(f"--window is {arguments.window}: it must be at least 1")
    if arguments.min_confidence is not None and not 0 <= arguments.min_confidence <= 1:
        raise UserError(f"--min-confidence is {arguments.min_confidence:g}: it must be between 0 and 1")
    if arguments.resume and not arguments.output:
        raise UserError("--resume continues the file of -o: give -o OUT as well")
    arguments.input = arguments.input or ["-"]
    for name, value in DEFAULTS.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)


def without_effect(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """The given options that have no effect in combination with the others, and why. An option that is not given is None or False."""
    given = {name for name, value in vars(arguments).items() if value is not None and value is not False}
    several = (arguments.n_best or 1) > 1
    scored = arguments.scores or several or arguments.format == "jsonl" or arguments.report
    field = "--column" if "column" in given else "--key"
    drawing = "--mbr" if arguments.mbr else "--sample" if arguments.sample else ""
    rules = [(f"--{name.replace('_', '-')}", name in given and not drawing, "without --sample or --mbr: add one of them, or leave it out")
             for name in ("temperature", "top_k", "top_p", "seed")]  # fmt: skip
    torch, other = arguments.engine == "torch", arguments.engine == "ctranslate2"
    rules += [
        ("--sample", arguments.sample and bool(arguments.mbr), "with --mbr, which draws samples anyway: leave it out"),
        ("--samples", "samples" in given and not arguments.mbr, "without --mbr: add --mbr chrf, or leave it out"),
        ("--mbr", bool(arguments.mbr) and other, "with --engine ctranslate2, which does not sample: leave one of them out"),
        ("--beam", bool(drawing) and "beam" in given, f"with {drawing}, which does not search: leave one of them out"),
        ("--diverse", bool(drawing) and "diverse" in given, f"with {drawing}, which does not search: leave one of them out"),
        ("--diverse", other and "diverse" in given, "with --engine ctranslate2, which has no groups: leave one of them out"),
        ("--length-penalty", bool(arguments.mbr) and "length_penalty" in given, "with --mbr, which ranks by utility: leave it out"),
        ("--length-penalty", arguments.sample and "length_penalty" in given and not scored, "with --sample when no score is shown: leave it out"),
        (
            "--length-penalty",
            arguments.beam == 1 and "length_penalty" in given and not scored,
            "with --beam 1 when no score is shown: leave it out",
        ),
        ("--min-confidence", bool(drawing) and "min_confidence" in given, f"with {drawing}: confidence is that of a search; leave it out"),
        ("--min-confidence", bool(arguments.fuse) and "min_confidence" in given, "with --fuse: confidence is that of the model alone; leave it out"),
        ("--min-confidence", bool(arguments.others) and "min_confidence" in given, "with several models: confidence is that of one; leave it out"),
        ("--model", bool(arguments.others) and other, "twice with --engine ctranslate2, which searches with one model: leave one out"),
        ("--model", bool(arguments.others) and bool(arguments.workers), "twice with --workers: leave one out, or --workers"),
        ("--fuse", bool(arguments.fuse) and other, "with --engine ctranslate2, which searches with one model: leave it out"),
        ("--fuse", bool(arguments.fuse) and bool(arguments.workers), "with --workers: leave one of them out"),
        ("--rerank", bool(arguments.rerank) and other, "with --engine ctranslate2: leave it out, or the engine"),
        ("--rerank", bool(arguments.rerank) and bool(arguments.workers), "with --workers: leave one of them out"),
        ("--rerank", bool(arguments.rerank) and bool(arguments.fuse), "with --fuse: the file has a language model of its own; leave one out"),
        ("--rerank", bool(arguments.rerank) and bool(drawing), f"with {drawing}, which does not search: leave one of them out"),
        ("--diverse", bool(arguments.rerank) and "diverse" in given, "with --rerank, which is for a plain search: leave one of them out"),
        ("--min-confidence", bool(arguments.rerank) and "min_confidence" in given, "with --rerank: confidence is that of a search; leave it out"),
        ("--precision", other and "precision" in given, "with --engine ctranslate2: give --compute-type instead"),
        ("--compute-type", torch and "compute_type" in given, "with --engine torch: choose --engine ctranslate2, or give --precision"),
        ("--scores", arguments.scores and arguments.format == "jsonl", "with --format jsonl, which always has the score: leave it out"),
        ("--scores", arguments.scores and several, "with --n-best, which always shows the score: leave it out"),
        ("--scores", arguments.scores and arguments.format == "pharaoh", "with --format pharaoh, which has numbers of words only: leave it out"),
        ("--n-best", several and arguments.format == "pharaoh", "with --format pharaoh, which is about the best translation: leave it out"),
        ("--column", {"column", "key"} <= given, "with --key: a file is either CSV or JSON lines"),
        ("--as", "format_in" in given and bool({"column", "key"} & given), f"with {field}, which says what INPUT is: leave it out"),
    ]
    if {"column", "key"} & given:
        reason = f"with {field}: the output is INPUT with one field translated"
        rules += [("--format", "format" in given, reason), ("--scores", arguments.scores, reason), ("--n-best", several, reason)]
        rules += [("--paragraphs", arguments.paragraphs, f"with {field}, whose texts are not wrapped: leave it out")]
    return [(option, reason) for option, applies, reason in rules if applies]
