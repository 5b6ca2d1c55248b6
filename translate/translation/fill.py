"""Fills the gaps of a text: the likeliest pieces at each <mask>, by a masked language model (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from translate.bundle.bundle import Bundle, check_command, load_bundle
from translate.errors import UserError
from translate.tokenizer import EOS, MASK, Tokenizer
from translate.tokenizer.padding import pad

GAP = "<mask>"
RARE = range(0xA000, 0xA48D)  # the syllables of Yi: letters that no Unicode form changes


@dataclass(frozen=True)
class Guess:
    """A piece, in SentencePiece's notation (a space is U+2581), and its probability."""

    piece: str
    probability: float


@dataclass(frozen=True)
class Filled:
    """source, target: the texts with the likeliest piece in each gap. gaps: the guesses for each, likeliest first."""

    source: str
    target: str
    gaps: list[list[Guess]]


class Filler:
    """A masked language model and its tokenizer. UserError if the model in `bundle` is another one."""

    def __init__(self, bundle: Bundle) -> None:
        check_command(bundle.config, "fill", bundle.folder)
        self.model, self.tokenizer, self.folder = bundle.model, bundle.tokenizer, bundle.folder
        self.pieces = self.tokenizer.source_pieces()

    @torch.no_grad()
    def fill(self, source: str, target: str = "", top: int = 5) -> Filled:
        """The `top` likeliest pieces for each <mask>, the source's first; each gap is guessed as if the others stayed open.

        source, target: a text of one language is one of the two, the other is "". UserError without a <mask>, for a text that is too long, and for
        `top` below 1.
        """
        if top < 1:
            raise UserError(f"top is {top}: it must be at least 1")
        sides = [gapped(text, self.tokenizer) if text.strip() else [] for text in (source, target)]
        gaps = [place for place, index in enumerate([*sides[0], *sides[1]]) if index == MASK]
        if not gaps:
            raise UserError(f"no {GAP} in {' | '.join(filter(None, (source, target)))!r}: put one where a piece is to be guessed")
        longest, most = max(map(len, sides)), self.model.config.max_tokens
        if longest > most:
            raise UserError(f"the text has {longest:,} tokens, but the model of {self.folder} reads at most {most:,} (model.max_tokens): shorten it")
        features = self.model.features(pad([sides[0]]), pad([sides[1]]))[0, gaps]  # (gaps, D)
        found = self.model.logits(features).softmax(dim=-1).topk(min(top, len(self.pieces)))
        best = iter(found.indices[:, 0].tolist())
        texts = self.tokenizer.decode([[next(best) if index == MASK else index for index in side] for side in sides])
        rows = zip(found.values.tolist(), found.indices.tolist())
        return Filled(texts[0], texts[1], [[Guess(self.pieces[index], probability) for probability, index in zip(*row)] for row in rows])


def fill(model: str | os.PathLike[str], text: str = "", *, target: str = "", top: int = 5) -> list[list[tuple[str, float]]]:
    """The likeliest pieces for each `<mask>` of a text, as `translate fill` lists them.

    Args:
        model: run folder of a masked language model (model.family=masked_lm).
        text: in the source language.
        target: the same in the target language; alone, a text in that language. At least one of the two has a `<mask>`.
        top: pieces for each `<mask>`.

    Returns:
        For each `<mask>`, those of `text` first: pairs of a piece, with U+2581 for a space, and its probability; the likeliest first.

    Raises:
        UserError: for another family of models, texts without a `<mask>`, and one that is longer than the model can read.
    """
    filled = Filler(load_bundle(model)).fill(text, target, top)
    return [[(guess.piece, guess.probability) for guess in guesses] for guesses in filled.gaps]


def gapped(text: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of `text`, with MASK for each <mask>, and EOS. A gap stands for one piece, with the space before it."""
    parts = text.split(GAP)
    ids = _ids(parts[0], tokenizer)
    for part in parts[1:]:
        ids += [MASK, *(_ids(part, tokenizer) if part[:1].isspace() else _continued(part, tokenizer))]
    return [*ids, EOS]


def _ids(text: str, tokenizer: Tokenizer) -> list[int]:
    return tokenizer.encode_source([text])[0][:-1] if text.strip() else []


def _continued(text: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of what stands right after a gap: those that it has after a letter that is in no piece, and so joins with nothing."""
    if not text.strip():
        return []
    known = tokenizer.source_characters()
    letter = next(letter for letter in map(chr, RARE) if letter not in known)
    return _ids(letter + text, tokenizer)[len(_ids(letter, tokenizer)) :]
