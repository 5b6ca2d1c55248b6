"""A MarianMT folder in the Hugging Face layout -> a sealed bundle: `translate import`.

Marian (Junczys-Dowmunt et al. 2018) trains the Transformer of the paper, with layer normalisation after the residual, SiLU in place of ReLU, a
bias in the output layer, and <pad> as the begin mark. Nothing here runs code from the folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from translate.bundle.bundle import Bundle, build_model, write_config, write_model
from translate.bundle.weights import load_weights, read_weights
from translate.config import Config, DataConfig, DecodingConfig, FilterConfig, ModelConfig, TokenizerConfig, check
from translate.decoding import LENGTH_PENALTY
from translate.errors import UserError
from translate.files.atomic import atomic_folder, check_new_folder
from translate.files.paths import name_write_errors
from translate.huggingface.pieces import Vocabulary, parse, vocabulary, with_vocabulary
from translate.huggingface.weights import BIAS, POSITIONS, TIED, layer_weights, marian_order, permuted
from translate.model.layers import sinusoids
from translate.tokenizer import Tokenizer
from translate.values import KINDS, short_repr

CONFIG, VOCABULARY, TARGET_VOCABULARY, TOKENIZER = "config.json", "vocab.json", "target_vocab.json", "tokenizer_config.json"
GENERATION = "generation_config.json"
SOURCE_SPM, TARGET_SPM = "source.spm", "target.spm"
WEIGHTS, PICKLED = "model.safetensors", "pytorch_model.bin"
FILES = (CONFIG, GENERATION, TOKENIZER, VOCABULARY, TARGET_VOCABULARY, SOURCE_SPM, TARGET_SPM, WEIGHTS)
NORMALIZATION = "nmt_nfkc"  # the rules are in the SentencePiece models
NEVER = -1e4  # the bias of a piece that must not be written
ACTIVATIONS = {"swish": "silu", "silu": "silu", "relu": "relu", "gelu": "gelu"}


@dataclass
class Marian:
    """A MarianMT folder: its settings, its weights by their names there, and the vocabulary of each side."""

    folder: Path
    settings: dict[str, Any]
    weights: dict[str, Tensor]
    source: Vocabulary
    target: Vocabulary
    tokenizer: Tokenizer
    languages: tuple[str, str]
    beam: int


def import_marian(folder: Path, output: Path, source_language: str | None = None, target_language: str | None = None) -> Bundle:
    """Write the model in `folder` as a bundle to `output`, a new folder, and return it.

    The languages are those in tokenizer_config.json unless given. UserError names what is missing, damaged or not supported.
    """
    check_new_folder(output)
    marian = read_marian(folder, source_language, target_language)
    config = config_of(marian, output)
    model = build_model(config, marian.tokenizer)
    load_weights(model, our_weights(marian, config.model), folder)
    with atomic_folder(output) as temporary, name_write_errors(str(output)):
        marian.tokenizer.save(temporary)
        write_config(temporary, config, marian.tokenizer)
        write_model(Bundle(temporary, config, marian.tokenizer, model), data="")
    return Bundle(output, config, marian.tokenizer, model)


def read_marian(folder: Path, source_language: str | None = None, target_language: str | None = None) -> Marian:
    """Everything in the folder. UserError as for `import_marian`."""
    settings, about = _json(folder / CONFIG), _json(folder / TOKENIZER) if (folder / TOKENIZER).exists() else {}
    if settings.get("model_type") != "marian":
        raise UserError(f"{folder / CONFIG} is of model_type {short_repr(settings.get('model_type'))}: only marian can be imported")
    models = [parse(_bytes(folder / name), name) for name in (SOURCE_SPM, TARGET_SPM)]
    shared = _setting(folder, settings, "share_encoder_decoder_embeddings", bool, True)
    numbers = _json(folder / VOCABULARY)
    if codes := [piece for piece in numbers if piece.startswith(">>") and piece.endswith("<<")]:
        raise UserError(f"{folder} translates into several languages ({', '.join(codes[:3])}, ...): only models of one pair can be imported")
    if shared:
        source = target = _vocabulary(folder, settings, numbers, "vocab_size", models)
    else:
        source = _vocabulary(folder, settings, numbers, "vocab_size", models[:1])
        target = _vocabulary(folder, settings, _json(folder / TARGET_VOCABULARY), "decoder_vocab_size", models[1:])
    written = with_vocabulary(models[0], source.pieces), with_vocabulary(models[1], target.pieces)
    tokenizer = Tokenizer(written[0], None if source is target and written[0] == written[1] else written[1], NORMALIZATION)
    languages = source_language or about.get("source_lang"), target_language or about.get("target_lang")
    if not all(isinstance(language, str) and language for language in languages):
        raise UserError(f"{folder / TOKENIZER} doesn't name the languages: give --source-language and --target-language")
    generation = _json(folder / GENERATION) if (folder / GENERATION).exists() else settings
    beams = (values["num_beams"] for values in (generation, settings) if values.get("num_beams") is not None)
    beam = _setting(folder, {"num_beams": next(beams, DecodingConfig().beam)}, "num_beams", int)
    return Marian(folder, settings, _weights(folder), source, target, tokenizer, languages, beam)  # type: ignore[arg-type]


def config_of(marian: Marian, output: Path) -> Config:
    """The settings of the bundle. UserError for what the Transformer here doesn't have."""
    folder, settings = marian.folder, marian.settings

    def setting(name: str, kind: type = int, default: Any = None) -> Any:
        return _setting(folder, settings, name, kind, default)

    for name in ("attention_heads", "ffn_dim"):
        if (encoder := setting(f"encoder_{name}")) != (decoder := setting(f"decoder_{name}")):
            raise UserError(f"{folder / CONFIG} has encoder_{name} {encoder} and decoder_{name} {decoder}: only equal ones can be imported")
    if not setting("tie_word_embeddings", bool, True):
        raise UserError(f"{folder / CONFIG} has tie_word_embeddings false: only models whose output layer is the embedding can be imported")
    if (activation := setting("activation_function", str)) not in ACTIVATIONS:
        raise UserError(f"{folder / CONFIG} has activation_function {short_repr(activation)}: only {', '.join(ACTIVATIONS)} can be imported")
    for name in ("normalize_before", "normalize_embedding"):
        if setting(name, bool, False):
            raise UserError(f"{folder / CONFIG} has {name} true: only models with layer normalisation after the residual can be imported")
    longest = setting("max_position_embeddings")
    model = ModelConfig(
        width=setting("d_model"), heads=setting("encoder_attention_heads"), feedforward=setting("encoder_ffn_dim"),
        encoder_layers=setting("encoder_layers"), decoder_layers=setting("decoder_layers"), dropout=setting("dropout", float, 0.1), norm="post",
        max_tokens=longest, activation=ACTIVATIONS[activation], output_bias=has_bias(marian), scale_embedding=setting("scale_embedding", bool, False),
        shared_pieces=marian.source is marian.target and not marian.tokenizer.joint,
    )  # fmt: skip
    source_language, target_language = marian.languages
    return check(
        Config(
            run=str(output),
            data=DataConfig(source_language, target_language, filters=FilterConfig(max_tokens=min(longest, FilterConfig().max_tokens))),
            tokenizer=TokenizerConfig(joint=marian.tokenizer.joint, normalization=NORMALIZATION),
            model=model,
            decoding=DecodingConfig(beam=marian.beam, length_penalty=LENGTH_PENALTY),
        )
    )


