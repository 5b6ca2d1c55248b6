"""Draws which token sees which in each family, as the models themselves have it: a state depends on a token if its gradient is not zero.

pip install matplotlib
python benchmarks/families_masks.py docs/families_masks.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from translate.config import ModelConfig
from translate.model import Model
from translate.model.families import new_model

SOURCE, TARGET = ["Das", "Haus", ".", "</s>"], ["<s>", "The", "house", "."]
PIECES = 20
BOTH = [*SOURCE, *TARGET]
PANELS = {  # title -> settings, and the tokens that are read
    "encoder_decoder": ({"family": "encoder_decoder"}, BOTH),
    "decoder_only, causal prefix": ({"family": "decoder_only", "prefix": "causal", "loss_on": "all", "encoder_layers": 0}, BOTH),
    "decoder_only, bidirectional prefix": ({"family": "decoder_only", "prefix": "bidirectional", "loss_on": "all", "encoder_layers": 0}, BOTH),
    "masked_lm": ({"family": "masked_lm", "decoder_layers": 0}, BOTH),
    "language_model": ({"family": "language_model", "encoder_layers": 0}, TARGET),
}


def main(path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "masks"  # the same picture each time
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(15, 3.4), layout="constrained")
    for axis, (title, (settings, tokens)) in zip(axes, PANELS.items()):
        axis.imshow(seen(settings, tokens), cmap="Blues", vmin=0, vmax=1.6)
        axis.set_xticks(range(len(tokens)), tokens, rotation=90)
        axis.set_yticks(range(len(tokens)), tokens)
        axis.set_title(title, fontsize=9)
        for place in range(1, len(tokens)):
            heavy = 1.5 if place == len(SOURCE) and tokens is BOTH else 0.3
            axis.axhline(place - 0.5, color="black", linewidth=heavy)
            axis.axvline(place - 0.5, color="black", linewidth=heavy)
    axes[0].set(xlabel="sees", ylabel="the state of")
    figure.savefig(path, metadata={"Date": None})


def seen(settings: dict[str, object], tokens: list[str]) -> Tensor:
    """(N, N): 1 where the state of the row's token depends on the column's."""
    torch.manual_seed(1)
    model = new_model(ModelConfig(**{"width": 16, "heads": 2, "feedforward": 32, "dropout": 0.0, **settings}), PIECES, PIECES, tied=True).double()
    ids = torch.arange(4, 4 + len(tokens))[None]
    source = ids[:, : len(SOURCE)] if tokens is BOTH else ids[:, :0]
    read: list[Tensor] = []
    embed = model.embed

    def watched(*arguments: Tensor) -> Tensor:
        read.append(embed(*arguments).detach().requires_grad_())
        return read[-1]

    model.embed = watched  # type: ignore[method-assign]
    states = states_of(model, source, ids[:, source.shape[1] :])
    rows = [torch.autograd.grad(state.sum(), read, retain_graph=True, allow_unused=True, materialize_grads=True) for state in states]
    return torch.stack([torch.cat([(part[0] != 0).any(dim=-1) for part in row if part.shape[1]]) for row in rows]).double()


def states_of(model: Model, source: Tensor, target: Tensor) -> Tensor:
    """Of each token, those of the source first: (S + T, D)."""
    if hasattr(model, "decode"):  # the encoder's states are the source's
        memory = model.encode(source)
        return torch.cat([memory.states, model.decode(target, memory)], dim=1)[0] ** 3  # a normalised state has a sum that is fixed
    return model.features(source, target)[0] ** 3


if __name__ == "__main__":
    main(Path(sys.argv[1]))
