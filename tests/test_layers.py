"""The shape of the package: who may import whom, where the libraries come in, how long a file may get."""

from __future__ import annotations

import ast
import graphlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "translate"

# A module imports only from lines above its own; the modules of decoding and phrasebook also from their own package.
LAYERS = """
errors
paths
sniff numerals
files
values text text_warnings resampling segments subwords findings device lock runlog stopping phrasebook cli.parser cli.paths cli.progress
windows forks seal cli.file_options
config recipe_files
recipe_reader
cache resumable tokenizer pairfiles records formats
pipes tables xmlpairs
corpora
data
model.linear
model.attention
model.layers
model.transformer
model.packed
model
batches optim objective decoding
ranks bundle scoring testsets parallel
score_warnings
alignment update checkpoints torch_engine ctranslate2_engine
translator budget
ray_translator evaluation checks validation cli.inputs cli.output cli.field
runfolder model_checks selection
training
verify
cli.explain cli.overrides cli.signals cli.completion
cli.compose
cli.sweep
cli.train cli.file cli.score cli.export
cli.check cli.evaluate
cli.main cli
__main__
"""
LIBRARIES = {  # where a library may be imported; every other file gets plain Python, numpy or torch values
    "argcomplete": {"cli.completion"},
    "hydra": {"cli.overrides", "cli.compose"},
    "omegaconf": {"cli.compose", "cli.explain"},
    "sacrebleu": {"scoring", "testsets"},
    "sentencepiece": {"tokenizer"},
    "datasets": {"data", "corpora", "tables"},
    "ctranslate2": {"ctranslate2_engine"},
    "ray": {"ray_translator"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"}


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


def own_imports(name: str) -> set[str]:
    found = {imported.removeprefix("translate.") for imported in imports(MODULES[name]) if imported.startswith("translate.")}
    assert found <= set(MODULES), f"{name} imports what isn't there: {found - set(MODULES)}"
    return found


def layer(name: str) -> int:
    """The line of LAYERS on which a module or, for decoding and phrasebook, its package stands."""
    for number, line in enumerate(LAYERS.strip().splitlines()):
        if name in line.split() or (name.split(".")[0] in ("decoding", "phrasebook") and name.split(".")[0] in line.split()):
            return number
    raise AssertionError(f"{name} has no place in LAYERS: give it one")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_lines_above(name):
    for imported in own_imports(name):
        siblings = name.split(".")[0] == imported.split(".")[0] in ("decoding", "phrasebook")
        assert siblings or layer(imported) < layer(name), f"{name} must not import {imported}"


def test_no_module_imports_itself_through_others():
    graph = {name: {imported for imported in own_imports(name) if not name.startswith(imported + ".")} for name in MODULES}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def test_every_name_in_the_table_is_a_module():
    assert set(LAYERS.split()) <= set(MODULES)


def test_decoding_never_sees_the_model():
    for name in MODULES:
        if name.startswith("decoding"):
            assert not any(imported.split(".")[0] == "model" for imported in own_imports(name)), name


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_in_its_own_place_only(library):
    users = {name for name in MODULES if any(imported.split(".")[0] == library for imported in imports(MODULES[name]))}
    assert users <= LIBRARIES[library]
    assert users, f"nothing imports {library}: is it needed?"


def test_every_library_is_a_declared_dependency():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["ctranslate2"], *extras["ray"]]
    names = {requirement.split(">")[0].replace("hydra-core", "hydra").replace("pyyaml", "yaml") for requirement in declared}
    used = {imported.split(".")[0] for path in MODULES.values() for imported in imports(path)} - set(sys.stdlib_module_names) - {"translate"}
    assert used - {"huggingface_hub", "pyarrow"} <= names  # those two come with datasets
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
