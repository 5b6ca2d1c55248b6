"""The decoder alone, a language model: "Improving language understanding by generative pre-training" (GPT; Radford et al. 2018).

Each token is predicted from those before it. `model(empty, target)` for training, where `empty` is a source without tokens (B, 0); for generation
`encode` reads a prompt, and `step` goes on from it.

Other than in GPT the positions are sinusoids (Vaswani et al. 2017, section 3.5), the activation is ReLU, and `norm` may be pre (Radford et al. 2019).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from translate.config import ModelConfig
from translate.model.attention import causal_mask
from translate.model.layers import final_norm
from translate.model.model import Model
from translate.model.stack import Prefix, PrefixCache, Stack, padding_mask
from translate.tokenizer import BOS, PAD


class LanguageModel(Model):
    """A stack of layers over one text. It has no source: where there are two tokenizers, it is of the target's language."""

    translates: ClassVar[bool] = False
    objective = "next_token"
    command: ClassVar[str] = "generate"

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        super().__init__(config, source_size, target_size, tied)
        self.decoder = Stack(config)
        self.decoder_norm = final_norm(config)
        self.initialise()

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """(B, 0), (B, T) -> (B, T, D). Padding needs no mask: it lies after every real token. ValueError for a source."""
        if source.shape[1]:
            raise ValueError(f"a language model has no source, and this one has {source.shape[1]:,} tokens: begin the target with them")
        self.check_length(target.shape[1])
        states = self.embed(self.target_embedding, target, self.positions[: target.shape[1]])
        return self.decoder_norm(self.decoder(states, is_causal=True))

    def encode(self, prompt: Tensor) -> Prefix:
        """Read the beginnings of B texts, (B, S) without BOS, with PAD on the right; S may be 0.

        A text is BOS, its prompt, and what search adds. The first step, to which search gives BOS, reads the last token of all that is there; the
        prefix is what comes before it: nothing if the prompt is empty.
        """
        text = torch.cat([prompt.new_full((len(prompt), 1), BOS), prompt], dim=1)
        self.check_length(text.shape[1])
        lengths = (prompt != PAD).sum(1)
        first = text.gather(1, lengths[:, None]).squeeze(1)
        S = prompt.shape[1]
        text = text[:, : max(1, S)]  # without prompts BOS is read for nothing: matrix products of no rows are not to be relied on
        states = self.embed(self.target_embedding, text, self.positions[: text.shape[1]])
        key_value = self.decoder.read(states, causal_mask(text.shape[1], text.device))[..., :S, :]
        return Prefix(key_value, padding_mask(torch.arange(S, device=text.device) < lengths[:, None]), lengths, first)

    def start(self, memory: Prefix) -> PrefixCache:
        """The cache before the first step, with one hypothesis a text."""
        return PrefixCache(memory)

    def step_features(self, last: Tensor, cache: PrefixCache) -> tuple[Tensor, PrefixCache]:
        """`step` without the output layer: (N,) -> (N, D). Positions go on from the length of each prompt."""
        self.check_length(cache.prefix + cache.steps + 1)
        states = self.embed(self.target_embedding, cache.ids(last), cache.next_positions(self.positions))
        return self.decoder_norm(self.decoder.step(states, cache)).flatten(0, 1), cache
