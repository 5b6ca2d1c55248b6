"""Damaged and hostile files against every reader: each case must end in one line of error, or in what was asked for.

    python -m tests.fuzz                      # 10,000 cases a kind, 1,000 of the slow ones: about 20 minutes on a core
    python -m tests.fuzz bundle tsv --cases 500 --seed 7

A case is a function of its kind and its seed. It runs in a process of its own with 1 GiB beyond what the libraries take and 20 seconds; a
crash, a hang, more memory, any other exception, another translation, or a file that a bundle's code would have made is a failure, and the
exit code is 1.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import multiprocessing
import os
import random
import resource
import sys
import tempfile
from bz2 import compress as pack_bz2
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterator

from tests.mutations import HYDRA_WORDS, RAN, altered, altered_header, altered_save, altered_yaml, mutated

SECONDS, MEMORY = 20, 1 << 30  # of a case: time, bytes beyond those at the start
SLOW = {"recipe": 10}  # one case where the others have so many
LINES = ["Der Hund schläft.", "Guten Morgen!", "😀 \x00 漢"]
NUMBERED = [f"{number * number} {line}" for number in range(100) for line in LINES]
LINKS = ("/etc/passwd", "/dev/zero", "nowhere", ".", "/")  # to what has nothing to do with the file
Case = Callable[[random.Random], str]


def bundle(folder: Path) -> Case:
    """A sealed bundle with a fault, or two: refused, or the same translations."""
    from tests.conftest import make_untrained
    from translate.translation.translator import Translator

    make_untrained(folder)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    expected = Translator.load(folder, "cpu", "fp32").translate(LINES)

    def case(rng: random.Random) -> str:
        damage(folder, whole, rng)
        if Translator.load(folder, "cpu", "fp32").translate(LINES) != expected:
            raise AssertionError("loaded, and translates otherwise")
        return "same output"

    return case


def damage(folder: Path, whole: dict[str, bytes], rng: random.Random) -> None:
    for name, data in whole.items():
        path = folder / name
        path.unlink(missing_ok=True)
        path.write_bytes(data)
    for name in rng.sample(sorted(whole), rng.choice((1, 1, 1, 2))):
        if rng.random() < 0.02:
            (folder / name).unlink()
            if rng.random() < 0.5:
                (folder / name).symlink_to(rng.choice((*LINKS, "config.yaml", name)))
            continue
        structured = {"config.yaml": altered_yaml, "model.safetensors": altered_header}.get(name, mutated)
        (folder / name).write_bytes((structured if rng.random() < 0.5 else mutated)(whole[name], rng))


def put(path: Path, data: bytes, rng: random.Random, change: Callable[[bytes, random.Random], bytes] = mutated) -> None:
    """`data` with faults at `path`; sometimes a link there instead: to nothing, out of the folder, to itself, to a device, or to whole `data`."""
    path.unlink(missing_ok=True)
    if rng.random() > 0.03:
        path.write_bytes(change(data, rng))
        return
    whole = path.with_name(f"whole{path.suffix}")
    whole.write_bytes(data)
    path.symlink_to(rng.choice((*LINKS, path.name, whole.name)))


def hostile(folder: Path) -> Case:
    """A bundle of format 1, which has no seal, with the tokenizer's SHA-256 made to fit: what an attacker can write. Refused or loaded."""
    import hashlib

    from safetensors.torch import load_file, save_file

    from tests.conftest import make_untrained
    from translate.bundle.bundle import load_bundle

    make_untrained(folder)
    weights = folder / "model.safetensors"
    save_file(load_file(weights), weights)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    whole["config.yaml"] = whole["config.yaml"].replace(b"format: 2", b"format: 1")
    digest = hashlib.sha256(whole["spm.model"]).hexdigest().encode()

    def case(rng: random.Random) -> str:
        damage(folder, whole, rng)
        tokenizer, config = folder / "spm.model", folder / "config.yaml"
        if tokenizer.is_file() and not tokenizer.is_symlink() and config.is_file() and not config.is_symlink():
            config.write_bytes(config.read_bytes().replace(digest, hashlib.sha256(tokenizer.read_bytes()).hexdigest().encode()))
        loaded = load_bundle(folder).tokenizer
        loaded.decode(loaded.encode_source(LINES))
        loaded.decode([list(range(loaded.target_size))])
        return "loaded"

    return case


