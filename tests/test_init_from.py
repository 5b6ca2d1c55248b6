"""`init.from`, `init.decoder`, `init.freeze`: where the weights of a run come from, in the save before its first step and after."""

from __future__ import annotations

from pathlib import Path

import pytest
import sentencepiece
import torch

from tests.conftest import digest, tiny_config
from tests.test_init import begin, no_steps
from translate.bundle.bundle import load_bundle
from translate.bundle.weights import read_weights
from translate.cli.train import compose
from translate.config import DecodingConfig, check, from_dict
from translate.errors import UserError
from translate.tokenizer import Tokenizer
from translate.training.new_pieces import mapped, parts_of
from translate.training.run import train

no_steps = no_steps


def adapted(run: Path, folder: Path, other: Path, **training):
    config = tiny_config(run, folder, **training)
    config.init.from_ = str(other)
    return config


def test_weights_and_tokenizer_are_those_of_the_other_run(whole, tmp_path, corpus_folder, no_steps, capsys):
    theirs, ours = read_weights(whole / "model.safetensors"), begin(adapted(tmp_path / "run", corpus_folder, whole))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (tmp_path / "run" / "spm.model").read_bytes() == (whole / "spm.model").read_bytes()
    said = capsys.readouterr().err
    assert f"copied from {whole}" in said and f"init.from: all weights, {sum(map(torch.numel, ours.values())):,} parameters" in said


def test_a_run_that_started_from_another_is_better_than_that(whole, tmp_path, corpus_folder):
    """And resumes when the other is gone: its name is only a name."""
    config = adapted(tmp_path / "run", corpus_folder, whole, steps=20)
    report = train(config)
    assert report["steps"] == 20
    config.training.steps = 25
    (tmp_path / "moved").symlink_to(whole)
    config.init.from_ = str(whole)
    assert train(config)["steps"] == 25


