"""Paths on the command line: `~` is expanded here, and an output that can't be written is an error before work begins."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from translate.errors import UserError
from translate.files.atomic import check_writable
from translate.files.paths import descriptor, expand_path, is_stream


def user_path(word: str) -> str:
    """`type` of the options that name a file or folder. "-" (standard input or output) is unchanged."""
    try:
        return expand_path(word)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def check_outputs(inputs: Sequence[str], output: str | None, report: str | None, resume: bool) -> None:
    """UserError if a file would be both read and written, or written twice, even under another name; or if one can't be written.

    resume: .part files are written beside the outputs, so these can't be streams.
    """
    for what, option, written in (("output", "-o", output), ("report", "--report", report)):
        for path in inputs:
            if written and path != "-" and os.path.isfile(written) and os.path.exists(path) and os.path.samefile(path, written):
                raise UserError(f"{written} is an input as well as the {what}: give {option} another name")
    if report and _target(report) == _target(output or "-"):
        raise UserError(f"{report} is the output as well as the report: give --report another name")
    for option, written in (("-o", output), ("--report", report)):
        if not written:
            continue
        if written.endswith((".bz2", ".zst")):
            raise UserError(f"{option} {written}: only .gz and .xz can be written: give {option} another name")
        if resume and is_stream(written):
            raise UserError(f"{written} is a stream, but --resume needs a file: leave --resume out, or name a file")
        for path in (written, f"{written}.part") if resume else (written,):
            check_writable(path)


def _target(written: str) -> int | str:
    number = descriptor(written)
    return os.path.realpath(written) if number is None else number
