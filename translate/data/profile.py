"""What the training text says about a model: the part of its profile that needs no weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy

from translate.config import DataConfig
from translate.data.cache import cache_folder, cached, digest
from translate.data.prepare import Prepared
from translate.profile import Profile, read_profile

VERSION = 1  # of what is computed here
LONGEST = 0.999  # share of the training sources that are at most `longest_source` long


def text_profile(data: DataConfig, prepared: Prepared) -> Profile:
    """The profile of a training set; from the cache if an earlier run had the same one."""

    def build(folder: Path) -> dict[str, Any]:
        return dataclasses.asdict(Profile(longest_source=int(numpy.quantile(prepared.source_lengths, LONGEST, method="higher"))))

    folder, values = cached(cache_folder(data), "profile", digest(VERSION, prepared.fingerprint), build)
    return read_profile(values, str(folder))
