"""MarianMT models as bundles: transformers' own model and tokenizer are the truth."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from tests.marian_folder import write_marian
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.decoding import FilledOptions
from translate.errors import UserError
from translate.huggingface.hub import local_folder
from translate.huggingface.marian_import import FILES, import_marian, read_marian
from translate.phrasebook import pairs
from translate.tokenizer import BOS, EOS, PAD, UNK
from translate.tokenizer.padding import pad
from translate.translation.translator import Translator

transformers = pytest.importorskip("transformers")

LINES = [source for source, _ in pairs("test")[:12]] + ["Ein Zebra, das man nicht kennt: ßŁ?", "A"]
SHAPES = {
    "opus": {},
    "wide": {"d_model": 48, "encoder_attention_heads": 6, "decoder_attention_heads": 6, "encoder_layers": 1, "decoder_layers": 1},
    "relu": {"activation_function": "relu", "scale_embedding": False},
    "gelu": {"activation_function": "gelu", "encoder_ffn_dim": 20, "decoder_ffn_dim": 20, "pickled": True},
    "separate": {"shared": False},
    "bpe": {"kind": "bpe"},
}


@pytest.fixture(scope="module", params=SHAPES)
def folders(request, tmp_path_factory):
    """A MarianMT folder and the bundle made of it."""
    folder = tmp_path_factory.mktemp(request.param)
    theirs = write_marian(folder / "theirs", **SHAPES[request.param])
    import_marian(theirs, folder / "ours")
    return theirs, folder / "ours"


def their_model(folder):
    return transformers.MarianMTModel.from_pretrained(folder).eval(), transformers.MarianTokenizer.from_pretrained(folder)


def rows(folder):
    marian = read_marian(folder)
    return torch.tensor(marian.source.rows), torch.tensor(marian.target.rows)


def test_lines_have_the_same_pieces(folders):
    theirs, ours = folders
    tokenizer, bundle = their_model(theirs)[1], load_bundle(ours)
    expected = tokenizer(LINES)["input_ids"]
    assert [rows(theirs)[0][ids].tolist() for ids in bundle.tokenizer.encode_source(LINES)] == expected
    assert [len(ids) for ids in expected] != [2] * len(LINES)
    targets = [target for _, target in pairs("test")[:12]]
    expected = tokenizer(text_target=targets)["input_ids"]
    assert [rows(theirs)[1][ids].tolist() for ids in bundle.tokenizer.encode_target(targets)] == expected


@torch.no_grad()
def test_logits_are_equal(folders):
    theirs, ours = folders
    model, bundle = their_model(theirs)[0], load_bundle(ours)
    source = pad(bundle.tokenizer.encode_source(LINES))
    labels = pad(bundle.tokenizer.encode_target([target for _, target in pairs("test")[: len(LINES)]]))
    target = torch.cat([labels.new_full((len(labels), 1), BOS), labels[:, :-1]], dim=1)
    of_source, of_target = rows(theirs)
    expected = model(input_ids=of_source[source], attention_mask=(source != PAD).long(), decoder_input_ids=of_target[target]).logits
    logits = bundle.model(source, target)
    real = labels != PAD
    known = torch.arange(logits.shape[-1]) < len(set(of_target.tolist())) + 1
    torch.testing.assert_close(logits[real][:, known], expected[real][:, of_target[known]], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("beam", [1, 4])
def test_search_finds_what_generate_finds(folders, beam):
    """Without length penalty, and with the bans that every search here has: <pad> and <unk>."""
    theirs, ours = folders
    model, tokenizer = their_model(theirs)
    translator = Translator.load(ours, "cpu", "fp32")
    unk, pad_id = tokenizer.unk_token_id, tokenizer.pad_token_id
    of_target = rows(theirs)[1]
    for line in LINES[:8]:
        ids = translator.tokenizer.encode_source([line])
        limit = 12
        batch = tokenizer([line], return_tensors="pt")
        expected = model.generate(
            **batch, num_beams=beam, max_new_tokens=limit, bad_words_ids=[[pad_id], [unk]], renormalize_logits=True, length_penalty=0.0,
            do_sample=False, early_stopping="never",
        )[0, 1:]  # fmt: skip
        expected = [number for number in expected.tolist() if number != pad_id]
        found = translator.engine.search(ids, [limit], FilledOptions(beam=beam, length_penalty=0.0), [])[0][0]
        assert [of_target[number].item() for number in found.ids] == [number for number in expected if number != tokenizer.eos_token_id], line


def test_it_translates_at_the_command_line(folders, tmp_path, capsys):
    theirs, ours = folders
    (tmp_path / "in.de").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    assert main(["import", str(theirs), "-o", str(tmp_path / "run")]) == 0
    assert "de-en" in capsys.readouterr().err
    assert main(["file", "-m", str(tmp_path / "run"), str(tmp_path / "in.de"), "-o", str(tmp_path / "out.en"), "--beam", "2"]) == 0
    assert len((tmp_path / "out.en").read_text(encoding="utf-8").splitlines()) == len(LINES)
    for name in ("config.yaml", "spm.model", "spm.target.model", "model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (ours / name).read_bytes(), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_marian(tmp_path_factory.mktemp("opus") / "theirs")


@pytest.fixture
def opus(whole, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(whole, tmp_path / "theirs")


def changed(folder, name, **values):
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    "name, values, message",
    [
        ("config.json", {"model_type": "bart"}, "model_type 'bart': only marian"),
        ("config.json", {"decoder_attention_heads": 2}, "encoder_attention_heads 4 and decoder_attention_heads 2"),
        ("config.json", {"decoder_ffn_dim": 2}, "encoder_ffn_dim 48 and decoder_ffn_dim 2"),
        ("config.json", {"activation_function": "mish"}, "activation_function 'mish'"),
        ("config.json", {"tie_word_embeddings": False}, "tie_word_embeddings false"),
        ("config.json", {"normalize_before": True}, "normalize_before true"),
        ("config.json", {"d_model": None}, "has no d_model"),
        ("config.json", {"d_model": 64}, "has 32 columns"),
        ("config.json", {"pad_token_id": 10**6}, "pad_token_id 1000000"),
        ("config.json", {"encoder_layers": 3}, "no weight model.encoder.layers.2"),
        ("vocab.json", {"Haus": 10**6}, "different numbers below vocab_size"),
        ("vocab.json", {">>fra<<": 2}, "several languages"),
        ("tokenizer_config.json", {"source_lang": None}, "--source-language"),
    ],
)
def test_what_is_not_supported_is_named(opus, tmp_path, capsys, name, values, message):
    changed(opus, name, **values)
    assert main(["import", str(opus), "-o", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "source.spm", "target.spm", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_missing_or_damaged_file_is_named(opus, tmp_path, capsys, name, damage):
    (opus / name).unlink() if damage == "missing" else (opus / name).write_bytes(b"\x00{")
    assert main(["import", str(opus), "-o", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert name in error and error.count("\n") == 1


def test_a_pickle_that_runs_code_is_refused(opus, tmp_path, capsys):
    import pickle

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    (opus / "model.safetensors").unlink()
    (opus / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
    assert main(["import", str(opus), "-o", str(tmp_path / "run")]) == 2
    assert "pytorch_model.bin could not be read as tensors" in capsys.readouterr().err
    assert not (tmp_path / "evil").exists()


def test_a_name_that_is_neither_folder_nor_model_is_refused():
    with pytest.raises(UserError, match="not a folder"):
        local_folder("no folder", FILES, (), ())


def test_the_hub_is_asked_for_the_files_that_are_needed(opus, monkeypatch):
    """Up to the network: what is asked for, and where the answer goes."""
    import huggingface_hub

    asked = []

    def download(name, allow_patterns):
        asked.append((name, allow_patterns))
        return str(opus)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert local_folder("Helsinki-NLP/opus-mt-de-en", FILES, ["pytorch_model.bin"], ["model.safetensors"]) == opus
    (opus / "model.safetensors").unlink()
    local_folder("Helsinki-NLP/opus-mt-de-en", FILES, ["pytorch_model.bin"], ["model.safetensors"])
    patterns = [patterns for _, patterns in asked]
    assert patterns == [list(FILES), list(FILES), [*FILES, "pytorch_model.bin"]]

    def fails(name, allow_patterns):
        raise OSError("no route\nto host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fails)
    with pytest.raises(UserError, match="could not be downloaded: no route to host"):
        local_folder("Helsinki-NLP/opus-mt-de-en", FILES, (), ())


def test_special_ids_are_where_they_belong(opus, tmp_path):
    bundle = import_marian(opus, tmp_path / "run")
    numbers = json.loads((opus / "vocab.json").read_text())
    at = read_marian(opus).target.rows
    assert [at[PAD], at[BOS], at[EOS], at[UNK]] == [numbers["<pad>"], numbers["<pad>"], numbers["</s>"], numbers["<unk>"]]
    assert bundle.model.source_embedding is bundle.model.target_embedding


@pytest.mark.parametrize("beam", [1, 3])
def test_ctranslate2_finds_the_same(folders, tmp_path, beam):
    pytest.importorskip("ctranslate2")
    ours = folders[1]
    assert main(["export", "-m", str(ours), "--to", "ctranslate2", "-o", str(tmp_path / "ct2")]) == 0
    lines = LINES[:8]
    expected = Translator.load(ours, "cpu", "fp32").translate(lines, beam=beam, split="line")
    assert Translator.load(tmp_path / "ct2", "cpu", engine="ctranslate2").translate(lines, beam=beam, split="line") == expected
