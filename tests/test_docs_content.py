"""What README and docs say is so: links, names of files and tests, recipes, tables and versions."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import pytest

import translate
from tests.pages import PAGES, ROOT, blocks, commands, page_name, reader_folder, recipes
from translate.cli.main import main
from translate.cli.train import choices, compose
from translate.decoding.options import REAL, WHOLE, Options

README = ROOT / "README.md"
LINK = re.compile(r"\]\(([^)\s]+)\)")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def outside_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """As GitHub and MkDocs make them from headings."""
    headings = re.findall(r"^#+ (.*)$", outside_blocks(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_links_lead_somewhere(path):
    for link in LINK.findall(outside_blocks(path.read_text(encoding="utf-8"))):
        if "://" not in link:
            target, _, anchor = link.partition("#")
            found = (path.parent / target).resolve() if target else path
            assert found.exists(), link
            assert not anchor or anchor in anchors(found), link


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_files_and_tests_that_it_names_exist(path):
    text = outside_blocks(path.read_text(encoding="utf-8"))
    if path.name != "CHANGELOG.md":
        for name in re.findall(r"`((?:translate|tests|benchmarks|conf|recipes|docs)/[\w/.-]*\w)`", text):
            assert (ROOT / name).exists(), name
    defined = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").glob("test_*.py"))
    for name in set(re.findall(r"`(test_\w+)`", text)) - {"test_unseen", "test_2016_flickr"}:  # those two are test sets
        assert f"def {name}(" in defined, name


def test_every_page_is_in_the_navigation():
    navigation = text_of("mkdocs.yml").partition("\nnav:")[2]
    names = {path.name if path.parent != ROOT else f"{path.stem.lower()}.md" for path in PAGES} - {"readme.md"} | {"index.md", "tour.md"}
    assert set(re.findall(r"[\w-]+\.md", navigation)) == names


def test_versions_agree():
    version = re.search(r'^version = "(.*)"$', text_of("pyproject.toml"), re.MULTILINE)[1]
    assert f"\nversion: {version}\n" in text_of("CITATION.cff")
    changes = re.findall(r"^## (\S+)(?: - (\S+))?$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert changes[0][0] == "Unreleased" and changes[1][0] == version
    assert f'\ndate-released: "{changes[1][1]}"\n' in text_of("CITATION.cff")


def test_every_recipe_is_named():
    assert choices("recipe")
    for recipe in choices("recipe"):
        assert f"`{recipe}`" in text_of("docs/recipes.md"), recipe


@pytest.mark.parametrize("words", [["recipe=my/recipe/mine.yaml"], ["--config-dir", "my", "recipe=mine"]], ids=" ".join)
def test_the_recipe_of_the_readme_finds_its_files(words, tmp_path, bundle, corpus_folder, monkeypatch):
    """As printed, in a folder that holds nothing but what the page names."""
    from translate.data.pairs import load_pairs, training_texts

    reader_folder(tmp_path, README, bundle, corpus_folder)
    monkeypatch.chdir(tmp_path)
    (config,) = compose([*words, "data.cache=cache"])
    assert config.run == "runs/mine"
    assert len(training_texts(config.data)) == 300 + 5 + 6
    assert len(load_pairs(config.data.validation, config.data)) == 5
    assert {name: len(load_pairs([corpus], config.data)) for name, corpus in config.data.test.items()} == {"test": 5}


def test_the_other_corpora_of_the_recipes_page_are_read(tmp_path, monkeypatch):
    path = ROOT / "docs" / "recipes.md"
    (block,) = [text for _, _, text in blocks(path, "yaml") if "hub" in text]
    recipe = recipes(path)[0].replace("data: {folder: my, source_language: de, target_language: en}", block)
    monkeypatch.chdir(tmp_path)
    Path("other.yaml").write_text(recipe, encoding="utf-8")
    (config,) = compose(["recipe=other.yaml"])
    assert [corpus.kind for corpus in config.data.train] == ["text", "tsv", "hub"]


def test_the_table_of_scores_is_as_shown(tmp_path, bundle, corpus_folder, monkeypatch, capsys):
    """But for its values."""
    path = ROOT / "docs" / "scoring.md"
    reader_folder(tmp_path, path, bundle, corpus_folder)
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(commands(path)[0].text, comments=True)[1:]) == 0
    out = capsys.readouterr().out
    shown = re.search(r"```\n(metric .*?)```", path.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert [line.split()[0] for line in shown.splitlines()] == [line.split()[0] for line in out.splitlines()]
    signatures = [[line.split()[-1].partition("|version:")[0] for line in text.splitlines()] for text in (shown, out)]
    assert signatures[0] == signatures[1]


def test_the_python_page_names_all_there_is():
    page = text_of("docs/python.md")
    for name in translate.__all__:
        assert f"`{name}`" in page
    results = page.partition("| attribute |")[2].partition("\n\n")[0]
    fields = {field.name for field in dataclasses.fields(translate.Translation)}
    assert set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in results.splitlines()[2:]))) == fields
    assert re.findall(r"^\| `(\w+)` \|", page.partition("### Options")[2], re.MULTILINE) == [field.name for field in dataclasses.fields(Options)]


def test_the_bounds_of_the_options_are_those_of_the_code():
    page = text_of("docs/python.md")
    for name, (least, most) in (WHOLE | REAL).items():
        row = re.search(rf"^\| `{name}` \| (.*?) \|", page, re.MULTILINE)[1]
        if name == "n_best":
            row = row.partition("`sample` ")[2]
        lower = "0.000001" if name == "temperature" else f"{least:,}"
        assert re.search(rf"(^|\s){lower}\b", row), (name, row)
        upper = f"{most:,}" if isinstance(most, int) else f"{most:g}"
        assert upper in row or name == "top_p" or (name == "seed" and "2^63 - 1" in row and most == 2**63 - 1), (name, row)
