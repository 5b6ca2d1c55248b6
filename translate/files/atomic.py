"""Files and folders that appear whole or not at all: all that the package writes goes through here.

A temporary file in the same folder, synced, then renamed: a killed process, a full disk or a crash of the machine leaves what was there before.
Rights are those that the umask leaves, or those of the file that is replaced.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import lzma
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from translate.errors import UserError
from translate.files.paths import RawOutput, buffered, descriptor, is_stream, name_write_errors, open_stream

SUFFIX = ".tmp"
LONGEST_NAME = 200  # bytes of a name that its temporary one repeats; a file system takes 255
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EROFS)  # what file systems answer that don't sync folders


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[io.BufferedWriter[RawOutput]]:
    """A binary stream to what `path` names. A file appears when the block has ended without an error; else the old one stays.

    `-`, /dev/stdout, /dev/stderr and /dev/fd/N are the descriptors of this process; devices and named pipes are not replaced: all these get the
    bytes as they come. UserError, also in the block, where it can't be written; BrokenPipeError where nobody reads the pipe any more.
    """
    given = os.fspath(path)
    if is_stream(given):
        with buffered(open_stream(given), given) as stream:
            yield stream
        return
    with atomic_file(given) as temporary:
        with name_write_errors(given):
            descriptor = os.open(temporary, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        with buffered(descriptor, given) as stream:
            yield stream


def open_to_continue(path: str | os.PathLike[str], truncate: bool) -> io.BufferedWriter[RawOutput]:
    """The file itself, which a long job writes to as it goes on: from its end, or with `truncate` from its beginning.

    UserError, also from a write, where it can't be written.
    """
    given = os.fspath(path)
    with name_write_errors(given):
        how = os.O_TRUNC if truncate else os.O_APPEND
        return io.BufferedWriter(RawOutput(os.open(given, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0) | how, 0o666), given))


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str], before: Path | None = None) -> Iterator[Path]:
    """The block fills the empty file whose path it gets; then it is renamed to `path`, through a link if that is one.

    before: gets what `path` was. UserError where that place can't be written.
    """
    given = os.fspath(path)
    place = Path(os.path.realpath(given))  # or the rename would replace a link
    temporary = _temporary(place)
    try:
        with name_write_errors(given):
            rights = _create(given, place, temporary)
        yield temporary
        with name_write_errors(given):
            if stat.S_IMODE(os.stat(temporary).st_mode) != rights:  # safetensors creates it again, for the owner only
                os.chmod(temporary, rights)
            _sync(temporary)
            _rename(temporary, place, before)
            _sync_folder(place.parent)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


@contextlib.contextmanager
def atomic_text(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """A text file that appears under `path` whole, once the block has ended without an error, or not at all; see `atomic_write`.

    UTF-8, lines end in "\\n"; .gz and .xz are packed. A pipe or device gets each line at once. UserError if the place cannot be written.
    """
    given = os.fspath(path)
    with atomic_write(given) as raw, _packed(raw, os.path.basename(given), is_stream(given)) as stream:
        yield stream


@contextlib.contextmanager
def _packed(raw: io.BufferedWriter[RawOutput], name: str, at_once: bool) -> Iterator[TextIO]:
    if name.endswith(".gz"):
        # no name, no time: the same text gives the same bytes
        binary: gzip.GzipFile | lzma.LZMAFile | io.BufferedWriter[RawOutput] = gzip.GzipFile("", "wb", fileobj=raw, mtime=0)
    elif name.endswith(".xz"):
        binary = lzma.LZMAFile(raw, "wb")
    else:
        binary = raw
    text = io.TextIOWrapper(binary, encoding="utf-8", newline="\n", line_buffering=at_once)
    try:
        yield text
        text.flush()
    except BaseException:
        raw.raw.discarding = True  # detaching writes what is in the buffers: to a pipe that nobody reads it would wait for ever
        raise
    finally:
        with contextlib.suppress(OSError, UserError):  # after an error what is left in the buffer is of no use
            text.detach()
    if binary is not raw:
        binary.close()


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The block fills the empty folder whose path it gets; then it is renamed to `path`, where there must be nothing or an empty folder.

    Its parents are made. UserError where that place can't be written.
    """
    given = os.fspath(path)
    place = Path(os.path.realpath(given))
    temporary = _temporary(place)
    try:
        with name_write_errors(given):
            os.makedirs(place.parent, exist_ok=True)
            os.mkdir(temporary)
        yield temporary
        with name_write_errors(given):
            for folder, _, names in os.walk(temporary):
                for name in names:
                    _sync(Path(folder, name))
                _sync_folder(Path(folder))
            os.replace(temporary, place)
            _sync_folder(place.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: str | os.PathLike[str]) -> None:
    """With its parents, unless it is there. UserError where it can't be made."""
    with name_write_errors(os.fspath(path)):
        os.makedirs(path, exist_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """UserError where `atomic_write(path)` would fail: better now than after an hour's work."""
    given = os.fspath(path)
    with name_write_errors(given):
        if is_stream(given):
            number = descriptor(given)
            if number is not None:
                os.write(number, b"")
            elif not os.access(given, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        place = Path(os.path.realpath(given))
        temporary = _temporary(place)
        try:
            _create(given, place, temporary)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def check_new_folder(path: str | os.PathLike[str]) -> None:
    """UserError where `atomic_folder(path)` would fail."""
    given = os.fspath(path)
    place = Path(os.path.realpath(given))
    with name_write_errors(given):
        try:
            os.lstat(place)  # OSError for a name that is too long, or below a file
        except FileNotFoundError:
            if os.path.islink(given):
                raise UserError(f"{given} is a link to {place}, which is missing: choose another folder, or remove the link") from None
        else:
            if not place.is_dir() or any(place.iterdir()):
                raise UserError(f"{given} is there already: choose another folder, or remove it")
            if os.path.ismount(place) or place.samefile(os.getcwd()):
                raise UserError(f"{given} is in use, as a mount point or the current folder: give a new folder in it, such as {place / 'model'}")
        above = place.parent
        while not os.path.lexists(above):
            above = above.parent
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(above))
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def remove_temporary_files(path: str | os.PathLike[str]) -> None:
    """Remove the temporary files of `path` that killed processes left. The caller holds the lock of what is written there."""
    place = Path(os.path.realpath(path))
    pattern = re.compile(re.escape(_shortened(place.name)) + "[0-9a-f]{8}" + re.escape(SUFFIX))
    with contextlib.suppress(OSError):
        for found in place.parent.iterdir():
            if pattern.fullmatch(found.name):
                found.unlink()


def remove_unfinished(folder: Path) -> None:
    """Remove the weights in a run folder that a killed process was writing: they may be gigabytes. The caller holds the folder's lock."""
    for place in (folder, folder / "checkpoints"):
        for found in [*place.glob(f".*.safetensors.*{SUFFIX}"), *place.glob(".tmp??????")]:  # the second is safetensors' own
            found.unlink(missing_ok=True)


def _temporary(place: Path) -> Path:
    return place.parent / f"{_shortened(place.name)}{secrets.token_hex(4)}{SUFFIX}"


def _shortened(name: str) -> str:
    return f".{os.fsdecode(os.fsencode(name)[:LONGEST_NAME])}."


def _create(given: str, place: Path, temporary: Path) -> int:
    """Make the empty temporary file -> the rights that it is to have in the end. OSError where `place` can't be written."""
    if given.endswith(("/", os.sep)):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(place).st_mode  # OSError for a name that is too long
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device")
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # a rename would get past a file's write protection
    if not place.parent.exists():
        raise FileNotFoundError(errno.ENOENT, f"{os.strerror(errno.ENOENT)}; make the folder {place.parent} first")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return stat.S_IMODE(os.fstat(number).st_mode if mode is None else mode)  # reading the umask itself would mean setting it
    finally:
        os.close(number)


def _rename(temporary: Path, place: Path, before: Path | None) -> None:
    """At every moment there is a whole file at `place`, and at `before`, if there was one."""
    if before is not None and place.exists():
        second = _temporary(before)
        try:
            os.link(place, second)
        except OSError:  # a file system without hard links: for a moment there is no file at `place`
            os.replace(place, before)
        else:
            try:
                os.replace(second, before)
            finally:
                with contextlib.suppress(FileNotFoundError):  # the two were one file already, and nothing was renamed
                    os.unlink(second)
    os.replace(temporary, place)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _sync_folder(path: Path) -> None:
    """So that the new name lasts. Not every system can."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(number)
