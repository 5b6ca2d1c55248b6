"""`translate average`: the weights are the mean of those of the checkpoints, in a sealed bundle that translates."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from translate.bundle.bundle import load_bundle
from translate.cli.main import main


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
