"""Runs a bundle in CTranslate2, a C++ engine for production (https://github.com/OpenNMT/CTranslate2); an optional extra.

`export` writes the model through CTranslate2's Python specification. `CTranslate2Engine` searches by the toolkit's rules: inputs are not
truncated, outputs may reach the recipe's limit, and hypotheses are ranked by GNMT's length penalty (CTranslate2 divides by a power of the length).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from translate.bundle.bundle import CONFIG, MANIFEST, Bundle, ModelFolder, manifest_of
from translate.config import Config
from translate.decoding import FilledOptions, Hypothesis, penalty
from translate.errors import UserError
from translate.files.atomic import atomic_folder, check_new_folder
from translate.files.digest import file_sha256
from translate.files.paths import name_write_errors
from translate.model import Transformer
from translate.model.layers import DecoderLayer, EncoderLayer
from translate.profile import Profile
from translate.tokenizer import BOS, EOS, PAD, SPECIAL, Tokenizer
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.threads import search_threads

PATIENCE = 2
BANNED = [[SPECIAL[PAD]], [SPECIAL[BOS]]]


def load_ctranslate2(folder: ModelFolder, device: torch.device, compute_type: str) -> tuple[CTranslate2Engine, Tokenizer, Config, Profile]:
    """The engine, tokenizer, settings and profile of a model, from an exported folder, or from a run folder, which is exported to a temporary one.

    UserError if the package is not installed, the folder is not a model or is damaged, or the device does not support the compute type.
    """
    package = _package()
    tokenizer, config = folder.tokenizer, folder.config
    with tempfile.TemporaryDirectory(prefix="translate-") as temporary:
        if folder.is_exported:
            profile = folder.check_exported()  # CTranslate2's reader trusts its files
            home = folder.path
        else:
            home, bundle = Path(temporary) / "model", folder.load()
            profile = bundle.profile
            export(bundle, home)
        at_once = search_threads(device)
        threads = {"inter_threads": at_once, "intra_threads": max(1, torch.get_num_threads() // at_once)}
        try:
            translator = package.Translator(str(home), device.type, device_index=device.index or 0, compute_type=compute_type, **threads)
        except (ValueError, RuntimeError) as error:
            raise UserError(f"CTranslate2 cannot load {folder.path}: {error}") from None
    alignment = AlignmentHeads.of(profile, config.model)
    return CTranslate2Engine(translator, tokenizer, config.model.max_tokens, at_once, alignment), tokenizer, config, profile


class CTranslate2Engine:
    def __init__(self, translator: Any, tokenizer: Tokenizer, max_tokens: int, at_once: int, alignment: AlignmentHeads) -> None:
        self.translator, self.max_tokens, self.at_once, self.alignment = translator, max_tokens, at_once, alignment
        self.forkable = False  # its threads do not survive a fork
        self.machine = {"device": translator.device, "precision": translator.compute_type, "engine": "ctranslate2"}
        self.pieces = tokenizer.source_pieces()
        self.target_pieces = tokenizer.target_pieces()
        self.ids = {piece: number for number, piece in enumerate(self.target_pieces)}

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
        """See `engine.Engine`. UserError for sampling, whose seeds CTranslate2 does not take, and for diverse groups.

        CTranslate2 stops once beam x patience hypotheses have ended; engine torch, up to alpha 1, continues while an open one may still win. Of 500
        Multi30k sentences 467 were the same with the default patience of 1, and all 500 with 2 (beam 5). CTranslate2 returns all finished
        hypotheses, which are ranked here.
        """
        if options.draws:
            raise UserError("engine ctranslate2 does not sample: choose engine torch")
        if options.diverse > 1:
            raise UserError("engine ctranslate2 has no diverse groups: choose engine torch")
        results = self._search(sources, max(limits), options, no_repeat, align)
        # a batch has a single limit: sentences that exceed their own are searched again, grouped by limit
        too_long = [index for index, limit in enumerate(limits) if any(len(pieces) > limit for pieces in results[index].hypotheses)]
        for limit in {limits[index] for index in too_long}:
            indices = [index for index in too_long if limits[index] == limit]
            for index, result in zip(indices, self._search([sources[index] for index in indices], limit, options, no_repeat, align)):
                results[index] = result
        wrong = align and options.beam > 1 and len(sources) > 1 and self.alignment.shift == 0
        first = self._first_rows(sources) if wrong else [None] * len(sources)
        return [self._best(result, row, options, align) for result, row in zip(results, first)]

    def align(self, sources: list[list[int]], outputs: list[list[int]]) -> list[numpy.ndarray]:
        """See `engine.Engine`: CTranslate2's own attention, of the layer and heads that the export wrote into the model.

        CTranslate2 searches on from an output that it is given, one token at a time: this costs as much as greedy search.
        """
        if not sources:
            return []
        results = self.translator.translate_batch(
            self._tokens(sources),
            [[self.target_pieces[number] for number in ids] for ids in outputs],
            beam_size=1,
            max_input_length=0,
            max_decoding_length=max(map(len, outputs)) + 1,
            return_end_token=True,  # without it the last row is missing too
            return_attention=True,
        )
        return [self._rows(result.attention[0], len(ids)) for result, ids in zip(results, outputs)]

    def _tokens(self, sources: list[list[int]]) -> list[list[str]]:
        return [[self.pieces[number] for number in ids] for ids in sources]

    def _search(self, sources: list[list[int]], limit: int, options: FilledOptions, no_repeat: int, align: bool) -> list[Any]:
        """CTranslate2's results for each source: finished hypotheses as pieces, end mark included, with scores, and attention if asked for."""
        results: list[Any] = self.translator.translate_batch(
            self._tokens(sources),
            beam_size=options.beam,
            patience=PATIENCE,
            num_hypotheses=options.beam * PATIENCE if options.beam > 1 else 1,
            length_penalty=options.length_penalty,
            max_input_length=0,  # the default truncates silently at 1,024
            max_decoding_length=limit,  # the default is 256
            return_scores=True,
            return_end_token=True,
            disable_unk=True,
            no_repeat_ngram_size=no_repeat,
            suppress_sequences=BANNED,
            return_attention=align,
        )
        return results

    def _first_rows(self, sources: list[list[int]]) -> list[list[float]]:
        """The attention of the first step, the same for all hypotheses of a source. Beam search returns that of other sources (CTranslate2 4.8)."""
        results = self.translator.translate_batch(
            self._tokens(sources), beam_size=1, max_input_length=0, max_decoding_length=1, return_attention=True, return_end_token=True
        )
        return [result.attention[0][0] for result in results]

    def _best(self, result: Any, first: list[float] | None, options: FilledOptions, align: bool) -> list[Hypothesis]:
        """The best hypotheses of one source. first: instead of the first row of their attention."""
        found = [self._hypothesis(pieces, score, options.length_penalty) for pieces, score in zip(result.hypotheses, result.scores)]
        best = sorted(range(len(found)), key=lambda index: (not found[index].complete, -found[index].score))[: options.n_best]
        if not align:
            return [found[index] for index in best]
        attention = result.attention  # each time it is asked for, it is made into lists of lists: many, so no other source's are kept meanwhile
        rows = [attention[index] if first is None else [first, *attention[index][1:]] for index in best]
        return [replace(found[index], attention=self._rows(own, len(found[index].ids))) for index, own in zip(best, rows)]

    def _hypothesis(self, pieces: list[str], score: float, alpha: float) -> Hypothesis:
        """`score` is the log-probability over length ** alpha."""
        log_probability = score * len(pieces) ** alpha
        ids = [self.ids[piece] for piece in pieces]
        complete = ids[-1:] == [EOS]
        return Hypothesis(ids[:-1] if complete else ids, log_probability / penalty(len(ids), alpha), log_probability, complete)

    def _rows(self, attention: list[list[float]], length: int) -> numpy.ndarray:
        return self.alignment.rows(numpy.array(attention, dtype=numpy.float32), length)


