"""Runs of recurrent models at the command line: killed and resumed, sealed, translated, aligned, evaluated, refused where they must be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import lines_of, make_untrained, one_line
from tests.families import SOURCES, assert_one_run, assert_refused_export, train_whole_and_in_parts
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.config import Config, InitConfig, ModelConfig, check
from translate.errors import UserError
from translate.translation.translator import Translator

RECURRENT = {"family": "recurrent", "feedforward": 1024}
VARIANTS = {
    "gru": {**RECURRENT, "attention": "additive", "heads": 1},
    "lstm": {**RECURRENT, "cell": "lstm", "encoder_layers": 2, "decoder_layers": 2, "attention": "general", "window": 4},
}


@pytest.fixture(scope="module", params=["gru", pytest.param("lstm", marks=pytest.mark.slow)])
def runs(request, tmp_path_factory, corpus_folder) -> tuple[Path, Path]:
    return train_whole_and_in_parts(tmp_path_factory.mktemp("runs"), corpus_folder, VARIANTS[request.param])


@pytest.fixture
def run(runs, tmp_path) -> Path:
    return Path(shutil.copytree(runs[0], tmp_path / "run"))


def test_killed_and_resumed_equals_never_stopped(runs):
    assert_one_run(runs)


def test_a_bundle_is_sealed(run, capsys):
    text = (run / "config.yaml").read_text()
    values, model = yaml.safe_load(text)["model"], load_bundle(run).model
    assert model.config == ModelConfig(**values)
    for key, other in (("attention", "dot"), ("cell", "gru" if values["cell"] == "lstm" else "lstm"), ("window", 1), ("family", "language_model")):
        (run / "config.yaml").write_text(text.replace(f"  {key}: {values[key]}\n", f"  {key}: {other}\n"))
        assert main(["file", "-m", str(run), str(run / "samples.txt"), "--device", "cpu"]) == 2
        one_line(capsys, "model.")


def test_files_are_translated_as_by_the_api_and_aligned_whoever_is_in_the_batch(run, tmp_path, capsys):
    (tmp_path / "source.de").write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
    words = ["file", "-m", str(run), str(tmp_path / "source.de"), "--device", "cpu", "--precision", "fp32"]
    for beam in ("1", "3"):
        assert main([*words, "--beam", beam]) == 0
        outputs, lines = lines_of(capsys), []
        assert outputs == Translator.load(run, "cpu", "fp32").translate(SOURCES, beam=int(beam))
        assert outputs[1] == "" and all(output for output, source in zip(outputs, SOURCES) if source)
        for batch in ("1", "1000"):
            links = tmp_path / f"links{beam}.{batch}"
            assert (
                main([*words, "-o", str(tmp_path / f"out{beam}.{batch}"), "--beam", beam, "--batch-tokens", batch, "--alignments", str(links)]) == 0
            )
            lines.append([json.loads(line) for line in links.read_text().splitlines()])
        assert lines[0] == lines[1] and [line["source"] for line in lines[0]] == SOURCES
        assert [line["translation"] for line in lines[0]] == outputs
        for line in lines[0]:
            assert bool(line["alignment"]) == bool(line["source"])
            for text, side in ((line["source"], 0), (line["translation"], 1)):
                assert all(0 <= pair[side][0] < pair[side][1] <= len(text) for pair in line["alignment"])
        capsys.readouterr()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_other_precisions_translate(run, precision):
    outputs = Translator.load(run, "cpu", precision).translate(SOURCES, beam=2)
    assert len(outputs) == len(SOURCES) and all(output for output, source in zip(outputs, SOURCES) if source)


def test_evaluate_scores_its_translations_again(run, capsys):
    before = json.loads((run / "report.json").read_text())["test"]["dev"]["scores"]
    assert main(["evaluate", "-m", str(run), "--device", "cpu", "--precision", "fp32"]) == 0
    after = json.loads((run / "report.json").read_text())["test"]["dev"]["scores"]
    assert {metric: score["value"] for metric, score in after.items()} == pytest.approx({metric: score["value"] for metric, score in before.items()})
    assert "BLEU" in capsys.readouterr().out


def test_an_export_is_refused_in_one_line(run, tmp_path, capsys):
    assert_refused_export(run, tmp_path / "exported", capsys, "CTranslate2 runs", "use engine torch")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention": "dot"}, "model.attention=dot: CTranslate2 runs models with model.attention=scaled_dot only"),
        ({"window": 3}, "model.window=3: CTranslate2 runs models with model.window=0 only"),
        ({"positions": "learned"}, "model.positions=learned: CTranslate2 runs models with model.positions=sinusoidal only"),
    ],
)
def test_an_export_names_what_it_lacks(settings, message, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    make_untrained(tmp_path / "run", **settings)
    assert_refused_export(tmp_path / "run", tmp_path / "exported", capsys, message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window_center": "monotonic"}, r"model.window_center \('monotonic'\) has no effect without a window: set model.window"),
        ({**RECURRENT, "norm": "post"}, r"model.norm \('post'\) has no effect with model.family=recurrent"),
        ({**RECURRENT, "positions": "learned"}, r"model.positions \('learned'\) has no effect with model.family=recurrent"),
        (
            {"family": "recurrent", "feedforward": 512},
            r"model.feedforward \(512\) has no effect .*: leave it out, or set its default, 1024",
        ),
        ({**RECURRENT, "decoder_layers": 0}, "model.decoder_layers is 0: model.family=recurrent needs at least 1"),
        ({"cell": "lstm"}, r"model.cell \('lstm'\) has no effect with model.family=encoder_decoder"),
    ],
)
def test_a_setting_without_effect_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        check(Config(model=ModelConfig(**settings)))


def test_a_loop_over_tokens_is_not_compiled(capsys):
    """It would be, again for each length."""
    assert main(["train", "recipe=phrasebook_recurrent", "training.compile=true"]) == 2
    one_line(capsys, "training.compile (True) has no effect with model.family=recurrent: leave it out, or set its default, false")


def test_a_recurrent_encoder_does_not_start_from_a_transformer():
    with pytest.raises(UserError, match="init.encoder .*has no effect with model.family=recurrent"):
        check(Config(model=ModelConfig(**RECURRENT), init=InitConfig(encoder="runs/x")))
