"""The words of `translate train` and `check` -> checked configurations, one a run. Hydra's compose API lays the files over each other.

Hydra gets every file from recipe_reader.py, already read and vetted, through its ConfigStore, so it opens no file
of the user's; the compose API builds no callback, launcher or sweeper and writes nothing. In interpolations only `${key}`, `${hydra:...}`
(what was chosen) and `${now:...}` work: the resolvers that read the environment or build nodes are taken away.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translate.compose.explain import explain
from translate.compose.overrides import Words, adds_test_set, take_apart, test_set
from translate.compose.recipe_files import GROUPS, SUFFIXES, choices, find, folders, shipped, unknown_choice
from translate.compose.recipe_reader import RecipeFile, read
from translate.config import Config, check_budget, from_dict
from translate.errors import UserError
from translate.values import flatten

NAME_LENGTH = 120  # characters of a folder's name that sweep values may fill; file systems take 255 bytes
LOCK = threading.Lock()


@dataclass
class Job:
    """One run of a command: its settings, the words that tell it from the other runs of a sweep, and a name for messages."""

    config: Config
    swept: list[str]
    label: str


def jobs(options: dict[str, str], overrides: list[str]) -> list[Job]:
    """The runs that the words ask for, all composed and checked; several only with --multirun. UserError for the first mistake."""
    words = take_apart(options, overrides)
    many = len(words.runs) > 1
    found = []
    for number, (run, swept) in enumerate(zip(words.runs, words.swept), start=1):
        label = f"run {number} of {len(words.runs)} ({' '.join(swept)})" if many else ""
        try:
            found.append(Job(to_config(run, words, number), swept, label))
        except UserError as error:
            raise UserError(f"{label}: {error}" if many else str(error)) from error
    if "--multirun" in options:
        name_folders(found, words)
    return found


def load_recipe(name: str | os.PathLike[str], *words: str, folder: str | os.PathLike[str] | None = None) -> Config:
    """The checked configuration of a recipe, as `translate train recipe=NAME WORDS` would train it.

    name: of a recipe that comes with the package or lies in `folder`/recipe, or the path of a .yaml file. words: such as "model=tiny" or
    "training.minutes=1". folder: holds recipes, and choices of groups, of your own. UserError for what is unknown or can't be used.
    """
    options = {} if folder is None else {"--config-dir": os.fspath(folder)}
    return jobs(options, [f"recipe={os.fspath(name)}", *words])[0].config


def show(options: dict[str, str], overrides: list[str]) -> None:
    """--cfg and --info: print the configuration, or which files it comes from."""
    from omegaconf import OmegaConf

    words = take_apart(options, overrides)
    (run,) = words.runs
    if "--info" in options and options["--info"] != "config":
        with loaded(run, words) as (_, texts, files):
            print_info(options["--info"], texts, files, words)
        return
    with composed(run, words, 1) as (config, _):
        package = options.get("--package", "_global_")
        part = config if package == "_global_" else OmegaConf.select(config, package)
        if part is None:
            raise UserError(f"--package {package}: the configuration has no such key")
        if "--resolve" in options:
            OmegaConf.resolve(config)
        if package != "_global_" and OmegaConf.is_config(part):
            print(f"# @package {package}")
        print(OmegaConf.to_yaml(part) if OmegaConf.is_config(part) else part, end="" if OmegaConf.is_config(part) else "\n")


def gather(run: Sequence[Any], words: Words) -> dict[tuple[str, str], RecipeFile]:
    """All files that the run's choices and their defaults lists name, read and vetted, by group and name. UserError for one that is not there."""
    files: dict[tuple[str, str], RecipeFile] = {}

    def add(group: str, name: str, where: str = "", optional: bool = False) -> None:
        if (group, name) in files or (group, name) == ("", "schema"):
            return
        path = (beside(name) if group == "recipe" else None) or find(group, name, words.own)
        if path:
            file = files[group, name] = read(path, group, name)
            for entry in file.defaults:
                add(entry.group, entry.name, f"{path}, line {entry.line}: ", entry.optional)
        elif not optional:
            raise UserError(f"{where}{unknown_choice(group, name, words.own)}")

    def beside(name: str) -> Path | None:
        """A recipe given as a path, or a file in the same folder."""
        near = [path.parent / f"{name}{suffix}" for path in words.recipes.values() for suffix in SUFFIXES]
        return words.recipes.get(name) or next((path for path in near if path.is_file()), None)

    add("", "train")
    settings = [each.name for each in dataclasses.fields(Config)]
    for override in run:
        key, value = override.key_or_group, override.value()
        setting = "." in key or (key in settings and key not in GROUPS)
        if setting or override.is_delete() or not folders(key, words.own):
            continue
        if override.is_add() and key in (*GROUPS, "recipe"):
            raise UserError(f"{override.input_line}: {key} has a choice already, leave out the +")
        if value is None or isinstance(value, (list, dict)):
            raise UserError(f"{override.input_line}: {key} takes one choice, one of {', '.join(choices(key, words.own))}")
        add(key, str(value))
    return files


