"""The oldest versions that pyproject.toml allows, as requirements for pip, so that its floors can be tested:

    python -m venv /tmp/oldest
    python -m tests.oldest > /tmp/oldest/requirements.txt
    /tmp/oldest/bin/pip install -r /tmp/oldest/requirements.txt -e .
    /tmp/oldest/bin/python -m pytest

What those packages bring with them is the newest that fits. A floor that fails is raised.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def floors() -> dict[str, str]:
    """The oldest allowed version of each dependency, those of the extras included, except for the tools of `dev` and `docs`."""
    import tomllib  # Python 3.11

    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = [extra for name, extra in project["optional-dependencies"].items() if name not in ("dev", "docs")]
    requirements = [*project["dependencies"], *(one for extra in extras for one in extra)]
    found = {}
    for requirement in requirements:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)(,<[0-9.]+)?( *;.*)?", requirement)
        if not match:
            raise ValueError(f"{requirement} has no floor, NAME>=VERSION")
        if found.setdefault(match[1], match[2]) != match[2]:
            raise ValueError(f"{match[1]} has two floors: {found[match[1]]} and {match[2]}")
    return found


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}=={version}\n" for name, version in floors().items()))
