"""Reads and checks the YAML file of a recipe or a choice, before Hydra merges it with others.

Values follow YAML 1.2: `no` and `1:30` are strings, `0777` is 777. A file that names code or changes Hydra's own settings is refused, with the
line. session.py passes the files to Hydra.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from translate.compose.recipe_files import GROUPS
from translate.config import Config
from translate.errors import UserError
from translate.values import find_error, hints_of, short_repr

MAX_VALUES = 100_000  # of a file; aliases of aliases can make any number from a few lines
MAX_BYTES = 1_000_000
HYDRA = "Hydra's own settings could run code, write files or set the environment"
TARGET = "_target_"  # Hydra's word for a class or function to call
YAML = "tag:yaml.org,2002:"


class Loader(yaml.SafeLoader):
    """Scalars follow YAML 1.2's core schema; in addition, `_` is allowed between digits, and `<<` merges."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    Loader.add_implicit_resolver(YAML + _tag, re.compile(f"(?:{_pattern})$"), _first)


def _integer(text: str) -> int:
    return int(text.replace("_", ""), 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10)


SCALARS: dict[str, Callable[[str], Any]] = {
    YAML + "null": lambda text: None,
    YAML + "bool": lambda text: text.lower() == "true",
    YAML + "int": _integer,
    YAML + "float": lambda text: float(text.lower().replace(".inf", "inf").replace(".nan", "nan")),
    YAML + "str": str,
}


@dataclass
class Entry:
    """An entry of a defaults list: it names the file `name` of `group`."""

    group: str
    name: str
    line: int
    optional: bool


@dataclass
class RecipeFile:
    """A file's content as plain values. lines: dotted key -> line, from 1."""

    path: Path
    group: str
    name: str
    package: str | None = None
    values: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    defaults: list[Entry] = field(default_factory=list)

    def location(self, key: str = "") -> str:
        """File and line of `key`, or of the section that it belongs to."""
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        return f"{self.path}, line {self.lines[key]}" if key else str(self.path)


def read(path: Path, group: str, name: str) -> RecipeFile:
    """The file at `path`. UserError with file and line for an invalid one."""
    file = RecipeFile(path, group, name)
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} has more than {MAX_BYTES:,} bytes: it is not a recipe")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error}") from None
    file.package = _package(file, text)
    try:
        node = yaml.compose(text, Loader)
        file.values = {} if node is None else _Reader(file).value(node, "")
    except RecursionError:
        raise UserError(f"{path} is nested too deeply to be read") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where}: not valid YAML: {' '.join(filter(None, (error.context, error.problem)))}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(file.values, dict):
        raise UserError(f"{path} must be a mapping of settings (KEY: VALUE), not {short_repr(file.values)}")
    entries = file.values.pop("defaults", [])
    if not isinstance(entries, list):
        raise UserError(f"{file.location('defaults')}: defaults must be a list, a line `- ...` for each file, not {short_repr(entries)}")
    for number, entry in enumerate(entries):
        _read_default(file, entry, number, entries)
    root = Config if file.package == "_global_" else hints_of(Config).get(group) if file.package is None else None
    if root and (problem := find_error(file.values, root, "" if root is Config else group)):
        key, message = problem
        section, _, rest = key.partition(".")
        if root is Config and rest and key in file.values:  # written as on the command line
            message = f"unknown key {key}: in a file it is {section}: {{{rest}: ...}}"
        raise UserError(f"{file.location(key if root is Config else rest)}: {message}")
    if entries:
        file.values = {"defaults": entries, **file.values}
    return file


