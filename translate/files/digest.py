"""The content of a file as a hash; of a large one it is kept, so that the file is read again only when it has changed."""

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

LARGE = 64 * 2**20  # bytes; the hash of a larger file is kept
SETTLED = 2.0  # seconds: a file changed more recently could change again with the same time stamp, as those are coarse
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")  # what is unpacked by its name


def file_key(path: str | os.PathLike[str], cache: Path | None = None) -> list[str]:
    """What is in a file, wherever it is: the suffix that says how it is unpacked, and its SHA-256.

    The hash of a large file is kept in `cache` (by default this user's) for as long as its place, size, times and inode stay the same.
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
    """A large file's SHA-256, from the folder of hashes if the file has not been touched since. OSError if the file cannot be read."""
    place, state = os.path.realpath(path), _state(path)
    record = hashes / f"{hashlib.sha256(place.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # missing or damaged
        known = json.loads(record.read_text(encoding="utf-8"))
        if known["state"] == state and len(known["sha256"]) == 64:
            return str(known["sha256"])
    began = time.time()
    sha = file_sha256(path)
    if _state(path) == state and began - max(state[1:3]) / 1e9 > SETTLED:
        with contextlib.suppress(OSError, UserError):  # without a cache it only takes longer
            hashes.mkdir(parents=True, exist_ok=True)
            with atomic_write(record) as file:
                file.write(json.dumps({"file": place, "state": state, "sha256": sha}).encode())
    return sha


def _state(path: str) -> list[int]:
    """What changes with every write: the time of the inode, too, which `touch -d` and `cp -p` cannot set."""
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def file_sha256(path: str | os.PathLike[str]) -> str:
    """As `sha256sum` gives it. OSError if the file cannot be read."""
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            sha.update(block)
    return sha.hexdigest()
