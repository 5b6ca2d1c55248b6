"""`model.positions=learned`: a table in the bundle where sinusoids are computed, in every family of Transformers; nothing else differs."""

from __future__ import annotations

import pytest
import torch

from tests.conftest import make_untrained
from tests.families import FAMILIES
from translate.bundle.bundle import load_bundle
from translate.bundle.weights import read_weights
from translate.config import ModelConfig
from translate.model.families import new_model
from translate.model.layers import sinusoids
from translate.tokenizer import BOS
from translate.training.init import initialise
from translate.translation.translator import Translator

TRANSFORMERS = [family for family in FAMILIES if family not in ("recurrent", "markov")]
LINES = ["Der Hund schläft.", "Guten Morgen!"]


def model_of(family: str, positions: str):
    torch.manual_seed(5)
    settings = {"width": 16, "heads": 2, "feedforward": 24, "encoder_layers": 1, "decoder_layers": 1, "dropout": 0.0, "max_tokens": 12}
    return new_model(ModelConfig(**{**settings, **FAMILIES[family], "family": family, "positions": positions}), 30, 30, True).eval()


@pytest.mark.parametrize("family", TRANSFORMERS)
def test_a_table_of_sinusoids_changes_nothing_and_each_row_is_that_of_a_place(family):
    computed, learned = model_of(family, "sinusoidal"), model_of(family, "learned")
    assert "positions" not in dict(computed.named_parameters()) and learned.positions.shape == (12, 16)
    assert 0.05 < learned.positions.std() < 0.15
    weights = {name: value for name, value in learned.state_dict().items() if name != "positions"}
    computed.load_state_dict(weights)
    source, target = torch.randint(4, 30, (2, 0 if family == "language_model" else 6)), torch.randint(4, 30, (2, 5))
    target[:, 0] = BOS
    assert not torch.allclose(learned(source, target), computed(source, target))
    learned.positions.data = sinusoids(12, 16)
    torch.testing.assert_close(learned(source, target), computed(source, target))
    learned(source, target).logsumexp(-1).sum().backward()
    places = (learned.positions.grad.norm(dim=1) > 0).tolist()
    assert places == [place < max(source.shape[1], target.shape[1]) for place in range(12)]


@pytest.mark.parametrize("family", TRANSFORMERS)
def test_a_bundle_holds_them(family, tmp_path):
    for positions in ("learned", "sinusoidal"):
        (tmp_path / positions).mkdir()
        make_untrained(tmp_path / positions, family=family, **{**FAMILIES[family], "positions": positions})
        weights, model = read_weights(tmp_path / positions / "model.safetensors"), load_bundle(tmp_path / positions).model
        assert torch.equal(model.positions, weights["positions"] if positions == "learned" else sinusoids(24, 16))
        assert ("positions" in weights) == (positions == "learned")


def test_every_precision_translates_with_them(tmp_path):
    make_untrained(tmp_path, positions="learned")
    outputs = {precision: Translator.load(tmp_path, "cpu", precision).translate(LINES) for precision in ("fp32", "fp16", "bf16")}
    assert outputs["fp32"] == outputs["fp16"] and all(map(all, outputs.values()))


def test_an_encoder_that_starts_from_a_masked_language_model_has_its_positions(tmp_path):
    (tmp_path / "masked").mkdir()
    make_untrained(tmp_path / "masked", family="masked_lm", decoder_layers=0, positions="learned")
    masked = load_bundle(tmp_path / "masked")
    config = masked.config
    config.model.family, config.model.decoder_layers, config.init.encoder = "encoder_decoder", 1, str(tmp_path / "masked")
    model = new_model(config.model, masked.tokenizer.source_size, masked.tokenizer.target_size, True)
    initialise(model, config, masked.tokenizer, lambda _: None)
    assert torch.equal(model.positions, masked.model.positions)