def config(folder: Path) -> Case:
    """Settings as plain values, and as the text of config.yaml: refused, or settings that pass every check."""
    import dataclasses

    import yaml

    from translate.bundle.bundle import ModelFolder
    from translate.config import Config, CorpusConfig, DataConfig, check, from_dict

    data = DataConfig(train=[CorpusConfig(source="a", target="b")] * 2, test={"dev": CorpusConfig(kind="tsv", path="c")})
    values = {key: value for key, value in dataclasses.asdict(Config(data=data)).items() if key != "run"}
    sealed = {"format": 2, "version": "0.1.0", "tokenizer_sha256": {"spm.model": "0" * 64}, **values}
    text = yaml.safe_dump(sealed, sort_keys=False, explicit_end=True).encode()

    def case(rng: random.Random) -> str:
        if rng.random() < 0.4:
            changed = values
            for _ in range(rng.choice((1, 1, 2, 4))):
                changed = altered(changed, rng)
            check(from_dict(changed))
        else:
            put(folder / "config.yaml", text, rng, rng.choice((mutated, altered_yaml)))
            ModelFolder(folder)
        return "read"

    return case


def recipe(folder: Path) -> Case:
    """Recipes and words of the command line, composed by Hydra: refused, or settings that pass every check."""
    from tests.conftest import ROOT
    from translate.cli.train import compose

    (folder / "recipe").mkdir()
    text = (ROOT / "recipes" / "multi30k_de_en.yaml").read_bytes()

    def case(rng: random.Random) -> str:
        mine = folder / "recipe" / "mine.yaml"
        words = ["--config-dir", str(folder), "recipe=mine"]
        if rng.random() < 0.3:
            word = rng.choice(("model.width=256", "+data.train=[{kind: tsv, path: a}]", "optim=adam", "data.test.mine={source: a}", *HYDRA_WORDS))
            words.append(word if rng.random() < 0.2 else mutated(word.encode(), rng).decode("utf-8", "replace"))
            words += ["-m"] if rng.random() < 0.2 else []
            mine.unlink(missing_ok=True)
            mine.write_bytes(text)
        else:
            put(mine, text, rng, rng.choice((mutated, altered_yaml)))
        before = {*os.listdir("."), *os.listdir(folder)}
        configs = compose(words)
        if {*os.listdir("."), *os.listdir(folder)} != before or "LD_PRELOAD" in os.environ:
            raise AssertionError("composing left something behind")
        if "_target_" in str(configs) or os.environ["HOME"] in str(configs):
            raise AssertionError("composed, with what should be refused")
        return "read"

    return case


def save(folder: Path) -> Case:
    """The last save of a training, and sometimes the one before it: refused, or one of the two, whole: weights, moments and all numbers."""
    import dataclasses

    import torch

    from tests.conftest import make_untrained
    from translate.bundle.bundle import load_bundle
    from translate.training.checkpoints import Checkpoints, Progress

    model = load_bundle(make_untrained(folder)).model.requires_grad_()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    checkpoints, saved = Checkpoints(folder, 1), []

    def state() -> list[Any]:
        moments = [value.clone() for parameter in model.parameters() for value in optimizer.state.get(parameter, {}).values()]
        return [*(parameter.detach().clone() for parameter in model.parameters()), *moments]

    for step in (1, 2):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 0.1 * step)
        optimizer.step()
        progress = Progress(step=step, validated=step, seconds=0.5, best_bleu=3.5, limits=[1.5])
        checkpoints.save(model, optimizer, progress)
        saved.append((state(), dataclasses.asdict(progress)))
    whole = {path.name: path.read_bytes() for path in (checkpoints.resume, checkpoints.before)}

    def case(rng: random.Random) -> str:
        for name in whole:
            put(checkpoints.folder / name, whole[name], rng, altered_save if rng.random() < 0.5 else mutated)
            if rng.random() < 0.7:  # the save before is mostly whole
                (checkpoints.before).unlink(missing_ok=True)
                checkpoints.before.write_bytes(whole[checkpoints.before.name])
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(7)
        loaded = checkpoints.load(model, optimizer, lambda _: None)
        if loaded is None:
            return "no save"
        for (tensors, numbers), name in zip(saved, ("save before", "last save")):
            found = state()
            if numbers == dataclasses.asdict(loaded) and len(found) == len(tensors) and all(map(torch.equal, found, tensors)):
                return name
        raise AssertionError("loaded, and neither of the saves")

    return case