class _Reader:
    """YAML nodes -> plain values with aliases resolved; stores the line of each key in `file`."""

    def __init__(self, file: RecipeFile) -> None:
        self.file, self.size = file, 0
        self.open: set[int] = set()  # ids of the current node's ancestors

    def value(self, node: yaml.Node, at: str) -> Any:
        self.size += 1
        line = node.start_mark.line + 1
        if self.size > MAX_VALUES or id(node) in self.open:
            raise UserError(f"{self.file.path}, line {line}: more than {MAX_VALUES:,} values, with aliases resolved")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == YAML + "map":
                return self.mapping(node, at)
            if isinstance(node, yaml.SequenceNode) and node.tag == YAML + "seq":
                for number, item in enumerate(node.value):
                    self.file.lines.setdefault(f"{at}[{number}]", item.start_mark.line + 1)
                return [self.value(item, f"{at}[{number}]") for number, item in enumerate(node.value)]
            if isinstance(node, yaml.ScalarNode) and node.tag in SCALARS:
                return SCALARS[node.tag](node.value)
        except (ValueError, KeyError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{self.file.path}, line {line}: not valid YAML: {node.value[:50]!r} is not a {node.tag.removeprefix(YAML)}") from None
        finally:
            self.open.discard(id(node))
        raise UserError(f"{self.file.path}, line {line}: not valid YAML for a recipe: the tag {node.tag.replace(YAML, '!!')} is not allowed here")

    def mapping(self, node: yaml.MappingNode, at: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            where = f"{self.file.path}, line {line}"
            if key.tag == YAML + "merge":
                sources = self.value(value, at)
                for source in reversed(sources if isinstance(sources, list) else [sources]):
                    if not isinstance(source, dict):
                        raise UserError(f"{where}: `<<` merges mappings, not {short_repr(source)}")
                    merged.update(source)
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag == YAML + "null":
                kind = "NoneType" if isinstance(key, yaml.ScalarNode) else f"{key.id}"
                raise UserError(f"{where}: a key is of type {kind}: it must be a name")
            name = key.value
            if name == "hydra" and not at:
                raise UserError(f"{where}: `hydra` is not allowed in a recipe: {HYDRA}")
            if name == TARGET:
                raise UserError(f"{where}: `{TARGET}` names code to run: it is not allowed in a recipe")
            dotted = f"{at}.{name}" if at else name
            if name in values:
                raise UserError(f"{where}: {dotted} is given twice, first in line {self.file.lines[dotted]}")
            self.file.lines[dotted] = line
            values[name] = self.value(value, dotted)
        return {**merged, **values}


def _package(file: RecipeFile, text: str) -> str | None:
    """The value of `# @package` in the comments at the top."""
    header = list(itertools.takewhile(lambda line: not line.strip() or line.lstrip().startswith("#"), text.splitlines()))
    match = re.search(r"^\s*#\s*@package\s+(\S+)\s*$", "\n".join(header), re.MULTILINE)
    package = match[1] if match else None
    if package and "hydra" in package.split("."):
        raise UserError(f"{file.path}: `# @package {package}` is not allowed in a recipe: {HYDRA}")
    if file.group == "recipe" and package != "_global_":
        raise UserError(f"in recipe/{file.name}: its keys would be under `recipe`: make `# @package _global_` the first line of {file.path}")
    return package


def _read_default(file: RecipeFile, entry: Any, number: int, entries: list[Any]) -> None:
    """Check entry `number` of the defaults list, and add the files that it names to `file.defaults`."""
    line = file.lines.get(f"defaults[{number}]", 0)
    where = f"{file.path}, line {line}"
    if entry == "_self_":
        return
    if isinstance(entry, str):
        key, value = "", entry
    elif isinstance(entry, dict) and len(entry) == 1:
        ((key, value),) = entry.items()
    else:
        raise UserError(f"{where}: an entry of defaults is `- NAME`, `- override /GROUP: CHOICE` or `- _self_`, not {short_repr(entry)}")
    words = key.split()
    override = words[:1] == ["override"]
    group, _, package = (words[-1] if words else "").partition("@")
    names = value if isinstance(value, list) else [] if value in (None, "???") else [value]
    if any(part in ("hydra", "_hydra_") for text in (group, package, *map(str, names)) for part in re.split(r"[/.@:]", text)):
        raise UserError(f"{where}: {short_repr(key or value)} is not allowed in a recipe: {HYDRA}")
    for name in names:
        if not isinstance(name, str) or "${" in name or ".." in name or name.endswith(".yml"):
            raise UserError(f"{where}: {short_repr(name)} in defaults must be the name of a choice, without .yaml or .yml")
    absolute = group.startswith("/")
    group = group.lstrip("/")
    if not key:  # a file beside this one, or /GROUP/NAME
        group, _, name = (value.partition("@")[0].lstrip("/") if value.startswith("/") else f"{file.group}/{value.partition('@')[0]}").rpartition("/")
        names = [name]
    elif file.group == "recipe" and group == "recipe":
        raise UserError(f"{where}: to build on another recipe, write `- {names[0] if names else 'NAME'}`")
    elif file.group and group in GROUPS:
        _check_choice(file, where, key, names, group, bool(package), override and absolute)
    elif file.group and not absolute:
        group = f"{file.group}/{group}"
    if not override and any(isinstance(before, dict) and next(iter(before)).startswith("override ") for before in entries[:number]):
        raise UserError(f"{where}: `- {entry if isinstance(entry, str) else key}` must come before the `override` lines")
    for name in names:
        file.defaults.append(Entry(group.strip("/"), name.removesuffix(".yaml"), line, "optional" in words[:-1]))


def _check_choice(file: RecipeFile, where: str, key: str, names: list[str], group: str, has_package: bool, overrides: bool) -> None:
    """UserError unless the entry is `override /GROUP: CHOICE`, once for a group."""
    if has_package:
        raise UserError(f"{where}: `{key}`: a choice can't be moved with @: write `- override /{group}: CHOICE`")
    if len(names) != 1:
        raise UserError(f"{where}: {group} takes one choice: write `- override /{group}: CHOICE`")
    if not overrides:
        line = f"- override /{group}: {names[0]}"
        raise UserError(f"{where}: `- {key}: {names[0]}` must read `{line}`: {group} has a choice already, which this replaces")
    if first := next((entry.line for entry in file.defaults if entry.group == group), None):
        raise UserError(f"{where}: {group} is given twice, first in line {first}")
