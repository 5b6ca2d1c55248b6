"""Hashes of file contents. Those of large files are cached, so that a file is read again only after a change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from translate.errors import UserError
from translate.files.atomic import atomic_write
from translate.files.paths import user_cache

LARGE = 64 * 2**20  # bytes; hashes of larger files are cached
SETTLED = 2.0  # seconds: a file changed more recently could change again without a new time stamp, as those are coarse
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")  # extensions of files that are decompressed on reading


def file_key(path: str | os.PathLike[str], cache: Path | None = None) -> list[str]:
    """Identifies the content of a file, wherever it is: its compression suffix and its SHA-256.

    The hash of a large file is cached in `cache` (default: the user's cache) while its path, size, times and inode stay the same.
    UserError if it cannot be read.
    """
    path = os.fspath(path)
    suffix = next((suffix for suffix in COMPRESSED if path.endswith(suffix)), "")
    try:
        if os.stat(path).st_size <= LARGE:
            return [suffix, file_sha256(path)]
        return [suffix, _cached_sha256(path, (cache or user_cache()) / "hashes")]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _cached_sha256(path: str, hashes: Path) -> str:
    """A large file's SHA-256, from the folder of hashes if the file has not changed since. OSError if the file cannot be read."""
    real_path, state = os.path.realpath(path), _state(path)
    record = hashes / f"{hashlib.sha256(real_path.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # missing or damaged
        known = json.loads(record.read_text(encoding="utf-8"))
        if known["state"] == state and len(known["sha256"]) == 64:
            return str(known["sha256"])
    start = time.time()
    sha = file_sha256(path)
    if _state(path) == state and start - max(state[1:3]) / 1e9 > SETTLED:
        with contextlib.suppress(OSError, UserError):  # without the cache it only takes longer
            hashes.mkdir(parents=True, exist_ok=True)
            with atomic_write(record) as file:
                file.write(json.dumps({"file": real_path, "state": state, "sha256": sha}).encode())
    return sha


def _state(path: str) -> list[int]:
    """Changes with every write. Includes ctime, which `touch -d` and `cp -p` cannot set."""
    stat = os.stat(path)
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Same as `sha256sum`. OSError if the file cannot be read."""
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            sha.update(block)
    return sha.hexdigest()
