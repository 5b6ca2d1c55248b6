"""What a small model of each family needs besides the settings of a small encoder-decoder; and two runs for each, one killed on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import digest, metrics, one_line, tiny_config
from tests.test_checkpoints import start, wait_for_step
from translate.cli.main import main
from translate.config import DecodingConfig
from translate.training.run import train

FAMILIES: dict[str, dict[str, Any]] = {  # of each, what else is in a bundle of it
    "encoder_decoder": {},
    "decoder_only": {"encoder_layers": 0},
    "recurrent": {"feedforward": 1024, "cell": "lstm", "decoder_layers": 2, "attention": "additive", "window": 4},
    "language_model": {"encoder_layers": 0},
    "masked_lm": {"decoder_layers": 0},
    "markov": {"width": 256, "heads": 4, "feedforward": 1024, "encoder_layers": 0, "decoder_layers": 0},
}
SOURCES = ["Der Hund schläft.", "", "Guten Morgen! Wo ist das Buch?", "Ich habe 1.234,50 € gefunden."]
TRANSLATING = ("encoder_decoder", "decoder_only", "recurrent")


def config_of(run: Path, corpus_folder: Path, settings: dict[str, Any], **training):
    """`tiny_config` of another model, with every random stream in it: dropout, BPE-dropout and two batches a step."""
    config = tiny_config(run, corpus_folder, steps=50, validate_every=25, log_every=1, accumulate=2, **training)
    for key, value in settings.items():
        setattr(config.model, key, value)
    config.tokenizer.sampling = 0.1
    if config.model.family not in TRANSLATING:
        config.decoding = DecodingConfig()  # it has no use for a beam
    return config


def train_whole_and_in_parts(folder: Path, corpus_folder: Path, settings: dict[str, Any]) -> tuple[Path, Path]:
    """Two runs: one never stopped, and one killed by SIGKILL after its first validation and resumed."""
    train(config_of(folder / "whole", corpus_folder, settings))
    process = start(config_of(folder / "parts", corpus_folder, settings), folder)
    wait_for_step(folder / "parts", 32, process)
    process.kill()
    process.wait(60)
    assert not (folder / "parts" / "report.json").exists()
    train(config_of(folder / "parts", corpus_folder, settings))
    return folder / "whole", folder / "parts"


def assert_one_run(runs: tuple[Path, Path]) -> None:
    """The same weights and losses to the last bit, of a model that learns."""
    assert digest(runs[0] / "model.safetensors") == digest(runs[1] / "model.safetensors")
    losses = [{line["step"]: line["loss"] for line in metrics(run) if "loss" in line} for run in runs]
    assert losses[0] == losses[1] and len(losses[0]) == 50
    assert losses[0][50] < losses[0][1] - 1.5


def assert_refused_export(run: Path, output: Path, capsys, *words: str) -> None:
    """By CTranslate2, in one line with these words."""
    pytest.importorskip("ctranslate2")
    assert main(["export", "-m", str(run), "--to", "ctranslate2", "-o", str(output)]) == 2
    one_line(capsys, *words)
    assert not output.exists()
