"""Perplexity, against sums of log-probabilities one token at a time, and `translate evaluate` of models of one language."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import copy_of_shared, lines_of, make_untrained, one_line
from translate import evaluate
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.errors import UserError
from translate.tokenizer import BOS, EOS
from translate.translation.likelihood import likelihoods

CPU = torch.device("cpu")
TEXT = ["A dog sleeps.", "", "  Two men   walk. ", "Yes", "a b c d e f g h i j k l m n o p q r s t u v w x y z", "😀 \u2028 漢"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    make = lambda folder: make_untrained(folder, family="language_model", encoder_layers=0)  # noqa: E731
    return copy_of_shared(tmp_path_factory, "untrained_language_model", make)


@pytest.fixture
def run(model, tmp_path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "run"))


@torch.no_grad()
def nats_of(bundle, ids: list[int]) -> float:
    """Of a text that ends in EOS: each token given those before it, by the model's step."""
    state, last, total = bundle.model.start(bundle.model.encode(torch.zeros((1, 0), dtype=torch.int64))), BOS, 0.0
    for index in ids:
        logits, state = bundle.model.step(torch.tensor([last]), state)
        total -= float(logits[0].double().log_softmax(-1)[index])
        last = index
    return total


@given(st.lists(st.lists(st.integers(4, 299), max_size=12), min_size=1, max_size=7), st.sampled_from([1, 24, 60, 4096]))
def test_likelihoods_are_sums_over_tokens_whatever_the_batches(model, texts, batch_tokens):
    bundle, ids = load_bundle(model), [[*text, EOS] for text in texts]
    found = likelihoods(bundle.model, [[EOS]] * len(ids), ids, CPU, torch.float32, batch_tokens)
    assert found.nats == pytest.approx([nats_of(bundle, text) for text in ids], rel=1e-5)
    assert found.labels.tolist() == [len(text) for text in ids]
    assert found.mean == pytest.approx(sum(map(float, found.nats)) / sum(map(len, ids)))


def test_evaluate_prints_three_measures_of_a_text(run, tmp_path, capsys):
    (tmp_path / "text.en").write_text("".join(f"{line}\n" for line in TEXT), encoding="utf-8")
    assert main(["evaluate", "-m", str(run), "--test", str(tmp_path / "text.en"), "--format", "json", "--device", "cpu"]) == 0
    result = json.loads(capsys.readouterr().out)["test"]["text.en"]
    bundle = load_bundle(run)
    encoded = zip(TEXT, bundle.tokenizer.encode_target(TEXT))
    kept = [(line, ids) for line, ids in encoded if line and len(ids) <= bundle.config.model.max_tokens]
    nats, pieces = sum(nats_of(bundle, ids) for _, ids in kept), sum(len(ids) for _, ids in kept)
    words, characters = sum(len(line.split()) + 1 for line, _ in kept), sum(len(line.strip()) + 1 for line, _ in kept)
    expected = {"perplexity": math.exp(nats / pieces), "word perplexity": math.exp(nats / words), "bits/character": nats / math.log(2) / characters}
    assert {name: score["value"] for name, score in result["scores"].items()} == pytest.approx(expected, rel=1e-4)
    assert all(score["low"] <= score["value"] <= score["high"] for score in result["scores"].values())
    assert (result["sentences"], result["blank"], result["too_long"]) == (4, 1, 1)
    assert (result["pieces"], result["words"], result["characters"]) == (pieces, words, characters)
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["test"]["text.en"] == result
    digest = bundle.tokenizer.digests()["spm.model"][:8]
    assert f"|tok:{digest}|" in result["scores"]["perplexity"]["signature"] and "tok:" not in result["scores"]["word perplexity"]["signature"]


def test_the_table_has_a_column_for_each_measure(run, tmp_path, capsys):
    (tmp_path / "text.en").write_text("A dog.\nA cat.\n", encoding="utf-8")
    assert main(["evaluate", "-m", str(run), "--test", str(tmp_path / "text.en"), "--device", "cpu"]) == 0
    lines = lines_of(capsys)
    for title in ("perplexity", "word perplexity", "bits/character"):
        assert title in lines[0] and any(line.startswith(f"{title}  per:") for line in lines)
    assert lines[1].startswith("text.en ") and lines[-1].strip()


@pytest.mark.parametrize(
    "options",
    [["--beam", "2"], ["--length-penalty", "1"], ["--metrics", "bleu"], ["--lowercase"], ["--calibrate"], ["--fuse", "x", "--fuse-weight", "1"]],
    ids=lambda options: options[0],
)
def test_options_of_translations_are_refused(run, options, capsys):
    assert main(["evaluate", "-m", str(run), "--test", str(run / "config.yaml"), *options]) == 2
    one_line(capsys, options[0].removeprefix("--").replace("-", "_"), "has no effect", "language_model")


def test_a_text_is_one_file_with_something_in_it(run, tmp_path):
    blank, empty = tmp_path / "blank", tmp_path / "empty"
    blank.write_text("\n \n", encoding="utf-8")
    empty.touch()
    for test, message in (([blank, blank], "one file"), ([blank], "nothing to measure"), ([empty], "is empty")):
        with pytest.raises(UserError, match=message):
            evaluate(run, test=list(map(str, test)), device="cpu")
    with pytest.raises(UserError, match="fp16 is for search"):
        evaluate(run, test=[str(blank)], device="cpu", precision="fp16")
