"""Runs of decoder-only models at the command line: killed and resumed, sealed, translated, aligned, evaluated, refused where they must be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy
import pytest
import torch
import yaml

from tests.conftest import lines_of, one_line
from tests.families import SOURCES, assert_one_run, assert_refused_export, train_whole_and_in_parts
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.decoding import Options
from translate.tokenizer import BOS
from translate.translation.engine import load_engine
from translate.translation.translator import Translator

VARIANTS = {
    "bidirectional": {"family": "decoder_only", "encoder_layers": 0, "decoder_layers": 2},
    "causal, all": {"family": "decoder_only", "encoder_layers": 0, "decoder_layers": 2, "prefix": "causal", "loss_on": "all"},
}


@pytest.fixture(scope="module", params=["bidirectional", pytest.param("causal, all", marks=pytest.mark.slow)])
def runs(request, tmp_path_factory, corpus_folder) -> tuple[Path, Path]:
    return train_whole_and_in_parts(tmp_path_factory.mktemp("runs"), corpus_folder, VARIANTS[request.param])


@pytest.fixture
def run(runs, tmp_path) -> Path:
    return Path(shutil.copytree(runs[0], tmp_path / "run"))


def test_killed_and_resumed_equals_never_stopped(runs):
    assert_one_run(runs)


def test_a_bundle_is_sealed(run, capsys):
    text = (run / "config.yaml").read_text()
    values = yaml.safe_load(text)["model"]
    assert values["family"] == "decoder_only" and load_bundle(run).model.config.prefix == values["prefix"]
    other = {"bidirectional": "causal", "causal": "bidirectional"}[values["prefix"]]
    for old, new in ((f"prefix: {values['prefix']}", f"prefix: {other}"), ("family: decoder_only", "family: language_model")):
        (run / "config.yaml").write_text(text.replace(old, new))
        assert main(["file", "-m", str(run), str(run / "samples.txt"), "--device", "cpu"]) == 2
        one_line(capsys, "model.")


def test_files_are_translated_as_by_the_api(run, tmp_path, capsys):
    (tmp_path / "source.de").write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
    assert main(["file", "-m", str(run), str(tmp_path / "source.de"), "--device", "cpu", "--precision", "fp32", "--beam", "3"]) == 0
    outputs = lines_of(capsys)
    assert outputs == Translator.load(run, "cpu", "fp32").translate(SOURCES, beam=3)
    assert outputs[1] == "" and all(output for output, source in zip(outputs, SOURCES) if source)


@pytest.mark.parametrize("beam", ["1", "4"])
def test_words_are_aligned_whoever_is_in_the_batch(run, beam, tmp_path, capsys):
    (tmp_path / "source.de").write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
    for batch in ("1", "1000"):
        words = ["file", "-m", str(run), str(tmp_path / "source.de"), "-o", str(tmp_path / f"out{batch}"), "--device", "cpu", "--precision", "fp32"]
        assert main([*words, "--beam", beam, "--batch-tokens", batch, "--alignments", str(tmp_path / f"links{batch}")]) == 0
    alone, together = ([json.loads(line) for line in (tmp_path / f"links{batch}").read_text().splitlines()] for batch in ("1", "1000"))
    assert alone == together and [line["source"] for line in alone] == SOURCES
    for line in alone:
        assert bool(line["alignment"]) == bool(line["source"])
        for text, side in ((line["source"], 0), (line["translation"], 1)):
            assert all(0 <= pair[side][0] < pair[side][1] <= len(text) for pair in line["alignment"])


@pytest.mark.parametrize("options", [Options(beam=1), Options(beam=4, n_best=2), Options(sample=True, n_best=3)], ids=repr)
def test_attention_beside_a_search_is_that_of_given_pairs(run, options):
    """And the attention of each pair is what the model tells of that pair alone."""
    engine, tokenizer, config, _ = load_engine(str(run), "cpu", "fp32", "torch", "default")
    model, heads = load_bundle(run).model, engine.alignment
    sources = tokenizer.encode_source([source for source in SOURCES if source])
    filled = options.fill(config.decoding)
    found = engine.search(sources, [12] * 3, filled, list(range(3 * filled.n_best)), 0, True)
    for source, hypotheses in zip(sources, found):
        assert len(hypotheses) == filled.n_best
        for hypothesis in hypotheses:
            rows = len(hypothesis.ids) - (not hypothesis.complete)  # a cut one may lack the step after it
            read = torch.tensor([[BOS, *hypothesis.ids]])
            weights = model.cross_attention(read, model.encode(torch.tensor([source])), heads.layer)[0, list(heads.heads)].mean(0)
            expected = weights[heads.shift : heads.shift + len(hypothesis.ids)].detach().numpy()
            for matrix in (hypothesis.attention, engine.align([source], [hypothesis.ids])[0]):
                numpy.testing.assert_allclose(matrix[:rows], expected[:rows], atol=1e-4)


def test_evaluate_scores_its_translations_again(run, capsys):
    """In other batches and at the same beam it finds what it found at the end of the training; attention was chosen for alignments, if it learnt."""
    reports = [json.loads((run / "report.json").read_text())]
    assert main(["evaluate", "-m", str(run), "--device", "cpu", "--precision", "fp32"]) == 0
    reports.append(json.loads((run / "report.json").read_text()))
    found = [{metric: score["value"] for metric, score in report["test"]["dev"]["scores"].items()} for report in reports]
    assert found[0].keys() == found[1].keys() and found[0] == pytest.approx(found[1], abs=0.5)
    assert "BLEU" in capsys.readouterr().out
    assert not reports[0]["learnt"] or reports[0]["alignment"]["anchors"] > 0


def test_an_export_is_refused_in_one_line(run, tmp_path, capsys):
    assert_refused_export(run, tmp_path / "exported", capsys, "CTranslate2 runs encoder_decoder only", "model.family=decoder_only")


def test_a_loss_on_all_needs_one_tokenizer(capsys):
    words = ["recipe=phrasebook_decoder_only", "model.loss_on=all", "tokenizer.joint=false"]
    assert main(["train", *words]) == 2
    one_line(capsys, "model.loss_on=all needs tokenizer.joint=true")
