"""Each dependency has a floor, and the versions that are tested are not below it."""

from __future__ import annotations

import pytest

pytest.importorskip("tomllib")  # Python 3.11

from tests.oldest import PROJECT, floors  # noqa: E402


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]


def test_floors_and_tested_versions_agree():
    lines = (PROJECT.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = {name.lower().replace("_", "-"): version for name, _, version in (line.partition("==") for line in lines if "==" in line)}
    found = floors()
    assert {"torch", "sentencepiece", "ray", "pytest"} <= set(found)
    assert {name for name, floor in found.items() if numbers(tested[name.lower().replace("_", "-")]) < numbers(floor)} == set()


def test_no_floor_lets_in_a_version_with_a_known_hole():
    assert numbers(floors()["sentencepiece"]) >= [0, 2, 1]  # CVE-2026-1260
