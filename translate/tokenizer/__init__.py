"""Text <-> subword ids (SentencePiece), and random segmentations for training.

In: lines.
Out: ids, and back.
May import: config, errors, files, text.
"""

from translate.tokenizer.tokenizer import (
    BOS,
    EOS,
    LONGEST_LINE,
    MASK,
    ONE_LINE,
    PAD,
    SOURCE_FILE,
    SPECIAL,
    TARGET_FILE,
    UNK,
    Tokenizer,
    train_tokenizer,
)

__all__ = [
    "BOS",
    "EOS",
    "LONGEST_LINE",
    "MASK",
    "ONE_LINE",
    "PAD",
    "SOURCE_FILE",
    "SPECIAL",
    "TARGET_FILE",
    "UNK",
    "Tokenizer",
    "train_tokenizer",
]
