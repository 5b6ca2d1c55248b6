"""Atomic writes of files and folders: everything that the package writes goes through here.

Writes a temporary file in the same folder, syncs it and renames it, so that a killed process, a full disk or a system crash leaves the old
file in place. Permissions follow the umask, or those of the replaced file.
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
LONGEST_NAME = 200  # bytes of the name used in that of the temporary file; file systems allow 255
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EROFS)  # from file systems that can't sync folders


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[io.BufferedWriter[RawOutput]]:
    """A binary stream to `path`. A file appears when the block ends without an error; otherwise the old one stays.

    `-`, /dev/stdout, /dev/stderr and /dev/fd/N are descriptors of this process. These, devices and named pipes are written directly.
    UserError, also inside the block, if it can't be written; BrokenPipeError if the reader has closed the pipe.
    """
    user_path = os.fspath(path)
    if is_stream(user_path):
        with buffered(open_stream(user_path), user_path) as stream:
            yield stream
        return
    with atomic_file(user_path) as temporary:
        with name_write_errors(user_path):
            descriptor = os.open(temporary, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        with buffered(descriptor, user_path) as stream:
            yield stream


def open_to_continue(path: str | os.PathLike[str], truncate: bool) -> io.BufferedWriter[RawOutput]:
    """Open the file itself, not atomically, for a long job: appending, or from the beginning with `truncate`.

    UserError, also from a write, if it can't be written.
    """
    user_path = os.fspath(path)
    with name_write_errors(user_path):
        mode = os.O_TRUNC if truncate else os.O_APPEND
        return io.BufferedWriter(RawOutput(os.open(user_path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0) | mode, 0o666), user_path))


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str], before: Path | None = None) -> Iterator[Path]:
    """Yields the path of an empty temporary file to fill, which then replaces `path`, or the target if that is a link.

    before: the old file is renamed to this. UserError if it can't be written.
    """
    user_path = os.fspath(path)
    target = Path(os.path.realpath(user_path))  # otherwise the rename would replace a link
    temporary = _temporary(target)
    try:
        with name_write_errors(user_path):
            permissions = _create(user_path, target, temporary)
        yield temporary
        with name_write_errors(user_path):
            if stat.S_IMODE(os.stat(temporary).st_mode) != permissions:  # safetensors recreates it, for the owner only
                os.chmod(temporary, permissions)
            _sync(temporary)
            _rename(temporary, target, before)
            _sync_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


@contextlib.contextmanager
def atomic_text(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """A text stream to `path`; see `atomic_write`.

    UTF-8, lines end in "\\n"; .gz and .xz are compressed. A pipe or device is line-buffered. UserError if it cannot be written.
    """
    user_path = os.fspath(path)
    with atomic_write(user_path) as raw, _packed(raw, os.path.basename(user_path), is_stream(user_path)) as stream:
        yield stream


@contextlib.contextmanager
def _packed(raw: io.BufferedWriter[RawOutput], name: str, at_once: bool) -> Iterator[TextIO]:
    if name.endswith(".gz"):
        # without name and time, the same text gives the same bytes
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
        raw.raw.discarding = True  # detaching flushes the buffers, which would block forever on a pipe that nobody reads
        raise
    finally:
        with contextlib.suppress(OSError, UserError):  # after an error the buffered rest does not matter
            text.detach()
    if binary is not raw:
        binary.close()


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields an empty temporary folder to fill, which is then renamed to `path`, which must be missing or an empty folder.

    Creates parent folders. UserError if it can't be written.
    """
    user_path = os.fspath(path)
    target = Path(os.path.realpath(user_path))
    temporary = _temporary(target)
    try:
        with name_write_errors(user_path):
            os.makedirs(target.parent, exist_ok=True)
            os.mkdir(temporary)
        yield temporary
        with name_write_errors(user_path):
            for folder, _, names in os.walk(temporary):
                for name in names:
                    _sync(Path(folder, name))
                _sync_folder(Path(folder))
            os.replace(temporary, target)
            _sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Create the folder and its parents, if missing. UserError if that fails."""
    with name_write_errors(os.fspath(path)):
        os.makedirs(path, exist_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """UserError if `atomic_write(path)` would fail: better now than after an hour's work."""
    user_path = os.fspath(path)
    with name_write_errors(user_path):
        if is_stream(user_path):
            number = descriptor(user_path)
            if number is not None:
                os.write(number, b"")
            elif not os.access(user_path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        target = Path(os.path.realpath(user_path))
        temporary = _temporary(target)
        try:
            _create(user_path, target, temporary)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def check_new_folder(path: str | os.PathLike[str]) -> None:
    """UserError if `atomic_folder(path)` would fail."""
    user_path = os.fspath(path)
    target = Path(os.path.realpath(user_path))
    with name_write_errors(user_path):
        try:
            os.lstat(target)  # OSError for a name that is too long, or below a file
        except FileNotFoundError:
            if os.path.islink(user_path):
                raise UserError(f"{user_path} is a link to {target}, which is missing: choose another folder, or remove the link") from None
        else:
            if not target.is_dir() or any(target.iterdir()):
                raise UserError(f"{user_path} already exists: choose another folder, or remove it")
            if os.path.ismount(target) or target.samefile(os.getcwd()):
                raise UserError(
                    f"{user_path} is in use, as a mount point or the current folder: use a new folder inside it, such as {target / 'model'}"
                )
        parent = target.parent
        while not os.path.lexists(parent):
            parent = parent.parent
        if not parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(parent))
        if not os.access(parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def remove_temporary_files(path: str | os.PathLike[str]) -> None:
    """Remove temporary files of `path` left by killed processes. The caller must hold its lock."""
    target = Path(os.path.realpath(path))
    pattern = re.compile(re.escape(_shortened(target.name)) + "[0-9a-f]{8}" + re.escape(SUFFIX))
    with contextlib.suppress(OSError):
        for file in target.parent.iterdir():
            if pattern.fullmatch(file.name):
                file.unlink()


def remove_unfinished(folder: Path) -> None:
    """Remove weights, possibly gigabytes, that a killed process left unfinished in a run folder. The caller must hold its lock."""
    for directory in (folder, folder / "checkpoints"):
        for file in [*directory.glob(f".*.safetensors.*{SUFFIX}"), *directory.glob(".tmp??????")]:  # the second pattern is that of safetensors
            file.unlink(missing_ok=True)


def _temporary(target: Path) -> Path:
    return target.parent / f"{_shortened(target.name)}{secrets.token_hex(4)}{SUFFIX}"


def _shortened(name: str) -> str:
    return f".{os.fsdecode(os.fsencode(name)[:LONGEST_NAME])}."


def _create(user_path: str, target: Path, temporary: Path) -> int:
    """Create the empty temporary file. Returns the permissions of the final file. OSError if `target` can't be written."""
    if user_path.endswith(("/", os.sep)):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(target).st_mode  # OSError for a name that is too long
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device")
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # a rename would ignore the file's write protection
    if not target.parent.exists():
        raise FileNotFoundError(errno.ENOENT, f"{os.strerror(errno.ENOENT)}; create the folder {target.parent} first")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return stat.S_IMODE(os.fstat(number).st_mode if mode is None else mode)  # the umask can only be read by setting it
    finally:
        os.close(number)


def _rename(temporary: Path, target: Path, before: Path | None) -> None:
    """Rename so that there is always a complete file at `target`, and at `before` if there was one."""
    if before is not None and target.exists():
        second = _temporary(before)
        try:
            os.link(target, second)
        except OSError:  # a file system without hard links: for a moment there is no file at `target`
            os.replace(target, before)
        else:
            try:
                os.replace(second, before)
            finally:
                with contextlib.suppress(FileNotFoundError):  # both were the same file, so nothing was renamed
                    os.unlink(second)
    os.replace(temporary, target)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _sync_folder(path: Path) -> None:
    """Makes the new name durable. Not every system supports it."""
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
