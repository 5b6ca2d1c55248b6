"""Checks of the tokenised corpus: pairs that the filters drop, lengths, rare pieces, characters without a piece."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator

import numpy

from translate.checks.finding import EXAMPLES, Finding
from translate.config import Config
from translate.data.pairs import load_pairs
from translate.data.prepare import Prepared
from translate.data.sides import PAIRS, TARGET, unit
from translate.errors import UserError
from translate.tokenizer import UNK, Tokenizer

BYTE = re.compile("<0x[0-9A-F]{2}>")  # a piece that stands for a byte
RARE = 10  # with fewer occurrences, a piece is hardly learnt


def check_tokenized(
    prepared: Prepared, tokenizer: Tokenizer, config: Config, size: int, sides: str = PAIRS, copied: bool = False
) -> Iterator[Finding]:
    """Findings about `prepared`, the tokenised sample of a corpus of `size` pairs.

    sides: what the model reads (data/sides.py); copied: the tokenizer was trained elsewhere, so that its pieces are what they are.
    """
    yield _filters(prepared, size, sides)
    yield _lengths(prepared, config, sides)
    if not copied:
        yield _pieces(prepared, tokenizer, config, size)
    yield from _characters(prepared, tokenizer, size, copied)
    yield from _unknown(tokenizer, config, sides)


def _filters(prepared: Prepared, size: int, sides: str) -> Finding:
    left_out = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in prepared.counts.items())
    share = 1 - prepared.kept / prepared.read
    text = f"{prepared.kept:,} of {prepared.read:,} {unit(sides)} kept{_of(prepared, size)}; left out: {left_out}"
    hint = f"check these {unit(sides)}, or relax data.filters" if share > 0.2 else ""
    return Finding("warning" if share > 0.2 else "note" if share else "ok", "filters", text, hint)


def _of(prepared: Prepared, size: int) -> str:
    return "" if prepared.read == size else f" in a sample of {prepared.read:,} of {size:,}"


def _lengths(prepared: Prepared, config: Config, sides: str) -> Finding:
    lengths = numpy.concatenate([prepared.source_lengths, prepared.target_lengths])
    lengths = lengths if sides == PAIRS else lengths[lengths > 1]  # without sides that aren't there
    quantiles = [int(numpy.quantile(lengths, share, method="higher")) for share in (0.5, 0.9, 0.99, 1)]
    half, most, nearly_all, longest = quantiles
    each = "sentence" if sides == TARGET else "side"
    text = f"tokens per {each}: half have at most {half}, 90% {most}, 99% {nearly_all}, the longest {longest}"
    text += f"; the filter's limit is {config.data.filters.max_tokens}, the model's {config.model.max_tokens}"
    lost = prepared.counts["over_long"] / prepared.read
    if lost > 0.02:
        return Finding("warning", "lengths", f"{text}; {lost:.0%} are longer", "raise data.filters.max_tokens and model.max_tokens")
    return Finding("ok", "lengths", text)


def _pieces(prepared: Prepared, tokenizer: Tokenizer, config: Config, size: int) -> Finding:
    """Whether the corpus is large enough for the vocabulary, by the share of rare pieces."""
    seen = numpy.zeros(max(tokenizer.source_size, tokenizer.target_size), dtype=numpy.int64)
    for column in ("source_ids", "target_ids") if tokenizer.joint else ("target_ids",):
        for batch in prepared.dataset.data.column(column).chunks:
            seen += numpy.bincount(batch.flatten().to_numpy(zero_copy_only=False), minlength=len(seen))
    regular = [index for index, piece in enumerate(tokenizer.target_pieces()) if index > UNK and not BYTE.fullmatch(piece)]
    rare = float((seen[regular] * (size / prepared.read) < RARE).mean())
    text = f"{tokenizer.target_size:,} pieces, {rare:.0%} of them seen less than {RARE} times{_of(prepared, size)}"
    if rare > 0.3:
        return Finding("warning", "vocabulary", text, "lower tokenizer.vocabulary")
    return Finding("ok", "vocabulary", text)


def _characters(prepared: Prepared, tokenizer: Tokenizer, size: int, copied: bool) -> Iterator[Finding]:
    """Rare characters that have a piece of their own, and characters that the target's normalisation replaces."""
    sides: dict[str, collections.Counter[str]] = {column: collections.Counter() for column in ("source", "target")}
    for column, counts in sides.items():
        for batch in prepared.dataset.data.column(column).chunks:
            counts.update("".join(batch.to_pylist()))
    used = sides["source"] + sides["target"] if tokenizer.joint else sides["target"]
    single = {piece for piece in tokenizer.target_pieces() if len(piece) == 1}
    rare = sorted(single & {character for character, count in used.items() if count * (size / prepared.read) < RARE})
    if rare and not copied:
        share = len(rare) / tokenizer.target_size
        text = f"{len(rare):,} pieces ({share:.1%}) are characters seen less than {RARE} times{_of(prepared, size)}, such as {_listed(rare)}"
        hint = "tokenizer.character_coverage=0.9998 encodes them as bytes, without loss"
        yield Finding("warning" if share > 0.02 else "note", "characters", text, hint)
    replaced = {character: text for character in sides["target"] if (text := tokenizer.normalized_target([character])[0]) != character and text}
    if lost := sum(sides["target"][character] for character in replaced):
        frequent = sorted(replaced, key=lambda character: sides["target"][character], reverse=True)
        examples = ", ".join(f"{character} as {replaced[character]}" for character in frequent[:EXAMPLES])
        text = f"{lost:,} characters of the target side are normalised, so that the model never writes them: {examples}"
        share = lost / sides["target"].total()
        yield Finding("warning" if share > 0.001 else "note", "normalization", text, "tokenizer.normalization=nfc keeps them")


def _listed(characters: list[str]) -> str:
    return " ".join(character if character.isprintable() else f"U+{ord(character):04X}" for character in characters[:EXAMPLES])


def _unknown(tokenizer: Tokenizer, config: Config, sides: str) -> Iterator[Finding]:
    """Characters of the held-out sources, or texts, that the tokenizer has never seen: they are encoded as bytes."""
    side, encode, pieces = "source", tokenizer.encode_source, tokenizer.source_pieces()
    if sides == TARGET:
        side, encode, pieces = "text", tokenizer.encode_target, tokenizer.target_pieces()
    held_out = {"validation": config.data.validation, **{name: [corpus] for name, corpus in config.data.test.items()}}
    for name, corpora in held_out.items():
        try:
            texts = [target if sides == TARGET else source for source, target in load_pairs(corpora, config.data, sides)]
        except UserError:  # data_checks.py reports it
            continue
        if not texts:
            continue
        unseen = {index for index, piece in enumerate(pieces) if index == UNK or BYTE.fullmatch(piece)}
        ids = [number for line in encode(texts) for number in line]
        share = sum(number in unseen for number in ids) / len(ids)
        text = f"{share:.2%} of the {side}'s tokens are bytes of characters that are not in training"
        if share > 0.01:
            yield Finding("warning", name, text, "add such text to the training data, or normalise it")
        else:
            yield Finding("ok", name, text)
