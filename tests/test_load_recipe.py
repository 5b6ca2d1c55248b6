"""load_recipe in a program of one's own: from threads, and beside a Hydra that the program has set up for itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import hydra
from hydra.core.global_hydra import GlobalHydra

from translate.compose.compose import load_recipe


def test_recipes_are_loaded_in_threads_and_inside_a_program_that_uses_hydra():
    with hydra.initialize(config_path=None, version_base="1.3"):
        outer = GlobalHydra.instance().hydra
        with ThreadPoolExecutor(4) as pool:
            seeds = [config.training.seed for config in pool.map(lambda seed: load_recipe("quickstart", f"training.seed={seed}"), range(8))]
        assert seeds == list(range(8)) and GlobalHydra.instance().hydra is outer
