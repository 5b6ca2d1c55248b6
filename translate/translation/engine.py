"""What runs the model: the interface of the two engines, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from translate.bundle.bundle import ModelFolder, model_folder
from translate.config import DecodingConfig
from translate.decoding import FilledOptions, Hypothesis
from translate.device import choose_device, choose_search_precision
from translate.errors import UserError
from translate.tokenizer import Tokenizer
from translate.translation.ctranslate2_engine import load_ctranslate2
from translate.translation.threads import run_in_new_thread
from translate.translation.torch_engine import TorchEngine

Search = Callable[[list[list[int]], list[int], FilledOptions, list[int], int], list[list[Hypothesis]]]  # `Engine.search`


class Engine(Protocol):
    """What runs the model: torch_engine.py, or ctranslate2_engine.py."""

    max_tokens: int  # the longest source or target, end mark included
    at_once: int  # how many searches may run at the same time, in a thread each
    forkable: bool  # whether a process that was forked off after loading can search with it
    machine: dict[str, str]  # what it runs on and how it computes, for reports

    def search(
        self, sources: list[list[int]], limits: list[int], options: FilledOptions, seeds: list[int], no_repeat: int = 0
    ) -> list[list[Hypothesis]]:
        """The hypotheses of each source, best first, at least one.

        sources: ids that end in EOS. limits: for each, the most tokens of its output, end mark included. seeds: for sampling,
        `n_best` for each source. no_repeat: no n-gram of so many tokens comes twice in a hypothesis; 0 allows any.
        """
        ...


def load_engine(folder: str, device: str, precision: str, engine: str, compute_type: str) -> tuple[Engine, Tokenizer, DecodingConfig]:
    """The engine of that name with the model in `folder`, its tokenizer and how its recipe decodes. See `Translator.load`."""
    return run_in_new_thread(lambda: _load(folder, device, precision, engine, compute_type))


def _load(folder: str, device: str, precision: str, engine: str, compute_type: str) -> tuple[Engine, Tokenizer, DecodingConfig]:
    if engine not in ("torch", "ctranslate2"):
        raise UserError(f"engine is {engine!r}: choose torch or ctranslate2")
    if engine == "ctranslate2" and precision != "auto":
        raise UserError(f"precision {precision} is for engine torch: choose it, or use compute_type with engine ctranslate2")
    if engine == "torch" and compute_type != "default":
        raise UserError(f"compute type {compute_type} is for engine ctranslate2: choose it, or use precision with engine torch")
    chosen = choose_device(device)
    model = ModelFolder(model_folder(folder))
    if engine == "ctranslate2":
        return load_ctranslate2(model, chosen, compute_type)
    products, single = choose_search_precision(precision, chosen), choose_search_precision(precision, chosen, single=True)
    bundle = model.load(chosen)
    return TorchEngine.owning(bundle.model, chosen, products, single), bundle.tokenizer, bundle.config.decoding
