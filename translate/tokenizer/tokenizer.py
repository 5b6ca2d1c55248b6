"""Text <-> subword ids, by SentencePiece (Kudo and Richardson 2018). Defines the four special ids for the whole package."""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

import sentencepiece

from translate.config import TokenizerConfig
from translate.errors import UserError
from translate.files.atomic import atomic_write, make_folder
from translate.text.normalize import normalize, normalize_tracked
from translate.text.tracked import Tracked
from translate.tokenizer.places import Places, Spans
from translate.tokenizer.subwords import SPACE, Sampler

PAD, BOS, EOS, UNK = 0, 1, 2, 3
MASK = BOS  # in what an encoder reads, where no text has a start mark: a token that was taken out (data/masking.py)
NFC = "nfc"  # of TokenizerConfig.normalization: our own
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
SOURCE_FILE, TARGET_FILE = "spm.model", "spm.target.model"
LONGEST_LINE = 16384  # bytes; SentencePiece skips longer ones in training
QUIET = 4  # log level above errors, which SentencePiece would both print and raise
ONE_LINE = str.maketrans("\n\r", "  ")

sentencepiece.set_min_log_level(QUIET)


class Tokenizer:
    """One SentencePiece model for both languages (`joint`), or one for each.

    source_size, target_size: number of pieces, including the four special ones.
    """

    def __init__(self, source_model: bytes, target_model: bytes | None = None, normalization: str = "") -> None:
        """From serialized SentencePiece models; without `target_model` the first is used for both sides. UserError if one is unusable.

        normalization: `nfc` normalises every text as text/normalize.py does; the other values of the setting are rules inside the models.
        """
        self.normalization = normalization
        self.joint = target_model is None
        self.models = {SOURCE_FILE: source_model} if target_model is None else {SOURCE_FILE: source_model, TARGET_FILE: target_model}
        self._source = _processor(source_model, SOURCE_FILE)
        self._target = self._source if target_model is None else _processor(target_model, TARGET_FILE)
        self.source_size, self.target_size = len(self._source), len(self._target)
        self._samplers: dict[tuple[str, float], Sampler] = {}

    def encode_source(
        self, lines: Sequence[str], sampling: float = 0.0, seed: int | None = None, epoch: int = 0, part: int = 0, threads: int = 1
    ) -> list[list[int]]:
        """Ids of each line, EOS at the end.

        sampling: 0 = the best segmentation, on `threads` threads; else a random one (subwords.py) with this p of BPE-dropout or alpha of a
        unigram model, which depends only on the lines, `sampling`, `seed`, `epoch` and `part`.
        """
        return self._encode(SOURCE_FILE, lines, sampling, seed, epoch, part, threads)

    def encode_target(
        self, lines: Sequence[str], sampling: float = 0.0, seed: int | None = None, epoch: int = 0, part: int = 0, threads: int = 1
    ) -> list[list[int]]:
        """As `encode_source`, for the target side. BOS is not added."""
        return self._encode(SOURCE_FILE if self.joint else TARGET_FILE, lines, sampling, seed, epoch, part, threads)

    def _encode(self, name: str, lines: Sequence[str], sampling: float, seed: int | None, epoch: int, part: int, threads: int) -> list[list[int]]:
        processor = self._source if name == SOURCE_FILE else self._target
        if not sampling:
            ids: list[list[int]] = processor.encode(self._normal(lines), add_eos=True, num_threads=threads)
            return ids
        if seed is None:
            raise UserError("subword sampling needs a seed")
        sampler = self._samplers.get((name, sampling))
        if sampler is None:
            sampler = self._samplers[name, sampling] = Sampler(self.models[name], sampling, UNK)
        return [[*ids, EOS] for ids in sampler.encode([processor.normalize(line) for line in self._normal(lines)], seed, epoch, part)]

    def _normal(self, lines: Sequence[str]) -> list[str]:
        return [normalize(line) for line in lines] if self.normalization == NFC else list(lines)

    def as_segmented(self, lines: Sequence[str]) -> list[str]:
        """Each source line as it is cut into pieces: normalised, with U+2581 for each space, and before the first word."""
        return list(self._source.normalize(self._normal(lines)))

    def normalized_source(self, lines: Sequence[str]) -> list[str]:
        """Each line normalised as before segmentation; "" if nothing is left."""
        return [line.replace(SPACE, " ").strip() for line in self.as_segmented(lines)]

    def normalized_target(self, lines: Sequence[str]) -> list[str]:
        return [line.replace(SPACE, " ").strip() for line in self._target.normalize(self._normal(lines))]

    def decode(self, ids: Sequence[Sequence[int]], source: bool = False) -> list[str]:
        """Target text of each list of ids, or source text, without special ones. A line end, from byte pieces, becomes a space."""
        lines = (self._source if source else self._target).decode([known(line) for line in ids])
        return [line.translate(ONE_LINE) for line in lines]

    def word_costs(self, words: Sequence[str]) -> list[float]:
        """How unusual each word is as a source: its number of pieces, plus a share of one that is smaller for pieces that were merged early.

        Early merges are those of frequent pieces; the share grows with the logarithm of the rank, as frequencies fall (Zipf's law).
        """
        scale = math.log(self.source_size + 1)
        encoded: list[list[int]] = self._source.encode(list(words))
        return [len(ids) + sum(math.log(index + 1) for index in ids) / (len(ids) * scale) if ids else 0.0 for ids in encoded]

    def source_characters(self) -> set[str]:
        """What the source pieces are made of: of any other character a source has only the bytes, or nothing."""
        model, ids = self._source, range(self.source_size)
        return {*"".join(model.id_to_piece(n) for n in ids if not (model.is_byte(n) or model.is_control(n) or model.is_unknown(n)))} - {SPACE}

    def source_pieces(self) -> list[str]:
        """The piece of each source id, in SentencePiece's notation."""
        return list(self._source_places.pieces)

    def target_pieces(self) -> list[str]:
        return list(self._target_places.pieces)

    def source_spans(self, lines: Sequence[str], ids: Sequence[Sequence[int]]) -> list[Spans]:
        """Where in its line each id of `encode_source` comes from: begin and end, in characters. Empty for EOS and a piece of no text of its own.

        Spans are in order and don't overlap. They may begin with white space; of a character that takes several ids, the last one has it.
        """
        if self.normalization != NFC:
            return self._normal_spans(lines, ids)
        normal = [normalize_tracked(Tracked.of(line)) for line in lines]
        spans = self._normal_spans([text.text for text in normal], ids)
        return [own if text.text == line else [text.span(*span) for span in own] for line, text, own in zip(lines, normal, spans)]

    def _normal_spans(self, lines: Sequence[str], ids: Sequence[Sequence[int]]) -> list[Spans]:
        places = self._source_places

        def parsed(line: str, own: Sequence[int]) -> Spans:
            return places.parse(self._source.encode(line, out_type="serialized_proto"), own, UNK)

        return [places.of_line(line, own) or parsed(line, own) for line, own in zip(lines, ids)]

    def output_spans(self, texts: Sequence[str], ids: Sequence[Sequence[int]]) -> list[Spans]:
        """The same for `texts`, the results of `decode`."""
        places = self._target_places

        def parsed(own: Sequence[int]) -> Spans:
            return places.parse(self._target.decode(known(own), out_type="serialized_proto"), own, UNK + 1)

        return [places.of_line(text, own) or parsed(own) for text, own in zip(texts, ids)]

    @cached_property
    def _source_places(self) -> Places:
        return Places([self._source.id_to_piece(number) for number in range(self.source_size)])

    @cached_property
    def _target_places(self) -> Places:
        return Places([self._target.id_to_piece(number) for number in range(self.target_size)])

    def symbol_ids(self, symbols: Sequence[str]) -> list[int] | None:
        """The target ids of `symbols` that both sides have as pieces that are never split; None unless all are."""
        ids = [self._target.piece_to_id(symbol) for symbol in symbols]
        return ids if all(self._source.piece_to_id(symbol) != UNK for symbol in symbols) and UNK not in ids else None

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write spm.model, and spm.target.model unless joint, to `folder`."""
        make_folder(folder)
        for name, model in self.models.items():
            with atomic_write(Path(folder) / name) as file:
                file.write(model)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], normalization: str = "") -> Tokenizer:
        """From a folder written by `save`, with the setting that it was trained with. UserError if spm.model is missing or damaged."""
        folder = Path(folder)
        return cls(_read(folder / SOURCE_FILE), _read(folder / TARGET_FILE) if (folder / TARGET_FILE).exists() else None, normalization)

    def digests(self) -> dict[str, str]:
        """SHA-256 of each model, by file name."""
        return {name: hashlib.sha256(model).hexdigest() for name, model in self.models.items()}


def known(ids: Iterable[int]) -> list[int]:
    """Without the special ones."""
    return [index for index in map(int, ids) if index > UNK]


def train_tokenizer(
    pairs: Iterable[tuple[str, str]] | Callable[[], Iterable[tuple[str, str]]], config: TokenizerConfig, folder: str | os.PathLike[str]
) -> Tokenizer:
    """Train on the (source, target) texts of `pairs`, or of what it returns, and save to `folder`; or copy the model at `config.path` there.

    Deterministic: the same texts and settings give the same bytes. Uses every n-th pair of a corpus with more than `config.sentences` lines.
    UserError: a vocabulary too large or too small for the corpus (with the limit), no text, an unusable symbol, or a model at `config.path`
    with other special ids.
    """
    if config.path:
        tokenizer = _existing(Path(config.path), config)
    else:
        texts = pairs() if callable(pairs) else pairs
        if not isinstance(texts, Sized):
            texts = list(texts)
        lines = len(texts) * (2 if config.joint else 1)
        step = max(1, -(-lines // config.sentences))
        if config.joint:
            tokenizer = Tokenizer(_train(chain.from_iterable(islice(texts, 0, None, step)), config), normalization=config.normalization)
        else:
            source, target = (_train((pair[side] for pair in islice(texts, 0, None, step)), config) for side in (0, 1))
            tokenizer = Tokenizer(source, target, config.normalization)
    tokenizer.save(folder)
    return tokenizer


class _CountedLines:
    """Passes lines on to SentencePiece, counting the long ones, which it silently skips."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = lines
        self.not_blank = self.too_long = self.first_long = 0  # two counts, and the number of the first line too long

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self.lines, 1):
            self.not_blank += bool(line.strip())
            if len(line) > LONGEST_LINE // 4 and len(line.encode()) > LONGEST_LINE:
                self.too_long, self.first_long = self.too_long + 1, self.first_long or number
            yield line


