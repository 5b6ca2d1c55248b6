"""Bundles, saves, configurations and recipes that tests/fuzz.py damages, and what their readers may make of them."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, Callable

from tests.mutations import HYDRA_WORDS, altered, altered_header, altered_save, altered_yaml, mutated

LINES = ["Der Hund schläft.", "Guten Morgen!", "😀 \x00 漢"]

LINKS = ("/etc/passwd", "/dev/zero", "nowhere", ".", "/")  # to what has nothing to do with the file

Case = Callable[[random.Random], str]


def bundle(folder: Path) -> Case:
    """A sealed bundle of any family, with a fault, or two: refused, or the same translations."""
    from tests.families import TRANSLATING
    from translate.translation.translator import Translator

    bundles = [files_of(folder, family) for family in TRANSLATING]
    expectations = []
    for whole in bundles:
        put_all(folder, whole)
        expectations.append(Translator.load(folder, "cpu", "fp32").translate(LINES))

    def case(rng: random.Random) -> str:
        whole, expected = rng.choice(list(zip(bundles, expectations)))
        damage(folder, whole, rng)
        if Translator.load(folder, "cpu", "fp32").translate(LINES) != expected:
            raise AssertionError("loaded, and translates otherwise")
        return "same output"

    return case


def gaps(folder: Path) -> Case:
    """A sealed bundle of a masked language model, with a fault, or two: refused, or the same guesses."""
    from translate.translation.fill import fill

    whole = files_of(folder, "masked_lm")
    texts = ("Der <mask> schläft.", "<mask> 漢<mask>!")
    expected = [fill(folder, text, target=text) for text in texts]

    def case(rng: random.Random) -> str:
        damage(folder, whole, rng)
        if [fill(folder, text, target=text) for text in texts] != expected:
            raise AssertionError("loaded, and guesses otherwise")
        return "same output"

    return case


def texts(folder: Path) -> Case:
    """A sealed bundle of a language model, with a fault, or two: refused, or the same texts."""
    from translate.translation.generation import generate

    whole = files_of(folder, "language_model")
    expected = generate(folder, ["", "Der Hund"], samples=2, device="cpu", precision="fp32")

    def case(rng: random.Random) -> str:
        damage(folder, whole, rng)
        if generate(folder, ["", "Der Hund"], samples=2, device="cpu", precision="fp32") != expected:
            raise AssertionError("loaded, and makes up other texts")
        return "same output"

    return case


def files_of(folder: Path, family: str) -> dict[str, bytes]:
    """The files of a small bundle, made in `folder`, which is empty or holds another bundle."""
    from tests.conftest import make_untrained
    from tests.families import FAMILIES

    make_untrained(folder, family=family, **FAMILIES[family])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def put_all(folder: Path, whole: dict[str, bytes]) -> None:
    for name, data in whole.items():
        path = folder / name
        path.unlink(missing_ok=True)
        path.write_bytes(data)


def damage(folder: Path, whole: dict[str, bytes], rng: random.Random) -> None:
    put_all(folder, whole)
    for name in rng.sample(sorted(whole), rng.choice((1, 1, 1, 2))):
        if rng.random() < 0.02:
            (folder / name).unlink()
            if rng.random() < 0.5:
                (folder / name).symlink_to(rng.choice((*LINKS, "config.yaml", name)))
            continue
        structured = {"config.yaml": altered_yaml, "model.safetensors": altered_header}.get(name, mutated)
        (folder / name).write_bytes((structured if rng.random() < 0.5 else mutated)(whole[name], rng))


def put(path: Path, data: bytes, rng: random.Random, change: Callable[[bytes, random.Random], bytes] = mutated) -> None:
    """`data` with faults at `path`; sometimes a link there instead: to nothing, out of the folder, to itself, to a device, or to whole `data`."""
    path.unlink(missing_ok=True)
    if rng.random() > 0.03:
        path.write_bytes(change(data, rng))
        return
    whole = path.with_name(f"whole{path.suffix}")
    whole.write_bytes(data)
    path.symlink_to(rng.choice((*LINKS, path.name, whole.name)))


def hostile(folder: Path) -> Case:
    """A bundle of any family in format 1, which has no seal, with the tokenizer's SHA-256 made to fit: what an attacker can write. Refused or
    loaded."""
    import hashlib

    from safetensors.torch import load_file, save_file

    from tests.families import FAMILIES
    from translate.bundle.bundle import load_bundle

    bundles, weights = [], folder / "model.safetensors"
    for family in FAMILIES:
        whole = files_of(folder, family)
        save_file(load_file(weights), weights)
        whole["model.safetensors"] = weights.read_bytes()
        whole["config.yaml"] = whole["config.yaml"].replace(b"format: 3", b"format: 1")
        bundles.append(whole)

    def case(rng: random.Random) -> str:
        whole = rng.choice(bundles)
        digest = hashlib.sha256(whole["spm.model"]).hexdigest().encode()
        damage(folder, whole, rng)
        tokenizer, config = folder / "spm.model", folder / "config.yaml"
        if tokenizer.is_file() and not tokenizer.is_symlink() and config.is_file() and not config.is_symlink():
            config.write_bytes(config.read_bytes().replace(digest, hashlib.sha256(tokenizer.read_bytes()).hexdigest().encode()))
        loaded = load_bundle(folder).tokenizer
        loaded.decode(loaded.encode_source(LINES))
        loaded.decode([list(range(loaded.target_size))])
        return "loaded"

    return case


def config(folder: Path) -> Case:
    """Settings as plain values, and as the text of config.yaml: refused, or settings that pass every check."""

    import yaml

    from tests.families import FAMILIES
    from translate.bundle.bundle import ModelFolder
    from translate.config import Config, CorpusConfig, DataConfig, InitConfig, ModelConfig, TrainingConfig, check, from_dict
    from translate.values import to_values

    data = DataConfig(train=[CorpusConfig(source="a", target="b")] * 2, test={"dev": CorpusConfig(kind="tsv", path="c")})
    models = [ModelConfig(**{"family": family, **settings}) for family, settings in FAMILIES.items()]
    inits = [InitConfig(), InitConfig(encoder="runs/x"), InitConfig(from_="runs/x", tokenizer="new", freeze=["encoder"])]
    configs = [Config(data=data, model=model, init=init, training=TrainingConfig(ema=0.5)) for model in models for init in inits]
    settings = [{key: value for key, value in to_values(each).items() if key != "run"} for each in configs]

    def case(rng: random.Random) -> str:
        values = rng.choice(settings)
        sealed = {"format": 2, "version": "0.1.0", "tokenizer_sha256": {"spm.model": "0" * 64}, **values}
        text = yaml.safe_dump(sealed, sort_keys=False, explicit_end=True).encode()
        if rng.random() < 0.4:
            changed = values
            for _ in range(rng.choice((1, 1, 2, 4))):
                changed = altered(changed, rng)
            check(from_dict(changed))
        else:
            put(folder / "config.yaml", text, rng, rng.choice((mutated, altered_yaml)))
            ModelFolder(folder)
        return "read"

    return case


def recipe(folder: Path) -> Case:
    """Recipes and words of the command line, composed by Hydra: refused, or settings that pass every check."""
    from tests.conftest import ROOT
    from translate.cli.train import compose

    (folder / "recipe").mkdir()
    text = (ROOT / "recipes" / "multi30k_de_en.yaml").read_bytes()

    def case(rng: random.Random) -> str:
        mine = folder / "recipe" / "mine.yaml"
        words = ["--config-dir", str(folder), "recipe=mine"]
        if rng.random() < 0.3:
            word = rng.choice(("model.width=256", "+data.train=[{kind: tsv, path: a}]", "optim=adam", "data.test.mine={source: a}", *HYDRA_WORDS))
            words.append(word if rng.random() < 0.2 else mutated(word.encode(), rng).decode("utf-8", "replace"))
            words += ["-m"] if rng.random() < 0.2 else []
            mine.unlink(missing_ok=True)
            mine.write_bytes(text)
        else:
            put(mine, text, rng, rng.choice((mutated, altered_yaml)))
        before = {*os.listdir("."), *os.listdir(folder)}
        configs = compose(words)
        if {*os.listdir("."), *os.listdir(folder)} != before or "LD_PRELOAD" in os.environ:
            raise AssertionError("composing left something behind")
        if "_target_" in str(configs) or os.environ["HOME"] in str(configs):
            raise AssertionError("composed, with what should be refused")
        return "read"

    return case


def save(folder: Path) -> Case:
    """The last save of a training, and sometimes the one before it: refused, or one of the two, whole: weights, moments and all numbers."""
    import dataclasses

    import torch

    from tests.conftest import make_untrained
    from translate.bundle.bundle import load_bundle
    from translate.training.checkpoints import EMA, Checkpoints, Progress

    model = load_bundle(make_untrained(folder)).model.requires_grad_()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    checkpoints, saved = Checkpoints(folder, 1), []

    def state() -> list[Any]:
        moments = [value.clone() for parameter in model.parameters() for value in optimizer.state.get(parameter, {}).values()]
        return [*(parameter.detach().clone() for parameter in model.parameters()), *moments]

    for step in (1, 2):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 0.1 * step)
        optimizer.step()
        for parameter in model.parameters():
            optimizer.state[parameter][EMA] = parameter.detach() / 2
        progress = Progress(step=step, validated=step, seconds=0.5, best_bleu=3.5, limits=[1.5])
        checkpoints.save(model, optimizer, progress)
        saved.append((state(), dataclasses.asdict(progress)))
    whole = {path.name: path.read_bytes() for path in (checkpoints.resume, checkpoints.before)}

    def case(rng: random.Random) -> str:
        for name in whole:
            put(checkpoints.folder / name, whole[name], rng, altered_save if rng.random() < 0.5 else mutated)
            if rng.random() < 0.7:  # the save before is mostly whole
                (checkpoints.before).unlink(missing_ok=True)
                checkpoints.before.write_bytes(whole[checkpoints.before.name])
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(7)
        loaded = checkpoints.load(model, optimizer, lambda _: None)
        if loaded is None:
            return "no save"
        for (tensors, numbers), name in zip(saved, ("save before", "last save")):
            found = state()
            if numbers == dataclasses.asdict(loaded) and len(found) == len(tensors) and all(map(torch.equal, found, tensors)):
                return name
        raise AssertionError("loaded, and neither of the saves")

    return case


def rerank(folder: Path) -> Case:
    """A file of `translate rerank`, with a fault, or two: refused, or settings that pass every check."""
    import math

    from translate.translation.rerank_file import NamedModel, Reranking, read_reranking, write_reranking

    path, named = folder / "rerank.yaml", NamedModel("runs/x", "0" * 64)
    weights = {"reverse": 0.5, "language_model": 1.0, "length": -2.5}
    write_reranking(
        str(path), Reranking(models=[named] * 2, reverse=named, language_model=named, n_best=5, beam=8, length_penalty=0.6, weights=weights)
    )
    data = path.read_bytes()

    def case(rng: random.Random) -> str:
        put(path, data, rng, rng.choice((mutated, altered_yaml)))
        found = read_reranking(str(path))
        sound = found.models and 2 <= found.n_best <= found.beam and all(map(math.isfinite, found.weights.values()))
        if not sound or set(found.weights) != {"length"} | {name for name in ("reverse", "language_model") if getattr(found, name)}:
            raise AssertionError(f"read, and has {found}")
        return "read"

    return case
