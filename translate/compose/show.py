"""--cfg and --info of `translate train`: print the configuration, or the files it comes from, and exit."""

from __future__ import annotations

from typing import Any

from translate.compose.explain import explain
from translate.compose.overrides import CommandLine, parse_command_line
from translate.compose.recipe_files import shipped
from translate.compose.session import Files, composed, loaded
from translate.errors import UserError


def show(options: dict[str, str], overrides: list[str]) -> None:
    """Print what --cfg or --info asks for."""
    from omegaconf import OmegaConf

    command_line = parse_command_line(options, overrides)
    (run,) = command_line.runs
    if "--info" in options and options["--info"] != "config":
        with loaded(run, command_line) as (_, texts, files):
            print_info(options["--info"], texts, files, command_line)
        return
    with composed(run, command_line, 1) as config:
        package = options.get("--package", "_global_")
        section = config if package == "_global_" else OmegaConf.select(config, package)
        if section is None:
            raise UserError(f"--package {package}: the configuration has no such key")
        if "--resolve" in options:
            OmegaConf.resolve(config)
        if not OmegaConf.is_config(section):
            print(section)
            return
        if package != "_global_":
            print(f"# @package {package}")
        print(OmegaConf.to_yaml(section), end="")


def print_info(what: str, texts: list[str], files: Files, command_line: CommandLine) -> None:
    """--info defaults-tree | defaults | searchpath: the files that the configuration comes from, in order."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from hydra.types import RunMode

    if what == "searchpath":
        print("\n".join(str(folder) for folder in (command_line.user_folder, shipped("conf"), shipped("recipes")) if folder))
        return
    try:
        result = GlobalHydra.instance().config_loader().compute_defaults_list("train", texts, RunMode.RUN)
    except HydraException as error:
        raise UserError(explain(error, files, texts)) from error
    if what == "defaults":
        for default in result.defaults:
            if not default.config_path.startswith("hydra/"):
                print(f"{default.config_path:<24}{default.package}")
        return
    print_tree(result.defaults_tree, 0)


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
