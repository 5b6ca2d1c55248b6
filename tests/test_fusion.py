"""Shallow fusion: two tables searched together, against a table of their sum; and a language model beside a translation model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.conftest import LINES, copy_of_shared, lines_of, make_untrained, one_line
from tests.table_model import BOS, EOS, assert_same, plain_beam, random_table, start, step
from translate import Translator, evaluate
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.decoding import Options, beam_search, sample
from translate.decoding.fusion import FusedState, fused
from translate.errors import UserError

LENGTH, VOCABULARY = 4, 6
WEIGHTS = [0.0, 0.3, 2.0]


@pytest.fixture(scope="module")
def language_model(tmp_path_factory) -> Path:
    make = lambda folder: make_untrained(folder, family="language_model", encoder_layers=0)  # noqa: E731
    return copy_of_shared(tmp_path_factory, "untrained_language_model", make)


def tables(seed: int, weight: float):
    """Of two models, for three sentences, and their weighted sum of log-probabilities."""
    first, other = (random_table(number, 3, VOCABULARY, LENGTH) for number in (seed, seed + 100))
    return first, other, first.log_softmax(-1) + weight * other.log_softmax(-1)


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("beam", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_fused_search_is_that_of_the_summed_table(seed, beam, weight):
    first, other, both = tables(seed, weight)
    found = beam_search(fused(step, step, weight), FusedState(start(first), start(other)), torch.full((3,), LENGTH), BOS, EOS, beam, 0.0)
    for hypotheses, table in zip(found, both):
        assert_same(hypotheses[:1], plain_beam(table, LENGTH, beam, 0.0, 1))
    if weight == 0:
        alone = beam_search(step, start(first), torch.full((3,), LENGTH), BOS, EOS, beam, 0.0)
        assert [each[0].ids for each in found] == [each[0].ids for each in alone]


@pytest.mark.parametrize("weight", WEIGHTS)
def test_fused_samples_are_those_of_the_summed_table(weight):
    first, other, both = tables(7, weight)
    limits, cuts = torch.full((3,), LENGTH), (1.0, 0, 1.0, [1, 2, 3])
    found = sample(fused(step, step, weight), FusedState(start(first), start(other)), limits, BOS, EOS, *cuts)
    expected = sample(step, start(both), limits, BOS, EOS, *cuts)
    for ours, theirs in zip(found, expected):
        assert_same(ours, theirs)


@pytest.mark.parametrize("options", [{"beam": 1}, {"beam": 3}, {"sample": True, "seed": 3}], ids=str)
def test_weight_0_is_no_fusion_and_a_heavy_weight_is_one(untrained, language_model, options):
    plain = Translator.load(untrained, "cpu", "fp32").translate(LINES, scores=True, **options)
    without = Translator.load(untrained, "cpu", "fp32", fuse=str(language_model), fuse_weight=0).translate(LINES, scores=True, **options)
    assert [(line.text, line.score) for line in without] == [(line.text, line.score) for line in plain]
    heavy = Translator.load(untrained, "cpu", "fp32", fuse=str(language_model), fuse_weight=5).translate(LINES, **options)
    assert heavy != [line.text for line in plain]


@torch.no_grad()
def test_greedy_fusion_takes_the_best_sum_of_both_models_at_each_step(untrained, language_model):
    translator = Translator.load(untrained, "cpu", "fp32", fuse=str(language_model), fuse_weight=0.7)
    model, other, tokenizer = load_bundle(untrained).model, load_bundle(language_model).model, translator.tokenizer
    [source] = tokenizer.encode_source(["Der Hund schläft."])
    found = translator.engine.search([source], [10], Options(beam=1).fill(translator.decoding), [])[0][0].ids
    ids: list[int] = []
    for _ in range(10):
        read, nothing = torch.tensor([[BOS, *ids]]), torch.zeros((1, 0), dtype=torch.int64)
        scores = model(torch.tensor([source]), read)[0, -1].log_softmax(-1) + 0.7 * other(nothing, read)[0, -1].log_softmax(-1)
        scores[[0, 1, 3]] = float("-inf")
        if (best := int(scores.argmax())) == EOS:
            break
        ids.append(best)
    assert found == ids and ids


def test_the_command_fuses_and_resumes_with_the_same_model_only(translate, language_model, source, tmp_path, capsys):
    words = ["--fuse", language_model, "--fuse-weight", "0.5", source]
    assert translate(*words) == 0
    expected = lines_of(capsys)
    assert translate(*words, "-o", tmp_path / "out", "--resume") == 0
    assert (tmp_path / "out").read_text(encoding="utf-8").split("\n")[:-1] == expected


def test_evaluate_reports_the_fusion(untrained, language_model, tmp_path):
    run = Path(shutil.copytree(untrained, tmp_path / "run"))
    for name in ("a.de", "a.en"):
        (tmp_path / name).write_text("Der Hund.\nGuten Morgen!\n", encoding="utf-8")
    test = [str(tmp_path / "a.de"), str(tmp_path / "a.en")]
    result = evaluate(run, test=test, device="cpu", fuse=str(language_model), fuse_weight=0.5, metrics=["chrf"])["a.de"]
    assert result["decoding"]["fuse"] == language_model.name and result["decoding"]["fuse_weight"] == 0.5
    assert json.loads((run / "report.json").read_text())["test"]["a.de"]["decoding"] == result["decoding"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--fuse", "LM"], "needs a fuse-weight"), (["--fuse-weight", "1"], "without a language model"),
        (["--fuse", "LM", "--fuse-weight", "-1"], "fuse-weight is -1"), (["--fuse", "LM", "--fuse-weight", "nan"], "fuse-weight is nan"),
        (["--fuse", "LM", "--fuse-weight", "1", "--engine", "ctranslate2"], "--fuse has no effect with --engine ctranslate2"),
        (["--fuse", "LM", "--fuse-weight", "1", "--min-confidence", "0.1"], "--min-confidence has no effect with --fuse"),
        (["--fuse", "LM", "--fuse-weight", "1", "--workers", "2"], "--fuse has no effect with --workers"),
        (["--fuse", "TM", "--fuse-weight", "1"], "translates (model.family=encoder_decoder)"),
        (["--fuse", "nowhere", "--fuse-weight", "1"], "nowhere does not exist"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_mistakes_are_one_line(untrained, language_model, source, words, message, capsys):
    words = [{"LM": str(language_model), "TM": str(untrained)}.get(word, word) for word in words]
    assert main(["file", "-m", str(untrained), str(source), *words]) == 2
    one_line(capsys, message)


def test_a_language_model_with_other_tokens_or_fewer_positions_is_refused(untrained, bundle, tmp_path):
    short = make_untrained(tmp_path / "short", family="language_model", encoder_layers=0, max_tokens=24)
    with pytest.raises(UserError, match=f"another tokenizer than .*: train it with tokenizer.path={bundle}"):
        Translator.load(bundle, "cpu", fuse=str(short), fuse_weight=0.1)
    longer = make_untrained(tmp_path / "longer", max_tokens=48)
    with pytest.raises(UserError, match=r"model.max_tokens=24: it can't score translations of up to 48 tokens"):
        Translator.load(longer, "cpu", fuse=str(short), fuse_weight=0.1)
