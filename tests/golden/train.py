"""Trains a golden bundle: `python train.py FOLDER TEXTS`, with the code whose format it is to have. See README.md."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from translate.config import Config, CorpusConfig, DataConfig, DecodingConfig, FilterConfig, ModelConfig, OptimConfig, TokenizerConfig, TrainingConfig
from translate.training.run import train

WORDS = {
    "der": "the", "die": "the", "kleine": "small", "große": "big", "alte": "old", "Hund": "dog", "Katze": "cat", "Vogel": "bird", "Frau": "woman",
    "Mann": "man", "sieht": "sees", "hört": "hears", "ruft": "calls", "heute": "today", "oft": "often", "nie": "never",
}  # fmt: skip
NOUNS = {"Hund": "der", "Katze": "die", "Vogel": "der", "Frau": "die", "Mann": "der"}


def phrase(rng: random.Random) -> list[str]:
    noun = rng.choice(list(NOUNS))
    adjective = rng.choice(["kleine", "große", "alte", ""])
    return [word for word in (NOUNS[noun], adjective, noun) if word]


def sentence(rng: random.Random) -> tuple[str, str]:
    """Word for word, whatever German grammar says."""
    german = [*phrase(rng), rng.choice(["sieht", "hört", "ruft"])]
    if rng.random() < 0.5:
        german.append(rng.choice(["heute", "oft", "nie"]))
    german += phrase(rng)
    texts = " ".join(german), " ".join(WORDS[word] for word in german)
    return tuple(text[0].upper() + text[1:] + "." for text in texts)


def main(run: str, texts: Path) -> None:
    rng = random.Random(5)
    texts.mkdir(exist_ok=True)
    for name, count in (("train", 3000), ("dev", 50)):
        pairs = [sentence(rng) for _ in range(count)]
        for language, lines in zip(("de", "en"), zip(*pairs)):
            (texts / f"{name}.{language}").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    training, validation = (CorpusConfig(kind="text", source=f"{texts}/{name}.de", target=f"{texts}/{name}.en") for name in ("train", "dev"))
    train(
        Config(
            run=run,
            data=DataConfig(train=[training], validation=[validation], test={}, cache=f"{texts}/cache", filters=FilterConfig(max_tokens=64)),
            tokenizer=TokenizerConfig(vocabulary=350, normalization="identity"),  # the other rules take 240 kB of the model
            model=ModelConfig(width=16, heads=2, feedforward=32, encoder_layers=1, decoder_layers=1, max_tokens=64, dropout=0.0),
            optim=OptimConfig(schedule="linear", rate=0.01, warmup=100),
            training=TrainingConfig(
                steps=1500, batch_tokens=1000, validate_every=1500, log_every=500, keep=2, average=2, threads=1, precision="fp32"
            ),
            decoding=DecodingConfig(beam=3),
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
