"""Lines of text in and out: the one place that decides what a line is.

A line ends at ``\\n`` and nowhere else: U+2028, U+0085, ``\\x0b`` and ``\\x1c`` stay inside it, so N lines stay N lines whichever
program counts them. One ``\\r`` before the ``\\n`` belongs to the line's end, a byte order mark at the start of a file to nothing.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import shutil
import stat
import sys
import tempfile
import zlib
from typing import BinaryIO, Iterator, TextIO

from translate.errors import UserError
from translate.files import written
from translate.paths import expanded, is_stream

BOM = b"\xef\xbb\xbf"
LONGEST = 1 << 26  # bytes of a line
STANDARD_INPUT = "standard input"


def read_lines(path: str | os.PathLike | BinaryIO, errors: str = "strict", held: BinaryIO | None = None) -> Iterator[str]:
    """The lines of a UTF-8 file, without their ends; a last line need not have one. errors="replace" puts U+FFFD for what is no UTF-8.

    `path` is a file (.gz and .xz are unpacked), "-" for standard input, or an open binary stream; `held` is what came through it, see
    `held_pipe`. The file is opened at once, so a missing one fails here; what is in it is read line by line. UserError, one line: a
    missing or unreadable file, a folder, a damaged .gz or .xz, a line of more than `LONGEST` bytes, and invalid UTF-8 with file, line
    and byte (both counted from 1).
    """
    if hasattr(path, "read"):
        name = getattr(path, "name", None)
        return _decoded(path, name if isinstance(name, str) else "input", errors)
    if os.fspath(path) == "-":
        return _decoded(held or sys.stdin.buffer, STANDARD_INPUT, errors)
    if held:
        return _decoded(held, path, errors)
    path = expanded(path)
    try:
        stream = open(path, "rb")  # itself refuses a folder
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {_reason(error)}") from None
    if path.endswith(".gz"):
        if not stream.peek(1):  # gzip would take it for no lines
            stream.close()
            raise UserError(f"{path}: damaged: it is empty, not even packed")
        return _decoded(gzip.GzipFile(fileobj=stream), path, errors, stream)
    if path.endswith(".xz"):
        return _decoded(lzma.LZMAFile(stream, format=lzma.FORMAT_XZ), path, errors, stream)
    return _decoded(stream, path, errors, stream)


def held_pipe(path: str) -> BinaryIO | None:
    """All that comes through the pipe at `path` (or "-"), in an unnamed temporary file: so it can be read twice. None where that is no pipe.

    It waits for the pipe's end. UserError where the temporary file has no room.
    """
    if path != "-":
        if not (os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)) or path.endswith((".gz", ".xz")):
            return None
        pipe = open(path, "rb")
    elif sys.stdin.isatty() or sys.stdin.buffer.seekable():
        return None
    else:
        pipe = sys.stdin.buffer
    try:
        held = tempfile.TemporaryFile()
        shutil.copyfileobj(pipe, held)
        held.seek(0)
    except OSError as error:
        name = STANDARD_INPUT if path == "-" else path
        raise UserError(f"{name}: cannot be held in {tempfile.gettempdir()}: {_reason(error)}; set TMPDIR to a folder with room") from None
    return held


def _decoded(stream: BinaryIO, name: object, errors: str, close: BinaryIO | None = None) -> Iterator[str]:
    number = 0
    try:
        for number, raw in enumerate(iter(lambda: stream.readline(LONGEST + 1), b""), 1):  # a binary stream ends its lines at b"\n" only
            if len(raw) > LONGEST:
                raise UserError(f"{name}, line {number}: it has more than {LONGEST >> 20} MiB, which is no sentence: is this a text file?")
            if number == 1 and raw.startswith(BOM):
                raw = raw[len(BOM) :]
            if raw.endswith(b"\n"):
                raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
            yield raw.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise UserError(f"{name}, line {number}: invalid UTF-8 at byte {error.start + 1} of the line") from None
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise UserError(f"{name}: damaged after line {number}: {error}") from None
    except OSError as error:
        raise UserError(f"{name}: cannot be read: {_reason(error)}") from None
    finally:
        if close is not None:
            close.close()


@contextlib.contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[TextIO]:
    """A text file that appears under `path` whole, once the block has ended well, or not at all; see `files.written`.

    UTF-8, lines end in "\\n"; .gz and .xz are packed. A pipe or device gets each line at once. UserError if the place cannot be written.
    """
    given = expanded(path)
    with written(given) as raw, _packed(raw, os.path.basename(given), is_stream(given)) as stream:
        yield stream


@contextlib.contextmanager
def _packed(raw: BinaryIO, name: str, at_once: bool) -> Iterator[TextIO]:
    if name.endswith(".gz"):
        binary: BinaryIO = gzip.GzipFile("", "wb", fileobj=raw, mtime=0)  # no name, no time: the same text gives the same bytes
    elif name.endswith(".xz"):
        binary = lzma.LZMAFile(raw, "wb")
    else:
        binary = raw
    text = io.TextIOWrapper(binary, encoding="utf-8", newline="\n", line_buffering=at_once)
    try:
        yield text
        text.flush()
    finally:
        with contextlib.suppress(OSError, UserError):  # after an error what is left in the buffer is of no use
            text.detach()
    if binary is not raw:
        binary.close()


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
