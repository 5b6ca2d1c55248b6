"""Makers of hostile bundles for test_attack_bundles.py: each function spoils the sound bundle in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
from pathlib import Path

CONFIG, TOKENIZER, WEIGHTS, EXPORTED, MANIFEST = "config.yaml", "spm.model", "model.safetensors", "model.bin", "manifest.json"


class Code:
    def __reduce__(self):
        return os.system, ("touch canary",)


def pickle_as_weights(folder):
    (folder / WEIGHTS).write_bytes(pickle.dumps(Code()))


def pickle_as_tokenizer(folder):
    put_tokenizer(folder, pickle.dumps(Code()))


def pickle_as_config(folder):
    (folder / CONFIG).write_bytes(pickle.dumps(Code()))


def pickle_beside_no_weights(folder):
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Code()))


def tokenizer_of_another_kind(folder):
    put_tokenizer(folder, b'{"version": "1.0", "model": {"type": "BPE"}}')


def tokenizer_of_rubbish(folder):
    put_tokenizer(folder, b"\x0a\xff\xff\xff\xff\x0f" * 1000)


def tokenizer_with_another_sha(folder):
    (folder / TOKENIZER).write_bytes((folder / TOKENIZER).read_bytes() + b"\0")


def tokenizer_of_gigabytes(folder):
    os.truncate(folder / TOKENIZER, 8 << 30)  # of zeros that take no room


def config_of_gigabytes(folder):
    os.truncate(folder / CONFIG, 8 << 30)


def weights_of_gigabytes(folder):
    os.truncate(folder / WEIGHTS, 8 << 30)


def header_of_exabytes(folder):
    put_header(folder, b"{}", 1 << 62)


def header_longer_than_the_file(folder):
    put_header(folder, b"{}", 1 << 20)


def header_of_deep_json(folder):
    put_header(folder, b'{"a": ' * 100_000)


def header_of_a_million_names(folder):
    put_header(folder, b"{" + b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % number for number in range(50_000)) + b"}")


def manifest_of_deep_json(folder):
    put_header(folder, json.dumps({**header(folder), "__metadata__": {"manifest": "[" * 100_000}}).encode())


def no_manifest(folder):
    put_header(folder, json.dumps({name: value for name, value in header(folder).items() if name != "__metadata__"}).encode())


def newer_format(folder):
    text = (folder / CONFIG).read_text().replace("format: 3\n", "format: 99\n").replace("version: ", "version: 99.")
    (folder / CONFIG).write_text(text)


def another_family(folder):
    change_config(folder, ("family: encoder_decoder", "family: decoder_only"), ("encoder_layers: 1", "encoder_layers: 0"))


def another_family_without_a_seal(folder):
    another_family(folder)
    change_config(folder, ("format: 3\n", "format: 1\n"))
    no_manifest(folder)


def a_thousand_recurrent_layers(folder):
    """Each would be made before its weights are missed."""
    layers = [("encoder_layers: 1", "encoder_layers: 1000"), ("feedforward: 32", "feedforward: 1024"), ("width: 16", "width: 1048576")]
    change_config(folder, ("family: encoder_decoder", "family: recurrent"), *layers, ("format: 3\n", "format: 1\n"))
    no_manifest(folder)


def learned_positions_that_are_not_there(folder):
    change_config(folder, ("positions: sinusoidal", "positions: learned"), ("format: 3\n", "format: 1\n"))
    no_manifest(folder)


def manifest_of_another_model(folder):
    manifest = json.loads(header(folder)["__metadata__"]["manifest"])
    manifest["tokenizer_sha256"] = {TOKENIZER: "0" * 64}
    put_header(folder, json.dumps({**header(folder), "__metadata__": {"manifest": json.dumps(manifest)}}).encode())


def link_to_the_passwords(folder):
    link(folder / CONFIG, "/etc/passwd")


def link_to_other_weights(folder):
    link(folder / WEIGHTS, "../secret/secret.safetensors")


def link_to_an_endless_device(folder):
    link(folder / TOKENIZER, "/dev/zero")


def link_to_itself(folder):
    link(folder / WEIGHTS, WEIGHTS)


def pipe_as_weights(folder):
    pipe(folder / WEIGHTS)


def pipe_as_config(folder):
    pipe(folder / CONFIG)


def pipe_as_tokenizer(folder):
    pipe(folder / TOKENIZER)


def folder_as_weights(folder):
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).mkdir()


def export_with_a_pipe_that_no_manifest_lists(folder):
    """CTranslate2 itself looks for such a file."""
    os.mkfifo(folder / "vmap.txt")


def export_of_rubbish(folder):
    put_listed(folder, EXPORTED, b"\xff" * 1000)


def export_that_is_cut(folder):
    put_listed(folder, EXPORTED, (folder / EXPORTED).read_bytes()[:-1000])


def export_of_billions_of_elements(folder):
    data, name = (folder / EXPORTED).read_bytes(), b"decoder/embeddings/weight\0\x02"
    place = data.index(name) + len(name)
    put_listed(folder, EXPORTED, data[:place] + struct.pack("<2I", 1 << 31, 1 << 31) + data[place + 8 :])


def export_with_another_sha(folder):
    (folder / EXPORTED).write_bytes((folder / EXPORTED).read_bytes() + b"\0")


def export_that_is_a_link(folder):
    link(folder / EXPORTED, "/dev/zero")


def export_of_a_deep_vocabulary(folder):
    put_listed(folder, "shared_vocabulary.json", b"[" * 100_000)


def change_config(folder: Path, *changes: tuple[str, str]) -> None:
    text = (folder / CONFIG).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / CONFIG).write_text(text)


def header(folder: Path) -> dict:
    data = (folder / WEIGHTS).read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def put_header(folder: Path, text: bytes, size: int | None = None) -> None:
    data = (folder / WEIGHTS).read_bytes()
    size = len(text) if size is None else size
    (folder / WEIGHTS).write_bytes(size.to_bytes(8, "little") + text + data[8 + int.from_bytes(data[:8], "little") :])


def put_tokenizer(folder: Path, data: bytes) -> None:
    """Another one, whose SHA-256 config.yaml says."""
    old = hashlib.sha256((folder / TOKENIZER).read_bytes()).hexdigest()
    (folder / CONFIG).write_text((folder / CONFIG).read_text().replace(old, hashlib.sha256(data).hexdigest()))
    (folder / TOKENIZER).write_bytes(data)


def put_listed(folder: Path, name: str, data: bytes) -> None:
    """Another file of an export, whose SHA-256 its manifest says."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files_sha256"][name] = hashlib.sha256(data).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / name).write_bytes(data)


