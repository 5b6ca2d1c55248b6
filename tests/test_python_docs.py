"""What docs/python.md shows runs as it stands (training for two steps), and its table of options has the bounds of the code."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import translate
from translate.decoding.options import REAL, WHOLE, Options

PAGE = (Path(__file__).parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
BUDGET = '"training.minutes=1"'
SHORT = ", ".join(
    f'"{words}"'
    for words in (
        "training.minutes=0", "training.steps=2", "training.threads=1", "data.train=[{kind: phrasebook, split: validation, lines: 1-500}]",
        "data.test.test.lines=1-20", "~data.test.test_unseen",
    )
)  # fmt: skip


def test_its_code_runs(bundle, tmp_path, monkeypatch, capsys):
    shutil.copytree(bundle, tmp_path / "runs" / "quickstart", ignore=shutil.ignore_patterns("checkpoints"))
    (tmp_path / "input.de").write_text("Guten Morgen.\nDer Hund schläft.\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert PAGE.count(BUDGET) == 2
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block.replace(BUDGET, SHORT), names)
    printed = capsys.readouterr().out
    assert "line 2 is None: text is needed" in printed and "3 of 3" in printed
    assert names["again"].translate([""]) == [""]
    assert names["report"]["steps"] == 2 and names["report"]["finished_before"]
    assert list(names["table"]["en"]) == list(names["data"]["en"]) == names["again"].translate(["Guten Morgen.", "Das Haus ist alt."])


def test_it_names_all_there_is():
    for name in translate.__all__:
        assert f"`{name}`" in PAGE
    results = PAGE.partition("| attribute |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in results.splitlines()[2:]))) == {
        field.name for field in dataclasses.fields(translate.Translation)
    }
    assert re.findall(r"^\| `(\w+)` \|", PAGE.partition("### Options")[2], re.MULTILINE) == [field.name for field in dataclasses.fields(Options)]


def test_its_bounds_are_those_of_the_code():
    for name, (least, most) in (WHOLE | REAL).items():
        row = re.search(rf"^\| `{name}` \| (.*?) \|", PAGE, re.MULTILINE)[1]
        if name == "n_best":
            row = row.partition("`sample` ")[2]
        least = "0.000001" if name == "temperature" else f"{least:,}"
        assert re.search(rf"(^|\s){least}\b", row), (name, row)
        assert (
            (f"{most:,}" if isinstance(most, int) else f"{most:g}") in row
            or (name == "seed" and "2^63 - 1" in row and most == 2**63 - 1)
            or name == "top_p"
        ), (name, row)
