"""The cache: corpora as Arrow tables, and tokenised training sets, each in a folder named by a hash of everything that determines it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from translate.config import DataConfig
from translate.errors import UserError
from translate.files.atomic import atomic_folder
from translate.files.paths import user_cache

FORMAT = 2  # of the cache; raising it rebuilds everything
UNFINISHED = (".*.tmp", "building-*")  # folders being written; the second is the pattern of older versions
DAYS = 2  # older unfinished folders were left by a killed run
INFO = "info.json"  # lists the other files with their sizes


def cache_folder(data: DataConfig) -> Path:
    """data.cache, or translate-nmt in $XDG_CACHE_HOME or ~/.cache."""
    return Path(data.cache) if data.cache else user_cache()


def cached(cache: Path, kind: str, key: str, build: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """The cached folder for `key`, and what `build(folder)` returned when it wrote the folder (JSON-serialisable values).

    Written to a temporary folder and then renamed, so an incomplete one is never used. If two runs need it at once, one builds it and the
    other waits (the lock is released when its process ends). A damaged folder is rebuilt. UserError if it can't be written.
    """
    final = cache / f"{kind}-{key[:32]}"
    if (facts := _facts(final)) is not None:
        return final, facts
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{final.name}.lock"):
            if (facts := _facts(final)) is None:  # another run may have built it meanwhile
                facts = _build(final, build)
    except OSError as error:
        raise UserError(f"the cache folder {cache} cannot be written ({error.strerror or error}): set data.cache to another one") from None
    return final, facts


def _build(final: Path, build: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Build a temporary folder, then rename it to `final`, replacing a damaged one. OSError or UserError if that fails."""
    _remove_abandoned(final.parent)
    with atomic_folder(final) as folder:
        facts = build(folder)
        sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
        (folder / INFO).write_text(json.dumps({"sizes": sizes, "facts": facts}), encoding="utf-8")
        if final.exists():
            shutil.rmtree(final)
    return facts


def _remove_abandoned(cache: Path) -> None:
    for folder in (folder for pattern in UNFINISHED for folder in cache.glob(pattern)):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > DAYS * 86400:
                shutil.rmtree(folder, ignore_errors=True)


def _facts(folder: Path) -> dict[str, Any] | None:
    """What `build` returned for a complete folder; None for a missing or damaged one."""
    try:
        info: dict[str, dict[str, Any]] = json.loads((folder / INFO).read_text(encoding="utf-8"))
        complete = all((folder / name).stat().st_size == size for name, size in info["sizes"].items())
        return info["facts"] if complete else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest(*parts: Any) -> str:
    """SHA-256 of plain values and the cache's format."""
    return hashlib.sha256(json.dumps([FORMAT, *parts], sort_keys=True).encode()).hexdigest()
