"""Reading files that somebody else may have made: only inside their folder, of bounded size, YAML and JSON of plain values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from translate.errors import UserError
from translate.values import short_repr

FORMAT = 2  # of a bundle
SEALED = 2  # the first format with a manifest
MANIFEST_SIZE = CONFIG_SIZE = 1 << 20  # bytes; both take a few thousand
TOKENIZER_SIZE = 1 << 28  # bytes; a million pieces take 24 MB


def checked_path(folder: Path, name: str) -> Path:
    """The path of a file of the bundle. UserError if it is missing, not a file, or a link out of the folder (which may itself be one)."""
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


def read_bytes(folder: Path, name: str, most: int) -> bytes:
    """The bytes of a file of the bundle. UserError as from `checked_path`, or if it cannot be read or has more than `most` bytes."""
    path = checked_path(folder, name)
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > most:
        raise UserError(f"{path} has more than {most:,} bytes: it is damaged, or was not written by this toolkit")
    return content


class _PlainLoader(yaml.SafeLoader):
    """YAML of plain values: tags would choose types, and with anchors a few lines could grow without end."""

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
            if isinstance(key, yaml.ScalarNode) and key.value in seen:  # the last would count, while a reader sees the first
                raise yaml.constructor.ConstructorError(None, None, f"{short_repr(key.value)} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def parse_yaml(content: bytes, origin: Any) -> Any:
    """YAML without tags, anchors and aliases. UserError, one line, if it is anything else."""
    try:
        return yaml.load(content.decode("utf-8"), _PlainLoader)
    except RecursionError:
        reason = "it is nested too deeply"
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two: impossible numbers and dates
        reason = " ".join(str(error).split())[:200]
    raise UserError(f"{origin} is not readable as YAML ({reason}): it is damaged, or was not written by this toolkit")


def parse_json(text: str | bytes, origin: Any) -> dict[str, Any]:
    """A JSON object. UserError, one line, if it is anything else."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{origin} is not readable as JSON ({error}): it is damaged, or was not written by this toolkit") from None
    if not isinstance(values, dict):
        raise UserError(f"{origin} is not a JSON object: it is damaged, or was not written by this toolkit")
    return values
