"""The file to open for a path in a recipe: its compressed version, or a copy of a pipe's content, if need be."""

from __future__ import annotations

import os
import shlex

from translate.data.pipes import buffered_pipe
from translate.errors import UserError
from translate.files.digest import COMPRESSED

UNTAR = "unpack it first (tar xf FILE)"
NOT_LINES = {  # file extensions that are not lines of text -> what to do
    ".zip": "unpack it first (unzip -p FILE > TEXT)", ".7z": "unpack it first", ".tar": UNTAR, ".tgz": UNTAR, ".tar.gz": UNTAR, ".tar.xz": UNTAR,
    ".tmx": "use kind: tmx with `path`", ".tmx.gz": "use kind: tmx with `path`", ".parquet": "use kind: parquet with `path`",
    ".docx": "save it as plain text", ".xlsx": "save it as CSV and use kind: csv with `path`", ".sgm": "use kind: wmt", ".sgml": "use kind: wmt",
}  # fmt: skip


def locate(path: str, kind: str) -> str:
    """The file to open for `path`, which may not exist. UserError if its extension does not fit the kind of corpus."""
    hint = next((hint for suffix, hint in NOT_LINES.items() if path.lower().endswith(suffix)), None)
    if hint and kind in ("text", "tsv", "jsonl", "csv"):
        raise UserError(f"{path} does not contain lines of text: {hint.replace('FILE', shlex.quote(path))}")
    if not os.path.exists(path):
        path = next((path + suffix for suffix in COMPRESSED if os.path.exists(path + suffix)), path)
    return buffered_pipe(path)
