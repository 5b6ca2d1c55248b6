"""The profile of a model: computed in training, sealed in its bundle, empty for bundles of older formats."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import safetensors
import safetensors.numpy

from translate.bundle.bundle import load_bundle
from translate.errors import UserError
from translate.profile import Calibration, LengthRatio, Profile
from translate.translation.engine import load_engine


@pytest.fixture
def run(trained, tmp_path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def edit_manifest(run: Path, change) -> None:
    """Rewrites the metadata of the weights after `change(manifest)`."""
    path = run / "model.safetensors"
    with safetensors.safe_open(path, "np") as file:
        manifest = json.loads(file.metadata()["manifest"])
    weights = safetensors.numpy.load_file(path)
    change(manifest)
    safetensors.numpy.save_file(weights, path, {"manifest": json.dumps(manifest)})


def put_profile(**values):
    """A change that seals another profile, as somebody who knows the format would."""

    def change(manifest) -> None:
        manifest["profile"] |= values
        manifest["profile_sha256"] = hashlib.sha256(json.dumps(manifest["profile"], sort_keys=True).encode()).hexdigest()

    return change


def test_longest_source(trained):
    """The 99.9% quantile of the training sources, in tokens."""
    bundle = load_bundle(trained)
    corpus = bundle.config.data.train[0]
    lines = Path(corpus.source).read_text(encoding="utf-8").splitlines()
    lengths = sorted(map(len, bundle.tokenizer.encode_source(lines)))
    assert lengths[-20] <= bundle.profile.longest_source <= lengths[-1]


@pytest.mark.parametrize("number", [1, 2])
def test_bundles_of_older_formats_have_none(number):
    assert load_bundle(Path(__file__).parent / "golden" / f"format{number}").profile == Profile()


def test_both_engines_get_it(trained):
    pytest.importorskip("ctranslate2")
    profile = load_bundle(trained).profile
    assert profile.longest_source
    assert load_engine(str(trained), "cpu", "fp32", "torch", "default")[3] == profile
    assert load_engine(str(trained), "cpu", "auto", "ctranslate2", "default")[3] == profile


def test_an_export_keeps_it(trained, tmp_path):
    pytest.importorskip("ctranslate2")
    from translate.translation.ctranslate2_engine import export

    bundle = load_bundle(trained)
    export(bundle, tmp_path / "exported")
    assert load_engine(str(tmp_path / "exported"), "cpu", "auto", "ctranslate2", "default")[3] == bundle.profile


def test_a_changed_profile_is_refused(run):
    edit_manifest(run, lambda manifest: manifest["profile"].update(longest_source=7))
    with pytest.raises(UserError, match="its profile has another SHA-256"):
        load_bundle(run)


def test_a_missing_profile_is_refused(run):
    edit_manifest(run, lambda manifest: manifest.pop("profile"))
    with pytest.raises(UserError, match="its profile has another SHA-256"):
        load_bundle(run)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"longest_source": -1}, "at least 0"),
        ({"longest_source": "9"}, "longest_source"),
        ({"cases": {"mann": 3}}, "cases.mann"),
        ({"cases": []}, "cases"),
        ({"cases": {str(number): "x" for number in range(200_001)}}, "200,001 entries"),
        ({"speed": 1}, "speed"),
        ({"lengths": None}, "lengths"),
        ({"lengths": {"least": 1}}, "lengths.least is 1"),
        ({"lengths": {"most": float("nan")}}, "lengths.most is nan"),
        ({"lengths": {"slope": "0.1"}}, "lengths.slope"),
        ({"lengths": {"base": 1e300}}, "lengths.base"),
        ({"calibration": {"sentences": 5}}, "calibration.scores has 0 values"),
        ({"calibration": {"sentences": 0, "scores": [-1.0], "worth": [0.5]}}, "of 0 sentences"),
        ({"calibration": {"sentences": 5, "scores": [-1.0, -0.5], "worth": [0.5]}}, "calibration.worth has 1 values, scores 2"),
        ({"calibration": {"sentences": 5, "scores": [-0.5, -1.0], "worth": [0.5, 0.6]}}, "calibration.scores do not ascend"),
        ({"calibration": {"sentences": 5, "scores": [-1.0, -1.0], "worth": [0.5, 0.6]}}, "scores given twice"),
        ({"calibration": {"sentences": 5, "scores": [-1.0, -0.5], "worth": [0.6, 0.5]}}, "calibration.worth do not ascend"),
        ({"calibration": {"sentences": 5, "scores": [-1.0, -0.5], "worth": [0.6, 1.5]}}, "not between 0 and 1"),
        ({"calibration": {"sentences": 5, "scores": [-1.0, float("nan")], "worth": [0.6, 0.7]}}, r"scores\[1\] is nan"),
        ({"calibration": {"sentences": 5, "scores": [-1.0, float("-inf")], "worth": [0.6, 0.7]}}, r"scores\[1\] is -inf"),
        ({"calibration": {"sentences": 5, "scores": ["-1"], "worth": [0.6]}}, r"scores\[0\]"),
        ({"calibration": {"sentences": 5, "scores": list(range(5000)), "worth": [0.5] * 5000}}, "5,000 values"),
        ({"calibration": {"least_coverage": 2.0}}, "least_coverage"),
    ],
)
def test_values_that_training_cannot_have_written(run, values, message):
    edit_manifest(run, put_profile(**values))
    with pytest.raises(UserError, match=message) as error:
        load_bundle(run)
    assert "profile in" in str(error.value)


def test_a_sealed_profile_is_read(run):
    calibration = {"sentences": 500, "scores": [-2.0, -0.5], "worth": [0.0, 0.75], "least_score": -1.5}
    edit_manifest(run, put_profile(longest_source=9, cases={"mann": "Mann"}, lengths={"most": 3.0}, calibration=calibration))
    profile = load_bundle(run).profile
    assert (profile.longest_source, profile.cases, profile.lengths) == (9, {"mann": "Mann"}, LengthRatio(most=3.0))
    assert profile.calibration == Calibration(**calibration)
