"""`translate check`: shifted lines are found where they are and nowhere else; leaks, swapped sides and bad files are told."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from translate import phrasebook
from translate.alignment import shifted
from translate.cli.main import main

DATA = os.environ.get("TRANSLATE_DATA")


def read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def shift(sources: list[str], targets: list[str], at: int, offset: int, lines: int = 20) -> tuple[list[str], list[str]]:
    """`lines` sources from place `at` stand beside the target `offset` lines before their own."""
    sides = [list(sources), list(targets)]
    side, size = sides[offset > 0], abs(offset)
    lost = side[at : at + size]
    del side[at : at + size]
    side[at + lines : at + lines] = lost
    return sides[0], sides[1]


def corpora() -> dict[str, tuple[list[str], list[str]]]:
    found = {"phrasebook": tuple(map(list, zip(*phrasebook.pairs("train")[:5000])))}
    for name in ("multi30k", "tatoeba") if DATA else ():
        found[name] = tuple(read(Path(DATA, name, f"train.{language}"))[:5000] for language in ("de", "en"))
    return found


@pytest.mark.parametrize("name", corpora())
def test_a_shifted_window_of_20_lines_is_found_where_it_is(name):
    sources, targets = corpora()[name]
    draw = random.Random(name)
    for _ in range(30 if name != "phrasebook" else 5):
        at, offset = draw.randrange(100, 4800), draw.choice([1, -1, 2, -2, 3, -3, 5])
        found = shifted(*shift(sources, targets, at, offset))
        assert any(abs(each.first - at - 1) <= 5 and abs(each.last - at - 20) <= 5 for each in found), (at, offset, found)
    assert shifted(sources, targets) == []


def test_a_lost_line_shifts_the_rest_of_the_file():
    sources, targets = corpora()["phrasebook"]
    (found,) = shifted(sources[:-1], targets[:4000] + targets[4001:])
    assert found.offset == -1 and abs(found.first - 4001) <= 5 and found.last >= 4990


def write(folder: Path, **sides: list[str]) -> None:
    for name, lines in sides.items():
        (folder / name.replace("_", ".")).write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def test_a_faulty_corpus_is_told_and_the_run_folder_stays_away(tmp_path, capsys):
    sources, targets = corpora()["phrasebook"]
    left, right = shift(sources, targets, 2000, 1)
    write(tmp_path, train_de=left, train_en=right, dev_de=sources[:5], dev_en=targets[:5], test_de=targets[:99], test_en=sources[:99])
    words = ["check", "recipe=quickstart", "data=text", f"data.folder={tmp_path}", f"data.cache={tmp_path / 'cache'}", f"run={tmp_path / 'run'}"]
    assert main([*words, "--json"]) == 1
    findings = [(each["severity"], each["text"]) for each in json.loads(capsys.readouterr().out)["findings"]]
    assert any(severity == "warning" and "look shifted by" in text for severity, text in findings)
    assert any(severity == "warning" and "5 pairs of 5 also stand in training (pairs: line 1, 2, 3, ...)" in text for severity, text in findings)
    assert any(severity == "error" and "source side looks like en" in text for severity, text in findings)
    assert not (tmp_path / "run").exists()
    (tmp_path / "dev.en").write_text("one\n", encoding="utf-8")
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "error    validation 1" in out and "look shifted by" in out  # the rest is looked at all the same
    for name in ("train.de", "train.en"):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert main(words) == 1
    assert "error    train 1 " in capsys.readouterr().out


def test_a_misspelt_key_is_a_mistake(capsys):
    assert main(["check", "recipe=quickstart", "model.widht=8"]) == 2
    assert "width" in capsys.readouterr().err
