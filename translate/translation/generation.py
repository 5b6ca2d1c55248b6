"""Texts by a model that doesn't translate: each goes on from its prompt, token by token, drawn by decoding/sampling.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

from translate.bundle.bundle import ModelFolder, check_command, model_folder
from translate.config import DecodingConfig
from translate.decoding import FilledOptions, Hypothesis, Options, sentence_seed
from translate.device import choose_device, choose_search_precision
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.tokenizer import Tokenizer
from translate.translation.torch_engine import TorchEngine
from translate.translation.windows import texts

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
        chosen, model = choose_device(device), ModelFolder(model_folder(expand_path(folder)))
        check_command(model.config, "generate", folder)
        bundle = model.load(chosen)
        return cls(TorchEngine.owning(bundle.model, chosen, choose_search_precision(precision, chosen)), bundle.tokenizer)

    def generate(self, prompts: Sequence[str], tokens: int, options: FilledOptions, first: int = 0) -> list[list[Generated]]:
        """`options.n_best` texts for each of P prompts, which may be "".

        tokens: after the prompt, end mark included, at most; the model's max_tokens limits it too. first: number of the first prompt in the whole
        input, from 0. A text depends on its prompt, that number and the seed, not on the other prompts. UserError for a prompt that is too long.
        """
        ids = [line[:-1] for line in self.tokenizer.encode_target(list(prompts))]  # without the end mark
        if tokens < 1:
            raise UserError(f"tokens is {tokens}: it must be at least 1")
        most = self.engine.max_tokens - 1
        for number, prompt in enumerate(ids, first + 1):
            if len(prompt) > most:
                raise UserError(f"prompt {number:,} has {len(prompt):,} tokens: the model goes on from at most {most:,} (model.max_tokens)")
        found: dict[int, list[Hypothesis]] = {}
        for rows in _alike(list(map(len, ids)), max(1, ROWS // options.n_best)):
            limits = [min(tokens, self.engine.max_tokens - len(ids[row])) for row in rows]
            seeds = [sentence_seed(sentence_seed(options.seed, first + row), rank) for row in rows for rank in range(options.n_best)]
            found |= zip(rows, self.engine.search([ids[row] for row in rows], limits, options, seeds))
        return [self._generated(prompt, found[row]) for row, prompt in enumerate(ids)]

    def _generated(self, prompt: list[int], hypotheses: list[Hypothesis]) -> list[Generated]:
        decoded = self.tokenizer.decode([[*prompt, *hypothesis.ids] for hypothesis in hypotheses])
        return [
            Generated(text, hypothesis.log_probability, len(hypothesis.ids) + hypothesis.complete, hypothesis.complete)
            for text, hypothesis in zip(decoded, hypotheses)
        ]


def _alike(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Indices of prompts of the same length, at most `most` together: padding would change how far a text may go."""
    groups: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        groups.setdefault(length, []).append(index)
    return [group[begin : begin + most] for group in groups.values() for begin in range(0, len(group), most)]


def drawing(samples: int = 1, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, seed: int = 1) -> FilledOptions:
    """How to draw `samples` texts for each prompt. UserError for a value out of bounds."""
    options = Options(sample=True, n_best=samples, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    try:
        return options.fill(DecodingConfig())
    except UserError as error:
        raise UserError(str(error).replace("n_best", "samples")) from None


def generate(
    model: str | PathLike[str], prompt: str | Sequence[str] = "", *, samples: int = 1, tokens: int = TOKENS, temperature: float = 1.0, top_k: int = 0,
    top_p: float = 1.0, seed: int = 1, device: str = "auto", precision: str = "auto",
) -> list[str]:  # fmt: skip
    """Texts that a language model makes up, as `translate generate` prints them.

    Args:
        model: run folder of a model that doesn't translate (model.family=language_model or markov).
        prompt: how the texts begin, or several of that.
        samples: texts for each prompt.
        tokens: after the prompt, at most.
        temperature, top_k, top_p, seed: see `Translator.translate`; top_k=1 takes the most likely token each time.
        device, precision: see `Translator.load`.

    Returns:
        The texts of each prompt, one prompt after the other.

    Raises:
        UserError: for another family of models, a prompt that is too long, and a value out of bounds.
    """
    options, prompts = drawing(samples, temperature, top_k, top_p, seed), texts([prompt] if isinstance(prompt, str) else prompt, name="prompts")
    return [text.text for made_up in Generator.load(model, device, precision).generate(list(prompts), tokens, options) for text in made_up]
