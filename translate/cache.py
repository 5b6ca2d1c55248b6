"""The cache folder: what was made from files lies in a folder named by a fingerprint of all that decides it.

Used by corpora.py (pairs as Arrow tables) and data.py (the tokenised training set).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, Callable

from filelock import FileLock

from translate.config import DataConfig
from translate.errors import UserError
from translate.files import whole_folder, written
from translate.paths import expanded
from translate.text import PACKED

FORMAT = 2  # of what lies in the cache: another number, and it is made anew
LARGE = 64 * 2**20  # bytes; the hash of a larger file is remembered
SETTLED = 2.0  # seconds since its last change after which a file's time tells a later change: clocks of file systems are coarse
UNFINISHED = (".*.tmp", "building-*")  # folders that are not ready; the second as an older version called them
DAYS = 2  # after so many such a folder is what a killed run left behind
INFO = "info.json"  # written last; lists the other files with their sizes


def cache_folder(data: DataConfig) -> Path:
    """data.cache, or translate-nmt in $XDG_CACHE_HOME or ~/.cache."""
    if data.cache:
        return Path(expanded(data.cache))
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "translate-nmt"


def cached(cache: Path, kind: str, key: str, build: Callable[[Path], dict]) -> tuple[Path, dict]:
    """The cache's folder for `key` and the facts about it that `build(folder)` returned when it filled it.

    Made in a temporary folder, then renamed, so that no half of it is ever found. Of two runs that want it at once, one makes it and the other
    waits (the lock goes with the process that holds it). A damaged one is made anew. UserError if the folder cannot be written.
    """
    final = cache / f"{kind}-{key[:32]}"
    if (facts := _facts(final)) is not None:
        return final, facts
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{final.name}.lock"):
            if (facts := _facts(final)) is None:  # else another run has made it meanwhile
                facts = _make(final, build)
    except OSError as error:
        raise UserError(f"the cache folder {cache} cannot be written ({error.strerror or error}): set data.cache to another one") from None
    return final, facts


def _make(final: Path, build: Callable[[Path], dict]) -> dict:
    """Fill a temporary folder, then rename it to `final`, in place of a damaged one. OSError or UserError where that can't be done."""
    _remove_old(final.parent)
    with whole_folder(final) as place:
        facts = build(place)
        sizes = {file.name: file.stat().st_size for file in place.iterdir()}
        (place / INFO).write_text(json.dumps({"sizes": sizes, "facts": facts}), encoding="utf-8")
        if final.exists():
            shutil.rmtree(final)
    return facts


def _remove_old(cache: Path) -> None:
    for folder in (folder for pattern in UNFINISHED for folder in cache.glob(pattern)):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > DAYS * 86400:
                shutil.rmtree(folder, ignore_errors=True)


def _facts(folder: Path) -> dict | None:
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == size for name, size in info["sizes"].items())
        return info["facts"] if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest(*parts: Any) -> str:
    """SHA-256 of plain values and the cache's format."""
    return hashlib.sha256(json.dumps([FORMAT, *parts], sort_keys=True).encode()).hexdigest()


def file_key(path: str | os.PathLike, cache: Path | None = None) -> list:
    """Plain values that tell what is in a file, wherever it lies: its SHA-256, and the suffix that says how it is unpacked.

    The hash of a large file is remembered in `cache` (by default this user's) for as long as its place, size, times and inode stay the same.
    UserError if it cannot be read.
    """
    path = os.fspath(path)
    suffix = next((suffix for suffix in PACKED if path.endswith(suffix)), "")
    try:
        if os.stat(path).st_size <= LARGE:
            return [suffix, _sha256(path)]
        return [suffix, _remembered(path, (cache or cache_folder(DataConfig())) / "hashes")]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _remembered(path: str, hashes: Path) -> str:
    """A large file's SHA-256, from the folder of hashes if the file has not been touched since. OSError if the file cannot be read."""
    place, state = os.path.realpath(path), _state(path)
    record = hashes / f"{hashlib.sha256(place.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # none yet, or a damaged one
        known = json.loads(record.read_text(encoding="utf-8"))
        if known["state"] == state and len(known["sha256"]) == 64:
            return known["sha256"]
    began = time.time()
    sha = _sha256(path)
    if _state(path) == state and began - max(state[1:3]) / 1e9 > SETTLED:
        with contextlib.suppress(OSError, UserError):  # a cache that can't be written costs time, nothing else
            hashes.mkdir(parents=True, exist_ok=True)
            with written(record) as file:
                file.write(json.dumps({"file": place, "state": state, "sha256": sha}).encode())
    return sha


def _state(path: str) -> list[int]:
    """What changes with every write: the time of the inode, too, which `touch -d` and `cp -p` cannot set."""
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def _sha256(path: str) -> str:
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            sha.update(block)
    return sha.hexdigest()
