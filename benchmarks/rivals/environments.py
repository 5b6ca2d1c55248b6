"""A virtual environment for each rival, with the versions of NAME.txt beside this file; NAME.alone.txt is installed without its dependencies."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent


def python_of(name: str, folder: Path) -> str:
    """The interpreter of rival `name`, whose environment is made in `folder` on the first call."""
    home = folder / name
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        print(f"installing {name} into {home}", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "-r", str(HERE / f"{name}.txt")], check=True)
        if (alone := HERE / f"{name}.alone.txt").exists():
            subprocess.run([*pip, "--no-deps", "-r", str(alone)], check=True)
        (home / "ready").touch()
    return str(python)
