"""Random segmentations of a line into subwords, for training: BPE-dropout and unigram sampling.

Provilkov et al. 2020 (BPE-dropout, Algorithm 1) and Kudo 2018 (subword regularization, section 3.2, sampled from the whole lattice).
Sits under tokenizer.py. SentencePiece has both built in, but seeds them with a salt of the process: no seed gives the same batch twice,
and a resumed run could not repeat an uninterrupted one. Here the result is a function of (lines, strength, seed, epoch, part).

No piece reaches past a space, so words are segmented one by one, and each word has `DRAWS` segmentations an epoch, made when first asked for:
after a while a line costs one look-up a word. The next epoch draws others.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy

from translate.errors import UserError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # types of a piece in SentencePiece's file
UNIGRAM, BPE = 1, 2  # types of a model there
SPACE = "\u2581"
DRAWS = 64  # segmentations of a word to choose from in an epoch
Draws = List[Optional[Tuple[int, ...]]]
KEPT = 100_000  # words whose segmentations are remembered: about 1 KB each


def read_model(model: bytes) -> tuple[int, list[tuple[str, float, int]]]:
    """The type of a SentencePiece model and each piece's (text, score, type), read from the fields of its protocol buffer.

    The Python package has no call for these two types, and its protocol classes need another package.
    """
    kind, pieces = UNIGRAM, []
    for field, value in _fields(model):
        if field == 1:
            piece = {1: b"", 2: 0.0, 3: NORMAL, **dict(_fields(value))}
            pieces.append((piece[1].decode("utf-8"), piece[2], piece[3]))
        elif field == 2:  # of the trainer's settings, field 3 is the type of the model
            kind = dict(_fields(value)).get(3, UNIGRAM)
    return kind, pieces


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        if key & 7 == 0:
            value, place = _varint(data, place)
        elif key & 7 == 2:
            size, place = _varint(data, place)
            value, place = data[place : place + size], place + size
        elif key & 7 == 5:
            value, place = struct.unpack("<f", data[place : place + 4])[0], place + 4
        else:  # 8 bytes; no field of interest has them
            value, place = data[place : place + 8], place + 8
        yield key >> 3, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place


class Sampler:
    """Segments normalised lines (spaces as U+2581) at random. `strength`: the paper's p for BPE, its alpha for a unigram model.

    UserError if the model is of another type: words or characters have one segmentation only.
    """

    def __init__(self, model: bytes, strength: float, unknown: int) -> None:
        kind, pieces = read_model(model)
        if kind not in (UNIGRAM, BPE):
            raise UserError("tokenizer.sampling needs a BPE or unigram SentencePiece model, and this is neither: set tokenizer.sampling=0")
        self.strength, self.unknown = strength, unknown
        self.segment = self._drop_merges if kind == BPE else self._sample_lattice
        known = [(text, score, index) for index, (text, score, type_) in enumerate(pieces) if type_ in (NORMAL, USER_DEFINED)]
        self.ids = {text: index for text, _, index in known}
        self.scores = {text: score for text, score, _ in known}
        self.longest = max(map(len, self.ids))
        self.unknown_score = min(self.scores.values()) - 10  # SentencePiece's
        self.bytes = [index for index, (_, _, type_) in enumerate(pieces) if type_ == BYTE]
        # a user-defined symbol is a word of its own; so is a line, should a foreign model have pieces that reach past a space
        crossing = any(SPACE in text.lstrip(SPACE) for text, _, index in known if pieces[index][2] == NORMAL)
        symbols = sorted((text for text, _, type_ in pieces if type_ == USER_DEFINED), key=len, reverse=True)
        self.symbols = set(symbols)
        split = "|".join(re.escape(symbol) for symbol in symbols)
        self.symbol_split = re.compile(f"({split})", re.DOTALL) if symbols else None
        self.words = re.compile(".+" if crossing else f"{SPACE}+[^{SPACE}]*|[^{SPACE}]+", re.DOTALL)
        self.drawn: tuple[str, dict[str, Draws]] = ("", {})  # of which seed and epoch, and of each word what was drawn so far

    def encode(self, lines: Sequence[str], seed: int, epoch: int = 0, part: int = 0) -> list[list[int]]:
        """Ids of each line: a function of the arguments and `strength` alone.

        The draws of a word are those of `seed` and `epoch`; `part` says which of them each place gets.
        """
        lines_of_words = [self._split(line) for line in lines]
        random = numpy.random.Generator(numpy.random.PCG64([seed, epoch, part]))
        choice = iter(random.integers(0, DRAWS, sum(map(len, lines_of_words))).tolist())
        salt = f"{seed} {epoch}"
        if self.drawn[0] != salt:
            self.drawn = (salt, {})
        salt, drawn = self.drawn if self.drawn[0] == salt else (salt, {})  # another thread may be in another epoch
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
            if len(drawn) >= KEPT:
                drawn.clear()
            draws = drawn[word] = [None] * DRAWS
        ids = draws[choice]
        if ids is None:
            symbols = [word] if word in self.symbols else self.segment(word, _uniform(f"{salt} {choice} {word}"))
            ids = tuple(index for symbol in symbols for index in self._ids_of(symbol))
            ids = draws[choice] = next((same for same in draws if same == ids), ids)  # few differ: keep one object of each
        return ids

    def _ids_of(self, symbol: str) -> list[int]:
        index = self.ids.get(symbol)
        if index is not None:
            return [index]
        return [self.bytes[byte] for byte in symbol.encode("utf-8")] if self.bytes else [self.unknown]

    def _drop_merges(self, word: str, chance: Iterator[float]) -> list[str]:
        """Merges as BPE does, best first, but before each merge any place is passed over with probability `strength`."""
        symbols, scores = list(word), self.scores
        merges = [scores.get(a + b) for a, b in zip(symbols, symbols[1:])]  # of each neighbouring two, if there is a piece of both
        while True:
            best, most = -1, -math.inf
            for place, score in enumerate(merges):
                if score is not None and score > most and next(chance) >= self.strength:
                    best, most = place, score
            if best < 0:
                return symbols
            symbols[best] += symbols.pop(best + 1)
            del merges[best]
            if best > 0:
                merges[best - 1] = scores.get(symbols[best - 1] + symbols[best])
            if best < len(merges):
                merges[best] = scores.get(symbols[best] + symbols[best + 1])

    def _sample_lattice(self, word: str, chance: Iterator[float]) -> list[str]:
        """Draws a path with a probability that goes as its own to the power of `strength`: forward sums, then backward steps."""
        total = [0.0] + [-math.inf] * len(word)
        arriving: list[list[tuple[float, int]]] = [[]]  # at each place, the (weight, start) of the pieces that end there
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
            rest, steps = next(chance), iter(arriving[end])
            while rest >= 0 and (step := next(steps, None)):  # None: the shares add up to 1 but for rounding
                weight, start = step
                rest -= math.exp(weight - total[end])
            path.append(word[start:end])
            end = start
        return path[::-1]


def _uniform(key: str) -> Iterator[float]:
    """Numbers from 0 up to 1 that depend on `key` alone: Knuth's linear congruential generator, as `random.Random` takes long to seed."""
    state = int.from_bytes(hashlib.blake2b(key.encode("utf-8"), digest_size=8).digest(), "little")
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 11) / 2**53
