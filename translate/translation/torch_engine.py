"""Search with the toolkit's own model: a batch of ids in, hypotheses out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy
import torch

from translate.decoding import FilledOptions, Hypothesis, Step, beam_search, diverse_beam_search, sample
from translate.device import autocast, keep_freed_memory
from translate.kernels import for_search
from translate.kernels.packed import PackedModel
from translate.model import KVCache, Model
from translate.tokenizer import BOS, EOS, PAD, UNK
from translate.tokenizer.padding import pad
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.ensemble import Ensemble
from translate.translation.fusion import Fusion
from translate.translation.recording import Recording, recorded
from translate.translation.threads import search_threads

Searchable = Model | PackedModel | Ensemble
BANNED = (PAD, BOS, UNK)
TOGETHER = 64  # outputs aligned at once


class TorchEngine:
    """On a CPU, products run in the precision in which the model was packed (kernels/packed.py); on CUDA, under autocast to `precision`."""

    def __init__(
        self,
        model: Searchable,
        device: torch.device,
        precision: torch.dtype = torch.float32,
        single: Searchable | None = None,
        alignment: AlignmentHeads | None = None,
        symbols: Sequence[int] = (),
    ) -> None:
        """single: a different model for batches of one sentence. alignment: what `align` reads. symbols: ids of placeholders."""
        model.eval()  # no dropout
        self.model, self.single, self.device, self.precision = model, single or model, device, precision
        self.alignment = alignment or AlignmentHeads.default(model.config)
        self.symbols = symbols
        self.fusion: Fusion | None = None  # a language model that scores translations too
        self.max_tokens = model.config.max_tokens
        self.at_once = search_threads(device)
        self.forkable = device.type == "cpu"
        self.machine = {"device": device.type, "precision": str(precision).removeprefix("torch.")}

    @classmethod
    def owning(
        cls,
        model: Model,
        device: torch.device,
        precision: torch.dtype,
        single: torch.dtype | None = None,
        alignment: AlignmentHeads | None = None,
        symbols: Sequence[int] = (),
        others: Sequence[Model] = (),
    ) -> TorchEngine:
        """Prepares `model` for inference; it can no longer be trained.

        single: precision for batches of one sentence, if different. others: further models, for an ensemble.
        """
        if device.type == "cpu":
            keep_freed_memory()

        def prepared(models: Sequence[Model], precision: torch.dtype) -> Searchable:
            ready = [for_search(each, device, precision) for each in models]
            return Ensemble(ready) if len(ready) > 1 else ready[0]

        copy = None if single is None or single == precision else prepared([deepcopy(each) for each in (model, *others)], single)
        engine = cls(prepared([model, *others], precision), device, precision, copy, alignment, symbols)
        engine.max_tokens = min(each.config.max_tokens for each in (model, *others))
        return engine

    @torch.no_grad()  # in inference mode autocast would convert the weights again at every step
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
        """See `engine.Engine`."""
        with self._autocast():
            model = self._model(len(sources))
            memory = model.encode(pad(sources).to(self.device))
            if options.draws:
                found = self._sample(model, memory, limits, options, seeds, required)
            else:
                step, state = self._start(model, memory, len(limits))
                recording = Recording(state, self.alignment) if align and options.beam == 1 and self._can_record(state) else None
                step = recorded(step) if recording else step
                search = functools.partial(diverse_beam_search, groups=options.diverse) if options.diverse > 1 else beam_search
                found = search(
                    step, recording or state, torch.tensor(limits, device=self.device), BOS, EOS, beam=options.beam,
                    length_penalty=options.length_penalty, n_best=options.n_best, banned=BANNED, no_repeat=no_repeat, required=required,
                    symbols=self.symbols,
                )  # fmt: skip
                if recording:
                    return recording.attach(found, sources)
            return self._with_attention(model, memory, sources, found) if align else found

    @torch.no_grad()
    def align(self, sources: list[list[int]], outputs: list[list[int]]) -> list[numpy.ndarray]:
        """See `engine.Engine`."""
        if not sources:
            return []
        with self._autocast():
            model = self._model(len(sources))
            return self._attention(model, model.encode(pad(sources).to(self.device)), sources, outputs)

    def _can_record(self, state: Any) -> bool:
        """Whether the queries of a search tell the weights of its cross-attention: other scores than the scaled dot product need more."""
        settings = self.model.config
        return isinstance(state, KVCache) and settings.attention == "scaled_dot" and not settings.window

    def _start(self, model: Searchable, memory: Any, rows: int) -> tuple[Step[Any], Any]:
        """What a search of so many rows begins with: step and state."""
        step, state = model.step, model.start(memory)
        return self.fusion.join(step, state, rows, self.device) if self.fusion else (step, state)

    def _model(self, sentences: int) -> Searchable:
        return self.single if sentences == 1 else self.model

    def _autocast(self) -> AbstractContextManager[None]:
        return autocast(self.device, self.precision if self.device.type == "cuda" else torch.float32)

    def _sample(
        self,
        model: Searchable,
        memory: Any,
        limits: list[int],
        options: FilledOptions,
        seeds: list[int],
        required: list[list[int]] | None,
    ) -> list[list[Hypothesis]]:
        """Each source takes `options.draws` rows, each with its own seed."""
        n = options.draws
        step, state = self._start(model, repeated(memory, [n] * len(limits), self.device), n * len(limits))
        rows = torch.tensor(limits, device=self.device).repeat_interleave(n)
        cuts = (options.temperature, options.top_k, options.top_p)
        forced = [ids for ids in required for _ in range(n)] if required else None
        samples = sample(step, state, rows, BOS, EOS, *cuts, seeds, options.length_penalty, BANNED, forced, self.symbols)
        return [[hypothesis for row in samples[first : first + n] for hypothesis in row] for first in range(0, len(samples), n)]

    def _with_attention(self, model: Searchable, memory: Any, sources: list[list[int]], found: list[list[Hypothesis]]) -> list[list[Hypothesis]]:
        """The hypotheses of each source, `found`, with their attention."""
        counts = [len(hypotheses) for hypotheses in found]
        rows = [source for source, count in zip(sources, counts) for _ in range(count)]
        outputs = [hypothesis.ids for hypotheses in found for hypothesis in hypotheses]
        matrices = iter(self._attention(model, repeated(memory, counts, self.device), rows, outputs))
        return [[replace(hypothesis, attention=next(matrices)) for hypothesis in hypotheses] for hypotheses in found]

    def _attention(self, model: Searchable, memory: Any, sources: list[list[int]], outputs: list[list[int]]) -> list[numpy.ndarray]:
        """`align` with the encoder's output. Outputs of similar length go together, which saves a sixth of the time (greedy, batches of 250)."""
        alignment, found = self.alignment, dict[int, numpy.ndarray]()
        most = self.max_tokens - 1  # an output without end mark may have one token more, of which no step is the input
        order = sorted(range(len(outputs)), key=lambda row: len(outputs[row]))
        for first in range(0, len(order), TOGETHER):
            rows = order[first : first + TOGETHER]
            # the step after the last token is only of use if attention is read one step late
            target = pad([[BOS, *outputs[row][:most]][: len(outputs[row]) + alignment.shift] or [BOS] for row in rows]).to(self.device)
            some = memory if rows == list(range(len(outputs))) else memory.select(torch.tensor(rows, device=self.device))
            weights = alignment.mean(model.cross_attention(target, some, alignment.layer)).cpu().numpy()  # (B, T, S)
            for row, matrix in zip(rows, weights):
                length = len(outputs[row])
                found[row] = alignment.rows(matrix[: length + alignment.shift, : len(sources[row])], length)
        return [found[row] for row in range(len(outputs))]


def repeated(memory: Any, counts: list[int], device: torch.device) -> Any:
    """Sentence i `counts[i]` times."""
    if all(count == 1 for count in counts):
        return memory
    return memory.select(torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)).to(device))
