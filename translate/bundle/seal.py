"""Reading untrusted files: only inside their folder, of bounded size, YAML and JSON with plain values only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from translate.errors import UserError
from translate.values import short_repr

FORMAT = 3  # of a bundle
SEALED = 2  # the first format with a manifest
PROFILED = 3  # the first format with a profile in the manifest
CONFIG_SIZE = 1 << 20  # bytes; real ones have a few thousand
MANIFEST_SIZE = 1 << 25  # bytes; real ones have up to a few million, for the profile
TOKENIZER_SIZE = 1 << 28  # bytes; a million pieces take 24 MB


def checked_path(folder: Path, name: str) -> Path:
    """The path of a file in the bundle. UserError if it is missing, not a file, or a link out of the folder (which may be a link itself)."""
    path = folder / name
    try:
        target = path.resolve()
        inside = target.is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # links in a circle
        raise UserError(f"{path} cannot be read: {error}") from None
    if not inside:
        raise UserError(f"{path} is a link to {target}, outside its folder: put the file itself there")
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is not a file: copy it from the original run folder")
    if not path.is_file():
        raise UserError(f"{folder} has no {name}: copy it from the original run folder")
    return path


def read_bytes(folder: Path, name: str, limit: int) -> bytes:
    """The content of a file in the bundle. UserError as from `checked_path`, or if it cannot be read or has more than `limit` bytes."""
    path = checked_path(folder, name)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > limit:
        raise UserError(f"{path} has more than {limit:,} bytes: it is damaged, or was not written by this toolkit")
    return content


class _PlainLoader(yaml.SafeLoader):
    """YAML with plain values only: tags can choose types, and a few lines with anchors can expand without bound."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise yaml.composer.ComposerError(None, None, "anchors and aliases are not allowed", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(None, None, "tags are not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:  # the last would win, while people read the first
                raise yaml.constructor.ConstructorError(None, None, f"{short_repr(key.value)} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def parse_yaml(content: bytes, origin: Any) -> Any:
    """Parse YAML without tags, anchors and aliases. One-line UserError for anything else."""
    try:
        return yaml.load(content.decode("utf-8"), _PlainLoader)
    except RecursionError:
        reason = "it is nested too deeply"
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: impossible numbers and dates
        reason = " ".join(str(error).split())[:200]
    raise UserError(f"{origin} is not readable as YAML ({reason}): it is damaged, or was not written by this toolkit")


def parse_json(text: str | bytes, origin: Any) -> dict[str, Any]:
    """Parse a JSON object. One-line UserError for anything else."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{origin} is not readable as JSON ({error}): it is damaged, or was not written by this toolkit") from None
    if not isinstance(values, dict):
        raise UserError(f"{origin} is not a JSON object: it is damaged, or was not written by this toolkit")
    return values
