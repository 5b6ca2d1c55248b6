"""The weights of a MarianMT model <-> those of the Transformer.

The two differ in names, in joint projections, and in the order of the D places of a state: Marian's positions have all sines first and then all
cosines, ours take turns (Vaswani et al. 2017, section 3.5). Attention and feed-forward layers don't care about the order, so every weight
that reads or writes a state is permuted, once.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from translate.config import ModelConfig

TIED = ("lm_head.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight")  # also names of model.shared.weight
POSITIONS = ("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")
BIAS = "final_logits_bias"  # (1, V)


def marian_order(width: int) -> Tensor:
    """(D,): the place in Marian's states of each place in ours."""
    return torch.arange(width).view(2, -1).T.flatten()


def our_order(width: int) -> Tensor:
    """(D,): the other way round."""
    return torch.arange(width).view(-1, 2).T.flatten()


def layer_weights(config: ModelConfig) -> Iterator[tuple[str, list[str], bool, bool]]:
    """Of each weight in a layer: our name, Marian's names of the parts that it joins, and whether its rows and its columns are places of a state."""
    for stack, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        for number in range(layers):
            ours, marian = f"{stack}.{number}", f"model.{stack}.layers.{number}"
            yield from _projection(f"{ours}.attention.query_key_value", [f"{marian}.self_attn.{part}_proj" for part in "qkv"], False, True)
            yield from _projection(f"{ours}.attention.output", [f"{marian}.self_attn.out_proj"], True, False)
            yield from _norm(f"{ours}.attention_residual.norm", f"{marian}.self_attn_layer_norm")
            if stack == "decoder":
                yield from _projection(f"{ours}.cross.query", [f"{marian}.encoder_attn.q_proj"], False, True)
                yield from _projection(f"{ours}.cross.key_value", [f"{marian}.encoder_attn.{part}_proj" for part in "kv"], False, True)
                yield from _projection(f"{ours}.cross.output", [f"{marian}.encoder_attn.out_proj"], True, False)
                yield from _norm(f"{ours}.cross_residual.norm", f"{marian}.encoder_attn_layer_norm")
            yield from _projection(f"{ours}.feedforward.inner", [f"{marian}.fc1"], False, True)
            yield from _projection(f"{ours}.feedforward.outer", [f"{marian}.fc2"], True, False)
            yield from _norm(f"{ours}.feedforward_residual.norm", f"{marian}.final_layer_norm")


def _projection(ours: str, marian: list[str], rows: bool, columns: bool) -> Iterator[tuple[str, list[str], bool, bool]]:
    yield f"{ours}.weight", [f"{name}.weight" for name in marian], rows, columns
    yield f"{ours}.bias", [f"{name}.bias" for name in marian], rows, False


def _norm(ours: str, marian: str) -> Iterator[tuple[str, list[str], bool, bool]]:
    for leaf in ("weight", "bias"):
        yield f"{ours}.{leaf}", [f"{marian}.{leaf}"], True, False


def permuted(weight: Tensor, order: Tensor, rows: bool, columns: bool) -> Tensor:
    """A weight whose rows or columns are places of a state, in another order of these."""
    weight = weight[order] if rows else weight
    return weight[:, order] if columns else weight
