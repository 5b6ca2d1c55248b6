"""`translate file`: lines of text in, their translations out, one line each; in constant memory, however long the input."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from translate.cli.file_options import EPILOG, HELP, add_arguments, settle
from translate.cli.paths import check_places

if TYPE_CHECKING:
    from translate.cli.inputs import Input
    from translate.text.records import CsvColumn, JsonKey
    from translate.translation.pieces import Translation
    from translate.translation.ray_translator import RayTranslator
from translate.translation.translator import Translator

__all__ = ["EPILOG", "HELP", "add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int:
    from translate.cli.inputs import count_lines, field_of, judged, open_inputs
    from translate.cli.output import write
    from translate.cli.progress import Progress
    from translate.files.atomic import atomic_text

    settle(arguments)
    inputs = open_inputs(arguments)
    check_places([one.path for one in inputs], arguments.output, arguments.report)
    field = field_of(inputs[0], arguments)
    # opens them all: what cannot be read is told before the model is loaded
    readers = [one.lines(arguments.errors, ends=field is not None) for one in inputs]
    total = count_lines(inputs, arguments, field)
    lines = itertools.chain.from_iterable(reader if one.again else judged(reader, one, arguments) for one, reader in zip(inputs, readers))
    if arguments.resume:
        go_on(lines, inputs, field, total, arguments)
        return 0
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(atomic_text(arguments.output)) if arguments.output else sys.stdout
        report = stack.enter_context(atomic_text(arguments.report)) if arguments.report else None
        translator, results = translations(stack, lines, inputs, field, arguments)
        progress = Progress(total, output)
        try:
            # whoever reads the pipe has each line as soon as there is one
            summary = write(progress.follow(results), output, report, at_once=not arguments.output)
        except BrokenPipeError:
            print("translate: whoever read the output has closed it: the rest is not translated", file=sys.stderr)
            raise
        summary.tell(translator.max_tokens)
        progress.end()
    return 0


def translations(
    stack: contextlib.ExitStack,
    lines: Iterator[str],
    inputs: list[Input],
    field: CsvColumn | JsonKey | None,
    arguments: argparse.Namespace,
    done: int = 0,
) -> tuple[Translator | RayTranslator, Iterator[tuple[Translation, str]]]:
    """The translator, and what becomes of `lines`: the result and what is written for it, of all but the windows that lie within the first
    `done`. `stack` ends its workers."""
    from translate.cli.field import Assembly, count_texts
    from translate.cli.output import to_text
    from translate.decoding import Options  # brings torch
    from translate.translation.ray_translator import ray_translator
    from translate.translation.translator import Translator
    from translate.translation.windows import WINDOW_LINES

    keyboard = any(one.path == "-" for one in inputs) and sys.stdin.isatty()
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
    window = arguments.window or (1 if keyboard else WINDOW_LINES)
    if keyboard:
        print("translate: reading lines from the keyboard; end with Ctrl-D", file=sys.stderr)
    if field is None:
        results = translator.translate_stream(lines, options, window, done)
        return translator, ((result, to_text(result, arguments)) for result in results)
    texts_done = count_texts(itertools.islice(field.lines(inputs[0].lines(arguments.errors, ends=True)), done)) if done else 0
    assembly = Assembly(field.lines(lines), done, texts_done)
    return translator, assembly.assembled(translator.translate_stream(assembly.texts(), options, window, texts_done))


def go_on(lines: Iterator[str], inputs: list[Input], field: CsvColumn | JsonKey | None, total: int | None, arguments: argparse.Namespace) -> None:
    """With --resume: from the first window on that is not whole in all that is written."""
    from translate.bundle.bundle import CONFIG, EXPORTED, WEIGHTS, model_folder
    from translate.cli.output import write
    from translate.cli.progress import Progress
    from translate.files.digest import file_key
    from translate.files.resumable import resumable_files

    paths = [path for path in (arguments.output, arguments.report) if path]
    model = [model_folder(arguments.model) / name for name in (CONFIG, WEIGHTS, EXPORTED)]
    job = {
        "model": [file_key(path) for path in model if os.path.isfile(path)],
        "input": [file_key(one.path) if os.path.isfile(one.path) else one.path for one in inputs],
        **{key: value for key, value in vars(arguments).items() if key not in ("input", "output", "resume", "model", "workers")},
    }
    with resumable_files(paths, job, [arguments.n_best if arguments.format == "text" else 1, 1]) as files, contextlib.ExitStack() as stack:
        done = min(file.done for file in files)
        translator, results = translations(stack, lines, inputs, field, arguments, done)
        first = next(results, None)
        kept = first[0].number - 1 if first else done
        for file in files:
            file.keep(kept)
        if done:
            print(f"translate: going on at line {kept + 1:,}", file=sys.stderr)
        output, report = files[0].stream, files[1].stream if arguments.report else None
        progress = Progress(total, output, kept)
        summary = write(progress.follow(itertools.chain([first] if first else [], results)), output, report, at_once=True)
        summary.tell(translator.max_tokens)
        progress.end()
