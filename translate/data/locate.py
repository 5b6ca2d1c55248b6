"""The file to open for a path in a recipe: the compressed one of that name, or a copy of what came through a pipe."""

from __future__ import annotations

import os
import shlex

from translate.data.pipes import buffered_pipe
from translate.errors import UserError
from translate.files.digest import COMPRESSED

UNTAR = "unpack it first (tar xf FILE)"
NOT_LINES = {  # extensions of files that are not lines of text, and what to do
    ".zip": "unpack it first (unzip -p FILE > TEXT)", ".7z": "unpack it first", ".tar": UNTAR, ".tgz": UNTAR, ".tar.gz": UNTAR, ".tar.xz": UNTAR,
    ".tmx": "use kind: tmx with `path`", ".tmx.gz": "use kind: tmx with `path`", ".parquet": "use kind: parquet with `path`",
    ".docx": "save it as plain text", ".xlsx": "save it as CSV and use kind: csv with `path`", ".sgm": "use kind: wmt", ".sgml": "use kind: wmt",
}  # fmt: skip


def locate(path: str, kind: str) -> str:
    """The file to open for `path`, whether it exists or not. UserError if its extension does not fit a corpus of that kind."""
    hint = next((hint for suffix, hint in NOT_LINES.items() if path.lower().endswith(suffix)), None)
    if hint and kind in ("text", "tsv", "jsonl", "csv"):
        raise UserError(f"{path} does not hold lines of text: {hint.replace('FILE', shlex.quote(path))}")
    if not os.path.exists(path):
        path = next((path + suffix for suffix in COMPRESSED if os.path.exists(path + suffix)), path)
    return buffered_pipe(path)
