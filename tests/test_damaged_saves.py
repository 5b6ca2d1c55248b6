"""Saves that are damaged, of another version, or without metadata: each is named, and the run goes on from the one before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import digest, tiny_config
from tests.stopped_run import SETTINGS, copy_of, said
from translate.bundle.bundle import load_bundle
from translate.bundle.weights import read_metadata, read_weights, write_weights
from translate.training.run import train


def invert(path: Path, share: float, size: int = 4000) -> None:
    content = bytearray(path.read_bytes())
    start = int(share * (len(content) - size))
    content[start : start + size] = bytes(byte ^ 255 for byte in content[start : start + size])
    path.write_bytes(content)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_save_with_inverted_bytes_is_found(share, stopped, whole, tmp_path, corpus_folder):
    run = copy_of(stopped, tmp_path)
    invert(run / "checkpoints" / "resume.safetensors", share)
    train(tiny_config(run, corpus_folder, **SETTINGS))
    assert "damaged" in said(run) and "using the previous save" in said(run) and "resumed at step 40" in said(run)
    assert digest(run / "model.safetensors") == digest(whole / "model.safetensors")


def test_one_bit_of_the_metadata_is_found(stopped, whole, tmp_path, corpus_folder):
    """A counter that is another number, or the checksum under another name."""
    for number, (old, new) in enumerate([(b'\\"position\\": ', b'\\"position\\":1'), (b'"sha256"', b'"sha257"')]):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = copy_of(stopped, folder)
        save = run / "checkpoints" / "resume.safetensors"
        assert save.read_bytes().count(old) == 1
        save.write_bytes(save.read_bytes().replace(old, new))
        train(tiny_config(run, corpus_folder, **SETTINGS))
        assert "resumed at step 40" in said(run)
        assert digest(run / "model.safetensors") == digest(whole / "model.safetensors")


@pytest.mark.parametrize("step", [40, 60])
def test_damaged_weights_of_a_validation_are_left_out(step, stopped, tmp_path, corpus_folder):
    run = copy_of(stopped, tmp_path)
    invert(run / "checkpoints" / f"step-{step:08d}.safetensors", 0.5)
    train(tiny_config(run, corpus_folder, **SETTINGS))
    assert f"step-{step:08d}.safetensors is damaged" in said(run) and "it is left out" in said(run)
    assert json.loads((run / "report.json").read_text())["steps"] == 60
    load_bundle(run)


def test_a_save_of_a_newer_version_is_refused_and_kept(stopped, tmp_path, corpus_folder):
    run = copy_of(stopped, tmp_path)
    save = run / "checkpoints" / "resume.safetensors"
    progress = {**json.loads(read_metadata(save)["progress"]), "mood": 3}
    write_weights(save, read_weights(save), {"progress": json.dumps(progress)})
    before = digest(save)
    with pytest.raises(ValueError, match=r"newer version of translate-nmt \(it has a field 'mood'\): install that version"):
        train(tiny_config(run, corpus_folder, **SETTINGS))
    assert digest(save) == before


@pytest.mark.parametrize("progress", [None, "[1", "[]", '{"step": "many"}'])
def test_a_save_whose_metadata_are_gone_or_unreadable(progress, stopped, tmp_path, corpus_folder):
    run = copy_of(stopped, tmp_path)
    save = run / "checkpoints" / "resume.safetensors"
    write_weights(save, read_weights(save), {"progress": progress} if progress else {})
    train(tiny_config(run, corpus_folder, **SETTINGS))
    assert "resume.safetensors is damaged" in said(run) and "resumed at step 40" in said(run)


def test_a_save_of_the_first_version_is_read(stopped, whole, tmp_path, corpus_folder):
    """Without checksum, and with the fields that there were."""
    run = copy_of(stopped, tmp_path)
    for save in (run / "checkpoints").glob("*.safetensors"):
        progress = json.loads(read_metadata(save).get("progress", "{}"))
        for key in ("validation_seconds", "development", "limits", "finished"):
            progress.pop(key, None)
        write_weights(save, read_weights(save), {"progress": json.dumps(progress)} if progress else None)
    train(tiny_config(run, corpus_folder, **SETTINGS))
    assert digest(run / "model.safetensors") == digest(whole / "model.safetensors")
    assert "damaged" not in said(run)
