"""Each dependency has a floor, and the versions that are tested are not below it."""

from __future__ import annotations

import pytest

pytest.importorskip("tomllib")  # Python 3.11

import tomllib

from tests.oldest import PROJECT, floors


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]


def versions_under_test() -> dict[str, str]:
    lines = (PROJECT.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {name.lower().replace("_", "-"): version for name, _, version in (line.partition("==") for line in lines if "==" in line)}


def test_floors_and_tested_versions_agree():
    tested, found = versions_under_test(), floors()
    assert {"torch", "sentencepiece", "ray", "pytest"} <= set(found)
    assert {name for name, floor in found.items() if numbers(tested[name.lower().replace("_", "-")]) < numbers(floor)} == set()


def test_no_floor_lets_in_a_version_with_a_known_hole():
    assert numbers(floors()["sentencepiece"]) >= [0, 2, 1]  # CVE-2026-1260


def test_the_tools_of_ci_are_those_of_the_dev_extra():
    tools = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]["dev"]
    tested = versions_under_test()
    assert tools == [f"{name}=={tested[name.lower()]}" for name in ("mypy", "pre-commit", "ruff", "types-PyYAML")]
