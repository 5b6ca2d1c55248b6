"""What a run may begin with, damaged for tests/fuzz.py: MarianMT folders, the bundles of `init.from`, checkpoints to average."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from tests.fuzz_cases import Case, damage, files_of, put, put_all
from tests.mutations import VALUES, altered, altered_header, mutated


def marian(folder: Path) -> Case:
    """A MarianMT folder, which has no seal: refused, or a bundle that translates."""
    from tests.conftest import make_untrained
    from translate.bundle.bundle import load_bundle
    from translate.huggingface.marian_export import export_marian
    from translate.huggingface.marian_import import import_marian
    from translate.translation.translator import Translator

    (folder / "bundle").mkdir()
    source, output = folder / "marian", folder / "imported"
    export_marian(load_bundle(make_untrained(folder / "bundle", norm="post")), source)
    whole = {path.name: path.read_bytes() for path in source.iterdir()}

    def case(rng: random.Random) -> str:
        shutil.rmtree(output, ignore_errors=True)
        put_all(source, whole)
        for name in rng.sample(sorted(whole), rng.choice((1, 1, 2))):
            if name.endswith(".json") and rng.random() < 0.7:
                (source / name).write_text(json.dumps(with_fault(json.loads(whole[name]), rng)), encoding="utf-8")
            else:
                structured = altered_header if name.endswith(".safetensors") and rng.random() < 0.5 else mutated
                put(source / name, whole[name], rng, structured)
        import_marian(source, output)
        Translator.load(output, "cpu", "fp32").translate(["Der Hund"])
        return "imported"

    return case


def with_fault(values: dict, rng: random.Random) -> dict:
    """One value of another kind; or a few more faults."""
    if rng.random() < 0.7:
        return {**values, rng.choice(sorted(values)): rng.choice((*VALUES, -1, 0, 1.5, 7))}
    return altered(values, rng) or {}


def start(folder: Path) -> Case:
    """The bundle of `init.from`, sealed, with a fault, or two: refused, or all of its weights."""
    import torch

    from tests.families import TRANSLATING
    from translate.bundle.bundle import build_model, load_bundle
    from translate.bundle.weights import weights_of
    from translate.training.init import check_init, initialise

    bundles = []
    for family in TRANSLATING:
        whole = files_of(folder, family)
        put_all(folder, whole)
        bundle = load_bundle(folder)
        bundle.config.init.from_ = str(folder)
        bundles.append((whole, bundle))

    def case(rng: random.Random) -> str:
        whole, bundle = rng.choice(bundles)
        damage(folder, whole, rng)
        check_init(bundle.config, bundle.tokenizer)
        initialise(model := build_model(bundle.config, bundle.tokenizer), bundle.config, bundle.tokenizer, lambda _: None)
        ours, theirs = weights_of(model), weights_of(bundle.model)
        if ours.keys() != theirs.keys() or not all(torch.equal(ours[name], theirs[name]) for name in ours):
            raise AssertionError("started, with other weights")
        return "same weights"

    return case


def average(folder: Path) -> Case:
    """The checkpoints of a run and the scores in its metrics.jsonl: refused, or the mean of those that are named."""
    import torch

    from tests.conftest import make_untrained
    from translate.bundle.bundle import load_bundle
    from translate.bundle.weights import weights_of
    from translate.training.averaging import average_checkpoints
    from translate.training.checkpoints import Checkpoints, Progress

    make_untrained(folder)
    model, checkpoints, output = load_bundle(folder).model, Checkpoints(folder, 3), folder / "average"
    kept = {}
    for step in (1, 2, 3):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(step)
        checkpoints.keep_weights(model, Progress(step=step))
        kept[checkpoints.path(step).name] = checkpoints.path(step).read_bytes()
    scores = "".join(json.dumps({"step": step, "bleu": 30 + step, "dev_loss": 1.5, "seconds": 0.1}) + "\n" for step in (1, 2, 3)).encode()

    def case(rng: random.Random) -> str:
        shutil.rmtree(output, ignore_errors=True)
        put_all(checkpoints.folder, kept)
        put_all(folder, {"metrics.jsonl": scores})
        if rng.random() < 0.5:
            put(folder / "metrics.jsonl", scores, rng)
        else:
            name = rng.choice(sorted(kept))
            put(checkpoints.folder / name, kept[name], rng, altered_header if rng.random() < 0.3 else mutated)
        bundle, steps = average_checkpoints(folder, output, **rng.choice(({"last": 2}, {"best": 2}, {"steps": [1, 3]})))
        for weight in weights_of(bundle.model).values():
            if not torch.allclose(weight, torch.full_like(weight, sum(steps) / len(steps))):
                raise AssertionError("averaged, and not the mean")
        return "mean"

    return case
