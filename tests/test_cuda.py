"""What may differ on a GPU. Each test runs on the CPU too, so that a machine without a GPU runs the same lines."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from copy import deepcopy

import numpy
import pytest
import torch

from tests.conftest import metrics, tiny_config
from tests.test_ranks import finished, torchrun
from translate.bundle.bundle import Bundle, build_model, load_bundle, read_weights
from translate.cli.main import main
from translate.config import Config, DecodingConfig, ModelConfig
from translate.data.batches import Batch
from translate.decoding import Options
from translate.device import autocast, release_memory
from translate.model.families import new_model
from translate.tokenizer import BOS, EOS
from translate.tokenizer.padding import pad
from translate.training import checkpoints, update
from translate.training.development import DevelopmentSet
from translate.training.ranks import Ranks
from translate.training.run import train
from translate.training.update import Updater
from translate.translation import likelihood
from translate.translation.torch_engine import TorchEngine
from translate.translation.translator import Translator

OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU = torch.device("cpu")


@pytest.fixture(params=["cpu", "cuda"])
def device(request) -> torch.device:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    return torch.device(request.param)


@pytest.fixture
def short_of_memory(device, monkeypatch):
    """A function that limits a GPU's memory to `spare` bytes more than are in use. On a CPU, the function `name` of `owner` raises the error where
    `too_large(its arguments)`."""

    def limit(spare: int, owner: object, name: str, too_large) -> None:
        if device.type == "cuda":
            release_memory()
            used, all_of_it = torch.cuda.memory_reserved(), torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction((used + spare) / all_of_it)
            return
        real = getattr(owner, name)

        def failing(*words, **options):
            if too_large(words):
                raise OUT_OF_MEMORY
            return real(*words, **options)

        monkeypatch.setattr(owner, name, failing)

    yield limit
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(1.0)


def batch_of(bundle: Bundle, folder, count: int = 32) -> Batch:
    sides = [(folder / f"train.{language}").read_text(encoding="utf-8").splitlines()[:count] for language in ("de", "en")]
    labels = pad(bundle.tokenizer.encode_target(sides[1]))
    target = torch.cat([torch.full((len(labels), 1), BOS), labels[:, :-1]], dim=1)
    return Batch(0, 0, pad(bundle.tokenizer.encode_source(sides[0])), target, labels, int((labels != 0).sum()))


def lines_of(folder, device: torch.device, count: int, language: str = "de") -> list[str]:
    """`count` lines to translate; on a CPU, where other tests translate more, a tenth of them."""
    return (folder / f"train.{language}").read_text(encoding="utf-8").splitlines()[: count if device.type == "cuda" else count // 10]


def gradient_of(bundle: Bundle, config: Config, batch: Batch, device: torch.device, precision: torch.dtype, log=print, limit=None) -> torch.Tensor:
    """What the optimizer is given at the first step, in one vector. `limit()` is called when all is on the device."""
    model = build_model(config, bundle.tokenizer)
    model.load_state_dict(bundle.model.state_dict())
    updater, seen = Updater(model.to(device), config, device, precision, Ranks()), []
    updater.optimizer.register_step_pre_hook(lambda *_: seen.extend(parameter.grad.flatten().cpu() for parameter in model.parameters()))
    if limit:
        limit()
    assert updater.update([batch], 0, 1e-3, log).finite
    return torch.cat(seen)


@pytest.mark.parametrize("r_drop", [0.0, 1.0])
def test_a_step_in_bf16_goes_the_way_of_one_in_fp32(device, r_drop, bundle, corpus_folder):
    loaded = load_bundle(bundle)
    config = dataclasses.replace(loaded.config, optim=dataclasses.replace(loaded.config.optim, r_drop=r_drop, clip=0.0))
    batch = batch_of(loaded, corpus_folder)
    single, half = (gradient_of(loaded, config, batch, device, precision) for precision in (torch.float32, torch.bfloat16))
    assert torch.cosine_similarity(single, half, dim=0) > 0.99
    assert half.norm() == pytest.approx(float(single.norm()), rel=0.05)


@pytest.mark.parametrize("r_drop", [0.0, 1.0])
def test_a_step_has_the_gradient_that_it_has_on_a_cpu(device, r_drop, bundle, corpus_folder):
    """Without dropout, whose masks each device draws for itself."""
    loaded = load_bundle(bundle)
    model, optim = dataclasses.replace(loaded.config.model, dropout=0.0), dataclasses.replace(loaded.config.optim, r_drop=r_drop, clip=0.0)
    config, batch = dataclasses.replace(loaded.config, model=model, optim=optim), batch_of(loaded, corpus_folder)
    expected, got = (gradient_of(loaded, config, batch, place, torch.float32) for place in (CPU, device))
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))


def test_dropout_is_that_of_the_step(device, bundle, corpus_folder):
    """The same step has the same masks, however often a run was stopped before."""
    loaded = load_bundle(bundle)
    batch = batch_of(loaded, corpus_folder)
    first, again = (gradient_of(loaded, loaded.config, batch, device, torch.float32) for _ in range(2))
    torch.testing.assert_close(again, first, rtol=1e-3, atol=1e-5 * float(first.abs().max()))
    still = dataclasses.replace(loaded.config, model=dataclasses.replace(loaded.config.model, dropout=0.0))
    assert torch.cosine_similarity(first, gradient_of(loaded, still, batch, device, torch.float32), dim=0) < 0.999


def test_a_run_goes_on_where_it_stopped(device, tmp_path, corpus_folder, monkeypatch):
    """Bit for bit on a CPU. On a GPU sums come out in another order each time, so the loss is that of the undisturbed run, and no more."""
    runs = [tiny_config(tmp_path / name, corpus_folder, steps=12, validate_every=6, log_every=1, device=str(device)) for name in ("whole", "parts")]
    train(runs[0])
    plain = Updater.update

    def killed(self, batches, step, rate, say):
        if step == 8:
            raise InterruptedError
        return plain(self, batches, step, rate, say)

    with monkeypatch.context() as patch:
        patch.setattr(Updater, "update", killed)
        with pytest.raises(InterruptedError):
            train(runs[1])
    train(runs[1])
    assert "resumed at step 6" in (tmp_path / "parts" / "train.log").read_text()
    losses = [[line["loss"] for line in metrics(tmp_path / name) if "loss" in line] for name in ("whole", "parts")]
    assert len(losses[0]) == 12 and losses[1] == pytest.approx(losses[0], rel=1e-3 if device.type == "cuda" else 0)
    whole, parts = (read_weights(tmp_path / name / "checkpoints" / "step-00000012.safetensors") for name in ("whole", "parts"))
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], **({"rtol": 0.1, "atol": 1e-2} if device.type == "cuda" else {"rtol": 0, "atol": 0}))
    report = json.loads((tmp_path / "parts" / "report.json").read_text())
    assert report["device"] == device.type


def test_a_save_is_read_on_either_device(device, tmp_path, corpus_folder):
    """Begun on a CPU, ended here: weights, and the moments that Adam wants beside them."""
    train(tiny_config(tmp_path / "run", corpus_folder, steps=4, validate_every=4))
    train(tiny_config(tmp_path / "run", corpus_folder, steps=8, validate_every=4, device=str(device)))
    assert json.loads((tmp_path / "run" / "report.json").read_text())["steps"] == 8
    saved = read_weights(tmp_path / "run" / "checkpoints" / "resume.safetensors")
    assert {float(value) for name, value in saved.items() if name.startswith(f"adam.{checkpoints.MOMENTS[0]}.")} == {8.0}


@pytest.mark.parametrize("options", [Options(beam=1), Options(beam=5), Options(beam=5, n_best=3, batch_tokens=200)], ids=repr)
def test_search_finds_what_it_finds_on_a_cpu(device, options, trained, corpus_folder):
    """In fp32, text for text."""
    lines = lines_of(corpus_folder, device, 300)
    expected, got = (list(Translator.load(trained, str(place), "fp32").translate_stream(lines, options)) for place in (CPU, device))
    assert [[text for text, _ in result.alternatives] for result in got] == [[text for text, _ in result.alternatives] for result in expected]
    assert [result.score for result in got] == pytest.approx([result.score for result in expected], rel=1e-3, abs=1e-3)


FAMILIES = {
    "bidirectional": {"family": "decoder_only"},
    "causal": {"family": "decoder_only", "prefix": "causal"},
    "gru": {"family": "recurrent", "attention": "additive"},
    "lstm": {"family": "recurrent", "cell": "lstm", "attention": "general"},
    "scores": {"family": "encoder_decoder", "attention": "cosine", "window": 5, "window_center": "monotonic", "positions": "learned"},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_other_models_compute_what_they_compute_on_a_cpu(device, name):
    """Their states, gradients, outputs and attention; in bf16 nearly so."""
    torch.manual_seed(4)
    config = ModelConfig(**{"width": 32, "heads": 4, "feedforward": 48, "decoder_layers": 2, "max_tokens": 24, "dropout": 0.0, **FAMILIES[name]})
    model = new_model(config, 40, 40, True)
    sources = [torch.randint(4, 40, (length,)).tolist() + [EOS] for length in (3, 17, 9)]
    source, target, found = pad(sources), pad([[BOS, *ids[:-1]] for ids in reversed(sources)]), []
    for place, precision in ((CPU, torch.float32), (device, torch.float32), (device, torch.bfloat16)):
        copy = deepcopy(model).to(place)
        with autocast(place, precision):
            features = copy.features(source.to(place), target.to(place))
        (features.float() * torch.linspace(-1, 1, 32, device=place)).sum().backward()
        found.append([features.detach().float().cpu(), *(parameter.grad.cpu() for parameter in copy.parameters())])
    for expected, same, near in zip(*found):
        torch.testing.assert_close(same, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
        assert torch.cosine_similarity(near.flatten(), expected.flatten(), dim=0) > 0.99
    options = Options(beam=3, n_best=2).fill(DecodingConfig())
    here, there = (
        TorchEngine.owning(deepcopy(model), place, torch.float32).search(sources, [9] * 3, options, [], 0, True) for place in (CPU, device)
    )
    for expected, other in zip(itertools.chain(*here), itertools.chain(*there)):
        assert other.ids == expected.ids and other.score == pytest.approx(expected.score, abs=1e-3)
        numpy.testing.assert_allclose(other.attention, expected.attention, atol=1e-3)


def test_samples_depend_on_the_seed_alone(device, trained, corpus_folder):
    lines = lines_of(corpus_folder, device, 200)
    translator = Translator.load(trained, str(device), "fp32")

    def draw(seed: int, batch_tokens: int) -> list[str]:
        return [result.text for result in translator.translate_stream(lines, Options(sample=True, seed=seed, batch_tokens=batch_tokens))]

    assert draw(1, 10_000) == draw(1, 10_000) == draw(1, 100) != draw(2, 10_000)


def test_validation_in_bf16_is_close_to_fp32(device, trained, corpus_folder):
    loaded = load_bundle(trained, device)
    pairs = list(zip(*(lines_of(corpus_folder, device, 500, language) for language in ("de", "en"))))
    few = DevelopmentSet(pairs, "train", 0, 2, loaded.tokenizer, 64, "13a")
    losses = [few.loss(loaded.model, device, precision, 500) for precision in (torch.float32, torch.bfloat16)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="torchrun")
def test_under_torchrun_each_process_takes_its_own_device(device, tmp_path, corpus_folder):
    """`training.device=cuda`, without a number: one process for each GPU. test_ranks.py does the same on a CPU."""
    if device.type == "cpu":
        pytest.skip("no GPU")
    processes = torch.cuda.device_count()
    config = tiny_config(tmp_path / "run", corpus_folder, steps=4, validate_every=4, device=device.type)
    finished(torchrun(config, tmp_path, processes))
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert (report["device"], report["processes"], report["steps"]) == (device.type, processes, 4)


def test_a_step_that_memory_does_not_hold_is_done_in_parts(device, short_of_memory, bundle, corpus_folder):
    loaded = load_bundle(bundle)
    model = dataclasses.replace(loaded.config.model, dropout=0.0)
    config, batch = dataclasses.replace(loaded.config, model=model), batch_of(loaded, corpus_folder, 1000)
    expected, said = gradient_of(loaded, config, batch, device, torch.float32), []

    def limit() -> None:
        short_of_memory(16_000_000, update, "loss_sum", lambda words: len(words[2]) > 300)

    got = gradient_of(loaded, config, batch, device, torch.float32, said.append, limit)
    assert said and all("out of memory with" in line and "retrying in two parts" in line for line in said)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))


def test_a_validation_that_memory_does_not_hold_is_done_in_smaller_batches(device, short_of_memory, trained, corpus_folder):
    loaded = load_bundle(trained, device)
    pairs = list(zip(*(lines_of(corpus_folder, device, 1500, language) for language in ("de", "en"))))
    few = DevelopmentSet(pairs, "train", 0, 2, loaded.tokenizer, 64, "13a")
    expected = few.loss(loaded.model, device, torch.float32, 500)
    short_of_memory(16_000_000, likelihood, "label_nats", lambda words: words[3].numel() > 1000)
    assert few.loss(loaded.model, device, torch.float32, 100_000) == pytest.approx(expected, rel=1e-5)


def test_where_there_is_no_memory_for_adam_one_line_says_so(device, tmp_path, corpus_folder, monkeypatch, capsys):
    """Its moments, twice the weights, come into being at the end of the first step, when nothing could be made smaller any more."""

    def failing(self, *_):
        raise OUT_OF_MEMORY

    monkeypatch.setattr(torch.optim.AdamW, "step", failing)
    words = [f"run={tmp_path / 'run'}", "data=phrasebook", "model=tiny", "training.steps=2", "training.minutes=0", f"training.device={device}"]
    words += ["tokenizer.vocabulary=400", f"data.cache={tmp_path / 'cache'}", "training.batch_tokens=300", "training.min_steps=0"]
    assert main(["train", "recipe=quickstart", *words]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("translate: error: out of memory: ") and "training.batch_tokens" in last and "smaller model" in last


def test_a_search_that_memory_does_not_hold_is_done_in_parts(device, short_of_memory, trained, corpus_folder):
    lines = lines_of(corpus_folder, device, 1000)
    translator = Translator.load(trained, str(device), "fp32")
    expected = translator.translate(lines, batch_tokens=500)
    short_of_memory(16_000_000, TorchEngine, "search", lambda words: len(words[1]) > 30)
    assert translator.translate(lines, batch_tokens=1_000_000) == expected


def test_a_gpu_searches_larger_batches(trained, tmp_path):
    """Where neither the user nor the recipe says."""
    bundle = load_bundle(trained)
    assert bundle.config.decoding.batch_tokens is None
    engines = [TorchEngine(bundle.model, torch.device(name)) for name in ("cpu", "cuda")]
    for decoding, expected in ((bundle.config.decoding, (4096, 32_768)), (dataclasses.replace(bundle.config.decoding, batch_tokens=77), (77, 77))):
        assert tuple(Translator(engine, bundle.tokenizer, decoding).decoding.batch_tokens for engine in engines) == expected


def test_a_batch_arrives_as_it_was(device, bundle, corpus_folder):
    batch = batch_of(load_bundle(bundle), corpus_folder)
    there = batch.to(device)
    assert (there.epoch, there.position, there.tokens) == (batch.epoch, batch.position, batch.tokens)
    for name in ("source", "target", "labels"):
        assert getattr(there, name).device.type == device.type and torch.equal(getattr(there, name).cpu(), getattr(batch, name))
