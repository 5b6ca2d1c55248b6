"""Search with the toolkit's own model: a batch of ids in, hypotheses out."""

from __future__ import annotations

from copy import deepcopy

import torch

from translate.decoding import FilledOptions, Hypothesis, beam_search, sample
from translate.device import autocast, keep_freed_memory
from translate.kernels import for_search
from translate.kernels.packed import PackedTransformer
from translate.model import Transformer
from translate.tokenizer import BOS, EOS, PAD, UNK
from translate.tokenizer.padding import pad
from translate.translation.threads import search_threads

BANNED = (PAD, BOS, UNK)


class TorchEngine:
    """On a CPU, products run in the precision in which the model was packed (kernels/packed.py); on CUDA, under autocast to `precision`."""

    def __init__(
        self,
        model: Transformer | PackedTransformer,
        device: torch.device,
        precision: torch.dtype = torch.float32,
        single: Transformer | PackedTransformer | None = None,
    ) -> None:
        """single: a different model for batches of one sentence."""
        model.eval()  # no dropout
        self.model, self.single, self.device, self.precision = model, single or model, device, precision
        self.max_tokens = model.config.max_tokens
        self.at_once = search_threads(device)
        self.forkable = device.type == "cpu"
        self.machine = {"device": device.type, "precision": str(precision).removeprefix("torch.")}

    @classmethod
    def owning(cls, model: Transformer, device: torch.device, precision: torch.dtype, single: torch.dtype | None = None) -> TorchEngine:
        """Prepares `model` for inference; it can no longer be trained. single: precision for batches of one sentence, if different."""
        if device.type == "cpu":
            keep_freed_memory()
        copy = None if single in (None, precision) else for_search(deepcopy(model), device, single)
        return cls(for_search(model, device, precision), device, precision, copy)

    @torch.no_grad()  # in inference mode autocast would convert the weights again at every step
    def search(
        self, sources: list[list[int]], limits: list[int], options: FilledOptions, seeds: list[int], no_repeat: int = 0
    ) -> list[list[Hypothesis]]:
        """See `engine.Engine`."""
        with autocast(self.device, self.precision if self.device.type == "cuda" else torch.float32):
            if options.sample:
                return self._sample(sources, limits, options, seeds)
            return self._beam_search(sources, limits, options, no_repeat)

    def _beam_search(self, sources: list[list[int]], limits: list[int], options: FilledOptions, no_repeat: int) -> list[list[Hypothesis]]:
        model = self.single if len(sources) == 1 else self.model
        state = model.start(model.encode(pad(sources).to(self.device)))
        search = (options.beam, options.length_penalty, options.n_best)
        return beam_search(model.step, state, torch.tensor(limits, device=self.device), BOS, EOS, *search, BANNED, no_repeat)

    def _sample(self, sources: list[list[int]], limits: list[int], options: FilledOptions, seeds: list[int]) -> list[list[Hypothesis]]:
        """Each source takes `n_best` rows, each with its own seed."""
        n, model = options.n_best, self.single if len(sources) == 1 else self.model
        state = model.start(model.encode(pad([ids for ids in sources for _ in range(n)]).to(self.device)))
        rows = torch.tensor(limits, device=self.device).repeat_interleave(n)
        cuts = (options.temperature, options.top_k, options.top_p)
        samples = sample(model.step, state, rows, BOS, EOS, *cuts, seeds, options.length_penalty, BANNED)
        return [[hypothesis for row in samples[first : first + n] for hypothesis in row] for first in range(0, len(samples), n)]
