"""`translate file`: lines of text in, their translations out, one line each; in constant memory, however long the input."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, TextIO

from translate.cli.paths import check_places, user_path
from translate.errors import UserError

if TYPE_CHECKING:
    from translate.ray_translator import RayTranslator
    from translate.translator import Translation, Translator

HELP = "Translate text files, or standard input to standard output: N lines in, N lines out."
EPILOG = """\
examples:
  echo "Guten Morgen." | translate file -m runs/quickstart
  translate file -m runs/quickstart input.de -o output.en
  translate file -m runs/quickstart --beam 1 --scores news.de.gz > news.en
  translate file -m runs/quickstart --format jsonl --n-best 5 input.de -o output.jsonl

Output, a line for each line of input, also for a blank one:
  (nothing else)   TRANSLATION
  --scores         SCORE <tab> TRANSLATION
  --n-best N       N lines for each line of input, best first: LINE NUMBER <tab> SCORE <tab> TRANSLATION
  --format jsonl   a JSON object: line, source, translation, score, pieces, cut, alternatives
SCORE is the natural logarithm of the probability, divided by the length penalty. A line longer than the model takes is split at sentence or
clause ends, and its pieces' translations are joined with a space (their scores are added); how many is said on stderr.

-o appears when everything is translated, or not at all. With --resume, what is done so far is kept in OUT.part: the same command goes on
there and ends with the same bytes. Invalid UTF-8 is told before anything is written: a pipe is therefore read to its end first. With
--window or --errors replace it isn't, and translations come while it still runs.

A translation that repeats itself past reason is searched again so that no three tokens come twice in it in the same order, and counted on
stderr.

