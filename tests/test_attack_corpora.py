"""Hostile corpora: each is refused in one line or read correctly, soon and in little memory, and nothing outside it is read or written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import datasets
import pytest

from tests.conftest import ROOT
from tests.hostile_corpora import FILES, KEPT, MADE, SECRET, kept

# each corpus in turn, with so much memory beyond what the libraries take: [name, what became of it, files opened outside]
GUARD = """
import json, resource, signal, sys

opened = []
def note(event, details):
    outside = event == "open" and ("secret" in str(details[0]) or str(details[0]).startswith(("/dev", "/etc")))
    if outside or event in ("os.system", "subprocess.Popen", "socket.connect"):
        opened.append(event + str(details))
sys.addaudithook(note)
taken = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (taken + (3 << 27), resource.RLIM_INFINITY))  # mapped files are not counted
def begin(name):
    opened.clear()
    print(name, end=" ", file=sys.stderr, flush=True)  # for whoever looks for the one that never ended
    signal.alarm(60)  # ends the process, whatever it does
"""
PROGRAM = f"""
import translate.data.corpora, pyarrow, datasets.arrow_writer, pyarrow.parquet
from translate.cli.main import explain
from translate.config import CorpusConfig, DataConfig
from translate.data.corpora import load_corpus
from translate.errors import UserError
{GUARD}
for name, settings in json.loads(sys.stdin.read()).items():
    begin(name)
    try:
        table = load_corpus(CorpusConfig(**settings), DataConfig(cache="cache"))
        outcome = list(zip(table[:2]["source"], table[:2]["target"]))
        outcome = [[side[:40] for side in pair] for pair in outcome]
    except UserError as error:
        outcome = explain(error)
    signal.alarm(0)
    print(json.dumps([name, outcome, opened]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What became of each, and the files that were opened outside of it."""
    home = tmp_path_factory.mktemp("attacks")
    datasets.Dataset.from_dict({"de": [SECRET], "en": [SECRET]}).save_to_disk(home / "secret")
    corpora = {}
    for name, make in {**{make.__name__: make for make in MADE}, **dict.fromkeys(FILES, kept)}.items():
        folder = home / name
        folder.mkdir()
        (folder / "secret.txt").write_text(f"<!ENTITY x '{SECRET}'>")
        corpora[name] = vars(make(name, folder) if make is kept else make(folder))
    before = sorted(home.rglob("*"))
    (home / "work").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ARROW_DEFAULT_MEMORY_POOL": "system", "HF_DATASETS_OFFLINE": "1"}
    words = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(words, input=json.dumps(corpora), cwd=home / "work", env=environment, capture_output=True, encoding="utf-8", timeout=300)
    shutil.rmtree(home / "work" / "cache", ignore_errors=True)
    assert not list((home / "work").iterdir()) and sorted(home.rglob("*")) == sorted([*before, home / "work"])
    found = {name: (outcome, opened) for name, outcome, opened in map(json.loads, done.stdout.splitlines())}
    assert list(found) == list(corpora), (done.stdout[-500:], done.stderr[-2000:])
    return found


def test_every_kept_file_is_tried():
    assert {path.name for path in KEPT.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", [*(make.__name__ for make in MADE), *FILES])
def test_a_hostile_corpus_is_refused_or_read_rightly(name, outcomes):
    expected = {**{make.__name__: outcome for make, outcome in MADE.items()}, **FILES}[name]
    outcome, opened = outcomes[name]
    assert not opened and SECRET not in str(outcome)
    if isinstance(expected, list):
        assert outcome == expected
    else:
        assert isinstance(outcome, str) and expected in outcome and "\n" not in outcome
