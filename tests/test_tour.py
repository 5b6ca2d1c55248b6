"""docs/tour.ipynb runs from top to bottom, and is committed as it ran.

To write its outputs anew, with jupyterlab and ipywidgets installed: jupyter nbconvert --to notebook --execute --inplace docs/tour.ipynb
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOK = json.loads((ROOT / "docs" / "tour.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
TEXT = "\n".join("".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "markdown")


@pytest.mark.slow  # half a minute
def test_it_runs(tmp_path):
    pytest.importorskip("matplotlib")
    program = tmp_path / "tour.py"
    program.write_text("\n\n".join("".join(cell["source"]) for cell in CODE), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, program], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-3000:]
    first, later = (float(re.search(pattern, done.stdout)[1]) for pattern in (r"first step: loss (\S+);", r"steps later: (\S+);"))
    assert first > 3 and later < 1.5
    by_hand, theirs = (re.search(rf"^{name} +(.*)$", done.stdout, re.MULTILINE)[1] for name in ("by hand", "the toolkit"))
    assert by_hand == theirs
    bleu = re.search(r"^BLEU (\S+) \[.*\]  nrefs:1\|bs:1000\|seed:12345\|case:mixed\|", done.stdout, re.MULTILINE)
    assert float(bleu[1]) > 10  # a model that has learned nothing has 0


def test_it_is_committed_with_its_outputs():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1)), "run all cells in order and save"
    outputs = [output for cell in CODE for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert len(json.dumps(outputs)) < 300_000, "smaller pictures, please"
    assert not re.search(r"/(home|tmp|root|work|Users)/", json.dumps(outputs)), "a path of somebody's machine"


def test_the_files_it_names_exist():
    names = [name for line in TEXT.splitlines() if "translate/" in line for name in re.findall(r"`(?:(translate/\w+)/)?(\w+\.py)`", line)]
    folder = ""
    for place, file in names:  # `layers.py` after `translate/model/attention.py` is in the same folder
        folder = place or folder
        assert (ROOT / folder / file).exists(), (folder, file)
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
    assert len(names) >= 10
