"""What the model sees of a text: its ids, the piece of each, and the bytes that the piece stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from translate.tokenizer.subwords import BYTE, CONTROL, NORMAL, SPACE, UNKNOWN, UNUSED, USER_DEFINED, read_model
from translate.tokenizer.tokenizer import EOS, SOURCE_FILE, TARGET_FILE, Tokenizer

KINDS = {NORMAL: "piece", UNKNOWN: "unknown", CONTROL: "special", USER_DEFINED: "symbol", UNUSED: "piece", BYTE: "byte"}


def target_side(tokenizer: Tokenizer) -> Tokenizer:
    """A tokenizer whose source is the target of `tokenizer`."""
    return Tokenizer(tokenizer.models[TARGET_FILE], normalization=tokenizer.normalization)


def shown(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """For each text, as a source of `tokenizer`: `text`, `normalized` and `tokens`, as `translate.tokens` describes them."""
    _, pieces = read_model(tokenizer.models[SOURCE_FILE])
    kinds = [KINDS[kind] for _, _, kind in pieces]
    for text in texts:
        (ids,) = tokenizer.encode_source([text])
        (spans,) = tokenizer.source_spans([text], [ids])
        (normalized,) = tokenizer.as_segmented([text])
        tokens: list[dict[str, Any]] = []
        for index, (begin, end) in zip(ids, spans):
            kind, piece = "end" if index == EOS else kinds[index], pieces[index][0]
            tokens.append({"id": index, "piece": piece, "kind": kind, "bytes": _bytes(kind, piece, text[begin:end]), "span": [begin, end]})
        _name_characters(tokens)
        yield {"text": text, "normalized": normalized.replace(SPACE, " "), "tokens": tokens}


def _bytes(kind: str, piece: str, text: str) -> str:
    """In hexadecimal, UTF-8. Of an unknown piece: the bytes that it hides. text: the token's own."""
    if kind == "byte":
        return piece[3:5].lower()  # <0xE6>
    if kind in ("end", "special"):
        return ""
    return (text if kind == "unknown" else piece.replace(SPACE, " ")).encode().hex(" ")


def _name_characters(tokens: list[dict[str, Any]]) -> None:
    """Give each byte piece `of`: the character that it is a byte of."""
    for is_byte, group in groupby(tokens, lambda token: token["kind"] == "byte"):
        if is_byte:
            run = list(group)
            names = [character for character in bytes.fromhex("".join(token["bytes"] for token in run)).decode() for _ in character.encode()]
            for token, name in zip(run, names):
                token["of"] = name
