"""The interface of the two engines that run the model, and loading one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy

from translate.bundle.bundle import ModelFolder, check_command, model_folder
from translate.config import Config
from translate.decoding import FilledOptions, Hypothesis
from translate.device import choose_device, choose_search_precision
from translate.errors import UserError
from translate.profile import Calibration, Profile
from translate.text.placeholders import SYMBOLS
from translate.tokenizer import Tokenizer
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.ctranslate2_engine import load_ctranslate2
from translate.translation.ensemble import load_others
from translate.translation.fusion import check_fusion, load_fusion
from translate.translation.threads import run_in_new_thread
from translate.translation.torch_engine import TorchEngine

Search = Callable[..., list[list[Hypothesis]]]  # `Engine.search`


class Engine(Protocol):
    """Runs the model: see torch_engine.py and ctranslate2_engine.py."""

    max_tokens: int  # the longest source or target, end mark included
    at_once: int  # searches that may run at the same time, each in its own thread
    forkable: bool  # whether a process forked after loading can search with it
    machine: dict[str, str]  # device and precision, for reports
    alignment: AlignmentHeads  # what `align` reads

    def search(
        self,
        sources: list[list[int]],
        limits: list[int],
        options: FilledOptions,
        seeds: list[int],
        no_repeat: int = 0,
        align: bool = False,
        required: list[list[int]] | None = None,
    ) -> list[list[Hypothesis]]:
        """The hypotheses of each source, best first, at least one; or the samples (`options.draws` of them) as they are drawn.

        sources: ids that end in EOS. limits: for each, the most output tokens, including the end mark. seeds: for sampling,
        `options.draws` for each source. no_repeat: forbid repeated n-grams of this length in a hypothesis; 0 allows any. align: also set the
        `attention` of each hypothesis, as from `align`, which costs less here than there. required: for each source, ids that each
        hypothesis must hold as often as they stand there, and no more often, while it holds no other placeholder symbol
        (decoding/required.py); engine ctranslate2 can't, and searches without.
        """
        ...

    def align(self, sources: list[list[int]], outputs: list[list[int]]) -> list[numpy.ndarray]:
        """Which source tokens each output token came from, of any pairs, found by search or not: cross-attention.

        Row t tells of output token t. It is the mean over some heads of one decoder layer, at one step: `translation/alignment_heads.py` says which.

        sources: ids that end in EOS. outputs: ids without begin and end mark. Returns for each pair a float32 matrix (T, S), T and S their
        lengths; each row adds up to 1. All pairs are one batch: give pairs of similar length.
        """
        ...


def load_engine(
    folder: str, device: str, precision: str, engine: str, compute_type: str, fuse: str | None = None, fuse_weight: float | None = None,
    ensemble: Sequence[str] = (),
) -> tuple[Engine, Tokenizer, Config, Profile]:  # fmt: skip
    """The named engine with the model in `folder`, its tokenizer, settings and profile. See `Translator.load`."""
    return run_in_new_thread(lambda: _load(folder, device, precision, engine, compute_type, fuse, fuse_weight, ensemble))


def _load(
    folder: str, device: str, precision: str, engine: str, compute_type: str, fuse: str | None, fuse_weight: float | None, ensemble: Sequence[str]
) -> tuple[Engine, Tokenizer, Config, Profile]:
    check_fusion(fuse, fuse_weight)
    if fuse and engine == "ctranslate2":
        raise UserError(f"fuse ({fuse}) is for engine torch: CTranslate2 searches with one model")
    if ensemble and engine == "ctranslate2":
        raise UserError(f"several models ({', '.join((folder, *ensemble))}) are for engine torch: CTranslate2 searches with one model")
    if engine not in ("torch", "ctranslate2"):
        raise UserError(f"engine is {engine!r}: choose torch or ctranslate2")
    if engine == "ctranslate2" and precision != "auto":
        raise UserError(f"precision {precision} is for engine torch: choose it, or use compute_type with engine ctranslate2")
    if engine == "torch" and compute_type != "default":
        raise UserError(f"compute type {compute_type} is for engine ctranslate2: choose it, or use precision with engine torch")
    chosen = choose_device(device)
    model = ModelFolder(model_folder(folder))
    check_command(model.config, "file", folder)
    if engine == "ctranslate2":
        return load_ctranslate2(model, chosen, compute_type)
    products, single = choose_search_precision(precision, chosen), choose_search_precision(precision, chosen, single=True)
    bundle = model.load(chosen)
    alignment = AlignmentHeads.of(bundle.profile, bundle.config.model)
    symbols = bundle.tokenizer.symbol_ids(SYMBOLS) or ()
    others, profile = load_others(ensemble, model, chosen), bundle.profile
    running = TorchEngine.owning(bundle.model, chosen, products, single, alignment, symbols, others)
    if fuse is not None and fuse_weight is not None:
        running.fusion = load_fusion(fuse, fuse_weight, model, precision, chosen)
    if fuse is not None or ensemble:
        profile = replace(profile, calibration=Calibration())  # it was measured without
    return running, bundle.tokenizer, bundle.config, profile
