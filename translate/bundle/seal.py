"""What a bundle's files may be: inside their folder, of bounded size, plain values, and the very ones that were written. Used by bundle.py."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from translate.errors import UserError
from translate.values import short_repr

FORMAT = 2  # of a bundle
SEALED = 2  # the first format with a manifest
MANIFEST_SIZE = CONFIG_SIZE = 1 << 20  # bytes; both take a few thousand
TOKENIZER_SIZE = 1 << 28  # bytes; a million pieces take 24 MB


def file_of(folder: Path, name: str) -> Path:
    """The path of a file of the bundle. UserError if it is missing, no file, or a link out of the folder (which may itself be one)."""
    path = folder / name
    try:
        target = path.resolve()
        inside = target.is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # links in a circle
        raise UserError(f"{path} cannot be read: {error}") from None
    if not inside:
        raise UserError(f"{path} is a link to {target}, out of its folder: put the file itself there")
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is not a file: copy it from the run folder that the others are from")
    if not path.is_file():
        raise UserError(f"{folder} has no {name}: copy it from the run folder that the others are from")
    return path


def content_of(folder: Path, name: str, most: int) -> bytes:
    """The bytes of a file of the bundle. UserError as `file_of`, or if it cannot be read or has more than `most` bytes."""
    path = file_of(folder, name)
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > most:
        raise UserError(f"{path} has more than {most:,} bytes: it is damaged, or not this toolkit's")
    return content


class _PlainLoader(yaml.SafeLoader):
    """YAML of plain values: tags would choose types, and anchors a few lines could make endless."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if getattr(event, "anchor", None) is not None:
            raise yaml.composer.ComposerError(None, None, "anchors and aliases are not allowed", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(None, None, "tags are not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:  # the last would count, and the first be what a reader sees
                raise yaml.constructor.ConstructorError(None, None, f"{short_repr(key.value)} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def plain_yaml(content: bytes, origin: Any) -> Any:
    """YAML without tags, anchors and aliases. UserError, one line, if it is anything else."""
    try:
        return yaml.load(content.decode("utf-8"), _PlainLoader)
    except RecursionError:
        reason = "it is nested too deeply"
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two from numbers and dates that are none
        reason = " ".join(str(error).split())[:200]
    raise UserError(f"{origin} is not readable as YAML ({reason}): it is damaged, or not this toolkit's")


def plain_json(text: str | bytes, origin: Any) -> dict[str, Any]:
    """A JSON object. UserError, one line, if it is anything else."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{origin} is not readable as JSON ({error}): it is damaged, or not this toolkit's") from None
    if not isinstance(values, dict):
        raise UserError(f"{origin} is no JSON object: it is damaged, or not this toolkit's")
    return values


def digest_of(weights: dict[str, Tensor]) -> str:
    """SHA-256 of the names, types, shapes and values of `weights`, in the order of the names."""
    whole = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return whole.hexdigest()