def export(bundle: Bundle, folder: Path, quantization: str | None = None) -> None:
    """Write `bundle` as a CTranslate2 model with the tokenizer, config.yaml and manifest.json, atomically.

    quantization: int8, float16, ... as CTranslate2 names them; None keeps fp32. UserError if the package is not installed, or the folder
    exists and is not empty, or CTranslate2 has no such model.
    """
    _package()
    from ctranslate2.specs import Activation, TransformerSpec

    check_new_folder(folder)
    config, model, tokenizer = bundle.config.model, bundle.model, bundle.tokenizer
    if not isinstance(model, Transformer):
        raise UserError(f"{bundle.folder} is of model.family={config.family}: CTranslate2 runs encoder_decoder only; use engine torch")
    for name, value in (("attention", "scaled_dot"), ("window", 0), ("positions", "sinusoidal")):
        if getattr(config, name) != value:
            has = f"{bundle.folder} has model.{name}={getattr(config, name)}"
            raise UserError(f"{has}: CTranslate2 runs models with model.{name}={value} only; use engine torch")
    layers = (config.encoder_layers, config.decoder_layers)
    aligned = AlignmentHeads.of(bundle.profile, config)
    settings = {"alignment_layer": aligned.layer, "alignment_heads": len(aligned.heads)}
    activation = {"relu": Activation.RELU, "silu": Activation.SWISH, "gelu": Activation.GELU}[config.activation]
    spec = TransformerSpec.from_config(layers, config.heads, pre_norm=config.norm == "pre", activation=activation, **settings)
    _fill_stack(spec.encoder, model.encoder)
    _fill_stack(spec.decoder, model.decoder)
    _put_first(spec.decoder.layer[aligned.layer].attention, aligned.heads, config.heads)
    for stack, norm in ((spec.encoder, model.encoder_norm), (spec.decoder, model.decoder_norm)):
        if isinstance(norm, nn.LayerNorm):  # only with pre-norm
            _fill_norm(stack.layer_norm, norm)
    spec.encoder.embeddings[0].weight = _array(model.source_embedding.weight)
    spec.decoder.embeddings.weight = spec.decoder.projection.weight = _array(model.target_embedding.weight)
    if model.output_bias is not None:
        spec.decoder.projection.bias = _array(model.output_bias)
    for stack in (spec.encoder, spec.decoder):
        stack.scale_embeddings = config.scale_embedding
        stack.position_encodings.encodings = _array(model.positions)
    spec.config.layer_norm_epsilon = nn.LayerNorm(2).eps
    spec.register_source_vocabulary(tokenizer.source_pieces())
    spec.register_target_vocabulary(tokenizer.target_pieces())
    spec.validate()
    spec.optimize(quantization=quantization)
    with atomic_folder(folder) as temporary, name_write_errors(str(folder)):
        spec.save(str(temporary))
        digests = {path.name: file_sha256(path) for path in sorted(temporary.iterdir())}
        manifest = {**manifest_of(bundle.config, tokenizer, bundle.data, bundle.profile), "files_sha256": digests}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        tokenizer.save(temporary)
        shutil.copyfile(bundle.folder / CONFIG, temporary / CONFIG)


