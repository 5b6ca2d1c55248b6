"""Every shipped recipe and every choice of every group composes; the paper's settings are the paper's."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import pytest
import torch
import yaml

from translate.bounds import bounds_of
from translate.cli.train import GROUPS, compose
from translate.config import Config, CorpusConfig, check_budget, line_range
from translate.model.families import new_model
from translate.values import to_values

ROOT = Path(__file__).resolve().parent.parent
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))
CHOICES = sorted((ROOT / "conf").rglob("*/*.yaml"))
LOCAL = {"phrasebook": 2, "multi30k": 1, "multi30k_tatoeba": 2, "tatoeba": 1, "text": 1, "iwslt14": 1, "wmt14": 1}  # data choice: its test sets


BASELINES = {"multi30k": "multi30k_de_en", "phrasebook": "quickstart"}  # encoder-decoders
FAMILIES = [
    "decoder_only",
    "recurrent",
    "language_model",
]


def of(*words: str):
    (config,) = compose(list(words))
    return config


def test_all_are_found():
    """A recipe or choice that this file doesn't see would go unchecked: count them."""
    others = (
        "adapt", "iwslt14_de_en", "multi30k_de_en", "multi30k_de_en_60", "multi30k_en_de",
        "quickstart", "tatoeba_de_en", "wmt14_de_en_base", "wmt14_de_en_big",
    )  # fmt: skip
    _, *relatives = bounds_of(Config, "model.family").choices
    families = (f"{corpus}_{family}" for corpus in BASELINES for family in relatives)
    assert [path.stem for path in RECIPES] == sorted([*others, *families])
    assert len(CHOICES) == 25
    assert {path.parent.name for path in CHOICES} == set(GROUPS)
    assert {path.stem for path in CHOICES if path.parent.name == "data"} == set(LOCAL)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_composes(path):
    config = of(f"recipe={path.stem}")
    assert check_budget(config) is config
    assert config.run == f"runs/{path.stem}"
    assert config.data.train and config.data.validation and config.data.test


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_how_and_how_long(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    header = "\n".join(line[1:].strip() for line in lines[: next(place for place, line in enumerate(lines) if not line.startswith("#"))])
    assert lines[0] == "# @package _global_"
    assert re.search(rf"^translate train recipe={path.stem}( |$)", header, re.MULTILINE)
    for word in ("Data:", "Expected", "Time:"):
        assert word in header


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_states_only_what_differs(path, tmp_path):
    """Without a key that it states, the same recipe would come out otherwise."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    (tmp_path / "recipe").mkdir()
    bare = "# @package _global_\n" + yaml.safe_dump({"defaults": values.pop("defaults", ["_self_"])})
    (tmp_path / "recipe" / "bare.yaml").write_text(bare, encoding="utf-8")
    (without,) = compose(["--config-dir", str(tmp_path), "recipe=bare", "training.steps=1"])
    for section, keys in values.items():
        for key, value in keys.items():
            assert to_values(getattr(without, section))[key] != value, f"{section}.{key} is {value} anyway"


@pytest.mark.parametrize("path", CHOICES, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_a_choice_composes_and_is_short(path):
    config = of("recipe=quickstart", f"{path.parent.name}={path.stem}", "training.steps=1")
    assert check_budget(config) is config
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 15
    assert lines[0].startswith("# ")


def test_a_choice_named_after_a_value_sets_it():
    for path in CHOICES:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if path.parent.name == "optim":
            assert values["schedule"] == path.stem
        if path.parent.name == "tokenizer":
            assert values["kind"] == path.stem


def test_hub_corpora_can_be_had_as_local_files():
    """`data.folder=DIR` needs `files`; both directions read the columns of their languages."""
    for name in ("multi30k", "iwslt14", "wmt14"):
        data = of("recipe=quickstart", f"data={name}", "data.source_language=en", "data.target_language=de").data
        assert len(data.test) == LOCAL[name]
        for corpus in [*data.train, *data.validation, *data.test.values()]:
            assert isinstance(corpus, CorpusConfig) and corpus.kind == "hub" and corpus.files
            assert (corpus.source.split(".")[-1], corpus.target.split(".")[-1]) == ("en", "de")


def test_both_directions_of_multi30k_differ_in_nothing_else():
    there, back = of("recipe=multi30k_de_en"), of("recipe=multi30k_en_de")
    assert (there.data.source_language, there.data.target_language) == (back.data.target_language, back.data.source_language) == ("de", "en")
    assert (there.model, there.optim, there.training, there.tokenizer) == (back.model, back.optim, back.training, back.tokenizer)


@pytest.mark.parametrize("corpus", BASELINES)
@pytest.mark.parametrize("family", [*FAMILIES, "language_model"])
def test_a_familys_recipe_is_the_encoder_decoders_at_equal_parameters(family, corpus):
    """The same data, tokenizer, training and search, and as many parameters within 5%."""
    recipe, baseline = of(f"recipe={corpus}_{family}"), of(f"recipe={BASELINES[corpus]}")
    assert recipe.model.family == family and baseline.model.family == "encoder_decoder"
    for section in ("data", "tokenizer", "training", "decoding"):
        assert getattr(recipe, section) == getattr(baseline, section)
    pieces = baseline.tokenizer.vocabulary
    with torch.device("meta"):
        counts = [sum(map(torch.numel, new_model(config.model, pieces, pieces, True).parameters())) for config in (recipe, baseline)]
    assert counts[0] == pytest.approx(counts[1], rel=0.05)


@pytest.mark.parametrize("corpus", BASELINES)
def test_the_masked_language_models_recipe_can_start_the_encoder_decoders(corpus):
    """The same data, tokenizer and encoder."""
    recipe, baseline = of(f"recipe={corpus}_masked_lm"), of(f"recipe={BASELINES[corpus]}")
    assert (recipe.data, recipe.tokenizer) == (baseline.data, baseline.tokenizer)
    model = dataclasses.replace(recipe.model, dropout=baseline.model.dropout, family="encoder_decoder", decoder_layers=baseline.model.decoder_layers)
    assert model == baseline.model and recipe.model.family == "masked_lm"


# Vaswani et al. 2017: Table 3 and sections 5.1, 5.3, 5.4, 6.1
PAPER = {
    "wmt14_de_en_base": {"width": 512, "heads": 8, "feedforward": 2048, "dropout": 0.1, "steps": 100_000, "average": 5},
    "wmt14_de_en_big": {"width": 1024, "heads": 16, "feedforward": 4096, "dropout": 0.3, "steps": 300_000, "average": 20},
}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_settings(name):
    config, paper = of(f"recipe={name}"), PAPER[name]
    model, optim, training, decoding = config.model, config.optim, config.training, config.decoding
    assert {key: getattr(model, key) for key in ("width", "heads", "feedforward", "dropout")} == {key: paper[key] for key in list(paper)[:4]}
    assert (model.encoder_layers, model.decoder_layers, model.norm) == (6, 6, "post")
    assert (optim.schedule, optim.rate, optim.warmup, optim.label_smoothing) == ("noam", 1.0, 4000, 0.1)
    assert (optim.beta1, optim.beta2, optim.epsilon) == (0.9, 0.98, 1e-9)
    assert training.batch_tokens * training.accumulate == 25_000
    assert (training.steps, training.average, training.keep) == (paper["steps"], paper["average"], paper["average"])
    assert (decoding.beam, decoding.length_penalty, decoding.max_ratio, decoding.max_extra) == (4, 0.6, 1.0, 50)
    assert (config.tokenizer.kind, config.tokenizer.vocabulary, config.tokenizer.joint) == ("bpe", 37_000, True)
    assert [corpus.path for corpus in config.data.train] == ["wmt/wmt14"]


def test_no_test_set_chooses_the_checkpoint():
    """Of sets that lie in one file, the lines are apart."""
    for path in RECIPES:
        data = of(f"recipe={path.stem}").data
        for corpus, other in itertools.product(data.validation, data.test.values()):
            same = dataclasses.replace(corpus, lines=None) == dataclasses.replace(other, lines=None)
            if same:
                assert line_range(corpus.lines)[1] < line_range(other.lines)[0], path.stem
