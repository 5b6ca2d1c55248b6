"""A few cases of each kind of tests/fuzz.py: damaged files of bundles, corpora and recipes are refused in one line, or read."""

from __future__ import annotations

import pytest

from tests.fuzz import KINDS, Worker


@pytest.fixture(scope="module")
def worker():
    worker = Worker()
    yield worker
    worker.stop()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "text"])
def test_mutated_files_are_refused_in_one_line_or_read(worker, kind):
    cases = {"recipe": 15}.get(kind, 150)
    outcomes = [worker.run(kind, seed) for seed in range(cases)]
    assert not [f"seed {seed}: {outcome}" for seed, outcome in enumerate(outcomes) if outcome.startswith("FAILED")]
    assert "refused" in outcomes and (kind in ("gz", "xz", "bz2") or len(set(outcomes)) > 1)  # those have checksums that miss nothing
