"""`translate average`: the weights are the mean of those of the checkpoints, in a sealed bundle that translates."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from translate.bundle.bundle import load_bundle, write_config, write_model
from translate.cli.main import main
from translate.config import TokenizerConfig
from translate.tokenizer import train_tokenizer


def kept(run):
    return sorted(int(path.stem.partition("-")[2]) for path in (run / "checkpoints").glob("step-*.safetensors"))


def mean(run, steps):
    weights = [load_file(run / "checkpoints" / f"step-{step:08d}.safetensors") for step in steps]
    return {name: sum(each[name].double() for each in weights) / len(weights) for name in weights[0]}


def check(run, new, steps):
    expected = mean(run, steps)
    for name, parameter in load_bundle(new).model.named_parameters():
        torch.testing.assert_close(parameter.double(), expected[name], atol=1e-6, rtol=1e-6)


def by_score(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    scores = {line["step"]: line["bleu"] for line in lines if "bleu" in line}
    return sorted(kept(run), key=lambda step: (-scores[step], -step))


@pytest.mark.parametrize("words", ["", "--last 2", "--best 2", "--steps first last"])
def test_the_weights_are_the_mean(whole, tmp_path, capsys, words):
    steps = kept(whole)
    assert len(steps) >= 3
    chosen = {"": steps, "--last 2": steps[-2:], "--best 2": sorted(by_score(whole)[:2]), "--steps first last": [steps[0], steps[-1]]}[words]
    words = words.replace("first last", f"{steps[0]} {steps[-1]}").split()
    assert main(["average", str(whole), "-o", str(tmp_path / "new"), *words]) == 0
    said = capsys.readouterr().err
    assert f"the mean of {len(chosen)} checkpoints (steps {', '.join(map(str, chosen))}), written to {tmp_path / 'new'}\n" in said
    check(whole, tmp_path / "new", chosen)
    (tmp_path / "in").write_text("Guten Morgen.\n")
    assert main(["file", "-m", str(tmp_path / "new"), str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0


def test_what_was_measured_with_other_weights_is_not_taken_over(whole, tmp_path):
    assert main(["average", str(whole), "-o", str(tmp_path / "new")]) == 0
    before, after = load_bundle(whole), load_bundle(tmp_path / "new")
    assert after.profile.calibration.sentences == 0 and after.profile.longest_source == before.profile.longest_source > 0
    assert after.config.decoding == before.config.decoding and after.data == before.data


@pytest.mark.parametrize(
    "words, message",
    [
        (["--last", "2", "--best", "1"], "--last and --best are both given"),
        (["--last", "0"], "--last is 0: it must be at least 1"),
        (["--last", "99"], "checkpoints, not 99"),
        (["--best", "99"], "not 99: average fewer"),
        (["--steps", "7"], "has no checkpoint of step 7: it has those of steps"),
        (["--steps", "60", "60"], "--steps has a step twice"),
    ],
)
def test_a_mistake_is_one_line(whole, tmp_path, capsys, words, message):
    assert main(["average", str(whole), "-o", str(tmp_path / "new"), *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "new").exists()


def test_a_bundle_without_checkpoints_is_refused(whole, tmp_path, capsys):
    shutil.copytree(whole, tmp_path / "bundle", ignore=shutil.ignore_patterns("checkpoints"))
    assert main(["average", str(tmp_path / "bundle"), "-o", str(tmp_path / "new")]) == 2
    assert "has no checkpoints to average" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_named(whole, tmp_path, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    path = run / "checkpoints" / f"step-{kept(run)[0]:08d}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert main(["average", str(run), "-o", str(tmp_path / "new")]) == 2
    assert f"{path.name} is damaged" in capsys.readouterr().err and not (tmp_path / "new").exists()


@pytest.mark.parametrize("words, shares", [("", (0.5, 0.5)), ("--shares 8 2", (0.8, 0.2))])
def test_runs_are_averaged_by_their_shares(whole, tmp_path, words, shares):
    """The other one has weights of its own, and is otherwise the same."""
    other = load_bundle(whole)
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.mul_(1.1).add_(0.01)
    average = [str(whole), str(sealed(other, tmp_path / "other")), "-o", str(tmp_path / "new"), *words.split()]
    assert main(["average", *average]) == 0
    ours, theirs, new = (dict(load_bundle(folder).model.named_parameters()) for folder in (whole, tmp_path / "other", tmp_path / "new"))
    for name, parameter in new.items():
        torch.testing.assert_close(parameter, ours[name] * shares[0] + theirs[name] * shares[1], atol=1e-6, rtol=1e-6)
    assert load_bundle(tmp_path / "new").profile.calibration.sentences == 0


def sealed(bundle, folder):
    folder.mkdir()
    bundle.tokenizer.save(folder)
    write_config(folder, bundle.config, bundle.tokenizer)
    write_model(dataclasses.replace(bundle, folder=folder), bundle.data)
    return folder


@pytest.mark.parametrize(
    "words, message",
    [
        (["WHOLE", "WHOLE"], "is given twice: a mean needs different models"),
        (["WHOLE", "OTHER", "--shares", "1"], "--shares has 1 numbers for 2 runs"),
        (["WHOLE", "OTHER", "--shares", "1", "0"], "--shares is 1 0: each must be above 0"),
        (["WHOLE", "OTHER", "--shares", "1", "nan"], "--shares is 1 nan: each must be above 0"),
        (["WHOLE", "OTHER", "--last", "2"], "--last has no effect with several runs"),
        (["WHOLE", "--shares", "1"], "--shares has no effect with a single run"),
        (["WHOLE", "OTHER"], "has another tokenizer than"),
        (["WHOLE", "SMALL"], "has model.heads=1, "),
    ],
)
def test_what_has_no_mean_is_refused(whole, tmp_path, capsys, words, message):
    small, other = load_bundle(whole), load_bundle(whole)
    small.config = dataclasses.replace(small.config, model=dataclasses.replace(small.config.model, heads=1))
    other.tokenizer = train_tokenizer([("Ein Satz.", "A sentence.")] * 9, TokenizerConfig(vocabulary=280), tmp_path)
    folders = {"WHOLE": whole, "OTHER": sealed(other, tmp_path / "other"), "SMALL": sealed(small, tmp_path / "small")}
    words = [str(folders.get(word, word)) for word in words]
    assert main(["average", *words, "-o", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "new").exists()
