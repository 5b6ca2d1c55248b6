"""The bundle is sealed: what is not as it was written is one line of error, and loading runs no code and follows no path out of the folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

import numpy
import pytest
import safetensors.numpy
import yaml

from tests.conftest import LINES, ROOT, digest
from tests.families import FAMILIES as MODELS
from tests.mutations import LAUGHS
from translate.bundle.bundle import Bundle, load_bundle, write_model
from translate.translation.translator import Translator

FILES = ("config.yaml", "spm.model", "model.safetensors")


@pytest.fixture
def sealed(untrained, tmp_path):
    """A copy of a whole bundle, to be damaged."""
    folder = tmp_path / "sealed"
    shutil.copytree(untrained, folder)
    return folder


def refusal(folder) -> str:
    """The message with which the bundle is refused: one short line, soon."""
    began = time.perf_counter()
    with pytest.raises(ValueError) as caught:
        load_bundle(folder)
    assert time.perf_counter() - began < 5
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600
    return message


def header(folder) -> dict:
    data = (folder / "model.safetensors").read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def manifest(folder) -> dict:
    return json.loads(header(folder)["__metadata__"]["manifest"])


def put_header(folder, values) -> None:
    data = (folder / "model.safetensors").read_bytes()
    text = json.dumps(values).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data[8 + int.from_bytes(data[:8], "little") :])


def put_manifest(folder, **changes) -> None:
    put_header(folder, {**header(folder), "__metadata__": {"manifest": json.dumps({**manifest(folder), **changes})}})


def put_setting(folder, section, key, value) -> None:
    values = yaml.safe_load((folder / "config.yaml").read_text())
    values[section][key] = value
    (folder / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False, explicit_end=True))


def as_format_1(folder) -> None:
    """As it was written before there were manifests."""
    put_header(folder, {name: value for name, value in header(folder).items() if name != "__metadata__"})
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text().replace("format: 3", "format: 1"))


def test_the_manifest_says_what_it_should(bundle):
    found = manifest(bundle)
    assert found["format"] == yaml.safe_load((bundle / "config.yaml").read_text())["format"] == 3
    assert found["version"]
    assert found["tokenizer_sha256"] == {"spm.model": digest(bundle / "spm.model")}
    assert found["data_fingerprint"] == json.loads((bundle / "report.json").read_text())["data"]["fingerprint"]
    whole = hashlib.sha256()
    for name, values in sorted(safetensors.numpy.load_file(bundle / "model.safetensors").items()):
        assert values.dtype == numpy.float32
        whole.update(f"{name} torch.float32 {values.shape}\n".encode() + values.tobytes())
    assert found["weights_sha256"] == whole.hexdigest()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_cut_file_is_told(sealed, name):
    whole = (sealed / name).read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 30, len(whole) - 2):
        (sealed / name).write_bytes(whole[:size])
        assert name in refusal(sealed)
    (sealed / name).unlink()
    assert name in refusal(sealed)
    (sealed / name).mkdir()
    assert name in refusal(sealed)


def test_one_bit_of_the_weights_is_told(sealed):
    path = sealed / "model.safetensors"
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    assert "SHA-256" in refusal(sealed)


def test_files_of_two_models_are_told(sealed, bundle, untrained):
    for name in FILES:
        (sealed / name).write_bytes((bundle / name).read_bytes())
        refusal(sealed)
        (sealed / name).write_bytes((untrained / name).read_bytes())
    load_bundle(sealed)


def test_a_newer_format_is_told_with_the_version_that_wrote_it(sealed):
    put_manifest(sealed, format=4, version="9.1")
    assert "format 4" in refusal(sealed) and "9.1" in refusal(sealed)
    (sealed / "config.yaml").write_text((sealed / "config.yaml").read_text().replace("format: 3", "format: 4").replace("version: 0", "version: 9"))
    assert "format 4" in refusal(sealed) and "9." in refusal(sealed)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"weights_sha256": "0" * 64}, "SHA-256"),
        ({"weights_sha256": None}, "SHA-256"),
        ({"tokenizer_sha256": {"spm.model": "0" * 64}}, "tokenizer"),
        ({"tokenizer_sha256": []}, "tokenizer"),
        ({"data_fingerprint": 5}, "manifest"),
        ({"settings": {}}, "manifest"),
        ({"settings": {"model": {"heads": 1}}}, "model.heads"),
        ({"settings": [[[]]]}, "manifest"),
        ({"format": True}, "format"),
        ({"format": "2"}, "format"),
    ],
)
def test_an_altered_manifest_is_told(sealed, changes, word):
    put_manifest(sealed, **changes)
    assert word in refusal(sealed)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, '{"format": 2}', '{"format": ' + "9" * 5000 + "}"])
def test_a_manifest_that_is_none_is_told(sealed, text):
    put_header(sealed, {**header(sealed), "__metadata__": {"manifest": text}})
    assert "manifest" in refusal(sealed)


def test_weights_without_their_manifest_are_told(sealed):
    put_header(sealed, {name: value for name, value in header(sealed).items() if name != "__metadata__"})
    assert "no manifest" in refusal(sealed)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("model", "heads", 1), ("decoding", "beam", 3), ("decoding", "max_ratio", 1.5), ("tokenizer", "normalization", "nmt_nfkc")],
)
def test_a_setting_that_would_change_translations_is_told(sealed, section, key, value):
    put_setting(sealed, section, key, value)
    assert f"{section}.{key}" in refusal(sealed)


def test_a_setting_that_says_where_the_data_are_may_change(sealed, untrained):
    put_setting(sealed, "data", "folder", "/elsewhere")
    assert Translator.load(sealed, "cpu", "fp32").translate(LINES) == Translator.load(untrained, "cpu", "fp32").translate(LINES)


def test_a_bundle_of_format_1_is_read(sealed, untrained):
    as_format_1(sealed)
    assert Translator.load(sealed, "cpu", "fp32").translate(LINES) == Translator.load(untrained, "cpu", "fp32").translate(LINES)


def test_a_write_that_fails_leaves_the_old_bundle(sealed, monkeypatch):
    before, loaded = digest(sealed / "model.safetensors"), load_bundle(sealed)
    loaded.model.target_embedding.weight.add_(1)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_model(Bundle(sealed, loaded.config, loaded.tokenizer, loaded.model), "more data")
    assert digest(sealed / "model.safetensors") == before and sorted(path.name for path in sealed.iterdir()) == sorted(FILES)
    load_bundle(sealed)
    monkeypatch.undo()
    write_model(loaded, "more data")
    assert load_bundle(sealed).data == "more data" and digest(sealed / "model.safetensors") != before


@pytest.mark.parametrize(
    "line",
    [
        "data: !!python/object/apply:os.system ['touch ran']", "? !!python/object/new:os.system ['touch ran']\n: 1", "data: !!python/name:os.system",
        "x: {_target_: os.system, _args_: [touch ran]}", "x: &a {train: *a}", "x: {folder: !!binary aGk=}", f"x: {LAUGHS}",
        "x: " + "[" * 100_000, "x: [&a {path: b}, *a]", "x: !!str x", "x: 0001-01-01 00:00:00+23:59", "x: " + "9" * 5000, "x: .inf", "{1: 2}: 3",
        "hydra: {run: {dir: ran}}",
    ],
    ids=lambda line: line[:40],
)  # fmt: skip
def test_a_hostile_config_runs_nothing(sealed, monkeypatch, line):
    monkeypatch.chdir(sealed)
    (sealed / "config.yaml").write_text(line + "\n" + (sealed / "config.yaml").read_text())
    assert "config.yaml" in refusal(sealed)
    assert sorted(path.name for path in sealed.iterdir()) == sorted(FILES)


def test_a_hydra_target_is_no_setting(sealed, untrained):
    for section in ("data", "model", "optim", "decoding"):
        put_setting(sealed, section, "_target_", "os.system")
        assert f"unknown key {section}._target_" in refusal(sealed)
        shutil.copy(untrained / "config.yaml", sealed)


SHAPES = ("width", "heads", "feedforward", "encoder_layers", "decoder_layers", "max_tokens")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        *[("model", key, 10**power) for power in (9, 30) for key in SHAPES],
        ("model", "encoder_layers", 1000), ("model", "feedforward", 1 << 24), ("model", "width", 1 << 20), ("model", "width", 1 << 10),
        ("decoding", "beam", 10**9),
    ],
)  # fmt: skip
def test_huge_shapes_are_told_before_memory_is_taken(sealed, section, key, value):
    as_format_1(sealed)  # a manifest would tell first
    put_setting(sealed, section, key, value)
    refusal(sealed)


@pytest.mark.parametrize("family", [family for family in MODELS if family != "encoder_decoder"])
def test_weights_of_another_family_are_told(sealed, family):
    """In format 1, which has no seal: by their names or their number."""
    as_format_1(sealed)
    put_setting(sealed, "model", "family", family)
    for key, value in MODELS[family].items():
        put_setting(sealed, "model", key, value)
    assert "model.safetensors" in refusal(sealed)


@pytest.mark.parametrize(
    "change", [{"shape": [10**12, 10**12]}, {"data_offsets": [0, 2**63]}, {"data_offsets": [9, 3]}, {"dtype": "F64"}, {"shape": []}]
)
def test_absurd_entries_of_the_weights_header_are_told(sealed, change):
    values = header(sealed)
    values["target_embedding.weight"].update(change)
    put_header(sealed, values)
    assert "model.safetensors" in refusal(sealed)


def test_loading_opens_nothing_outside_the_folder(sealed, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    for section, key in (("tokenizer", "path"), ("data", "folder"), ("data", "cache"), ("data", "source_language")):
        put_setting(sealed, section, key, str(secret))
    put_setting(sealed, "data", "train", [{"kind": "tsv", "path": str(secret)}, {"kind": "text", "source": "${oc.env:HOME}", "target": str(secret)}])
    code = (
        "import sys, translate.translation.translator as t; from translate.translation.translator import Translator; opened = []\n"
        "sys.addaudithook(lambda event, details: opened.append(str(details[0])) if event in ('open', 'os.listdir', 'os.scandir') else None)\n"
        "Translator.load(sys.argv[1], 'cpu', 'fp32'); print('\\n'.join(opened))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, str(sealed)], capture_output=True, text=True, env=environment, check=True)
    opened = done.stdout.split("\n")
    assert str(sealed / "config.yaml") in opened and not [path for path in opened if "secret" in path or "HOME" in path]


@pytest.mark.parametrize("name", FILES)
def test_a_link_out_of_the_folder_is_refused(sealed, untrained, name):
    for target in (untrained / name, "/dev/zero", name, "nowhere"):
        (sealed / name).unlink()
        (sealed / name).symlink_to(target)
        assert name in refusal(sealed)


def test_a_pipe_is_refused(sealed):
    (sealed / "spm.model").unlink()
    os.mkfifo(sealed / "spm.model")
    assert "spm.model" in refusal(sealed)


def test_links_that_stay_in_the_folder_and_links_to_it_are_fine(sealed, tmp_path):
    (sealed / "model.safetensors").rename(sealed / "best.safetensors")
    (sealed / "model.safetensors").symlink_to("best.safetensors")
    (tmp_path / "link").symlink_to(sealed)
    load_bundle(tmp_path / "link")
