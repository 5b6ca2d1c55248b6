"""A run folder to evaluate, and what the tests of `translate evaluate` share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from translate.bundle.bundle import Bundle, build_model, write_config, write_model
from translate.cli.main import main
from translate.config import Config, CorpusConfig, DataConfig, DecodingConfig, FilterConfig, ModelConfig, TokenizerConfig
from translate.tokenizer import train_tokenizer
from translate.translation.pieces import Translation
from translate.translation.translator import Translator

SOURCES = ["Der Hund schläft.", "Die Katze läuft.", "", "Guten Morgen!", "Ich weiß nicht, ob er kommt.", "Was kostet das Brot?"]


def make_run(tmp_path: Path) -> Path:
    """A run folder with an untrained model and two test sets: the references of `own` are its sources, those of `real` are not."""
    folder = tmp_path / "run"
    corpora = {name: CorpusConfig(source=str(tmp_path / f"{name}.de"), target=str(tmp_path / f"{name}.en")) for name in ("own", "real")}
    config = Config(
        data=DataConfig(test=corpora, cache=str(tmp_path / "cache"), filters=FilterConfig(max_tokens=40)),
        tokenizer=TokenizerConfig(vocabulary=320),
        model=ModelConfig(width=16, heads=2, feedforward=32, encoder_layers=1, decoder_layers=1, max_tokens=40),
        decoding=DecodingConfig(beam=2, max_ratio=1.0, max_extra=4),
    )
    tokenizer = train_tokenizer([(line, line) for line in SOURCES if line], config.tokenizer, folder)
    write_config(folder, config, tokenizer)
    write_model(Bundle(folder, config, tokenizer, build_model(config, tokenizer)), "no data")
    for name, references in [("own", SOURCES), ("real", [line.replace("Die", "Eine").lower() for line in SOURCES])]:
        (tmp_path / f"{name}.de").write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
        (tmp_path / f"{name}.en").write_text("".join(f"{line}\n" for line in references), encoding="utf-8")
    return folder


def echo_translations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every translation is its source, so that the scores are known without a model."""

    def translate_stream(self, lines, options):
        return (Translation(line, line, -1.0, [(line, -1.0)], 1, False) for line in lines)

    monkeypatch.setattr(Translator, "translate_stream", translate_stream)


def evaluate(run: Path, *words: str) -> int:
    return main(["evaluate", "-m", str(run), "--device", "cpu", "--precision", "fp32", *words])


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def printed(capsys) -> dict:
    """The test sets in the JSON on stdout."""
    return json.loads(capsys.readouterr().out)["test"]