def test_a_new_tokenizer_keeps_the_rows_of_known_pieces(whole, tmp_path, corpus_folder, no_steps, capsys):
    config = adapted(tmp_path / "run", corpus_folder, whole)
    config.init.tokenizer, config.tokenizer.vocabulary = "new", 420
    ours, theirs = begin(config), read_weights(whole / "model.safetensors")
    old, new = (sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model")) for folder in (whole, tmp_path / "run"))
    known = {old.id_to_piece(number): number for number in range(len(old))}
    pieces = [new.id_to_piece(number) for number in range(len(new))]
    common = [piece for piece in pieces if piece in known]
    assert 300 < len(common) < len(pieces) == 420 or len(common) == 420
    name = "target_embedding.weight"
    assert ours[name].shape == (420, theirs[name].shape[1])
    for number, piece in enumerate(pieces):
        if piece in known:
            assert torch.equal(ours[name][number], theirs[name][known[piece]]), piece
    assert all(torch.equal(ours[other], theirs[other]) for other in ours if other != name)
    assert f"{len(common):,} of 420 pieces are known to the other tokenizer" in capsys.readouterr().err


def test_a_piece_that_is_not_known_is_the_mean_of_its_parts():
    old = ["<pad>", "<s>", "</s>", "<unk>", "\u2581", "a", "b", "ab", "\u2581a"]
    parts = parts_of(old, ["ab", "\u2581ab", "abb", "\u2581aab", "c", "bc"])
    assert parts == [[7], [8, 6], [7, 6], [8, 7], [3], [6, 3]]
    rows = torch.arange(18.0).view(9, 2) ** 2
    torch.testing.assert_close(mapped(rows, parts)[2], (rows[7] + rows[6]) / 2)
    assert mapped(rows[:, 0], [[7, 6], [5]]).tolist() == [(rows[7, 0] + rows[6, 0]).item() / 2, rows[5, 0].item()]


def test_a_decoder_starts_from_that_of_another_run(whole, tmp_path, corpus_folder, no_steps):
    config = tiny_config(tmp_path / "run", corpus_folder)
    config.init.decoder, config.tokenizer.path = str(whole), str(whole)
    ours, theirs = begin(config), read_weights(whole / "model.safetensors")
    for name in ours:
        same = name.startswith("decoder") or name == "target_embedding.weight"
        assert torch.equal(ours[name], theirs[name]) == same, name


def test_a_language_model_starts_a_decoder_without_its_cross_attention(tmp_path, corpus_folder, monkeypatch):
    language = tiny_config(tmp_path / "language", corpus_folder, steps=4, validate_every=4)
    language.model.family, language.model.encoder_layers = "language_model", 0
    language.decoding = DecodingConfig()
    language.data.validation, language.data.test = [], {}
    train(language)
    monkeypatch.setattr("translate.training.run.Run.used", lambda run: (_ for _ in ()).throw(KeyboardInterrupt))
    config = tiny_config(tmp_path / "run", corpus_folder)
    config.init.decoder, config.tokenizer.path = language.run, language.run
    ours, theirs = begin(config), read_weights(Path(language.run) / "model.safetensors")
    copied = {name for name in ours if name in theirs and torch.equal(ours[name], theirs[name])}
    assert copied == {name for name in ours if (name.startswith("decoder") and ".cross" not in name) or name == "target_embedding.weight"}


@pytest.mark.parametrize("parts", [["encoder"], ["decoder"], ["embeddings"], ["encoder", "embeddings"]])
def test_frozen_parts_keep_their_weights(whole, tmp_path, corpus_folder, parts):
    config = adapted(tmp_path / "run", corpus_folder, whole, steps=3, validate_every=3, average=1)
    config.init.freeze = parts
    train(config)
    prefixes = {"encoder": ("encoder",), "decoder": ("decoder",), "embeddings": ("target_embedding", "source_embedding")}
    frozen = tuple(prefix for part in parts for prefix in prefixes[part])
    before, after = (dict(load_bundle(folder).model.named_parameters()) for folder in (whole, tmp_path / "run"))
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith(frozen), name


def test_freezing_is_resumed(whole, tmp_path, corpus_folder, monkeypatch):
    runs = []
    for name in ("once", "twice"):
        config = adapted(tmp_path / name, corpus_folder, whole, steps=6, validate_every=3, average=1)
        config.init.freeze = ["encoder"]
        if name == "twice":
            config.training.steps = 6
            with monkeypatch.context() as patch:
                steps = []
                plain = __import__("translate.training.update", fromlist=["Updater"]).Updater.update

                def update(*arguments, plain=plain, steps=steps):
                    steps.append(1)
                    if len(steps) == 5:
                        raise KeyboardInterrupt
                    return plain(*arguments)

                patch.setattr("translate.training.update.Updater.update", update)
                with pytest.raises(KeyboardInterrupt):
                    train(config)
        train(config)
        runs.append(digest(tmp_path / name / "model.safetensors"))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "values, message",
    [
        ({"tokenizer": "new"}, "init.tokenizer=new has no effect without init.from"),
        ({"freeze": ["encoder"]}, "init.freeze (encoder) would keep random weights: give init.from"),
        ({"from": "a", "freeze": ["head"]}, "init.freeze has 'head': it lists, each once, encoder, decoder, embeddings"),
        ({"from": "a", "freeze": ["encoder", "encoder"]}, "init.freeze has 'encoder': it lists, each once"),
        ({"from": "a", "freeze": ["encoder", "decoder", "embeddings"]}, "nothing would be left to train"),
        ({"from": "a", "encoder": "b"}, "init.from (a) has all weights, so init.encoder (b) can't be given too"),
        ({"from": "a", "decoder": "b"}, "so init.decoder (b) can't be given too"),
        ({"from_": "a"}, "unknown key init.from_: did you mean init.from?"),
    ],
)
def test_a_setting_without_effect_is_refused(values, message):
    with pytest.raises(UserError) as caught:
        check(from_dict({"init": values}))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"width": 48}, r"has model.width=\d+, this run 48: set model.width=\d+"),
        ({"heads": 1}, r"has model.heads=\d+, this run 1: set"),
        ({"norm": "post"}, r"has model.norm=pre, this run post: set model.norm=pre"),
    ],
)
def test_what_does_not_fit_is_told_with_both_values(whole, tmp_path, corpus_folder, change, message):
    config = adapted(tmp_path / "run", corpus_folder, whole)
    for name, value in change.items():
        setattr(config.model, name, value)
    with pytest.raises(UserError, match=message):
        train(config)


def test_the_tokenizer_is_not_given_twice(whole, tmp_path, corpus_folder):
    config = adapted(tmp_path / "run", corpus_folder, whole)
    config.tokenizer.path = str(whole)
    with pytest.raises(UserError, match=r"tokenizer.path \(.*\) has no effect with init.from"):
        train(config)


def test_another_start_is_another_run(whole, tmp_path, corpus_folder):
    config = adapted(tmp_path / "run", corpus_folder, whole, steps=4, validate_every=4)
    train(config)
    config.init.from_ = None
    with pytest.raises(UserError, match=f"init.from is None now and was '{whole}'"):
        train(config)


def test_the_key_on_the_command_line_and_in_recipes_is_from(tmp_path):
    assert compose(["recipe=quickstart", "init.from=runs/x", "init.freeze=[encoder]"])[0].init.from_ == "runs/x"
    (tmp_path / "mine.yaml").write_text("# @package _global_\ndefaults: [quickstart]\ninit: {from: runs/y}\n")
    assert compose([f"recipe={tmp_path / 'mine.yaml'}"])[0].init.from_ == "runs/y"
    with pytest.raises(UserError, match=r"unknown key init.form: did you mean init.from\?"):
        compose(["recipe=quickstart", "init.form=x"])


def test_tokenizers_are_one_or_two_on_both_sides(whole, tmp_path, corpus_folder):
    config = adapted(tmp_path / "run", corpus_folder, whole)
    config.tokenizer.joint = False
    with pytest.raises(UserError, match=r"has tokenizer.joint=true, this run false: add tokenizer.joint=true"):
        train(config)
    assert Tokenizer.load(whole).joint