def _train(lines: Iterable[str], config: TokenizerConfig) -> bytes:
    for symbol in config.symbols:
        if not symbol or " " in symbol or "\n" in symbol or symbol in SPECIAL:
            raise UserError(f"tokenizer.symbols has {symbol!r}: a symbol must not contain a space, nor be one of {', '.join(SPECIAL)}")
    own_rules = config.normalization == NFC
    model, counted = io.BytesIO(), _CountedLines(map(normalize, lines) if own_rules else lines)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(counted), model_writer=model, model_type=config.kind, vocab_size=config.vocabulary,
            character_coverage=config.character_coverage, byte_fallback=True, user_defined_symbols=config.symbols,
            normalization_rule_name="identity" if own_rules else config.normalization, pad_id=PAD, bos_id=BOS, eos_id=EOS, unk_id=UNK,
            max_sentence_length=LONGEST_LINE, num_threads=2, minloglevel=QUIET,
        )  # fmt: skip
    except RuntimeError as error:
        raise UserError(_explain(str(error), config, counted)) from None
    return model.getvalue()


def _explain(message: str, config: TokenizerConfig, counted: _CountedLines) -> str:
    """Rephrases SentencePiece's error message in terms of the settings."""
    if not counted.not_blank or "sentences_.empty()" in message or "all_chars_count" in message:  # depending on SentencePiece's version
        if not counted.too_long:
            return "the tokenizer could not be trained: all lines of the training text are blank"
        return (
            f"the tokenizer could not be trained: all {counted.not_blank:,} lines that are not blank are longer than {LONGEST_LINE:,} bytes "
            f"(the first: line {counted.first_long:,}): put one sentence on each line"
        )
    high = re.search(r"Vocabulary size too high \((\d+)\).*value <= (\d+)", message)
    if high:
        return f"tokenizer.vocabulary is {config.vocabulary}, but the training text allows at most {high[2]}: set it to {high[2]} or less"
    low = re.search(r"smaller than required_chars\. (\d+) vs (\d+)", message)
    if low:
        return (
            f"tokenizer.vocabulary is {config.vocabulary}, but special pieces, bytes and characters alone are {low[2]}: "
            f"raise it, or lower tokenizer.character_coverage ({config.character_coverage})"
        )
    return f"the tokenizer could not be trained: {' '.join(message.split())}"


