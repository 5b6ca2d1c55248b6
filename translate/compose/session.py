"""Runs Hydra, which merges the files and overrides of one run. Its store has only these files.

recipe_reader.py has read and checked every file, so Hydra opens none; its compose API creates no callback, launcher or sweeper and writes nothing.
Interpolations may use only `${key}`, `${hydra:...}` (the choices) and `${now:...}`: the resolvers that read the environment or create nodes are
removed.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from translate.compose.explain import explain
from translate.compose.overrides import CommandLine, adds_test_set, test_set
from translate.compose.recipe_files import GROUPS, SUFFIXES, choices, find, folders, unknown_choice
from translate.compose.recipe_reader import RecipeFile, read
from translate.config import Config
from translate.errors import UserError
from translate.values import key_of

LOCK = threading.Lock()
Files = Mapping[tuple[str, str], RecipeFile]  # by group and name


@contextlib.contextmanager
def composed(run: Sequence[Any], command_line: CommandLine, number: int) -> Iterator[Any]:
    """The configuration of one run as an OmegaConf object, not resolved. UserError instead of Hydra's and OmegaConf's errors."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import open_dict
    from omegaconf.errors import OmegaConfBaseException

    with loaded(run, command_line) as (_, texts, files):
        try:
            config = hydra.compose("train", texts, return_hydra_config=True)
            with open_dict(config):
                config.hydra.job.num = number - 1  # as in Hydra's own sweeps
                HydraConfig.instance().set_config(config)
                del config["hydra"]
                for override in filter(adds_test_set, run):
                    config.data.merge_with({"test": test_set(override)})
            yield config
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(explain(error, files, [override.input_line for override in run])) from error
        except RecursionError:
            name = next(override.value() for override in run if override.key_or_group == "recipe")
            raise UserError(f"recipe {name} builds on itself ({files['recipe', name].path}): give the file another name") from None


@contextlib.contextmanager
def loaded(run: Sequence[Any], command_line: CommandLine) -> Iterator[tuple[Any, list[str], Files]]:
    """Hydra with the run's files in its store. Yields its config loader, the overrides as text, and the files."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    files = read_files(run, command_line)
    with fresh_hydra(), closed_resolvers():
        store = ConfigStore.instance()  # has Hydra's own entries by now
        original, store.repo = store.repo, copy.deepcopy(store.repo)
        try:
            store.store(name="schema", node=schema())
            for (group, name), file in files.items():
                try:
                    node = OmegaConf.create(file.values)
                except OmegaConfBaseException as error:  # the reader doesn't parse references
                    key = str(error.full_key or "")
                    raise UserError(f"{file.location(key)}: {key} has a `${{` that is not a reference: write ${{KEY}}") from None
                store.store(group=group or None, name=name, node=node, package=file.package)
            yield GlobalHydra.instance().config_loader(), [override.input_line for override in run if not adds_test_set(override)], files
        finally:
            store.repo = original


def schema() -> Any:
    """Config as OmegaConf's typed nodes, by the keys of its fields: those of InitConfig's `from_` is `from`."""
    from omegaconf import OmegaConf

    config = OmegaConf.structured(Config)
    for section in config.values():
        content = section._content if OmegaConf.is_dict(section) else {}
        for name in [name for name in content if key_of(name) != name]:
            node = content[key_of(name)] = content.pop(name)
            node._set_key(key_of(name))
    return config


@contextlib.contextmanager
def fresh_hydra() -> Iterator[None]:
    """A new Hydra. Its state is global, so this takes a lock, and restores the state of a program that uses Hydra itself."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    with LOCK:
        old_hydra, old_config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
        GlobalHydra.instance().clear()
        try:
            with hydra.initialize(config_path=None, version_base="1.3", job_name="train"):
                yield
        finally:
            GlobalHydra.instance().hydra, HydraConfig.instance().cfg = old_hydra, old_config


@contextlib.contextmanager
def closed_resolvers() -> Iterator[None]:
    """Removes the resolvers that read the environment or create nodes from text."""
    from omegaconf import OmegaConf
    from omegaconf.omegaconf import register_default_resolvers

    names = ("oc.create", "oc.decode", "oc.deprecated", "oc.env", "oc.select", "oc.dict.keys", "oc.dict.values")
    for name in names:
        OmegaConf.clear_resolver(name)
    try:
        yield
    finally:
        register_default_resolvers()


def read_files(run: Sequence[Any], command_line: CommandLine) -> Files:
    """All files that the run's choices and their defaults lists name, read and checked. UserError for one that does not exist."""
    files: dict[tuple[str, str], RecipeFile] = {}

    def add(group: str, name: str, where: str = "", optional: bool = False) -> None:
        if (group, name) in files or (group, name) == ("", "schema"):
            return
        path = (beside(name) if group == "recipe" else None) or find(group, name, command_line.user_folder)
        if path:
            file = files[group, name] = read(path, group, name)
            for entry in file.defaults:
                add(entry.group, entry.name, f"{path}, line {entry.line}: ", entry.optional)
        elif not optional:
            raise UserError(f"{where}{unknown_choice(group, name, command_line.user_folder)}")

    def beside(name: str) -> Path | None:
        """A recipe given as a path, or a file beside one."""
        candidates = [path.parent / f"{name}{suffix}" for path in command_line.recipes.values() for suffix in SUFFIXES]
        return command_line.recipes.get(name) or next((path for path in candidates if path.is_file()), None)

    add("", "train")
    settings = [field.name for field in dataclasses.fields(Config)]
    for override in run:
        key, value = override.key_or_group, override.value()
        is_setting = "." in key or (key in settings and key not in GROUPS)
        if is_setting or override.is_delete() or not folders(key, command_line.user_folder):
            continue
        if override.is_add() and key in (*GROUPS, "recipe"):
            raise UserError(f"{override.input_line}: {key} has a choice already: leave out the +")
        if value is None or isinstance(value, (list, dict)):
            raise UserError(f"{override.input_line}: {key} takes one choice, one of {', '.join(choices(key, command_line.user_folder))}")
        add(key, str(value))
    return files
