"""`translate file`: translates text line by line, in constant memory."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from translate.cli.file_options import EPILOG, HELP, add_arguments, check_options
from translate.cli.paths import check_outputs
from translate.errors import UserError

if TYPE_CHECKING:
    from translate.cli.inputs import Inputs
    from translate.translation.pieces import Translation
    from translate.translation.ray_translator import RayTranslator
    from translate.translation.translator import Translator

__all__ = ["EPILOG", "HELP", "add_arguments", "run"]

Results = Iterator[tuple["Translation", str]]  # a line's result, and the text to write for it


def run(arguments: argparse.Namespace) -> int:
    from translate.cli.inputs import read_inputs
    from translate.cli.output import write
    from translate.cli.progress import with_progress
    from translate.files.atomic import atomic_text
    from translate.files.resumable import resumable_files

    check_options(arguments)
    outputs = {"-o": arguments.output, "--alignments": arguments.alignments, "--report": arguments.report}
    check_outputs(arguments.input, outputs, arguments.resume)
    buffer_pipes = not (arguments.window or arguments.errors == "replace")
    as_text, wrapped = arguments.format_in == "text", arguments.paragraphs
    inputs = read_inputs(arguments.input, arguments.errors, arguments.column, arguments.key, as_text, buffer_pipes, wrapped)
    written = {option: path for option, path in outputs.items() if path}
    output_lines = [arguments.n_best if arguments.format == "text" else 1, 1, 1]  # per input line; only the output can be in the first place
    stdout = sys.stdout  # `load` may redirect it
    with contextlib.ExitStack() as stack:
        resumable = stack.enter_context(resumable_files(list(written.values()), job_of(arguments), output_lines)) if arguments.resume else []
        streams = [stack.enter_context(atomic_text(path)) for path in written.values()] if not arguments.resume else []
        done = min((file.done for file in resumable), default=0)
        translator = load(arguments, stack)
        check_calibrated(arguments, translator)
        results = translate(translator, inputs, arguments, done)
        if arguments.resume:
            results, done = after_whole_windows(results, done, inputs.wrapped)
            streams = [file.keep(done) for file in resumable]
        stream_of = dict(zip(written, streams))
        output, alignments, report = stream_of.get("-o", stdout), stream_of.get("--alignments"), stream_of.get("--report")
        results = with_progress(results, inputs.total, output, done)
        try:
            # flush each line: the reader of a pipe gets it immediately, and a killed job loses none
            before = resumable[-1].kept() if arguments.resume and report else ()
            flush = arguments.resume or not arguments.output
            write(results, output, report, flush, arguments.min_confidence or 0.0, before, translator.languages, alignments, translator.calibrated)
        except BrokenPipeError:
            print("translate: the reader of the output has closed it: the rest is not translated", file=sys.stderr)
            raise
    return 0


def check_calibrated(arguments: argparse.Namespace, translator: Translator | RayTranslator) -> None:
    """UserError for --min-confidence with a model whose translations have no confidence."""
    if arguments.min_confidence is not None and not translator.calibrated:
        raise UserError(
            f"--min-confidence needs a model whose confidence was measured, and that of {arguments.model} was not: measure it on the development "
            f"set with `translate evaluate -m {arguments.model} --calibrate`, or leave the option out"
        )


def after_whole_windows(results: Results, done: int, wrapped: bool) -> tuple[Results, int]:
    """`results`, and how many come before the first of them: whole windows, at most `done`. wrapped: of paragraphs, which begin after `done`."""
    first = next(results, None)
    kept = first[0].number - 1 if first and not wrapped else done
    if done:
        print(f"translate: resuming at line {first[0].number if first else kept + 1:,}", file=sys.stderr)
    return itertools.chain([first] if first else [], results), kept


def job_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that the output depends on, as plain values."""
    from translate.bundle.bundle import model_files
    from translate.files.digest import file_key

    return {
        "model": [file_key(path) for folder in filter(None, (arguments.model, *arguments.others, arguments.fuse)) for path in model_files(folder)],
        **({"rerank": file_key(arguments.rerank)} if arguments.rerank else {}),
        "input": [file_key(path) if os.path.isfile(path) else path for path in arguments.input],
        **{
            key: value
            for key, value in vars(arguments).items()
            if key not in ("input", "output", "resume", "model", "others", "fuse", "rerank", "workers")
        },
    }


def load(arguments: argparse.Namespace, stack: contextlib.ExitStack) -> Translator | RayTranslator:
    """The translator; `stack` ends its workers."""
    from translate.translation.ray_translator import ray_translator
    from translate.translation.translator import Translator

    model = (arguments.model, arguments.device, arguments.precision, arguments.engine, arguments.compute_type)
    if not arguments.workers:
        further = {"fuse": arguments.fuse, "fuse_weight": arguments.fuse_weight, "ensemble": arguments.others, "rerank": arguments.rerank}
        return Translator.load(*model, fork=True, **further)
    stack.enter_context(contextlib.redirect_stdout(io.StringIO()))  # Ray reports dead workers there, among the translations
    return stack.enter_context(ray_translator(arguments.workers, *model))


def translate(translator: Translator | RayTranslator, inputs: Inputs, arguments: argparse.Namespace, done: int = 0) -> Results:
    """Translate all lines except the whole windows within the first `done` lines."""
    from translate.cli.field import Assembly
    from translate.cli.output import to_text
    from translate.cli.paragraphs import Numbered
    from translate.decoding import Options
    from translate.translation.windows import WINDOW_LINES

    if inputs.keyboard:
        print("translate: reading lines from the keyboard; end with Ctrl-D", file=sys.stderr)
    window = arguments.window or (1 if inputs.keyboard else WINDOW_LINES)
    options = Options(
        beam=arguments.beam, length_penalty=arguments.length_penalty, batch_tokens=arguments.batch_tokens, n_best=arguments.n_best,
        diverse=arguments.diverse, sample=arguments.sample, mbr=arguments.mbr, samples=arguments.samples,
        temperature=arguments.temperature, top_k=arguments.top_k, top_p=arguments.top_p, seed=arguments.seed,
        split=arguments.split, foreign=arguments.foreign, coverage=bool(arguments.report),
        alignment=bool(arguments.alignments) or arguments.format == "pharaoh",
    )  # fmt: skip
    if inputs.field:
        texts_done = inputs.count_texts(done)
        assembly = Assembly(inputs.field.parse(inputs.lines()), done, texts_done)
        return assembly.assembled(translator.translate_stream(assembly.texts(), options, window, texts_done))
    if inputs.wrapped:
        numbered = Numbered(inputs.paragraphs(translator.languages[0]), done)
        results = numbered.numbered(translator.translate_stream(numbered.texts(), options, window, done))
    else:
        results = translator.translate_stream(inputs.lines(), options, window, done)
    return ((result, to_text(result, arguments.format, arguments.n_best, arguments.scores, arguments.min_confidence)) for result in results)
