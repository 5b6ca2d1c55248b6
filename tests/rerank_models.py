"""Small models for tests of reranking: one that translates, reverse models and language models with tokenizers of their own, all untrained."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.conftest import make_untrained
from translate.bundle.bundle import Bundle, ModelFolder, build_model, write_config, write_model
from translate.config import Config, DataConfig, DecodingConfig, FilterConfig, ModelConfig, TokenizerConfig, TrainingConfig
from translate.tokenizer import BOS, train_tokenizer
from translate.translation.rerank_file import Reranking, named_model, scoring_model, write_reranking

ENGLISH = ["The dog sleeps.", "Good morning!", "The cat walks home.", "Where is the station?", "Hunde und Katzen schlafen.", "Morgen ist Montag."]
REVERSE_FAMILIES = {
    "encoder_decoder": {"family": "encoder_decoder"},
    "decoder_only": {"family": "decoder_only", "encoder_layers": 0},
    "decoder_only_all": {"family": "decoder_only", "encoder_layers": 0, "loss_on": "all"},
    "recurrent": {"family": "recurrent", "feedforward": 1024, "cell": "gru", "attention": "additive"},
}
LANGUAGE_FAMILIES = {
    "language_model": {"family": "language_model", "encoder_layers": 0},
    "markov": {"family": "markov", "width": 256, "heads": 4, "feedforward": 1024, "encoder_layers": 0, "decoder_layers": 0},
}


def make_reverse(folder: Path, seed: int = 3, **model) -> Path:
    """English to German, with other pieces than `make_untrained` has."""
    settings = {"width": 16, "heads": 2, "feedforward": 32, "encoder_layers": 1, "decoder_layers": 1, "max_tokens": 40, **model}
    config = Config(
        data=DataConfig(source_language="en", target_language="de", filters=FilterConfig(max_tokens=40)), tokenizer=TokenizerConfig(vocabulary=290),
        model=ModelConfig(**settings), training=TrainingConfig(seed=seed), decoding=DecodingConfig(beam=2),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer([(line, line) for line in ENGLISH], config.tokenizer, folder)
    network = build_model(config, tokenizer)
    with torch.no_grad():
        network.target_embedding.weight.mul_(1.5)
    write_config(folder, config, tokenizer)
    write_model(Bundle(folder, config, tokenizer, network), "no data")
    return folder


def make_language_model(folder: Path, family: str = "language_model", **model) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return make_untrained(folder, **{**LANGUAGE_FAMILIES[family], **model})


def rerank_file(
    path: Path, models: list[Path], reverse: Path | None, language_model: Path | None, weights: dict[str, float], n_best: int = 4, beam: int = 4
) -> Path:  # fmt: skip
    """A file as `translate rerank` writes it, with weights that nothing was tuned on."""
    named = {kind: folder for kind, folder in (("reverse", reverse), ("language_model", language_model)) if folder}
    folders = {kind: named_model(scoring_model(str(folder), kind, ("de", "en")), str(path)) for kind, folder in named.items()}
    translating = [named_model(ModelFolder(model), str(path)) for model in models]
    write_reranking(str(path), Reranking(models=translating, **folders, n_best=n_best, beam=beam, length_penalty=1.0, weights=weights))
    return path


@torch.no_grad()
def by_steps(bundle: Bundle, source: str | None, text: str) -> float:
    """ln p(text | source), or ln p(text), one step of search after the other."""
    ids = bundle.tokenizer.encode_target([text])[0]
    read = torch.tensor(bundle.tokenizer.encode_source([source])) if source is not None else torch.zeros((1, 0), dtype=torch.int64)
    state, last, total = bundle.model.start(bundle.model.encode(read)), BOS, 0.0
    for index in ids:
        scores, state = bundle.model.step(torch.tensor([last]), state)
        total += scores[0].double().log_softmax(-1)[index].item()
        last = index
    return total
