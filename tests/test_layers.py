"""The shape of the package: who may import whom, where the libraries come in, how long a file may get."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "translate"

LIBRARIES = {  # where a library may be imported; every other file gets plain Python, numpy or torch values
    "argcomplete": {"cli.completion"},
    "hydra": {"compose.overrides", "compose.session", "compose.show"},
    "omegaconf": {"compose.compose", "compose.explain", "compose.session", "compose.show"},
    "sacrebleu": {"evaluation.metrics", "evaluation.testsets"},
    "sentencepiece": {"tokenizer.tokenizer", "huggingface.pieces"},
    "datasets": {"data.prepare", "data.corpora", "data.corpus", "data.pairs", "data.tables"},
    "ctranslate2": {"translation.ctranslate2_engine"},
    "ray": {"translation.ray_translator"},
    "regex": {"text.words"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"}


@functools.cache
def imports(path: Path, kind: type | tuple = (ast.Import, ast.ImportFrom)) -> set[str]:
    """Full names of all that a file imports, functions' own imports included: `from translate.model import layers` is translate.model.layers."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: import by the full name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner.removeprefix("translate.") in MODULES else node.module)
    return found


@functools.cache
def own_imports(name: str) -> set[str]:
    found = {imported.removeprefix("translate.") for imported in imports(MODULES[name]) if imported.startswith("translate.")}
    assert found <= set(MODULES), f"{name} imports what isn't there: {found - set(MODULES)}"
    return found


PLACES = sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES.values()})  # folders, and the files beside them


def place(name: str) -> str:
    return name.split(".")[0]


@functools.cache
def allowed() -> dict[str, list[str]]:
    """What each place may import, as its folder says (`May import: ...` in `__init__.py`); the files beside the folders as they do."""
    found = {}
    for folder in PLACES:
        if (PACKAGE / folder).is_dir():
            text = ast.get_docstring(ast.parse((PACKAGE / folder / "__init__.py").read_text(encoding="utf-8")))
            for line in ("In: ", "Out: ", "May import: "):
                assert sum(each.startswith(line) for each in text.splitlines()) == 1, f"{folder}/__init__.py: a line that starts with {line!r}"
            found[folder] = re.split(r",\s", re.search(r"^May import: ([^.]*)\.$", text, re.MULTILINE)[1])
        else:
            found[folder] = sorted({place(imported) for imported in own_imports(folder)} - {folder})
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_its_folder_may(name):
    for imported in own_imports(name):
        if place(imported) != place(name):
            assert place(imported) in allowed()[place(name)], f"{name} must not import {imported}"


@pytest.mark.parametrize("folder", PLACES)
def test_a_folder_imports_all_that_it_says(folder):
    used = {place(imported) for name in MODULES if place(name) == folder for imported in own_imports(name)} - {folder}
    assert used == set(allowed()[folder])


def test_imports_go_down_only():
    """Along the picture in docs/design.md, which names every place once, the highest first."""
    picture = re.search(r"```text\n(.*?)```", (ROOT / "docs/design.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    order = [line.split()[0].rstrip("/").removesuffix(".py") for line in picture.splitlines() if line.strip() and not line.startswith(" ")]
    assert sorted(order) == PLACES
    for folder, below in allowed().items():
        for lower in below:
            assert order.index(lower) > order.index(folder), f"{folder} stands below {lower}"


def test_no_module_imports_itself_through_others():
    graph = {name: {imported for imported in own_imports(name) if not name.startswith(imported + ".")} for name in MODULES}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def test_decoding_never_sees_the_model():
    assert not {"model", "kernels"} & set(allowed()["decoding"])


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_in_its_own_place_only(library):
    users = {name for name in MODULES if any(imported.split(".")[0] == library for imported in imports(MODULES[name]))}
    assert users <= LIBRARIES[library]
    assert users, f"nothing imports {library}: is it needed?"


def test_every_library_is_a_declared_dependency():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["ctranslate2"], *extras["ray"], *extras["sentences"]]
    names = {requirement.split(">")[0].replace("hydra-core", "hydra").replace("pyyaml", "yaml") for requirement in declared}
    used = {imported.split(".")[0] for path in MODULES.values() for imported in imports(path)} - set(sys.stdlib_module_names) - {"translate"}
    assert used - {"huggingface_hub", "pyarrow", "typing_extensions"} <= names  # those come with datasets and torch
    assert names <= used


@pytest.mark.parametrize("name", MODULES)
def test_a_file_is_short_and_says_what_it_is(name):
    text = MODULES[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), "a file opens with what it is and where it sits"


@pytest.mark.parametrize("word", ["utils", "helpers", "constants", "exceptions", "main", "translate", "providers", "version"])
def test_no_module_shares_a_name_with_other_packages_called_translate(word):
    """PyPI's `translate` installs into the same folder: constants, exceptions, main, translate, utils, version, providers/."""
    assert word not in {name.split(".")[0] for name in MODULES}


@pytest.mark.parametrize("word", ["convert", "filters", "lang", "misc", "search", "services", "storage", "tools"])
def test_no_module_shares_a_name_with_translate_toolkit(word):
    assert word not in {name.split(".")[0] for name in MODULES}
