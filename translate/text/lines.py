"""Reading lines of text: the one place that decides what a line is, and which inputs can be read twice.

A line ends at ``\\n`` and nowhere else: U+2028, U+0085, ``\\x0b`` and ``\\x1c`` stay inside it, so every program counts the same N lines.
A ``\\r`` before the ``\\n`` is part of the line end; a byte order mark at the start of a file is dropped.
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
    """The lines of a UTF-8 file, without line ends; the last line need not have one.

    path: a file (.gz, .xz, .bz2 and .zst are decompressed), "-" for standard input, or an open binary stream. errors="replace": U+FFFD for
    invalid UTF-8. ends=True: lines keep their ends, and the first one its byte order mark. The file is opened at once, so a missing one
    fails here; its content is read line by line. UserError for a missing or unreadable file, a folder, a damaged compressed file, a line of
    more than `LONGEST` bytes, and invalid UTF-8, with file, line and byte (counted from 1) and, if it can be guessed, the command that
    converts it.
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
    if name.endswith(COMPRESSED) and not stream.peek(1):  # some decompressors would read it as no lines
        stream.close()
        raise UserError(f"{name}: damaged: the file is empty")
    return _decoded(_unpacked(stream, name), name, errors, ends, stream)


class Input:
    """One input of a command: a file, a pipe, or standard input ("-"). `twice`: whether its lines can be read more than once."""

    def __init__(self, path: str, hold: bool) -> None:
        """hold: read a pipe to its end first, into an unnamed temporary file, so that it can be read twice."""
        self.path = path
        self.name = STANDARD_INPUT if path == "-" else path
        self._stream = _spooled(path) if hold else None
        if path == "-" and self._stream is None and sys.stdin.buffer.seekable() and not sys.stdin.isatty():  # `< file`
            self._stream = sys.stdin.buffer
        self._begin = self._stream.tell() if self._stream else 0
        self.twice = self._stream is not None or (path != "-" and os.path.isfile(path))

    def lines(self, errors: str = "strict", ends: bool = False) -> Iterator[str]:
        """All lines. A missing file fails here. UserError as from `read_lines`."""
        return self._lines_from_begin(self._stream, errors, ends) if self._stream else read_lines(self.path, errors, ends)

    def _lines_from_begin(self, stream: IO[bytes], errors: str, ends: bool) -> Iterator[str]:
        stream.seek(self._begin)
        yield from _decoded(stream, self.name, errors, ends)


def open_inputs(paths: Sequence[str], hold: bool) -> list[Input]:
    """UserError if standard input or a pipe is given twice, or there is no space to hold a pipe."""
    for path in paths:
        if paths.count(path) > 1 and (path == "-" or is_pipe(path)):
            raise UserError(f"{'standard input (-)' if path == '-' else path} is given twice: it can be read only once")
    return [Input(path, hold) for path in paths]


def _unpacked(stream: io.BufferedReader, name: str) -> Packed:
    """`stream`, decompressed according to its file name."""
    if name.endswith(".gz"):
        return gzip.GzipFile(fileobj=stream)
    if name.endswith(".xz"):
        return lzma.LZMAFile(stream, format=lzma.FORMAT_XZ)
    if name.endswith(".bz2"):
        return bz2.BZ2File(stream)
    if name.endswith(".zst"):
        import pyarrow  # installed with `datasets`; importing it takes a third of a second

        return io.BufferedReader(pyarrow.CompressedInputStream(stream, "zstd"))
    return stream


def _spooled(path: str) -> IO[bytes] | None:
    """The content of the pipe at `path` (or "-"), in an unnamed temporary file; None if it is not a pipe.

    Waits for the end of the pipe. UserError if there is no space for the temporary file.
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
        copy = tempfile.TemporaryFile()
        shutil.copyfileobj(pipe, copy)
        copy.seek(0)
    except OSError as error:
        name = STANDARD_INPUT if path == "-" else path
        raise UserError(f"{name}: could not be copied to {tempfile.gettempdir()}: {_reason(error)}; set TMPDIR to a folder with space") from None
    return copy


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
                raise UserError(f"{name}, line {number}: more than {LONGEST >> 20} MiB, too long for a sentence: is this a text file?")
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
    except MemoryError:  # the compressed file itself declares how much is needed
        raise UserError(f"{name}: not enough memory to read or decompress line {number + 1}") from None
    finally:
        if close is not None:
            close.close()


def _damaged(number: int) -> str:
    return f"damaged after line {number}" if number else "damaged"


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
