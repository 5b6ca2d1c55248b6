"""Several models that translate together: each next token has the mean of their probabilities."""

from __future__ import annotations

import shutil

import pytest
import torch

from translate.bundle.bundle import Bundle, build_model, load_bundle, write_config, write_model
from translate.cli.main import main
from translate.decoding import FilledOptions
from translate.errors import UserError
from translate.tokenizer import BOS, EOS, PAD, UNK
from translate.translation.translator import Translator

LINES = ["Guten Morgen.", "Wo ist der Bahnhof?", "Das ist ein Haus."]


@pytest.fixture(scope="module")
def models(untrained, tmp_path_factory):
    """Three models with one tokenizer: two encoder-decoders of different seeds, and a decoder-only one."""
    folder, found = tmp_path_factory.mktemp("ensemble"), []
    for number, family in enumerate(("encoder_decoder", "encoder_decoder", "decoder_only")):
        bundle = load_bundle(untrained)
        bundle.config.training.seed, bundle.config.model.family = 5 + number, family
        if family == "decoder_only":
            bundle.config.model.encoder_layers = 0
        model = build_model(bundle.config, bundle.tokenizer)
        with torch.no_grad():
            model.target_embedding.weight.mul_(1.5)
        run = folder / str(number)
        run.mkdir()
        bundle.tokenizer.save(run)
        write_config(run, bundle.config, bundle.tokenizer)
        write_model(Bundle(run, bundle.config, bundle.tokenizer, model), "no data")
        found.append(run)
    return found


@torch.no_grad()
def greedy_by_hand(bundles, source, limit):
    """The likeliest token by the mean of the probabilities, after the bans that every search has."""
    ids = []
    while len(ids) < limit:
        target = torch.tensor([[BOS, *ids]])
        mean = torch.stack([bundle.model(torch.tensor([source]), target)[0, -1].softmax(-1) for bundle in bundles]).mean(0)
        mean[[PAD, BOS, UNK]] = 0
        best = int(mean.argmax())
        if best == EOS:
            break
        ids.append(best)
    return ids


@pytest.mark.parametrize("chosen", [(0, 1), (1, 0), (0, 2), (0, 1, 2)])
def test_greedy_search_goes_by_the_mean_of_the_probabilities(models, chosen):
    runs = [models[number] for number in chosen]
    bundles, translator = [load_bundle(run) for run in runs], Translator.load(runs[0], "cpu", "fp32", ensemble=runs[1:])
    sources = translator.tokenizer.encode_source(LINES)
    found = translator.engine.search(sources, [9] * len(sources), FilledOptions(beam=1), [])
    for source, (hypothesis,) in zip(sources, found):
        assert hypothesis.ids == greedy_by_hand(bundles, source, 9)


def test_the_score_is_the_logarithm_of_the_mean(models):
    bundles, translator = [load_bundle(run) for run in models[:2]], Translator.load(models[0], "cpu", "fp32", ensemble=[models[1]])
    (source,) = translator.tokenizer.encode_source(LINES[:1])
    (hypotheses,) = translator.engine.search([source], [6], FilledOptions(beam=3, n_best=3, length_penalty=0.0), [])
    for hypothesis in hypotheses:
        ids = [*hypothesis.ids, *([EOS] if hypothesis.complete else [])]
        target, total = torch.tensor([[BOS, *ids[:-1]]]), 0.0
        with torch.no_grad():
            means = torch.stack([bundle.model(torch.tensor([source]), target)[0].softmax(-1) for bundle in bundles]).mean(0)
        means[:, [PAD, BOS, UNK]] = 0
        total = (means / means.sum(-1, keepdim=True)).log()[range(len(ids)), ids].sum().item()
        assert hypothesis.log_probability == pytest.approx(total, abs=1e-3)


def test_a_line_does_not_depend_on_its_neighbours(models):
    with Translator.load(models[0], "cpu", "fp32", ensemble=models[1:]) as translator:
        assert translator.translate(LINES, beam=3) == [translator.translate([line], beam=3)[0] for line in LINES]
        assert translator.translate(LINES, sample=True, seed=3) == translator.translate(LINES, sample=True, seed=3)
        alignments = translator.translate(LINES, scores=True, alignment=True)
        assert len(alignments) == len(LINES) and not translator.calibrated


def test_at_the_command_line(models, tmp_path, capsys):
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in LINES))
    together = ["-m", str(models[0]), "-m", str(models[1])]
    assert main(["file", *together, str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--precision", "fp32"]) == 0
    expected = Translator.load(models[0], "cpu", "fp32", ensemble=[models[1]]).translate(LINES)
    assert (tmp_path / "out").read_text().splitlines() == expected
    alone = Translator.load(models[0], "cpu", "fp32").translate(LINES)
    assert expected != alone
    (tmp_path / "ref").write_text("".join(f"{line}\n" for line in expected))
    test = ["--test", str(tmp_path / "in"), str(tmp_path / "ref"), "--metrics", "chrf", "--precision", "fp32"]
    assert main(["evaluate", *together, *test]) == 0
    assert "100.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, message",
    [
        (["-m", "{0}", "-m", "{0}"], "{0} is given twice: an ensemble needs different models"),
        (["-m", "{0}", "-m", "{1}", "--engine", "ctranslate2"], "has no effect twice with --engine ctranslate2"),
        (["-m", "{0}", "-m", "{1}", "--workers", "2"], "twice with --workers"),
        (["-m", "{0}", "-m", "{1}", "--min-confidence", "0.5"], "confidence is that of one"),
        (["-m", "{0}", "-m", "{0}/nothing"], "does not exist"),
    ],
)
def test_a_mistake_is_one_line(models, tmp_path, capsys, words, message):
    (tmp_path / "in").write_text("Haus\n")
    runs = [str(run) for run in models]
    assert main(["file", *(word.format(*runs) for word in words), str(tmp_path / "in")]) == 2
    error = capsys.readouterr().err
    assert message.format(*runs) in error and error.count("\n") == 1


def test_models_with_other_tokens_do_not_go_together(models, trained, tmp_path):
    other = shutil.copytree(trained, tmp_path / "other", ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(UserError, match=r"has another tokenizer than .*: train it with tokenizer.path="):
        Translator.load(models[0], "cpu", ensemble=[other])
