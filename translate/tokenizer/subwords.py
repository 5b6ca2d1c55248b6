"""Random segmentations of a line into subwords, for training: BPE-dropout and unigram sampling.

Provilkov et al. 2020 (BPE-dropout, Algorithm 1) and Kudo 2018 (subword regularization, section 3.2, sampled from the whole lattice).
SentencePiece has both built in, but its random generator can't be seeded, so a resumed run could not reproduce an uninterrupted one. Here
the result is a function of (lines, strength, seed, epoch, part).

Pieces don't cross spaces, so words are segmented one by one. Each word has `DRAWS` segmentations per epoch, computed on first use and then
cached; the next epoch draws new ones.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy

from translate.errors import UserError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # piece types in SentencePiece's file format
UNIGRAM, BPE = 1, 2  # model types
SPACE = "\u2581"
DRAWS = 64  # segmentations per word and epoch
Draws: TypeAlias = "list[tuple[int, ...] | None]"  # of one word; None: not drawn yet
CACHED_WORDS = 100_000  # with about 1 KB of segmentations each


def read_model(model: bytes) -> tuple[int, list[tuple[str, float, int]]]:
    """The type of a SentencePiece model and each piece's (text, score, type), read from its protocol buffer.

    The Python package exposes neither type, and its protocol classes need the protobuf package.
    """
    kind, pieces = UNIGRAM, []
    for field, value in message_fields(model):
        if field == 1:
            piece: dict[int, Any] = {1: b"", 2: 0.0, 3: NORMAL, **dict(message_fields(value))}
            pieces.append((piece[1].decode("utf-8"), piece[2], piece[3]))
        elif field == 2:  # the trainer's settings; their field 3 is the model type
            kind = dict(message_fields(value)).get(3, UNIGRAM)
    return kind, pieces


def message_fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value (int, float or bytes, by wire type) of each field of a protocol buffer message."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        value: Any
        if key & 7 == 0:
            value, position = _varint(data, position)
        elif key & 7 == 2:
            size, position = _varint(data, position)
            value, position = data[position : position + size], position + size
        elif key & 7 == 5:
            value, position = struct.unpack("<f", data[position : position + 4])[0], position + 4
        else:  # 8 bytes; not used by any field read here
            value, position = data[position : position + 8], position + 8
        yield key >> 3, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value, shift, position = value | (byte & 127) << shift, shift + 7, position + 1
        if byte < 128:
            return value, position


class Sampler:
    """Segments normalised lines (spaces as U+2581) at random. `strength`: the paper's p for BPE, its alpha for a unigram model.

    UserError for other model types: with words or characters there is only one segmentation.
    """

    def __init__(self, model: bytes, strength: float, unknown: int) -> None:
        kind, pieces = read_model(model)
        if kind not in (UNIGRAM, BPE):
            raise UserError("tokenizer.sampling needs a BPE or unigram SentencePiece model, and this is neither: set tokenizer.sampling=0")
        self.strength, self.unknown = strength, unknown
        self.segment = self._drop_merges if kind == BPE else self._sample_lattice
        known = [(text, score, index) for index, (text, score, kind) in enumerate(pieces) if kind in (NORMAL, USER_DEFINED)]
        self.ids = {text: index for text, _, index in known}
        self.scores = {text: score for text, score, _ in known}
        self.longest = max(map(len, self.ids))
        self.unknown_score = min(self.scores.values()) - 10  # SentencePiece's
        self.bytes = [index for index, (_, _, kind) in enumerate(pieces) if kind == BYTE]
        # each user-defined symbol counts as a word; so does a whole line if the model, from another trainer, has pieces that cross a space
        crossing = any(SPACE in text.lstrip(SPACE) for text, _, index in known if pieces[index][2] == NORMAL)
        symbols = sorted((text for text, _, kind in pieces if kind == USER_DEFINED), key=len, reverse=True)
        self.symbols = set(symbols)
        split = "|".join(re.escape(symbol) for symbol in symbols)
        self.symbol_split = re.compile(f"({split})", re.DOTALL) if symbols else None
        self.words = re.compile(".+" if crossing else f"{SPACE}+[^{SPACE}]*|[^{SPACE}]+", re.DOTALL)
        self.drawn: tuple[str, dict[str, Draws]] = ("", {})  # seed and epoch, and the draws so far by word

    def encode(self, lines: Sequence[str], seed: int, epoch: int = 0, part: int = 0) -> list[list[int]]:
        """Ids of each line, determined by the arguments and `strength` alone.

        `seed` and `epoch` determine the draws of a word, and `part` which of them each occurrence gets.
        """
        lines_of_words = [self._split(line) for line in lines]
        random = numpy.random.Generator(numpy.random.PCG64([seed, epoch, part]))
        choice = iter(random.integers(0, DRAWS, sum(map(len, lines_of_words))).tolist())
        salt = f"{seed} {epoch}"
        if self.drawn[0] != salt:
            self.drawn = (salt, {})
        salt, drawn = self.drawn if self.drawn[0] == salt else (salt, {})  # in case another thread is in another epoch
        ids = [[index for word in words for index in self._draw(drawn, salt, word, next(choice))] for words in lines_of_words]
        if not self.bytes:  # a run of unknown characters is one unknown piece, as in SentencePiece
            ids = [[a for a, b in zip(line, [*line[1:], -1]) if not a == b == self.unknown] for line in ids]
        return ids

    def _split(self, line: str) -> list[str]:
        if self.symbol_split is None:
            return self.words.findall(line)
        parts = self.symbol_split.split(line)
        return [word for part in parts for word in ([part] if part in self.symbols else self.words.findall(part))]

    def _draw(self, drawn: dict[str, Draws], salt: str, word: str, choice: int) -> tuple[int, ...]:
        draws = drawn.get(word)
        if draws is None:
            if len(drawn) >= CACHED_WORDS:
                drawn.clear()
            draws = drawn[word] = [None] * DRAWS
        ids = draws[choice]
        if ids is None:
            symbols = [word] if word in self.symbols else self.segment(word, _uniform(f"{salt} {choice} {word}"))
            ids = tuple(index for symbol in symbols for index in self._ids_of(symbol))
            ids = draws[choice] = next((same for same in draws if same == ids), ids)  # share equal ones
        return ids

    def _ids_of(self, symbol: str) -> list[int]:
        index = self.ids.get(symbol)
        if index is not None:
            return [index]
        return [self.bytes[byte] for byte in symbol.encode("utf-8")] if self.bytes else [self.unknown]

    def _drop_merges(self, word: str, chance: Iterator[float]) -> list[str]:
        """BPE-dropout: merges the best pair first, but skips each candidate with probability `strength` at every step."""
        symbols, scores = list(word), self.scores
        merges = [scores.get(a + b) for a, b in zip(symbols, symbols[1:])]  # scores of adjacent pairs; None if not a piece
        while True:
            best, best_score = -1, -math.inf
            for index, score in enumerate(merges):
                if score is not None and score > best_score and next(chance) >= self.strength:
                    best, best_score = index, score
            if best < 0:
                return symbols
            symbols[best] += symbols.pop(best + 1)
            del merges[best]
            if best > 0:
                merges[best - 1] = scores.get(symbols[best - 1] + symbols[best])
            if best < len(merges):
                merges[best] = scores.get(symbols[best] + symbols[best + 1])

    def _sample_lattice(self, word: str, chance: Iterator[float]) -> list[str]:
        """Samples a segmentation x with probability proportional to P(x) ** strength: forward filtering, backward sampling."""
        total = [0.0] + [-math.inf] * len(word)
        arriving: list[list[tuple[float, int]]] = [[]]  # (log weight, start) of the pieces that end at each position
        for end in range(1, len(word) + 1):
            steps = []
            for start in range(max(0, end - self.longest), end):
                score = self.scores.get(word[start:end], self.unknown_score if end - start == 1 else None)
                if score is not None:
                    steps.append((total[start] + self.strength * score, start))
            most = max(steps)[0]
            total[end] = most + math.log(sum(math.exp(weight - most) for weight, _ in steps))
            arriving.append(steps)
        path, end = [], len(word)
        while end:
            rest = next(chance)
            for weight, start in arriving[end]:
                rest -= math.exp(weight - total[end])
                if rest < 0:
                    break
            path.append(word[start:end])
            end = start
        return path[::-1]


def _uniform(key: str) -> Iterator[float]:
    """Random numbers in [0, 1), seeded by `key`: Knuth's linear congruential generator, since `random.Random` is slow to seed."""
    state = int.from_bytes(hashlib.blake2b(key.encode("utf-8"), digest_size=8).digest(), "little")
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 11) / 2**53
