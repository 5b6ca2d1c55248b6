"""docs/scoring.md: every command in it runs as written, and what it shows of the output is what comes out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from translate.cli.main import build_parser, main

PAGE = (Path(__file__).parent.parent / "docs" / "scoring.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line, comments=True)[1:] for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
ENGLISH = ["The dog sleeps in the small house.", "A man reads an old book by the river.", "She sees two cats under the tree."]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_runs(words, tmp_path, monkeypatch, capsys):
    """`evaluate` needs a model and is parsed alone; flores200 needs a download."""
    assert build_parser().parse_args(words).command == words[0]
    if words[0] != "score" or "flores200" in words:
        return
    monkeypatch.chdir(tmp_path)
    for name in ("reference", "first", "second", "output", "a", "b", "c"):
        for language, lines in (("en", ENGLISH), ("zh", ["我今天很高兴见到你们。", "他去了北京大学。", "这是一个测试。"])):
            text = [line.replace("old", name) if name < "d" else line for line in lines]
            Path(f"{name}.{language}").write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
    Path("second.en").write_text("".join(f"Well, {line}\n" for line in ENGLISH), encoding="utf-8")
    assert main(words) == 0
    out = capsys.readouterr().out
    if words == COMMANDS[0]:  # the table, but for its values
        shown = re.search(r"```\n(metric .*?)```", PAGE, re.DOTALL)[1]
        assert [line.split()[0] for line in shown.splitlines()] == [line.split()[0] for line in out.splitlines()]
        signatures = [[line.split()[-1].partition("|version:")[0] for line in text.splitlines()] for text in (shown, out)]
        assert signatures[0] == signatures[1]


def test_the_page_names_both_commands():
    assert {words[0] for words in COMMANDS} == {"score", "evaluate"}
