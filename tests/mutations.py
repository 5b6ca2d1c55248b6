"""Damage and malice for tests/fuzz.py: bytes, plain values, YAML and headers of safetensors with something wrong in them."""

from __future__ import annotations

import json
import random
from typing import Any

RAN = "a-bundle-ran-code"  # the file that code in a bundle would make
DEEP = 5000

VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 3, 2**31, 2**63, 10**9, 10**40, -(10**40), 0.5, 1e308, float("inf"), float("nan"), "", " ", "x" * 5000, "cpu", "1e5",
    "/etc/passwd", "../../../etc/passwd", "a\nb", "\x00", "${oc.env:HOME}", "${run}", "???", [], {}, [[]], [1, "a"], {"a": {"b": {}}}, "nan",
    {"_target_": "os.system", "_args_": [f"touch {RAN}"]},
]  # fmt: skip
LAUGHS = "&l1 [x, x]" + "".join(f"\nl{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(2, 12))  # "billion laughs"
YAML_VALUES = [
    f"!!python/object/apply:os.system ['touch {RAN}']", f"!!python/object/new:os.system ['touch {RAN}']", "!!python/name:os.system", "!!binary aGk=",
    "!!timestamp x", "!!int ''", "!!bool x", "&a [*a]", "*a", "&a {<<: *a}", LAUGHS, LAUGHS.replace("[", "{<<: [").replace("]", "]}"), "0x_", "0b_",
    "1:99:99:99", "2001-99-99", "0001-01-01 00:00:00+23:59", "9" * 5000, "[" * DEEP, "{a: " * DEEP, "- " * DEEP, "[" * 300 + "]" * 300, "'", '"\\x',
    "|", "? ", "=", "<<: 1", "%YAML 9.9", "---\n---", "\t", "\ufeff", "{_target_: os.system}", "{}", "[]", ".inf", ".nan", "1e999", "1000000000",
    "{_target_: pathlib.Path.touch, self: a-bundle-ran-code}", "${oc.decode:'[1]'}", "${oc.create:{_target_: os.getcwd}}", "{hydra: {run: {dir: x}}}",
    "-1", "~", "${oc.env:HOME}", "${model.width}", "${a", "/etc/passwd", "{1: 2}", "{[a]: 2}",
]  # fmt: skip
HYDRA_LINES = [  # of a recipe: each could run, write or set something if Hydra took it
    "hydra: {callbacks: {x: {_target_: pathlib.Path.touch, _args_: [{_target_: pathlib.Path, _args_: [" + RAN + "]}]}}}",
    f"hydra: {{run: {{dir: {RAN}}}, output_subdir: {RAN}}}", f"hydra: {{sweep: {{dir: {RAN}}}}}", "hydra: {job: {env_set: {LD_PRELOAD: x}}}",
    "hydra: {searchpath: ['pkg://antigravity']}", "hydra: {launcher: {_target_: os.getcwd}}", "hydra: {sweeper: {_target_: os.getcwd}}",
    "_target_: os.getcwd", "  _target_: os.getcwd", "  - override /hydra/launcher: joblib", "  - /data@hydra.callbacks: text", "# @package hydra",
    "  - override hydra/sweeper: x",
    "  - ${oc.env:HOME}", "  - /hydra/config", "hydra:", "  x: {_target_: os.getcwd}", "<<: {hydra: {mode: MULTIRUN}}",
]  # fmt: skip
HYDRA_WORDS = [
    f"hydra.run.dir={RAN}", f"hydra.sweep.dir={RAN}", "hydra.searchpath=[pkg://antigravity]", "+hydra.callbacks.x={_target_: os.getcwd}",
    "hydra/launcher=joblib", "+model._target_=os.getcwd", "data.test.x={_target_: os.getcwd}", "run=${oc.env:HOME}", "+data@hydra.x=text",
]  # fmt: skip
TOKENS = [value.encode() for value in YAML_VALUES] + [
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\n", b"\r", b"\t", b'"', b"{", b"}", b"\\ud800", b"\\u0000", b'{"de": ' * DEEP,
    b"[" * 200_000, b"\xff" * 9, b"\x80" * 50, b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"-1e999", b"NaN", b"Infinity", b"\x1f\x8b\x08", b"\xfd7zXZ\x00",
]  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to three faults: bits flipped, cut off, a span lost, doubled or overwritten, something foreign put in."""
    whole = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        start = rng.randrange(len(whole) + 1) if rng.random() < 0.5 else min(len(whole), int(rng.expovariate(1 / 60)))  # headers come first
        end = min(len(whole), start + int(rng.expovariate(1 / 20)) + 1)
        fault = rng.choice((0, 0, 0, 1, 2, 3, 4, 5))
        if fault == 0:
            for place in range(start, min(end, start + 8)):
                whole[place] ^= 1 << rng.randrange(8)
        elif fault == 1:
            del whole[start:]
        elif fault == 2:
            del whole[start:end]
        elif fault == 3:
            whole[start:start] = whole[start:end]
        elif fault == 4:
            whole[start:end] = rng.randbytes(end - start)
        else:
            whole[start : rng.choice((start, end))] = rng.choice(TOKENS)
    return bytes(whole)


def altered(values: Any, rng: random.Random) -> Any:
    """Plain values with one of them replaced, left out, or put beside the others under a name of its own."""
    if not isinstance(values, (dict, list)) or not values or rng.random() < 0.1:
        return rng.choice(VALUES)
    values = values.copy()
    key = rng.choice(list(values) if isinstance(values, dict) else range(len(values)))
    chance = rng.random()
    if chance < 0.1:
        del values[key]
    elif chance < 0.2 and isinstance(values, dict):
        values[rng.choice(("_target_", "defaults", "", "x" * 300, str(key) + "s"))] = rng.choice(VALUES)
    else:
        values[key] = altered(values[key], rng)
    return values


def altered_yaml(data: bytes, rng: random.Random) -> bytes:
    """A line of YAML with another value, or a line of its own."""
    lines = data.decode().split("\n")
    place = rng.randrange(len(lines))
    if rng.random() < 0.2:
        lines.insert(place, rng.choice(HYDRA_LINES))
        return "\n".join(lines).encode()
    value = rng.choice(YAML_VALUES)
    lines[place] = f"{lines[place].partition(':')[0]}: {value}" if rng.random() < 0.8 else value
    return "\n".join(lines).encode()


def altered_save(data: bytes, rng: random.Random) -> bytes:
    """A checkpoint with other keys or numbers in its `progress`, or an entry of its header altered; some with the tensors' names exchanged."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    chance = rng.random()
    if chance < 0.6:
        progress = json.loads(header["__metadata__"]["progress"])
        if rng.random() < 0.5:
            progress[rng.choice(list(progress))] = rng.choice(VALUES)
        else:
            progress = altered(progress, rng)
        header["__metadata__"]["progress"] = json.dumps(progress)
    elif chance < 0.8:
        first, second = rng.sample([name for name in header if name != "__metadata__"], 2)
        header[first], header[second] = header[second], header[first]
    else:
        header = altered(header, rng)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def altered_header(data: bytes, rng: random.Random) -> bytes:
    """safetensors with an entry of its header altered: a shape, an offset, a name, the manifest; its length made to fit, mostly."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    if "manifest" in header.get("__metadata__", {}) and rng.random() < 0.4:
        header["__metadata__"]["manifest"] = json.dumps(altered(json.loads(header["__metadata__"]["manifest"]), rng))
    else:
        header = altered(header, rng)
    text = json.dumps(header).encode()
    return (len(text) if rng.random() < 0.9 else rng.choice((0, 1, 2**63, 2**64 - 1))).to_bytes(8, "little") + text + data[8 + size :]
