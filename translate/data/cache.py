"""The cache folder: what was made from files lies in a folder named by a fingerprint of all that decides it.

Used by corpora.py (pairs as Arrow tables) and prepare.py (the tokenised training set).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any, Callable

from filelock import FileLock

from translate.config import DataConfig
from translate.errors import UserError
from translate.files.atomic import atomic_folder
from translate.files.paths import expand_path, user_cache

FORMAT = 2  # of what lies in the cache: another number, and it is made anew
UNFINISHED = (".*.tmp", "building-*")  # folders that are not ready; the second as an older version called them
DAYS = 2  # after so many such a folder is what a killed run left behind
INFO = "info.json"  # written last; lists the other files with their sizes


def cache_folder(data: DataConfig) -> Path:
    """data.cache, or translate-nmt in $XDG_CACHE_HOME or ~/.cache."""
    if data.cache:
        return Path(expand_path(data.cache))
    return user_cache()


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
    with atomic_folder(final) as place:
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