@contextlib.contextmanager
def loaded(run: Sequence[Any], words: Words) -> Iterator[tuple[Any, list[str], dict[tuple[str, str], RecipeFile]]]:
    """Hydra with the run's files in its store and nothing else. Yields its config loader, the overrides as text, and the files."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    files = gather(run, words)
    with fresh_hydra(), closed_resolvers():
        store = ConfigStore.instance()  # has Hydra's own entries by now
        whole, store.repo = store.repo, copy.deepcopy(store.repo)
        try:
            store.store(name="schema", node=Config)
            for (group, name), file in files.items():
                try:
                    node = OmegaConf.create(file.values)
                except OmegaConfBaseException as error:  # the one thing that vetting leaves to it: the text of a reference
                    key = str(error.full_key or "")
                    raise UserError(f"{file.place(key)}: {key} has a `${{` that is not a reference: write ${{KEY}}") from None
                store.store(group=group or None, name=name, node=node, package=file.package)
            yield GlobalHydra.instance().config_loader(), [each.input_line for each in run if not adds_test_set(each)], files
        finally:
            store.repo = whole


@contextlib.contextmanager
def fresh_hydra() -> Iterator[None]:
    """Hydra's state is global: one thread at a time, and a program that uses Hydra itself finds its own again."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    with LOCK:
        outer, chosen = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
        GlobalHydra.instance().clear()
        try:
            with hydra.initialize(config_path=None, version_base="1.3", job_name="train"):
                yield
        finally:
            GlobalHydra.instance().hydra, HydraConfig.instance().cfg = outer, chosen


@contextlib.contextmanager
def closed_resolvers() -> Iterator[None]:
    """Without the resolvers that read the environment, or that make nodes out of text."""
    from omegaconf import OmegaConf
    from omegaconf.omegaconf import register_default_resolvers

    names = ("oc.create", "oc.decode", "oc.deprecated", "oc.env", "oc.select", "oc.dict.keys", "oc.dict.values")
    for name in names:
        OmegaConf.clear_resolver(name)
    try:
        yield
    finally:
        register_default_resolvers()


@contextlib.contextmanager
def composed(run: Sequence[Any], words: Words, number: int) -> Iterator[tuple[Any, dict[tuple[str, str], RecipeFile]]]:
    """The configuration of one run as OmegaConf has it, not resolved. UserError in place of Hydra's and OmegaConf's own errors."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import open_dict
    from omegaconf.errors import OmegaConfBaseException

    with loaded(run, words) as (_, texts, files):
        try:
            config = hydra.compose("train", texts, return_hydra_config=True)
            with open_dict(config):
                config.hydra.job.num = number - 1  # as in Hydra's own sweeps
                HydraConfig.instance().set_config(config)
                del config["hydra"]
                for override in filter(adds_test_set, run):
                    config.data.merge_with({"test": test_set(override)})
            yield config, files
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(explain(error, files, [each.input_line for each in run])) from error
        except RecursionError:
            name = next(each.value() for each in run if each.key_or_group == "recipe")
            raise UserError(f"recipe {name} builds on itself ({files['recipe', name].path}): give the file another name") from None


def to_config(run: Sequence[Any], words: Words, number: int) -> Config:
    """The checked settings of one run."""
    from omegaconf import OmegaConf

    with composed(run, words, number) as (config, _):
        plain = OmegaConf.to_container(config, resolve=False)
        for key, text in flatten(plain).items():
            for name in re.findall(r"\$\{([\w.]+)\}", text) if isinstance(text, str) else ():
                if text != f"${{{name}}}" and OmegaConf.select(config, name) is None and OmegaConf.select(config, name, default=0) is None:
                    raise UserError(f"{key} is {text!r}, but {name} is null: set {name}=VALUE")
        result = check_budget(from_dict(OmegaConf.to_container(config, resolve=True, throw_on_missing=True)))
    result.run = os.path.expanduser(result.run)
    if result.run.startswith("~"):
        raise UserError(f"run is {result.run}: there is no such user; for a folder of that name write run=./{result.run}")
    return result


def name_folders(found: Sequence[Job], words: Words) -> None:
    """Each run of a sweep gets the values that differ into its folder's name, unless `run` sees to that itself."""
    given = any(override.key_or_group == "run" for override in words.runs[0])
    if given and len({job.config.run for job in found}) == len(found):
        return
    named = [[text for text in swept if not text.startswith(("run=",) if given else ("run=", "recipe="))] for swept in words.swept]
    names = [re.sub(r"[^\w.,=+-]", "_", ",".join(parts)) for parts in named]
    places = [(job.config.run, name) for job, name in zip(found, names)]
    for job, parts, (folder, name) in zip(found, named, places):
        if len(name) > NAME_LENGTH or places.count((folder, name)) > 1:
            name = f"{name[:NAME_LENGTH]},{hashlib.sha256(','.join(parts).encode()).hexdigest()[:8]}"
        job.config.run = f"{folder},{name}" if name else folder


def print_info(what: str, texts: list[str], files: dict[tuple[str, str], RecipeFile], words: Words) -> None:
    """--info defaults-tree | defaults | searchpath: which files the configuration comes from, and in which order."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from hydra.types import RunMode

    if what == "searchpath":
        print("\n".join(str(folder) for folder in (words.own, shipped("conf"), shipped("recipes")) if folder))
        return
    try:
        found = GlobalHydra.instance().config_loader().compute_defaults_list("train", texts, RunMode.RUN)
    except HydraException as error:
        raise UserError(explain(error, files, texts)) from error
    if what == "defaults":
        for each in found.defaults:
            if not each.config_path.startswith("hydra/"):
                print(f"{each.config_path:<24}{each.package}")
        return
    print_tree(found.defaults_tree, 0)


def print_tree(tree: Any, depth: int) -> None:
    node = getattr(tree, "node", tree)
    children = getattr(tree, "children", None) or []
    if not node.is_virtual():
        if node.get_config_path().startswith("hydra/"):
            return
        name = "_self_" if node.is_self() else f"{node.get_override_key()}: {node.get_name()}" if hasattr(node, "group") else node.get_config_path()
        print("  " * depth + name + (":" if children else ""))
        depth += 1
    for child in children:
        print_tree(child, depth)
