"""Test sets: those of a recipe, pairs of files, and the published ones that sacreBLEU downloads by name."""

from __future__ import annotations

import dataclasses
import difflib
import http.client
import os
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sacrebleu.dataset import DATASETS

from translate.config import Config, CorpusConfig
from translate.data.pairs import load_pairs
from translate.data.sides import TARGET, sides_of
from translate.errors import UserError
from translate.files.digest import COMPRESSED
from translate.files.paths import expand_path
from translate.text.lines import read_lines

SHOWN = 8  # names listed in the message about an unknown one


@dataclass(frozen=True)
class Sentences:
    """A test set of N sentences."""

    sources: list[str]
    references: list[list[str]]  # N texts for each reference translation
    origin: str  # where they come from, for messages


def recipe_sets(config: Config, folder: str | None = None) -> dict[str, Sentences]:
    """The recipe's test sets by name. folder: read their files from there. UserError if one is missing or empty."""
    if not config.data.test:
        raise UserError("data.test of this recipe is empty: there is nothing to evaluate on")
    data = config.data
    if folder is not None:
        _check_folder(folder)
        data = dataclasses.replace(data, folder=folder, test={name: _in_folder(name, corpus, folder) for name, corpus in data.test.items()})
    sets = {}
    for name, corpus in data.test.items():
        pairs = load_pairs([corpus], data, sides_of(config.model))
        if not pairs:
            raise UserError(f"data.test.{name} has no sentence pairs")
        sources, references = map(list, zip(*pairs))
        sets[name] = Sentences(sources, [references], origin(corpus, data.folder))
    return sets


def development_pairs(config: Config, folder: str | None = None) -> list[tuple[str, str]]:
    """The recipe's development set. folder: read its files from there. UserError if it is missing or empty."""
    data = config.data
    if folder is not None:
        _check_folder(folder)
        corpora = [_in_folder("data.validation", corpus, folder) for corpus in data.validation]
        data = dataclasses.replace(data, folder=folder, validation=corpora)
    if not (pairs := load_pairs(data.validation, data, sides_of(config.model))):
        raise UserError("the recipe has no development set (data.validation), which measures confidence")
    return pairs


def _check_folder(folder: str) -> None:
    if not os.path.isdir(expand_path(folder)):
        raise UserError(f"{folder} is not a folder: --data takes the folder with the recipe's test files")


def _in_folder(name: str, corpus: CorpusConfig, folder: str) -> CorpusConfig:
    """The same corpus with its files in `folder`. UserError for a hub corpus without `files`."""
    if corpus.kind == "hub":
        if not corpus.files:
            raise UserError(f"test set {name} comes from the Hugging Face hub ({corpus.path}) and names no files: give --test SOURCE REFERENCE")
        return corpus
    if corpus.path:
        return dataclasses.replace(corpus, path=os.path.join(folder, os.path.basename(corpus.path.rstrip("/"))))
    if corpus.kind == "phrasebook":
        return corpus
    source, target = (os.path.join(folder, os.path.basename(path)) if path else "" for path in (corpus.source, corpus.target))
    return dataclasses.replace(corpus, source=source, target=target)


def origin(corpus: CorpusConfig, folder: str | None = None) -> str:
    """Where a corpus comes from, for messages."""
    if corpus.kind == "hub":
        return _absolute(os.path.join(folder, corpus.files)) + ".*" if folder and corpus.files else f"{corpus.path} on the Hugging Face hub"
    if corpus.kind == "phrasebook":
        return "the built-in phrasebook"
    return ", ".join(_absolute(path) for path in ([corpus.path] if corpus.path else filter(None, (corpus.source, corpus.target))))


def check_files(config: Config) -> None:
    """UserError, with advice, if a file of the recipe's test sets is missing, as on another machine or in another working directory."""
    for name, corpus in config.data.test.items():
        local = config.data.folder if config.data.folder and corpus.files else None
        if corpus.kind in ("hub", "phrasebook"):
            paths = [local] if local else []
        else:
            files = (corpus.target,) if sides_of(config.model) == TARGET else (corpus.source, corpus.target)
            paths = [corpus.path] if corpus.path else [path for path in files if path]
        for path in paths:
            if not any(os.path.exists(expand_path(path) + suffix) for suffix in ("", *COMPRESSED)):
                relative = "" if os.path.isabs(expand_path(path)) else ", relative to the folder where training was started"
                raise UserError(
                    f"test set {name}: {path} does not exist here; this is the path in the recipe{relative}: "
                    "give --data FOLDER, or --test SOURCE REFERENCE"
                )