def link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


MADE = {  # function -> a part of the message
    pickle_as_weights: "not readable as safetensors", pickle_as_tokenizer: "is not a SentencePiece model", pickle_as_config: "not readable as YAML",
    pickle_beside_no_weights: "has no model.safetensors", tokenizer_of_another_kind: "SentencePiece", tokenizer_of_rubbish: "SentencePiece",
    tokenizer_with_another_sha: "another tokenizer", tokenizer_of_gigabytes: "bytes", config_of_gigabytes: "bytes",
    weights_of_gigabytes: "safetensors", header_of_exabytes: "safetensors", header_longer_than_the_file: "safetensors",
    header_of_deep_json: "safetensors", header_of_a_million_names: "safetensors", manifest_of_deep_json: "the manifest", no_manifest: "no manifest",
    manifest_of_another_model: "different models", link_to_the_passwords: "outside its folder", link_to_other_weights: "outside its folder",
    link_to_an_endless_device: "outside its folder", link_to_itself: "model.safetensors", pipe_as_weights: "not a file", pipe_as_config: "not a file",
    pipe_as_tokenizer: "not a file", newer_format: "format 99", folder_as_weights: "not a file",
    another_family: "was written with model.family 'encoder_decoder'", another_family_without_a_seal: "model.safetensors",
    a_thousand_recurrent_layers: "parameters, too few", learned_positions_that_are_not_there: "positions",
}  # fmt: skip

EXPORTS = {
    export_with_a_pipe_that_no_manifest_lists: "not a file", export_of_rubbish: "CTranslate2 cannot load",
    export_that_is_cut: "CTranslate2 cannot load",
    export_of_billions_of_elements: "CTranslate2 cannot load", export_with_another_sha: "another SHA-256", export_that_is_a_link: "outside its",
    export_of_a_deep_vocabulary: "CTranslate2 cannot load",
}  # fmt: skip
