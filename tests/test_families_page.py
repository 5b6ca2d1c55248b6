"""The cases of benchmarks/families.py are real recipes of equal size, and its tables have their places in docs/families.md."""

from __future__ import annotations

import sys

import pytest
import torch

from tests.conftest import ROOT
from translate.cli.train import choices, compose
from translate.config import Config

sys.path.insert(0, str(ROOT / "benchmarks"))
import families_cases
import families_masks
import families_page

RECIPES = choices("recipe")


def recipe_of(case) -> str:
    return families_cases.RECIPES.get((case.corpus, case.family), f"{case.corpus}_{case.family}")


def settings_of(case) -> tuple[str, ...]:
    return tuple(word for word in case.words if not word.startswith("training.seed="))


KINDS = {(case.family, recipe_of(case), settings_of(case)): case for cases in families_cases.PARTS.values() for case in cases}
CASES = [pytest.param(case, id=case.name) for case in KINDS.values() if recipe_of(case) in RECIPES]


def composed(case, *words: str) -> Config:
    (config,) = compose([f"recipe={recipe_of(case)}", f"run=runs/{case.name}", *case.words, *words])
    return config


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_a_recipe(case):
    assert composed(case).model.family == case.family


def parameters(case) -> int:
    from translate.model.families import new_model

    config = composed(case)
    with torch.device("meta"):
        model = new_model(config.model, config.tokenizer.vocabulary, config.tokenizer.vocabulary, tied=True)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("corpus", families_cases.MINUTES)
def test_the_models_of_a_corpus_have_the_same_size(corpus):
    """But for counts of n-grams, which have no size of their own."""
    cases = [case for case in families_cases.PARTS[corpus] if recipe_of(case) in RECIPES and case.family != "markov"]
    sizes = {case.family: parameters(case) for case in cases}
    for family, size in sizes.items():
        assert size == pytest.approx(sizes["encoder_decoder"], rel=families_page.SAME), (family, sizes)


def test_names_are_of_one_model_each():
    cases = {case for cases in families_cases.PARTS.values() for case in cases}
    assert len({case.name for case in cases}) == len(cases)


def test_the_page_has_a_place_for_every_table():
    page = (ROOT / "docs" / "families.md").read_text(encoding="utf-8")
    for part in families_cases.PARTS:
        assert page.count(f"<!-- table: {part} -->") == 1, part
    assert page.count("<!-- end -->") == len(families_cases.PARTS)


def a_result(bleu: float, parameters: int = 1_000_000) -> dict:
    sets = {"test": {"sentences": 100, "seconds": 2.0, "scores": {"BLEU": {"value": bleu}, "chrF2++": {"value": 60.0}}}}
    searched = {f"beam_{beam}": {"sets": sets, "search_mb": 500.0} for beam in (1, 5)}
    return {"report": {"parameters": parameters, "steps": 1500}, "tokens_per_second": 9000.0, "dev_loss": 1.0, "training_mb": 700.0, **searched}


def test_tables_hold_what_was_measured():
    results = {
        "multi30k_encoder_decoder": a_result(40.0),
        "multi30k_decoder_only": a_result(39.5, 1_060_000),
        **{f"decoder_only_bidirectional_target_{seed}": a_result(38.0 + seed) for seed in (1, 2, 3)},
        **{f"encoder_decoder_additive_{seed}": a_result(90.0 + seed) for seed in (1, 2, 3)},
    }
    tables = families_page.tables(results)
    assert set(tables) == {"multi30k", "scores", "two_by_two", "pairs"}
    first, second = tables["multi30k"].splitlines()[2:]
    assert first == "| `encoder_decoder` | 1,000,000 | 1,500 | 40.0 | 60.0 | 2.72 | 9,000 | 50 | 50 | 700 | 500 |"
    assert "| 1,060,000 (+6%) | 1,500 | 39.5 |" in second
    assert tables["scores"].splitlines()[2] == "| `encoder_decoder`, additive | 92.0 ± 1.0 | - | 1,500 |"
    assert "| `model.prefix=bidirectional` | 40.0 ± 1.0 | - |" in tables["two_by_two"]
    assert "| `model.prefix=bidirectional`, 15 minutes | 39.5 |  |" in tables["two_by_two"]
    assert "| 29,000 | 40.0 (1,500) | 39.5 (1,500) |" in tables["pairs"]


def test_a_page_gets_its_tables_in_their_places(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- table: pairs -->\nold\n<!-- end -->\n\nbetween\n\n<!-- table: cache -->\nleft\n<!-- end -->\n", encoding="utf-8")
    families_page.write({"pairs": "| a\\1 |"}, {}, tmp_path, page)
    text = page.read_text(encoding="utf-8")
    assert text == ("before\n\n<!-- table: pairs -->\n| a\\1 |\n<!-- end -->\n\nbetween\n\n<!-- table: cache -->\nleft\n<!-- end -->\n")


@pytest.mark.parametrize("title", families_masks.PANELS)
def test_what_a_state_depends_on(title):
    """With the source's tokens first, of which each sees all, or those before it; the target's see the source and those before them."""
    settings, tokens = families_masks.PANELS[title]
    N, S = len(tokens), len(families_masks.SOURCE)
    expected = torch.ones(N, N).tril().double()
    if title in ("encoder_decoder", "decoder_only, bidirectional prefix"):
        expected[:S, :S] = 1
    elif title == "masked_lm":
        expected[:] = 1
    assert torch.equal(families_masks.seen(settings, tokens), expected)
