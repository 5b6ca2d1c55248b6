"""Paths on the command line: `~` is expanded here, and an output that can't be written is an error before work begins."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence

from translate.errors import UserError
from translate.files.atomic import check_writable
from translate.files.paths import descriptor, expand_path, is_stream

NAMES = {"-o": "output", "--report": "report", "--alignments": "file of alignments"}


def user_path(word: str) -> str:
    """`type` of the options that name a file or folder. "-" (standard input or output) is unchanged."""
    try:
        return expand_path(word)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def check_outputs(inputs: Sequence[str], outputs: Mapping[str, str | None], resume: bool) -> None:
    """UserError if a file would be both read and written, or written twice, even under another name; or if one can't be written.

    outputs: by the option that names them, -o first. resume: .part files are written beside the outputs, so these can't be streams.
    """
    written = {option: path for option, path in outputs.items() if path}
    for option, path in written.items():
        for source in inputs:
            if source != "-" and os.path.isfile(path) and os.path.exists(source) and os.path.samefile(source, path):
                raise UserError(f"{path} is an input as well as the {NAMES[option]}: give {option} another name")
    taken = {_target(outputs["-o"] or "-"): "-o"}
    for option, path in written.items():
        before = taken.setdefault(_target(path), option)
        if before != option:
            raise UserError(f"{path} is the {NAMES[before]} as well as the {NAMES[option]}: give {option} another name")
    for option, path in written.items():
        if path.endswith((".bz2", ".zst")):
            raise UserError(f"{option} {path}: only .gz and .xz can be written: give {option} another name")
        if resume and is_stream(path):
            raise UserError(f"{path} is a stream, but --resume needs a file: leave --resume out, or name a file")
        for file in (path, f"{path}.part") if resume else (path,):
            check_writable(file)


def _target(written: str) -> int | str:
    number = descriptor(written)
    return os.path.realpath(written) if number is None else number
