"""Translation by the decoder alone: source and target are one text, read by one stack ("Improving language understanding by generative
pre-training", Radford et al. 2018, section 3.3: the input as one sequence with a delimiter).

    token      Das   Haus  .     EOS   BOS   The    house  .        BOS is the delimiter
    position   0     1     2     3     0     1      2      3
    predicts                           The   house  .      EOS      `loss_on: target`
               Haus  .     EOS         The   house  .      EOS      `loss_on: all`

`prefix: causal` lets each token see those before it, as in GPT. With `prefix: bidirectional` the tokens of the source see each other from both sides,
like an encoder's: the prefix LM ("Exploring the limits of transfer learning with a unified text-to-text transformer", Raffel et al. 2020, section
3.2.1). A source token then sees the next one, so a loss on the source teaches it only to copy. Zhang et al. 2022 ("Examining scaling and transfer of
language model architectures for machine translation") compare the four: at small sizes, causal masks and a loss on the source both hurt.
"""

from __future__ import annotations

import torch
from torch import Tensor

from translate.config import ModelConfig
from translate.model.attention import causal_mask
from translate.model.layers import final_norm
from translate.model.model import Model, empty_embedding
from translate.model.stack import Appended, Prefix, PrefixCache, Stack, padding_mask
from translate.tokenizer import BOS, PAD


class DecoderOnly(Model):
    """A stack of layers over pairs. For search the source is a prefix, whose keys and values are computed once.

    In a batch the padding of the source lies between source and target, and is masked out. Positions restart in the target, as in Conneau and Lample
    2019 ("Cross-lingual language model pretraining", section 3.3): a target token finds its place in the source more easily if both have about the
    same position, so the first steps learn more. docs/experiments.md has the comparison with positions that go on.
    """

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        super().__init__(config, source_size, target_size, tied)
        self.objective = {"target": "translation", "all": "both_sides"}[config.loss_on]
        self.source_embedding = self.target_embedding if tied else empty_embedding(source_size, config.width)
        self.decoder = Stack(config)
        self.decoder_norm = final_norm(config)
        self.initialise()

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """(B, S), (B, T) -> (B, T, D), or with `loss_on: all` (B, S + T, D): see the objective both_sides."""
        S, tokens = source.shape[1], source != PAD
        states = torch.cat([self.embed_source(source), self.embed_target(target)], dim=1)
        states = self.decoder_norm(self.decoder(states, self.mask(tokens, target.shape[1])))
        return states if self.config.loss_on == "all" else states[:, S:]

    def mask(self, tokens: Tensor, T: int) -> Tensor:
        """What may attend to what: source tokens (B, S), False at padding, and T target tokens -> (B, 1, S + T, S + T)."""
        B, S = tokens.shape
        allowed = causal_mask(S + T, tokens.device)
        if self.config.prefix == "bidirectional":
            allowed[:S, :S] = True
        real = torch.cat([tokens, tokens.new_ones((B, T))], dim=1)  # padding of the target lies after every real token, which can't see it
        return allowed & real[:, None, None, :]

    def embed_source(self, source: Tensor) -> Tensor:
        self.check_length(source.shape[1])
        return self.embed(self.source_embedding, source, self.positions[: source.shape[1]])

    def embed_target(self, target: Tensor) -> Tensor:
        self.check_length(target.shape[1])
        return self.embed(self.target_embedding, target, self.positions[: target.shape[1]])

    def encode(self, source: Tensor) -> Prefix:
        """Read the sources (B, S)."""
        tokens = source != PAD
        key_value = self.decoder.read(self.embed_source(source), self.mask(tokens, 0))
        return Prefix(key_value, padding_mask(tokens), torch.zeros_like(source[:, 0]), torch.full_like(source[:, 0], BOS))

    def cross_attention(self, target: Tensor, memory: Prefix, layer: int) -> Tensor:
        """Weights of the self-attention in `layer`, from 0, of target tokens on source tokens alone: (B, T) -> (B, H, T, S).

        Of what a token takes from source and target, the part from the source, divided by its sum: that is the softmax over the source alone.
        """
        T, (B, S) = target.shape[1], (memory.key_value.shape[2], memory.key_value.shape[4])
        own = causal_mask(T, target.device).expand(B, 1, T, T)
        prefix = own.new_ones((B, 1, 1, S)) if memory.tokens is None else memory.tokens
        mask = torch.cat([prefix.expand(B, 1, T, S), own], dim=-1)
        states = self.embed_target(target)
        for below, key_value in zip(self.decoder.layers[:layer], memory.key_value):
            states = below(states, mask, False, Appended(key_value))
        return self.decoder.layers[layer].weights(states, memory.key_value[layer, 0], memory.tokens)

    def start(self, memory: Prefix) -> PrefixCache:
        """The cache before the first target token, with one hypothesis a sentence."""
        return PrefixCache(memory)

    def step_features(self, last: Tensor, cache: PrefixCache) -> tuple[Tensor, PrefixCache]:
        """`step` without the output layer: (N,) -> (N, D)."""
        self.check_length(cache.steps + 1)
        states = self.embed(self.target_embedding, cache.ids(last), cache.next_positions(self.positions))
        return self.decoder_norm(self.decoder.step(states, cache)).flatten(0, 1), cache
