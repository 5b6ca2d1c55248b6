"""Texts by a model that doesn't translate: each goes on from its prompt, token by token, drawn by decoding/sampling.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

from translate.bundle.bundle import load_bundle
from translate.decoding import FilledOptions, Hypothesis, sentence_seed
from translate.device import choose_device, choose_search_precision
from translate.errors import UserError
from translate.model.families import FAMILIES
from translate.tokenizer import Tokenizer
from translate.translation.torch_engine import TorchEngine

ROWS = 64  # texts at a time
TOKENS = 100  # after the prompt, where the user doesn't say


@dataclass(frozen=True)
class Generated:
    """A text with its prompt; log_probability: of the tokens after the prompt; complete: it has ended, and was not cut off."""

    text: str
    log_probability: float
    tokens: int  # after the prompt, end mark included
    complete: bool


class Generator:
    """A model that generates, with its tokenizer."""

    def __init__(self, engine: TorchEngine, tokenizer: Tokenizer) -> None:
        self.engine, self.tokenizer = engine, tokenizer

    @classmethod
    def load(cls, folder: str | PathLike[str], device: str = "auto", precision: str = "auto") -> Generator:
        """The model of a run folder. UserError for a model that doesn't generate."""
        chosen = choose_device(device)
        bundle = load_bundle(folder, chosen)
        check_command(bundle.config.model.family, "generate", str(folder))
        return cls(TorchEngine.owning(bundle.model, chosen, choose_search_precision(precision, chosen)), bundle.tokenizer)

    def generate(self, prompts: Sequence[str], tokens: int, options: FilledOptions, first: int = 0) -> list[list[Generated]]:
        """`options.n_best` texts for each of P prompts, which may be "".

        tokens: after the prompt, end mark included, at most; the model's max_tokens limits it too. first: number of the first prompt in the whole
        input, from 0. A text depends on its prompt, that number and the seed, not on the other prompts. UserError for a prompt that is too long.
        """
        ids = [line[:-1] for line in self.tokenizer.encode_target(list(prompts))]  # without the end mark
        most = self.engine.max_tokens - 1
        for number, prompt in enumerate(ids, first + 1):
            if len(prompt) > most:
                raise UserError(f"prompt {number:,} has {len(prompt):,} tokens: the model goes on from at most {most:,} (model.max_tokens)")
        found: dict[int, list[Hypothesis]] = {}
        for rows in _alike(list(map(len, ids)), max(1, ROWS // options.n_best)):
            limits = [min(tokens, self.engine.max_tokens - len(ids[row])) for row in rows]
            seeds = [sentence_seed(sentence_seed(options.seed, first + row), rank) for row in rows for rank in range(options.n_best)]
            found |= zip(rows, self.engine.search([ids[row] for row in rows], limits, options, seeds))
        return [self._texts(prompt, found[row]) for row, prompt in enumerate(ids)]

    def _texts(self, prompt: list[int], hypotheses: list[Hypothesis]) -> list[Generated]:
        texts = self.tokenizer.decode([[*prompt, *hypothesis.ids] for hypothesis in hypotheses])
        return [
            Generated(text, hypothesis.log_probability, len(hypothesis.ids) + hypothesis.complete, hypothesis.complete)
            for text, hypothesis in zip(texts, hypotheses)
        ]


def _alike(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Indices of prompts of the same length, at most `most` together: padding would change how far a text may go."""
    groups: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        groups.setdefault(length, []).append(index)
    return [group[begin : begin + most] for group in groups.values() for begin in range(0, len(group), most)]


def check_command(family: str, command: str, folder: str) -> None:
    """UserError if models of this family are not for `translate COMMAND`."""
    own = FAMILIES[family].command
    if own != command:
        what = {"file": "translates", "generate": "generates text", "fill": "fills gaps"}
        raise UserError(
            f"{folder} is a model that {what[own]} (model.family={family}), not one that {what[command]}: use `translate {own} -m {folder}`"
        )


def samples(count: int, seed: int = 1) -> FilledOptions:
    """Options for `count` samples from the model's own distribution."""
    return dataclasses.replace(FilledOptions(), sample=True, n_best=count, seed=seed)
