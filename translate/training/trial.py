"""A trial of training: the speed, memory and disk space of a recipe, and whether its model learns at all.

`translate check` prints these findings after those about the data. All are measured, with a newly trained tokenizer and real batches.
Files are written to a temporary folder; of a large corpus only a sample is used.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch

from translate.bundle.bundle import build_model
from translate.checks.data_checks import check_data
from translate.checks.finding import Finding
from translate.checks.tokenizer_checks import check_tokenized
from translate.config import Config, InitConfig
from translate.data.batches import Batch, BatchStream
from translate.data.pairs import load_pairs, save_sample, training_texts
from translate.data.placeholders import with_symbols
from translate.data.prepare import Prepared, prepare
from translate.data.sides import sides_of
from translate.decoding import Options
from translate.device import autocast, choose_device, choose_precision, choose_search_precision, keep_freed_memory, limit_kernel_cache, set_threads
from translate.errors import UserError
from translate.model import Model
from translate.model.families import FAMILIES
from translate.tokenizer import Tokenizer, train_tokenizer
from translate.training.counting import Counter
from translate.training.development import DevelopmentSet, spread
from translate.training.init import check_init, initialise, tokenizer_settings
from translate.training.loss import loss_sum
from translate.training.optim import check_schedule
from translate.training.ranks import Ranks
from translate.training.start_checks import check_start
from translate.training.update import Updater, counted_tokens
from translate.training.validation import TOO_MUCH, fewer_validations
from translate.translation.batching import default_batch_tokens, length_batches
from translate.translation.torch_engine import TorchEngine

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PAIRS = 100_000  # size of the sample of a larger corpus
MEASURED = 3  # batches
SEARCHED = 200  # development sentences, at most, to measure a validation
OVERFITTED = 16  # sentences that the model has to learn by heart
STEPS, SECONDS = 60, 10.0  # for that, at most
RATE = 1e-3


def check_all(config: Config) -> Iterator[Finding]:
    """The findings about the data and, if the training corpora can be read, about the model."""
    readable = True
    for finding in check_data(config):
        yield finding
        readable = readable and not (finding.severity == "error" and finding.name.startswith("train "))
    for finding in check_start(config):
        yield finding
        readable = readable and finding.severity != "error"
    if config.training.steps and not FAMILIES[config.model.family].learns_by_counting:
        yield check_schedule(config, config.training.steps)
    if readable:
        yield from check_model(config)


def check_model(config: Config) -> Iterator[Finding]:
    """Yield the findings about tokenizer and model; the corpora must be readable. UserError for a device that does not exist."""
    sides = sides_of(config.model)
    texts = training_texts(config.data, sides)
    with tempfile.TemporaryDirectory(prefix="translate-") as temporary:
        corpus = save_sample(texts, PAIRS, Path(temporary) / "sample")
        data = dataclasses.replace(config.data, train=[corpus], folder=None, cache=f"{temporary}/cache")
        try:
            settings = with_symbols(tokenizer_settings(config), config.data)
            tokenizer = train_tokenizer(training_texts(data, sides), settings, temporary)
        except UserError as error:
            yield Finding("error", "tokenizer", str(error))
            return
        try:
            prepared = prepare(data, tokenizer, lambda _: None, sides)
        except UserError as error:
            yield Finding("error", "filters", str(error))
            return
        try:
            # a tokenizer of the whole corpus may be another one than that of the sample, with which parts of models can't be compared
            model = build_model(config, tokenizer)
            if settings.path or config.init.from_ is not None or len(texts) <= PAIRS:
                check_init(config, tokenizer)
                initialise(model, config, tokenizer, lambda _: None)
        except UserError as error:
            yield Finding("error", "init", str(error))
            return
        yield from check_tokenized(prepared, tokenizer, config, len(texts), sides, copied=bool(settings.path))
        if config.decoding.length_penalty is not None:
            text = f"decoding.length_penalty is fixed at {config.decoding.length_penalty:g}, so it is not tuned on the development set"
            yield Finding("note", "length penalty", text)
        if FAMILIES[config.model.family].learns_by_counting:
            yield from _counting(prepared, tokenizer, config, len(texts))
            return
        passes = sum(corpus.weight * len(table) for corpus, table in zip(config.data.train, texts.tables)) / len(texts)
        yield from _training(prepared, tokenizer, config, len(texts), passes, Path(temporary), model)


def _counting(prepared: Prepared, tokenizer: Tokenizer, config: Config, size: int) -> Iterator[Finding]:
    """Time and disk space of a model that learns by counting, for all `size` sentences, from those of the sample."""
    counter, share, began = Counter(build_model(config, tokenizer), prepared), prepared.read / size, time.perf_counter()
    counter.update([], 0, 0.0, lambda _: None)
    yield Finding("ok", "time", f"about {_duration((time.perf_counter() - began) / share)} of counting on this machine")
    written = sum(parameter.nbytes for parameter in counter.model.parameters()) * 3 / share  # the model and two saves
    yield Finding("ok", "disk", f"about {written / 1e9:.2f} GB for the run folder, less if more of the text repeats itself")


def _training(prepared: Prepared, tokenizer: Tokenizer, config: Config, size: int, passes: float, folder: Path, model: Model) -> Iterator[Finding]:
    device = choose_device(config.training.device)
    precision = choose_precision(config.training.precision, device)
    set_threads(config.training.threads)
    keep_freed_memory()
    limit_kernel_cache()
    updater = Updater(model.to(device), config, device, precision, Ranks())
    settings = config.training
    sampling, longest, objective = config.tokenizer.sampling, config.model.max_tokens, updater.model.objective
    with BatchStream(prepared, tokenizer, settings.batch_tokens, settings.seed, sampling, longest, objective=objective) as stream:
        batches = list(islice(stream.batches_from(), MEASURED))
    yield _first_loss(updater, batches[0], tokenizer)
    try:
        times = []
        for batch in batches:
            updater.update([batch], 0, 0.0, lambda _: None)  # the first time is slow: kernels are compiled for each shape
            began = time.perf_counter()
            updater.update([batch], 0, 0.0, lambda _: None)
            times.append(time.perf_counter() - began)
    except UserError as error:  # out of memory
        yield Finding("error", "memory", str(error))
        return
    speed = statistics.median(counted_tokens(updater.model, [batch]) / seconds for batch, seconds in zip(batches, times))
    share = 0.0
    for share, finding in _validations(config, tokenizer, updater.model, device, statistics.median(times) * settings.accumulate):
        yield finding
    epoch = float(prepared.target_lengths.sum()) * passes * size / prepared.read / speed / (1 - share)
    budget = f", {settings.minutes * 60 / epoch:.1f} epochs in the {settings.minutes:g} minutes of the recipe" if settings.minutes else ""
    if settings.minutes and not settings.steps:
        tokens = statistics.mean(counted_tokens(updater.model, [batch]) for batch in batches) * settings.accumulate
        yield check_schedule(config, max(settings.min_steps, int(settings.minutes * 60 * speed / tokens)))
    yield Finding("ok", "time", f"about {speed:,.0f} target tokens/s on this machine: an epoch takes {_duration(epoch)}{budget}")
    yield _memory(device, prepared.read, size)
    yield _disk(updater, config, folder, size / prepared.read)
    yield _overfits(config, tokenizer, batches[0], device, precision)


def _validations(config: Config, tokenizer: Tokenizer, model: Model, device: torch.device, step: float) -> Iterator[tuple[float, Finding]]:
    """The share of the time that validations will take, if there is a development set. step: seconds per step.

    Only a part of the set is searched, with outputs as long as their references: an untrained model's would be as long as allowed.
    """
    settings = config.training
    try:
        pairs = load_pairs(config.data.validation, config.data, sides_of(config.model))
    except UserError:  # reported by the data checks
        return
    if not pairs:
        return
    chosen, beam = spread(pairs, settings.validate_sentences), settings.validate_beam
    sample = DevelopmentSet(chosen, "", SEARCHED, beam, tokenizer, config.model.max_tokens, "none")
    began = time.perf_counter()
    if model.translates:
        _search(config, sample, model, device)
    else:
        sample.loss(model, device, choose_precision(settings.precision, device), settings.batch_tokens)
    seconds = (time.perf_counter() - began) * sample.total / len(sample)
    share = seconds / (seconds + step * settings.validate_every)
    text = f"about {_duration(seconds)} every {settings.validate_every:,} steps, on {sample.total:,} sentences: {share:.0%} of the time"
    if share > TOO_MUCH:
        yield share, Finding("warning", "validations", text, fewer_validations(share, settings.validate_every))
    else:
        yield share, Finding("ok", "validations", text)


def _search(config: Config, sample: DevelopmentSet, model: Model, device: torch.device) -> None:
    engine = TorchEngine.owning(copy.deepcopy(model), device, choose_search_precision(config.training.precision, device))
    options = Options(beam=sample.beam).fill(config.decoding)
    sources, targets = sample.ids
    for indices in length_batches(list(map(len, sources)), config.decoding.batch_tokens or default_batch_tokens(device.type), sample.beam):
        engine.search([sources[index] for index in indices], [len(targets[index]) for index in indices], options, [])


def _first_loss(updater: Updater, batch: Batch, tokenizer: Tokenizer) -> Finding:
    """For an untrained model all pieces should be about equally likely; one that another run has trained should know better."""
    loss, uniform, init = _loss(updater, batch), math.log(tokenizer.target_size), updater.config.init
    if init.from_ is not None:
        text = f"loss of the weights of init.from on this text {loss:.2f}, that of guessing is ln V = {uniform:.2f}"
        hint = "they know nothing of it: are languages and direction those of the other run?"
        return Finding("warning", "first loss", text, hint) if loss > uniform else Finding("ok", "first loss", text)
    if init.encoder is not None or init.decoder is not None:
        return Finding("ok", "first loss", f"loss before training {loss:.2f}, ln V = {uniform:.2f}")
    text = f"loss of the untrained model {loss:.2f}, ln V = {uniform:.2f}"
    if abs(loss - uniform) > 1.5:
        return Finding("warning", "first loss", text, "the two should be close: check model.width and the other dimensions")
    return Finding("ok", "first loss", text)


@torch.no_grad()
def _loss(updater: Updater, batch: Batch) -> float:
    """Negative log-likelihood per token, without dropout, in nats."""
    batch = batch.to(updater.device)
    updater.model.eval()
    with autocast(updater.device, updater.precision):
        features = updater.model.features(batch.source, batch.target)
        return float(loss_sum(features, updater.model.output_weight, batch.labels, 0.0)[1]) / batch.tokens


def _memory(device: torch.device, sampled: int, size: int) -> Finding:
    if device.type == "cuda":
        return Finding("ok", "memory", f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB of GPU memory at most")
    if resource is None:
        return Finding("ok", "memory", "not measured: this system does not report a process's peak memory")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Finding("ok", "memory", f"{peak / 1e9:.1f} GB at most, for the whole process")


def _disk(updater: Updater, config: Config, folder: Path, share: float) -> Finding:
    """Weights are fp32; there are two saves, each with the weights and Adam's two moments."""
    weights = 4 * sum(parameter.numel() for parameter in updater.model.parameters())
    run = weights * (1 + 2 * 3 + config.training.keep + 1)
    cache = share * sum(path.stat().st_size for path in (folder / "cache").rglob("*") if path.is_file())
    return Finding("ok", "disk", f"about {run / 1e9:.2f} GB for the run folder and {cache / 1e9:.2f} GB for the cache of the tokenised corpus")


