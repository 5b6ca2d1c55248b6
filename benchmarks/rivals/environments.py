"""What the comparisons share: their options, and a virtual environment for each rival, with the versions of NAME.txt beside this file (what is in
NAME.alone.txt is installed without its dependencies)."""

from __future__ import annotations

import argparse
import os
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


def add_options(parser: argparse.ArgumentParser, contestants: list[str]) -> None:
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=contestants, help="some of the contestants, by the beginning of their names")
    parser.add_argument("--environments", type=Path, default=Path.home() / ".cache" / "translate-nmt" / "rivals")
    parser.add_argument("--json", type=Path, help="write the figures here")


def chosen(arguments: argparse.Namespace, environments: dict[str, str]) -> dict[str, str]:
    """The contestants that `arguments` ask for and this machine can run, each with its interpreter; the environment "" is this one."""
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    names = [name for name in environments if any(name.startswith(wanted) for wanted in arguments.only)]
    if not multiplies_bf16():
        names = [name for name in names if "bf16" not in name]
    if not multiplies_fp16():
        names = [name for name in names if "fp16" not in name]
    return {name: python_of(environments[name], arguments.environments) if environments[name] else sys.executable for name in names}


def multiplies_fp16() -> bool:
    from translate.device import multiplies_fp16_weights

    return multiplies_fp16_weights()


def multiplies_bf16() -> bool:
    import torch

    from translate.device import choose_precision

    return choose_precision("auto", torch.device("cpu")) == torch.bfloat16
