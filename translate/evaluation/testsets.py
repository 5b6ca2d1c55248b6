"""Test sets: those of a recipe, from where it says or from another folder; pairs of files; and those that sacreBLEU knows by name.

Sits above data.py and under evaluation.py, which translates and scores them.
"""

from __future__ import annotations

import dataclasses
import difflib
import http.client
import os
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from sacrebleu.dataset import DATASETS

from translate.config import Config, CorpusConfig
from translate.data.pairs import load_pairs
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.text.lines import COMPRESSED, read_lines

NEAREST = 8  # names shown where one is unknown


@dataclass(frozen=True)
class Sentences:
    """A test set: N source texts, one list of N texts for each reference translation, and where they are from."""

    sources: list[str]
    references: list[list[str]]
    origin: str


def recipe_sets(config: Config, folder: str | None = None) -> dict[str, Sentences]:
    """The test sets of the recipe by name. folder: read the files of those names there. UserError where one is not there or empty."""
    if not config.data.test:
        raise UserError("data.test of this recipe is empty: there is nothing to evaluate on")
    data = config.data
    if folder is not None:
        if not os.path.isdir(expand_path(folder)):
            raise UserError(f"{folder} is not a folder: --data takes the one with the files of the recipe's test sets")
        data = dataclasses.replace(data, folder=folder, test={name: moved(name, corpus, folder) for name, corpus in data.test.items()})
    found = {}
    for name, corpus in data.test.items():
        pairs = load_pairs([corpus], data)
        if not pairs:
            raise UserError(f"data.test.{name} has no sentence pairs")
        sources, references = map(list, zip(*pairs))
        found[name] = Sentences(sources, [references], origin(corpus, data.folder))
    return found


def moved(name: str, corpus: CorpusConfig, folder: str) -> CorpusConfig:
    """The same corpus with its files in `folder`, under their own names. UserError for one of the hub that has no files."""
    if corpus.kind == "hub":
        if not corpus.files:
            raise UserError(f"test set {name} comes from the Hugging Face hub ({corpus.path}) and names no files: give --test SOURCE REFERENCE")
        return corpus
    if corpus.path:
        return dataclasses.replace(corpus, path=os.path.join(folder, os.path.basename(corpus.path.rstrip("/"))))
    if corpus.kind == "phrasebook":
        return corpus
    source, target = (os.path.join(folder, os.path.basename(path)) for path in (corpus.source, corpus.target))
    return dataclasses.replace(corpus, source=source, target=target)


def origin(corpus: CorpusConfig, folder: str | None = None) -> str:
    """Where a corpus is read from, in words."""
    if corpus.kind == "hub":
        return _absolute(os.path.join(folder, corpus.files)) + ".*" if folder and corpus.files else f"{corpus.path} of the Hugging Face hub"
    if corpus.kind == "phrasebook":
        return "the built-in phrasebook"
    return _absolute(corpus.path) if corpus.path else f"{_absolute(corpus.source)}, {_absolute(corpus.target)}"


def check_files(config: Config) -> None:
    """UserError, with what to do, where a file of the recipe's test sets isn't here: another machine, or another folder to start from."""
    for name, corpus in config.data.test.items():
        local = config.data.folder if config.data.folder and corpus.files else None
        if corpus.kind in ("hub", "phrasebook"):
            paths = [local] if local else []
        else:
            paths = [corpus.path] if corpus.path else [corpus.source, corpus.target]
        for path in paths:
            if not any(os.path.exists(expand_path(path) + packed) for packed in ("", *COMPRESSED)):
                relative = "" if os.path.isabs(expand_path(path)) else ", seen from the folder where training was started"
                raise UserError(
                    f"test set {name}: {path} does not exist here; it is the path in the recipe{relative}: "
                    "give --data FOLDER, or --test SOURCE REFERENCE"
                )


def file_set(source: str, references: list[str]) -> tuple[str, Sentences]:
    """A name, and the set of these files. UserError unless they are line-aligned."""
    texts = list(read_lines(source))
    lists = [list(read_lines(path)) for path in references]
    if not texts:
        raise UserError(f"{source} is empty: there is nothing to evaluate on")
    for path, lines in zip(references, lists):
        if len(lines) != len(texts):
            raise UserError(f"{source} has {len(texts):,} lines, {path} {len(lines):,}: source and reference must be line-aligned")
    name = os.path.basename(source)
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return name, Sentences(texts, lists, ", ".join(map(_absolute, [source, *references])))


def published_set(name: str, config: Config, say: Callable[[str], None]) -> Sentences:
    """A test set of sacreBLEU's list for the recipe's languages, with all of its references: downloaded to sacreBLEU's folder unless it is there.

    say: is told of a download.
    UserError for an unknown name, a language pair that it lacks, and a download that fails.
    """
    source, target = (language.replace("_", "-").split("-")[0].lower() for language in (config.data.source_language, config.data.target_language))
    pair = f"{source}-{target}"
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        known = sorted(each for each, dataset in DATASETS.items() if pair in dataset.langpairs)
        hint = f"did you mean {near[0]}?" if near else f"for {pair} there are {', '.join(known[-NEAREST:]) or 'none'} (all: sacrebleu --list)"
        raise UserError(f"unknown test set {name!r}: {hint}")
    dataset = DATASETS[name]
    if pair not in dataset.langpairs:
        raise UserError(f"test set {name} has no {pair}, the languages of this model, only {', '.join(sorted(dataset.langpairs))}")
    if not os.path.exists(dataset._get_txt_file_path(pair, "src")):
        say(f"test set {name}: downloading it to {dataset._outdir}")
    try:
        files = [dataset.get_source_file(pair), *dataset.get_reference_files(pair)]
    except (OSError, SystemExit, EOFError, tarfile.TarError, zipfile.BadZipFile, http.client.HTTPException) as error:
        reason = "the download is damaged: delete the folder" if isinstance(error, SystemExit) else error
        raise UserError(f"test set {name} could not be downloaded to {dataset._outdir} ({reason})") from None
    return file_set(files[0], files[1:])[1]


def _absolute(path: str) -> str:
    return os.path.abspath(expand_path(path))