def _overfits(config: Config, tokenizer: Tokenizer, batch: Batch, device: torch.device, precision: torch.dtype) -> Finding:
    """Train on a few sentences without regularization. A model that can't learn them by heart will learn nothing."""
    labels = batch.labels[:OVERFITTED]
    sample = Batch(0, 0, batch.source[:OVERFITTED], batch.target[:OVERFITTED], labels, int((labels != 0).sum()))
    plain = dataclasses.replace(
        config,
        init=InitConfig(),
        model=dataclasses.replace(config.model, dropout=0.0),
        optim=dataclasses.replace(config.optim, label_smoothing=0.0, r_drop=0.0, clip=1.0),
    )
    updater = Updater(build_model(plain, tokenizer).to(device), plain, device, precision, Ranks())
    first, began, step = _loss(updater, sample), time.perf_counter(), 0
    while step < STEPS and time.perf_counter() - began < SECONDS:
        updater.update([sample], step, RATE * min(1.0, (step + 1) / 10), lambda _: None)
        step += 1
    last = _loss(updater, sample)
    text = f"{len(labels)} sentences learnt by heart: loss {first:.2f} before, {last:.2f} after {step} steps"
    if not last < 0.7 * first:
        return Finding("warning", "one batch", text, "it should fall below 70% of the first: check the model settings (norm=pre learns most easily)")
    return Finding("ok", "one batch", text)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
