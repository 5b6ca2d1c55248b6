"""Texts made up by a language model: the most likely tokens, seeds, prompts, and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import translate
from tests.conftest import copy_of_shared, lines_of, make_untrained, one_line
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.errors import UserError
from translate.tokenizer import BOS, EOS, PAD, UNK
from translate.translation.generation import Generator, drawing

PROMPTS = ["", "Der", "Der Hund", "Guten Morgen!", ""]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    make = lambda folder: make_untrained(folder, family="language_model", encoder_layers=0)  # noqa: E731
    return copy_of_shared(tmp_path_factory, "untrained_language_model", make)


@pytest.fixture
def generate(model):
    return lambda *words: main(["generate", "-m", str(model), "--device", "cpu", "--precision", "fp32", *words])


@torch.no_grad()
def likeliest(bundle, prompt: str, tokens: int) -> str:
    """The chain of the likeliest tokens, each from the whole text so far."""
    ids = bundle.tokenizer.encode_target([prompt])[0][:-1]
    for _ in range(tokens):
        logits = bundle.model(torch.zeros((1, 0), dtype=torch.int64), torch.tensor([[BOS, *ids]]))[0, -1]
        logits[[PAD, BOS, UNK]] = float("-inf")
        if (best := int(logits.argmax())) == EOS:
            break
        ids.append(best)
    return bundle.tokenizer.decode([ids])[0]


@pytest.mark.parametrize("cut", [{"top_k": 1}, {"temperature": 1e-6}, {"top_p": 1e-9}], ids=str)
def test_the_sharpest_distribution_gives_the_chain_of_the_likeliest_tokens(model, cut):
    bundle = load_bundle(model)
    texts = translate.generate(model, PROMPTS, tokens=9, device="cpu", precision="fp32", **cut)
    assert texts == [likeliest(bundle, prompt, 9) for prompt in PROMPTS]
    assert len(set(texts)) > 1


def test_a_text_depends_on_prompt_number_and_seed_alone(model):
    generator = Generator.load(model, "cpu", "fp32")
    together = generator.generate(PROMPTS, 12, drawing(3))
    for number, prompt in enumerate(PROMPTS):
        alone = generator.generate([prompt], 12, drawing(3), first=number)[0]
        assert [text.text for text in alone] == [text.text for text in together[number]]
        for one, other in zip(alone, together[number]):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
    assert together[0] != together[4]  # the same prompt in another line
    assert generator.generate(PROMPTS, 12, drawing(3, seed=2)) != together
    assert [text.text for texts in together for text in texts] == translate.generate(
        model, PROMPTS, samples=3, tokens=12, device="cpu", precision="fp32"
    )


def test_the_command_writes_a_text_on_each_line(generate, tmp_path, capsys):
    assert generate("--prompt", "Der", "-n", "3", "--tokens", "6") == 0
    texts = lines_of(capsys)
    assert len(texts) == 3 and all(text.startswith("Der") for text in texts)
    (tmp_path / "prompts").write_text("Der\n\nDer Hund\n", encoding="utf-8")
    assert generate("-i", str(tmp_path / "prompts"), "-n", "2", "--tokens", "6", "--json") == 0
    objects = [json.loads(line) for line in lines_of(capsys)]
    assert [each["prompt"] for each in objects] == ["Der", "Der", "", "", "Der Hund", "Der Hund"]
    assert [each["text"] for each in objects[:2]] == texts[:2]  # the same line, so the same numbers
    for each in objects:
        assert each["text"].startswith(each["prompt"]) and each["log_probability"] < 0
        assert each["tokens"] <= 6 and (each["complete"] or each["tokens"] == 6)


def test_texts_go_on_to_the_models_limit_and_no_further(model):
    most = load_bundle(model).config.model.max_tokens
    for prompt in ("", "Der Hund"):
        length = len(load_bundle(model).tokenizer.encode_target([prompt])[0]) - 1
        for texts in Generator.load(model, "cpu", "fp32").generate([prompt], 10**6, drawing(8)):
            assert max(text.tokens for text in texts) <= most - length
    with pytest.raises(UserError, match=f"prompt 2 has .* tokens: the model goes on from at most {most - 1}"):
        translate.generate(model, ["", "漢" * most], device="cpu")


@pytest.mark.parametrize(
    "words, message",
    [
        (["--samples", "0"], "samples is 0"), (["--tokens", "0"], "tokens is 0"), (["--top-p", "0"], "top_p is 0"), (["--seed", "-1"], "seed is -1"),
        (["--temperature", "0"], "temperature is 0"), (["--prompt", "a", "-i", "b"], "both --prompt and -i b"), (["-i", "nowhere"], "nowhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_mistakes_are_one_line(generate, words, message, capsys):
    assert generate(*words) == 2
    one_line(capsys, message)


def test_each_command_says_which_one_a_model_is_for(model, untrained, source, capsys):
    assert main(["generate", "-m", str(untrained)]) == 2
    one_line(capsys, "translates (model.family=encoder_decoder)", f"use `translate file -m {untrained}`")
    assert main(["file", "-m", str(model), str(source)]) == 2
    one_line(capsys, "makes up text (model.family=language_model)", f"use `translate generate -m {model}`")