def _fill_stack(spec: Any, layers: nn.ModuleList) -> None:
    for target, layer in zip(spec.layer, layers):
        assert isinstance(layer, (EncoderLayer, DecoderLayer)) and isinstance(layer.feedforward.inner, nn.Linear)
        _fill_norm(target.self_attention.layer_norm, layer.attention_residual.norm)
        _fill_linear(target.self_attention.linear[0], layer.attention.query_key_value)
        _fill_linear(target.self_attention.linear[1], layer.attention.output)
        if isinstance(layer, DecoderLayer):
            _fill_norm(target.attention.layer_norm, layer.cross_residual.norm)
            for index, linear in enumerate((layer.cross.query, layer.cross.key_value, layer.cross.output)):
                _fill_linear(target.attention.linear[index], linear)
        _fill_norm(target.ffn.layer_norm, layer.feedforward_residual.norm)
        _fill_linear(target.ffn.linear_0, layer.feedforward.inner)
        _fill_linear(target.ffn.linear_1, layer.feedforward.outer)


def _put_first(attention: Any, first: tuple[int, ...], heads: int) -> None:
    """Reorder the heads of a cross-attention, which changes nothing else: CTranslate2 averages the attention of the first ones only."""
    order = numpy.array([*first, *(head for head in range(heads) if head not in first)])
    query, key_value, output = attention.linear

    def reordered(rows: numpy.ndarray, parts: int) -> numpy.ndarray:
        return numpy.ascontiguousarray(rows.reshape(parts, heads, -1, *rows.shape[1:])[:, order].reshape(rows.shape))

    for linear, parts in ((query, 1), (key_value, 2)):
        linear.weight, linear.bias = reordered(linear.weight, parts), reordered(linear.bias, parts)
    output.weight = numpy.ascontiguousarray(reordered(output.weight.T, 1).T)


def _fill_norm(spec: Any, norm: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _array(norm.weight), _array(norm.bias)


def _fill_linear(spec: Any, linear: nn.Linear) -> None:
    spec.weight, spec.bias = _array(linear.weight), _array(linear.bias)


def _array(tensor: Tensor) -> numpy.ndarray:
    return tensor.detach().float().cpu().numpy()


def _package() -> Any:
    try:
        import ctranslate2
    except ImportError:
        raise UserError("engine ctranslate2 needs the package ctranslate2, which is not installed: pip install ctranslate2") from None
    return ctranslate2
