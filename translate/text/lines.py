"""Lines of text in: the one place that decides what a line is, and what can be read twice.

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
from collections.abc import Iterator, Sequence
from typing import IO, BinaryIO

from translate.errors import UserError
from translate.files.digest import COMPRESSED
from translate.text.sniff import binary, encoding_hint

BOM = b"\xef\xbb\xbf"
LONGEST = 1 << 26  # bytes of a line
STANDARD_INPUT = "standard input"
Packed = gzip.GzipFile | lzma.LZMAFile | bz2.BZ2File | io.BufferedReader


def read_lines(path: str | os.PathLike[str] | BinaryIO, errors: str = "strict", ends: bool = False) -> Iterator[str]:
    """The lines of a UTF-8 file, without their ends; the last line need not have one.

    path: a file (.gz, .xz, .bz2 and .zst are unpacked), "-" for standard input, or an open binary stream. errors="replace": U+FFFD for
    invalid UTF-8. ends=True: lines keep their ends, and the first one its byte order mark. The file is opened at once, so a missing one
    fails here; its content is read line by line. UserError, one line: a missing or unreadable file, a folder, a damaged packed file, a
    line of more than `LONGEST` bytes, and invalid UTF-8, with file, line and byte (both counted from 1) and, if it can be guessed, the
    command that converts it.
    """
    if not isinstance(path, (str, os.PathLike)):
        name = getattr(path, "name", None)
        return _decoded(path, name if isinstance(name, str) else "input", errors, ends)
    name = os.fspath(path)
    if name == "-":
        return _decoded(sys.stdin.buffer, STANDARD_INPUT, errors, ends)
    try:
        stream = open(name, "rb")  # refuses a folder
    except OSError as error:
        raise UserError(f"{name}: cannot be read: {_reason(error)}") from None
    if name.endswith(COMPRESSED) and not stream.peek(1):  # some unpackers would find no lines in it
        stream.close()
        raise UserError(f"{name}: damaged: it is empty, not even packed")
    return _decoded(_unpacked(stream, name), name, errors, ends, stream)


class Input:
    """One input of a command: a file, a pipe, or standard input ("-"). `twice`: whether its lines can be read more than once."""

    def __init__(self, path: str, hold: bool) -> None:
        """hold: a pipe is read to its end first, into an unnamed temporary file, and can be read twice then."""
        self.path = path
        self.name = STANDARD_INPUT if path == "-" else path
        self._stream = _spooled(path) if hold else None
        if path == "-" and self._stream is None and sys.stdin.buffer.seekable() and not sys.stdin.isatty():  # `< file`
            self._stream = sys.stdin.buffer
        self._begin = self._stream.tell() if self._stream else 0
        self.twice = self._stream is not None or (path != "-" and os.path.isfile(path))

    def lines(self, errors: str = "strict", ends: bool = False) -> Iterator[str]:
        """All of its lines. A missing file fails here. UserError as from `read_lines`."""
        return self._lines_from_begin(self._stream, errors, ends) if self._stream else read_lines(self.path, errors, ends)

    def _lines_from_begin(self, stream: IO[bytes], errors: str, ends: bool) -> Iterator[str]:
        stream.seek(self._begin)
        yield from _decoded(stream, self.name, errors, ends)


def open_inputs(paths: Sequence[str], hold: bool) -> list[Input]:
    """UserError where standard input or a pipe is given twice, and where there is no space to hold a pipe."""
    for path in paths:
        if paths.count(path) > 1 and (path == "-" or is_pipe(path)):
            raise UserError(f"{'standard input (-)' if path == '-' else path} is given twice: it can be read once only")
    return [Input(path, hold) for path in paths]


def _unpacked(stream: io.BufferedReader, name: str) -> Packed:
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


def _spooled(path: str) -> IO[bytes] | None:
    """All that comes through the pipe at `path` (or "-"), in an unnamed temporary file; None where that is not a pipe.

    It waits for the pipe's end. UserError where there is no space for the temporary file.
    """
    pipe: BinaryIO
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
        raise UserError(f"{name}: could not be copied to {tempfile.gettempdir()}: {_reason(error)}; set TMPDIR to a folder with space") from None
    return held


def is_pipe(path: str) -> bool:
    return os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)


def _decoded(stream: IO[bytes] | Packed, name: str, errors: str, ends: bool, close: io.BufferedReader | None = None) -> Iterator[str]:
    """close: the file to close at the end."""
    number, utf8_seen, raw = 0, False, b""
    piped = close is None or is_pipe(name)
    try:
        head = stream.peek(4096)[:4096] if hasattr(stream, "peek") else b""
        for number, raw in enumerate(iter(lambda: stream.readline(LONGEST + 1), b""), 1):  # a binary stream ends its lines at b"\n" only
            if number == 1 and (what := binary(head or raw, name, piped)):
                raise UserError(f"{name}: {what}")
            if len(raw) > LONGEST:
                raise UserError(f"{name}, line {number}: it has more than {LONGEST >> 20} MiB, too much for a sentence: is this a text file?")
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
        raise UserError(f"{name}: {_damaged(number)}: {error}") from None
    except OSError as error:
        if error.errno is None:  # of bz2 and zstd
            raise UserError(f"{name}: {_damaged(number)}: {error}") from None
        raise UserError(f"{name}: cannot be read: {_reason(error)}") from None
    except MemoryError:  # the packed file itself says how much is needed
        raise UserError(f"{name}: too little memory to read line {number + 1}, or to unpack it") from None
    finally:
        if close is not None:
            close.close()


def _damaged(number: int) -> str:
    return f"damaged after line {number}" if number else "damaged"


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
