"""What docs/python.md shows runs as it stands, and its table of options has the bounds of the code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from translate.decoding.options import REAL, WHOLE

PAGE = (Path(__file__).parent.parent / "docs" / "python.md").read_text(encoding="utf-8")


def test_its_code_runs(bundle, tmp_path, monkeypatch, capsys):
    shutil.copytree(bundle, tmp_path / "runs" / "quickstart", ignore=shutil.ignore_patterns("checkpoints"))
    (tmp_path / "input.de").write_text("Guten Morgen.\nDer Hund schläft.\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    printed = capsys.readouterr().out
    assert "line 2 is None: text is needed" in printed and names["again"].translate([""]) == [""]


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