def our_weights(marian: Marian, config: ModelConfig) -> dict[str, Tensor]:
    """The weights by our names. UserError for one that is missing, or positions that aren't the paper's sinusoids."""
    given, order = marian.weights, marian_order(config.width)

    def weight(name: str) -> Tensor:
        if name not in given:
            raise UserError(f"{marian.folder} has no weight {name}: it is incomplete")
        return given[name].float()

    embedding = "model.shared.weight" if marian.source is marian.target else TIED[2]
    if weight(embedding).shape[1] != config.width:
        raise UserError(f"{marian.folder}: {embedding} has {given[embedding].shape[1]} columns, {CONFIG} says d_model {config.width}")

    for name in POSITIONS:
        if name in given and not torch.allclose(weight(name)[:, order], sinusoids(len(given[name]), config.width), atol=1e-3):
            raise UserError(f"{marian.folder}: {name} are not sinusoids: such a model can't be imported")
    ours = {name: permuted(torch.cat([weight(part) for part in parts]), order, rows, columns) for name, parts, rows, columns in layer_weights(config)}
    shared = marian.source is marian.target
    source, target = ("model.shared.weight",) * 2 if shared else TIED[1:]
    ours["target_embedding.weight"] = weight(target)[marian.target.rows][:, order]
    if not shared:
        ours["source_embedding.weight"] = weight(source)[marian.source.rows][:, order]
    if config.output_bias:
        bias = weight(BIAS).flatten()[marian.target.rows] if BIAS in given else torch.zeros(len(marian.target.rows))
        if marian.target.unknown:
            bias[-marian.target.unknown :] = NEVER
        ours["output_bias"] = bias
    return ours