def _existing(path: Path, config: TokenizerConfig) -> Tokenizer:
    """Load a SentencePiece file for both sides, or a folder with spm.model and perhaps spm.target.model."""
    normalization = config.normalization
    tokenizer = Tokenizer.load(path, normalization) if path.is_dir() else Tokenizer(_read(path), normalization=normalization)
    if tokenizer.joint != config.joint:
        has = "one model for both languages" if tokenizer.joint else "a model for each language"
        raise UserError(f"tokenizer.path ({path}) has {has}: set tokenizer.joint={str(not config.joint).lower()}, or choose another model")
    return tokenizer


def _processor(model: bytes, name: str) -> sentencepiece.SentencePieceProcessor:
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    except (RuntimeError, UnicodeDecodeError):  # UnicodeDecodeError: its error message quotes bytes of the damaged model
        processor = None
    if not processor:  # also false for a model without pieces, which SentencePiece loads from an empty file
        raise UserError(f"{name} is not a SentencePiece model, or is damaged")
    ids = (processor.pad_id(), processor.bos_id(), processor.eos_id(), processor.unk_id())
    if ids != (PAD, BOS, EOS, UNK):
        raise UserError(
            f"{name} has the special ids pad {ids[0]}, bos {ids[1]}, eos {ids[2]}, unk {ids[3]}: "
            f"train it with spm_train --pad_id={PAD} --bos_id={BOS} --eos_id={EOS} --unk_id={UNK}"
        )
    return processor


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: could not be read as a SentencePiece model: it is not a file")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: could not be read as a SentencePiece model: {error.strerror}") from None