def tsv(folder: Path) -> Case:
    return pairs(folder / "a.tsv", "\n".join(f"{line}\t{line}" for line in LINES * 5))


def jsonl(folder: Path) -> Case:
    rows = [{"translation": {"de": line, "en": line}, "score": 0.5} for line in LINES * 5]
    return pairs(folder / "a.jsonl", "\n".join(json.dumps(row, ensure_ascii=number % 2 > 0) for number, row in enumerate(rows)))


def array(folder: Path) -> Case:
    return pairs(folder / "a.jsonl", json.dumps([{"de": line, "en": line} for line in LINES * 5], indent=1))


def quoted(folder: Path) -> Case:
    return pairs(
        folder / "a.csv", "\n".join(["de;en", *(f'"{line}";"{line}"' for line in LINES * 5 if "\0" not in line)])
    )  # Python 3.10's csv refuses NUL


def tmx(folder: Path) -> Case:
    unit = '<tu><tuv xml:lang="de"><seg>ä &amp; <ph>b</ph></seg></tuv><tuv xml:lang="en"><seg>a</seg></tuv></tu>\n'
    return pairs(folder / "a.tmx", f'<?xml version="1.0"?><!DOCTYPE tmx [<!ELEMENT x ANY>]><tmx><body>{unit * 9}</body></tmx>')


def pairs(path: Path, text: str) -> Case:
    """A corpus file of the kind that its ending says."""
    from translate.config import CorpusConfig, DataConfig
    from translate.data.corpora import find_corpus
    from translate.data.rows import Skipped

    corpus = CorpusConfig(kind=path.suffix[1:], path=str(path))
    return reader(path, lambda _: find_corpus(corpus, DataConfig(cache=str(path.parent))).pairs(Skipped("corpus")), text.encode())


def gz(folder: Path) -> Case:
    from translate.text.lines import read_lines

    return reader(folder / "a.gz", read_lines, gzip.compress("\n".join(NUMBERED).encode(), mtime=0), NUMBERED)


def xz(folder: Path) -> Case:
    from translate.text.lines import read_lines

    return reader(folder / "a.xz", read_lines, lzma.compress("\n".join(NUMBERED).encode()), NUMBERED)


def bz2(folder: Path) -> Case:
    from translate.text.lines import read_lines

    return reader(folder / "a.bz2", read_lines, pack_bz2("\n".join(NUMBERED).encode()), NUMBERED)


def zst(folder: Path) -> Case:
    """Without a checksum in it, as the `zstd` library writes by default."""
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the other ones reserve more than a case may take
    import pyarrow

    from translate.text.lines import read_lines

    return reader(folder / "a.zst", read_lines, pyarrow.Codec("zstd").compress("\n".join(NUMBERED).encode(), asbytes=True))


def column(folder: Path) -> Case:
    """A column of a CSV: refused, or as many lines, which are the same bytes where each text is its own translation."""
    from translate.text.records import CsvColumn

    def lines(rows: list[str]) -> list:
        return list(CsvColumn("a", "2").parse(rows))

    text = "".join(f'{number};"{line} ""{number}""\n{line}";{line}\r\n' for number, line in enumerate(LINES * 3))
    return unchanged(folder / "a.csv", lines, text.encode())


def key(folder: Path) -> Case:
    """A key of JSON lines, likewise."""
    from translate.text.records import JsonKey

    rows = [{"n": 1.5, "t": {"de": f"{line}\n{line}", "x": [line, None]}} for line in LINES * 3]
    text = "\n".join(json.dumps(row, ensure_ascii=number % 2 > 0) for number, row in enumerate(rows))
    return unchanged(folder / "a.jsonl", lambda lines: list(JsonKey("a", "t.de").parse(lines)), text.encode())


