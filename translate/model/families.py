"""The families of models, by the names that `model.family` has in a recipe."""

from __future__ import annotations

from translate.config import ModelConfig
from translate.model.decoder_only import DecoderOnly
from translate.model.language_model import LanguageModel
from translate.model.markov import Markov
from translate.model.masked_lm import MaskedLanguageModel
from translate.model.model import Model
from translate.model.recurrent import Recurrent
from translate.model.transformer import Transformer

FAMILIES: dict[str, type[Model]] = {
    "encoder_decoder": Transformer,
    "decoder_only": DecoderOnly,
    "recurrent": Recurrent,
    "language_model": LanguageModel,
    "masked_lm": MaskedLanguageModel,
    "markov": Markov,
}


def new_model(config: ModelConfig, source_size: int, target_size: int, tied: bool) -> Model:
    """A model with random weights from torch's generator. tied: source and target have the same tokenizer, and so one embedding."""
    return FAMILIES[config.family](config, source_size, target_size, tied)