def has_bias(marian: Marian) -> bool:
    return marian.target.unknown > 0 or bool(marian.weights.get(BIAS, torch.zeros(1)).any())


def _vocabulary(folder: Path, settings: dict[str, Any], numbers: dict[str, Any], size_name: str, models: Sequence[Any]) -> Vocabulary:
    """Vocabulary of one side, or of both. UserError if a number is missing or out of range."""
    size = _setting(folder, settings, size_name, int)
    if any(type(number) is not int or not 0 <= number < size for number in numbers.values()) or len(set(numbers.values())) < len(numbers):
        raise UserError(f"{folder}: the pieces in the vocabulary must have different numbers below {size_name} ({size:,}) of {CONFIG}")
    if "<unk>" not in numbers:
        raise UserError(f"{folder / VOCABULARY} has no <unk>: it is not a vocabulary of Marian")
    pad, eos = (_setting(folder, settings, name, int) for name in ("pad_token_id", "eos_token_id"))
    start = settings.get("decoder_start_token_id", pad)
    for name, number in (("pad_token_id", pad), ("eos_token_id", eos), ("decoder_start_token_id", start)):
        if type(number) is not int or not 0 <= number < size:
            raise UserError(f"{folder / CONFIG} has {name} {short_repr(number)}: it must be a number below {size_name} ({size:,})")
    return vocabulary(numbers, models, start, pad, eos, numbers["<unk>"])


def _weights(folder: Path) -> dict[str, Tensor]:
    if (folder / WEIGHTS).exists():
        return read_weights(folder / WEIGHTS)
    if not (folder / PICKLED).exists():
        raise UserError(f"{folder} has neither {WEIGHTS} nor {PICKLED}: it is not a MarianMT model, or not all of it was copied")
    try:
        weights: dict[str, Tensor] = torch.load(folder / PICKLED, map_location="cpu", weights_only=True)  # tensors only: no code is run
    except Exception as error:
        raise UserError(f"{folder / PICKLED} could not be read as tensors ({short_repr(str(error).splitlines()[0])})") from None
    return weights


def _setting(folder: Path, settings: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    value = settings.get(name, default)
    if value is None:
        raise UserError(f"{folder / CONFIG} has no {name}: it is not a MarianMT model, or incomplete")
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise UserError(f"{folder / CONFIG} has {name} {short_repr(value)}: it must be {KINDS[kind]}")
    return value


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} is not a JSON object")
    return values


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise UserError(f"{path} does not exist: a MarianMT folder has {', '.join((CONFIG, VOCABULARY, SOURCE_SPM, TARGET_SPM))} and {WEIGHTS}")
    return path.read_bytes()