--report FILE gets a JSON object for each line of input: line, status (blank, truncated, looped, copied, split, ok: the first that holds),
tokens_in, tokens_out, score, pieces (where each begins and ends in the line, in characters), odd_length, missing (numbers, URLs, e-mail
addresses and {placeholders} of the source that the translation lacks). What it flags is a hint, not a verdict.
"""
# A JSON text may hold these as they are, but some programs end a line at them.
JSON_ESCAPES = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "input", nargs="*", type=user_path, metavar="INPUT", help="text files, one sentence a line (.gz and .xz too; - or none: standard input)"
    )
    parser.add_argument(
        "-m", "--model", required=True, type=user_path, metavar="RUN", help="run folder of `translate train`, or a copy of its bundle files"
    )
    parser.add_argument(
        "-o", "--output", type=user_path, metavar="OUT", help="file to write, whole or not at all (.gz and .xz too; default: standard output)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with what an interrupted run with --resume left of OUT")
    parser.add_argument("--report", type=user_path, metavar="FILE", help="write what became of each line, and what looks wrong, as JSON lines")
    parser.add_argument(
        "--errors", choices=("strict", "replace"), default="strict", help="invalid UTF-8: stop, or put U+FFFD for it (default: strict)"
    )
    parser.add_argument("--format", choices=("text", "jsonl"), default="text", help="default: text")
    parser.add_argument("--scores", action="store_true", help="put the score before each translation")
    search = parser.add_argument_group("search (default: as the model's recipe says)")
    search.add_argument("--beam", type=int, metavar="N", help="hypotheses kept open; 1 is greedy and fastest")
    search.add_argument("--length-penalty", type=float, metavar="ALPHA", help="above 0 favours longer output (GNMT's alpha)")
    search.add_argument("--n-best", type=int, default=1, metavar="N", help="alternatives of each line, at most --beam; with --sample, N samples")
    drawing = parser.add_argument_group("sampling")
    drawing.add_argument("--sample", action="store_true", help="draw translations at random in place of searching the best")
    drawing.add_argument("--temperature", type=float, default=1.0, metavar="T", help="below 1: closer to the likeliest (default: 1)")
    drawing.add_argument("--top-k", type=int, default=0, metavar="K", help="draw among the K likeliest tokens (default: 0, all)")
    drawing.add_argument("--top-p", type=float, default=1.0, metavar="P", help="draw among the likeliest tokens that share P (default: 1, all)")
    drawing.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same samples (default: 1)")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--batch-tokens", type=int, metavar="N", help="source tokens a batch, times the beam: lower it if memory runs out")
    machine.add_argument("--window", type=int, metavar="N", help="lines read ahead of the output (default: 2048; at a keyboard 1)")
    machine.add_argument("--workers", type=int, default=0, metavar="N", help="translate on N Ray workers at once (default: 0, in this process)")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    machine.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="default: auto, the fastest here")
    machine.add_argument("--engine", choices=("torch", "ctranslate2"), default="torch", help="what runs the model (default: torch)")
    machine.add_argument(
        "--compute-type", default="default", metavar="TYPE", help="of ctranslate2: int8, float32, ... (default: as the weights were exported)"
    )


def run(arguments: argparse.Namespace) -> int:
    from translate.text import held_pipe, read_lines, written_whole

    inputs = arguments.input or ["-"]
    if arguments.resume and not arguments.output:
        raise UserError("--resume goes on with the file of -o: give -o OUT as well")
    check_places(inputs, arguments.output, arguments.report)
    pipes = [None if arguments.window or arguments.errors == "replace" else held_pipe(path) for path in inputs]
    # opens them all: what cannot be read is told before the model is loaded
    readers = [read_lines(path, arguments.errors, pipe) for path, pipe in zip(inputs, pipes)]
    total = count_lines(inputs, pipes, arguments.errors)
    lines = itertools.chain.from_iterable(readers)
    if arguments.resume:
        go_on(lines, inputs, total, arguments)
        return 0
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(written_whole(arguments.output)) if arguments.output else sys.stdout
        report = stack.enter_context(written_whole(arguments.report)) if arguments.report else None
        translator, results = translations(stack, lines, inputs, arguments)
        try:
            # whoever reads the pipe has each line as soon as there is one
            write(with_progress(results, total, output), translator, output, report, arguments, at_once=not arguments.output)
        except BrokenPipeError:
            print("translate: whoever read the output has closed it: the rest is not translated", file=sys.stderr)
            raise
    return 0


def count_lines(inputs: list[str], pipes: list[BinaryIO | None], errors: str) -> int | None:
    """How many lines are to come; None where one comes from a pipe that is not held. Invalid UTF-8 raises here, before anything is written."""
    from translate.text import read_lines

    counts: list[int | None] = []
    for path, stream in zip(inputs, pipes):
        if path == "-" and sys.stdin.buffer.seekable() and not sys.stdin.isatty():  # `< file`
            stream = sys.stdin.buffer
        begin = stream.tell() if stream else 0
        counts.append(sum(1 for _ in read_lines(path, errors, stream)) if stream or os.path.isfile(path) else None)
        if stream:
            stream.seek(begin)
    return None if None in counts else sum(counts)


def translations(
    stack: contextlib.ExitStack, lines: Iterator[str], inputs: list[str], arguments: argparse.Namespace, done: int = 0
) -> tuple[Translator | RayTranslator, Iterator[Translation]]:
    """The translator, and what it makes of `lines`, all but the windows that lie within the first `done`. `stack` ends its workers."""
    from translate.decoding import Options  # brings torch
    from translate.ray_translator import ray_translator
    from translate.translator import WINDOW_LINES, Translator

    keyboard = "-" in inputs and sys.stdin.isatty()
    options = Options(
        arguments.beam, arguments.length_penalty, arguments.batch_tokens, arguments.n_best,
        arguments.sample, arguments.temperature, arguments.top_k, arguments.top_p, arguments.seed,
    )  # fmt: skip
    model = (arguments.model, arguments.device, arguments.precision, arguments.engine, arguments.compute_type)
    if arguments.workers:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))  # Ray writes there, among the translations, that a worker died
        translator = stack.enter_context(ray_translator(arguments.workers, *model))
    else:
        translator = Translator.load(*model, fork=True)
    results = translator.translate_stream(lines, options, arguments.window or (1 if keyboard else WINDOW_LINES), done)
    if keyboard:
        print("translate: reading lines from the keyboard; end with Ctrl-D", file=sys.stderr)
    return translator, results


def go_on(lines: Iterator[str], inputs: list[str], total: int | None, arguments: argparse.Namespace) -> None:
    """With --resume: from the first window on that is not whole in all that is written."""
    from translate.bundle import CONFIG, EXPORTED, WEIGHTS, model_folder
    from translate.cache import file_key
    from translate.resumable import resumable_files

    paths = [path for path in (arguments.output, arguments.report) if path]
    model = [model_folder(arguments.model) / name for name in (CONFIG, WEIGHTS, EXPORTED)]
    job = {
        "model": [file_key(path) for path in model if os.path.isfile(path)],
        "input": [file_key(path) if os.path.isfile(path) else path for path in inputs],
        **{key: value for key, value in vars(arguments).items() if key not in ("input", "output", "resume", "model", "workers")},
    }
    with resumable_files(paths, job, [arguments.n_best if arguments.format == "text" else 1, 1]) as files, contextlib.ExitStack() as stack:
        done = min(file.done for file in files)
        translator, results = translations(stack, lines, inputs, arguments, done)
        first = next(results, None)
        kept = first.number - 1 if first else done
        for file in files:
            file.keep(kept)
        if done:
            print(f"translate: going on at line {kept + 1:,}", file=sys.stderr)
        output, report = files[0].stream, files[1].stream if arguments.report else None
        results = with_progress(itertools.chain([first] if first else [], results), total, output, kept)
        write(results, translator, output, report, arguments, at_once=True)


def write(
    results: Iterable[Translation],
    translator: Translator | RayTranslator,
    output: TextIO,
    report: TextIO | None,
    arguments: argparse.Namespace,
    at_once: bool,
) -> None:
    """Each result to `output` and `report`, `at_once` without waiting for the next; then what is worth telling, to stderr."""
    split, cut, looped, pieces, statuses = [], [], [], 0, Counter()
    for result in results:
        if arguments.format == "jsonl":
            output.write(to_json(result, arguments.n_best))
        else:
            output.write(to_text(result, arguments.n_best, arguments.scores))
        if report:
            status = status_of(result)
            report.write(to_report(result, status))
            statuses[status] += 1
        if at_once:
            output.flush()
            if report:
                report.flush()
        if result.pieces > 1:
            split.append(result.number)
            pieces += result.pieces
        if result.cut:
            cut.append(result.number)
        if result.looped:
            looped.append(result.number)
    if split:
        limit = f"{translator.max_tokens:,} tokens"
        print(f"translate: split {name_lines(split)}, longer than the model's {limit}, into {pieces:,} pieces", file=sys.stderr)
    if cut:
        print(f"translate: cut off {name_lines(cut)} at the greatest length that a translation may have", file=sys.stderr)
    if looped:
        print(f"translate: translated again, without repeats, what came out in a loop: {name_lines(looped)}", file=sys.stderr)
    if report:
        counts = ", ".join(f"{count:,} {status}" for status, count in statuses.most_common())
        print(f"translate: report: {statuses.total():,} lines: {counts}", file=sys.stderr)


def status_of(result: Translation) -> str:
    from translate.findings import is_copy

    if not result.pieces:
        return "blank"
    if result.cut:
        return "truncated"
    if result.looped:
        return "looped"
    if is_copy(result.source, result.text):
        return "copied"
    return "split" if result.pieces > 1 else "ok"


def to_report(result: Translation, status: str) -> str:
    from translate.findings import is_odd_length, missing

    values = {
        "line": result.number,
        "status": status,
        "tokens_in": result.tokens_in,
        "tokens_out": result.tokens_out,
        "score": round(result.score, 6),
        "pieces": result.spans,
        "odd_length": is_odd_length(result.tokens_in, result.tokens_out),
        "missing": missing(result.source, result.text),
    }
    return json.dumps(values, ensure_ascii=False).translate(JSON_ESCAPES) + "\n"


def to_text(result: Translation, n_best: int, scores: bool) -> str:
    if n_best > 1:
        return "".join(f"{result.number}\t{score:.4f}\t{text}\n" for text, score in result.alternatives)
    return f"{result.score:.4f}\t{result.text}\n" if scores else f"{result.text}\n"


def to_json(result: Translation, n_best: int) -> str:
    values: dict[str, object] = {
        "line": result.number,
        "source": result.source,
        "translation": result.text,
        "score": round(result.score, 6),
        "pieces": result.pieces,
        "cut": result.cut,
    }
    if n_best > 1:
        values["alternatives"] = [{"translation": text, "score": round(score, 6)} for text, score in result.alternatives]
    return json.dumps(values, ensure_ascii=False).translate(JSON_ESCAPES) + "\n"


def name_lines(numbers: list[int]) -> str:
    """[3, 8] -> `2 lines (3, 8)`; of many, the first ten."""
    named = ", ".join(f"{number}" for number in numbers[:10]) + (", ..." if len(numbers) > 10 else "")
    return f"{len(numbers):,} {'line' if len(numbers) == 1 else 'lines'} ({named})"


def with_progress(results: Iterator[Translation], total: int | None, output: TextIO, done: int = 0) -> Iterable[Translation]:
    """`results`, with a progress bar on stderr if that is a terminal and nothing else is typed or written there."""
    if not sys.stderr.isatty() or output.isatty():
        return results
    from tqdm import tqdm

    return tqdm(results, total=total, initial=done, unit=" lines", dynamic_ncols=True)
