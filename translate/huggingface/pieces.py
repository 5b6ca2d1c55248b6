"""The vocabulary of a MarianMT model <-> SentencePiece models.

Marian cuts text with a SentencePiece model for each language, and looks the pieces up in vocab.json, which numbers those of both. Here a tokenizer
is nothing but SentencePiece models, in which the place of a piece is its number. So the two are written anew, both with all pieces of
vocab.json in one order: a piece that the language doesn't have is `UNUSED`, which SentencePiece can decode, and never cuts text into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from translate.errors import UserError
from translate.tokenizer import BOS, EOS, PAD, SPECIAL, UNK

UNKNOWN_COST = 10.0  # SentencePiece's own, below the lowest score of a piece


@dataclass(frozen=True)
class Vocabulary:
    """pieces: in our order, the four special ones first. rows: for each, its number in Marian's embedding. unknown: how many at the end
    are known to SentencePiece but not to vocab.json: the model reads them as <unk>, and must not write them."""

    pieces: list[str]
    rows: list[int]
    unknown: int


def protobuf() -> ModuleType:
    """The classes of SentencePiece's file format. UserError if the package that they need is missing."""
    try:
        from sentencepiece import sentencepiece_model_pb2
    except ImportError:
        raise UserError("reading Marian's SentencePiece models needs the package protobuf: pip install 'translate-nmt[huggingface]'") from None
    module: ModuleType = sentencepiece_model_pb2
    return module


def parse(content: bytes, name: str) -> Any:
    """A SentencePiece model as a protobuf message. UserError if it is none."""
    model = protobuf().ModelProto()
    try:
        model.ParseFromString(content)
        text_pieces([model])  # they are decoded only when they are read
    except Exception:  # DecodeError, whose class has moved between versions of protobuf; UnicodeDecodeError
        raise UserError(f"{name} is not a SentencePiece model, or is damaged") from None
    if not model.pieces:
        raise UserError(f"{name} is not a SentencePiece model, or is damaged")
    return model


def text_pieces(models: Sequence[Any]) -> list[str]:
    """All pieces of text, in order, each once."""
    special = (2, 3)  # UNKNOWN, CONTROL
    return list(dict.fromkeys(piece.piece for model in models for piece in model.pieces if piece.type not in special))


def vocabulary(numbers: dict[str, int], models: Sequence[Any], start: int, pad: int, eos: int, unk: int) -> Vocabulary:
    """Our order of vocab.json, `numbers`, and of the pieces that only the SentencePiece `models` have.

    start: the number with which the decoder begins, often that of <pad>.
    """
    special = {PAD: pad, BOS: start, EOS: eos, UNK: unk}
    rest = [(piece, number) for piece, number in sorted(numbers.items(), key=lambda item: item[1]) if number not in special.values()]
    missing = [piece for piece in text_pieces(models) if piece not in numbers]
    pieces = [*SPECIAL, *(_unlike_special(piece) for piece, _ in rest), *missing]
    rows = [*(special[index] for index in range(len(SPECIAL))), *(number for _, number in rest), *[unk] * len(missing)]
    return Vocabulary(pieces, rows, len(missing))


def _unlike_special(piece: str) -> str:
    """A piece such as <s> in vocab.json that is not the begin mark: SentencePiece allows no name twice."""
    return f"{piece}\N{LOWER ONE EIGHTH BLOCK}" if piece in SPECIAL else piece


def with_vocabulary(model: Any, pieces: Sequence[str]) -> bytes:
    """A SentencePiece model that cuts text as `model` does, with `pieces` in this order."""
    kinds = protobuf().ModelProto.SentencePiece
    special = {PAD: kinds.CONTROL, BOS: kinds.CONTROL, EOS: kinds.CONTROL, UNK: kinds.UNKNOWN}
    own = {piece.piece: piece for piece in model.pieces if piece.type not in (kinds.UNKNOWN, kinds.CONTROL)}
    lowest = min((piece.score for piece in own.values()), default=0.0)
    written = protobuf().ModelProto()
    written.CopyFrom(model)
    del written.pieces[:]
    for index, piece in enumerate(pieces):
        if index in special:
            written.pieces.add(piece=piece, score=0.0, type=special[index])
        elif piece in own:
            written.pieces.add().CopyFrom(own[piece])
        elif len(piece) == 1:  # a character that is unknown to `model`, but not to vocab.json: it keeps its number, at the cost of an unknown one
            written.pieces.add(piece=piece, score=lowest - UNKNOWN_COST, type=kinds.NORMAL)
        else:
            written.pieces.add(piece=piece, score=lowest, type=kinds.UNUSED)
    specification = written.trainer_spec
    specification.vocab_size = len(pieces)
    specification.pad_id, specification.bos_id, specification.eos_id, specification.unk_id = PAD, BOS, EOS, UNK
    specification.pad_piece, specification.bos_piece, specification.eos_piece, specification.unk_piece = (SPECIAL[n] for n in (PAD, BOS, EOS, UNK))
    serialized: bytes = written.SerializeToString(deterministic=True)
    return serialized
