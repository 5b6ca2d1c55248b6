"""Tiny models, trained once a session on the built-in phrasebook by the real command's own function; and small helpers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: the workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from filelock import FileLock

ROOT = Path(__file__).parent.parent


# With --dist loadfile, xdist begins with the files of the most tests and ends with the few long tests of training, which one worker does alone. In
# the order of their names the files are better mixed.
def pytest_configure(config) -> None:
    config.option.loadscopereorder = False


LINES = ["Der Hund schläft.", "", "Guten Morgen!", "a\u2028b", "a\x85b \x1c c", "  ", "Die Katze läuft.", "😀 \x00 漢"]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def metrics(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def tiny_config(run: Path, folder: Path, **training):
    """A recipe that trains in seconds: `folder` holds train.de, train.en, dev.de, dev.en."""
    from translate.config import (
        Config,
        CorpusConfig,
        DataConfig,
        DecodingConfig,
        FilterConfig,
        ModelConfig,
        OptimConfig,
        TokenizerConfig,
        TrainingConfig,
    )

    def corpus(name):
        return CorpusConfig(kind="text", source=str(folder / f"{name}.de"), target=str(folder / f"{name}.en"))

    settings = {"steps": 40, "batch_tokens": 400, "validate_every": 20, "log_every": 10, "keep": 2, "average": 2, "threads": 1, "precision": "fp32"}
    return Config(
        run=str(run),
        data=DataConfig(
            train=[corpus("train")], validation=[corpus("dev")], test={"dev": corpus("dev")}, cache=str(folder / "cache"),
            filters=FilterConfig(max_tokens=64),
        ),
        tokenizer=TokenizerConfig(vocabulary=500),
        model=ModelConfig(width=32, heads=2, feedforward=64, encoder_layers=1, decoder_layers=1, max_tokens=64),
        optim=OptimConfig(schedule="linear", rate=0.005, warmup=10),
        training=TrainingConfig(**{**settings, **training}),
        decoding=DecodingConfig(beam=2),
    )  # fmt: skip


def copy_of_shared(tmp_path_factory, name: str, make: Callable[[Path], object]) -> Path:
    """A copy of the folder that `make` fills, once for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared" / name
    shared.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{shared}.lock"):
        done = shared.with_suffix(".done")
        if not done.exists():
            make(shared)
            done.touch()
    return Path(shutil.copytree(shared, tmp_path_factory.mktemp("copies") / name))


def write_corpus(folder: Path) -> None:
    from translate.phrasebook import pairs

    for name, chosen in (("train", pairs("train")[:1500]), ("dev", pairs("validation")[:20])):
        for language, lines in zip(("de", "en"), zip(*chosen)):
            (folder / f"{name}.{language}").write_text("".join(line + "\n" for line in lines), encoding="utf-8")


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory) -> Path:
    """1,500 phrasebook pairs to train on and 20 to validate with, as text files."""
    return copy_of_shared(tmp_path_factory, "corpus", write_corpus)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory, corpus_folder) -> Path:
    """The run folder of a tiny trained model."""
    from translate.training.run import train

    return copy_of_shared(tmp_path_factory, "tiny", lambda run: train(tiny_config(run, corpus_folder)))


@pytest.fixture(scope="session")
def trained(tmp_path_factory, corpus_folder) -> Path:
    """Trained long enough that most of its outputs end by themselves."""
    from translate.training.run import train

    return copy_of_shared(tmp_path_factory, "trained", lambda run: train(tiny_config(run, corpus_folder, steps=400, validate_every=400)))


@pytest.fixture
def data(tmp_path):
    """A data configuration without corpora, with a cache of its own."""
    from translate.config import DataConfig

    return DataConfig(cache=str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def stopped(tmp_path_factory, corpus_folder) -> Path:
    """A run that did all of its steps and was killed before it chose its weights."""
    from tests.stopped_run import train_and_kill

    return copy_of_shared(tmp_path_factory, "stopped", lambda run: train_and_kill(run, corpus_folder))


@pytest.fixture(scope="session")
def whole(tmp_path_factory, stopped, corpus_folder) -> Path:
    """The same, finished by the next start."""
    from tests.stopped_run import SETTINGS, copy_of
    from translate.training.run import train

    run = copy_of(stopped, tmp_path_factory.mktemp("whole"))
    train(tiny_config(run, corpus_folder, **SETTINGS))
    return run


@pytest.fixture
def command():
    """Run `translate WORDS...` as a process of its own."""

    def run(*words, **options) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **options.pop("environment", {})}
        return subprocess.run([sys.executable, "-m", "translate", *map(str, words)], capture_output=True, env=environment, **options)

    return run


