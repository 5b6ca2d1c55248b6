"""`python -m translate`: the same as the `translate` command."""

from __future__ import annotations

import sys

from translate.cli.main import main

if __name__ == "__main__":  # not in the worker processes that data preparation spawns
    sys.exit(main())