def unchanged(path: Path, read: Callable[[list[str]], list], data: bytes) -> Case:
    from translate.text.lines import read_lines

    def case(rng: random.Random) -> str:
        put(path, data, rng)
        before = list(read_lines(path, ends=True))
        after = read(before)
        filled = [line.filled(line.texts) for line in after]
        different = [(old, new) for old, new in zip(before, filled) if old != new]
        if path.suffix == ".jsonl":  # \\u00e4 may come back as ä
            different = [(old, new) for old, new in different if json.loads(old.removeprefix("\ufeff")) != json.loads(new.removeprefix("\ufeff"))]
        if len(before) != len(after) or different:
            raise AssertionError(f"{len(before)} lines in, {len(after)} out; {different[:1]}")
        return "read"

    return case


def reader(path: Path, read: Callable[[Path], Iterator], data: bytes, expected: list[str] | None = None) -> Case:
    """Read to its end; what has a checksum must be as `expected`."""

    def case(rng: random.Random) -> str:
        put(path, data, rng)
        rows = list(read(path))
        if expected and rows != expected:
            raise AssertionError(f"read, and {len(rows)} lines are not the {len(expected)} that were written")
        return "same output" if expected else "read"

    return case


KINDS = {kind.__name__: kind for kind in (bundle, hostile, save, config, recipe, tsv, jsonl, array, quoted, tmx, gz, xz, bz2, zst, column, key)}


def serve(pipe: Any) -> None:
    """The process that runs the cases asked for by (kind, seed), and answers each with its outcome."""
    import torch

    import translate.translation.translator  # noqa: F401  its memory is not the cases'
    from translate.cli.main import LONGEST, explain
    from translate.errors import UserError

    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries say there belongs to no reader
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        cases: dict[str, Case] = {}
        while (request := pipe.recv()) is not None:
            kind, seed = request
            if kind not in cases:
                Path(kind).mkdir()
                cases[kind] = KINDS[kind](Path(kind).resolve())
                size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))
            try:
                outcome = cases[kind](random.Random(f"{kind} {seed}"))
            except (UserError, OSError) as error:
                message = explain(error)
                outcome = "refused" if message.isprintable() and 0 < len(message) <= LONGEST else f"FAILED: no short line: {message[:300]!r}"
            except Exception as error:
                outcome = f"FAILED: {type(error).__name__}: {str(error)[:300]!r}"
            if Path(RAN).exists() or (Path(kind) / RAN).exists():
                outcome = "FAILED: code of the file was run"
            pipe.send(outcome)


class Worker:
    """Runs cases one by one; started anew after a crash or a hang."""

    def __init__(self) -> None:
        self.process: Any = None

    def run(self, kind: str, seed: int) -> str:
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, other = context.Pipe()
            self.process = context.Process(target=serve, args=(other,), daemon=True)
            self.process.start()
            other.close()
            self.pipe.send((kind, seed))
            in_time = self.pipe.poll(SECONDS + 60)  # the libraries come first
        else:
            self.pipe.send((kind, seed))
            in_time = self.pipe.poll(SECONDS)
        try:
            if in_time:
                return self.pipe.recv()
            self.process.kill()
            self.process.join()
            outcome = f"FAILED: no end after {SECONDS} s"
        except (EOFError, ConnectionResetError):
            self.process.join()
            outcome = f"FAILED: the process died ({self.process.exitcode})"
        self.process = None
        return outcome

    def stop(self) -> None:
        if self.process is not None:
            self.pipe.send(None)
            self.process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description="Damaged and hostile files against every reader.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)} (default: all)")
    parser.add_argument("--cases", type=int, default=10_000, help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the others follow (default: %(default)s)")
    arguments = parser.parse_args()
    worker, failed = Worker(), 0
    print(f"{'kind':<10}{'cases':>8}  outcome")
    for kind in arguments.kinds or KINDS:
        outcomes: Counter[str] = Counter()
        for seed in range(arguments.seed, arguments.seed + arguments.cases // SLOW.get(kind, 1)):
            outcome = worker.run(kind, seed)
            if outcome.startswith("FAILED"):
                failed += 1
                print(f"{kind}, seed {seed}: {outcome}", flush=True)
            outcomes[outcome.partition(":")[0]] += 1
        print(f"{kind:<10}{outcomes.total():>8,}  {', '.join(f'{outcome} {count:,}' for outcome, count in outcomes.most_common())}", flush=True)
    worker.stop()
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