def text_set(path: str) -> tuple[str, Sentences]:
    """The name and content of a file of one language. UserError if it is empty."""
    lines = list(read_lines(path))
    if not lines:
        raise UserError(f"{path} is empty: there is nothing to evaluate on")
    return _file_name(path), Sentences([""] * len(lines), [lines], _absolute(path))


def _file_name(path: str) -> str:
    """Without folders and compression."""
    name = os.path.basename(path)
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return name


def file_set(source: str, references: list[str]) -> tuple[str, Sentences]:
    """The name and content of a test set in files. UserError unless they are line-aligned."""
    texts = list(read_lines(source))
    lists = [list(read_lines(path)) for path in references]
    if not texts:
        raise UserError(f"{source} is empty: there is nothing to evaluate on")
    for path, lines in zip(references, lists):
        if len(lines) != len(texts):
            raise UserError(f"{source} has {len(texts):,} lines, {path} {len(lines):,}: source and reference must be line-aligned")
    return _file_name(source), Sentences(texts, lists, ", ".join(map(_absolute, [source, *references])))


def published_set(name: str, config: Config, log: Callable[[str], None]) -> Sentences:
    """A test set of sacreBLEU's list for the recipe's languages, with all references; downloaded to sacreBLEU's folder if needed.

    log: called before a download.
    UserError for an unknown name, a missing language pair, or a failed download.
    """
    source, target = (language.replace("_", "-").split("-")[0].lower() for language in (config.data.source_language, config.data.target_language))
    pair = f"{source}-{target}"
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        known = sorted(known_name for known_name, dataset in DATASETS.items() if pair in dataset.langpairs)
        hint = f"did you mean {near[0]}?" if near else f"for {pair} there are {', '.join(known[-SHOWN:]) or 'none'} (all: sacrebleu --list)"
        raise UserError(f"unknown test set {name!r}: {hint}")
    dataset: Any = DATASETS[name]
    if pair not in dataset.langpairs:
        raise UserError(f"test set {name} does not have {pair}, the languages of this model, only {', '.join(sorted(dataset.langpairs))}")
    if not os.path.exists(dataset._get_txt_file_path(pair, "src")):
        log(f"test set {name}: downloading it to {dataset._outdir}")
    try:
        files = [dataset.get_source_file(pair), *dataset.get_reference_files(pair)]
    except (OSError, SystemExit, EOFError, tarfile.TarError, zipfile.BadZipFile, http.client.HTTPException) as error:
        reason = "the download is damaged: delete the folder" if isinstance(error, SystemExit) else error
        raise UserError(f"test set {name} could not be downloaded to {dataset._outdir} ({reason})") from None
    return file_set(files[0], files[1:])[1]


def _absolute(path: str) -> str:
    return os.path.abspath(expand_path(path))


def chosen_sets(config: Config, data: str | None, test: Sequence[str], testset: Sequence[str], log: Callable[[str], None]) -> dict[str, Sentences]:
    """The sets that `translate evaluate` is asked for, by name: the recipe's (data: from that folder), one of files (`test`), published ones."""
    sets: dict[str, Sentences] = {}
    if data or not (test or testset):
        if not data:
            check_files(config)
        for name, corpus in config.data.test.items():
            if corpus.kind == "hub" and not data and not config.data.folder:  # may be a download
                log(f"test set {name}: {origin(corpus)}")
        try:
            sets |= recipe_sets(config, data)
        except UserError as error:
            if data or "data.folder" not in str(error):
                raise
            raise UserError(f"{error}; with `translate evaluate`, use --data FOLDER") from None
    others = [file_set(test[0], list(test[1:])) if len(test) > 1 else text_set(test[0])] if test else []
    others += [(name, published_set(name, config, log)) for name in testset]
    for name, sentences in others:
        if name in sets:
            raise UserError(f"two test sets are called {name}: evaluate them one after the other")
        sets[name] = sentences
    return sets
