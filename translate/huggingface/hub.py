"""The files of a model on the Hugging Face hub."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from translate.errors import UserError

NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)  # owner/name


def local_folder(name: str, files: Sequence[str], fallback: Sequence[str], needed: Sequence[str]) -> Path:
    """The folder `name`, or, if there is none, that of the hub's model of this name with those of `files` that it has.

    `fallback`: files to download if one of `needed` is not there. UserError if there is neither folder nor model, or the hub can't be reached.
    """
    if os.path.isdir(name):
        return Path(name)
    if not NAME.fullmatch(name) or os.path.exists(name):
        raise UserError(
            f"{name} is not a folder: give that of a MarianMT model, or its name on the Hugging Face hub, such as Helsinki-NLP/opus-mt-de-en"
        )
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(files)))
        if not all((folder / file).exists() for file in needed):
            folder = Path(snapshot_download(name, allow_patterns=[*files, *fallback]))
    except Exception as error:  # of many kinds: no network, no such model, no right to read it, a full disk
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"there is no folder {name}, and the hub's model of this name could not be downloaded: {reason}") from None
    return folder
