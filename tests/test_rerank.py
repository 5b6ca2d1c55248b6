"""Reranking: probabilities against a plain loop over steps, the order against the sum by hand, and weights of nothing against the search alone."""

from __future__ import annotations

import pickle

import numpy
import pytest
import torch

from tests.conftest import make_untrained
from tests.rerank_models import LANGUAGE_FAMILIES, REVERSE_FAMILIES, by_steps, make_language_model, make_reverse, rerank_file
from translate import Translator
from translate.bundle.bundle import ModelFolder, build_model, load_bundle, write_config, write_model
from translate.decoding import Options, penalty
from translate.errors import UserError
from translate.translation.rerank import Scorer

LINES = ["Der Hund schläft.", "", "Guten Morgen! Wo ist 3,5 km von http://a.de der Hund?", "Die Katze läuft.\tDer Hund.", "2.", "ab cd"]
CPU = torch.device("cpu")
TEXTS = ["The dog sleeps.", "", "Good morning, cat!", "漢 dog"]
WEIGHTS = {"reverse": 0.7, "language_model": 0.4, "length": 0.3}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rerank")
    reverse, language_model = make_reverse(folder / "reverse"), make_language_model(folder / "lm", max_tokens=40)
    return make_untrained(folder), reverse, language_model


@pytest.fixture(scope="module")
def reranking(models):
    return rerank_file(models[0].parent / "rerank.yaml", [models[0]], *models[1:], WEIGHTS)


@pytest.mark.parametrize("family", REVERSE_FAMILIES)
def test_a_reverse_models_probability_is_that_of_its_steps(family, tmp_path):
    folder = make_reverse(tmp_path / family, **REVERSE_FAMILIES[family])
    pairs = [(text, source) for text in TEXTS for source in ("Der Hund schläft.", "Morgen")]
    found = Scorer.load(ModelFolder(folder), CPU).log_probabilities([source for _, source in pairs], [text for text, _ in pairs])
    bundle = load_bundle(folder)
    assert found == pytest.approx([by_steps(bundle, text, source) for text, source in pairs], abs=1e-3)


@pytest.mark.parametrize("family", LANGUAGE_FAMILIES)
def test_a_language_models_probability_is_that_of_its_steps(family, tmp_path):
    folder = make_language_model(tmp_path / family, family)
    bundle = load_bundle(folder)
    found = Scorer.load(ModelFolder(folder), CPU).log_probabilities(TEXTS)
    assert found == pytest.approx([by_steps(bundle, None, text) for text in TEXTS], abs=1e-3)


def test_a_text_too_long_for_a_model_is_cut_and_made_up_for(tmp_path):
    scorer = Scorer.load(ModelFolder(make_language_model(tmp_path / "lm", max_tokens=24)), CPU)
    short, long = scorer.log_probabilities(["dog " * 3, "dog " * 300])
    assert numpy.isfinite(long) and long < 20 * short < 0


def loaded(models, rerank, **settings) -> Translator:
    return Translator.load(models[0], "cpu", "fp32", rerank=rerank, **settings)


def test_weights_of_nothing_change_nothing(models, tmp_path):
    """All the same: texts, scores, alternatives, and the alignment."""
    file = rerank_file(tmp_path / "zero.yaml", [models[0]], *models[1:], dict.fromkeys(WEIGHTS, 0.0))
    options = {"scores": True, "alignment": True, "coverage": True}
    plain = Translator.load(models[0], "cpu", "fp32").translate(LINES, beam=4, n_best=4, length_penalty=1.0, **options)
    found = loaded(models, file).translate(LINES, n_best=4, **options)
    for ours, theirs in zip(found, plain):
        assert (ours.text, ours.alternatives, ours.alignment) == (theirs.text, theirs.alternatives, theirs.alignment)
        assert ours.coverage == pytest.approx(theirs.coverage, abs=1e-4)


