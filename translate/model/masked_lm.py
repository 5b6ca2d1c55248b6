"""The masked language model: `model(source, target)` guesses the tokens that were taken out of a text, from both sides of each gap.

Devlin et al. 2019, "BERT: Pre-training of deep bidirectional Transformers for language understanding". With sentence pairs it is the translation
language model of Conneau and Lample 2019, "Cross-lingual language model pretraining", section 3.3: a gap on one side may be filled from the other.
What is masked is decided in data/masking.py.

The encoder alone, with the parameter names of the encoder-decoder, so that its weights can start one (`init.encoder`).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.model.layers import final_norm
from translate.model.model import Model
from translate.model.transformer import Encoder
from translate.tokenizer import PAD


class MaskedLanguageModel(Model):
    """An encoder over two segments, source and target, of which one may be empty; one embedding for both and for the output.

    Positions restart in the target, as Conneau and Lample 2019 have it, so each side may have `max_tokens`. BERT learns a vector for either segment;
    only their difference matters, so here the source's is 0 and the target's is learnt: what a source goes through is then exactly the encoder
    that a translation model has.
    """

    translates: ClassVar[bool] = False
    objective: str = "masked"
    command: ClassVar[str] = "fill"

    def __init__(self, config: ModelConfig, source_size: int, target_size: int, tied: bool = True) -> None:
        super().__init__(config, source_size, target_size, tied)
        assert tied, "config.check has refused a tokenizer for each language"
        self.segment_embedding = nn.Parameter(torch.empty(config.width))  # added to each token of the target
        self.encoder = Encoder(config)
        self.encoder_norm = final_norm(config)
        self.initialise()

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """The states of all tokens, first the source's: (B, S), (B, T) -> (B, S + T, D). S or T may be 0; padding is seen by no token."""
        self.check_length(max(source.shape[1], target.shape[1]))
        tokens = torch.cat([source, target], dim=1) != PAD  # (B, S + T)
        mask = None if not source.is_cuda and bool(tokens.all()) else tokens[:, None, None, :]
        first = self.embed(self.target_embedding, source, self.positions[: source.shape[1]])
        second = self.embed(self.target_embedding, target, self.positions[: target.shape[1]] + self.segment_embedding)
        return self.encoder_norm(self.encoder(torch.cat([first, second], dim=1), mask))
