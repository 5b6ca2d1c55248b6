"""The documentation as tests see it: its pages, the commands in them and what marks them, and the folder a reader would type them in."""

from __future__ import annotations

import gzip
import lzma
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MARK = re.compile(r"<!-- (not run|slow): (.+) -->")
GERMAN = ["Guten Morgen.", "", "Der Hund schläft."]
ENGLISH = ["The dog sleeps in the small house.", "A man reads an old book by the river.", "She sees two cats under the tree."]
CHINESE = ["我今天很高兴见到你们。", "他去了北京大学。", "这是一个测试。"]


@dataclass(frozen=True)
class Command:
    """A line of a ```bash block, joined with those that continue it.

    `mark` is that of the comment before the block: `<!-- not run: REASON -->`, `<!-- slow: REASON -->`, or "" where there is none.
    """

    page: str
    line: int
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page}, line {self.line}: {self.text}"


def page_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[tuple[int, str, str]]:
    """(line number, mark, text) of each fenced block in `language`."""
    found: list[tuple[int, str, str]] = []
    mark, start, inside = "", 0, None
    lines: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if inside is not None and line.startswith("```"):
            if inside == language:
                found.append((start, mark, "\n".join(lines)))
            inside, mark = None, ""
        elif inside is not None:
            lines.append(line)
        elif line.startswith("```"):
            inside, start, lines = line[3:].strip(), number + 1, []
        elif line.strip():
            marked = MARK.fullmatch(line.strip())
            assert marked or not re.match(r"<!-- *(not|slow)", line), f"{page_name(path)}, line {number}: not a mark: {line}"
            mark = marked[1] if marked else ""
    return found


def commands(path: Path) -> list[Command]:
    found = []
    for start, mark, text in blocks(path, "bash"):
        number, joined = start, ""
        for offset, line in enumerate(text.splitlines()):
            joined, number = joined + line, number if joined else start + offset
            if line.endswith("\\"):
                joined = joined[:-1]
            elif shlex.split(joined, comments=True):
                found.append(Command(page_name(path), number, joined, mark))
                joined = ""
            else:
                joined = ""
    return found


def translate_words(text: str) -> list[list[str]]:
    """The words after `translate` of each of its calls in a shell line."""
    found, words = [], []
    for token in [*shlex.split(text, comments=True), "|"]:
        if token in ("|", "&&", "||", ">", ">>"):
            if words[:1] == ["translate"]:
                found.append(words[1:])
            words = []
        else:
            words.append(token)
    return found


def recipes(path: Path) -> list[str]:
    """The recipes that a page writes out."""
    return [text for _, _, text in blocks(path, "yaml") if "@package _global_" in text]


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def reader_folder(folder: Path, path: Path, bundle: Path, corpus: Path) -> None:
    """Fill `folder` with what a reader of the page has: runs, a small corpus, files to translate and to score, the page's recipe."""
    text = path.read_text(encoding="utf-8")
    for run in ("quickstart", "mine"):
        if run == "quickstart" or ("-m runs/mine" in text and "recipe=my/recipe/mine.yaml" not in text):  # else the page trains it
            shutil.copytree(bundle, folder / "runs" / run, ignore=shutil.ignore_patterns("checkpoints"))
    for language in ("de", "en"):
        train = (corpus / f"train.{language}").read_text(encoding="utf-8").splitlines()[:300]
        held_out = (corpus / f"dev.{language}").read_text(encoding="utf-8").splitlines()
        for place in (folder, folder / "my", folder / "my" / "data"):
            write(place / f"train.{language}", train)
            write(place / f"dev.{language}", held_out[:5])
            write(place / f"test.{language}", held_out[5:10])
        write(folder / f"news.{language}", held_out[:5])
    pairs = zip(*((folder / f"train.{language}").read_text(encoding="utf-8").splitlines() for language in ("de", "en")), strict=True)
    write(folder / "train.tsv", ["\t".join(pair) for pair in pairs])
    shutil.copy(folder / "train.tsv", folder / "my" / "back.tsv")
    (folder / "train.tsv.xz").write_bytes(lzma.compress((folder / "train.tsv").read_bytes()))
    (folder / "my" / "more.tsv.gz").write_bytes(gzip.compress(b"das\tthat\n" * 5))
    write(folder / "my" / "web.jsonl", ['{"de": "hier", "en": "here"}'] * 6)
    write(folder / "input.de", GERMAN)
    (folder / "input.de.gz").write_bytes(gzip.compress((folder / "input.de").read_bytes()))
    with pyarrow.CompressedOutputStream(str(folder / "input.de.zst"), "zstd") as packed:
        packed.write((folder / "input.de").read_bytes())
    write(folder / "products.csv", ["id,text", '1,"Guten Morgen."', "2,Der Hund schläft."])
    write(folder / "products.tsv", ["1\tGuten Morgen.", "2\tDer Hund schläft."])
    write(folder / "corpus.jsonl", ['{"id": 1, "translation": {"de": "Guten Morgen."}}'])
    for name in ("reference", "first", "second", "output", "a", "b", "c"):
        lines = [line.replace("old", name) if name < "d" else line for line in ENGLISH]
        write(folder / f"{name}.en", [f"Well, {line}" for line in lines] if name == "second" else lines)
        write(folder / f"{name}.zh", CHINESE)
    for recipe in sorted(set(re.findall(r"recipe=(my/recipe/\w+\.yaml)", text))):
        write(folder / recipe, recipes(path)[0].splitlines())