@pytest.fixture(scope="session")
def few(tmp_path_factory) -> Path:
    """24 sentences, which a tiny model learns by heart, more or less."""
    from translate.phrasebook import pairs

    folder = tmp_path_factory.mktemp("few")
    for name in ("train", "dev"):
        for language, lines in zip(("de", "en"), zip(*pairs("train")[:24])):
            (folder / f"{name}.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def untrained(tmp_path_factory) -> Path:
    return make_untrained(tmp_path_factory.mktemp("untrained"))


def make_untrained(folder: Path, **model) -> Path:
    """A model that has learned nothing: what it writes is noise, but always the same noise. model: further settings of it."""
    import numpy
    import torch

    from translate.bundle.bundle import Bundle, build_model, write_config, write_model
    from translate.config import Config, DataConfig, DecodingConfig, FilterConfig, ModelConfig, TokenizerConfig, TrainingConfig
    from translate.model.families import FAMILIES
    from translate.tokenizer import train_tokenizer

    settings = ModelConfig(**{"width": 16, "heads": 2, "feedforward": 32, "encoder_layers": 1, "decoder_layers": 1, "max_tokens": 24, **model})
    config = Config(
        data=DataConfig(filters=FilterConfig(max_tokens=24)),
        tokenizer=TokenizerConfig(vocabulary=300),
        model=settings,
        training=TrainingConfig(seed=2),
        decoding=DecodingConfig(beam=2, max_ratio=1.0, max_extra=4) if FAMILIES[settings.family].translates else DecodingConfig(),
    )
    tokenizer = train_tokenizer([(line, line) for line in LINES if line.strip()], config.tokenizer, folder)
    model = build_model(config, tokenizer)
    if model.learns_by_counting:
        ids = tokenizer.encode_target(LINES)
        model.learn(numpy.concatenate(ids), numpy.array(list(map(len, ids))))
    else:
        with torch.no_grad():
            model.target_embedding.weight.mul_(1.5)
    write_config(folder, config, tokenizer)
    write_model(Bundle(folder, config, tokenizer, model), "no data")
    return folder


@pytest.fixture
def translate(untrained):
    """Run `translate file` on the untrained model in this process -> exit code."""

    def run(*words, model=untrained):
        from translate.cli.main import main

        return main(["file", "-m", str(model), "--device", "cpu", "--precision", "fp32", *map(str, words)])

    return run


# what a process gets that need not understand the locale
FILE_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "LC_ALL": "C", "PYTHONUTF8": "0"}


def file_words(bundle, *words) -> list[str]:
    """The command line of `translate file` as a process of its own."""
    return [sys.executable, "-m", "translate", "file", "-m", str(bundle), "--device", "cpu", "--precision", "fp32", *map(str, words)]


def one_line(capsys, *words):
    """The message of an error: one line, nothing on stdout."""
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("translate: error: ") and captured.err.count("\n") == 1
    for word in words:
        assert word in captured.err
    return captured.err


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.de"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8", newline="")
    return path


def lines_of(capsys):
    return capsys.readouterr().out.split("\n")[:-1]


class Pipe(io.BytesIO):
    def seekable(self):
        return False


@pytest.fixture
def run(tmp_path):
    """The run folder of tests/evaluate_run.py."""
    from tests.evaluate_run import make_run

    return make_run(tmp_path)


@pytest.fixture
def echo(monkeypatch):
    """Every model gives back its source."""
    from tests.evaluate_run import echo_translations

    echo_translations(monkeypatch)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The cache folder of this machine, for this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "machine"))
    return tmp_path / "machine"
