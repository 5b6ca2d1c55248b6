"""A bundle -> a MarianMT folder in the Hugging Face layout: `translate export --to huggingface`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from translate.bundle.bundle import Bundle
from translate.bundle.weights import weights_of, write_weights
from translate.config import ModelConfig
from translate.errors import UserError
from translate.files.atomic import atomic_folder, check_new_folder
from translate.files.paths import name_write_errors
from translate.huggingface.weights import BIAS, layer_weights, our_order, permuted
from translate.model import Transformer
from translate.tokenizer import BOS, EOS, PAD, SOURCE_FILE, TARGET_FILE, UNK

ACTIVATIONS = {"relu": "relu", "silu": "swish", "gelu": "gelu"}


def export_marian(bundle: Bundle, folder: Path) -> None:
    """Write `bundle` as a MarianMT model, atomically, to a new folder. UserError for what that format can't hold."""
    check_new_folder(folder)
    settings, model, tokenizer = bundle.config.model, bundle.model, bundle.tokenizer
    if not isinstance(model, Transformer):
        raise UserError(f"{bundle.folder} is of model.family={settings.family}: MarianMT holds encoder_decoder only")
    for name, value in (("norm", "post"), ("attention", "scaled_dot"), ("window", 0), ("positions", "sinusoidal")):
        if getattr(settings, name) != value:
            raise UserError(f"{bundle.folder} has model.{name} {getattr(settings, name)}: MarianMT holds models with model.{name}={value} only")
    tied = model.source_embedding is model.target_embedding
    generation = {
        "num_beams": bundle.config.decoding.beam, "max_length": settings.max_tokens, "bad_words_ids": [[PAD], [BOS], [UNK]],
        "renormalize_logits": True, "pad_token_id": PAD, "eos_token_id": EOS, "decoder_start_token_id": BOS,
    }  # fmt: skip
    languages = bundle.config.data.source_language, bundle.config.data.target_language
    about = {
        "tokenizer_class": "MarianTokenizer", "source_lang": languages[0], "target_lang": languages[1], "separate_vocabs": not tied,
        "unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>", "model_max_length": settings.max_tokens,
    }  # fmt: skip
    with atomic_folder(folder) as temporary, name_write_errors(str(folder)):
        for name, content in (
            ("config.json", their_settings(settings, tokenizer.source_size, tokenizer.target_size, tied)),
            ("generation_config.json", generation),
            ("tokenizer_config.json", about),
            ("vocab.json", _numbers(tokenizer.source_pieces())),
            *([] if tied else [("target_vocab.json", _numbers(tokenizer.target_pieces()))]),
        ):
            (temporary / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        for name, own in (("source.spm", SOURCE_FILE), ("target.spm", SOURCE_FILE if tokenizer.joint else TARGET_FILE)):
            (temporary / name).write_bytes(tokenizer.models[own])
        write_weights(temporary / "model.safetensors", their_weights(model, tied), {"format": "pt"})


def their_settings(settings: ModelConfig, source_size: int, target_size: int, tied: bool) -> dict[str, Any]:
    """config.json. tied: source and target have one embedding."""
    sides = {
        f"{side}_{name}": value
        for side, layers in (("encoder", settings.encoder_layers), ("decoder", settings.decoder_layers))
        for name, value in (("layers", layers), ("attention_heads", settings.heads), ("ffn_dim", settings.feedforward))
    }
    return {
        "model_type": "marian", "architectures": ["MarianMTModel"], "vocab_size": source_size, "decoder_vocab_size": target_size,
        "d_model": settings.width, **sides, "activation_function": ACTIVATIONS[settings.activation], "dropout": settings.dropout,
        "max_position_embeddings": settings.max_tokens, "scale_embedding": settings.scale_embedding, "static_position_embeddings": True,
        "share_encoder_decoder_embeddings": tied, "tie_word_embeddings": True, "is_encoder_decoder": True, "normalize_before": False,
        "pad_token_id": PAD, "eos_token_id": EOS, "bos_token_id": BOS, "decoder_start_token_id": BOS, "forced_eos_token_id": None,
    }  # fmt: skip


def their_weights(model: Transformer, tied: bool) -> dict[str, Tensor]:
    """The weights by Marian's names, each its own tensor."""
    ours, order, theirs = weights_of(model), our_order(model.config.width), dict[str, Tensor]()
    for name, parts, rows, columns in layer_weights(model.config):
        joined = ours[name]
        for part, weight in zip(parts, joined.chunk(len(parts))):
            theirs[part] = permuted(weight, order, rows, columns)
    target = ours["target_embedding.weight"][:, order]
    if tied:
        theirs["model.shared.weight"] = target
    else:
        theirs["model.encoder.embed_tokens.weight"] = ours["source_embedding.weight"][:, order]
        theirs["model.decoder.embed_tokens.weight"] = target
    bias = torch.zeros(len(target)) if model.output_bias is None else ours["output_bias"]
    theirs[BIAS] = bias[None]
    return theirs


def _numbers(pieces: list[str]) -> dict[str, int]:
    return {piece: number for number, piece in enumerate(pieces)}