def by_hand(models, line: str) -> list[tuple[float, str]]:
    """Score and text of the search's four hypotheses, by the formula."""
    translator = Translator.load(models[0], "cpu", "fp32")
    reverse, language_model, tokenizer = load_bundle(models[1]), load_bundle(models[2]), translator.tokenizer
    options, found = Options(beam=4, n_best=4, length_penalty=1.0), []
    [piece] = translator.searched([line], 0, options.fill(translator.decoding))[0].pieces
    source = piece.text.text
    restored = translator.translate(line, beam=4, n_best=4, length_penalty=1.0, scores=True).alternatives
    for hypothesis, (shown, score) in zip(piece.hypotheses, restored):
        [text] = tokenizer.decode([hypothesis.ids])
        channel, fluency = by_steps(reverse, text, source), by_steps(language_model, None, text)
        length = len(hypothesis.ids) + hypothesis.complete
        rest = WEIGHTS["reverse"] * channel + WEIGHTS["language_model"] * fluency + WEIGHTS["length"] * length
        found.append((hypothesis.complete, score + rest / penalty(len(piece.ids), 1.0), shown))
    return [(score, text) for _, score, text in sorted(found, reverse=True)]


@pytest.mark.parametrize("line", ["Guten Morgen", "ab cd"])
def test_the_order_is_that_of_the_sum_by_hand(models, reranking, line):
    expected = by_hand(models, line)
    found = loaded(models, reranking).translate(line, n_best=4, scores=True)
    assert [text for text, _ in found.alternatives] == [text for _, text in expected]
    assert [score for _, score in found.alternatives] == pytest.approx([score for score, _ in expected], abs=1e-3)
    assert found.text == expected[0][1] and found.confidence is None
    plain = Translator.load(models[0], "cpu", "fp32").translate(line, beam=4, length_penalty=1.0)
    assert plain in [text for _, text in expected]


def test_a_line_depends_neither_on_its_batch_nor_on_threads_and_processes(models, reranking):
    with loaded(models, reranking) as translator:
        together = translator.translate(LINES)
        assert together == [translator.translate(line) for line in LINES]
        assert together == translator.translate(LINES, batch_tokens=64)
        assert together == pickle.loads(pickle.dumps(translator)).translate(LINES)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with loaded(models, reranking, fork=True) as translator:
            assert translator.translate(LINES, batch_tokens=64) == together
        with loaded(models, reranking) as translator:
            assert translator.translate(LINES, batch_tokens=64) == together
    finally:
        torch.set_num_threads(threads)
    assert together != Translator.load(models[0], "cpu", "fp32").translate(LINES, beam=4, length_penalty=1.0)


def test_what_is_kept_from_the_model_stays(models, reranking):
    """A number and an address are in each alternative, whatever the order."""
    found = loaded(models, reranking).translate("Guten Morgen von http://a.de Hund", n_best=4, scores=True)
    assert all("http://a.de" in text for text, _ in found.alternatives)


def test_an_ensemble_is_reranked_by_its_own_file(models, tmp_path):
    other = load_bundle(models[0])
    other.config.training.seed = 9
    other.model, other.folder = build_model(other.config, other.tokenizer), tmp_path / "other"
    other.folder.mkdir()
    other.tokenizer.save(other.folder)
    write_config(other.folder, other.config, other.tokenizer)
    write_model(other, "no data")
    file = rerank_file(tmp_path / "both.yaml", [models[0], other.folder], *models[1:], WEIGHTS)
    found = loaded(models, file, ensemble=[other.folder]).translate(LINES)
    zero = rerank_file(tmp_path / "zero.yaml", [models[0], other.folder], *models[1:], dict.fromkeys(WEIGHTS, 0.0))
    plain = Translator.load(models[0], "cpu", "fp32", ensemble=[other.folder]).translate(LINES, beam=4, length_penalty=1.0)
    assert loaded(models, zero, ensemble=[other.folder]).translate(LINES) == plain != found
    with pytest.raises(UserError, match=r"was tuned with 2 models \(.*\), not 1"):
        loaded(models, file)
