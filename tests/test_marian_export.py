"""Bundles as MarianMT models: transformers' own model and tokenizer are the truth, and the way back gives the same model."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.conftest import make_untrained
from translate.bundle.bundle import Bundle, build_model, load_bundle, write_config, write_model
from translate.cli.main import main
from translate.config import TokenizerConfig
from translate.decoding import FilledOptions
from translate.phrasebook import pairs
from translate.tokenizer import EOS, train_tokenizer
from translate.tokenizer.padding import pad
from translate.translation.translator import Translator

transformers = pytest.importorskip("transformers")
LINES = [source for source, _ in pairs("test")[:8]]
CASES = {"plain": {}, "untied": {"joint": False}, "bias": {"output_bias": True, "activation": "silu"}, "unscaled": {"scale_embedding": False}}


@pytest.fixture(scope="module", params=CASES)
def exported(request, tmp_path_factory):
    """A post-norm bundle with random weights, and the MarianMT folder made of it."""
    folder, changes = tmp_path_factory.mktemp(request.param), dict(CASES[request.param])
    config = load_bundle(make_untrained(folder / "first")).config
    tokens = TokenizerConfig(vocabulary=400, joint=changes.pop("joint", True), normalization="nmt_nfkc")
    config = dataclasses.replace(config, tokenizer=tokens, model=dataclasses.replace(config.model, norm="post", max_tokens=80, **changes))
    (folder / "ours").mkdir()
    tokenizer = train_tokenizer(pairs("train")[:3000], tokens, folder / "ours")
    model = build_model(config, tokenizer)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    write_config(folder / "ours", config, tokenizer)
    write_model(Bundle(folder / "ours", config, tokenizer, model), "")
    assert main(["export", "-m", str(folder / "ours"), "--to", "huggingface", "-o", str(folder / "theirs")]) == 0
    return folder / "ours", folder / "theirs"


@torch.no_grad()
def test_logits_and_pieces_are_equal(exported):
    ours, theirs = exported
    bundle, tokenizer = load_bundle(ours), transformers.MarianTokenizer.from_pretrained(theirs)
    model = transformers.MarianMTModel.from_pretrained(theirs).eval()
    ids = bundle.tokenizer.encode_source(LINES)
    assert tokenizer(LINES)["input_ids"] == ids
    source, target = pad(ids), torch.randint(4, 300, (len(LINES), 9))
    expected = model(input_ids=source, attention_mask=(source != 0).long(), decoder_input_ids=target).logits
    torch.testing.assert_close(bundle.model(source, target), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("beam", [1, 3])
def test_generate_finds_what_the_search_finds(exported, beam):
    ours, theirs = exported
    translator, tokenizer = Translator.load(ours, "cpu", "fp32"), transformers.MarianTokenizer.from_pretrained(theirs)
    model = transformers.MarianMTModel.from_pretrained(theirs).eval()
    for line in LINES:
        options = {"num_beams": beam, "max_length": None, "max_new_tokens": 10, "length_penalty": 0.0, "early_stopping": "never"}
        output = model.generate(**tokenizer([line], return_tensors="pt"), **options)[0, 1:].tolist()
        expected = output[: output.index(EOS)] if EOS in output else [number for number in output if number]
        found = translator.engine.search(translator.tokenizer.encode_source([line]), [10], FilledOptions(beam=beam, length_penalty=0.0), [])[0][0]
        assert found.ids == expected
        assert tokenizer.decode(expected, skip_special_tokens=True, use_source_tokenizer=False) == translator.tokenizer.decode([found.ids])[0].strip()


@torch.no_grad()
def test_the_way_back_gives_the_same_model(exported, tmp_path):
    ours, theirs = exported
    assert main(["import", str(theirs), "-o", str(tmp_path / "again")]) == 0
    before, after = load_bundle(ours), load_bundle(tmp_path / "again")
    assert after.config.model == before.config.model and after.tokenizer.joint == before.tokenizer.joint
    assert after.tokenizer.source_pieces() == before.tokenizer.source_pieces()
    assert after.tokenizer.encode_target(LINES) == before.tokenizer.encode_target(LINES)
    assert {name: tensor.tolist() for name, tensor in after.model.named_parameters()} == {
        name: tensor.tolist() for name, tensor in before.model.named_parameters()
    }


@pytest.mark.parametrize("words, message", [(["--quantization", "int8"], "--quantization int8 is for"), ([], "model.norm pre")])
def test_what_the_format_cannot_hold_is_refused(untrained, tmp_path, capsys, words, message):
    assert main(["export", "-m", str(untrained), "--to", "huggingface", "-o", str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "out").exists()
