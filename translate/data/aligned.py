"""Two text files with the same sentences in the same order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy

from translate.data.rows import Pair, mac_line_ends
from translate.errors import UserError
from translate.text.lines import read_lines


def aligned_lines(source: str, target: str) -> Iterator[Pair]:
    """Pairs of lines from two files. UserError at the end if one file is longer, with a guess at where they diverge."""
    sources, targets = read_lines(source), read_lines(target)
    for line in sources:
        other = next(targets, None)
        if other is None:
            break
        yield line, other
    else:
        if next(targets, None) is None:
            return
    raise UserError(misaligned(source, target))


def misaligned(source: str, target: str) -> str:
    """The error message for two files of different length, with the first suspicious line.

    That is the first line that is blank in only one of the files; if there is none, a guess from the line lengths.
    """
    lengths = [numpy.fromiter((len(line.strip()) for line in read_lines(path)), dtype=numpy.int32) for path in (source, target)]
    counts = [len(side) for side in lengths]
    for path, count in zip((source, target), counts):
        returns = sum(line.count("\r") for line in read_lines(path))
        if returns >= count > 0:
            return mac_line_ends(path, returns, count)
    message = f"source has {counts[0]:,} lines, target {counts[1]:,} ({source}, {target}): they must be line-aligned"
    common = min(counts)
    if not common:
        return message
    blank = numpy.flatnonzero((lengths[0][:common] == 0) != (lengths[1][:common] == 0))
    suspicious = int(blank[0]) + 1 if len(blank) else _divergence(*sorted(lengths, key=len))
    return f"{message}; first suspicious line: {suspicious:,}"


def _divergence(shorter: numpy.ndarray, longer: numpy.ndarray) -> int:
    """The line, from 1, at which the shorter file probably lost lines; the last common line if no other fits better.

    Assumes that all k missing lines were lost in one place, so that line n of the shorter file then belongs to line n + k of the
    longer one. Picks the place where the lengths of paired lines match best.
    """
    common, missing = len(shorter), len(longer) - len(shorter)
    logs = [numpy.log1p(side.astype(numpy.float64)) for side in (shorter, longer)]
    ratio = numpy.median(logs[1]) - numpy.median(logs[0])  # one language is longer than the other
    unshifted = numpy.abs(logs[0] - logs[1][:common] + ratio)
    shifted = numpy.abs(logs[0] - logs[1][missing:] + ratio)
    gain = numpy.cumsum((unshifted - shifted)[::-1])[::-1]  # of shifting all lines from here on
    best = int(numpy.argmax(gain))
    return best + 1 if gain[best] > 0 else common
