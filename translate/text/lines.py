"""Lines of text in and out: the one place that decides what a line is.

A line ends at ``\\n`` and nowhere else: U+2028, U+0085, ``\\x0b`` and ``\\x1c`` stay inside it, so N lines stay N lines whichever
program counts them. One ``\\r`` before the ``\\n`` belongs to the line's end, a byte order mark at the start of a file to nothing.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import sys
import tempfile
import zlib
from typing import BinaryIO, Iterator

from translate.errors import UserError
from translate.files.digest import COMPRESSED
from translate.files.paths import expand_path
from translate.text.sniff import binary, encoding_hint

BOM = b"\xef\xbb\xbf"
LONGEST = 1 << 26  # bytes of a line
STANDARD_INPUT = "standard input"


def read_lines(path: str | os.PathLike | BinaryIO, errors: str = "strict", held: BinaryIO | None = None, ends: bool = False) -> Iterator[str]:
    """The lines of a UTF-8 file, without their ends; a last line need not have one. errors="replace" puts U+FFFD for what is no UTF-8.

    `path` is a file (.gz, .xz, .bz2 and .zst are unpacked), "-" for standard input, or an open binary stream; `held` is what came through it,
    see `spool_pipe`. ends=True: lines keep their ends, and the first one its byte order mark. The file is opened at once, so a missing one
    fails here; what is in it is read line by line. UserError, one line: a missing or unreadable file, a folder, a damaged packed file, a
    line of more than `LONGEST` bytes, and what is not UTF-8, with file, line and byte (both counted from 1) and with the command that
    converts it where that can be told.
    """
    if hasattr(path, "read"):
        name = getattr(path, "name", None)
        return _decoded(path, name if isinstance(name, str) else "input", errors, ends)
    if os.fspath(path) == "-":
        return _decoded(held or sys.stdin.buffer, STANDARD_INPUT, errors, ends)
    if held:
        return _decoded(held, str(path), errors, ends)
    path = expand_path(path)
    try:
        stream = open(path, "rb")  # itself refuses a folder
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {_reason(error)}") from None
    if path.endswith(COMPRESSED) and not stream.peek(1):  # some would take it for no lines
        stream.close()
        raise UserError(f"{path}: damaged: it is empty, not even packed")
    return _decoded(_unpacked(stream, path), path, errors, ends, stream)


def _unpacked(stream: BinaryIO, name: str) -> BinaryIO:
    """What is packed in `stream`, as the ending of its name says."""
    if name.endswith(".gz"):
        return gzip.GzipFile(fileobj=stream)
    if name.endswith(".xz"):
        return lzma.LZMAFile(stream, format=lzma.FORMAT_XZ)
    if name.endswith(".bz2"):
        return bz2.BZ2File(stream)
    if name.endswith(".zst"):
        import pyarrow  # comes with `datasets`; takes a third of a second

        return io.BufferedReader(pyarrow.CompressedInputStream(stream, "zstd"))
    return stream


def spool_pipe(path: str) -> BinaryIO | None:
    """All that comes through the pipe at `path` (or "-"), in an unnamed temporary file: so it can be read twice. None where that is no pipe.

    It waits for the pipe's end. UserError where the temporary file has no room.
    """
    if path != "-":
        if not is_pipe(path) or path.endswith(COMPRESSED):
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


def is_pipe(path: str) -> bool:
    return os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)


def _decoded(stream: BinaryIO, name: str, errors: str, ends: bool, close: BinaryIO | None = None) -> Iterator[str]:
    number, utf8_seen, raw = 0, False, b""
    piped = close is None or is_pipe(name)
    try:
        head = stream.peek(4096)[:4096] if hasattr(stream, "peek") else b""
        for number, raw in enumerate(iter(lambda: stream.readline(LONGEST + 1), b""), 1):  # a binary stream ends its lines at b"\n" only
            if number == 1 and (what := binary(head or raw, name, piped)):
                raise UserError(f"{name}: {what}")
            if len(raw) > LONGEST:
                raise UserError(f"{name}, line {number}: it has more than {LONGEST >> 20} MiB, which is no sentence: is this a text file?")
            if not ends:
                if number == 1 and raw.startswith(BOM):
                    raw = raw[len(BOM) :]
                if raw.endswith(b"\n"):
                    raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
            yield raw.decode("utf-8", errors)
            utf8_seen = utf8_seen or not raw.isascii()
    except UnicodeDecodeError as error:
        hint = encoding_hint(raw, utf8_seen, name, piped)
        raise UserError(f"{name}, line {number}: invalid UTF-8 at byte {error.start + 1} of the line{hint}") from None
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise UserError(f"{name}: damaged after line {number}: {error}") from None
    except OSError as error:
        if error.errno is None:  # of bz2 and zstd
            raise UserError(f"{name}: damaged after line {number}: {error}") from None
        raise UserError(f"{name}: cannot be read: {_reason(error)}") from None
    except MemoryError:  # how much is needed is said by the packed file itself
        raise UserError(f"{name}: too little memory to read line {number + 1}, or to unpack it") from None
    finally:
        if close is not None:
            close.close()


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
